//! Token keys that come and go while tokens are about.

use super::{Issuer, stored};
use crate::support::tokens::{KEY, NOW, at, new_key};
use countersign::{
    credential::{KeyId, TokenAlgorithm},
    store::TokenAdmin as _,
};
use http::StatusCode;

#[tokio::test]
async fn a_token_ends_with_the_key_that_signed_it() {
    let issuer = Issuer::start().await;
    let token = format!("Bearer {}", issuer.token().await);
    // Seen before, and so known again.
    for _ in 0..2 {
        assert_eq!(issuer.call("/v2.0/site", &token).await.status, StatusCode::OK);
    }
    issuer.keys.insert_signing_key(stored(&new_key(TokenAlgorithm::EdDsa), "ed-2"));
    assert_eq!(issuer.call("/v2.0/site", &token).await.status, StatusCode::OK);
    issuer.keys.retire_signing_key(&KeyId::new("rsa-1").unwrap(), at(NOW + 60)).await.unwrap();
    assert_eq!(issuer.call("/v2.0/site", &token).await.status, StatusCode::OK);
    issuer.clock.set(NOW + 60);
    assert_eq!(issuer.call("/v2.0/site", &token).await.status, StatusCode::UNAUTHORIZED);
    let newer = format!("Bearer {}", issuer.token().await);
    assert_eq!(issuer.call("/v2.0/site", &newer).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_key_that_leaks_is_withdrawn_at_once() {
    let issuer = Issuer::start().await;
    let token = format!("Bearer {}", issuer.token().await);
    assert_eq!(issuer.call("/v2.0/site", &token).await.status, StatusCode::OK);
    issuer.keys.retire_signing_key(&KeyId::new("rsa-1").unwrap(), at(NOW)).await.unwrap();
    assert_eq!(issuer.call("/v2.0/site", &token).await.status, StatusCode::UNAUTHORIZED);
    // The same key under another name is another key.
    issuer.keys.insert_signing_key(stored(&KEY, "rsa-2"));
    assert_eq!(issuer.call("/v2.0/site", &token).await.status, StatusCode::OK);
}

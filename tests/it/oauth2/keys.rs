//! Token keys that come and go while tokens are about.

use super::{CLIENT_SECRET, Issuer, client, serve, stored, whoami};
use crate::support::{
    http::store_by,
    tokens::{KEY, NOW, at, claims, new_key, profile},
};
use axum::{Router, routing::any};
use countersign::{
    VerifyLayer,
    clock::ManualClock,
    credential::{KeyId, TokenAlgorithm, TokenKeys},
    store::{Found, KeyStore as _, Lookup, MemoryKeyStore, Record, TokenAdmin as _},
    verify::BearerVerifier,
};
use http::{Request, StatusCode};
use std::sync::{Arc, Mutex};

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

#[tokio::test]
async fn a_database_that_was_set_back_is_believed() {
    let clients = MemoryKeyStore::new();
    clients.insert_client(client("708", &[CLIENT_SECRET]));
    let told = Arc::new(Mutex::new(TokenKeys::default()));
    let tell = |revision, names: &[&str]| {
        let mut keys = TokenKeys::default();
        keys.revision = revision;
        keys.keys = names.iter().map(|name| stored(&KEY, name).public).collect();
        *told.lock().unwrap() = keys;
    };
    let known = Arc::clone(&told);
    let store = store_by(move |lookup| match lookup {
        Lookup::TokenKeys => {
            let keys = known.lock().unwrap().clone();
            Found::Ready(Some(Record::TokenKeys(keys.into())))
        }
        other => clients.find(other),
    });
    let verifier = BearerVerifier::new(store, profile()).with_clock(ManualClock::at(NOW));
    let address = serve(Router::new().route("/", any(whoami)).layer(VerifyLayer::new(verifier))).await;
    let token = format!("Bearer {}", KEY.sign(&claims(), Some("rsa-2")).unwrap());
    let status = || async {
        let request = Request::get("/").header("host", "a").header("authorization", &token);
        super::send(address, request.body(Default::default()).unwrap()).await.status
    };
    // The replica that takes over lacks the last insertion; what comes then counts up to where the other was.
    for (revision, names, expected) in [
        (4, &["rsa-1"][..], StatusCode::UNAUTHORIZED),
        (5, &["rsa-2", "rsa-1"], StatusCode::OK),
        (4, &["rsa-1"], StatusCode::UNAUTHORIZED),
        (5, &["rsa-2"], StatusCode::OK),
        (5, &["rsa-3", "rsa-1"], StatusCode::UNAUTHORIZED),
    ] {
        tell(revision, names);
        assert_eq!(status().await, expected, "{revision} {names:?}");
    }
}

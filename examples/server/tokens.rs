//! Access tokens: who may issue them, what they say, and the key that signs them.

use crate::{config::Config, keys::Keys};
use anyhow::Context as _;
use axum::extract::ConnectInfo;
use countersign::{
    clock::Clock,
    credential::{KeyId, TokenAlgorithm, TokenKey},
    inspector::{Inspector, RefusalSample},
    jwt::{PrivateKey, Profile},
    oauth2::TokenEndpoint,
    store::{NewSigningKey, TokenAdmin},
};
use std::net::SocketAddr;

/// What every token of this server says of itself: the issuer and the audience of the documented one, unless it is told
/// others.
pub(crate) fn profile(config: &Config) -> Profile {
    Profile::new(&config.token_issuer, &config.token_audience)
}

/// The endpoint that issues tokens. Behind a proxy all peers are one, which only makes failures count together: the
/// right secret gets a token all the same.
pub(crate) fn endpoint(
    config: &Config,
    keys: &Keys,
    sample: &RefusalSample,
    inspector: &Inspector,
) -> TokenEndpoint {
    TokenEndpoint::new(keys.cached(), profile(config))
        .with_token_type(config.token_type)
        .with_witness(sample.clone())
        .with_witness(inspector.clone())
        .with_peer(|head| head.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip()))
}

/// Makes the key that signs tokens, unless there is one: before the server listens, so that no request waits for it.
pub(crate) async fn make_signing_key(admin: &dyn TokenAdmin, clock: &dyn Clock) -> anyhow::Result<()> {
    let now = clock.now();
    if admin.signing_keys().await?.iter().any(|key| key.public.may_sign(now)) {
        return Ok(());
    }
    eprintln!("making the key that signs access tokens, RSA of 3072 bits: this takes a moment, once");
    let key = PrivateKey::generate(TokenAlgorithm::Rs384).await?;
    let kid = KeyId::new(&key.public_key().thumbprint()?)?;
    let public = TokenKey::new(kid, TokenAlgorithm::Rs384, key.public_key().to_der()?);
    let stored = admin.add_signing_key(&NewSigningKey::new(public, key.to_pkcs8()?)).await;
    stored.context("cannot store the key that signs access tokens")
}

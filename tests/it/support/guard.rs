//! A service behind a `VerifyLayer`, the keys it knows, and what becomes of a request sent to it.

use bytes::Bytes;
use countersign::{
    SignatureVerifier, Verified, VerifyLayer,
    clock::ManualClock,
    credential::{Credential, KeyId, Organization, Principal, SecretVersion},
    error::VerifyErrorKind,
    middleware::VerifiedBody,
    scheme::{Scheme, Tenancy},
    secret::Secret,
    signature::MacKey,
    store::MemoryKeyStore,
};
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::BodyExt as _;
use std::{convert::Infallible, error::Error};
use tower::{Layer as _, ServiceExt as _, service_fn};

/// Who sent a request and the body that the inner service read, or why the layer refused it.
pub(crate) type Answer = Result<(Verified, Bytes), VerifyErrorKind>;

/// A key, and whom it belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key<'k> {
    pub(crate) id: &'k str,
    pub(crate) secret: &'k str,
    pub(crate) public_key: Option<&'k str>,
    pub(crate) organization: Option<&'k str>,
}

/// The credential of a key with one secret.
pub(crate) fn credential(scheme: &impl Scheme, key: Key<'_>) -> Credential {
    let mac_key = MacKey::new(scheme.algorithm(), &Secret::new(key.secret).unwrap());
    let mut credential = Credential::new(Principal::new("ada").unwrap(), [SecretVersion::new(1, mac_key)]);
    credential.public_key = key.public_key.map(Into::into);
    credential.organization = key.organization.map(|name| Organization::new(name).unwrap());
    credential
}

/// A layer that knows one key and whose clock stands still.
pub(crate) fn guard(scheme: impl Scheme, key: Key<'_>, now: u64) -> VerifyLayer {
    let store = MemoryKeyStore::new();
    store.insert(scheme.name(), key.id, credential(&scheme, key));
    if let (Tenancy::Installed, Some(organization)) = (scheme.tenancy(), key.organization) {
        let organization = Organization::new(organization).unwrap();
        store.install(scheme.name(), &KeyId::new(key.id).unwrap(), &organization);
    }
    VerifyLayer::new(SignatureVerifier::new(scheme, store).with_clock(ManualClock::at(now)))
}

/// Sends a request through the layer. A refusal must be of the status that its kind stands for.
pub(crate) async fn send<B>(layer: &VerifyLayer, request: Request<B>) -> Answer
where
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>>,
{
    let response = layer.layer(service_fn(answer)).oneshot(request).await.unwrap();
    if let Some(verified) = response.extensions().get::<Verified>().cloned() {
        assert_eq!(response.status(), StatusCode::OK);
        return Ok((verified, response.into_body()));
    }
    let kind = *response.extensions().get::<VerifyErrorKind>().unwrap();
    let expected = match kind {
        VerifyErrorKind::MalformedMessage => StatusCode::BAD_REQUEST,
        VerifyErrorKind::UnsupportedEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        _ => StatusCode::UNAUTHORIZED,
    };
    assert_eq!(response.status(), expected, "{kind:?}");
    Err(kind)
}

/// The outcome word of an answer.
pub(crate) fn outcome(answer: &Answer) -> &'static str {
    match answer {
        Ok((verified, _)) => verified.outcome().as_str(),
        Err(kind) => kind.outcome().as_str(),
    }
}

/// The inner service: shows who called, and gives the body back.
async fn answer(request: Request<VerifiedBody>) -> Result<Response<Bytes>, Infallible> {
    let verified = request.extensions().get::<Verified>().cloned().unwrap();
    let body = request.into_body().collect().await?.to_bytes();
    let mut response = Response::new(body);
    response.extensions_mut().insert(verified);
    Ok(response)
}

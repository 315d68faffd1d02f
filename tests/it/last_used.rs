//! Which secret a request was signed with is noted, for accepted requests only, and written once.

use crate::support::guard::{Key, credential, send};
use countersign::{
    SignatureVerifier, VerifyLayer,
    clock::ManualClock,
    credential::{KeyId, SecretVersion},
    scheme::{Corezoid, Scheme as _},
    secret::Secret,
    sign::Signer,
    signature::MacKey,
    store::{KeyAdmin as _, LastUsed, MemoryKeyStore},
};
use http::{Request, header::HOST};
use http_body_util::Full;
use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

const NOW: u64 = 1_700_000_000;
const OLD: Key<'_> =
    Key { id: "13000", secret: "Iw5N12MYleOULxdfMH43SK9ZAmjPyFKt", public_key: None, organization: None };
const NEW: &str = "the newer secret of the same key";

fn request(secret: &str) -> Request<Full<bytes::Bytes>> {
    let mut request = Request::post("/api/2/json").header(HOST, "a.test").body("{}").unwrap();
    Signer::new(Corezoid::default(), OLD.id, &Secret::new(secret).unwrap())
        .with_clock(ManualClock::at(NOW))
        .sign(&mut request)
        .unwrap();
    request.map(Full::from)
}

#[tokio::test]
async fn each_secret_has_its_own_last_use() {
    let (scheme, keys, last_used) =
        (Corezoid::default(), Arc::new(MemoryKeyStore::new()), LastUsed::default());
    let mut key = credential(&scheme, OLD);
    key.secrets.insert(0, SecretVersion::new(2, MacKey::new(scheme.algorithm(), &Secret::new(NEW).unwrap())));
    keys.insert("corezoid", OLD.id, key);
    let verifier = SignatureVerifier::new(scheme, Arc::clone(&keys)).with_clock(ManualClock::at(NOW));
    let layer = VerifyLayer::new(verifier.with_last_used(last_used.clone()));
    let uses = async || -> Vec<Option<SystemTime>> {
        last_used.flush(&*keys).await.unwrap();
        let shown = keys.credential("corezoid", &KeyId::new(OLD.id).unwrap()).await.unwrap();
        shown.secrets.iter().map(|secret| secret.last_used_at).collect()
    };

    assert!(send(&layer, request("a secret that is not one of the key")).await.is_err());
    assert_eq!(uses().await, [None, None], "what is refused is no use");
    let (verified, _) = send(&layer, request(OLD.secret)).await.unwrap();
    assert!(verified.used_previous_secret());
    let now = Some(UNIX_EPOCH + Duration::from_secs(NOW));
    assert_eq!(uses().await, [None, now]);
    send(&layer, request(NEW)).await.unwrap();
    assert_eq!(uses().await, [now, now]);
}

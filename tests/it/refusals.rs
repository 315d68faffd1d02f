//! What a caller that is refused gets to see: by kind its own status, and for all strangers one and the same answer.

use crate::support::http::{
    Answer, NOW, Provider, SECRET, Script, Slow, Step, echo, keys, layer, send, store_by,
};
use bytes::Bytes;
use countersign::{
    VerifyLayer,
    clock::ManualClock,
    credential::{CredentialState, Organization, SecretVersion},
    error::VerifyErrorKind as Kind,
    middleware::{GraphQlErrors, MessageErrors, OpsErrors, Problem, Refusal},
    store::{Found, KeyStore, Lookup, MemoryKeyStore, StoreError},
};
use http::{
    HeaderMap, Request, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};
use tower::ServiceExt as _;

const CLIENT: Provider = Provider::Corezoid;

fn refuse_with(layer: VerifyLayer, shape: &str) -> VerifyLayer {
    match shape {
        "problem" => layer.with_rejection(Problem::default()),
        "graphql" => layer.with_rejection(GraphQlErrors::default()),
        "ops" => layer.with_rejection(OpsErrors::default()),
        _ => layer.with_rejection(MessageErrors::default()),
    }
}

/// A request that is refused: by what, how, and in which words.
struct Refused {
    layer: VerifyLayer,
    request: Request<Script>,
    kind: Kind,
    status: u16,
    code: &'static str,
    message: &'static str,
}

/// One of each kind that a request can bring about.
fn refusals() -> Vec<Refused> {
    const UNAUTHORIZED: (u16, &str, &str) = (401, "unauthorized", "The request could not be verified.");
    const SKEW: (u16, &str, &str) =
        (401, "clock_skew", "The signed time is too far from the server's; compare it with the Date header.");
    let whole = |request: Request<Bytes>| request.map(Script::whole);
    let signed = || whole(CLIENT.signed("{}"));
    let good = || layer(CLIENT);
    let at = |now| VerifyLayer::new(CLIENT.verifier(keys()).with_clock(ManualClock::at(now)));
    let mut refusals = Vec::new();
    let mut add = |kind, (status, code, message), layer, request| {
        refusals.push(Refused { layer, request, kind, status, code, message });
    };
    for (kind, layer) in strangers() {
        add(kind, UNAUTHORIZED, layer, signed());
    }
    let wrong = CLIENT.signed_with(CLIENT.key_id(), "wrong", "{}");
    add(Kind::BadSignature, UNAUTHORIZED, good(), whole(wrong));
    add(Kind::Stale, SKEW, at(NOW + 301), signed());
    add(Kind::Future, SKEW, at(NOW - 301), signed());
    let missing = (401, "missing_credentials", "The request carries no credentials.");
    add(Kind::Missing, missing, layer(Provider::Ateliere), whole(Provider::Ateliere.unsigned("{}")));
    let mut incomplete = Provider::Ateliere.signed("{}");
    incomplete.headers_mut().remove("oz-signature");
    let malformed = (401, "malformed_credentials", "The credentials are incomplete or not well-formed.");
    add(Kind::Malformed, malformed, layer(Provider::Ateliere), whole(incomplete));
    let mut hostless = signed();
    hostless.headers_mut().remove("host");
    let message = (400, "malformed_message", "The HTTP message is not well-formed.");
    add(Kind::MalformedMessage, message, good(), hostless);
    let large = (413, "body_too_large", "The body is longer than this server accepts.");
    add(Kind::BodyTooLarge, large, good().with_body_limit(1), signed());
    let mut encoded = signed();
    encoded.headers_mut().insert("content-encoding", "gzip".parse().unwrap());
    let encoding = (415, "unsupported_encoding", "Signed bodies are accepted without content encoding only.");
    add(Kind::UnsupportedEncoding, encoding, good(), encoded);
    let pausing = signed().map(|_| Script::new([Step::Never]));
    add(Kind::Timeout, (408, "timeout", "The body stopped arriving."), good(), pausing);
    let later = "The server cannot verify requests at the moment; try again later.";
    let down = store_by(|_| Found::Pending(Box::pin(async { Err(StoreError::new("no route to host")) })));
    add(
        Kind::StoreUnavailable,
        (503, "unavailable", later),
        VerifyLayer::new(CLIENT.verifier(down)),
        signed(),
    );
    let holding = signed().map(|_| Script::new([Step::Data("{}".into()), Step::Later]));
    add(Kind::Overloaded, (503, "unavailable", later), good().with_held_limit(1), holding);
    refusals
}

/// Layers to which the right signature of [`CLIENT`] is a stranger's.
fn strangers() -> Vec<(Kind, VerifyLayer)> {
    let at = |seconds| Some(UNIX_EPOCH + Duration::from_secs(seconds));
    let mut strangers = Vec::new();
    let mut add = |kind, change: &dyn Fn(&mut countersign::credential::Credential)| {
        let keys = MemoryKeyStore::new();
        let mut credential = CLIENT.credential();
        change(&mut credential);
        keys.insert(CLIENT.name(), CLIENT.key_id(), credential);
        strangers.push((kind, VerifyLayer::new(CLIENT.verifier(keys))));
    };
    add(Kind::BadSignature, &|key| {
        key.secrets = [SecretVersion::new(1, CLIENT.mac_key("other"))].into_iter().collect()
    });
    add(Kind::Disabled, &|key| key.state = CredentialState::Disabled);
    add(Kind::Revoked, &|key| key.state = CredentialState::Revoked);
    add(Kind::Expired, &|key| key.expires_at = at(NOW));
    add(Kind::NotYetValid, &|key| key.not_before = at(NOW + 1));
    // All its secrets are retired; none was ever there.
    add(Kind::Expired, &|key| key.secrets[0].retires_at = at(NOW));
    add(Kind::Expired, &|key| key.secrets.clear());
    // A secret of another algorithm than the scheme's.
    add(Kind::BadSignature, &|key| {
        key.secrets = [SecretVersion::new(1, Provider::Ateliere.mac_key(SECRET))].into_iter().collect();
    });
    strangers.push((Kind::UnknownKey, VerifyLayer::new(CLIENT.verifier(MemoryKeyStore::new()))));
    let elsewhere = MemoryKeyStore::new();
    elsewhere.insert("ateliere", CLIENT.key_id(), CLIENT.credential());
    strangers.push((Kind::UnknownKey, VerifyLayer::new(CLIENT.verifier(elsewhere))));
    strangers
}

#[tokio::test(start_paused = true)]
async fn each_kind_has_its_status_and_words_in_every_shape() {
    for shape in ["problem", "graphql", "ops", "message"] {
        for Refused { layer, request, kind, status, code, message } in refusals() {
            let app = echo(&refuse_with(layer, shape));
            let answer = Answer::read(app.oneshot(request).await.unwrap()).await;
            assert_eq!(answer.kind, Some(kind), "{shape}");
            let id = answer.headers["x-request-id"].to_str().unwrap().to_owned();
            let reason = if status == 401 { "UNAUTHENTICATED".to_owned() } else { code.to_uppercase() };
            let (body, content_type) = match shape {
                "problem" => (
                    json!({"type": "about:blank", "title": message, "status": status, "code": code, "request_id": id}),
                    "application/problem+json",
                ),
                "graphql" => (
                    json!({"errors": [{"message": message, "extensions": {"code": reason, "reason": code, "request_id": id}}]}),
                    "application/json",
                ),
                "ops" => (
                    json!({"request_proc": "fail", "ops": [{"id": "", "proc": "error", "description": message, "code": code, "request_id": id}]}),
                    "application/json",
                ),
                _ => {
                    let message = match status {
                        400 => "Bad request",
                        401 => "incorrect credentials",
                        503 => "Unavailable",
                        _ => message,
                    };
                    (json!({"message": message, "request_id": id}), "application/json")
                }
            };
            assert_eq!(answer.status.as_u16(), status, "{shape} {kind:?}");
            assert_eq!(serde_json::from_slice::<Value>(&answer.body).unwrap(), body, "{shape} {kind:?}");
            let header = |name| answer.headers.get(name).map(|value| value.to_str().unwrap());
            assert_eq!(header(CONTENT_TYPE), Some(content_type));
            assert_eq!(header(CACHE_CONTROL), Some("no-store"));
            assert_eq!(header(RETRY_AFTER), (status == 503).then_some("1"), "{kind:?}");
            let challenge =
                if kind == Kind::Missing || kind == Kind::Malformed { "Ateliere" } else { "Corezoid" };
            assert_eq!(header(WWW_AUTHENTICATE), (status == 401).then_some(challenge), "{kind:?}");
        }
    }
}

#[tokio::test]
async fn every_stranger_gets_the_same_answer_byte_for_byte() {
    let mut answers = Vec::new();
    for (kind, layer) in strangers() {
        answers.push((kind, send(echo(&layer), CLIENT.signed("{}")).await));
    }
    let wrong = CLIENT.signed_with(CLIENT.key_id(), "wrong", "{}");
    answers.push((Kind::BadSignature, send(echo(&layer(CLIENT)), wrong).await));
    let unknown = CLIENT.signed_with(CLIENT.unknown_key_id(), SECRET, "{}");
    answers.push((Kind::UnknownKey, send(echo(&layer(CLIENT)), unknown).await));
    let changed = CLIENT.signed("{}").map(|_| "{ }".into());
    answers.push((Kind::BadSignature, send(echo(&layer(CLIENT)), changed).await));
    let slow = VerifyLayer::new(CLIENT.verifier(Slow(Arc::new(MemoryKeyStore::new()))));
    answers.push((Kind::UnknownKey, send(echo(&slow), CLIENT.signed("{}")).await));
    let (_, first) = &answers[0];
    let first = Answer { headers: first.headers.clone(), body: first.body.clone(), ..*first }.anonymous();
    for (kind, answer) in answers {
        assert_eq!(answer.kind, Some(kind));
        assert_eq!(answer.anonymous(), first, "{kind:?}");
    }
}

#[tokio::test]
async fn foreign_organizations_are_strangers_too() {
    let foreign = |provider: Provider| {
        let keys = MemoryKeyStore::new();
        let mut credential = provider.credential();
        credential.organization = Some(Organization::new("another").unwrap());
        // SalesCloud's app is known, and installed nowhere.
        keys.insert(provider.name(), provider.key_id(), credential);
        VerifyLayer::new(provider.verifier(keys))
    };
    for provider in [Provider::Ateliere, Provider::SalesCloud] {
        let answer = send(echo(&foreign(provider)), provider.signed("{}")).await;
        assert_eq!(answer.kind, Some(Kind::WrongOrganization));
        let unknown =
            send(echo(&layer(provider)), provider.signed_with(provider.unknown_key_id(), SECRET, "{}")).await;
        assert_eq!(unknown.kind, Some(Kind::UnknownKey));
        assert_eq!(answer.anonymous(), unknown.anonymous());
    }
    // No organization is nobody's home either.
    let keys = MemoryKeyStore::new();
    let mut credential = Provider::Ateliere.credential();
    credential.organization = None;
    keys.insert("ateliere", Provider::Ateliere.key_id(), credential);
    let app = echo(&VerifyLayer::new(Provider::Ateliere.verifier(keys)));
    let answer = send(app, Provider::Ateliere.signed("{}")).await;
    assert_eq!(answer.kind, Some(Kind::WrongOrganization));
}

/// Counts what is asked of a store.
fn counted(keys: impl KeyStore) -> (impl KeyStore, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let asked = Arc::clone(&count);
    let store = store_by(move |lookup| {
        asked.fetch_add(1, Ordering::Relaxed);
        keys.find(lookup)
    });
    (store, count)
}

#[tokio::test]
async fn an_unknown_key_asks_as_much_as_a_wrong_signature() {
    for provider in Provider::ALL {
        let mut counts = Vec::new();
        for (key_id, secret) in [(provider.key_id(), "wrong"), (provider.unknown_key_id(), SECRET)] {
            for steps in [vec![], vec![Step::Later]] {
                let (store, count) = counted(keys());
                let request = provider
                    .signed_with(key_id, secret, "{}")
                    .map(|body| Script::new(steps.into_iter().chain([Step::Data(body)])));
                let app = echo(&VerifyLayer::new(provider.verifier(store)));
                let answer = Answer::read(app.oneshot(request).await.unwrap()).await;
                assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
                counts.push(count.load(Ordering::Relaxed));
            }
        }
        let lookups = if provider == Provider::SalesCloud { 2 } else { 1 };
        assert_eq!(counts, [lookups; 4], "{provider:?}");
    }
}

#[tokio::test]
async fn names_that_no_key_can_have_are_not_looked_up() {
    let (store, count) = counted(keys());
    let app = echo(&VerifyLayer::new(Provider::Ateliere.verifier(store)));
    for (header, value) in [
        ("oz-key-id", "k".repeat(256)),
        ("oz-key-id", "a\tb".to_owned()),
        ("x-organization-slug", "o".repeat(256)),
    ] {
        let mut request = Provider::Ateliere.signed("{}");
        request.headers_mut().insert(header, value.parse().unwrap());
        let answer = send(app.clone(), request).await;
        assert_eq!(answer.kind, Some(Kind::Malformed), "{header}");
    }
    assert_eq!(count.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_store_that_fails_is_never_a_pass() {
    // Fails for the key, for the installation, or only when it is asked again after the body.
    for failing in [0, 1, 2, 3] {
        let (keys, asked) = (keys(), AtomicUsize::new(0));
        let store = store_by(move |lookup: Lookup<'_>| {
            if asked.fetch_add(1, Ordering::Relaxed) == failing {
                return Found::Pending(Box::pin(async { Err(StoreError::new("disk on fire")) }));
            }
            keys.find(lookup)
        });
        let app = echo(&VerifyLayer::new(Provider::SalesCloud.verifier(store)));
        let request =
            Provider::SalesCloud.signed("{}").map(|body| Script::new([Step::Later, Step::Data(body)]));
        let answer = Answer::read(app.oneshot(request).await.unwrap()).await;
        assert_eq!((answer.status.as_u16(), answer.kind), (503, Some(Kind::StoreUnavailable)), "{failing}");
        assert!(!answer.text().contains("fire"));
    }
}

#[tokio::test]
async fn a_rejection_of_ones_own_keeps_what_the_layer_adds() {
    let bare = |refusal: &Refusal<'_>| {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = refusal.status();
        response.headers_mut().insert(CACHE_CONTROL, "public".parse().unwrap());
        response
    };
    let app = echo(&layer(CLIENT).with_rejection(bare));
    let answer = send(app, CLIENT.signed_with(CLIENT.key_id(), "wrong", "{}")).await;
    let mut expected = HeaderMap::new();
    expected.insert(CACHE_CONTROL, "no-store".parse().unwrap());
    expected.insert("x-request-id", answer.headers["x-request-id"].clone());
    expected.insert(WWW_AUTHENTICATE, "Corezoid".parse().unwrap());
    assert_eq!((answer.status, answer.headers), (StatusCode::UNAUTHORIZED, expected));
}

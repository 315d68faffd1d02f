//! What happens to a key while a body is on its way counts: an upload held open does not outlive it.

use crate::support::http::{Answer, HOST, NOW, Provider, SECRET, Slow, echo, keys, poll_once, upload};
use bytes::Bytes;
use countersign::{
    SignatureVerifier, VerifyLayer,
    clock::ManualClock,
    credential::{Credential, CredentialState, Organization, SecretVersion},
    error::VerifyErrorKind as Kind,
    scheme::Corezoid,
    store::MemoryKeyStore,
};
use http::{Method, Request};
use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};
use tower::ServiceExt as _;

/// What an operator does, and what it makes of a request under way.
type Event = (&'static str, fn(Provider, &MemoryKeyStore, &ManualClock), Option<Kind>);

fn change(provider: Provider, keys: &MemoryKeyStore, change: impl FnOnce(&mut Credential)) {
    let mut credential = provider.credential();
    change(&mut credential);
    keys.insert(provider.name(), provider.key_id(), credential);
}

const EVENTS: [Event; 11] = [
    ("nothing", |_, _, _| {}, None),
    (
        "revoked",
        |provider, keys, _| change(provider, keys, |key| key.state = CredentialState::Revoked),
        Some(Kind::Revoked),
    ),
    (
        "disabled",
        |provider, keys, _| change(provider, keys, |key| key.state = CredentialState::Disabled),
        Some(Kind::Disabled),
    ),
    (
        "expired by an operator",
        |provider, keys, _| {
            change(provider, keys, |key| key.expires_at = Some(UNIX_EPOCH + Duration::from_secs(NOW)));
        },
        Some(Kind::Expired),
    ),
    (
        "expired as time passed",
        |provider, keys, clock| {
            change(provider, keys, |key| key.expires_at = Some(UNIX_EPOCH + Duration::from_secs(NOW + 60)));
            clock.advance(Duration::from_secs(60));
        },
        Some(Kind::Expired),
    ),
    (
        "rotated, the old secret retired at once",
        |provider, keys, _| {
            let secret = SecretVersion::new(2, provider.mac_key("the new secret"));
            change(provider, keys, |key| key.secrets = [secret].into_iter().collect());
        },
        Some(Kind::Expired),
    ),
    (
        "rotated, the old secret still good for a while",
        |provider, keys, _| {
            let mut old = SecretVersion::new(1, provider.mac_key(SECRET));
            old.retires_at = Some(UNIX_EPOCH + Duration::from_secs(NOW + 1));
            let new = SecretVersion::new(2, provider.mac_key("the new secret"));
            change(provider, keys, |key| key.secrets = [new, old].into_iter().collect());
        },
        None,
    ),
    (
        "left without a secret",
        |provider, keys, _| change(provider, keys, |key| key.secrets.clear()),
        Some(Kind::Expired),
    ),
    // A signed time counts from the arrival of the head, however long the body takes.
    ("an hour passed", |_, _, clock| clock.advance(Duration::from_secs(3600)), None),
    (
        "moved to another organization",
        |provider, keys, _| {
            change(provider, keys, |key| key.organization = Some(Organization::new("another").unwrap()));
        },
        None,
    ),
    (
        "uninstalled",
        |provider, keys, _| {
            let (app, organization) = provider.installation();
            keys.uninstall(provider.name(), &app, &organization);
        },
        None,
    ),
];

/// Begins an upload, lets `event` happen while it pauses, and ends it.
async fn interrupt(
    provider: Provider,
    slow: bool,
    event: fn(Provider, &MemoryKeyStore, &ManualClock),
) -> Answer {
    let (keys, clock) = (keys(), Arc::new(ManualClock::at(NOW)));
    let verifier = match slow {
        true => provider.verifier(Slow(Arc::clone(&keys))),
        false => provider.verifier(Arc::clone(&keys)),
    };
    let layer = VerifyLayer::new(verifier.with_clock(Arc::clone(&clock)));
    let (sender, body) = upload();
    let mut answer = Box::pin(echo(&layer).oneshot(provider.signed("{}").map(|_| body)));
    sender.send("{".into()).unwrap();
    // An asynchronous store answers in the second turn.
    for _ in 0..3 {
        assert!(poll_once(&mut answer).await.is_pending());
    }
    event(provider, &keys, &clock);
    sender.send("}".into()).unwrap();
    drop(sender);
    Answer::read(answer.await.unwrap()).await
}

#[tokio::test]
async fn an_upload_does_not_outlive_its_key() {
    for provider in Provider::ALL {
        for slow in [false, true] {
            for (name, event, expected) in EVENTS {
                let expected = match (provider, name) {
                    (Provider::Ateliere, "moved to another organization")
                    | (Provider::SalesCloud, "uninstalled") => Some(Kind::WrongOrganization),
                    _ => expected,
                };
                let answer = interrupt(provider, slow, event).await;
                assert_eq!(answer.kind, expected, "{provider:?}, slow: {slow}, {name}");
                let status = if expected.is_some() { 401 } else { 200 };
                assert_eq!(answer.status.as_u16(), status);
            }
        }
    }
}

#[tokio::test]
async fn the_path_is_held_against_the_key_as_it_is_at_the_end() {
    for slow in [false, true] {
        let keys = keys();
        let bind = |company: &str| {
            change(Provider::Corezoid, &keys, |key| {
                key.organization = Some(Organization::new(company).unwrap())
            });
        };
        bind("i100");
        let scheme = Corezoid::default().with_route(Method::POST, "/of/{organization}").unwrap();
        let verifier = match slow {
            true => SignatureVerifier::new(scheme, Slow(Arc::clone(&keys))),
            false => SignatureVerifier::new(scheme, Arc::clone(&keys)),
        };
        let app = echo(&VerifyLayer::new(verifier.with_clock(ManualClock::at(NOW))));
        let mut request = Request::post("/of/i100").header("host", HOST).body(Bytes::from("{}")).unwrap();
        let signer = Provider::Corezoid.signer(Provider::Corezoid.key_id(), SECRET);
        signer.sign(&mut request).unwrap();
        let (sender, body) = upload();
        let mut answer = Box::pin(app.oneshot(request.map(|_| body)));
        for _ in 0..3 {
            assert!(poll_once(&mut answer).await.is_pending());
        }
        bind("i200");
        sender.send("{}".into()).unwrap();
        drop(sender);
        let answer = Answer::read(answer.await.unwrap()).await;
        assert_eq!(answer.kind, Some(Kind::WrongOrganization), "slow: {slow}");
    }
}

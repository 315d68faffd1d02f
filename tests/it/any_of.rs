//! Several ways of signing on one route: exactly one counts, and an error in one never falls through to another.

use crate::support::http::{HOST, Provider, SECRET, Slow, echo, keys, send};
use bytes::Bytes;
use countersign::{
    SignatureVerifier, VerifyLayer,
    clock::ManualClock,
    error::VerifyErrorKind as Kind,
    scheme::{Ateliere, SalesCloud},
    store::{KeyStore, MemoryKeyStore},
    verify::AnyOf,
};
use http::{Method, Request, header::WWW_AUTHENTICATE};
use std::sync::Arc;

const PATH: &str = "/graphql";

fn ateliere(keys: impl KeyStore) -> SignatureVerifier {
    SignatureVerifier::new(Ateliere::default(), keys)
}

fn salescloud(keys: impl KeyStore) -> SignatureVerifier {
    let scheme = SalesCloud::default().with_route(Method::POST, PATH).unwrap();
    SignatureVerifier::new(scheme, keys)
}

/// Both, over one store.
fn both(keys: Arc<MemoryKeyStore>) -> VerifyLayer {
    VerifyLayer::new(AnyOf::new(ateliere(Arc::clone(&keys))).or(salescloud(keys)))
}

/// A request to the one route, signed in this way.
fn signed(provider: Provider) -> Request<Bytes> {
    let mut request = provider.unsigned("{}");
    *request.uri_mut() = PATH.parse().unwrap();
    provider.signer(provider.key_id(), SECRET).sign(&mut request).unwrap();
    request
}

/// A request signed in both ways.
fn signed_twice() -> Request<Bytes> {
    let mut request = signed(Provider::Ateliere);
    request.headers_mut().extend(signed(Provider::SalesCloud).headers().clone());
    request.headers_mut().insert("host", HOST.parse().unwrap());
    request
}

#[tokio::test]
async fn exactly_one_kind_of_credentials_counts() {
    let without = |mut request: Request<Bytes>, name: &str| {
        assert!(request.headers_mut().remove(name).is_some());
        request
    };
    let twice = |mut request: Request<Bytes>, name: &'static str| {
        let value = request.headers()[name].clone();
        request.headers_mut().append(name, value);
        request
    };
    let cases = [
        ("Ateliere", signed(Provider::Ateliere), None),
        ("SalesCloud", signed(Provider::SalesCloud), None),
        ("both", signed_twice(), Some(Kind::Malformed)),
        // One is right, the other has only a part of what it needs.
        ("a stray key id", without(signed_twice(), "oz-signature"), Some(Kind::Malformed)),
        ("a stray signature", without(signed_twice(), "oz-key-id"), Some(Kind::Malformed)),
        ("a stray app", without(signed_twice(), "authorization"), Some(Kind::Malformed)),
        // The slug alone is no mark of Ateliere's: others send it too.
        ("a stray slug", without(without(signed_twice(), "oz-signature"), "oz-key-id"), None),
        ("the same twice", twice(signed(Provider::Ateliere), "oz-signature"), Some(Kind::Malformed)),
        ("two authorizations", twice(signed(Provider::SalesCloud), "authorization"), Some(Kind::Malformed)),
        // A wrong signature of one kind is not made good by the other's absence.
        ("wrong", signed(Provider::Ateliere).map(|_| "[]".into()), Some(Kind::BadSignature)),
    ];
    for (case, request, expected) in cases {
        // Whichever stands first.
        let keys = keys();
        let reversed = AnyOf::new(salescloud(Arc::clone(&keys))).or(ateliere(Arc::clone(&keys)));
        let nested = AnyOf::new(AnyOf::new(ateliere(Slow(Arc::clone(&keys)))))
            .or(AnyOf::new(salescloud(Slow(Arc::clone(&keys)))));
        for layer in [both(keys), VerifyLayer::new(reversed), VerifyLayer::new(nested)] {
            let answer = send(echo(&layer), request.clone()).await;
            assert_eq!(answer.kind, expected, "{case}");
        }
    }
    let unsigned = send(echo(&both(keys())), Provider::Ateliere.unsigned("{}")).await;
    assert_eq!(unsigned.kind, Some(Kind::Missing));
}

/// What is sent by a provider and what is sent to it may arrive at one place.
#[tokio::test]
async fn both_directions_stand_side_by_side() {
    let [webhook, callback, app] =
        [Provider::SalesCloudWebhook, Provider::CorezoidCallback, Provider::SalesCloud];
    let at_root = |provider: Provider| {
        let mut request = provider.unsigned("{}");
        *request.uri_mut() = "/".parse().unwrap();
        provider.signer(provider.key_id(), SECRET).sign(&mut request).unwrap();
        request
    };
    let mut both = at_root(webhook);
    both.headers_mut().extend(at_root(app).headers().clone());
    both.headers_mut().insert("host", HOST.parse().unwrap());
    let mut half = at_root(app);
    half.headers_mut().insert("x-salescloud-date", "2023-11-14 22:13:20".parse().unwrap());
    // The webhook's signature covers the query; the callback's credentials are added behind it.
    let mut on_top = at_root(webhook);
    callback.signer(callback.key_id(), SECRET).sign(&mut on_top).unwrap();
    let keys = keys();
    let all = AnyOf::new(webhook.verifier(Arc::clone(&keys)))
        .or(callback.verifier(Arc::clone(&keys)))
        .or(app.verifier(keys));
    let layer = VerifyLayer::new(all);
    for (request, expected) in [
        (at_root(webhook), None),
        (at_root(callback), None),
        (at_root(app), None),
        (both, Some(Kind::Malformed)),
        (half, Some(Kind::Malformed)),
        (on_top, Some(Kind::Malformed)),
    ] {
        assert_eq!(send(echo(&layer), request).await.kind, expected);
    }
}

#[tokio::test]
async fn a_key_works_in_its_own_scheme_only() {
    for (provider, other) in
        [(Provider::Ateliere, Provider::SalesCloud), (Provider::SalesCloud, Provider::Ateliere)]
    {
        // The other scheme's store entry, under this scheme's key id: same algorithm, same secret.
        let keys = MemoryKeyStore::new();
        keys.insert(other.name(), provider.key_id(), provider.credential());
        let answer = send(echo(&both(Arc::new(keys))), signed(provider)).await;
        assert_eq!((answer.status.as_u16(), answer.kind), (401, Some(Kind::UnknownKey)));
    }
}

#[tokio::test]
async fn challenges_stand_in_a_fixed_order_whatever_was_presented() {
    let requests = [
        Provider::Ateliere.unsigned("{}"),
        signed(Provider::Ateliere).map(|_| "[]".into()),
        signed(Provider::SalesCloud).map(|_| "[]".into()),
        signed_twice(),
    ];
    for request in requests {
        let answer = send(echo(&both(keys())), request).await;
        let challenges: Vec<_> = answer.headers.get_all(WWW_AUTHENTICATE).iter().collect();
        assert_eq!(challenges, ["Ateliere", "App"]);
    }
}

#[tokio::test]
async fn each_verifier_keeps_its_own_clock_and_tolerance() {
    let corezoid = |now| Provider::Corezoid.verifier(keys()).with_clock(ManualClock::at(now));
    for (now, expected) in [(1_700_000_000, None), (1_700_000_301, Some(Kind::Stale))] {
        let layer = VerifyLayer::new(AnyOf::new(ateliere(keys())).or(corezoid(now)));
        let answer = send(echo(&layer), Provider::Corezoid.signed("{}")).await;
        assert_eq!(answer.kind, expected);
    }
}

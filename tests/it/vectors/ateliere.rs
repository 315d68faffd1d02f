//! Ateliere Connect: the vendor's Node sample.

use super::sign;
use crate::support::{
    guard::{Answer, Key, guard, outcome, send},
    vectors::{Base64, Wire, read},
};
use bytes::Bytes;
use countersign::{
    error::VerifyErrorKind,
    message::Message,
    scheme::{Ateliere, Parameters, Scheme as _},
    secret::Secret,
    sign::Signer,
    signature::Algorithm,
};
use http::Request;
use http_body_util::Full;
use serde::Deserialize;

#[derive(Deserialize)]
struct File {
    vectors: Vec<Vector>,
    wire_requests: Vec<Recorded>,
}

#[derive(Deserialize)]
struct Vector {
    #[serde(flatten)]
    signed: Signed,
    body_b64: Base64,
}

#[derive(Deserialize)]
struct Recorded {
    #[serde(flatten)]
    signed: Signed,
    #[serde(flatten)]
    wire: Wire,
    host_plus_target_equals_signed: bool,
}

#[derive(Deserialize)]
struct Signed {
    url_given: String,
    signed_url: String,
    organization_slug: String,
    secret: String,
    key_id: String,
    signed_payload: String,
    expected_signature: String,
}

impl Signed {
    fn key(&self) -> Key<'_> {
        Key {
            id: &self.key_id,
            secret: &self.secret,
            public_key: None,
            organization: Some(&self.organization_slug),
        }
    }
}

#[tokio::test]
async fn every_signature_comes_out() {
    let (mut signed, mut refused) = (0, 0);
    for Vector { signed: vector, body_b64: body } in read::<File>("ateliere-connect.json").vectors {
        let Ok(secret) = Secret::new(&*vector.secret) else {
            assert_eq!(vector.secret, "");
            refused += 1;
            continue;
        };
        let scheme = Ateliere::default();
        let mut request = Request::post(&vector.url_given).body(body.0.clone()).unwrap();
        let (head, _) = request.clone().into_parts();
        let mut parameters = Parameters::new(&vector.key_id);
        parameters.organization = Some(vector.organization_slug.as_str().into());
        let base = scheme.signature_base(&Message::outgoing(&head), &parameters);
        assert_eq!(base.display(&body.0), vector.signed_payload);
        let signature = sign(Algorithm::HmacSha256, &secret, base, &body.0);
        assert_eq!(signature.to_hex(), vector.expected_signature);

        let signer = Signer::new(scheme, &vector.key_id, &secret);
        let signature = signer.with_organization(&vector.organization_slug).sign(&mut request).unwrap();
        assert_eq!(signature.to_hex(), vector.expected_signature);
        assert_eq!(request.headers()["oz-signature"], *vector.expected_signature);

        let authority = head.uri.authority().unwrap().as_str().to_owned();
        request.headers_mut().insert("host", authority.parse().unwrap());
        let layer = guard(Ateliere::default(), vector.key(), 0);
        let (caller, read) = send(&layer, request.map(Full::<Bytes>::from)).await.unwrap();
        assert_eq!((caller.spelling(), caller.key_id().as_str()), (0, &*vector.key_id));
        assert_eq!(caller.organization().unwrap().as_str(), vector.organization_slug);
        assert_eq!(read, body.0);
        signed += 1;
    }
    assert_eq!((signed, refused), (14, 1));
}

#[tokio::test]
async fn recorded_requests_pass_where_the_url_is_recoverable() {
    // What was typed, and what becomes of it. A fragment and a short address are lost on the way.
    let expected = [
        ("localhost:39443/graphql", "ok", true),
        ("localhost:39443/graphql/", "ok", true),
        ("localhost:39443/graphql?", "ok", false),
        ("localhost:39443/graphql?q=é", "ok", false),
        ("localhost:39443/gräph", "ok", false),
        ("localhost:39443/gr%C3%A4ph", "ok", true),
        ("localhost:39443/graphql#frag", "bad_signature", false),
        ("localhost:39443/graphql?a=b c", "ok", false),
        ("127.1:39443/graphql", "bad_signature", false),
        ("localhost/graphql", "ok", true),
    ];
    let recorded = read::<File>("ateliere-connect.json").wire_requests;
    assert_eq!(recorded.len(), expected.len());
    for (request, (url, word, exact)) in recorded.iter().zip(expected) {
        let signed = &request.signed;
        assert_eq!((&*signed.signed_url, request.host_plus_target_equals_signed), (url, exact));
        let answer = replay(request, Ateliere::default()).await;
        assert_eq!(outcome(&answer), word, "{url}");
        if let Ok((caller, _)) = &answer {
            assert_eq!(caller.spelling() == 0, exact, "{url}");
        }
    }
}

#[tokio::test]
async fn a_public_url_recovers_what_a_client_rewrote() {
    let recorded = read::<File>("ateliere-connect.json").wire_requests;
    let typed = |url: &str| recorded.iter().find(|request| request.signed.signed_url == url).unwrap();
    let public = |url: &str| Ateliere::default().with_public_url(url).unwrap();
    let plain = typed("localhost:39443/graphql");
    assert_eq!(outcome(&replay(plain, public("https://localhost:39443")).await), "ok");
    assert_eq!(outcome(&replay(plain, public("https://LOCALHOST:39443")).await), "ok");
    // A short address, which every WHATWG client spells out, and a name that a proxy replaced.
    let short = typed("127.1:39443/graphql");
    let known = |url: &str| public("http://127.0.0.1:39443").with_public_url(url).unwrap();
    assert_eq!(outcome(&replay(short, known("http://127.1:39443/graphql")).await), "ok");
    assert_eq!(outcome(&replay(short, known("http://127.1:39443/other")).await), "bad_signature");
    // Once the server has a public name, a signature for another one is worth nothing.
    let answer = replay(plain, public("https://api.example.com")).await;
    assert_eq!(answer.unwrap_err(), VerifyErrorKind::BadSignature);
}

#[tokio::test]
async fn a_key_acts_for_its_own_organization_only() {
    let recorded = read::<File>("ateliere-connect.json").wire_requests;
    let (request, key) = (&recorded[0], recorded[0].signed.key());
    for (organization, word) in [
        (Some("acme-studios"), "ok"),
        (Some("acme"), "wrong_organization"),
        (Some("ACME-STUDIOS"), "wrong_organization"),
        (None, "wrong_organization"),
    ] {
        let layer = guard(Ateliere::default(), Key { organization, ..key }, 0);
        assert_eq!(outcome(&send(&layer, request.wire.request()).await), word, "{organization:?}");
    }
}

async fn replay(request: &Recorded, scheme: Ateliere) -> Answer {
    send(&guard(scheme, request.signed.key(), 0), request.wire.request()).await
}

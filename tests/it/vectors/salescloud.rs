//! SalesCloud: the vendor's JavaScript samples.

use super::sign;
use crate::support::{
    guard::{Key, guard, outcome, send},
    vectors::{Base64, Wire, read},
};
use countersign::{
    message::Message,
    scheme::{Parameters, SalesCloud, Scheme as _},
    secret::Secret,
    sign::Signer,
    signature::Algorithm,
};
use http::{HeaderValue, Request};
use http_body_util::Full;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

#[derive(Deserialize)]
struct File {
    app_scheme: App,
}

#[derive(Deserialize)]
struct App {
    vectors: Vec<Vector>,
    wire_requests: Vec<Recorded>,
}

#[derive(Deserialize)]
struct Vector {
    application: String,
    public_key: String,
    organization: Option<String>,
    secret: String,
    body_b64: Base64,
    signed_string_sha256: Option<String>,
    expected_signature: String,
    expected_authorization: Option<String>,
}

#[derive(Deserialize)]
struct Recorded {
    #[serde(flatten)]
    wire: Wire,
    secret_of: Option<String>,
}

impl Vector {
    /// The organization that a request can name: neither nothing nor the word `undefined`.
    fn named(&self) -> Option<&str> {
        self.organization.as_deref().filter(|name| !name.is_empty())
    }

    fn key(&self) -> Key<'_> {
        Key {
            id: &self.application,
            secret: &self.secret,
            public_key: Some(&self.public_key),
            organization: self.named(),
        }
    }
}

#[tokio::test]
async fn every_signature_comes_out() {
    let scheme = SalesCloud::default();
    let (head, ()) = Request::post("/").body(()).unwrap().into_parts();
    let message = Message::outgoing(&head);
    let (mut named, mut empty, mut undefined, mut compared) = (0, 0, 0, 0);
    for vector in read::<File>("salescloud.json").app_scheme.vectors {
        let secret = Secret::new(&*vector.secret).unwrap();
        let body = &vector.body_b64.0;
        let mut parameters = Parameters::new(&vector.application);
        parameters.public_key = Some(&vector.public_key);
        parameters.organization = vector.named().map(Into::into);
        let (base, spelling) = match &vector.organization {
            Some(_) => (scheme.signature_base(&message, &parameters), 0),
            None => (scheme.alternates(&message, &parameters).remove(0), 1),
        };
        if let Some(expected) = &vector.signed_string_sha256 {
            assert_eq!(hex::encode(Sha256::digest(base.display(body))), *expected);
            compared += 1;
        }
        let signature = sign(Algorithm::HmacSha256, &secret, base, body).to_base64();
        assert_eq!(signature, vector.expected_signature);

        let mut request = Request::post("/").body(body.clone()).unwrap();
        let mut signer = Signer::new(SalesCloud::default(), &vector.application, &secret)
            .with_public_key(&vector.public_key);
        if let Some(organization) = vector.named() {
            signer = signer.with_organization(organization);
        }
        signer.sign(&mut request).unwrap();
        let authorization = format!("App {signature}");
        assert_eq!(vector.expected_authorization.as_ref().unwrap_or(&authorization), &authorization);
        if spelling == 0 {
            assert_eq!(request.headers()["authorization"], authorization);
        } else {
            // The signer never signs the word `undefined`; the vendor's sample does.
            assert_ne!(request.headers()["authorization"], authorization);
            request.headers_mut().insert("authorization", authorization.parse().unwrap());
        }

        request.headers_mut().insert("host", HeaderValue::from_static("api.test"));
        let layer = guard(SalesCloud::default(), vector.key(), 0);
        let (caller, read) = send(&layer, request.map(Full::from)).await.unwrap();
        assert_eq!(caller.spelling(), spelling);
        assert_eq!(caller.organization().map(|name| name.as_str()), vector.named());
        assert_eq!(read, *body);
        match vector.organization.as_deref() {
            None => undefined += 1,
            Some("") => empty += 1,
            Some(_) => named += 1,
        }
    }
    assert_eq!((named, empty, undefined, compared), (13, 1, 1, 9));
}

#[tokio::test]
async fn recorded_requests_pass_if_they_are_signed() {
    let App { vectors, wire_requests: recorded } = read::<File>("salescloud.json").app_scheme;
    // The second carries a read token, which is another mechanism's.
    let expected = [(Some("vectors[0]"), "ok"), (None, "missing")];
    assert_eq!(recorded.len(), expected.len());
    for (request, (secret_of, word)) in recorded.iter().zip(expected) {
        assert_eq!(request.secret_of.as_deref(), secret_of);
        let layer = guard(SalesCloud::default(), vectors[0].key(), 0);
        assert_eq!(outcome(&send(&layer, request.wire.request()).await), word);
    }
}

#[tokio::test]
async fn a_key_is_named_by_both_its_names() {
    let App { vectors, wire_requests: recorded } = read::<File>("salescloud.json").app_scheme;
    let key = vectors[0].key();
    for (stored, word) in [(key.public_key, "ok"), (None, "unknown_key"), (Some("849015eb"), "unknown_key")] {
        let layer = guard(SalesCloud::default(), Key { public_key: stored, ..key }, 0);
        assert_eq!(outcome(&send(&layer, recorded[0].wire.request()).await), word, "{stored:?}");
    }
}

#[tokio::test]
async fn an_organization_without_the_app_is_foreign() {
    let App { vectors, wire_requests: recorded } = read::<File>("salescloud.json").app_scheme;
    let elsewhere = Some("00000000-0000-4000-8000-000000000000");
    let layer = guard(SalesCloud::default(), Key { organization: elsewhere, ..vectors[0].key() }, 0);
    assert_eq!(outcome(&send(&layer, recorded[0].wire.request()).await), "wrong_organization");
}

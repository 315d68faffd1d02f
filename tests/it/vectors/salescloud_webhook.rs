//! SalesCloud's webhooks: what a production verifier of them says, and what it sends itself.

use super::sign;
use crate::support::{
    guard::{Key, credential, outcome, send},
    vectors::{Base64, read},
};
use countersign::{
    SignatureVerifier, VerifyLayer,
    clock::ManualClock,
    scheme::{SalesCloudWebhook, Scheme as _},
    secret::Secret,
    sign::Signer,
    signature::{Algorithm, SignatureBase},
    store::MemoryKeyStore,
    verify::Tolerance,
};
use http::{Method, Request, Uri};
use http_body_util::Full;
use serde::Deserialize;
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};

#[derive(Deserialize)]
struct File {
    webhook_scheme: Webhooks,
}

#[derive(Deserialize)]
struct Webhooks {
    fixed_vectors: Vec<Vector>,
    verification_matrix: Vec<Vector>,
    outgoing_call_signed_by_netskrafl: Vec<Outgoing>,
}

#[derive(Deserialize)]
struct Vector {
    #[serde(default)]
    case: String,
    date: String,
    #[serde(default)]
    skew_s: i64,
    access_key: String,
    method: String,
    url: String,
    body_b64: Base64,
    #[serde(alias = "expected_signature")]
    signature: String,
    secret: String,
    #[serde(default)]
    max_time: f64,
    accepted_by_netskrafl: bool,
}

#[derive(Deserialize)]
struct Outgoing {
    method: String,
    url: String,
    headers: BTreeMap<String, String>,
    json_body: Value,
    secret: String,
}

/// The key that the verifier was given; one case presents another.
const KEY: &str = "Netskrafl-Friend-Access";
/// When the matrix was made: 2026-11-21 19:53:55.
const NOW: u64 = 1_795_290_835;

impl Vector {
    /// The request as it arrives behind a proxy that ends TLS.
    fn arrived(&self) -> Request<Full<bytes::Bytes>> {
        let url: Uri = self.url.parse().unwrap();
        Request::builder()
            .method(&*self.method)
            .uri(url.path())
            .header("host", url.authority().unwrap().as_str())
            .header("x-salescloud-date", &self.date)
            .header("x-salescloud-access-key", &self.access_key)
            .header("x-salescloud-signature", &self.signature)
            .body(Full::from(self.body_b64.0.clone()))
            .unwrap()
    }
}

/// A layer that accepts the methods of all vectors.
fn layer(access_key: &str, secret: &str, now: u64, past: f64) -> VerifyLayer {
    let scheme = SalesCloudWebhook::default()
        .with_method(Method::GET)
        .with_method("post".parse().unwrap())
        .with_public_url("https://netskrafl.is")
        .unwrap()
        .with_public_url("https://example.com/hook")
        .unwrap()
        .with_public_url("https://api.salescloud.is")
        .unwrap();
    let key = Key { id: access_key, secret, public_key: None, organization: None };
    let store = MemoryKeyStore::new();
    store.insert(scheme.name(), access_key, credential(&scheme, key));
    let tolerance = Tolerance::between(Duration::from_secs_f64(past), Duration::from_secs(2));
    let verifier = SignatureVerifier::new(scheme, store).with_clock(ManualClock::at(now));
    VerifyLayer::new(verifier.with_tolerance(tolerance))
}

#[tokio::test]
async fn every_signature_comes_out() {
    let vectors = read::<File>("salescloud.json").webhook_scheme.fixed_vectors;
    assert_eq!(vectors.len(), 3);
    for (vector, now) in vectors.iter().zip([1_536_591_622, 1_481_740_482, 1_481_740_482]) {
        let secret = Secret::new(&*vector.secret).unwrap();
        let mut request = Request::builder()
            .method(&*vector.method)
            .uri(&vector.url)
            .body(vector.body_b64.0.clone())
            .unwrap();
        let signer = Signer::new(SalesCloudWebhook::default(), &vector.access_key, &secret)
            .with_clock(ManualClock::at(now));
        signer.sign(&mut request).unwrap();
        let header = |name: &str| request.headers()[name].to_str().unwrap();
        assert_eq!(header("x-salescloud-date"), vector.date);
        assert_eq!(header("x-salescloud-access-key"), vector.access_key);
        assert_eq!(header("x-salescloud-signature"), vector.signature);

        let layer = layer(&vector.access_key, &vector.secret, now, 100.0);
        let (caller, read) = send(&layer, vector.arrived()).await.unwrap();
        assert_eq!((caller.scheme(), caller.spelling()), ("salescloud-webhook", 0));
        assert_eq!(read, vector.body_b64.0);
    }
}

#[tokio::test]
async fn the_verdicts_are_those_of_a_production_verifier() {
    let matrix = read::<File>("salescloud.json").webhook_scheme.verification_matrix;
    assert_eq!(matrix.len(), 14);
    for vector in &matrix {
        let layer = layer(KEY, &vector.secret, NOW, vector.max_time);
        let word = outcome(&send(&layer, vector.arrived()).await);
        let expected = match &*vector.case {
            "-102s" => "stale",
            "+4s" => "future",
            "upper-hex signature" | "ISO date with T" => "malformed",
            "wrong key" => "unknown_key",
            _ => "ok",
        };
        assert_eq!(word, expected, "{}", vector.case);
        // It refuses an empty body, whose signature is right.
        let agrees = (word == "ok") == vector.accepted_by_netskrafl;
        assert_eq!(agrees, vector.case != "empty body", "{}", vector.case);
        assert!(vector.skew_s.abs() < 300);
    }
}

#[tokio::test]
async fn a_body_that_is_not_signed_does_not_pass() {
    let calls = read::<File>("salescloud.json").webhook_scheme.outgoing_call_signed_by_netskrafl;
    assert_eq!(calls.len(), 1);
    let call = &calls[0];
    let header = |name: &str| &call.headers[name];
    let base = SignatureBase::default().bytes(header("X-SalesCloud-Date"));
    let base = base.bytes(header("X-SalesCloud-Access-Key")).bytes(&call.method).bytes(&call.url).body();
    let secret = Secret::new(&*call.secret).unwrap();
    let signature = sign(Algorithm::HmacSha256, &secret, base, b"").to_hex();
    assert_eq!(signature, *header("X-SalesCloud-Signature"));
    for (body, word) in [(call.json_body.to_string(), "bad_signature"), (String::new(), "ok")] {
        let vector = Vector {
            case: String::new(),
            date: header("X-SalesCloud-Date").clone(),
            skew_s: 0,
            access_key: KEY.to_owned(),
            method: call.method.clone(),
            url: call.url.clone(),
            body_b64: Base64(body.into_bytes()),
            signature: signature.clone(),
            secret: call.secret.clone(),
            max_time: 100.0,
            accepted_by_netskrafl: false,
        };
        let answer = send(&layer(KEY, &call.secret, NOW, 100.0), vector.arrived()).await;
        assert_eq!(outcome(&answer), word);
    }
}

/// URL and body are signed without anything between them: what the first loses, the second must not win.
#[tokio::test]
async fn a_json_body_cannot_move_into_the_url() {
    let secret = "test-secret-32-bytes-aaaaaaaaaaa";
    let mut request = Request::post("https://netskrafl.is/billing").body(r#"{"a":1}"#.to_owned()).unwrap();
    let signer = Signer::new(SalesCloudWebhook::default(), KEY, &Secret::new(secret).unwrap());
    signer.with_clock(ManualClock::at(NOW)).sign(&mut request).unwrap();
    for (target, body, word) in [
        ("/billing", r#"{"a":1}"#, "ok"),
        (r#"/billing{"a""#, ":1}", "malformed"),
        ("/billing{", r#""a":1}"#, "malformed"),
        // As a client would have to write it.
        ("/billing%7B%22a%22", ":1}", "bad_signature"),
        ("/billing%7B", r#""a":1}"#, "bad_signature"),
        ("/bill", r#"ing{"a":2}"#, "bad_signature"),
        // What is left over is no JSON.
        ("/bill", r#"ing{"a":1}"#, "ok"),
    ] {
        let (mut head, _) = request.clone().into_parts();
        head.uri = target.parse().unwrap();
        head.headers.insert("host", "netskrafl.is".parse().unwrap());
        let moved = Request::from_parts(head, Full::<bytes::Bytes>::from(body));
        let answer = send(&layer(KEY, secret, NOW, 100.0), moved).await;
        assert_eq!(outcome(&answer), word, "{target} {body}");
    }
}

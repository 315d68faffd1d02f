//! Corezoid: eleven clients in eight languages.

use super::sign;
use crate::support::{
    guard::{Answer, Key, guard, outcome, send},
    vectors::{Base64, Wire, read},
};
use bytes::Bytes;
use countersign::{
    clock::ManualClock,
    message::Message,
    scheme::{Corezoid, Scheme as _},
    secret::Secret,
    sign::Signer,
    signature::Algorithm,
};
use http::{Method, Request};
use http_body_util::Full;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct File {
    vectors: Vec<Vector>,
    wire_requests: Vec<Recorded>,
}

#[derive(Deserialize)]
struct Vector {
    kind: String,
    timestamp: String,
    secret: String,
    login: Option<String>,
    body_b64: Base64,
    expected_signature: String,
    raw_body_signature_not_used: Option<String>,
    #[serde(default)]
    canonical_b64: Base64,
}

#[derive(Deserialize)]
struct Recorded {
    kind: String,
    #[serde(flatten)]
    wire: Wire,
    secret: String,
    login: Option<String>,
    timestamp: Option<String>,
    canonical: Option<String>,
}

/// The login of the vectors that name none.
const LOGIN: &str = "13000";
/// The time of all vectors.
const NOW: u64 = 1_700_000_000;

fn key<'k>(login: &'k str, secret: &'k str) -> Key<'k> {
    Key { id: login, secret, public_key: None, organization: None }
}

/// All that the recorded clients need: other routes than `json`, one of them for uploads, and a fractional time.
fn lenient() -> Corezoid {
    let routes = [
        (Method::POST, "/api/2/download"),
        (Method::GET, "/api/2/upload/info"),
        (Method::GET, "/user_downloads/{file}"),
    ];
    let add = |scheme: Corezoid, (method, prefix)| scheme.with_route(method, prefix).unwrap();
    let scheme = Corezoid::default().with_lenient_time().with_multipart_route("/api/2/upload").unwrap();
    routes.into_iter().fold(scheme, add)
}

#[tokio::test]
async fn every_signature_comes_out() {
    let mut count = BTreeMap::<&str, usize>::new();
    let vectors = read::<File>("corezoid.json").vectors;
    for vector in &vectors {
        let login = vector.login.as_deref().unwrap_or(LOGIN);
        let secret = Secret::new(&*vector.secret).unwrap();
        let body = &vector.body_b64.0;
        let signature = vector.raw_body_signature_not_used.as_ref().unwrap_or(&vector.expected_signature);
        let target = format!("/api/2/json/{login}/{}/{signature}", vector.timestamp);
        let (head, ()) = Request::post(&target).body(()).unwrap().into_parts();
        let message = Message::outgoing(&head);
        let presented = lenient().read(&message).unwrap().unwrap();
        let base = lenient().signature_base(&message, &presented.parameters);
        assert_eq!(sign(Algorithm::SandwichSha1, &secret, base, body).to_hex(), *signature);

        let strict = outcome(&post(Corezoid::default(), vector, &target).await);
        let time_is_whole = vector.kind != "sign-noninteger-timestamp";
        assert_eq!(strict, if time_is_whole { "ok" } else { "malformed" }, "{target}");
        assert_eq!(outcome(&post(lenient(), vector, &target).await), "ok", "{target}");
        if time_is_whole {
            let mut request = Request::post("/api/2/json").body(body.clone()).unwrap();
            let signer = Signer::new(Corezoid::default(), login, &secret);
            signer.with_clock(ManualClock::at(NOW)).sign(&mut request).unwrap();
            assert_eq!(request.uri(), &*target);
        }
        *count.entry(&vector.kind).or_default() += 1;
    }
    let expected = [("sign", 11), ("sign-multipart", 9), ("sign-noninteger-timestamp", 10)];
    assert_eq!(count, BTreeMap::from(expected));
}

#[tokio::test]
async fn a_multipart_upload_is_signed_in_its_reduced_form_on_its_own_route_only() {
    let vectors = read::<File>("corezoid.json").vectors;
    let multipart: Vec<_> = vectors.iter().filter(|vector| vector.kind == "sign-multipart").collect();
    assert_eq!(multipart.len(), 9);
    let raw = Corezoid::default().with_route(Method::POST, "/api/2/upload").unwrap();
    for vector in multipart {
        let path = format!("/api/2/upload/{LOGIN}/{}", vector.timestamp);
        let (right, of_raw) =
            (&vector.expected_signature, vector.raw_body_signature_not_used.as_ref().unwrap());
        for (scheme, signature, word) in [
            (lenient(), right, "ok"),
            (lenient(), of_raw, "bad_signature"),
            (raw.clone(), right, "bad_signature"),
            (raw.clone(), of_raw, "ok"),
            (Corezoid::default(), right, "missing"),
        ] {
            let answer = post(scheme, vector, &format!("{path}/{signature}")).await;
            assert_eq!(outcome(&answer), word, "{signature}");
        }
        let target = format!("/api/2/json/{LOGIN}/{}/{right}", vector.timestamp);
        assert_eq!(outcome(&post(lenient(), vector, &target).await), "bad_signature");

        let (head, ()) = Request::post(format!("{path}/{right}")).body(()).unwrap().into_parts();
        let message = Message::outgoing(&head);
        let presented = lenient().read(&message).unwrap().unwrap();
        let base = lenient().signature_base(&message, &presented.parameters);
        let canonical = String::from_utf8(vector.canonical_b64.0.clone()).unwrap();
        let expected = format!("{}{{SECRET}}{canonical}{{SECRET}}", vector.timestamp);
        assert_eq!(base.display(&vector.body_b64.0), expected);
    }
}

/// What the reduced form lets pass, and what not: the first half is why it is called weak.
#[tokio::test]
async fn a_reduced_form_stands_for_more_than_one_body() {
    let part = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n[]\r\n--b--\r\n";
    let secret = "s3cr3t-s3cr3t";
    let mut request =
        Request::post("/api/2/upload").header("host", "api.test").body(part.to_owned()).unwrap();
    let signer = Signer::new(lenient(), LOGIN, &Secret::new(secret).unwrap());
    signer.with_clock(ManualClock::at(NOW)).sign(&mut request).unwrap();
    let layer = guard(lenient(), key(LOGIN, secret), NOW);
    let dashes = "-".repeat(1 << 20);
    let many = "-a\r\n".repeat(200_000) + part;
    for (body, word) in [
        (part.to_owned(), "ok"),
        (part.replace("--b", "--another"), "ok"),
        (part.replace("[]", "[-5\r\n]"), "ok"),
        (part.replace("[]", "\r\n[\r\n]\r\n"), "ok"),
        (part.replace("\r\n\r\n", "\r\n"), "ok"),
        (part.replace("--b--\r\n", ""), "ok"),
        (many, "ok"),
        (part.replace("[]", "[ ]"), "bad_signature"),
        (part.replace("[]", "[-5\n]"), "bad_signature"),
        (part.replace("name=\"a\"", "name=\"b\""), "bad_signature"),
        (part.replace("[]", "[-.5\r\n]"), "bad_signature"),
        (part.replace("--b--\r\n", "--b--"), "bad_signature"),
        (dashes, "bad_signature"),
        (String::new(), "bad_signature"),
    ] {
        let answer = send(&layer, request.clone().map(|_| Full::<Bytes>::from(body.clone()))).await;
        assert_eq!(outcome(&answer), word, "{:?}", &body[..body.len().min(200)]);
    }
}

#[tokio::test]
async fn recorded_requests_pass() {
    let mut count = BTreeMap::<_, usize>::new();
    for request in read::<File>("corezoid.json").wire_requests {
        let kind = request.canonical.as_deref().unwrap_or(&request.kind);
        let kind = kind.split(' ').next().unwrap().to_owned();
        let strict = outcome(&replay(Corezoid::default(), &request).await);
        let lenient = outcome(&replay(lenient(), &request).await);
        *count.entry((kind, strict, lenient)).or_default() += 1;
    }
    let expected = [
        // Two downloads on a route that is not opted in, one fractional time.
        (("raw-body", "ok", "ok"), 20),
        (("raw-body", "missing", "ok"), 2),
        (("raw-body", "malformed", "ok"), 1),
        (("multipart", "missing", "ok"), 2),
        // One client's own scheme, in no document; and a bearer token.
        (("wire-header-hmac", "missing", "missing"), 1),
        (("wire-no-apikey", "missing", "missing"), 1),
    ];
    let expected = expected.map(|((kind, strict, lenient), n)| ((kind.to_owned(), strict, lenient), n));
    assert_eq!(count, BTreeMap::from(expected));
}

#[tokio::test]
async fn an_empty_body_is_signed_too_and_a_query_is_not() {
    let vectors = read::<File>("corezoid.json").vectors;
    let empty = vectors.iter().find(|vector| vector.body_b64.0.is_empty()).unwrap();
    let credentials = format!("{LOGIN}/{}/{}", empty.timestamp, empty.expected_signature);
    let download = format!("/user_downloads/conv_1_2.json/{credentials}");
    let info = format!("/api/2/upload/info/{credentials}");
    let table = [
        (Method::GET, download.clone(), "missing", "ok"),
        (Method::HEAD, download.clone(), "missing", "malformed"),
        (Method::POST, download, "missing", "malformed"),
        (Method::GET, info.clone(), "missing", "ok"),
        (Method::GET, format!("{info}?"), "missing", "ok"),
        (Method::GET, format!("{info}?hash=1"), "missing", "malformed"),
        (Method::POST, format!("/api/2/json/{credentials}"), "ok", "ok"),
        (Method::GET, format!("/api/2/json/{credentials}"), "malformed", "malformed"),
    ];
    for (method, target, strict, opted_in) in table {
        for (scheme, word) in [(Corezoid::default(), strict), (lenient(), opted_in)] {
            let layer = guard(scheme, key(LOGIN, &empty.secret), NOW);
            let request = Request::builder().method(&method).uri(&target).header("host", "api.test");
            let answer = send(&layer, request.body(Full::<Bytes>::default()).unwrap()).await;
            assert_eq!(outcome(&answer), word, "{method} {target}");
        }
    }
}

async fn post(scheme: Corezoid, vector: &Vector, target: &str) -> Answer {
    let layer = guard(scheme, key(vector.login.as_deref().unwrap_or(LOGIN), &vector.secret), NOW);
    let body = Full::<Bytes>::from(vector.body_b64.0.clone());
    send(&layer, Request::post(target).header("host", "api.test").body(body).unwrap()).await
}

/// Sends a recorded request once more, at its own time.
async fn replay(scheme: Corezoid, request: &Recorded) -> Answer {
    let time = request.timestamp.as_deref().unwrap_or("0");
    let now = time.split('.').next().unwrap().parse().unwrap();
    let layer = guard(scheme, key(request.login.as_deref().unwrap_or(LOGIN), &request.secret), now);
    send(&layer, request.wire.request()).await
}

//! Corezoid's calls to others: the formula is that of its own API, the verdicts those of its SDKs' verifiers.

use crate::support::{
    guard::{Key, guard, outcome, send},
    vectors::{Base64, read},
};
use bytes::Bytes;
use countersign::{clock::ManualClock, scheme::CorezoidCallback, secret::Secret, sign::Signer};
use http::{Method, Request};
use http_body_util::Full;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct File {
    vectors: Vec<Vector>,
    verifier_behaviour: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Vector {
    kind: String,
    timestamp: String,
    secret: String,
    body_b64: Base64,
    expected_signature: String,
}

const PATH: &str = "/hooks/orders";

fn scheme() -> CorezoidCallback {
    CorezoidCallback::default().with_route(Method::POST, PATH).unwrap()
}

async fn word(key_id: &str, vector: &Vector, query: &str) -> &'static str {
    let key = Key { id: key_id, secret: &vector.secret, public_key: None, organization: None };
    let request = Request::post(format!("{PATH}?{query}")).header("host", "a.test");
    let body = Full::<Bytes>::from(vector.body_b64.0.clone());
    outcome(&send(&guard(scheme(), key, 1_700_000_000), request.body(body).unwrap()).await)
}

#[tokio::test]
async fn every_signature_comes_out() {
    let vectors = read::<File>("corezoid.json").vectors;
    let mut count = 0;
    for vector in vectors.iter().filter(|vector| vector.kind == "sign") {
        for (key_id, id) in [("1023", "&conv_id=1023"), (PATH, "")] {
            let credentials =
                format!("conv_signature={}&conv_time={}", vector.expected_signature, vector.timestamp);
            let mut request = Request::post(PATH).body(vector.body_b64.0.clone()).unwrap();
            let signer = Signer::new(scheme(), key_id, &Secret::new(&*vector.secret).unwrap());
            let signer = signer.with_clock(ManualClock::at(1_700_000_000));
            signer.sign(&mut request).unwrap();
            assert_eq!(request.uri().query(), Some(&*format!("{credentials}{id}")));
            assert_eq!(word(key_id, vector, &format!("{credentials}{id}")).await, "ok");
            assert_eq!(word("1024", vector, &format!("{credentials}{id}")).await, "unknown_key");
            assert_eq!(word(key_id, vector, &format!("{credentials}{id}&a=1")).await, "malformed");
        }
        count += 1;
    }
    assert_eq!(count, 11);
}

#[tokio::test]
async fn the_vendor_s_verifiers_refuse_upper_case_and_so_does_this() {
    let File { vectors, verifier_behaviour } = read("corezoid.json");
    for verifier in ["corezoid/sdk-java checkSign", "corezoid/sdk-php check_sign"] {
        assert!(verifier_behaviour[verifier].contains("upper-case rejected"));
    }
    let signature = &vectors[0].expected_signature;
    for (signature, expected) in [(signature.clone(), "ok"), (signature.to_uppercase(), "malformed")] {
        let query = format!("conv_signature={signature}&conv_time={}", vectors[0].timestamp);
        assert_eq!(word(PATH, &vectors[0], &query).await, expected);
    }
}

//! What thirteen HTTP clients make of 73 ways to type a URL: each request that arrived is signed as its client signs
//! and sent through the real layer, which accepts it exactly where the request proves which resource was meant.

use crate::support::{
    guard::{Key, guard, send},
    vectors::read,
};
use bytes::Bytes;
use countersign::{
    error::VerifyErrorKind,
    scheme::Ateliere,
    secret::Secret,
    signature::{Algorithm, Computation, MacKey, SignatureBase},
};
use http::{Request, Uri};
use http_body_util::Full;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A URL as typed, and what it became.
#[derive(Deserialize)]
struct Typed {
    id: String,
    /// Without the scheme: what goes under the signature.
    signed: String,
    whatwg: Whatwg,
    arrivals: Vec<Arrival>,
}

/// What a parser that follows the URL standard asks for; nothing if it refuses the URL.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Whatwg {
    host: String,
    target: String,
}

#[derive(Deserialize)]
struct Arrival {
    host: String,
    /// Bytes, read as Latin-1.
    #[serde(default)]
    target: String,
    clients: Vec<String>,
    /// What gives back the signed text.
    candidate: Option<String>,
}

impl Arrival {
    fn target(&self) -> Vec<u8> {
        self.target.chars().map(|c| u8::try_from(c).unwrap()).collect()
    }

    /// Why the layer accepts the arrival, or does not.
    fn class(&self, typed: &Typed) -> &str {
        let proven = typed.whatwg.host == self.host && typed.whatwg.target == self.target;
        match self.candidate.as_deref() {
            Some("exact") => "exact",
            Some(candidate) if proven => candidate,
            Some(_) => "leads elsewhere",
            None => "not recoverable",
        }
    }
}

const KEY: Key<'_> =
    Key { id: "pk_test", secret: "s3cr3t-s3cr3t", public_key: None, organization: Some("acme") };
const BODY: &str = r#"[{"query":"{ me { id } }"}]"#;

/// What the provider's sample puts into `oz-signature`, by the formula and not by the scheme.
fn signature(url: &str) -> String {
    let base = SignatureBase::default()
        .bytes(r#"{"url":""#)
        .in_json(url)
        .bytes(r#"","body":""#)
        .body_in_json()
        .bytes(r#"","organization_slug":"acme"}"#);
    let key = MacKey::new(Algorithm::HmacSha256, &Secret::new(KEY.secret).unwrap());
    let mut computation = Computation::begin(&[base], std::iter::once(&key));
    computation.update(BODY.as_bytes());
    computation.sign().unwrap().to_hex()
}

/// Sends an arrival through the layer; the recordings were made over plain `http`.
async fn replay(typed: &Typed, arrival: &Arrival) -> &'static str {
    // hyper answers such a target with 400 before any service sees it.
    let Ok(target) = Uri::from_maybe_shared(arrival.target()) else { return "no request target" };
    assert_eq!(target.to_string().as_bytes(), arrival.target(), "{}", typed.id);
    let request = Request::post(target)
        .header("host", &arrival.host)
        .header("oz-key-id", KEY.id)
        .header("oz-signature", signature(&typed.signed))
        .header("x-organization-slug", "acme")
        .body(Full::<Bytes>::from(BODY))
        .unwrap();
    match send(&guard(Ateliere::default().with_plain_http(), KEY, 0), request).await {
        Ok((caller, _)) if caller.spelling() == 0 => "as it arrived",
        Ok(_) => "another spelling",
        Err(VerifyErrorKind::BadSignature) => "refused",
        Err(kind) => kind.outcome().as_str(),
    }
}

#[tokio::test]
async fn an_arrival_passes_exactly_where_it_proves_what_was_meant() {
    let mut arrivals = BTreeMap::<_, usize>::new();
    let mut not_sent = 0;
    let all = read::<Vec<Typed>>("url-arrivals.json");
    for typed in &all {
        for arrival in &typed.arrivals {
            if arrival.host == "REFUSED" {
                not_sent += arrival.clients.len();
                continue;
            }
            let became = replay(typed, arrival).await;
            *arrivals.entry((arrival.class(typed), became)).or_default() += arrival.clients.len();
        }
    }
    let expected = [
        (("exact", "as it arrived"), 398),
        // `<`, `>`, a backtick, or a quotation mark in a query, sent raw by two clients.
        (("exact", "no request target"), 8),
        (("+default-port", "another spelling"), 12),
        (("empty-query", "another spelling"), 8),
        (("no-slash", "another spelling"), 26),
        (("no-slash-empty-query", "another spelling"), 8),
        (("un-encoded", "another spelling"), 177),
        // Undoing what one client did gives a text that other clients send elsewhere.
        (("leads elsewhere", "refused"), 38),
        (("not recoverable", "refused"), 209),
    ];
    assert_eq!(arrivals, BTreeMap::from(expected));
    assert_eq!(expected.iter().map(|row| row.1).sum::<usize>(), 884);
    assert_eq!((all.len(), not_sent), (73, 65));
}

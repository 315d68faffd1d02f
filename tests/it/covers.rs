//! What each scheme says its signature covers is true: a change to a covered field makes the signature wrong, a change
//! to another leaves it right, to be stopped by the scheme's routes if at all. The docs say the same.

use crate::support::guard::{Key, guard, outcome, send};
use bytes::Bytes;
use countersign::{
    clock::ManualClock,
    message::Message,
    scheme::{Ateliere, Corezoid, CorezoidCallback, Covers, SalesCloud, SalesCloudWebhook, Scheme},
    secret::Secret,
    sign::Signer,
    signature::{Computation, MacKey},
};
use http::{HeaderValue, Method, Request};
use http_body_util::Full;
use std::{collections::BTreeSet, fs, path::Path};

const KEY: Key<'_> = Key {
    id: "edadd893-9472-4324-a4db-b1707c563184",
    secret: "s3cr3t-s3cr3t",
    public_key: Some("849015eb"),
    organization: Some("7b371391-1561-4cac-8f86-9b7bcba83db2"),
};
const OTHER: HeaderValue = HeaderValue::from_static("00000000-0000-4000-8000-000000000000");
const NOW: u64 = 1_700_000_000;
const TEN_YEARS: u64 = 315_360_000;

/// A field, what changes it and nothing else, and what becomes of the request: by default, and where routes are open.
type Row = (&'static str, fn(&mut Request<String>), [&'static str; 2]);

const METHOD: fn(&mut Request<String>) = |request| *request.method_mut() = Method::PUT;
const BODY: fn(&mut Request<String>) = |request| request.body_mut().push(' ');
const NOTHING: fn(&mut Request<String>) = |_| {};
const AUTHORITY: fn(&mut Request<String>) = |request| {
    request.headers_mut().insert("host", HeaderValue::from_static("other.test"));
};

const QUERY: fn(&mut Request<String>) = |request| {
    *request.uri_mut() = format!("{}?a=2", request.uri().path()).parse().unwrap();
};

fn replace(request: &mut Request<String>, from: &str, to: &str) {
    let target = request.uri().to_string();
    assert!(target.contains(from));
    *request.uri_mut() = target.replace(from, to).parse().unwrap();
}

#[tokio::test]
async fn ateliere_covers_what_it_says() {
    let table: [Row; 7] = [
        ("method", METHOD, ["malformed", "ok"]),
        ("authority", AUTHORITY, ["bad_signature"; 2]),
        ("path", |request| replace(request, "/graphql", "/other"), ["bad_signature"; 2]),
        ("query", QUERY, ["bad_signature"; 2]),
        ("body", BODY, ["bad_signature"; 2]),
        (
            "organization",
            |request| drop(request.headers_mut().insert("x-organization-slug", OTHER)),
            ["bad_signature"; 2],
        ),
        ("time", NOTHING, ["ok"; 2]),
    ];
    hold(&Ateliere::default(), &Ateliere::default().with_method(Method::PUT), "/graphql?a=1", table).await;
}

#[tokio::test]
async fn corezoid_covers_what_it_says() {
    let wide = Corezoid::default().with_route(Method::POST, "/api/2/download").unwrap();
    let wide = wide.with_route(Method::PUT, "/api/2/json").unwrap();
    let table: [Row; 7] = [
        ("method", METHOD, ["malformed", "ok"]),
        ("authority", AUTHORITY, ["ok"; 2]),
        ("path", |request| replace(request, "/json/", "/download/"), ["missing", "ok"]),
        ("query", QUERY, ["malformed"; 2]),
        ("body", BODY, ["bad_signature"; 2]),
        // Nothing in a request names one; the key's own counts.
        ("organization", NOTHING, ["ok"; 2]),
        ("time", |request| replace(request, "/1700000000/", "/2015360000/"), ["bad_signature"; 2]),
    ];
    hold(&Corezoid::default(), &wide, "/api/2/json", table).await;
}

#[tokio::test]
async fn salescloud_covers_what_it_says() {
    let wide = SalesCloud::default().with_route(Method::POST, "/graphql").unwrap();
    let wide = wide.with_route(Method::PUT, "/").unwrap();
    let table: [Row; 7] = [
        ("method", METHOD, ["malformed", "ok"]),
        ("authority", AUTHORITY, ["ok"; 2]),
        ("path", |request| replace(request, "/", "/graphql"), ["malformed", "ok"]),
        ("query", QUERY, ["malformed"; 2]),
        ("body", BODY, ["bad_signature"; 2]),
        (
            "organization",
            |request| drop(request.headers_mut().insert("salescloud-organization", OTHER)),
            ["bad_signature"; 2],
        ),
        ("time", NOTHING, ["ok"; 2]),
    ];
    hold(&SalesCloud::default(), &wide, "/", table).await;
}

#[tokio::test]
async fn corezoid_callback_covers_what_it_says() {
    let wide = CorezoidCallback::default().with_route(Method::POST, "/hooks").unwrap();
    let wide = wide.with_route(Method::PUT, "/").unwrap();
    let table: [Row; 7] = [
        ("method", METHOD, ["malformed", "ok"]),
        ("authority", AUTHORITY, ["ok"; 2]),
        ("path", |request| replace(request, "/?", "/hooks?"), ["malformed", "ok"]),
        ("query", |request| replace(request, "?", "?a=1&"), ["malformed"; 2]),
        ("body", BODY, ["bad_signature"; 2]),
        // Nothing in a request names one; the key's own counts.
        ("organization", NOTHING, ["ok"; 2]),
        ("time", |request| replace(request, "=1700000000", "=2015360000"), ["bad_signature"; 2]),
    ];
    hold(&CorezoidCallback::default(), &wide, "/", table).await;
}

#[tokio::test]
async fn salescloud_webhook_covers_what_it_says() {
    let wide = SalesCloudWebhook::default().with_method(Method::PUT);
    let table: [Row; 7] = [
        ("method", METHOD, ["malformed", "bad_signature"]),
        ("authority", AUTHORITY, ["bad_signature"; 2]),
        ("path", |request| replace(request, "/hook", "/other"), ["bad_signature"; 2]),
        ("query", QUERY, ["bad_signature"; 2]),
        ("body", BODY, ["bad_signature"; 2]),
        ("organization", NOTHING, ["ok"; 2]),
        (
            "time",
            |request| {
                let later = HeaderValue::from_static("2033-11-11 22:13:20");
                assert!(request.headers_mut().insert("x-salescloud-date", later).is_some());
            },
            ["bad_signature"; 2],
        ),
    ];
    hold(&SalesCloudWebhook::default(), &wide, "/hook?a=1", table).await;
}

/// A signed time that is not tampered with is held against the clock.
#[tokio::test]
async fn a_signed_time_is_kept_within_the_tolerance() {
    in_time(&Corezoid::default(), "/api/2/json").await;
    in_time(&CorezoidCallback::default(), "/").await;
    in_time(&SalesCloudWebhook::default(), "/hook").await;
}

async fn in_time<S: Scheme + Clone>(scheme: &S, target: &str) {
    let request = signed(scheme, target);
    for (now, word) in [
        (NOW - 300, "ok"),
        (NOW - 301, "future"),
        (NOW / 1000, "future"),
        (NOW + 300, "ok"),
        (NOW + 301, "stale"),
        (NOW * 1000, "stale"),
    ] {
        let answer = send(&guard(scheme.clone(), KEY, now), request.clone().map(Full::<Bytes>::from)).await;
        assert_eq!(outcome(&answer), word, "{} {now}", scheme.name());
    }
}

/// Holds every row against `covers`, and sends it through both layers; what should change with time is sent later.
async fn hold<S: Scheme + Clone>(default: &S, wide: &S, target: &str, table: [Row; 7]) {
    for ((field, change, outcomes), (name, covered)) in table.into_iter().zip(fields(default.covers())) {
        assert_eq!(field, name);
        let mut request = signed(default, target);
        change(&mut request);
        assert_eq!(is_right(wide, &request), !covered, "{field}");
        let now = if field == "time" { NOW + TEN_YEARS } else { NOW };
        for (scheme, word) in [default, wide].into_iter().zip(outcomes) {
            let answer =
                send(&guard(scheme.clone(), KEY, now), request.clone().map(Full::<Bytes>::from)).await;
            assert_eq!(outcome(&answer), word, "{field}");
        }
    }
}

fn signed(scheme: &(impl Scheme + Clone), target: &str) -> Request<String> {
    let mut request = Request::post(target).header("host", "api.test").body("{}".to_owned()).unwrap();
    let signer = Signer::new(scheme.clone(), KEY.id, &Secret::new(KEY.secret).unwrap());
    let signer = signer.with_organization(KEY.organization.unwrap()).with_public_key(KEY.public_key.unwrap());
    signer.with_clock(ManualClock::at(NOW)).sign(&mut request).unwrap();
    request
}

/// Whether the signature that a request carries is right, wherever and whenever it is accepted.
fn is_right(scheme: &impl Scheme, request: &Request<String>) -> bool {
    let (head, body) = request.clone().into_parts();
    let message = Message::new(&head, &head.uri).unwrap();
    let presented = scheme.read(&message).unwrap().unwrap();
    let base = scheme.signature_base(&message, &presented.parameters);
    let key = MacKey::new(scheme.algorithm(), &Secret::new(KEY.secret).unwrap());
    let mut computation = Computation::begin(&[base], std::iter::once(&key));
    computation.update(body.as_bytes());
    computation.matches(&presented.signature).is_some()
}

/// All fields, in the order of the tables.
fn fields(covers: Covers) -> [(&'static str, bool); 7] {
    [
        ("method", covers.method),
        ("authority", covers.authority),
        ("path", covers.path),
        ("query", covers.query),
        ("body", covers.body),
        ("organization", covers.organization),
        ("time", covers.time),
    ]
}

/// The scheme table of a page: a row a scheme, cells by the column's heading.
fn table(page: &str) -> Vec<Vec<(String, String)>> {
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches(['/', '!', ' ', '|']).split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let mut lines = page.lines().skip_while(|line| !line.contains("| scheme | signed |"));
    let heading = cells(lines.next().unwrap());
    let rows = lines.skip(1).take_while(|line| line.contains('|'));
    rows.map(|line| heading.iter().cloned().zip(cells(line)).collect()).collect()
}

#[test]
fn the_docs_say_what_is_covered() {
    let page = |name: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
    let schemes = [
        ("ateliere", Ateliere::default().covers(), page("src/scheme/ateliere/mod.rs")),
        ("corezoid", Corezoid::default().covers(), page("src/scheme/corezoid.rs")),
        ("corezoid-callback", CorezoidCallback::default().covers(), page("src/scheme/corezoid_callback.rs")),
        ("salescloud", SalesCloud::default().covers(), page("src/scheme/salescloud.rs")),
        (
            "salescloud-webhook",
            SalesCloudWebhook::default().covers(),
            page("src/scheme/salescloud_webhook/mod.rs"),
        ),
    ];
    let names = |covers: Covers, covered: bool| -> BTreeSet<&str> {
        fields(covers).into_iter().filter(|field| field.1 == covered).map(|field| field.0).collect()
    };
    for name in PAGES {
        let rows = table(&page(name));
        assert_eq!(rows.len(), schemes.len(), "{name}");
        for (row, (scheme, covers, _)) in rows.iter().zip(&schemes) {
            let named = row[0].1.to_lowercase().replace('-', "");
            assert!(named.contains(&format!("`{}`", scheme.replace('-', ""))), "{name}: {row:?}");
            for (heading, cell) in row {
                let listed = || cell.split(", ").collect::<BTreeSet<_>>();
                match &**heading {
                    "signed" => assert_eq!(listed(), names(*covers, true), "{name}: {scheme}"),
                    "not signed" => assert_eq!(listed(), names(*covers, false), "{name}: {scheme}"),
                    "freshness" | "signed time" => {
                        assert_eq!(cell != "none", covers.time, "{name}: {scheme}")
                    }
                    _ => {}
                }
            }
        }
    }
    for (scheme, covers, page) in &schemes {
        let (_, sentence) = page.split_once("//! Not covered: ").unwrap();
        let sentence = sentence.split('.').next().unwrap().replace("\n//!", "");
        let listed: BTreeSet<_> = sentence.split(", ").filter(|name| !name.ends_with("headers")).collect();
        assert_eq!(listed, names(*covers, false), "{scheme}");
    }
}

/// The pages with a table of schemes.
const PAGES: [&str; 2] = ["README.md", "src/scheme/mod.rs"];

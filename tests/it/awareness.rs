//! Which clients call, what they use, and how it goes: counted for verified callers, within bounds, and lost by no
//! orderly end.

use crate::support::{
    http::{Provider, SLUG, Script, keys, layer, poll_once, send},
    planted::plant,
    postgres::Database,
    server::Server,
};
use axum::body::Body;
use bytes::Bytes;
use countersign::{
    awareness::{ClientUsage, UsageLimits},
    clock::{ManualClock, SystemClock},
    middleware::{RequirePermissionLayer, VerifiedBody},
    scheme::{Ateliere, Corezoid},
    secret::Secret,
    sign::Signer,
    store::{Caller, Counted, StoreError, Usage, UsageLog, UsageOf},
};
use http::{Request, Response, StatusCode, header::HOST};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tower::{Layer as _, Service as _};

const NOW: u64 = 1_700_000_000;

/// A store that keeps what it is told, or cannot be written.
#[derive(Debug, Default)]
struct Told {
    usage: Mutex<Vec<Usage>>,
    away: AtomicBool,
}

#[async_trait::async_trait]
impl UsageLog for Told {
    async fn add_usage(&self, usage: &[Usage]) -> Result<(), StoreError> {
        if self.away.load(Ordering::Relaxed) {
            return Err(StoreError::new("away"));
        }
        self.usage.lock().unwrap().extend_from_slice(usage);
        Ok(())
    }

    async fn usage(&self, _: SystemTime, _: UsageOf<'_>) -> Result<Vec<Usage>, StoreError> {
        Ok(Vec::new())
    }

    async fn forget_usage(&self, _: SystemTime) -> Result<u64, StoreError> {
        Ok(0)
    }
}

impl Told {
    fn take(&self) -> Vec<Usage> {
        std::mem::take(&mut self.usage.lock().unwrap())
    }
}

fn usage(clock: &Arc<ManualClock>) -> ClientUsage {
    ClientUsage::new(Default::default(), UsageLimits::default(), Arc::clone(clock))
}

/// Answers with the status that the body names; a body `never` is never answered.
async fn answer(request: Request<VerifiedBody>) -> Result<Response<Body>, Infallible> {
    let body = axum::body::to_bytes(Body::new(request.into_body()), 100).await.unwrap();
    if &body[..] == b"never" {
        std::future::pending::<()>().await;
    }
    let status = std::str::from_utf8(&body).unwrap().parse().unwrap_or(StatusCode::OK);
    Ok(Response::builder().status(status).body(Body::empty()).unwrap())
}

fn named(mut request: Request<Bytes>, name: &'static str, version: &'static str) -> Request<Bytes> {
    for (header, value) in [("oz-client-name", name), ("oz-client-version", version)] {
        if !value.is_empty() {
            request.headers_mut().insert(header, value.parse().unwrap());
        }
    }
    request
}

#[tokio::test]
async fn verified_clients_are_counted_and_others_by_outcome_alone() {
    let clock = Arc::new(ManualClock::at(NOW));
    let (usage, store) = (usage(&clock), Told::default());
    let of = Provider::Ateliere;
    let app = usage.layer().layer(layer(of).layer(usage.layer().layer(tower::service_fn(answer))));
    for (body, name, version) in [
        ("", "web", "2"),
        ("404", "web", "2"),
        ("403", "web", "2"),
        ("", "web", ""),
        ("", "", ""),
        ("", "", "7"),
    ] {
        send(app.clone(), named(of.signed(body), name, version)).await;
    }
    // Whoever does not prove who he is makes up no client.
    for request in [of.signed_with(of.key_id(), "a wrong secret", ""), of.unsigned("")] {
        assert_eq!(send(app.clone(), named(request, "made up", "1")).await.status, StatusCode::UNAUTHORIZED);
    }
    // Nobody waits for this one.
    let mut hurried = app.clone();
    let request = named(of.signed("never"), "hurried", "1").map(Script::whole);
    let mut open = Box::pin(hurried.call(request));
    assert!(poll_once(&mut open).await.is_pending());
    drop(open);

    usage.flush(&store).await.unwrap();
    let told = store.take();
    let mut clients = BTreeMap::new();
    let mut outcomes = BTreeMap::new();
    for usage in told {
        assert_eq!(usage.hour, UNIX_EPOCH + Duration::from_secs(NOW - NOW % 3_600));
        assert_eq!(usage.last_seen, UNIX_EPOCH + Duration::from_secs(NOW));
        match usage.what {
            Counted::Client(Caller { organization, scheme, key_id, name, version }) => {
                assert_eq!(organization.as_deref(), Some(SLUG));
                assert_eq!((&*scheme, &*key_id), (of.name(), of.key_id()));
                let counts = usage.counts;
                assert_eq!(counts.latencies.iter().sum::<u64>(), counts.requests);
                let name = (name.unwrap_or_default(), version.unwrap_or_default());
                clients.insert(name, (counts.ok(), counts.denied, counts.errors));
            }
            Counted::Outcome(outcome) => drop(outcomes.insert(outcome, usage.counts.requests)),
            other => panic!("{other:?}"),
        }
    }
    let client = |name: &str, version: &str| clients[&(name.to_owned(), version.to_owned())];
    assert_eq!(client("web", "2"), (1, 1, 1));
    assert_eq!(client("web", ""), (1, 0, 0), "the unidentified version group");
    assert_eq!(client("", ""), (2, 0, 0), "a version of nobody is nobody's");
    assert_eq!(client("hurried", "1"), (0, 0, 1));
    assert_eq!(clients.len(), 4, "{clients:?}");
    let outcome = |name: &str| outcomes.get(name).copied();
    assert_eq!((outcome("ok"), outcome("bad_signature"), outcome("missing")), (Some(7), Some(1), Some(1)));
}

#[tokio::test]
async fn who_lacks_a_permission_is_denied_and_known() {
    let clock = Arc::new(ManualClock::at(NOW));
    let (usage, store) = (usage(&clock), Told::default());
    let of = Provider::Corezoid;
    let mut credential = of.credential();
    credential.permissions = countersign::credential::Permissions::parse("ops:read").unwrap();
    let keys = keys();
    keys.insert(of.name(), of.key_id(), credential);
    let guard = countersign::VerifyLayer::new(of.verifier(keys));
    let inside = RequirePermissionLayer::new("ops:write").layer(tower::service_fn(answer));
    let app = usage.layer().layer(guard.layer(usage.layer().layer(inside)));
    assert_eq!(send(app, named(of.signed(""), "web", "2")).await.status, StatusCode::FORBIDDEN);
    usage.flush(&store).await.unwrap();
    let told = store.take();
    let denied = told.iter().find(|usage| matches!(usage.what, Counted::Client(_))).unwrap();
    assert_eq!((denied.counts.requests, denied.counts.denied), (1, 1));
    let forbidden = told.iter().find(|usage| usage.what == Counted::Outcome("forbidden".to_owned())).unwrap();
    assert_eq!(forbidden.counts.requests, 1);
}

#[tokio::test]
async fn a_store_that_is_away_loses_nothing_for_a_day() {
    let clock = Arc::new(ManualClock::at(NOW));
    let (usage, store) = (usage(&clock), Told::default());
    let of = Provider::Corezoid;
    let app = layer(of).layer(usage.layer().layer(tower::service_fn(answer)));
    store.away.store(true, Ordering::Relaxed);
    for _ in 0..3 {
        send(app.clone(), named(of.signed(""), "web", "2")).await;
        assert!(usage.flush(&store).await.is_err());
        clock.advance(Duration::from_secs(3_600));
    }
    store.away.store(false, Ordering::Relaxed);
    usage.flush(&store).await.unwrap();
    let clients =
        |told: Vec<Usage>| told.into_iter().filter(|it| matches!(it.what, Counted::Client(_))).count();
    assert_eq!(clients(store.take()), 3, "a row for each hour");
    usage.flush(&store).await.unwrap();
    assert_eq!(store.take(), [], "nothing is written twice");

    store.away.store(true, Ordering::Relaxed);
    send(app.clone(), named(of.signed(""), "web", "2")).await;
    assert!(usage.flush(&store).await.is_err());
    clock.advance(Duration::from_secs(30 * 3_600));
    assert!(usage.flush(&store).await.is_err());
    store.away.store(false, Ordering::Relaxed);
    usage.flush(&store).await.unwrap();
    assert_eq!(store.take(), [], "what is older than a day is given up");
}

#[tokio::test]
async fn a_writer_writes_from_time_to_time_and_a_last_flush_the_rest() {
    tokio::time::pause();
    let clock = Arc::new(ManualClock::at(NOW));
    let (usage, store) = (usage(&clock), Arc::new(Told::default()));
    let of = Provider::Corezoid;
    let app = layer(of).layer(usage.layer().layer(tower::service_fn(answer)));
    let (writer, at) = (usage.clone(), Arc::clone(&store));
    let writing = tokio::spawn(async move { writer.keep_writing(&*at, Duration::from_secs(10)).await });
    send(app.clone(), of.signed("")).await;
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(store.take().len(), 2, "the client, and the outcome");
    send(app, of.signed("")).await;
    usage.flush(&*store).await.unwrap();
    assert_eq!(store.take().len(), 2);
    writing.abort();
}

/// A key of Corezoid's, whose requests are sent to a server.
struct Sender {
    signer: Signer,
    key_id: String,
    client: reqwest::Client,
    /// Signatures of which every hundredth is looked for in what the servers print.
    planted: AtomicU64,
}

impl Sender {
    fn new(key_id: &str, secret: &str) -> Self {
        let secret = Secret::new(secret).unwrap();
        let signer = Signer::new(Corezoid::default(), key_id, &secret).with_clock(SystemClock);
        Self { signer, key_id: key_id.to_owned(), client: reqwest::Client::new(), planted: AtomicU64::new(0) }
    }

    async fn send(&self, server: &Server, name: &str, version: &str) -> u16 {
        let url = format!("{}/api/2/json", server.url);
        let host = server.url.trim_start_matches("http://");
        let mut request = Request::post(url).header(HOST, host).body(r#"{"ops":[]}"#.to_owned()).unwrap();
        self.signer.sign(&mut request).unwrap();
        if version == "1" && self.planted.fetch_add(1, Ordering::Relaxed).is_multiple_of(100) {
            plant(request.uri().path().rsplit('/').next().unwrap());
        }
        for (header, value) in [("oz-client-name", name), ("oz-client-version", version)] {
            request.headers_mut().insert(header, value.parse().unwrap());
        }
        let request = reqwest::Request::try_from(request).unwrap();
        self.client.execute(request).await.unwrap().status().as_u16()
    }
}

fn stats(server: &Server, arguments: &[&str]) -> Vec<Value> {
    let text = server.countersign(&[&["stats", "-o", "json"], arguments].concat());
    let document: Value = serde_json::from_str(&text).unwrap();
    document["items"].as_array().unwrap().clone()
}

fn requests(rows: &[Value], client: &str) -> u64 {
    let of = rows.iter().filter(|row| row["client"] == client);
    of.map(|row| row["requests"].as_u64().unwrap()).sum()
}

/// Random names, two servers that add up, an orderly end, and a crash.
async fn bounded_and_not_lost(mut one: Server, mut two: Server, mut three: Server, sender: &Sender) {
    for number in 0..400_u32 {
        let name = number.wrapping_mul(2_654_435_761).to_string();
        assert_eq!(sender.send(&one, &name, &format!("v{name}")).await, 200);
        assert_eq!(sender.send(&one, "faithful", "1").await, 200);
    }
    for _ in 0..10 {
        assert_eq!(sender.send(&two, "faithful", "1").await, 200);
    }
    let series = one.shell(&format!(
        "curl --silent {}/metrics | grep -c '^countersign_client_requests_total' || true",
        one.operators()
    ));
    assert!(series.trim().parse::<usize>().unwrap() <= 201, "{series}");
    assert!(one.stop() && two.stop());
    let rows = stats(&one, &["--by", "version"]);
    let limits = UsageLimits::default();
    // Should an hour have ended meanwhile, each server may have used its places once more.
    assert!(rows.len() <= 2 * 2 * (limits.clients_a_key + 1), "{}", rows.len());
    assert_eq!(requests(&rows, "faithful"), 410);
    assert_eq!(rows.iter().map(|row| row["requests"].as_u64().unwrap()).sum::<u64>(), 810);
    let by_key = stats(&one, &["--by", "key"]);
    assert_eq!((&by_key[0]["key_id"], &by_key[0]["ok"]), (&json!(sender.key_id), &json!(810)));

    let start = Instant::now();
    for _ in 0..50 {
        assert_eq!(sender.send(&three, "crashing", "1").await, 200);
    }
    while requests(&stats(&one, &[]), "crashing") < 50 {
        assert!(start.elapsed() < Duration::from_secs(60), "one interval is a second");
    }
    for _ in 0..7 {
        assert_eq!(sender.send(&three, "crashing", "1").await, 200);
    }
    three.kill();
    let left = requests(&stats(&one, &["--since", "2h"]), "crashing");
    assert!((50..=57).contains(&left), "{left}");
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_is_bounded_adds_up_and_outlives_a_server() {
    let one = Server::start(&[]);
    let sender = Sender::new(&one.demo("COREZOID_KEY_ID"), &one.demo("COREZOID_SECRET"));
    let (two, three) = (one.another(&[]), one.another(&["--usage-interval", "1"]));
    bounded_and_not_lost(one, two, three, &sender).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_on_postgres_is_bounded_adds_up_and_outlives_a_server() {
    let database = Database::empty().await;
    let one = Server::start_on(database.url());
    one.countersign(&["accounts", "create", "ops"]);
    let create = ["keys", "create", "--scheme", "corezoid", "--account", "ops", "--key-id", "13000"];
    let sender = Sender::new("13000", &one.countersign(&create));
    let (two, three) = (
        one.start_another_on(database.url(), &[]),
        one.start_another_on(database.url(), &["--usage-interval", "1"]),
    );
    bounded_and_not_lost(one, two, three, &sender).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_can_be_seen_who_still_uses_a_field() {
    let mut server = Server::start(&[]);
    let secret = Secret::new(server.demo("ATELIERE_SECRET")).unwrap();
    let organization = server.demo("ATELIERE_ORGANIZATION");
    let signer = Signer::new(Ateliere::default(), &server.demo("ATELIERE_KEY_ID"), &secret)
        .with_organization(&organization);
    let client = reqwest::Client::new();
    let send = async |query: &str, name: &str, version: Option<&str>| {
        let host = server.url.trim_start_matches("http://").to_owned();
        let request = Request::post(format!("{}/graphql", server.url)).header(HOST, &host);
        let mut request = request.body(json!([{ "query": query }]).to_string()).unwrap();
        signer.sign(&mut request).unwrap();
        plant(request.headers()["oz-signature"].to_str().unwrap());
        request.headers_mut().insert("oz-client-name", name.parse().unwrap());
        if let Some(version) = version {
            request.headers_mut().insert("oz-client-version", version.parse().unwrap());
        }
        let answer = client.execute(reqwest::Request::try_from(request).unwrap()).await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.text().await.unwrap()
    };
    send("query Titles { titles(limit: 2) { id name synopsis } }", "web", Some("1")).await;
    send("query Titles { titles(limit: 2) { id name } }", "web", Some("2")).await;
    send("{ titles { name: synopsis } __schema { queryType { name } } }", "importer", None).await;
    // A field that is gone: the client is affected already.
    send("query Gone { titles { noSuchField } }", "importer", None).await;
    assert!(server.stop());

    let rows = stats(&server, &["--field", "Title.synopsis", "--since", "2h"]);
    let who: Vec<_> = rows.iter().map(|row| (&row["client"], &row["version"], &row["requests"])).collect();
    let (web, importer, one) = (json!("web"), json!("importer"), json!("1"));
    assert!(
        who.contains(&(&web, &one, &json!(1))) && who.contains(&(&importer, &Value::Null, &json!(1))),
        "{who:?}"
    );
    assert_eq!(who.len(), 2);
    assert_eq!(
        (&rows[0]["organization"], &rows[0]["field"]),
        (&json!(organization), &json!("Title.synopsis"))
    );

    let operations = stats(&server, &["--by", "operation"]);
    let failed = operations.iter().find(|row| row["operation"] == "Gone").unwrap();
    assert_eq!((&failed["client"], &failed["errors"]), (&importer, &json!(1)));
    assert!(
        operations.iter().any(|row| row["operation"].is_null() && row["client"] == "importer"),
        "{operations:?}"
    );
    let fields = stats(&server, &["--by", "field"]);
    assert!(fields.iter().all(|row| !row["field"].as_str().unwrap().contains("__")), "{fields:?}");
    let names: Vec<_> = stats(&server, &["--by", "client"]).iter().map(|row| row["client"].clone()).collect();
    assert_eq!(names, ["importer", "web"]);
    let outcomes = stats(&server, &["--by", "outcome"]);
    assert_eq!(
        outcomes[0],
        json!({
            "outcome": "ok", "requests": 4, "ok": 4, "denied": 0, "errors": 0,
            "p50_ms": null, "p95_ms": null, "p99_ms": null, "last_seen": outcomes[0]["last_seen"],
        })
    );
    let table = server.countersign(&["stats"]);
    assert!(table.contains("unidentified") && table.starts_with("WHAT"), "{table}");
    assert_eq!(server.countersign(&["stats", "--organization", "globex"]), "");
}

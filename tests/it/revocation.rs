//! How fast a revoked key stops: two servers on one Postgres, both under a load of signed requests, and an operator with
//! plain SQL beside them.
//!
//! `./x revocation` does it two hundred times for each kind of row. `REVOCATIONS` is the number, `REVOCATIONS_SEED`
//! chooses the moments.

use crate::support::{postgres::Database, server::Server};
use countersign::{
    clock::SystemClock,
    credential::{KeyId, Organization, Principal},
    envelope::Keyring,
    scheme::SalesCloud,
    secret::Secret,
    sign::Signer,
    signature::Algorithm,
    store::{KeyAdmin as _, NewCredential, PostgresKeyStore},
};
use http::Request;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use std::{
    env,
    fmt::Write as _,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::watch,
    task::JoinSet,
};

/// What an operator does to one kind of row, and how it is undone for the next time; `{}` is the app.
const KINDS: [(&str, &str, &str); 5] = [
    ("credential", "UPDATE credentials SET state = 'revoked' WHERE key_id = '{}'", "SELECT 1"),
    ("secret version", "UPDATE secret_versions SET retires_at = 1 WHERE key_id = '{}'", "SELECT 1"),
    ("installation", "DELETE FROM app_installations WHERE key_id = '{}'", "SELECT 1"),
    (
        "account",
        "UPDATE accounts SET state = 'disabled' WHERE id = 'ops'",
        "UPDATE accounts SET state = 'active' WHERE id = 'ops'",
    ),
    (
        "organization",
        "UPDATE organizations SET state = 'disabled' WHERE id = '7b371391-1561-4cac-8f86-9b7bcba83db2'",
        "UPDATE organizations SET state = 'active' WHERE id = '7b371391-1561-4cac-8f86-9b7bcba83db2'",
    ),
];
/// The organization that installs the apps.
const GLOBEX: &str = "7b371391-1561-4cac-8f86-9b7bcba83db2";
/// Connections to each server.
const CONNECTIONS: usize = 2;
/// Refusals in a row after which a connection counts as refused for good.
const REFUSALS: usize = 5;
/// How long the short form waits for them, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is sent at the moment: the number of the round, and the request.
type Sent = watch::Receiver<(usize, Arc<Vec<u8>>)>;

/// What one connection has met in the present round.
#[derive(Clone, Copy)]
struct Met {
    round: usize,
    last_accepted: Option<Instant>,
    refusals: usize,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_is_effective_within_a_second() {
    let number = |name, default| env::var(name).map_or(default, |text| text.parse().unwrap());
    let (rounds, mut seed) = (number("REVOCATIONS", 3_u64), number("REVOCATIONS_SEED", 1));
    let database = Database::empty().await;
    let one = Server::start_on(database.url());
    let two = one.start_another();
    let keyring = Keyring::load(&one.folder().join("data/keyring")).unwrap();
    let store = PostgresKeyStore::open(database.url(), keyring, SystemClock).await.unwrap();
    store.create_account(&Principal::new("ops").unwrap(), None).await.unwrap();
    store.create_organization(&Organization::new(GLOBEX).unwrap(), None).await.unwrap();
    let mut operator = PgConnection::connect(database.url()).await.unwrap();

    let (send, sent) = watch::channel((0, Arc::new(Vec::new())));
    let mut load = JoinSet::new();
    let mut met = Vec::new();
    for server in [&one, &two] {
        for _ in 0..CONNECTIONS {
            let seen = Arc::new(Mutex::new(Met { round: 0, last_accepted: None, refusals: 0 }));
            met.push(Arc::clone(&seen));
            let address = server.url.trim_start_matches("http://").to_owned();
            load.spawn(press(address, sent.clone(), seen));
        }
    }
    let mut round = 0;
    println!(
        "{:<16}{:>10}{:>10}{:>10}   ms from the commit to the last accepted request",
        "", "p50", "p99", "max"
    );
    for (kind, revoke, undo) in KINDS {
        let mut times = Vec::new();
        for _ in 0..rounds {
            round += 1;
            let app = format!("edadd893-9472-4324-a4db-{round:012}");
            send.send_replace((round, Arc::new(make(&store, &app).await)));
            until(&met, |met| met.round == round && met.last_accepted.is_some()).await;
            tokio::time::sleep(Duration::from_millis(random(&mut seed) % 30)).await;
            operator.execute(AssertSqlSafe(revoke.replace("{}", &app))).await.unwrap();
            let committed = Instant::now();
            until(&met, |met| met.refusals >= REFUSALS).await;
            let last = met.iter().filter_map(|met| met.lock().unwrap().last_accepted).max().unwrap();
            times.push(last.saturating_duration_since(committed).as_secs_f64() * 1e3);
            operator.execute(AssertSqlSafe(undo.to_owned())).await.unwrap();
        }
        times.sort_by(f64::total_cmp);
        let at = |share: usize| times[(times.len() - 1) * share / 100];
        println!("{kind:<16}{:>10.2}{:>10.2}{:>10.2}", at(50), at(99), at(100));
        let limit = if times.len() >= 100 { 1e3 } else { 1e4 };
        assert!(at(99) <= limit, "{kind}: {times:?}");
    }
}

/// Makes an app that [`GLOBEX`] has installed, and a request that is signed by it.
async fn make(store: &PostgresKeyStore, app: &str) -> Vec<u8> {
    let secret = Secret::new("3f9a64b0d1c84e3db2f7a5908c6e1d42").unwrap();
    let (key_id, ops) = (KeyId::new(app).unwrap(), Principal::new("ops").unwrap());
    let globex = Organization::new(GLOBEX).unwrap();
    let mut key =
        NewCredential::new("salescloud", key_id.clone(), Algorithm::HmacSha256, ops, secret.clone());
    key.public_key = Some("public".into());
    store.create_credential(&key).await.unwrap();
    store.install("salescloud", &key_id, &globex).await.unwrap();
    let body = r#"{"query":"{ me { keyId } }"}"#;
    let mut request = Request::post("http://localhost/").body(body).unwrap();
    let signer = Signer::new(SalesCloud::default(), app, &secret);
    signer.with_organization(GLOBEX).with_public_key("public").sign(&mut request).unwrap();
    let mut text = "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n".to_owned();
    for (name, value) in request.headers() {
        write!(text, "{name}: {}\r\n", value.to_str().unwrap()).unwrap();
    }
    write!(text, "content-length: {}\r\n\r\n{body}", body.len()).unwrap();
    text.into_bytes()
}

/// Sends what is to be sent, again and again, and notes what becomes of it.
async fn press(address: String, mut sent: Sent, met: Arc<Mutex<Met>>) {
    sent.wait_for(|(round, _)| *round > 0).await.unwrap();
    let mut stream = TcpStream::connect(&address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    loop {
        let (round, request) = sent.borrow().clone();
        stream.write_all(&request).await.unwrap();
        let status = read_status(&mut stream).await;
        let mut met = met.lock().unwrap();
        if met.round != round {
            *met = Met { round, last_accepted: None, refusals: 0 };
        }
        match status {
            200 => {
                met.last_accepted = Some(Instant::now());
                met.refusals = 0;
            }
            // Before the first acceptance the key is still on its way.
            401 => met.refusals += usize::from(met.last_accepted.is_some()),
            other => panic!("status {other}"),
        }
    }
}

/// Reads an answer to its end.
async fn read_status(stream: &mut TcpStream) -> u16 {
    let mut read = Vec::new();
    loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if read.len() >= end + 4 + length.parse::<usize>().unwrap() {
                return head[9..12].parse().unwrap();
            }
        }
        assert!(stream.read_buf(&mut read).await.unwrap() > 0, "the server has ended");
    }
}

/// Waits until all connections have met something.
async fn until(met: &[Arc<Mutex<Met>>], is_so: impl Fn(&Met) -> bool) {
    let end = Instant::now() + PATIENCE;
    while !met.iter().all(|met| is_so(&met.lock().unwrap())) {
        assert!(Instant::now() < end, "not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// The next of a sequence of numbers that look like chance (Knuth's MMIX).
fn random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

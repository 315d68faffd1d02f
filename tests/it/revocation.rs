//! How fast a revoked key stops: two servers on one Postgres, both under a load of signed requests, and an operator with
//! plain SQL beside them.
//!
//! `./x revocation` does it two hundred times for each kind of row. `REVOCATIONS` is the number, `REVOCATIONS_SEED`
//! chooses the moments.

use crate::support::{postgres::Database, server::Server};
use countersign::{
    clock::{Clock as _, SystemClock},
    credential::{KeyId, Organization, Principal, TokenAlgorithm, TokenKey},
    envelope::Keyring,
    jwt::{Claims, PrivateKey, Profile},
    scheme::SalesCloud,
    secret::Secret,
    sign::Signer,
    signature::Algorithm,
    store::{
        KeyAdmin as _, NewClient, NewCredential, NewReadToken, NewSigningKey, PostgresKeyStore,
        TokenAdmin as _,
    },
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

/// A kind of row that decides over requests.
struct Kind {
    name: &'static str,
    /// By what the requests are verified that it decides over.
    by: By,
    /// What an operator does to it; `{}` is the name of what was made for the round.
    revoke: &'static str,
    /// How that is undone for the next time, where it can be.
    undo: &'static str,
}

/// What vouches for a request.
#[derive(Clone, Copy)]
enum By {
    App,
    ReadToken,
    Client,
}

const KINDS: [Kind; 8] = [
    Kind {
        name: "account",
        by: By::App,
        revoke: "UPDATE accounts SET state = 'disabled' WHERE id = 'ops'",
        undo: "UPDATE accounts SET state = 'active' WHERE id = 'ops'",
    },
    Kind {
        name: "organization",
        by: By::App,
        revoke: "UPDATE organizations SET state = 'disabled' WHERE id = '7b371391-1561-4cac-8f86-9b7bcba83db2'",
        undo: "UPDATE organizations SET state = 'active' WHERE id = '7b371391-1561-4cac-8f86-9b7bcba83db2'",
    },
    Kind {
        name: "credential",
        by: By::App,
        revoke: "UPDATE credentials SET state = 'revoked' WHERE key_id = '{}'",
        undo: "SELECT 1",
    },
    Kind {
        name: "secret version",
        by: By::App,
        revoke: "UPDATE secret_versions SET retires_at = 1 WHERE key_id = '{}'",
        undo: "SELECT 1",
    },
    Kind {
        name: "installation",
        by: By::App,
        revoke: "DELETE FROM app_installations WHERE key_id = '{}'",
        undo: "SELECT 1",
    },
    Kind {
        name: "read token",
        by: By::ReadToken,
        revoke: "UPDATE read_tokens SET state = 'revoked' WHERE id = '{}'",
        undo: "SELECT 1",
    },
    Kind {
        name: "OAuth client",
        by: By::Client,
        revoke: "UPDATE oauth_clients SET state = 'revoked' WHERE client_id = '{}'",
        undo: "SELECT 1",
    },
    Kind {
        name: "token key",
        by: By::Client,
        revoke: "UPDATE token_keys SET retires_at = 1 WHERE kid = '{}'",
        undo: "SELECT 1",
    },
];
/// The organization that installs the apps.
const GLOBEX: &str = "7b371391-1561-4cac-8f86-9b7bcba83db2";
/// What is asked.
const BODY: &str = r#"{"query":"{ me { keyId } }"}"#;
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
    store.create_account(&ops(), None).await.unwrap();
    store.create_organization(&globex(), None).await.unwrap();
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
    for Kind { name: kind, by, revoke, undo } in KINDS {
        let mut times = Vec::new();
        for _ in 0..rounds {
            round += 1;
            let id = format!("edadd893-9472-4324-a4db-{round:012}");
            let request = match by {
                By::App => signed_by_app(&store, &id).await,
                By::ReadToken => with_read_token(&store, &id).await,
                By::Client => with_access_token(&store, &id).await,
            };
            send.send_replace((round, Arc::new(request)));
            until(&met, |met| met.round == round && met.last_accepted.is_some()).await;
            tokio::time::sleep(Duration::from_millis(random(&mut seed) % 30)).await;
            operator.execute(AssertSqlSafe(revoke.replace("{}", &id))).await.unwrap();
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
async fn signed_by_app(store: &PostgresKeyStore, app: &str) -> Vec<u8> {
    let secret = Secret::new("3f9a64b0d1c84e3db2f7a5908c6e1d42").unwrap();
    let key_id = name(app);
    let mut key =
        NewCredential::new("salescloud", key_id.clone(), Algorithm::HmacSha256, ops(), secret.clone());
    key.public_key = Some("public".into());
    store.create_credential(&key).await.unwrap();
    store.install("salescloud", &key_id, &globex()).await.unwrap();
    let mut request = Request::post("http://localhost/").body(BODY).unwrap();
    let signer = Signer::new(SalesCloud::default(), app, &secret);
    signer.with_organization(GLOBEX).with_public_key("public").sign(&mut request).unwrap();
    let headers = request.headers().iter();
    post("/", headers.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())))
}

/// Makes a read token, and a request that shows it.
async fn with_read_token(store: &PostgresKeyStore, id: &str) -> Vec<u8> {
    let token = format!("rat_{id}");
    let new = NewReadToken::new(name(id), ops(), globex(), Secret::new(&*token).unwrap());
    store.create_read_token(&new).await.unwrap();
    post("/graphql", [format!("authorization: ReadAccessToken {token}")])
}

/// Makes a client and a key that signs tokens, both of one name, and a request with a token of theirs.
async fn with_access_token(store: &PostgresKeyStore, id: &str) -> Vec<u8> {
    let secret = Secret::new("3f9a64b0d1c84e3db2f7a5908c6e1d42").unwrap();
    store.create_client(&NewClient::new(name(id), ops(), secret)).await.unwrap();
    let key = PrivateKey::generate(TokenAlgorithm::Es256).await.unwrap();
    let public = TokenKey::new(name(id), TokenAlgorithm::Es256, key.public_key().to_der().unwrap());
    store.add_signing_key(&NewSigningKey::new(public, key.to_pkcs8().unwrap())).await.unwrap();
    let (subject, hour) = (format!("ops:{id}"), Duration::from_secs(3600));
    let claims = Claims::issue(&Profile::new("Cloud", "2091"), &subject, SystemClock.now(), hour);
    post("/graphql", [format!("authorization: Bearer {}", key.sign(&claims, None).unwrap())])
}

fn name(text: &str) -> KeyId {
    KeyId::new(text).unwrap()
}

fn ops() -> Principal {
    Principal::new("ops").unwrap()
}

fn globex() -> Organization {
    Organization::new(GLOBEX).unwrap()
}

/// A request as it is sent.
fn post(path: &str, headers: impl IntoIterator<Item = String>) -> Vec<u8> {
    let mut text = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n");
    for header in headers {
        write!(text, "{header}\r\n").unwrap();
    }
    write!(text, "content-length: {}\r\n\r\n{BODY}", BODY.len()).unwrap();
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

//! What a server answers whose key store is damaged, or away: as a caller sees it, and as its operator does.

use crate::support::{
    postgres::Database,
    proxy::Proxy,
    server::{Server, built},
};
use countersign::{scheme::Corezoid, secret::Secret, sign::Signer};
use http::Request;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _};
use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// How long a server may take to hear of a change, or to recover, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
const KEYS: [&str; 4] = ["whole", "moved", "cut", "flipped"];

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_secret_is_an_error_and_the_other_keys_go_on_on_sqlite() {
    let server = Server::start(&["--no-demo"]);
    let url = format!("sqlite://{}", server.folder().join("data/countersign.db").display());
    a_damaged_secret_is_an_error(&server, &url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_secret_is_an_error_and_the_other_keys_go_on_on_postgres() {
    let database = Database::empty().await;
    a_damaged_secret_is_an_error(&Server::start_on(database.url()), database.url()).await;
}

async fn a_damaged_secret_is_an_error(server: &Server, url: &str) {
    sqlx::any::install_default_drivers();
    let mut operator = AnyConnection::connect(url).await.unwrap();
    KEYS.iter().for_each(|key| create(server, key));
    for key in KEYS {
        assert_eq!(ask(server, key).0, 200, "{key}");
    }
    for (key, sealed) in [
        ("moved", "(SELECT sealed FROM secret_versions WHERE key_id = 'whole')"),
        ("cut", "substr(sealed, 1, length(sealed) - 1)"),
    ] {
        set(&mut operator, key, sealed).await;
    }
    let read = "SELECT sealed FROM secret_versions WHERE key_id = 'flipped'";
    let mut record: Vec<u8> = sqlx::query_scalar(read).fetch_one(&mut operator).await.unwrap();
    *record.last_mut().unwrap() ^= 1;
    set(&mut operator, "flipped", &format!("unhex('{}')", hex::encode(&record))).await;

    for key in &KEYS[1..] {
        until("the damage is noticed", || ask(server, key).0 != 200).await;
    }
    // Those that are asked for together are judged one by one.
    let other = server.start_another();
    for server in [server, &other] {
        let answers = std::thread::scope(|scope| {
            KEYS.map(|key| scope.spawn(move || ask(server, key))).map(|asked| asked.join().unwrap())
        });
        let [whole, damaged @ ..] = &answers;
        assert_eq!(whole.0, 200, "{whole:?}");
        for (status, head, body) in damaged {
            assert_eq!(*status, 503, "{head} {body}");
            assert!(head.contains("\r\nretry-after: 1"), "{head}");
            assert!(!body.contains("secret"), "the caller learns nothing of it: {body}");
        }
        let log = server.log();
        for key in &KEYS[1..] {
            let told = |line: &&str| line.contains("ERROR") && line.contains(&format!("key `{key}`"));
            let line = log.lines().find(told).unwrap_or_else(|| panic!("{key}: {log}"));
            assert!(line.contains("store_unavailable") && line.contains("does not open"), "{line}");
        }
        assert!(!log.lines().any(|line| line.contains("ERROR") && line.contains("key `whole`")), "{log}");
    }
    create(server, "later");
    assert_eq!(ask(server, "later").0, 200);
}

/// Changes what is stored of a secret.
async fn set(operator: &mut AnyConnection, key: &str, sealed: &str) {
    let change = format!("UPDATE secret_versions SET sealed = {sealed} WHERE key_id = '{key}'");
    operator.execute(AssertSqlSafe(change)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_database_is_away_lets_in_whom_it_knows_and_nobody_else() {
    let database = Database::empty().await;
    let first = Server::start_on(database.url());
    let proxy = Proxy::before(database.url()).await;
    let server = first.start_another_on(proxy.url(), &[]);
    create(&first, "known");
    create(&first, "unknown");
    until("the key is kept", || ask(&server, "known").0 == 200).await;
    proxy.refuse(true);
    let (status, head, _) = ask(&server, "unknown");
    assert!(status == 503 && head.contains("\r\nretry-after: 1"), "{head}");
    assert_eq!(ask(&server, "known").0, 200);
    assert_eq!(signed(&server, "known", "another-secret-than-its-own").0, 401);
    let ready = Request::get("/readyz").body(String::new()).unwrap();
    assert_eq!(server.send(&ready).0, 503);
    assert!(server.log().contains("store_unavailable"), "{}", server.log());
    create(&first, "new");
    proxy.refuse(false);
    for key in ["unknown", "new", "known"] {
        until("it recovers", || ask(&server, key).0 == 200).await;
    }
    until("it is ready", || server.send(&ready).0 == 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_waits_for_its_database_if_it_is_told_to() {
    let database = Database::empty().await;
    let first = Server::start_on(database.url());
    create(&first, "known");
    let proxy = Proxy::before(database.url()).await;
    proxy.refuse(true);
    let start = Instant::now();
    let ended = Command::new(built("examples/server"))
        .args(["--listen", "127.0.0.1:0", "--keyring-file"])
        .arg(first.folder().join("data/keyring"))
        .env("DATABASE_URL", proxy.url())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = String::from_utf8(ended.stderr).unwrap();
    assert!(!ended.status.success() && told.contains("--database-wait"), "{told}");
    assert!(start.elapsed() < Duration::from_secs(10), "{told}");

    let url = proxy.url().to_owned();
    let starting = tokio::task::spawn_blocking(move || {
        let server = first.start_another_on(&url, &["--database-wait", "600"]);
        (first, server)
    });
    proxy.has_refused(3).await;
    assert!(!starting.is_finished());
    proxy.refuse(false);
    let (first, server) = starting.await.unwrap();
    assert!(server.log().contains("waiting for the database"), "{}", server.log());
    assert_eq!(ask(&server, "known").0, 200);
    drop(first);
}

/// The secret of a key here.
fn secret(key: &str) -> String {
    format!("the-secret-of-{key}-and-nobody-else")
}

/// Makes a key.
pub(crate) fn create(server: &Server, key: &str) {
    std::fs::write(server.folder().join("secret"), secret(key)).unwrap();
    let import = format!("keys import --scheme corezoid --key-id {key} --secret-file secret");
    server.countersign(&import.split(' ').collect::<Vec<_>>());
}

/// Asks with a request that the key has signed.
pub(crate) fn ask(server: &Server, key: &str) -> (u16, String, String) {
    signed(server, key, &secret(key))
}

fn signed(server: &Server, key: &str, secret: &str) -> (u16, String, String) {
    let mut request =
        Request::post(format!("{}/api/2/json", server.url)).body(r#"{"ops":[]}"#.to_owned()).unwrap();
    Signer::new(Corezoid::default(), key, &Secret::new(secret).unwrap()).sign(&mut request).unwrap();
    server.send(&request)
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

//! The store behind pgbouncer: it works, or says when it is opened what to set.
//!
//! `./x soak pooler` runs it, with the program named in PGBOUNCER if another than the installed one is meant.

use super::{
    sql::{chain, clock, keyring},
    *,
};
use crate::support::postgres::{Database, cluster::somebody_else};
#[cfg(feature = "cli")]
use crate::{
    store_trouble::{ask, create},
    support::server::Server,
};
use countersign::{
    clock::SystemClock,
    store::{By, CachingKeyStore, PostgresKeyStore},
};
use std::{
    env, fs,
    net::{TcpListener, TcpStream},
    os::unix::{fs::chown, process::CommandExt as _},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::task::JoinSet;
use url::Url;

/// A pgbouncer before the server of a test; both end when this is dropped.
struct Pooler {
    process: Child,
    _folder: TempDir,
    database: Database,
    port: u16,
}

impl Pooler {
    /// Starts a pgbouncer with these settings.
    async fn start(settings: &str) -> Self {
        let (database, folder) = (Database::empty().await, tempfile::tempdir().unwrap());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let url = Url::parse(database.url()).unwrap();
        let socket = url.query_pairs().find(|(name, _)| name == "host").map(|(_, value)| value.into_owned());
        let host = socket.as_deref().or_else(|| url.host_str()).unwrap();
        let file = folder.path().join("pgbouncer.ini");
        let text = format!(
            "[databases]\n* = host={host} port={} user={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = any\ndefault_pool_size = 3\n{settings}\n",
            url.port().unwrap_or(5432),
            url.username(),
        );
        fs::write(&file, text).unwrap();
        let mut command = Command::new(program());
        if let Some((user, group)) = somebody_else() {
            chown(folder.path(), Some(user), Some(group)).unwrap();
            command.uid(user).gid(group);
        }
        let process = command.arg("-q").arg(&file).stderr(Stdio::null()).spawn().unwrap();
        let pooler = Self { process, _folder: folder, database, port };
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            thread::sleep(Duration::from_millis(10));
        }
        pooler
    }

    fn url(&self) -> String {
        let database = Url::parse(self.database.url()).unwrap();
        format!("postgres://anybody@127.0.0.1:{}{}?sslmode=disable", self.port, database.path())
    }

    async fn open(&self) -> Result<PostgresKeyStore, StoreError> {
        PostgresKeyStore::open(&self.url(), keyring(), clock()).await
    }

    /// Many clients ask and write at once, over fewer connections than they are.
    async fn works(&self) {
        let stores = [self.open().await.unwrap(), self.open().await.unwrap()];
        stores[0].create_account(&principal("ops"), None).await.unwrap();
        let mut tasks = JoinSet::new();
        for number in 0..200 {
            let store = stores[number % 2].clone();
            tasks.spawn(async move {
                let key_id = format!("pk_{number}");
                store.create_credential(&new_key("ateliere", &key_id)).await.unwrap();
                let found = find(&store, "ateliere", &key_id).await.unwrap();
                assert_eq!(marks(&found), [mark_of(SECRET)]);
                assert!(find_installation(&store, "ateliere", &key_id, "acme").await.is_none());
            });
        }
        tasks.join_all().await;
        assert_eq!(stores[1].credentials().await.unwrap().len(), 200);
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !is_so().await {
        assert!(Instant::now() < end, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn program() -> String {
    env::var("PGBOUNCER").unwrap_or_else(|_| "pgbouncer".to_owned())
}

/// Whether the pooler can keep the prepared statements of its clients apart.
fn keeps_statements_apart() -> bool {
    let told = Command::new(program()).arg("--version").output().unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    let version = told.split_whitespace().nth(1).unwrap();
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap()) >= (1, 21)
}

#[tokio::test]
#[ignore = "needs pgbouncer: run `./x soak pooler`"]
async fn a_pooler_of_sessions_is_not_noticed() {
    Pooler::start("pool_mode = session\ndefault_pool_size = 30").await.works().await;
}

/// A store whose cache keeps a key that is then switched off: how long that takes, and whether it was heard.
async fn switch_off(store: PostgresKeyStore) -> bool {
    store.create_account(&principal("ops"), None).await.unwrap();
    store.create_credential(&new_key("ateliere", "pk_1")).await.unwrap();
    let cache = CachingKeyStore::new(store.clone());
    let state = async || find(&cache, "ateliere", "pk_1").await.map(|key| key.state);
    until("the key is kept", async || state().await == Some(CredentialState::Active)).await;
    // Who hears nothing notices it after three seconds.
    let heard = store.hear_oneself().await.is_ok();
    until("changes are heard, or not", async || state().await.is_some() && cache.is_live() == heard).await;
    store.set_state("ateliere", &id("pk_1"), CredentialState::Disabled, &By::new("test")).await.unwrap();
    until("the key is off", async || state().await == Some(CredentialState::Disabled)).await;
    heard
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs pgbouncer: run `./x soak pooler`"]
async fn changes_are_heard_from_the_server_itself() {
    let mode = match keeps_statements_apart() {
        true => "pool_mode = transaction\nmax_prepared_statements = 100",
        false => "pool_mode = session\ndefault_pool_size = 30",
    };
    let pooler = Pooler::start(mode).await;
    let store = PostgresKeyStore::open(&pooler.url(), keyring(), SystemClock).await.unwrap();
    assert!(switch_off(store.with_listen_url(pooler.database.url()).unwrap()).await);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs pgbouncer: run `./x soak pooler`"]
async fn behind_a_pooler_of_transactions_nothing_is_heard_and_changes_are_asked_for() {
    let pooler = Pooler::start("pool_mode = transaction").await;
    let store = PostgresKeyStore::open(pooler.database.url(), keyring(), SystemClock).await.unwrap();
    assert!(!switch_off(store.with_listen_url(&pooler.url()).unwrap()).await);
}

#[cfg(feature = "cli")]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs pgbouncer: run `./x soak pooler`"]
async fn the_example_server_works_behind_a_pooler_that_takes_its_parameters() {
    let settings =
        "pool_mode = session\ndefault_pool_size = 50\nignore_startup_parameters = extra_float_digits";
    let pooler = Pooler::start(settings).await;
    let first = Server::start_on(pooler.database.url());
    let server = first.start_another_on(&pooler.url(), &["--listen-database-url", pooler.database.url()]);
    create(&first, "13000");
    assert_eq!(ask(&server, "13000").0, 200);
    let revoke = "keys revoke --scheme corezoid --key-id 13000 --yes --wait";
    first.countersign(&revoke.split(' ').collect::<Vec<_>>());
    assert_eq!(ask(&server, "13000").0, 401);
}

#[tokio::test]
#[ignore = "needs pgbouncer: run `./x soak pooler`"]
async fn a_pooler_of_transactions_works_or_is_refused() {
    if keeps_statements_apart() {
        Pooler::start("pool_mode = transaction\nmax_prepared_statements = 100").await.works().await;
    }
    let off = if keeps_statements_apart() { "max_prepared_statements = 0" } else { "" };
    let pooler = Pooler::start(&format!("pool_mode = transaction\n{off}")).await;
    for _ in 0..10 {
        let refused = pooler.open().await.unwrap_err();
        assert!(chain(&refused).contains("set max_prepared_statements"), "{}", chain(&refused));
    }
}

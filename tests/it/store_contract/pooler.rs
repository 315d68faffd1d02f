//! The store behind pgbouncer: it works, or says when it is opened what to set.
//!
//! `./x soak pooler` runs it, with the program named in PGBOUNCER if another than the installed one is meant.

use super::{
    sql::{chain, clock, keyring},
    *,
};
use crate::support::postgres::{Database, cluster::somebody_else};
use countersign::store::PostgresKeyStore;
use std::{
    env, fs,
    net::{TcpListener, TcpStream},
    os::unix::{fs::chown, process::CommandExt as _},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
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

    async fn open(&self) -> Result<PostgresKeyStore, StoreError> {
        let database = Url::parse(self.database.url()).unwrap();
        let url = format!("postgres://anybody@127.0.0.1:{}{}?sslmode=disable", self.port, database.path());
        PostgresKeyStore::open(&url, keyring(), clock()).await
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

//! The store in a SQLite file: the suites' bench, and what is particular to a file.

use super::{
    sql::{SqlBench, chain, clock, keyring},
    *,
};
use countersign::{
    envelope::{Keyring, Sealed},
    store::{SqliteDatabase, SqliteKeyStore},
};
use sqlx::{
    AssertSqlSafe, SqlSafeStr, SqlitePool,
    migrate::{Migration, MigrationType, Migrator},
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};
use std::{error::Error, fs, path::PathBuf, sync::Arc, time::Instant};
use tempfile::TempDir;

/// A database file in a folder of its own, with a connection that knows none of the store's settings.
pub(super) struct SqliteFile {
    folder: TempDir,
    store: SqliteKeyStore,
    clock: Arc<ManualClock>,
    plain: SqlitePool,
}

impl SqliteFile {
    fn path(&self) -> PathBuf {
        self.folder.path().join("keys.db")
    }
}

impl Bench for SqliteFile {
    type Store = SqliteKeyStore;

    async fn open() -> Self {
        let (folder, clock) = (TempDir::new().unwrap(), clock());
        let path = folder.path().join("keys.db");
        let store =
            SqliteKeyStore::open(path.to_str().unwrap(), keyring(), Arc::clone(&clock)).await.unwrap();
        let options = SqliteConnectOptions::new().filename(&path);
        let plain = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
        Self { folder, store, clock, plain }
    }

    fn store(&self) -> &SqliteKeyStore {
        &self.store
    }
}

impl SqlBench for SqliteFile {
    fn clock(&self) -> &ManualClock {
        &self.clock
    }

    async fn open_with(&self, keyring: Keyring) -> Result<SqliteKeyStore, StoreError> {
        SqliteKeyStore::open(self.path().to_str().unwrap(), keyring, Arc::clone(&self.clock)).await
    }

    async fn execute(&self, sql: &str) -> Result<u64, sqlx::Error> {
        let done = sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&self.plain).await?;
        Ok(done.rows_affected())
    }

    async fn execute_all(&self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&self.plain).await.unwrap();
    }

    async fn record(&self, key_id: &str) -> Vec<u8> {
        sqlx::query_scalar("SELECT sealed FROM secret_versions WHERE key_id = $1 AND number = 1")
            .bind(key_id)
            .fetch_one(&self.plain)
            .await
            .unwrap()
    }

    async fn set_record(&self, key_id: &str, record: &[u8]) {
        sqlx::query("UPDATE secret_versions SET sealed = $2 WHERE key_id = $1 AND number = 1")
            .bind(key_id)
            .bind(record)
            .execute(&self.plain)
            .await
            .unwrap();
    }

    async fn add_secret(&self, key_id: &str, number: i64, sealed: Sealed, retires_at: Option<i64>) {
        sqlx::query(
            "INSERT INTO secret_versions (scheme, key_id, number, keyring_id, sealed, fingerprint, retires_at)
             VALUES ('ateliere', $1, $2, $3, $4, '00000000', $5)",
        )
        .bind(key_id)
        .bind(number)
        .bind(sealed.keyring_id)
        .bind(sealed.record)
        .bind(retires_at)
        .execute(&self.plain)
        .await
        .unwrap();
    }
}

#[tokio::test]
async fn no_file_holds_a_secret_in_the_clear() {
    let bench = SqliteFile::open().await;
    let mut new = new_key("corezoid", "13000");
    new.algorithm = Algorithm::SandwichSha1;
    store_key(bench.store(), "ateliere", "pk_1").await;
    bench.store().create_credential(&new).await.unwrap();
    assert!(find(bench.store(), "corezoid", "13000").await.is_some());

    let mut seen = Vec::new();
    for entry in fs::read_dir(bench.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        let holds = |text: &[u8]| bytes.windows(text.len()).any(|part| part == text);
        assert!(!holds(SECRET.as_bytes()), "{}", path.display());
        assert!(!holds(&hex::decode(SECRET).unwrap()), "{}", path.display());
        seen.push(holds(b"pk_1"));
    }
    assert!(seen.contains(&true), "the key id is found, so the search would find a secret");
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let bench = SqliteFile::open().await;
    store_key(bench.store(), "ateliere", "pk_1").await;
    for entry in fs::read_dir(bench.folder.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.path());
    }
}

/// Before it had a name of its own, the table was the one that an application counts in as well.
#[tokio::test]
async fn steps_that_were_counted_elsewhere_are_taken_over() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("keys.db");
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let plain = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    let mut steps = sqlx::migrate!("migrations/sqlite");
    let theirs = Migrator::with_migrations(vec![Migration::new(
        4711,
        "their own".into(),
        MigrationType::Simple,
        SqlSafeStr::into_sql_str("CREATE TABLE theirs (id INTEGER)"),
        false,
    )]);
    steps.migrations.to_mut().truncate(1);
    steps.run(&plain).await.unwrap();
    steps.migrations = theirs.migrations.clone();
    steps.set_ignore_missing(true).run(&plain).await.unwrap();

    SqliteKeyStore::open(path.to_str().unwrap(), keyring(), clock()).await.unwrap();
    let versions = async |table: &str| -> Vec<i64> {
        let ask = format!("SELECT version FROM {table} ORDER BY version");
        sqlx::query_scalar(AssertSqlSafe(ask)).fetch_all(&plain).await.unwrap()
    };
    assert_eq!(versions("_sqlx_migrations").await, [4711], "what is theirs stays theirs");
    assert_eq!(versions("_countersign_migrations").await[0], 1);
    theirs.run(&plain).await.unwrap();
    SqliteKeyStore::open(path.to_str().unwrap(), keyring(), clock()).await.unwrap();
}

#[tokio::test]
async fn another_program_cannot_replace_a_credential_either() {
    let bench = SqliteFile::open().await;
    store_key(bench.store(), "ateliere", "pk_1").await;
    bench.execute("UPDATE credentials SET state = 'revoked'").await.unwrap();
    // The shell of SQLite checks no references unless told so.
    bench.execute("PRAGMA foreign_keys = OFF").await.unwrap();
    for statement in [
        "INSERT OR REPLACE INTO credentials (scheme, key_id, algorithm, account)
         VALUES ('ateliere', 'pk_1', 'hmac-sha256', 'ops')",
        "INSERT INTO credentials (scheme, key_id, algorithm, account)
         VALUES ('ateliere', 'pk_1', 'hmac-sha256', 'ops')
         ON CONFLICT DO UPDATE SET state = 'active'",
        "UPDATE OR REPLACE credentials SET state = 'active'",
        "DELETE FROM credentials",
    ] {
        assert!(bench.execute(statement).await.is_err(), "{statement}");
    }
    let found = find(bench.store(), "ateliere", "pk_1").await.unwrap();
    assert_eq!(found.state, CredentialState::Revoked);
}

#[tokio::test]
async fn a_row_whose_owner_is_gone_lets_nobody_in() {
    let bench = SqliteFile::open().await;
    store_key(bench.store(), "ateliere", "pk_1").await;
    bench.execute("PRAGMA foreign_keys = OFF").await.unwrap();
    bench.execute("UPDATE credentials SET organization = 'nowhere'").await.unwrap();
    let found = find(bench.store(), "ateliere", "pk_1").await.unwrap();
    assert_eq!(found.state, CredentialState::Disabled);
    bench.execute("UPDATE credentials SET organization = NULL, account = 'nobody'").await.unwrap();
    assert!(find(bench.store(), "ateliere", "pk_1").await.is_none());
}

#[tokio::test]
async fn a_database_that_cannot_be_opened_is_an_error_at_once() {
    let folder = TempDir::new().unwrap();
    let no_database = folder.path().join("notes.txt");
    fs::write(&no_database, "these are notes, and no pages of a database".repeat(100)).unwrap();
    let start = Instant::now();
    for url in [
        folder.path().join("no/such/folder/keys.db").to_str().unwrap(),
        folder.path().to_str().unwrap(),
        no_database.to_str().unwrap(),
        "sqlite:keys.db?mode=nonsense",
    ] {
        let error = SqliteKeyStore::open(url, keyring(), clock()).await.unwrap_err();
        assert!(error.source().is_some(), "{url}: {}", chain(&error));
    }
    assert!(start.elapsed().as_secs() < 5);
}

#[tokio::test]
async fn a_schema_is_brought_up_to_date_when_told_to() {
    let folder = TempDir::new().unwrap();
    let url = format!("sqlite:{}", folder.path().join("keys.db").display());
    let database = SqliteDatabase::open(&url).await.unwrap();
    let before = database.migrations().await.unwrap();
    assert!(before.iter().all(|step| !step.applied));
    assert_eq!((before[0].version, before[0].name.as_str()), (1, "keys"));

    let refused = SqliteKeyStore::new(&database, keyring(), clock()).await.unwrap_err();
    assert!(chain(&refused).contains("countersign migrate"), "{}", chain(&refused));

    for _ in 0..2 {
        database.migrate().await.unwrap();
        assert!(database.migrations().await.unwrap().iter().all(|step| step.applied));
    }
    SqliteKeyStore::new(&database, keyring(), clock()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_programs_may_open_a_new_database_at_once() {
    for _ in 0..10 {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("keys.db");
        let url = path.to_str().unwrap();
        let open = || SqliteKeyStore::open(url, keyring(), clock());
        let (one, other, third) = tokio::join!(open(), open(), open());
        for opened in [one, other, third] {
            opened.unwrap_or_else(|error| panic!("{}", chain(&error)));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_may_ask_and_write_at_once() {
    let bench = SqliteFile::open().await;
    store_key(bench.store(), "ateliere", "pk_0").await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 1..=40 {
        let store = bench.store().clone();
        tasks.spawn(async move {
            let key_id = format!("pk_{number}");
            store.create_credential(&new_key("ateliere", &key_id)).await.unwrap();
            assert!(find(&store, "ateliere", &key_id).await.is_some());
            assert!(find(&store, "ateliere", "pk_0").await.is_some());
        });
    }
    tasks.join_all().await;
    assert_eq!(bench.store().credentials().await.unwrap().len(), 41);
}

#[tokio::test]
async fn of_two_that_make_the_same_key_one_is_told() {
    let bench = SqliteFile::open().await;
    bench.store().create_account(&principal("ops"), None).await.unwrap();
    let new = new_key("ateliere", "pk_1");
    let (one, other) =
        tokio::join!(bench.store().create_credential(&new), bench.store().create_credential(&new));
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
}

//! The store in Postgres: the suites' bench, and what is particular to a server.

use super::{
    sql::{SqlBench, chain, clock, keyring},
    *,
};
use crate::support::postgres::Database;
use countersign::{
    envelope::{Keyring, Sealed},
    store::{PostgresDatabase, PostgresKeyStore},
};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, PgPool, postgres::PgPoolOptions};
use std::{error::Error as _, net::TcpListener, sync::Arc, time::Instant};

/// A database of the test's own, with a connection that knows none of the store's settings.
pub(super) struct PostgresTables {
    store: PostgresKeyStore,
    clock: Arc<ManualClock>,
    plain: PgPool,
    database: Database,
}

impl Bench for PostgresTables {
    type Store = PostgresKeyStore;

    async fn open() -> Self {
        let (database, clock) = (Database::migrated().await, clock());
        let store = PostgresKeyStore::open(database.url(), keyring(), Arc::clone(&clock)).await.unwrap();
        let plain = PgPoolOptions::new().max_connections(1).connect(database.url()).await.unwrap();
        Self { store, clock, plain, database }
    }

    fn store(&self) -> &PostgresKeyStore {
        &self.store
    }
}

impl SqlBench for PostgresTables {
    fn clock(&self) -> &ManualClock {
        &self.clock
    }

    async fn open_with(&self, keyring: Keyring) -> Result<PostgresKeyStore, StoreError> {
        PostgresKeyStore::open(self.database.url(), keyring, Arc::clone(&self.clock)).await
    }

    async fn execute(&self, sql: &str) -> Result<u64, sqlx::Error> {
        let done = sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&self.plain).await?;
        Ok(done.rows_affected())
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
async fn what_cannot_be_reached_says_why_and_at_once() {
    let start = Instant::now();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let database = Database::empty().await;
    let absent = database.url().replacen("countersign_test", "nowhere", 1);
    for (url, reason) in [
        (&*format!("postgres://127.0.0.1:{free}/keys"), "refused"),
        (&absent, "does not exist"),
        ("postgres://127.0.0.1:port/keys", "invalid port"),
    ] {
        let error = PostgresKeyStore::open(url, keyring(), clock()).await.unwrap_err();
        assert!(error.source().is_some() && chain(&error).contains(reason), "{url}: {}", chain(&error));
    }
    assert!(start.elapsed().as_secs() < 5);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_not_waited_for() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://{}/keys", silent.local_addr().unwrap());
    let error = PostgresDatabase::open(&url).await.unwrap_err();
    assert!(chain(&error).contains("does not answer within 5 s"), "{}", chain(&error));
}

#[tokio::test]
async fn a_lookup_that_hangs_is_an_error() {
    let bench = PostgresTables::open().await;
    store_key(bench.store(), "ateliere", "pk_1").await;
    let mut holder = PgConnection::connect(bench.database.url()).await.unwrap();
    holder.execute("BEGIN; LOCK TABLE credentials IN ACCESS EXCLUSIVE MODE").await.unwrap();
    tokio::time::pause();
    let error = try_find(bench.store(), "ateliere", "pk_1").await.unwrap_err();
    assert!(error.source().is_some(), "{}", chain(&error));
    tokio::time::resume();
    holder.execute("ROLLBACK").await.unwrap();
    assert!(find(bench.store(), "ateliere", "pk_1").await.is_some());
}

#[tokio::test]
async fn a_schema_is_brought_up_to_date_when_told_to() {
    let empty = Database::empty().await;
    let database = PostgresDatabase::open(empty.url()).await.unwrap();
    let before = database.migrations().await.unwrap();
    assert!(before.iter().all(|step| !step.applied));
    assert_eq!((before[0].version, before[0].name.as_str()), (1, "keys"));

    let refused = PostgresKeyStore::new(&database, keyring(), clock()).await.unwrap_err();
    assert!(chain(&refused).contains("countersign migrate"), "{}", chain(&refused));

    for _ in 0..2 {
        database.migrate().await.unwrap();
        assert!(database.migrations().await.unwrap().iter().all(|step| step.applied));
    }
    PostgresKeyStore::new(&database, keyring(), clock()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn several_programs_may_open_a_new_database_at_once() {
    let empty = Database::empty().await;
    let open = || PostgresKeyStore::open(empty.url(), keyring(), clock());
    let (one, other, third) = tokio::join!(open(), open(), open());
    for opened in [one, other, third] {
        opened.unwrap_or_else(|error| panic!("{}", chain(&error)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_make_the_same_key_one_is_told() {
    let bench = PostgresTables::open().await;
    let store = bench.store();
    store.create_account(&principal("ops"), None).await.unwrap();
    for round in 0..20 {
        let new = new_key("ateliere", &format!("pk_{round}"));
        let (one, other) = tokio::join!(store.create_credential(&new), store.create_credential(&new));
        assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
        let told = one.err().or_else(|| other.err()).unwrap();
        assert_eq!(told.to_string(), "there is already such a key id");
    }
}

#[tokio::test]
async fn tables_are_not_emptied_either() {
    let bench = PostgresTables::open().await;
    store_key(bench.store(), "ateliere", "pk_1").await;
    for statement in [
        "TRUNCATE organizations CASCADE",
        "TRUNCATE accounts CASCADE",
        "TRUNCATE credentials CASCADE",
        "TRUNCATE secret_versions",
        "INSERT INTO credentials (scheme, key_id, algorithm, account)
         VALUES ('ateliere', 'pk_1', 'hmac-sha256', 'ops')",
    ] {
        assert!(bench.execute(statement).await.is_err(), "{statement}");
    }
    bench.execute("UPDATE credentials SET state = 'revoked'").await.unwrap();
    let upsert = "INSERT INTO credentials (scheme, key_id, algorithm, account)
                  VALUES ('ateliere', 'pk_1', 'hmac-sha256', 'ops')
                  ON CONFLICT (scheme, key_id) DO UPDATE SET state = 'active'";
    assert!(bench.execute(upsert).await.unwrap_err().to_string().contains("stays revoked"));
    let found = find(bench.store(), "ateliere", "pk_1").await.unwrap();
    assert_eq!(found.state, CredentialState::Revoked);
}

/// Otherwise the revision of a credential that is just being made would miss the change.
#[tokio::test]
async fn an_owner_does_not_change_while_a_credential_is_bound_to_it() {
    let bench = PostgresTables::open().await;
    let store = bench.store();
    for name in ["acme", "globex"] {
        store.create_organization(&organization(name), None).await.unwrap();
    }
    store.create_account(&principal("ops"), Some(&organization("globex"))).await.unwrap();
    bench.execute("SET lock_timeout = 50").await.unwrap();

    let mut maker = PgConnection::connect(bench.database.url()).await.unwrap();
    let bind = "BEGIN; INSERT INTO credentials (scheme, key_id, algorithm, account, organization) \
                VALUES ('ateliere', 'pk_1', 'hmac-sha256', 'ops', 'acme')";
    maker.execute(bind).await.unwrap();
    let changes = [
        "UPDATE accounts SET state = 'disabled'",
        "UPDATE organizations SET state = 'disabled' WHERE id = 'acme'",
        "UPDATE organizations SET state = 'disabled' WHERE id = 'globex'",
    ];
    for change in changes {
        assert!(bench.execute(change).await.is_err(), "{change} does not wait");
    }
    maker.execute("COMMIT").await.unwrap();
    for (change, revision) in changes.into_iter().zip(2..) {
        bench.execute(change).await.unwrap();
        assert_eq!(find(store, "ateliere", "pk_1").await.unwrap().revision, revision, "{change}");
    }
}

#[tokio::test]
async fn a_name_that_the_database_cannot_hold_is_not_its_fault() {
    let bench = PostgresTables::open().await;
    let refused = bench.store().create_organization(&organization("acme"), Some("Ac\0me")).await;
    assert_eq!(refused.unwrap_err().kind(), AdminErrorKind::Invalid);
}

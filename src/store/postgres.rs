//! Credentials in Postgres: one database for many servers.
//!
//! # Poolers
//!
//! A pooler that hands a connection on after each transaction, as pgbouncer does with `pool_mode = transaction`, must
//! keep prepared statements apart: pgbouncer from 1.21 on with `max_prepared_statements` above 0. An older one mixes
//! up the statements of its clients, and no setting of a client prevents that (a statement without a name may be
//! another client's by the time it is executed): connect directly, or through a pool with `pool_mode = session`. Such
//! a pooler is noticed when the database is opened, and refused. Nothing else need be set: the parameter
//! `extra_float_digits`, which pgbouncer does not take unless told to, is not sent.

use super::{
    By, Changes, StoreError,
    sql::{
        PATIENCE,
        access::sql_access,
        code, in_time,
        line::{Line, on_line},
        listen,
        schema::{ours, require_applied, sql_migrations},
        source::sql_source,
        sql_key_store, sql_lifecycle, sql_refusals, sql_upkeep, sql_usage,
        tokens::sql_tokens,
    },
};
use crate::{clock::Clock, envelope::Sealer};
use sqlx::{
    ConnectOptions, Connection, PgConnection, PgPool, Postgres, Transaction,
    migrate::{Migrate, Migrator},
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::{convert::Infallible, error::Error, fmt, path::Path, sync::Arc};

/// Connections that one store holds at most.
const CONNECTIONS: u32 = 10;
/// The advisory lock that is held while the schema changes: the first eight letters of the crate's name.
const SCHEMA_LOCK: i64 = i64::from_be_bytes(*b"counters");

/// An open Postgres database, before it is known whether a keyring belongs to it.
#[derive(Clone)]
pub struct PostgresDatabase(PgPool);

impl PostgresDatabase {
    /// Opens a database by URL: `postgres://user:password@host:5432/database?sslmode=verify-full`. What the URL leaves
    /// open comes from the usual environment (`PGHOST`, `PGUSER`, `PGPASSWORD` …).
    ///
    /// # Security
    ///
    /// Without `sslmode`, TLS is used if the server offers it, and the server may be anybody. `verify-full` demands
    /// TLS and a certificate of that host: from a public authority, or from the one in the file `sslrootcert`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the URL is none, if the database cannot be reached within five seconds, or if a pooler stands
    /// before it that mixes up prepared statements.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let options = options(url)?;
        in_time(probe(&options)).await?;
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(PATIENCE);
        Ok(Self(pool.connect_lazy_with(options)))
    }

    fn steps() -> Migrator {
        let mut steps = ours(sqlx::migrate!("migrations/postgres"));
        // That lock would belong to a session, which a pooler hands on to others.
        steps.set_locking(false);
        steps
    }

    async fn begin_alone(&self) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        let mut transaction = self.0.begin().await?;
        let lock = sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(SCHEMA_LOCK);
        lock.execute(&mut *transaction).await?;
        Ok(transaction)
    }
}

sql_migrations!(PostgresDatabase over Postgres, is_there: "SELECT count(*) FROM pg_class WHERE oid = to_regclass($1)");

fn options(url: &str) -> Result<PgConnectOptions, StoreError> {
    let options = url.parse::<PgConnectOptions>().map_err(StoreError::new)?;
    // No statement has a fraction in it, and poolers refuse a connection that asks for this.
    Ok(options.extra_float_digits(None).application_name("countersign"))
}

/// Makes the first connections. A pool would try until it gives up, and then tell that it gave up, but not why.
async fn probe(options: &PgConnectOptions) -> Result<(), StoreError> {
    let mut first = options.connect().await.map_err(StoreError::new)?;
    let mut second = options.connect().await.map_err(StoreError::new)?;
    // Both connections give their first statement the same name. If they lead to one and the same session, the names
    // collide: here and now, and not at the first request in a busy hour.
    let asked = async {
        sqlx::query("SELECT 1").execute(&mut first).await?;
        sqlx::query("SELECT 2").execute(&mut second).await?;
        sqlx::query("SELECT 1").execute(&mut first).await
    };
    asked.await.map_err(|error| match code(&error).as_deref() {
        Some("42P05" | "26000") => StoreError::new(Pooled(error)),
        _ => StoreError::new(error),
    })?;
    close(first).await;
    close(second).await;
    Ok(())
}

async fn close(connection: PgConnection) {
    // The answer is there; whether the goodbye arrives makes no difference.
    drop(connection.close().await);
}

/// Two connections lead to one session.
#[derive(Debug)]
struct Pooled(sqlx::Error);

impl fmt::Display for Pooled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a pooler mixes up prepared statements: set max_prepared_statements (pgbouncer 1.21 or later) or \
             pool_mode = session, or connect directly",
        )
    }
}

impl Error for Pooled {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

/// A key store in a Postgres database, with the secrets sealed under a keyring.
///
/// An answer is as new as the last commit, of whatever program: nothing is cached here, but by a
/// [`CachingKeyStore`](super::CachingKeyStore) before it. Keys that were made for
/// demonstration are not found.
///
/// ```no_run
/// use countersign::{clock::SystemClock, envelope::Keyring, store::PostgresKeyStore};
/// use std::path::Path;
///
/// # async fn open() -> Result<(), Box<dyn std::error::Error>> {
/// let url = "postgres://countersign@db.example.com/keys?sslmode=verify-full";
/// let keyring = Keyring::load(Path::new("/etc/countersign/keyring"))?;
/// let store = PostgresKeyStore::open(url, keyring, SystemClock).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PostgresKeyStore {
    pool: PgPool,
    line: Arc<Line<PgConnection>>,
    /// Where to listen, if not where the pool leads.
    listen: Option<PgConnectOptions>,
    keyring: Arc<dyn Sealer>,
    clock: Arc<dyn Clock>,
    demo_keys: bool,
    by: Option<By>,
}

impl PostgresKeyStore {
    /// Opens a database by URL, brings its schema up to date and checks that the keyring belongs to it.
    ///
    /// # Errors
    ///
    /// As [`PostgresDatabase::open`], [`PostgresDatabase::migrate`] and [`new`](Self::new).
    pub async fn open(url: &str, keyring: impl Sealer, clock: impl Clock) -> Result<Self, StoreError> {
        let database = PostgresDatabase::open(url).await?;
        database.migrate().await?;
        Self::new(&database, keyring, clock).await
    }

    /// Checks that the keyring belongs to a database, and makes a new active key of it known there.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the keyring lacks a key that the database was sealed with or has another of its name: the
    /// source is a [`CanaryError`](crate::envelope::CanaryError) and says what to do. Also if the schema is not up to
    /// date.
    pub async fn new(
        database: &PostgresDatabase,
        keyring: impl Sealer,
        clock: impl Clock,
    ) -> Result<Self, StoreError> {
        require_applied(&database.migrations().await?).map_err(StoreError::new)?;
        let store = Self {
            pool: database.0.clone(),
            line: Arc::new(Line::new()),
            listen: None,
            keyring: Arc::new(keyring),
            clock: Arc::new(clock),
            demo_keys: false,
            by: None,
        };
        store.check_keyring().await?;
        Ok(store)
    }

    /// Has a cache listen at another URL for what changes: the server's own, where the store is reached through a pooler
    /// that hands connections on after each transaction. Nothing can be heard through such a one. That is noticed, and
    /// the cache asks again for what is older than
    /// [`CacheLimits::degraded_max_age`](super::CacheLimits::degraded_max_age).
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the URL is none.
    pub fn with_listen_url(mut self, url: &str) -> Result<Self, StoreError> {
        self.listen = Some(options(url)?);
        Ok(self)
    }

    /// Whether what changes can be heard: makes a listening connection, and sends itself a message over the way that
    /// changes take.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the connection cannot be made, or if nothing is heard for three seconds, as behind a pooler.
    pub async fn hear_oneself(&self) -> Result<(), StoreError> {
        listen::hear_oneself(self, &self.listening()).await
    }

    async fn follow(&self, changes: &Changes) -> Result<Infallible, StoreError> {
        listen::listen(self, &self.listening(), changes).await
    }

    fn listening(&self) -> PgConnectOptions {
        self.listen.clone().unwrap_or_else(|| (*self.pool.connect_options()).clone())
    }

    async fn raise_barrier(&self) -> Result<i64, StoreError> {
        let number = sqlx::query_scalar::<_, i64>("SELECT nextval('barriers')").fetch_one(&self.pool);
        let number = number.await.map_err(StoreError::new)?;
        self.notify(&self.channel().await?, &format!("barrier\u{1f}{number}")).await?;
        Ok(number)
    }

    pub(super) async fn newest_barrier(&self) -> Result<i64, StoreError> {
        let newest = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM barriers";
        on_line!(self, |line| sqlx::query_scalar(newest).fetch_one(line))
    }

    /// Where changes are told.
    pub(super) async fn channel(&self) -> Result<String, StoreError> {
        let channel = "SELECT 'countersign_' || quote_ident(current_schema())::regnamespace::oid";
        on_line!(self, |line| sqlx::query_scalar(channel).fetch_one(line))
    }

    pub(super) async fn notify(&self, channel: &str, text: &str) -> Result<(), StoreError> {
        let notify = "SELECT pg_notify($1, $2)";
        on_line!(self, |line| sqlx::query(notify).bind(channel).bind(text).execute(line)).map(drop)
    }

    /// A name that nobody else has.
    pub(super) fn random_name(&self) -> String {
        let mut random = [0; 8];
        self.clock.fill(&mut random);
        hex::encode(random)
    }

    /// Says in the audit log that `by` makes what is made by this handle, where nobody else is named. Without it, the
    /// log names the database user.
    #[must_use]
    pub fn with_actor(mut self, by: By) -> Self {
        self.by = Some(by);
        self
    }

    /// The connections, for tables of the application's own in the same database.
    #[must_use]
    pub const fn pool(&self) -> &PgPool {
        &self.pool
    }
}

impl fmt::Debug for PostgresKeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PostgresKeyStore(..)")
    }
}

sql_access!(PostgresKeyStore);
sql_key_store!(PostgresKeyStore over Postgres);
sql_source!(PostgresKeyStore over PgConnection, rows: "json_array_elements($1::json)", tells_at_once: true);
sql_lifecycle!(PostgresKeyStore over Postgres);
sql_upkeep!(PostgresKeyStore over Postgres);
sql_tokens!(PostgresKeyStore over Postgres);
sql_usage!(PostgresKeyStore over Postgres);

sql_refusals!(PostgresKeyStore over Postgres);

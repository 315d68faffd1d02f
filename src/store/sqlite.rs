//! Credentials in an embedded SQLite database: a file, and no server to run.

use super::{
    StoreError,
    sql::{
        PATIENCE,
        access::sql_access,
        code,
        schema::{require_applied, sql_migrations},
        sql_key_store,
        tokens::sql_tokens,
    },
};
use crate::{clock::Clock, envelope::Keyring};
use sqlx::{
    Sqlite, SqlitePool, Transaction,
    migrate::{Migrate, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{fmt, path::Path, sync::Arc, time::Duration};

/// SQLite has one writer at a time; a few connections are enough to read beside it.
const CONNECTIONS: u32 = 4;
/// Between two attempts to open a file that another program is just making.
const PAUSE: Duration = Duration::from_millis(20);

/// An open SQLite database, before it is known whether a keyring belongs to it.
#[derive(Clone)]
pub struct SqliteDatabase(SqlitePool);

impl SqliteDatabase {
    /// Opens a database by path or URL (`sqlite:data/keys.db`) and creates the file if there is none.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the URL is none, or the file cannot be opened or is no database.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let options = url
            .parse::<SqliteConnectOptions>()
            .map_err(StoreError::new)?
            .create_if_missing(true)
            .foreign_keys(true)
            .busy_timeout(PATIENCE)
            .journal_mode(SqliteJournalMode::Wal)
            // The usual choice beside a write-ahead log would lose the last commits in a power failure. One of them
            // may be a revocation.
            .synchronous(SqliteSynchronous::Full);
        connect(options).await.map(Self).map_err(StoreError::new)
    }

    const fn steps() -> Migrator {
        sqlx::migrate!("migrations/sqlite")
    }

    /// The steps do not wait for each other by themselves when two programs start together.
    async fn begin_alone(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        self.0.begin_with("BEGIN IMMEDIATE").await
    }
}

sql_migrations!(SqliteDatabase, is_there: "SELECT count(*) FROM sqlite_schema WHERE name = $1");

async fn connect(options: SqliteConnectOptions) -> Result<SqlitePool, sqlx::Error> {
    let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(PATIENCE);
    let mut left = PATIENCE.as_millis() / PAUSE.as_millis();
    loop {
        match pool.clone().connect_with(options.clone()).await {
            // A new file gets its write-ahead log from the first program that opens it. SQLite does not let a second
            // one wait for that, in spite of the timeout.
            Err(error) if is_busy(&error) && left > 0 => tokio::time::sleep(PAUSE).await,
            connected => return connected,
        }
        left -= 1;
    }
}

/// Whether another program holds the file: `SQLITE_BUSY` and `SQLITE_BUSY_RECOVERY`.
fn is_busy(error: &sqlx::Error) -> bool {
    code(error).is_some_and(|code| matches!(&*code, "5" | "261"))
}

/// A key store in a SQLite database, with the secrets sealed under a keyring.
///
/// An answer is as new as the last commit, of whatever program: nothing is cached here.
///
/// ```
/// use countersign::{
///     clock::{Clock, SystemClock},
///     envelope::Keyring,
///     store::SqliteKeyStore,
/// };
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let (database, file) = (folder.path().join("keys.db"), folder.path().join("keyring"));
/// # let database = database.to_str().ok_or("the path is no text")?;
/// let (clock, mut random) = (SystemClock::default(), [0; 32]);
/// clock.fill(&mut random);
/// SqliteKeyStore::open(database, Keyring::create(&file, random)?, clock).await?;
///
/// // Another keyring does not open it.
/// clock.fill(&mut random);
/// let refused = SqliteKeyStore::open(database, Keyring::generate(random), clock).await;
/// assert!(refused.is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct SqliteKeyStore {
    pool: SqlitePool,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    demo_keys: bool,
}

impl SqliteKeyStore {
    /// Opens a database by path or URL, brings its schema up to date and checks that the keyring belongs to it.
    ///
    /// # Errors
    ///
    /// As [`SqliteDatabase::open`], [`SqliteDatabase::migrate`] and [`new`](Self::new).
    pub async fn open(url: &str, keyring: Keyring, clock: impl Clock) -> Result<Self, StoreError> {
        let database = SqliteDatabase::open(url).await?;
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
        database: &SqliteDatabase,
        keyring: Keyring,
        clock: impl Clock,
    ) -> Result<Self, StoreError> {
        require_applied(&database.migrations().await?).map_err(StoreError::new)?;
        let store = Self {
            pool: database.0.clone(),
            keyring: Arc::new(keyring),
            clock: Arc::new(clock),
            demo_keys: false,
        };
        store.check_keyring().await?;
        Ok(store)
    }

    /// Also finds keys that were made for demonstration.
    ///
    /// # Security
    ///
    /// Their secrets lie readable beside the database: only for a server that no stranger can reach.
    #[must_use]
    pub const fn with_demo_keys(mut self) -> Self {
        self.demo_keys = true;
        self
    }

    /// The connections, for tables of the application's own in the same database.
    #[must_use]
    pub const fn pool(&self) -> &SqlitePool {
        &self.pool
    }
}

impl fmt::Debug for SqliteKeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SqliteKeyStore(..)")
    }
}

sql_access!(SqliteKeyStore);
sql_key_store!(SqliteKeyStore over Sqlite);
sql_tokens!(SqliteKeyStore over Sqlite);

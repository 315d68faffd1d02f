//! Credentials in an embedded SQLite database: a file, and no server to run.

use super::{
    By, Changes, StoreError,
    sql::{
        PATIENCE,
        access::sql_access,
        code, in_time,
        line::Line,
        poll,
        schema::{ours, require_applied, sql_migrations},
        source::sql_source,
        sql_key_store, sql_lifecycle, sql_refusals, sql_upkeep, sql_usage,
        tokens::sql_tokens,
    },
};
use crate::{clock::Clock, envelope::Sealer};
use sqlx::{
    Sqlite, SqliteConnection, SqlitePool, Transaction,
    migrate::{Migrate, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{convert::Infallible, fmt, path::Path, sync::Arc, time::Duration};

/// SQLite has one writer at a time; a few connections are enough to read beside it.
const CONNECTIONS: u32 = 4;
/// Between two attempts to open a file that another program is just making.
const PAUSE: Duration = Duration::from_millis(20);

/// An open SQLite database, before it is known whether a keyring belongs to it.
#[derive(Clone)]
pub struct SqliteDatabase(SqlitePool);

impl SqliteDatabase {
    /// Opens a database by path or URL (`sqlite:data/keys.db`) and creates the file if there is none, readable by its
    /// owner alone.
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
        create_private(options.get_filename());
        connect(options).await.map(Self).map_err(StoreError::new)
    }

    fn steps() -> Migrator {
        ours(sqlx::migrate!("migrations/sqlite"))
    }

    /// The steps do not wait for each other by themselves when two programs start together.
    async fn begin_alone(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        self.0.begin_with("BEGIN IMMEDIATE").await
    }
}

sql_migrations!(SqliteDatabase over Sqlite, is_there: "SELECT count(*) FROM sqlite_schema WHERE name = $1");

/// Makes the file before SQLite does, which would let everybody read who has keys and when they end. The files beside it
/// get the same rights from SQLite.
#[cfg(unix)]
fn create_private(path: &Path) {
    use std::os::unix::fs::OpenOptionsExt;

    // The name of a database in memory begins so.
    if !path.to_string_lossy().starts_with("file:") {
        let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        // It is there already, or cannot be made, which SQLite will tell.
        drop(file);
    }
}

#[cfg(not(unix))]
fn create_private(_: &Path) {}

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
/// An answer is as new as the last commit, of whatever program: nothing is cached here, but by a
/// [`CachingKeyStore`](super::CachingKeyStore) before it.
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
    line: Arc<Line<SqliteConnection>>,
    keyring: Arc<dyn Sealer>,
    clock: Arc<dyn Clock>,
    demo_keys: bool,
    by: Option<By>,
}

impl SqliteKeyStore {
    /// Opens a database by path or URL, brings its schema up to date and checks that the keyring belongs to it.
    ///
    /// # Errors
    ///
    /// As [`SqliteDatabase::open`], [`SqliteDatabase::migrate`] and [`new`](Self::new).
    pub async fn open(url: &str, keyring: impl Sealer, clock: impl Clock) -> Result<Self, StoreError> {
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
        keyring: impl Sealer,
        clock: impl Clock,
    ) -> Result<Self, StoreError> {
        require_applied(&database.migrations().await?).map_err(StoreError::new)?;
        let store = Self {
            pool: database.0.clone(),
            line: Arc::new(Line::new()),
            keyring: Arc::new(keyring),
            clock: Arc::new(clock),
            demo_keys: false,
            by: None,
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

    async fn follow(&self, changes: &Changes) -> Result<Infallible, StoreError> {
        poll::poll(self, changes).await
    }

    /// A barrier is a row among the changes, and its number the row's.
    async fn raise_barrier(&self) -> Result<i64, StoreError> {
        let raised = sqlx::query_scalar("INSERT INTO changes (what) VALUES ('barrier') RETURNING seq");
        raised.fetch_one(&self.pool).await.map_err(StoreError::new)
    }

    async fn newest_barrier(&self) -> Result<i64, StoreError> {
        let newest = sqlx::query_scalar("SELECT coalesce(max(seq), 0) FROM changes").fetch_one(&self.pool);
        in_time(async { newest.await.map_err(StoreError::new) }).await
    }

    /// Says in the audit log that `by` makes what is made by this handle, where nobody else is named. Without it, the
    /// log names `sql`.
    #[must_use]
    pub fn with_actor(mut self, by: By) -> Self {
        self.by = Some(by);
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
sql_source!(SqliteKeyStore over SqliteConnection, rows: "json_each($1)", tells_at_once: false);
sql_lifecycle!(SqliteKeyStore over Sqlite);
sql_upkeep!(SqliteKeyStore over Sqlite);
sql_tokens!(SqliteKeyStore over Sqlite);
sql_usage!(SqliteKeyStore over Sqlite);

sql_refusals!(SqliteKeyStore over Sqlite);

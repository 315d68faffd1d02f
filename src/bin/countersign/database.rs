//! The databases that keep keys, behind one face: which one it is, its URL says.

use crate::failure::{Exit, Failure};
use async_trait::async_trait;
use countersign::{
    clock::SystemClock,
    envelope::Keyring,
    store::{
        AccessAdmin, AuditLog, By, Instances, KeyAdmin, KeyLifecycle, KeyStore, Migration, OpenSecrets,
        PostgresDatabase, PostgresKeyStore, RefusalLog, SqliteDatabase, SqliteKeyStore, StoreError,
        TokenAdmin, Upkeep, UsageLog,
    },
};
use sqlx::{postgres::PgConnectOptions, sqlite::SqliteConnectOptions};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

/// Where a database is.
#[derive(Debug)]
pub enum Location {
    /// On a server.
    Postgres,
    /// In this file.
    Sqlite(PathBuf),
}

impl Location {
    /// Reads a URL.
    pub fn of(url: &str) -> Result<Self, Failure> {
        match url.split_once("://").map(|(engine, _)| engine) {
            Some("postgres" | "postgresql") => {
                let options = url.parse::<PgConnectOptions>();
                options.map(|_| Self::Postgres).map_err(|error| {
                    let hint = "write it like postgres://user:password@host/database?sslmode=verify-full";
                    Failure::usage("the database URL cannot be read", hint).because(&error)
                })
            }
            None | Some("sqlite") => {
                let options = url.parse::<SqliteConnectOptions>();
                options.map(|options| Self::Sqlite(options.get_filename().to_owned())).map_err(|error| {
                    let hint = "write it like sqlite://data/countersign.db";
                    Failure::usage("the database URL cannot be read", hint).because(&error)
                })
            }
            Some(engine) => {
                let message = format!("`{engine}` is no database that this program can open");
                let hint = "name another: `--database-url`, with a URL that begins with sqlite: or postgres:";
                Err(Failure::usage(message, hint))
            }
        }
    }
}

/// A key store, whatever keeps it.
#[async_trait]
pub trait AnyKeyStore:
    AccessAdmin
    + AuditLog
    + KeyAdmin
    + KeyLifecycle
    + KeyStore
    + OpenSecrets
    + RefusalLog
    + TokenAdmin
    + Upkeep
    + UsageLog
{
    /// Waits until no running server goes by what was true before, at most so long.
    async fn wait_for_instances(&self, patience: Duration) -> Result<Instances, StoreError>;

    /// What time it is to the database.
    async fn database_time(&self) -> Result<SystemTime, StoreError>;

    /// Whether what changes can be heard, at `url` if that is another; `None` where nobody listens.
    async fn hear_oneself(&self, url: Option<&str>) -> Result<Option<()>, StoreError>;
}

#[async_trait]
impl AnyKeyStore for PostgresKeyStore {
    async fn wait_for_instances(&self, patience: Duration) -> Result<Instances, StoreError> {
        Self::wait_for_instances(self, patience).await
    }

    async fn database_time(&self) -> Result<SystemTime, StoreError> {
        Self::database_time(self).await
    }

    async fn hear_oneself(&self, url: Option<&str>) -> Result<Option<()>, StoreError> {
        let listening = url.map_or_else(|| Ok(self.clone()), |url| self.clone().with_listen_url(url))?;
        Self::hear_oneself(&listening).await.map(Some)
    }
}

#[async_trait]
impl AnyKeyStore for SqliteKeyStore {
    async fn wait_for_instances(&self, patience: Duration) -> Result<Instances, StoreError> {
        Self::wait_for_instances(self, patience).await
    }

    async fn database_time(&self) -> Result<SystemTime, StoreError> {
        Self::database_time(self).await
    }

    async fn hear_oneself(&self, _: Option<&str>) -> Result<Option<()>, StoreError> {
        Ok(None)
    }
}

/// An open database, before it is known whether a keyring belongs to it.
#[derive(Debug)]
pub enum Database {
    Postgres(PostgresDatabase),
    Sqlite(SqliteDatabase),
}

impl Database {
    /// Opens a database. A file is created if there is none.
    pub async fn open(url: &str, location: &Location) -> Result<Self, StoreError> {
        match location {
            Location::Postgres => PostgresDatabase::open(url).await.map(Self::Postgres),
            Location::Sqlite(_) => SqliteDatabase::open(url).await.map(Self::Sqlite),
        }
    }

    /// The name of the engine.
    pub const fn engine(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "postgres",
            Self::Sqlite(_) => "sqlite",
        }
    }

    /// The steps of the schema, and which of them are applied.
    pub async fn migrations(&self) -> Result<Vec<Migration>, StoreError> {
        match self {
            Self::Postgres(database) => database.migrations().await,
            Self::Sqlite(database) => database.migrations().await,
        }
    }

    /// The operator's own steps, and which of them are applied.
    pub async fn migrations_in(&self, folder: &Path) -> Result<Vec<Migration>, StoreError> {
        match self {
            Self::Postgres(database) => database.migrations_in(folder).await,
            Self::Sqlite(database) => database.migrations_in(folder).await,
        }
    }

    /// Brings the schema up to date.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        match self {
            Self::Postgres(database) => database.migrate().await,
            Self::Sqlite(database) => database.migrate().await,
        }
    }

    /// Applies the operator's own steps.
    pub async fn migrate_in(&self, folder: &Path) -> Result<(), StoreError> {
        match self {
            Self::Postgres(database) => database.migrate_in(folder).await,
            Self::Sqlite(database) => database.migrate_in(folder).await,
        }
    }

    /// Brings a file up to date. On a server, which others use as well, that is left to the command for it.
    pub async fn prepare(&self) -> Result<(), Failure> {
        let Self::Postgres(database) = self else {
            return self.migrate().await.map_err(|error| unusable(&error));
        };
        let steps = database.migrations().await.map_err(|error| unusable(&error))?;
        let Some(missing) = steps.iter().find(|step| !step.applied) else { return Ok(()) };
        let message = format!("the database lacks migration {}", missing.version);
        let hint = "bring it up to date: `countersign migrate`";
        Err(Failure::new(Exit::Unreachable, "store_unreachable", message, hint))
    }

    /// Opens the key store in it. Whoever can open the database is no stranger, and may use demonstration keys.
    pub async fn key_store(&self, keyring: Keyring, by: By) -> Result<Arc<dyn AnyKeyStore>, StoreError> {
        Ok(match self {
            Self::Postgres(database) => {
                Arc::new(PostgresKeyStore::new(database, keyring, SystemClock).await?.with_actor(by))
            }
            Self::Sqlite(database) => {
                let store = SqliteKeyStore::new(database, keyring, SystemClock).await?;
                Arc::new(store.with_demo_keys().with_actor(by))
            }
        })
    }
}

/// A key store that does not do what it is asked.
pub fn unusable(error: &StoreError) -> Failure {
    Failure::unreachable("the key store cannot be used").because(error)
}

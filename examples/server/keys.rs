//! Opens the key store: in the embedded database, or on a Postgres server if the database's URL names one.

use crate::{
    config::{Config, Engine},
    schema::apps::Apps,
};
use anyhow::Context as _;
use async_trait::async_trait;
use countersign::{
    clock::{Clock as _, SystemClock},
    envelope::{CanaryError, Keyring},
    store::{
        By, CachingKeyStore, KeyAdmin, KeyCensus, KeyStore, OpenSecrets, PostgresDatabase, PostgresKeyStore,
        RefusalLog, Source, SqliteKeyStore, TokenAdmin, UsageLog, UseLog,
    },
};
use std::{error::Error as _, fs, path::Path, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};

/// Between two attempts to reach a database that is waited for.
const PAUSE: Duration = Duration::from_millis(500);

/// The key store, whatever its engine.
#[derive(Clone)]
pub(crate) struct Keys {
    /// What manages it.
    pub(crate) admin: Arc<dyn Store>,
    cached: Arc<dyn Cache>,
}

/// Who the audit log says it was.
const ACTOR: &str = "server";

/// What the server asks a key store for.
pub(crate) trait Store:
    Apps + KeyAdmin + KeyCensus + OpenSecrets + RefusalLog + TokenAdmin + UsageLog + UseLog
{
}

impl<S: Apps + KeyAdmin + KeyCensus + OpenSecrets + RefusalLog + TokenAdmin + UsageLog + UseLog> Store for S {}

/// What verifies requests: the store behind a cache, which forgets what changes.
#[async_trait]
pub(crate) trait Cache: KeyStore {
    /// Says that this server ends, so that no command waits for it.
    async fn close(&self);
}

#[async_trait]
impl<S: Source> Cache for CachingKeyStore<S> {
    async fn close(&self) {
        if let Err(error) = Self::close(self).await {
            tracing::warn!(%error, "the key store cannot be told that this server ends");
        }
    }
}

impl Keys {
    fn new<S: Store + Source>(store: S) -> Self {
        let cached = Arc::new(CachingKeyStore::new(store));
        Self { admin: Arc::clone(cached.source()) as _, cached }
    }

    /// The side that verifies.
    pub(crate) fn cached(&self) -> Arc<dyn Cache> {
        Arc::clone(&self.cached)
    }
}

/// Opens the key store and brings its tables up to date.
pub(crate) async fn open(config: &Config) -> anyhow::Result<Keys> {
    Ok(match config.engine()? {
        Engine::Postgres => {
            let keyring = Keyring::load(&config.keyring_file)
                .context("name the keyring of the database, or make one with `countersign migrate`")?;
            let mut store = postgres(config, keyring).await?.with_actor(By::new(ACTOR));
            if let Some(url) = &config.listen_database_url {
                store = store.with_listen_url(url).context("cannot read the URL for listening")?;
            }
            Keys::new(store)
        }
        Engine::Sqlite => {
            let store = embedded(config).await?.with_actor(By::new(ACTOR));
            Keys::new(if config.demo() { store.with_demo_keys() } else { store })
        }
    })
}

/// Opens a database on a server; tries again for as long as the operator wants to wait for it.
async fn postgres(config: &Config, keyring: Keyring) -> anyhow::Result<PostgresKeyStore> {
    let end = Instant::now() + Duration::from_secs(config.database_wait);
    let database = loop {
        match PostgresDatabase::open(&config.database_url).await {
            Err(error) if Instant::now() < end => {
                let cause = error.source().map(ToString::to_string).unwrap_or_default();
                tracing::warn!(cause, "waiting for the database");
                sleep(PAUSE).await;
            }
            // The URL may hold a password.
            opened => {
                break opened.context(
                    "cannot open the key store in Postgres (if it is still starting, --database-wait SECONDS waits)",
                )?;
            }
        }
    };
    database.migrate().await.context("cannot prepare the key store in Postgres")?;
    let store = PostgresKeyStore::new(&database, keyring, SystemClock).await;
    store.context("cannot open the key store in Postgres")
}

/// Opens the embedded database; beside it, a keyring is made if there is none.
async fn embedded(config: &Config) -> anyhow::Result<SqliteKeyStore> {
    make_folder_of(&config.beside_the_database("countersign.db"))?;
    let (keyring, is_new) = keyring(&config.keyring_file)?;
    let opened = SqliteKeyStore::open(&config.database_url, keyring, SystemClock).await;
    let file = config.keyring_file.display();
    match &opened {
        // Left behind, it would only hide that the right one is missing.
        Err(error) if is_new && error.source().is_some_and(|cause| cause.is::<CanaryError>()) => {
            fs::remove_file(&config.keyring_file).with_context(|| format!("cannot remove {file} again"))?;
        }
        _ if is_new => {
            eprintln!("made the keyring {file}: without it no stored secret can be opened, so back it up");
        }
        _ => {}
    }
    opened.with_context(|| format!("cannot open {}", config.database_url))
}

/// The keyring, and whether it was made just now.
fn keyring(file: &Path) -> anyhow::Result<(Keyring, bool)> {
    match Keyring::load(file) {
        Err(error) if error.is_missing() => {
            make_folder_of(file)?;
            let mut random = [0; 32];
            SystemClock.fill(&mut random);
            Ok((Keyring::create(file, random)?, true))
        }
        loaded => Ok((loaded?, false)),
    }
}

fn make_folder_of(file: &Path) -> anyhow::Result<()> {
    let folder = file.parent().unwrap_or_else(|| Path::new(""));
    fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))
}

//! Opens the key store: in the embedded database, or on a Postgres server if the database's URL names one.

use crate::{
    config::{Config, Engine},
    schema::apps::Apps,
};
use anyhow::Context as _;
use countersign::{
    clock::{Clock as _, SystemClock},
    envelope::Keyring,
    store::{KeyAdmin, KeyStore, PostgresKeyStore, SqliteKeyStore},
};
use std::{fs, path::Path, sync::Arc};

/// The key store, whatever its engine.
pub(crate) type Keys = Arc<dyn Store>;

/// What the server asks a key store for.
pub(crate) trait Store: Apps + KeyAdmin + KeyStore {}

impl<S: Apps + KeyAdmin + KeyStore> Store for S {}

/// Opens the key store and brings its tables up to date.
pub(crate) async fn open(config: &Config) -> anyhow::Result<Keys> {
    let url = config.database_url.as_str();
    Ok(match config.engine()? {
        Engine::Postgres => {
            let keyring = Keyring::load(&config.keyring_file)
                .context("name the keyring of the database, or make one with `countersign migrate`")?;
            let store = PostgresKeyStore::open(url, keyring, SystemClock).await;
            // The URL may hold a password.
            Arc::new(store.context("cannot open the key store in Postgres")?)
        }
        Engine::Sqlite => {
            let folder = config.beside_the_database("");
            let made = fs::create_dir_all(&folder);
            made.with_context(|| format!("cannot make the folder {}", folder.display()))?;
            let store = SqliteKeyStore::open(url, keyring(&config.keyring_file)?, SystemClock).await;
            let store = store.with_context(|| format!("cannot open {url}"))?;
            Arc::new(if config.demo() { store.with_demo_keys() } else { store })
        }
    })
}

/// The keyring of an embedded database; made if there is none.
fn keyring(file: &Path) -> anyhow::Result<Keyring> {
    if file.exists() {
        return Ok(Keyring::load(file)?);
    }
    let mut random = [0; 32];
    SystemClock.fill(&mut random);
    let keyring = Keyring::create(file, random)?;
    eprintln!(
        "made the keyring {}: without it the stored secrets cannot be opened, so back it up",
        file.display()
    );
    Ok(keyring)
}

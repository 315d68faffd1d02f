//! Opens the key store: in the embedded database, or on a Postgres server if the database's URL names one.

use crate::{
    config::{Config, Engine},
    schema::apps::Apps,
};
use anyhow::Context as _;
use countersign::{
    clock::{Clock as _, SystemClock},
    envelope::{CanaryError, Keyring},
    store::{KeyAdmin, KeyStore, PostgresKeyStore, SqliteKeyStore, TokenAdmin},
};
use std::{error::Error as _, fs, path::Path, sync::Arc};

/// The key store, whatever its engine.
pub(crate) type Keys = Arc<dyn Store>;

/// What the server asks a key store for.
pub(crate) trait Store: Apps + KeyAdmin + KeyStore + TokenAdmin {}

impl<S: Apps + KeyAdmin + KeyStore + TokenAdmin> Store for S {}

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
            let store = embedded(config).await?;
            Arc::new(if config.demo() { store.with_demo_keys() } else { store })
        }
    })
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

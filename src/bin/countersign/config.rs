//! Where the key store is: the options, their defaults, and how it is opened.

use crate::{
    failure::{Exit, Failure},
    output::Output,
};
use clap::Args;
use countersign::{
    clock::{Clock, SystemClock},
    credential::KeyId,
    envelope::{CanaryError, Keyring, KeyringError},
    store::{Found, KeyAdmin, KeyStore, Lookup, Record, SqliteDatabase, SqliteKeyStore, StoreError},
};
use sqlx::sqlite::SqliteConnectOptions;
use std::{
    error::Error as _,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

const DATABASE_URL: &str = "sqlite://data/countersign.db";
const KEYRING_FILE: &str = "data/keyring";

/// The read side of a key store.
pub type Keys = Arc<dyn KeyStore>;

/// Where the key store is.
#[derive(Debug, Args)]
#[command(next_help_heading = "Key store")]
pub struct StoreArgs {
    /// The database
    // A URL may hold a password, which help must not show.
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true, default_value = DATABASE_URL)]
    database_url: String,

    /// The file with the keys that seal the secrets
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_KEYRING_FILE", default_value = KEYRING_FILE)]
    keyring_file: PathBuf,
}

/// An open key store.
#[derive(Debug)]
pub struct Store(Arc<SqliteKeyStore>);

impl Store {
    /// The side that manages.
    pub fn admin(&self) -> &dyn KeyAdmin {
        &*self.0
    }

    /// The side that reads.
    pub fn keys(&self) -> Keys {
        Arc::<SqliteKeyStore>::clone(&self.0)
    }

    /// What to know about a key that only some servers take.
    pub async fn caveat(&self, scheme: &str, key_id: &KeyId) -> Option<&'static str> {
        let key = self.0.credential(scheme, key_id).await.ok().filter(|key| key.demo);
        key.map(|_| "a demonstration key: servers take it only where no stranger can reach them")
    }

    /// Looks something up, and waits for it.
    pub async fn find(&self, lookup: Lookup<'_>) -> Result<Option<Record>, Failure> {
        match self.0.find(lookup) {
            Found::Ready(record) => Ok(record),
            Found::Pending(record) => record.await.map_err(|error| unreachable(&error)),
        }
    }
}

impl StoreArgs {
    /// Opens a database that must be there already: a mistyped URL must not look like a store without keys.
    pub async fn open_existing(&self) -> Result<Store, Failure> {
        self.must_exist()?;
        let keyring = Keyring::load(&self.keyring_file).map_err(|error| self.keyring(&error))?;
        self.open(keyring).await
    }

    /// Opens a database; creates it, and a keyring for it, if there is none.
    pub async fn open_or_create(&self, output: &Output) -> Result<Store, Failure> {
        create_folder_of(&self.file()?)?;
        match Keyring::load(&self.keyring_file) {
            Err(error) if error.is_missing() => self.open_with_new_keyring(output).await,
            Err(error) => Err(self.keyring(&error)),
            Ok(keyring) => self.open(keyring).await,
        }
    }

    /// Opens a database without its keyring, and without bringing its schema up to date.
    pub async fn open_as_it_is(&self) -> Result<SqliteDatabase, Failure> {
        self.must_exist()?;
        SqliteDatabase::open(&self.database_url).await.map_err(|error| unreachable(&error))
    }

    async fn open(&self, keyring: Keyring) -> Result<Store, Failure> {
        store(SqliteKeyStore::open(&self.database_url, keyring, SystemClock).await)
    }

    async fn open_with_new_keyring(&self, output: &Output) -> Result<Store, Failure> {
        let path = &self.keyring_file;
        create_folder_of(path)?;
        let mut random = [0; 32];
        SystemClock.fill(&mut random);
        let keyring = Keyring::create(path, random).map_err(|error| self.keyring(&error))?;
        let opened = SqliteKeyStore::open(&self.database_url, keyring, SystemClock).await;
        match &opened {
            // Nothing is sealed with it, and left behind it would only hide that the right one is missing. After any
            // other failure it stays: another program may have begun to seal with it by now.
            Err(error) if error.source().is_some_and(|cause| cause.is::<CanaryError>()) => {
                let _ = fs::remove_file(path);
            }
            _ => output.note(format!(
                "made a new keyring, {} (mode 0600): keep a copy, for without it no stored secret can be opened",
                path.display()
            )),
        }
        store(opened)
    }

    /// The file of the database, if its URL names one that this program can open.
    fn file(&self) -> Result<PathBuf, Failure> {
        let url = self.database_url.as_str();
        if let Some((engine, _)) = url.split_once("://").filter(|(engine, _)| *engine != "sqlite") {
            let message = format!("`{engine}` is no database that this program can open yet");
            return Err(Failure::usage(
                message,
                "name a SQLite database: `--database-url sqlite://data/countersign.db`",
            ));
        }
        let options = url.parse::<SqliteConnectOptions>();
        options.map(|options| options.get_filename().to_owned()).map_err(|error| {
            Failure::usage("the database URL cannot be read", "write it like sqlite://data/countersign.db")
                .because(&error)
        })
    }

    fn must_exist(&self) -> Result<(), Failure> {
        let file = self.file()?;
        if file.exists() {
            return Ok(());
        }
        let message = format!("there is no database at {}", file.display());
        let hint = "create it with `countersign migrate`, or name another: `--database-url`";
        Err(Failure::new(Exit::Unreachable, "store_unreachable", message, hint))
    }

    fn keyring(&self, error: &KeyringError) -> Failure {
        let path = self.keyring_file.display();
        let hint = if error.is_missing() {
            "name the keyring that the database was made with: `--keyring-file`, or COUNTERSIGN_KEYRING_FILE"
        } else {
            "a keyring is a file of lines `id/base64` that its owner alone may read"
        };
        let message = format!("the keyring {path} cannot be used");
        Failure::new(Exit::Unreachable, "keyring_unusable", message, hint).because(error)
    }
}

fn store(opened: Result<SqliteKeyStore, StoreError>) -> Result<Store, Failure> {
    // Whoever can open the database is no stranger.
    opened.map(|store| Store(Arc::new(store.with_demo_keys()))).map_err(|error| unreachable(&error))
}

fn unreachable(error: &StoreError) -> Failure {
    Failure::unreachable("the key store cannot be used").because(error)
}

fn create_folder_of(file: &Path) -> Result<(), Failure> {
    let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) else { return Ok(()) };
    fs::create_dir_all(folder).map_err(|error| {
        Failure::unreachable(format!("the folder {} cannot be made", folder.display())).because(&error)
    })
}

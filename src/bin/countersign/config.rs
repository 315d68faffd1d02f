//! Where the key store is: the options, their defaults, and how it is opened.

use crate::{
    database::{AnyKeyStore, Database, Location, unusable},
    failure::{Exit, Failure},
    output::Output,
};
use clap::Args;
use countersign::{
    clock::{Clock, SystemClock},
    credential::KeyId,
    envelope::{CanaryError, Keyring, KeyringError},
    store::{AccessAdmin, By, Found, KeyAdmin, KeyStore, Lookup, Record, StoreError, TokenAdmin},
};
use std::{
    env,
    error::Error as _,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

const DATABASE_URL: &str = "sqlite://data/countersign.db";
const KEYRING_FILE: &str = "data/keyring";
/// The variable that holds a keyring itself, where there is no place for a file.
const KEYRING: &str = "COUNTERSIGN_KEYRING";

/// The read side of a key store.
pub type Keys = Arc<dyn KeyStore>;

/// Where the key store is.
#[derive(Debug, Args)]
#[command(next_help_heading = "Key store")]
pub struct StoreArgs {
    /// The database: sqlite://FILE or postgres://…
    // A URL may hold a password, which help must not show.
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true, default_value = DATABASE_URL)]
    database_url: String,

    /// The file with the keys that seal the secrets; COUNTERSIGN_KEYRING may hold them instead
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_KEYRING_FILE", default_value = KEYRING_FILE)]
    keyring_file: PathBuf,

    /// Who the audit log says it was [default: the user]
    #[arg(long, value_name = "NAME", env = "COUNTERSIGN_ACTOR", hide_env_values = true)]
    actor: Option<String>,
}

/// An open key store.
#[derive(Debug)]
pub struct Store(Arc<dyn AnyKeyStore>);

/// Why something is changed.
#[derive(Debug, Args)]
pub struct ReasonArgs {
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Store {
    /// The side that manages.
    pub fn admin(&self) -> &dyn KeyAdmin {
        &*self.0
    }

    /// All that can be done with it.
    pub fn all(&self) -> &dyn AnyKeyStore {
        &*self.0
    }

    /// The side that manages rights.
    pub fn access(&self) -> &dyn AccessAdmin {
        &*self.0
    }

    /// The side that manages clients and tokens.
    pub fn tokens(&self) -> &dyn TokenAdmin {
        &*self.0
    }

    /// The side that reads.
    pub fn keys(&self) -> Keys {
        Arc::<dyn AnyKeyStore>::clone(&self.0)
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
            Found::Pending(record) => record.await.map_err(|error| unusable(&error)),
        }
    }
}

impl StoreArgs {
    /// Opens a database that must be there already: a mistyped URL must not look like a store without keys.
    pub async fn open_existing(&self) -> Result<Store, Failure> {
        self.must_exist()?;
        self.open(self.keyring()?).await
    }

    /// The same, for what is done for a reason.
    pub async fn open_existing_because(&self, reason: &ReasonArgs) -> Result<Store, Failure> {
        self.must_exist()?;
        let database = self.prepared().await?;
        store(database.key_store(self.keyring()?, self.by(reason)).await)
    }

    /// The keyring, without a database.
    pub fn keyring(&self) -> Result<Keyring, Failure> {
        self.load().map_err(|error| self.unusable_keyring(&error))
    }

    /// Who acts, and why.
    pub fn by(&self, reason: &ReasonArgs) -> By {
        let by = self.actor();
        match &reason.reason {
            Some(reason) => by.because(reason),
            None => by,
        }
    }

    fn actor(&self) -> By {
        let user = || env::var("USER").or_else(|_| env::var("LOGNAME")).ok().filter(|name| !name.is_empty());
        By::new(self.actor.clone().or_else(user).unwrap_or_else(|| "countersign".to_owned()))
    }

    fn load(&self) -> Result<Keyring, KeyringError> {
        Keyring::from_env(KEYRING).transpose().unwrap_or_else(|| Keyring::load(&self.keyring_file))
    }

    /// Opens a database; creates its file, and a keyring for it, if there is none.
    pub async fn open_or_create(&self, output: &Output) -> Result<Store, Failure> {
        self.create_folder()?;
        match self.load() {
            Err(error) if error.is_missing() => self.open_with_new_keyring(output).await,
            Err(error) => Err(self.unusable_keyring(&error)),
            Ok(keyring) => self.open(keyring).await,
        }
    }

    /// Opens a database without its keyring, and without bringing its schema up to date.
    pub async fn open_as_it_is(&self) -> Result<Database, Failure> {
        self.must_exist()?;
        self.database().await
    }

    /// Opens a database, creates its file if there is none, and brings its schema up to date.
    pub async fn open_migrated(&self) -> Result<Database, Failure> {
        self.create_folder()?;
        let database = self.database().await?;
        database.migrate().await.map_err(|error| unusable(&error))?;
        Ok(database)
    }

    async fn database(&self) -> Result<Database, Failure> {
        let opened = Database::open(&self.database_url, &self.location()?).await;
        opened.map_err(|error| unusable(&error))
    }

    async fn prepared(&self) -> Result<Database, Failure> {
        let database = self.database().await?;
        database.prepare().await?;
        Ok(database)
    }

    async fn open(&self, keyring: Keyring) -> Result<Store, Failure> {
        let database = self.prepared().await?;
        store(database.key_store(keyring, self.actor()).await)
    }

    async fn open_with_new_keyring(&self, output: &Output) -> Result<Store, Failure> {
        let path = &self.keyring_file;
        create_folder_of(path)?;
        let mut random = [0; 32];
        SystemClock.fill(&mut random);
        // A keyring for a database that is not ready would be one that nobody asked for.
        let database = self.prepared().await?;
        let keyring = Keyring::create(path, random).map_err(|error| self.unusable_keyring(&error))?;
        let opened = database.key_store(keyring, self.actor()).await;
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

    fn location(&self) -> Result<Location, Failure> {
        Location::of(&self.database_url)
    }

    fn create_folder(&self) -> Result<(), Failure> {
        match self.location()? {
            Location::Postgres => Ok(()),
            Location::Sqlite(file) => create_folder_of(&file),
        }
    }

    fn must_exist(&self) -> Result<(), Failure> {
        // Whether there is such a database on a server, only the server knows.
        let Location::Sqlite(file) = self.location()? else { return Ok(()) };
        if file.exists() {
            return Ok(());
        }
        let message = format!("there is no database at {}", file.display());
        let hint = "create it with `countersign migrate`, or name another: `--database-url`";
        Err(Failure::new(Exit::Unreachable, "store_unreachable", message, hint))
    }

    fn unusable_keyring(&self, error: &KeyringError) -> Failure {
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

fn store(opened: Result<Arc<dyn AnyKeyStore>, StoreError>) -> Result<Store, Failure> {
    opened.map(Store).map_err(|error| unusable(&error))
}

fn create_folder_of(file: &Path) -> Result<(), Failure> {
    let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) else { return Ok(()) };
    fs::create_dir_all(folder).map_err(|error| {
        Failure::unreachable(format!("the folder {} cannot be made", folder.display())).because(&error)
    })
}

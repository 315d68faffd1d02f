//! A database with one row of each kind, and the door that an operator has beside the program: plain SQL.

use super::CLOCK;
use crate::support::postgres;
use countersign::store::PostgresKeyStore;
use countersign::{
    credential::{KeyId, Organization, Principal, SecretHash, TokenAlgorithm, TokenKey},
    envelope::Keyring,
    secret::Secret,
    signature::Algorithm,
    store::{
        Instances, KeyAdmin, NewClient, NewCredential, NewReadToken, NewSigningKey, Source, SqliteKeyStore,
        StoreError, TokenAdmin,
    },
};
use sqlx::{
    AssertSqlSafe, PgPool, SqlitePool,
    postgres::PgPoolOptions,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};
use std::time::Duration;
use tempfile::TempDir;

pub(super) const TOKEN: &[u8] = b"rat_0123456789abcdef0123456789abcdef";

/// A database of one engine.
pub(super) trait Bench: Sized {
    type Store: KeyAdmin + Source + TokenAdmin;

    async fn open() -> Self;

    /// One more store over the database, as another server has.
    async fn store(&self) -> Self::Store;

    /// Executes a statement as an operator does.
    async fn execute(&self, sql: &str);

    async fn wait(store: &Self::Store, patience: Duration) -> Result<Instances, StoreError>;
}

pub(super) struct OnPostgres {
    pub(super) database: postgres::Database,
    plain: PgPool,
}

impl Bench for OnPostgres {
    type Store = PostgresKeyStore;

    async fn open() -> Self {
        let database = postgres::Database::migrated().await;
        let plain = PgPoolOptions::new().max_connections(1).connect(database.url()).await.unwrap();
        Self { database, plain }
    }

    async fn store(&self) -> PostgresKeyStore {
        PostgresKeyStore::open(self.database.url(), keyring(), CLOCK).await.unwrap()
    }

    async fn execute(&self, sql: &str) {
        let done = sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&self.plain).await;
        done.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    async fn wait(store: &PostgresKeyStore, patience: Duration) -> Result<Instances, StoreError> {
        store.wait_for_instances(patience).await
    }
}

pub(super) struct OnSqlite {
    folder: TempDir,
    plain: SqlitePool,
}

impl OnSqlite {
    fn url(folder: &TempDir) -> String {
        folder.path().join("keys.db").to_str().unwrap().to_owned()
    }
}

impl Bench for OnSqlite {
    type Store = SqliteKeyStore;

    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        SqliteKeyStore::open(&Self::url(&folder), keyring(), CLOCK).await.unwrap();
        let options = SqliteConnectOptions::new().filename(Self::url(&folder));
        let plain = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
        Self { folder, plain }
    }

    async fn store(&self) -> SqliteKeyStore {
        SqliteKeyStore::open(&Self::url(&self.folder), keyring(), CLOCK).await.unwrap()
    }

    async fn execute(&self, sql: &str) {
        let done = sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&self.plain).await;
        done.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    async fn wait(store: &SqliteKeyStore, patience: Duration) -> Result<Instances, StoreError> {
        store.wait_for_instances(patience).await
    }
}

fn keyring() -> Keyring {
    Keyring::generate([7; 32])
}

/// Makes one row of each kind: the key `pk` of `ateliere`, installed in `globex`; the client `c`; the read token
/// [`TOKEN`]; the signing key `one`. Account and organization of all are `ops` and `acme`.
pub(super) async fn fill(store: &(impl KeyAdmin + TokenAdmin)) {
    let (acme, globex) = (Organization::new("acme").unwrap(), Organization::new("globex").unwrap());
    let (ops, pk) = (Principal::new("ops").unwrap(), KeyId::new("pk").unwrap());
    store.create_organization(&acme, None).await.unwrap();
    store.create_organization(&globex, None).await.unwrap();
    store.create_account(&ops, Some(&acme)).await.unwrap();
    add_key(store, "pk").await;
    store.install("ateliere", &pk, &globex).await.unwrap();
    let secret = |text: &[u8]| Secret::new(text).unwrap();
    let client = NewClient::new(KeyId::new("c").unwrap(), ops.clone(), secret(TOKEN));
    store.create_client(&client).await.unwrap();
    let token = NewReadToken::new(KeyId::new("reports").unwrap(), ops, acme, secret(TOKEN));
    store.create_read_token(&token).await.unwrap();
    let public = TokenKey::new(KeyId::new("one").unwrap(), TokenAlgorithm::Es256, b"public".as_slice());
    store.add_signing_key(&NewSigningKey::new(public, secret(b"private"))).await.unwrap();
}

/// Makes a key of `ops`.
pub(super) async fn add_key(store: &impl KeyAdmin, key_id: &str) {
    let secret = Secret::new("3f9a64b0d1c84e3db2f7a5908c6e1d42").unwrap();
    let (key_id, ops) = (KeyId::new(key_id).unwrap(), Principal::new("ops").unwrap());
    let mut key = NewCredential::new("ateliere", key_id, Algorithm::HmacSha256, ops, secret);
    key.organization = Some(Organization::new("acme").unwrap());
    store.create_credential(&key).await.unwrap();
}

/// The hash of [`TOKEN`].
pub(super) fn hash() -> SecretHash {
    SecretHash::of(TOKEN)
}

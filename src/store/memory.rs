//! Credentials in memory: for tests, examples and programs with a handful of fixed keys.

use super::{Found, KeyStore, Lookup, Record};
use crate::credential::{Credential, Installation, KeyId, Organization};
use std::{
    collections::HashMap,
    fmt,
    sync::{PoisonError, RwLock},
};

/// A key store in memory.
///
/// ```
/// use countersign::{
///     credential::{Credential, Principal, SecretVersion},
///     secret::Secret,
///     signature::{Algorithm, MacKey},
///     store::MemoryKeyStore,
/// };
///
/// let secret = Secret::new("Iw5N12MYleOULxdfMH43SK9ZAmjPyFKt")?;
/// let key = MacKey::new(Algorithm::SandwichSha1, &secret);
/// let store = MemoryKeyStore::new();
/// store.insert(
///     "corezoid",
///     "13000",
///     Credential::new(Principal::new("ops-bot")?, [SecretVersion::new(1, key)]),
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
pub struct MemoryKeyStore(RwLock<Tables>);

#[derive(Default)]
struct Tables {
    /// By scheme, then by key id: a lookup borrows the names and allocates nothing.
    credentials: HashMap<String, HashMap<String, Credential>>,
    /// By scheme, then by key id, then by organization.
    installations: HashMap<String, HashMap<String, HashMap<String, Installation>>>,
}

impl MemoryKeyStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Stores a credential under a scheme and key id, in place of the one that is there.
    pub fn insert(&self, scheme: &str, key_id: &str, credential: Credential) {
        self.write(|tables| {
            let scheme = tables.credentials.entry(scheme.to_owned()).or_default();
            scheme.insert(key_id.to_owned(), credential);
        });
    }

    /// Installs an app in an organization.
    pub fn install(&self, scheme: &str, app: &KeyId, organization: &Organization) {
        self.write(|tables| {
            let scheme = tables.installations.entry(scheme.to_owned()).or_default();
            let app = scheme.entry(app.to_string()).or_default();
            app.insert(organization.to_string(), Installation::new(organization.clone()));
        });
    }

    /// Removes an app from an organization.
    pub fn uninstall(&self, scheme: &str, app: &KeyId, organization: &Organization) {
        self.write(|tables| {
            let scheme = tables.installations.get_mut(scheme);
            if let Some(app) = scheme.and_then(|scheme| scheme.get_mut(app.as_str())) {
                app.remove(organization.as_str());
            }
        });
    }

    fn write(&self, change: impl FnOnce(&mut Tables)) {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }
}

impl KeyStore for MemoryKeyStore {
    fn find(&self, lookup: Lookup<'_>) -> Found {
        let tables = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Found::Ready(match lookup {
            Lookup::Key { scheme, key_id } => {
                let scheme = tables.credentials.get(scheme);
                scheme.and_then(|scheme| scheme.get(key_id)).cloned().map(Record::Credential)
            }
            Lookup::Installation { scheme, key_id, organization } => {
                let app = tables.installations.get(scheme).and_then(|scheme| scheme.get(key_id));
                app.and_then(|app| app.get(organization)).cloned().map(Record::Installation)
            }
        })
    }
}

impl fmt::Debug for MemoryKeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryKeyStore(..)")
    }
}

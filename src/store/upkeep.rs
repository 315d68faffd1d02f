//! What keeps a database of keys in order: taking in many keys at once, and sealing secrets again when a keyring gets
//! another active key.

use super::{AdminError, By, NewCredential};
use crate::{credential::KeyId, envelope::OpenError};
use async_trait::async_trait;
use std::fmt;

/// Looks after many keys at once.
#[async_trait]
pub trait Upkeep: fmt::Debug + Send + Sync + 'static {
    /// Stores new credentials with their first secrets: all of them, or none.
    ///
    /// # Errors
    ///
    /// As [`KeyAdmin::create_credential`](super::KeyAdmin::create_credential), without saying which credential it is
    /// about.
    async fn create_credentials(&self, batch: &[NewCredential]) -> Result<(), AdminError>;

    /// The keyring keys that the database knows, and how many secrets each of them seals.
    ///
    /// # Errors
    ///
    /// [`AdminErrorKind::Unavailable`](super::AdminErrorKind::Unavailable).
    async fn keyring_use(&self) -> Result<Vec<KeyringUse>, AdminError>;

    /// Seals up to `limit` secrets again that another keyring key than the active one seals, in the order of their
    /// places, from behind `after` on. Nothing is left to do when [`Resealed::last`] is `None`.
    ///
    /// Each call is one transaction. Whoever is interrupted begins again, and what was done stays done.
    ///
    /// # Errors
    ///
    /// [`AdminErrorKind::Unavailable`](super::AdminErrorKind::Unavailable).
    async fn reseal(&self, after: Option<&SecretPlace>, limit: u32, by: &By) -> Result<Resealed, AdminError>;

    /// How the secrets of a key look, by [`secret_hint`](super::secret_hint); of every key, if none is named. They are
    /// opened for it, and nothing of them is stored.
    ///
    /// # Errors
    ///
    /// [`AdminErrorKind::Unavailable`](super::AdminErrorKind::Unavailable).
    async fn secret_hints(&self, of: Option<(&str, &KeyId)>) -> Result<Vec<SecretHint>, AdminError>;

    /// Forgets a keyring key, so that a keyring without it belongs to the database.
    ///
    /// # Errors
    ///
    /// [`AdminErrorKind::Invalid`](super::AdminErrorKind::Invalid) while it seals a secret, and
    /// [`AdminErrorKind::NotFound`](super::AdminErrorKind::NotFound).
    async fn forget_keyring_key(&self, id: &str, by: &By) -> Result<(), AdminError>;
}

/// What a keyring key is used for.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct KeyringUse {
    /// Its id.
    pub id: String,
    /// How many secrets it seals, retired ones included.
    pub secrets: i64,
    /// Whether it seals what is written.
    pub active: bool,
}

/// The place of a stored secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SecretPlace {
    scheme: String,
    key_id: String,
    number: i64,
}

impl SecretPlace {
    pub(super) const fn new(scheme: String, key_id: String, number: i64) -> Self {
        Self { scheme, key_id, number }
    }

    pub(super) fn parts(&self) -> (&str, &str, i64) {
        (&self.scheme, &self.key_id, self.number)
    }
}

/// How a stored secret looks.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SecretHint {
    /// The scheme of its key.
    pub scheme: String,
    /// The id of its key.
    pub key_id: String,
    /// Its number.
    pub number: i64,
    /// What is shown of it, `None` if it is too short for that; or why it does not open.
    pub hint: Result<Option<String>, OpenError>,
}

/// What came of sealing again.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Resealed {
    /// How many secrets were sealed again.
    pub count: u64,
    /// Where to go on.
    pub last: Option<SecretPlace>,
    /// Secrets that do not open: they stay as they are.
    pub unopened: Vec<OpenError>,
}

//! The secrets of a key, opened: what it takes to explain why a request of its was refused.

use super::AdminError;
use crate::{credential::KeyId, secret::Secret};
use async_trait::async_trait;
use std::fmt;

/// Opens sealed secrets for an explanation.
///
/// # Security contract
///
/// Verification needs none of this: it gets secrets that are keyed already. Who holds this trait can read secrets that
/// were printed once and never again; it belongs to the operator's own tools, beside the keyring.
#[async_trait]
pub trait OpenSecrets: fmt::Debug + Send + Sync + 'static {
    /// The secrets of a key, the newest first and retired ones among them, then those of other keys of its account that
    /// a client may have mistaken for it: 32 at most. None, if there is no such key.
    ///
    /// # Errors
    ///
    /// [`AdminErrorKind::Unavailable`](super::AdminErrorKind::Unavailable), also if a secret does not open.
    async fn open_secrets(&self, scheme: &str, key_id: &KeyId) -> Result<Vec<OpenedSecret>, AdminError>;
}

/// A secret that a key has or had.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OpenedSecret {
    /// Whose it is.
    pub key_id: KeyId,
    /// Its number.
    pub number: i64,
    /// Whether it has not retired.
    pub live: bool,
    /// The secret.
    pub secret: Secret,
}

#[async_trait]
impl<S: OpenSecrets + ?Sized> OpenSecrets for std::sync::Arc<S> {
    async fn open_secrets(&self, scheme: &str, key_id: &KeyId) -> Result<Vec<OpenedSecret>, AdminError> {
        (**self).open_secrets(scheme, key_id).await
    }
}

impl OpenedSecret {
    /// A secret of a key.
    #[must_use]
    pub const fn new(key_id: KeyId, number: i64, live: bool, secret: Secret) -> Self {
        Self { key_id, number, live, secret }
    }
}

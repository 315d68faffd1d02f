//! The audit log: who changed what, when, and why.
//!
//! The database writes it by itself, so that a change by hand is noted as well, and lets nobody change it. Only a store
//! in a database has one.

use super::AdminError;
use crate::credential::KeyId;
use async_trait::async_trait;
use std::{fmt, time::SystemTime};

/// Reads the audit log.
#[async_trait]
pub trait AuditLog: fmt::Debug + Send + Sync + 'static {
    /// The entries that a query asks for, newest first.
    ///
    /// # Errors
    ///
    /// [`AdminErrorKind::Unavailable`](super::AdminErrorKind::Unavailable).
    async fn audit(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, AdminError>;
}

/// What is asked for: what is `None` is not asked about.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct AuditQuery {
    /// Changes of keys of this scheme.
    pub scheme: Option<String>,
    /// Changes of keys of this id.
    pub key_id: Option<KeyId>,
    /// Changes by this actor.
    pub actor: Option<String>,
    /// Changes from this moment on.
    pub since: Option<SystemTime>,
    /// Entries below this number: the number of the last one goes on behind it.
    pub before: Option<i64>,
    /// How many, at most.
    pub limit: u32,
}

impl AuditQuery {
    /// The latest entries.
    #[must_use]
    pub const fn latest(limit: u32) -> Self {
        Self { scheme: None, key_id: None, actor: None, since: None, before: None, limit }
    }
}

/// A change.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct AuditEntry {
    /// Its number, which rises.
    pub id: i64,
    /// When, by the clock of the database.
    pub at: SystemTime,
    /// Who made it, as [`By`](super::By) says; or else the database user, and `sql` in SQLite.
    pub actor: String,
    /// Why.
    pub reason: Option<String>,
    /// What was changed: `organization`, `account`, `key`, `secret`, `installation` or `keyring key`.
    pub subject: String,
    /// How: `create`, `change`, `enable`, `disable`, `revoke` or `delete`.
    pub verb: String,
    /// The scheme of the key that it is about.
    pub scheme: Option<String>,
    /// The key that it is about.
    pub key_id: Option<KeyId>,
    /// The name of what has no key id.
    pub name: Option<String>,
    /// What was before, as a JSON object; never a secret, sealed or not.
    pub was: Option<String>,
    /// What is since, as a JSON object.
    pub became: Option<String>,
}

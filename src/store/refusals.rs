//! A sample of the requests that were refused: what became of them, under the names that their callers know them by.

use super::StoreError;
use crate::credential::KeyId;
use async_trait::async_trait;
use std::{fmt, time::SystemTime};

/// A store that keeps a sample of refusals. It is not the audit log: it is short, and may be forgotten.
#[async_trait]
pub trait RefusalLog: fmt::Debug + Send + Sync + 'static {
    /// Adds refusals: all of them, or none.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be written.
    async fn add_refusals(&self, refusals: &[SampledRefusal]) -> Result<(), StoreError>;

    /// The refusals that a query asks for, with their numbers, newest first.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be asked.
    async fn refusals(&self, query: &RefusalQuery) -> Result<Vec<(i64, SampledRefusal)>, StoreError>;

    /// Forgets refusals before a moment, and all but about the latest `keep`. Says how many there were.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be written.
    async fn forget_refusals(&self, before: SystemTime, keep: u32) -> Result<u64, StoreError>;
}

/// A request that was refused. It holds nothing that a stranger has sent.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SampledRefusal {
    /// When. Whole seconds; what is finer is dropped.
    pub at: SystemTime,
    /// What the server called the request: 1 to 64 bytes.
    pub request_id: String,
    /// What became of it: a word of [`Outcome`](crate::Outcome).
    pub outcome: String,
    /// The scheme, if it was known.
    pub scheme: Option<String>,
    /// The key, client or read token, if there is one.
    pub key_id: Option<KeyId>,
}

impl SampledRefusal {
    /// A refusal of nobody known.
    #[must_use]
    pub fn new(at: SystemTime, request_id: &str, outcome: &str) -> Self {
        Self {
            at,
            request_id: request_id.to_owned(),
            outcome: outcome.to_owned(),
            scheme: None,
            key_id: None,
        }
    }
}

/// What is asked for: what is `None` is not asked about.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct RefusalQuery {
    /// The one of this request.
    pub request_id: Option<String>,
    /// Those that ended so.
    pub outcome: Option<String>,
    /// Those of this scheme.
    pub scheme: Option<String>,
    /// Those of this key.
    pub key_id: Option<KeyId>,
    /// Those from this moment on.
    pub since: Option<SystemTime>,
    /// Those below this number: the number of the last one goes on behind it.
    pub before: Option<i64>,
    /// How many, at most.
    pub limit: u32,
}

impl RefusalQuery {
    /// The latest refusals.
    #[must_use]
    pub const fn latest(limit: u32) -> Self {
        Self { request_id: None, outcome: None, scheme: None, key_id: None, since: None, before: None, limit }
    }
}

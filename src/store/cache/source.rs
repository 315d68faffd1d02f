//! What a cache stands before: a store that answers many questions at once and tells what changes.

use super::{Changes, key::Key};
use crate::{
    credential::SecretHash,
    store::{Lookup, Record, StoreError},
};
use async_trait::async_trait;
use std::fmt;

/// A question to a store, kept while the answer is on its way: a [`Lookup`] that owns its names.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Wanted {
    /// See [`Lookup::Key`].
    Key {
        /// The scheme's name.
        scheme: String,
        /// The key id.
        key_id: String,
    },
    /// See [`Lookup::Installation`].
    Installation {
        /// The scheme's name.
        scheme: String,
        /// The app.
        key_id: String,
        /// The organization.
        organization: String,
    },
    /// See [`Lookup::Client`].
    Client {
        /// The client id.
        client_id: String,
    },
    /// See [`Lookup::ReadToken`].
    ReadToken {
        /// The hash of the token.
        hash: SecretHash,
    },
    /// See [`Lookup::TokenKeys`].
    TokenKeys,
    /// See [`Lookup::SigningKey`].
    SigningKey,
}

impl Wanted {
    /// The question, to be asked.
    #[must_use]
    pub fn lookup(&self) -> Lookup<'_> {
        match self {
            Self::Key { scheme, key_id } => Lookup::Key { scheme, key_id },
            Self::Installation { scheme, key_id, organization } => {
                Lookup::Installation { scheme, key_id, organization }
            }
            Self::Client { client_id } => Lookup::Client { client_id },
            Self::ReadToken { hash } => Lookup::ReadToken { hash },
            Self::TokenKeys => Lookup::TokenKeys,
            Self::SigningKey => Lookup::SigningKey,
        }
    }
}

/// The answer to one of many questions.
pub type Loaded = Result<Option<Record>, StoreError>;

/// A running program that keeps answers of a store, as the store knows it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Lease<'a> {
    /// The name of the instance, unique among all that run.
    pub instance: &'a str,
    /// How long the instance trusts what it keeps without renewing this, in whole seconds.
    pub seconds: u32,
    /// The highest barrier up to which it has forgotten all that changed.
    pub acknowledged: i64,
}

/// A store that a [`CachingKeyStore`](super::CachingKeyStore) can stand before.
///
/// # Security contract
///
/// A change that is not told is noticed when the entry's time is up, and not before. Telling too much costs time;
/// telling too little costs the promise.
#[async_trait]
pub trait Source: fmt::Debug + Send + Sync + 'static {
    /// Answers many questions in one, each in the place of its question, as of a moment after the call. Never called
    /// again before the answer is there, or the caller has given up.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be asked. That one record cannot be used is the answer to that question
    /// alone.
    async fn load(&self, wanted: &[Wanted]) -> Result<Vec<Loaded>, StoreError>;

    /// Tells `changes` what changes, for as long as it can be relied on; then says why no longer. The caller calls
    /// again after a while.
    async fn watch(&self, changes: &Changes) -> StoreError;

    /// Makes an instance known, or notes that it is still there. Answers with the newest barrier.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be asked.
    async fn renew(&self, lease: Lease<'_>) -> Result<i64, StoreError>;

    /// The credentials that follow `after` in the order of scheme and key id (of all, if `None`), at most `limit`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be asked.
    async fn page(&self, after: Option<&Wanted>, limit: u32) -> Result<Vec<(Wanted, Loaded)>, StoreError>;

    /// Notes that an instance has ended.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be asked.
    async fn leave(&self, instance: &str) -> Result<(), StoreError>;

    /// Whether an insertion is told so soon after it that "there is none" may be kept for a second.
    fn tells_at_once(&self) -> bool;
}

/// A change, as the triggers of the database tell it and as [`Changes::tell`] reads it.
pub(super) enum Change {
    /// What is known about this key, app, client, token … has changed.
    Of(Key),
    /// Whoever sent it waits until everything that changed before is forgotten everywhere.
    Barrier(i64),
    /// Anything may have changed.
    All,
}

impl Change {
    /// Reads a text of a trigger. One that is not understood, perhaps of a later version, is taken for the worst.
    pub(super) fn read(text: &str) -> Self {
        if let Some(number) = text.strip_prefix("barrier\u{1f}") {
            return number.parse().map_or(Self::All, Self::Barrier);
        }
        Key::read(text).map_or(Self::All, Self::Of)
    }
}

//! Key stores: where credentials live.
//!
//! Reading and managing are two traits. [`KeyStore`] is all that a verification needs: one method, which answers at
//! once if it can. What an operator needs are [`KeyAdmin`] for keys, [`KeyLifecycle`] for what becomes of them later,
//! [`AccessAdmin`] for rights and [`TokenAdmin`] for clients, read tokens and signing keys. The same contract tests run
//! over every store.

mod access;
mod admin;
#[cfg(feature = "_sql")]
mod audit;
#[cfg(feature = "cache")]
mod cache;
#[cfg(feature = "_sql")]
mod census;
mod import;
mod last_used;
mod lifecycle;
mod memory;
mod opened;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "_sql")]
mod refusals;
#[cfg(feature = "_sql")]
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;
mod tokens;
#[cfg(feature = "_sql")]
mod upkeep;
mod usage;

#[cfg(feature = "cache")]
pub use self::cache::{CacheLimits, CachingKeyStore, Changes, Lease, Loaded, Source, Wanted};
#[cfg(feature = "postgres")]
pub use self::postgres::{PostgresDatabase, PostgresKeyStore};
#[cfg(feature = "_sql")]
pub use self::sql::{Instances, schema::Migration};
#[cfg(feature = "sqlite")]
pub use self::sqlite::{SqliteDatabase, SqliteKeyStore};
pub use self::{
    access::{AccessAdmin, Switch},
    admin::{
        Account, AdminError, AdminErrorKind, CredentialSummary, KeyAdmin, NewCredential, OrganizationSummary,
        SecretSummary,
    },
    import::{SecretRefused, check_secret, check_token, fingerprint, hint, secret_hint},
    last_used::{LastUsed, Use, UseLog},
    lifecycle::{By, ChangeRefused, KeyLifecycle, Limit, Overlap, Rotated, Rotation},
    memory::MemoryKeyStore,
    opened::{OpenSecrets, OpenedSecret},
    tokens::{
        ClientSummary, NewClient, NewReadToken, NewSigningKey, ReadTokenSummary, SigningKeySummary,
        TokenAdmin,
    },
    usage::{Caller, Counted, Counts, LATENCY_BOUNDS, Usage, UsageLog, UsageOf},
};
#[cfg(feature = "_sql")]
pub use self::{
    audit::{AuditEntry, AuditLog, AuditQuery},
    census::{KeyCensus, KeyCounts, keep_counting_keys},
    refusals::{RefusalLog, RefusalQuery, SampledRefusal},
    upkeep::{KeyringUse, Resealed, SecretHint, SecretPlace, Upkeep},
};

use crate::credential::{
    Credential, Installation, OAuthClient, ReadToken, SecretHash, SigningKey, TokenKeys,
};
use std::{error::Error, fmt, future::Future, pin::Pin, sync::Arc};

/// What a verification asks a store for.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Lookup<'a> {
    /// The credential with this key id in this scheme, with its live secrets.
    Key {
        /// The scheme's name; a key of another scheme is not found.
        scheme: &'a str,
        /// The key id as presented: arbitrary text.
        key_id: &'a str,
    },
    /// The installation of the app with this key id in this organization.
    Installation {
        /// The scheme's name.
        scheme: &'a str,
        /// The app.
        key_id: &'a str,
        /// The organization as presented: arbitrary text.
        organization: &'a str,
    },
    /// The OAuth client with this id, with its live secrets.
    Client {
        /// The client id as presented: arbitrary text.
        client_id: &'a str,
    },
    /// The read token with this hash.
    ReadToken {
        /// The hash of the token as presented.
        hash: &'a SecretHash,
    },
    /// The public keys by which tokens are verified.
    TokenKeys,
    /// The key that signs tokens now.
    SigningKey,
}

/// What a store knows. A verification moves it more than once, so what is large or rare is shared.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Record {
    /// The answer to [`Lookup::Key`].
    Credential(Credential),
    /// The answer to [`Lookup::Installation`].
    Installation(Installation),
    /// The answer to [`Lookup::Client`].
    Client(Arc<OAuthClient>),
    /// The answer to [`Lookup::ReadToken`].
    ReadToken(Arc<ReadToken>),
    /// The answer to [`Lookup::TokenKeys`]; there is none if every key has retired.
    TokenKeys(Arc<TokenKeys>),
    /// The answer to [`Lookup::SigningKey`]; there is none if no key may sign.
    SigningKey(Arc<SigningKey>),
}

/// The answer to a lookup: there already, or on its way.
#[must_use]
pub enum Found {
    /// Known at once, without waiting; `None` if there is no such record.
    Ready(Option<Record>),
    /// To be waited for.
    Pending(Pin<Box<dyn Future<Output = Result<Option<Record>, StoreError>> + Send>>),
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(record) => f.debug_tuple("Ready").field(record).finish(),
            Self::Pending(_) => f.write_str("Pending(..)"),
        }
    }
}

/// Finds what a verification needs.
///
/// # Security contract
///
/// * "There is none" (`None`) and "cannot be asked" ([`StoreError`]) are different answers: the first refuses a
///   caller, the second makes the server say 503. A sealed secret that does not open is the second.
/// * A key id is arbitrary text from a stranger: it is bound, never spliced, and compared byte for byte.
/// * An answer is as new as the store's documentation promises; a revoked credential never comes back.
pub trait KeyStore: fmt::Debug + Send + Sync + 'static {
    /// Answers `lookup`.
    fn find(&self, lookup: Lookup<'_>) -> Found;
}

impl<S: KeyStore + ?Sized> KeyStore for Arc<S> {
    fn find(&self, lookup: Lookup<'_>) -> Found {
        (**self).find(lookup)
    }
}

/// The store could not be asked, or its answer could not be used. The cause is its [`source`](Error::source).
///
/// It can be cloned, for all who asked the same question.
#[derive(Clone, Debug)]
pub struct StoreError(Arc<dyn Error + Send + Sync>);

impl StoreError {
    /// Wraps a cause.
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(cause.into().into())
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the key store cannot be asked")
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

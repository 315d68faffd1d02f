//! A cache before a key store, whose entries end with the change that makes them wrong.
//!
//! `key` is what an entry is filed under, `entries` what is kept, `terms` in which form, `trust` how far it is
//! trusted, `loader` how it gets there, `preload` before it is wanted, `changes` how it goes, `upkeep` what goes on behind it, and `source` what a store must do to
//! stand behind it.

mod changes;
mod entries;
mod key;
mod limits;
mod loader;
mod preload;
mod source;
mod terms;
#[cfg(test)]
mod tests;
mod trust;
mod upkeep;

pub use self::{
    changes::Changes,
    limits::CacheLimits,
    source::{Lease, Loaded, Source, Wanted},
};

use self::{
    entries::{Entries, Hit},
    key::Key,
    loader::{Answer, Loader},
    terms::Kept,
    trust::Trust,
};
use super::{Found, KeyStore, Lookup, Record, StoreError};
use crate::{
    clock::{Clock, SystemClock},
    credential::{KeyId, Organization},
    metrics::{self, LookedUp},
};
use std::{error::Error, fmt, sync::Arc, time::Duration};
use tokio::{
    sync::{Notify, oneshot},
    time::timeout,
};

/// How long somebody waits for the store …
const PATIENCE: Duration = Duration::from_secs(5);
/// … and how long if there is an entry to go by.
const SHORT_PATIENCE: Duration = Duration::from_secs(1);

/// Keeps the records of a key store in memory, and forgets each when it changes.
///
/// A record that is kept is found at once: without waiting, without a lock, without an allocation. What is not kept is
/// asked for together with whatever else is wanted at that moment, in one question at a time.
///
/// # How fast a change is effective
///
/// Every row that decides over access counts: organization, account, credential, secret version, installation, client,
/// read token, signing key; and whoever changes it, by whatever program.
///
/// * In normal running within a second: some milliseconds after the commit on Postgres, a quarter of a second on
///   SQLite.
/// * Whatever breaks, within [`CacheLimits::max_age`]. An instance that cannot renew its lease in the store stops trusting
///   what it keeps when the lease ends, before anybody else takes it for dead.
///
/// # When the store cannot be asked
///
/// Records that are kept go on working up to their age and the lease. For all else the answer is [`StoreError`], which
/// makes the server say 503. It recovers by itself.
///
/// ```no_run
/// use countersign::{
///     clock::SystemClock,
///     envelope::Keyring,
///     scheme::Ateliere,
///     store::{CachingKeyStore, PostgresKeyStore},
///     verify::SignatureVerifier,
/// };
/// use std::{path::Path, sync::Arc};
///
/// # async fn open() -> Result<(), Box<dyn std::error::Error>> {
/// let keyring = Keyring::load(Path::new("/etc/countersign/keyring"))?;
/// let store = PostgresKeyStore::open("postgres://db.example.com/keys", keyring, SystemClock).await?;
/// let keys = Arc::new(CachingKeyStore::new(store));
/// let verifier = SignatureVerifier::new(Ateliere::default(), keys);
/// # Ok(())
/// # }
/// ```
pub struct CachingKeyStore<S> {
    source: Arc<S>,
    shared: Arc<Shared>,
    tasks: upkeep::Tasks,
}

/// What the cache and its tasks have in common.
struct Shared {
    entries: Entries,
    loader: Loader,
    trust: Trust,
    limits: CacheLimits,
    clock: Arc<dyn Clock>,
    /// By which name the store knows this instance.
    instance: String,
    /// Rung when there is something to acknowledge, or the connection has changed for better or worse.
    bell: Notify,
    metrics: metrics::Cache,
}

impl<S: Source> CachingKeyStore<S> {
    /// Makes a cache with the usual limits, and starts the tasks that keep it true. They end when it is dropped.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn new(source: S) -> Self {
        Self::with(source, CacheLimits::default(), SystemClock)
    }

    /// Makes a cache with other limits or another clock.
    ///
    /// # Security
    ///
    /// [`CacheLimits::max_age`] is how long a revoked key may work when everything goes wrong.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn with(source: S, limits: CacheLimits, clock: impl Clock) -> Self {
        let source = Arc::new(source);
        let mut random = [0; 8];
        clock.fill(&mut random);
        let shared = Arc::new(Shared {
            entries: Entries::new(limits, &clock),
            loader: Loader::default(),
            trust: Trust::default(),
            limits,
            clock: Arc::new(clock),
            instance: format!("{}-{}", std::process::id(), hex::encode(random)),
            bell: Notify::new(),
            metrics: metrics::Cache::new(),
        });
        metrics::listener(false);
        let tasks = upkeep::start(&shared, &source);
        Self { source, shared, tasks }
    }

    /// The store behind the cache, to manage keys with.
    #[must_use]
    pub fn source(&self) -> &Arc<S> {
        &self.source
    }

    /// The name by which the store knows this instance, and by which a command that waits for it would name it.
    #[must_use]
    pub fn instance(&self) -> &str {
        &self.shared.instance
    }

    /// Whether changes arrive at this moment. If not, records are asked for again after [`CacheLimits::degraded_max_age`].
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.shared.trust.is_live()
    }

    /// Tells the store that this instance ends, so that nobody waits for it. Until it is dropped, every lookup asks the
    /// store.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be asked; then those who wait do so until the lease ends.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.tasks.renewing.abort();
        self.shared.trust.end_lease();
        self.source.leave(&self.shared.instance).await
    }

    /// How many records are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.entries.len()
    }

    /// Whether no record is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Of how many names it is kept that there is no record.
    #[must_use]
    pub fn absent_len(&self) -> usize {
        self.shared.entries.absent_len()
    }
}

impl<S: Source> KeyStore for CachingKeyStore<S> {
    fn find(&self, lookup: Lookup<'_>) -> Found {
        let shared = &self.shared;
        let view = shared.trust.view(shared.clock.ticks(), &shared.limits);
        shared.entries.look_up(lookup, view, |hit| {
            let hit = match hit {
                // Which key signs changes with time too, and nobody tells of that.
                Hit::Fresh(Some(Kept::SigningKey(key))) if !key.public.may_sign(shared.clock.now()) => {
                    Hit::Miss
                }
                hit => hit,
            };
            shared.metrics.looked_up(match hit {
                Hit::Fresh(Some(_)) => LookedUp::Hit,
                Hit::Fresh(None) => LookedUp::Absent,
                Hit::Stale => LookedUp::Stale,
                Hit::Miss => LookedUp::Miss,
            });
            match hit {
                Hit::Fresh(Some(record)) => Found::Ready(Some(record.record())),
                Hit::Fresh(None) => Found::Ready(None),
                // Text that cannot be a name is in no row, and need not reach the store.
                _ if !is_name(lookup) => Found::Ready(None),
                Hit::Stale => self.ask(lookup, SHORT_PATIENCE),
                Hit::Miss => self.ask(lookup, PATIENCE),
            }
        })
    }
}

impl<S> CachingKeyStore<S> {
    fn ask(&self, lookup: Lookup<'_>, patience: Duration) -> Found {
        let key = Key::of(lookup);
        let answer = self.shared.loader.ask(key.clone());
        let shared = Arc::clone(&self.shared);
        Found::Pending(Box::pin(async move {
            let told = wait(answer, patience).await;
            // That a record cannot be used is an answer, and no reason to use an older one.
            told.unwrap_or_else(|away| shared.go_by(&key).ok_or(away).map(Some))
        }))
    }
}

impl Shared {
    /// What an entry says that may be used only because the store cannot be asked.
    fn go_by(&self, key: &Key) -> Option<Record> {
        let view = self.trust.view(self.clock.ticks(), &self.limits).last_resort();
        self.entries.look_up(key.wanted()?.lookup(), view, |hit| match hit {
            Hit::Fresh(record) => record.map(Kept::record),
            Hit::Stale | Hit::Miss => None,
        })
    }
}

async fn wait(answer: oneshot::Receiver<Answer>, patience: Duration) -> Answer {
    match timeout(patience, answer).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(StoreError::new(Unanswered("the cache has ended"))),
        Err(_) => Err(StoreError::new(Unanswered("the store does not answer in time"))),
    }
}

fn is_name(lookup: Lookup<'_>) -> bool {
    match lookup {
        Lookup::Key { scheme, key_id } => KeyId::new(scheme).is_ok() && KeyId::new(key_id).is_ok(),
        Lookup::Installation { scheme, key_id, organization } => {
            KeyId::new(scheme).is_ok()
                && KeyId::new(key_id).is_ok()
                && Organization::new(organization).is_ok()
        }
        Lookup::Client { client_id } => KeyId::new(client_id).is_ok(),
        Lookup::ReadToken { .. } | Lookup::TokenKeys | Lookup::SigningKey => true,
    }
}

impl<S: fmt::Debug> fmt::Debug for CachingKeyStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CachingKeyStore").field(&self.source).finish()
    }
}

/// Nobody has answered.
#[derive(Debug)]
struct Unanswered(&'static str);

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Unanswered {}

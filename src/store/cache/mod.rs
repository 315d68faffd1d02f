//! A cache before a key store, whose entries end with the change that makes them wrong.
//!
//! `key` is what an entry is filed under, `entries` what is kept, `terms` what many entries have in common, `trust` how
//! far it is trusted, `loader` how it gets there, `upkeep` what goes on behind it, and `source` what a store must do to
//! stand behind it.

mod entries;
mod key;
mod loader;
mod source;
mod terms;
#[cfg(test)]
mod tests;
mod trust;
mod upkeep;

pub use self::source::{Lease, Loaded, Source, Wanted};

use self::{
    entries::{Entries, Hit},
    key::Key,
    loader::{Answer, Loader},
    source::Change,
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

/// What a cache keeps, and for how long.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct CacheLimits {
    /// The longest time for which an entry is used, counted from before the store was asked for it: 30 s. Whatever
    /// breaks, a change is effective after this time.
    pub max_age: Duration,
    /// The same while changes are not known to arrive, if the store can be asked: 2 s.
    pub degraded_max_age: Duration,
    /// How long it is kept that there is no such record: 1 s. Not at all where an insertion is not told at once.
    pub absent_age: Duration,
    /// Records that are kept: 1,000,000.
    pub entries: usize,
    /// Names of which it is kept that there is no record: 10,000.
    pub absent_entries: usize,
}

impl Default for CacheLimits {
    fn default() -> Self {
        Self {
            max_age: Duration::from_secs(30),
            degraded_max_age: Duration::from_secs(2),
            absent_age: Duration::from_secs(1),
            entries: 1_000_000,
            absent_entries: 10_000,
        }
    }
}

impl CacheLimits {
    fn max_age_ms(&self) -> u64 {
        millis(self.max_age)
    }

    fn degraded_max_age_ms(&self) -> u64 {
        millis(self.degraded_max_age)
    }

    fn absent_ms(&self) -> u64 {
        millis(self.absent_age)
    }

    /// In whole seconds, since the lease stands in a database. Never longer than an entry may live.
    fn lease(&self) -> u32 {
        u32::try_from(self.max_age.as_secs()).unwrap_or(u32::MAX)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

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

    /// Loads the credentials before they are asked for, as many as [`CacheLimits::entries`] allows, and tells `progress` how
    /// many there are so far. A record that nobody uses is dropped at the end of its time like any other.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be asked.
    pub async fn preload(&self, mut progress: impl FnMut(usize)) -> Result<usize, StoreError> {
        let Shared { loader, trust, entries, clock, limits, .. } = &*self.shared;
        let mut after = None;
        let mut count = 0;
        while count < limits.entries {
            let flight = loader.begin_page(trust, clock.ticks());
            let watch = metrics::Watch::start();
            let page = self.source.page(after.as_ref(), upkeep::PAGE).await;
            metrics::store("page", watch);
            let (page, failed) = page.map_or_else(|error| (Vec::new(), Some(error)), |page| (page, None));
            after = page.last().map(|(wanted, _)| wanted.clone());
            count += loader.land_page(flight, page, entries);
            if let Some(error) = failed {
                return Err(error);
            }
            if after.is_none() {
                break;
            }
            progress(count);
        }
        Ok(count)
    }
}

impl<S: Source> KeyStore for CachingKeyStore<S> {
    fn find(&self, lookup: Lookup<'_>) -> Found {
        let shared = &self.shared;
        let view = shared.trust.view(shared.clock.ticks(), &shared.limits);
        let hit = match shared.entries.get(lookup, view) {
            // Which key signs changes with time too, and nobody tells of that.
            Hit::Fresh(Some(Record::SigningKey(key))) if !key.public.may_sign(shared.clock.now()) => {
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
            Hit::Fresh(record) => Found::Ready(record),
            // Text that cannot be a name is in no row, and need not reach the store.
            _ if !is_name(lookup) => Found::Ready(None),
            Hit::Stale => self.ask(lookup, SHORT_PATIENCE),
            Hit::Miss => self.ask(lookup, PATIENCE),
        }
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
        match self.entries.get(key.wanted()?.lookup(), view) {
            Hit::Fresh(record) => record,
            Hit::Stale | Hit::Miss => None,
        }
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

/// Where a [`Source`] tells what changes.
#[derive(Clone)]
pub struct Changes(Arc<Shared>);

impl Changes {
    /// From here on every change is told, and `newest` is the newest barrier that was made before. Everything that is
    /// kept is forgotten: what happened until now was perhaps not told.
    pub fn begin(&self, newest: i64) {
        self.forget_all();
        // Also if it is lower than one before: a backup may have been restored.
        self.0.trust.begin(newest);
        self.0.bell.notify_one();
    }

    /// Changes do arrive: one that was made for this purpose has.
    pub fn confirm(&self) {
        if self.0.trust.set_live(true) {
            metrics::listener(true);
            tracing::info!(instance = self.0.instance, "changes of the key store arrive");
            self.0.bell.notify_one();
        }
    }

    /// A text of a trigger has arrived.
    pub fn tell(&self, text: &str) {
        match Change::read(text) {
            Change::Of(key) => self.0.loader.changed(&key, &self.0.entries),
            Change::Barrier(number) => self.reach(number),
            Change::All => self.forget_all(),
        }
    }

    /// What is known about this has changed.
    pub fn changed(&self, lookup: Lookup<'_>) {
        self.0.loader.changed(&Key::of(lookup), &self.0.entries);
    }

    /// Anything may have changed.
    pub fn forget_all(&self) {
        self.0.loader.forget_all(&self.0.entries, &self.0.trust);
    }

    /// All that changed before this barrier was told.
    pub fn reach(&self, barrier: i64) {
        if self.0.trust.reach(barrier) {
            self.0.bell.notify_one();
        }
    }

    /// Changes may no longer arrive.
    fn doubt(&self) -> bool {
        metrics::listener(false);
        self.0.trust.set_live(false)
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Changes(..)")
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

//! Client awareness: which clients call, in which versions, how it goes, and what they use of a GraphQL API.
//!
//! A client may say what it is by two headers, `oz-client-name` and `oz-client-version`, as the document of Ateliere
//! Connect has them, or by Apollo's `apollographql-client-name` and `-version`. [`ClientUsage`] counts its requests by
//! organization, key, client and version: those of verified callers only, so that a stranger cannot make up clients. A
//! name without a version goes to the one *unidentified* version group, as the document says, and a request without a
//! name to the unidentified client.
//!
//! Counting is done in memory. [`ClientUsage::flush`] adds the counts, by the hour, to those in a store, where several
//! servers add up; `countersign stats` tells them.
//!
//! # How much there can be of it
//!
//! Names and versions have at most 64 characters, all visible ASCII or spaces within; anything else counts as the client
//! `other`. Of a key, [`UsageLimits::clients_a_key`] clients are told apart in an hour, those that call most often
//! among the first, and the rest are `other`. These limits are ours. They hold for each server; the counts of all
//! requests are right whatever happens.
//!
//! # Example
//!
//! The same layer stands on both sides of the guard: behind it, it counts what verified clients do; around it, it
//! counts why others are refused.
//!
//! ```
//! use axum::{Router, routing::post};
//! use countersign::{SignatureVerifier, VerifyLayer, awareness::ClientUsage, scheme::Ateliere, store::MemoryKeyStore};
//!
//! let usage = ClientUsage::default();
//! let guard = VerifyLayer::new(SignatureVerifier::new(Ateliere::default(), MemoryKeyStore::new()));
//! let app: Router = Router::new()
//!     .route("/graphql", post(|| async { "{}" }))
//!     .layer(usage.layer())
//!     .layer(guard)
//!     .layer(usage.layer());
//! // Beside the requests: `usage.keep_writing(&store, Duration::from_secs(10))`; at the end: `usage.flush(&store)`.
//! ```
//!
//! # Security
//!
//! What a client says of itself is not proved, and anybody with a key can say anything. It is no ground for a decision.

mod counts;
mod headers;
mod layer;

pub use self::{
    headers::ClientHeaders,
    layer::{CountUsage, UsageFuture, UsageLayer},
};

use self::counts::{Books, OfClient};
use crate::{
    clock::{Clock, SystemClock},
    metrics,
    outcome::Outcome,
    store::{Counted, Counts, StoreError, Usage, UsageLog},
    verify::Verified,
};
use http::HeaderMap;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::sync::Mutex;

const HOUR: Duration = Duration::from_secs(3_600);
/// How long counts are kept that cannot be written, and no longer: a day.
const PATIENCE: Duration = Duration::from_secs(24 * 3_600);

/// How much is told apart.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct UsageLimits {
    /// Clients with their versions of one key in one hour: 32.
    pub clients_a_key: usize,
    /// Clients with their versions of all keys in one hour: 10,000. Of a key beyond that, all are `other`.
    pub clients: usize,
    /// Names of operations of one client and version in one hour: 50.
    pub operations: usize,
    /// Fields that one client and version selects in one hour: 1,000.
    pub fields: usize,
    /// Clients that `metrics` ever has a series of: 200. Series do not end with the hour.
    pub series: usize,
    /// How long counts stay in the store: 90 days.
    pub retention: Duration,
}

impl Default for UsageLimits {
    fn default() -> Self {
        Self {
            clients_a_key: 32,
            clients: 10_000,
            operations: 50,
            fields: 1_000,
            series: 200,
            retention: Duration::from_secs(90 * 24 * 3_600),
        }
    }
}

/// Counts who uses what. A clone counts in the same place.
#[derive(Clone)]
pub struct ClientUsage(Arc<Inner>);

struct Inner {
    books: Books,
    headers: ClientHeaders,
    limits: UsageLimits,
    clock: Arc<dyn Clock>,
    /// Held while it is written, so that whoever flushes last comes after all others.
    unwritten: Mutex<Unwritten>,
}

/// Counts that are not in the store yet, and when they were made.
#[derive(Default)]
struct Unwritten {
    counts: BTreeMap<(SystemTime, Counted), (Counts, SystemTime)>,
    /// The hour that is being counted.
    hour: Option<SystemTime>,
    /// Of which clients `metrics` has a series.
    series: BTreeSet<(String, String, String)>,
}

/// Who called and what it says it is, for counting what it does.
#[derive(Clone)]
pub struct UsageCaller(Arc<OfClient>);

impl Default for ClientUsage {
    fn default() -> Self {
        Self::new(ClientHeaders::default(), UsageLimits::default(), SystemClock)
    }
}

impl ClientUsage {
    /// Counts by other headers, within other limits, or by another clock.
    pub fn new(headers: ClientHeaders, limits: UsageLimits, clock: impl Clock) -> Self {
        let books = Books::new(limits);
        Self(Arc::new(Inner { books, headers, limits, clock: Arc::new(clock), unwritten: Mutex::default() }))
    }

    /// The layer that counts, for both sides of a [`VerifyLayer`](crate::VerifyLayer).
    pub fn layer(&self) -> UsageLayer {
        UsageLayer::new(self.clone())
    }

    /// Who called.
    #[must_use]
    pub fn caller(&self, verified: &Verified, headers: &HeaderMap) -> UsageCaller {
        UsageCaller(self.0.client(verified, headers, None))
    }

    /// Counts an operation of a GraphQL document, with the fields that it selected, like `Query.me`, each once.
    pub fn count_operation<'f>(
        &self,
        caller: &UsageCaller,
        name: Option<&str>,
        failed: bool,
        fields: impl IntoIterator<Item = &'f str>,
    ) {
        self.0.books.count_operation(&caller.0, name.unwrap_or_default(), failed, fields);
    }

    /// Adds what was counted since the last time to what is in the store. Waits for a flush that is under way, and then
    /// writes the rest: after the last request, one call leaves nothing behind.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be written. The counts are kept for the next time, for a day.
    pub async fn flush(&self, store: &dyn UsageLog) -> Result<(), StoreError> {
        let mut unwritten = self.0.unwritten.lock().await;
        let now = self.0.clock.now();
        self.take(&mut unwritten, now);
        if unwritten.counts.is_empty() {
            return Ok(());
        }
        let usage = |((hour, what), (counts, last_seen)): (&(SystemTime, Counted), &(Counts, SystemTime))| {
            Usage::new(*hour, what.clone(), *counts, *last_seen)
        };
        let batch: Vec<_> = unwritten.counts.iter().map(usage).collect();
        let watch = metrics::Watch::start();
        let written = store.add_usage(&batch).await;
        metrics::store("add_usage", watch);
        match &written {
            Ok(()) => unwritten.counts.clear(),
            Err(_) => unwritten.forget_before(now.checked_sub(PATIENCE).unwrap_or(UNIX_EPOCH)),
        }
        written
    }

    /// Flushes again and again, for ever, with a pause in between: what a crash can lose at most. A failure is told as a
    /// warning, and made up for the next time. Once an hour, the store forgets what is older than
    /// [`UsageLimits::retention`].
    ///
    /// Do not abort it while it writes: at the end of the program, let it run, and [`flush`](Self::flush).
    pub async fn keep_writing(&self, store: &dyn UsageLog, pause: Duration) {
        let mut swept = None;
        loop {
            tokio::time::sleep(pause).await;
            let mut done = self.flush(store).await;
            let hour = hour_of(self.0.clock.now());
            if done.is_ok() && swept != Some(hour) {
                let end = hour.checked_sub(self.0.limits.retention).unwrap_or(UNIX_EPOCH);
                done = store.forget_usage(end).await.map(drop);
                swept = Some(hour);
            }
            if let Err(error) = done {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "the usage of clients is not written");
            }
        }
    }

    /// Takes over what was counted. It counts for the hour of this moment, although some of it may be as old as the
    /// last flush.
    fn take(&self, unwritten: &mut Unwritten, now: SystemTime) {
        let hour = hour_of(now);
        let is_new = unwritten.hour.replace(hour).is_some_and(|before| before != hour);
        for (what, counts) in self.0.books.take(is_new) {
            if let Counted::Client(caller) = &what {
                unwritten.measure(caller, counts.requests, self.0.limits.series);
            }
            let (sum, last_seen) =
                unwritten.counts.entry((hour, what)).or_insert_with(|| (Counts::default(), now));
            sum.add(&counts);
            *last_seen = now.max(*last_seen);
        }
    }
}

impl Inner {
    /// Where a client is counted. With an outcome, it has made one more request.
    fn client(&self, verified: &Verified, headers: &HeaderMap, outcome: Option<Outcome>) -> Arc<OfClient> {
        let key = (verified.scheme(), verified.key_id(), verified.organization());
        self.books.client(key, self.headers.read(headers), outcome)
    }
}

impl Unwritten {
    fn measure(&mut self, caller: &crate::store::Caller, requests: u64, series: usize) {
        let or_unidentified =
            |text: Option<&str>| text.filter(|text| !text.is_empty()).unwrap_or("unidentified").to_owned();
        let key = format!("{}/{}", caller.scheme, caller.key_id);
        let mut of =
            (key, or_unidentified(caller.name.as_deref()), or_unidentified(caller.version.as_deref()));
        if self.series.len() >= series && !self.series.contains(&of) {
            of = [counts::OTHER; 3].map(str::to_owned).into();
        } else {
            self.series.insert(of.clone());
        }
        metrics::client_requests(&of.0, &of.1, &of.2, requests);
    }

    fn forget_before(&mut self, moment: SystemTime) {
        let before = self.counts.len();
        self.counts.retain(|(hour, _), _| *hour >= moment);
        if self.counts.len() < before {
            tracing::warn!(
                lost = before - self.counts.len(),
                "counts of usage waited too long to be written"
            );
        }
    }
}

/// The beginning of a moment's hour.
fn hour_of(moment: SystemTime) -> SystemTime {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    UNIX_EPOCH + Duration::from_secs(since - since % HOUR.as_secs())
}

impl fmt::Debug for ClientUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientUsage(..)")
    }
}

impl fmt::Debug for UsageCaller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UsageCaller(..)")
    }
}

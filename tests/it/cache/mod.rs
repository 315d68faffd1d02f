//! The cache before a real database: that whatever an operator changes there is effective soon, whatever breaks.
//!
//! Unlike elsewhere these tests wait for real time to pass, but for conditions and not for luck. Each says how long a
//! change may take; on a busy machine that is far more than it does. `./x revocation` measures it.

mod database;
mod faults;
mod rows;
mod waiting;

use countersign::{
    clock::SystemClock,
    store::{CachingKeyStore, Found, KeyStore as _, Lookup, Record, Source, StoreError},
};
use std::time::{Duration, Instant};

/// How long a change may take in normal running. The promise is a second, on a machine that has one to spare.
const SOON: Duration = Duration::from_secs(10);

async fn ask<S: Source>(
    cache: &CachingKeyStore<S>,
    lookup: Lookup<'_>,
) -> Result<Option<Record>, StoreError> {
    match cache.find(lookup) {
        Found::Ready(record) => Ok(record),
        Found::Pending(record) => record.await,
    }
}

/// A record as text, with all that decides; without a secret.
async fn told<S: Source>(cache: &CachingKeyStore<S>, lookup: Lookup<'_>) -> String {
    format!("{:?}", ask(cache, lookup).await.unwrap())
}

/// Whether the answer is at hand.
fn is_kept<S: Source>(cache: &CachingKeyStore<S>, lookup: Lookup<'_>) -> bool {
    matches!(cache.find(lookup), Found::Ready(_))
}

/// Waits until something is so, and says how long it took.
async fn until(limit: Duration, what: &str, mut is_so: impl AsyncFnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !is_so().await {
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    start.elapsed()
}

/// A cache that changes have begun to reach, with a lease.
async fn live<S: Source>(store: S) -> CachingKeyStore<S> {
    let cache = CachingKeyStore::new(store);
    let lookup = Lookup::Key { scheme: "ateliere", key_id: "pk" };
    until(SOON, "the cache is live", async || {
        ask(&cache, lookup).await.unwrap();
        cache.is_live() && is_kept(&cache, lookup)
    })
    .await;
    cache
}

/// The clock of all stores here.
const CLOCK: SystemClock = SystemClock;

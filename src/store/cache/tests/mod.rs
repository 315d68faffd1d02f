//! The cache over a store that a test drives step by step. Time is the test's: a clock that it advances, and tokio's
//! paused one, under which a sleep ends when nothing else can go on.

mod away;
mod bounds;
mod changes;
mod double;

use super::*;
use crate::{
    clock::ManualClock,
    credential::{Credential, Principal, SecretVersion},
    secret::Secret,
    signature::{Algorithm, MacKey},
};
use double::Double;
use std::ops::Deref;

struct Bench {
    cache: CachingKeyStore<Double>,
    clock: Arc<ManualClock>,
}

impl Deref for Bench {
    type Target = Double;

    fn deref(&self) -> &Double {
        self.cache.source()
    }
}

impl Bench {
    /// A cache to which changes arrive, over a store without a key.
    async fn live() -> Self {
        let bench = Self::with(Double::default(), CacheLimits::default());
        bench.begin(0);
        idle().await;
        bench
    }

    fn with(double: Double, limits: CacheLimits) -> Self {
        let clock = Arc::new(ManualClock::at(1_700_000_000));
        Self { cache: CachingKeyStore::with(double, limits, Arc::clone(&clock)), clock }
    }

    async fn ask(&self, key_id: &str) -> Result<Option<i64>, StoreError> {
        answer(self.cache.find(key(key_id))).await
    }

    /// The revision of a key that is found.
    async fn find(&self, key_id: &str) -> Option<i64> {
        self.ask(key_id).await.unwrap()
    }

    /// The revision that is found without asking the store.
    fn at_hand(&self, key_id: &str) -> Option<Option<i64>> {
        match self.cache.find(key(key_id)) {
            Found::Ready(record) => Some(record.as_ref().map(revision)),
            Found::Pending(_) => None,
        }
    }

    /// Lets time pass, on both clocks.
    async fn pass(&self, time: Duration) {
        let step = Duration::from_millis(250);
        for _ in 0..time.as_millis() / step.as_millis() {
            self.clock.advance(step);
            tokio::time::sleep(step).await;
        }
    }
}

/// Lets the tasks run until none can go on.
async fn idle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

fn key(key_id: &str) -> Lookup<'_> {
    Lookup::Key { scheme: "ateliere", key_id }
}

async fn answer(found: Found) -> Result<Option<i64>, StoreError> {
    let record = match found {
        Found::Ready(record) => record,
        Found::Pending(record) => record.await?,
    };
    Ok(record.as_ref().map(revision))
}

fn revision(record: &Record) -> i64 {
    match record {
        Record::Credential(credential) => credential.revision,
        other => panic!("asked for a credential, found {other:?}"),
    }
}

fn credential(revision: i64) -> Credential {
    let secret = Secret::new("3f9a64b0d1c84e3db2f7a5908c6e1d42").unwrap();
    let version = SecretVersion::new(1, MacKey::new(Algorithm::HmacSha256, &secret));
    let mut credential = Credential::new(Principal::new("ops").unwrap(), [version]);
    credential.revision = revision;
    credential
}

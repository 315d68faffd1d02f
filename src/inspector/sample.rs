//! The sample: some of what is refused, for the database, and never so much that a stranger fills it.

use crate::{
    clock::{Clock, SystemClock},
    credential::KeyId,
    metrics,
    middleware::{Notice, Witness},
    outcome::Outcome,
    store::{RefusalLog, SampledRefusal, StoreError},
};
use std::{
    collections::HashMap,
    fmt, mem,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// How many refusals of one outcome, scheme and key are taken in a [`WINDOW`], and how many of all.
const OF_A_KIND: u32 = 5;
const IN_ALL: u32 = 200;
/// In milliseconds.
const WINDOW: u64 = 60_000;
/// How many wait to be written, at most.
const WAITING: usize = 2_000;
/// How many stay in the store, about, and for how long at most: 30 days.
const KEPT: u32 = 100_000;
const RETENTION: Duration = Duration::from_secs(30 * 24 * 3_600);
/// Between two times that the store forgets what is older.
const SWEEP: Duration = Duration::from_secs(3_600);

/// Keeps a sample of refusals: a [`Witness`] of layers and token endpoints. Clones sample in the same place.
///
/// Of each outcome, scheme and key five refusals a minute are taken, and 200 of all; the metric
/// `countersign.refusals.sampled` counts them, those that are passed over, and those that are lost. They wait in memory
/// for [`flush`](Self::flush): at the end of the program, and before that from time to time, which
/// [`keep_writing`](Self::keep_writing) does. At most 2,000 wait where a store is away; what comes then is lost. The
/// store keeps about 100,000, and none for longer than 30 days.
///
/// ```
/// use countersign::{
///     SignatureVerifier, VerifyLayer, inspector::RefusalSample, scheme::Corezoid, store::MemoryKeyStore,
/// };
///
/// let sample = RefusalSample::default();
/// let layer = VerifyLayer::new(SignatureVerifier::new(Corezoid::default(), MemoryKeyStore::new()))
///     .with_witness(sample.clone());
/// // Beside the requests: `sample.keep_writing(&store, Duration::from_secs(10))`; at the end: `sample.flush(&store)`.
/// ```
#[derive(Clone)]
pub struct RefusalSample(Arc<Inner>);

struct Inner {
    clock: Arc<dyn Clock>,
    noted: std::sync::Mutex<Noted>,
    /// Held while it is written, so that whoever flushes last comes after all others.
    writing: tokio::sync::Mutex<()>,
}

/// What is alike.
type Kind = (Outcome, Option<&'static str>, Option<KeyId>);

#[derive(Default)]
struct Noted {
    /// When the window began, and how many were taken since: of all, and of a kind.
    since: u64,
    in_all: u32,
    of_a_kind: HashMap<Kind, u32>,
    waiting: Vec<SampledRefusal>,
}

impl Default for RefusalSample {
    fn default() -> Self {
        Self::with_clock(SystemClock)
    }
}

impl RefusalSample {
    /// Takes time from another clock.
    pub fn with_clock(clock: impl Clock) -> Self {
        for result in ["kept", "passed_over", "lost"] {
            metrics::sampled(result, 0);
        }
        Self(Arc::new(Inner {
            clock: Arc::new(clock),
            noted: Default::default(),
            writing: Default::default(),
        }))
    }

    /// Writes what was noted since the last time.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be written. What was noted is kept for the next time.
    pub async fn flush(&self, store: &dyn RefusalLog) -> Result<(), StoreError> {
        let _turn = self.0.writing.lock().await;
        let batch = mem::take(&mut self.0.noted().waiting);
        if batch.is_empty() {
            return Ok(());
        }
        let watch = metrics::Watch::start();
        let written = store.add_refusals(&batch).await;
        metrics::store("add_refusals", watch);
        if written.is_err() {
            let mut noted = self.0.noted();
            let newer = mem::replace(&mut noted.waiting, batch);
            let room = WAITING.saturating_sub(noted.waiting.len());
            metrics::sampled("lost", newer.len().saturating_sub(room) as u64);
            noted.waiting.extend(newer.into_iter().take(room));
        }
        written
    }

    /// Flushes again and again, for ever, with a pause in between: what a crash can lose at most. A failure is told as a
    /// warning, and made up for the next time. Once an hour, the store forgets what is too old or too much.
    pub async fn keep_writing(&self, store: &dyn RefusalLog, pause: Duration) {
        let mut swept = UNIX_EPOCH;
        loop {
            tokio::time::sleep(pause).await;
            let mut done = self.flush(store).await;
            let now = self.0.clock.now();
            if done.is_ok() && now.duration_since(swept).is_ok_and(|since| since >= SWEEP) {
                done = self.forget(store, now).await;
                swept = now;
            }
            if let Err(error) = done {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "the sample of refusals is not written");
            }
        }
    }

    async fn forget(&self, store: &dyn RefusalLog, now: SystemTime) -> Result<(), StoreError> {
        let end = now.checked_sub(RETENTION).unwrap_or(UNIX_EPOCH);
        store.forget_refusals(end, KEPT).await.map(drop)
    }
}

impl Inner {
    fn noted(&self) -> std::sync::MutexGuard<'_, Noted> {
        super::locked(&self.noted)
    }
}

impl Witness for RefusalSample {
    fn heard(&self, notice: &Notice) {
        let (at, ticks) = (self.0.clock.now(), self.0.clock.ticks());
        let result = self.0.noted().take(notice, at, ticks);
        metrics::sampled(result, 1);
    }
}

impl Noted {
    /// Takes a refusal, if there is room for it in the window and among those that wait.
    fn take(&mut self, notice: &Notice, at: SystemTime, ticks: u64) -> &'static str {
        if ticks.saturating_sub(self.since) >= WINDOW {
            (self.since, self.in_all) = (ticks, 0);
            self.of_a_kind.clear();
        }
        if self.in_all >= IN_ALL {
            return "passed_over";
        }
        let of_a_kind =
            self.of_a_kind.entry((notice.outcome, notice.scheme, notice.key_id.clone())).or_default();
        if *of_a_kind >= OF_A_KIND {
            return "passed_over";
        }
        *of_a_kind += 1;
        self.in_all += 1;
        if self.waiting.len() >= WAITING {
            return "lost";
        }
        let mut refusal = SampledRefusal::new(at, notice.request_id.as_str(), notice.outcome.as_str());
        refusal.scheme = notice.scheme.map(str::to_owned);
        refusal.key_id = notice.key_id.clone();
        self.waiting.push(refusal);
        "kept"
    }
}

impl fmt::Debug for RefusalSample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefusalSample(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::ManualClock, middleware::RequestId, store::RefusalQuery};
    use async_trait::async_trait;
    use std::sync::Mutex;

    /// A store that keeps what it is told, or is away.
    #[derive(Debug, Default)]
    struct Told(Mutex<Vec<SampledRefusal>>, Mutex<bool>);

    #[async_trait]
    impl RefusalLog for Told {
        async fn add_refusals(&self, refusals: &[SampledRefusal]) -> Result<(), StoreError> {
            if *self.1.lock().unwrap() {
                return Err(StoreError::new("away"));
            }
            self.0.lock().unwrap().extend_from_slice(refusals);
            Ok(())
        }

        async fn refusals(&self, _: &RefusalQuery) -> Result<Vec<(i64, SampledRefusal)>, StoreError> {
            Ok(Vec::new())
        }

        async fn forget_refusals(&self, _: SystemTime, _: u32) -> Result<u64, StoreError> {
            Ok(0)
        }
    }

    fn hear(sample: &RefusalSample, outcome: Outcome, key_id: &str) {
        sample.heard(&Notice {
            request_id: RequestId::new("0123456789abcdef").unwrap(),
            outcome,
            scheme: Some("ateliere"),
            key_id: KeyId::new(key_id).ok(),
            debugged: false,
        });
    }

    #[tokio::test]
    async fn a_flood_leaves_a_sample_and_hides_nothing_else() {
        let clock = Arc::new(ManualClock::at(1_700_000_000));
        let (sample, store) = (RefusalSample::with_clock(Arc::clone(&clock)), Told::default());
        for _ in 0..10_000 {
            hear(&sample, Outcome::BadSignature, "pk_1");
        }
        hear(&sample, Outcome::Revoked, "pk_2");
        sample.flush(&store).await.unwrap();
        assert_eq!(store.0.lock().unwrap().len(), 6);
        for number in 0..10_000 {
            hear(&sample, Outcome::Disabled, &format!("pk_{number}"));
        }
        sample.flush(&store).await.unwrap();
        assert_eq!(store.0.lock().unwrap().len(), 200, "of all in a minute");
        assert!(sample.0.noted().of_a_kind.len() <= 200);
        clock.advance(Duration::from_secs(60));
        hear(&sample, Outcome::BadSignature, "pk_1");
        sample.flush(&store).await.unwrap();
        assert_eq!(store.0.lock().unwrap().len(), 201);
        sample.flush(&store).await.unwrap();
        assert_eq!(store.0.lock().unwrap().len(), 201, "nothing is written twice");
    }

    #[tokio::test]
    async fn a_store_that_is_away_costs_a_bounded_memory() {
        let clock = Arc::new(ManualClock::at(1_700_000_000));
        let (sample, store) = (RefusalSample::with_clock(Arc::clone(&clock)), Told::default());
        *store.1.lock().unwrap() = true;
        for _ in 0..20 {
            for number in 0..300 {
                hear(&sample, Outcome::Disabled, &format!("pk_{number}"));
            }
            assert!(sample.flush(&store).await.is_err());
            clock.advance(Duration::from_secs(60));
        }
        *store.1.lock().unwrap() = false;
        sample.flush(&store).await.unwrap();
        assert_eq!(store.0.lock().unwrap().len(), WAITING);
        let first = &store.0.lock().unwrap()[0];
        assert_eq!(
            (&*first.outcome, first.at),
            ("disabled", UNIX_EPOCH + Duration::from_secs(1_700_000_000))
        );
    }
}

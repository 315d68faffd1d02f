//! Time and randomness, the two inputs that a test must be able to choose. Nothing else in the crate asks the system.

use std::{
    fmt,
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Tells the time and provides random bytes.
///
/// # Security contract
///
/// `now` decides whether a signature is stale and a key expired, and `fill` makes secrets and request ids: an
/// implementation for production takes both from the operating system, as [`SystemClock`] does.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The current time.
    fn now(&self) -> SystemTime;

    /// Fills `bytes` with unpredictable bytes.
    fn fill(&self, bytes: &mut [u8]);

    /// Milliseconds since some moment, for measuring how old something in memory is: never goes back, whatever happens
    /// to the time of day, and costs no more than reading a number. It may lag by some 20 ms.
    ///
    /// By default that of [`SystemClock`].
    fn ticks(&self) -> u64 {
        SystemClock.ticks()
    }
}

/// The clock and the entropy of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the system")]
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    #[expect(clippy::expect_used, reason = "without entropy no secret can be made, and none must be")]
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the system")]
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system provides random bytes");
    }

    fn ticks(&self) -> u64 {
        static TICKS: AtomicU64 = AtomicU64::new(0);
        static RUNNING: OnceLock<bool> = OnceLock::new();
        // A thread, and no task: a runtime that is kept busy must not stop the time.
        let run = || thread::Builder::new().name("countersign-ticks".into()).spawn(|| tick(&TICKS)).is_ok();
        if *RUNNING.get_or_init(run) {
            return TICKS.load(Ordering::Relaxed);
        }
        static START: OnceLock<Instant> = OnceLock::new();
        millis(START.get_or_init(Instant::now).elapsed())
    }
}

/// Measures how long something takes. What is measured is told and decides nothing, so no [`Clock`] is asked for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// Between two readings of the clock.
const TICK: Duration = Duration::from_millis(20);

/// Counts for ever. The steady clock stands still while a machine is suspended, and the time of day may be set back:
/// of the two, the one that moved further is believed.
fn tick(ticks: &AtomicU64) -> ! {
    let (mut steady, mut day) = (Instant::now(), SystemClock.now());
    let mut passed = Duration::ZERO;
    loop {
        thread::sleep(TICK);
        let now = (Instant::now(), SystemClock.now());
        passed += now.0.duration_since(steady).max(now.1.duration_since(day).unwrap_or_default());
        (steady, day) = now;
        ticks.store(millis(passed), Ordering::Relaxed);
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A clock that a test sets and advances by hand; its "random" bytes count upwards and repeat from run to run.
///
/// ```
/// use countersign::clock::{Clock, ManualClock};
/// use std::time::Duration;
///
/// let clock = ManualClock::at(1_700_000_000);
/// let start = clock.now();
/// clock.advance(Duration::from_secs(301));
/// assert_eq!(clock.now(), start + Duration::from_secs(301));
/// ```
///
/// # Security
///
/// For tests only: the bytes it provides are predictable.
#[derive(Debug)]
pub struct ManualClock(Mutex<(SystemTime, u64)>, AtomicU64);

impl ManualClock {
    /// Makes a clock that stands still at `seconds` after the Unix epoch.
    #[must_use]
    pub fn at(seconds: u64) -> Self {
        Self(Mutex::new((UNIX_EPOCH + Duration::from_secs(seconds), 0)), AtomicU64::new(0))
    }

    /// Moves the clock to `seconds` after the Unix epoch, as an operator sets the time of day: nothing becomes older.
    pub fn set(&self, seconds: u64) {
        self.with(|state| state.0 = UNIX_EPOCH + Duration::from_secs(seconds));
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.with(|state| state.0 += by);
        self.1.fetch_add(millis(by), Ordering::Relaxed);
    }

    fn with<T>(&self, f: impl FnOnce(&mut (SystemTime, u64)) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> SystemTime {
        self.with(|state| state.0)
    }

    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let count = self.with(|state| {
                state.1 += 1;
                state.1
            });
            chunk.copy_from_slice(&count.to_be_bytes()[8 - chunk.len()..]);
        }
    }

    fn ticks(&self) -> u64 {
        self.1.load(Ordering::Relaxed)
    }
}

impl<C: Clock + ?Sized> Clock for std::sync::Arc<C> {
    fn now(&self) -> SystemTime {
        (**self).now()
    }

    fn fill(&self, bytes: &mut [u8]) {
        (**self).fill(bytes);
    }

    fn ticks(&self) -> u64 {
        (**self).ticks()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_pass_by_themselves_and_only_forwards() {
        let start = SystemClock.ticks();
        let mut last = start;
        while last < start + 60 {
            let now = SystemClock.ticks();
            assert!(now >= last);
            last = now;
            thread::yield_now();
        }
    }

    #[test]
    fn setting_the_time_of_day_ages_nothing() {
        let clock = ManualClock::at(1_700_000_000);
        clock.advance(Duration::from_millis(1500));
        clock.set(0);
        assert_eq!(clock.ticks(), 1500);
    }
}

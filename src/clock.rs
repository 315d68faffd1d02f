//! Time and randomness, the two inputs that a test must be able to choose. Nothing else in the crate asks the system.

use std::{
    fmt,
    sync::Mutex,
    time::{Duration, SystemTime, UNIX_EPOCH},
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
pub struct ManualClock(Mutex<(SystemTime, u64)>);

impl ManualClock {
    /// Makes a clock that stands still at `seconds` after the Unix epoch.
    #[must_use]
    pub fn at(seconds: u64) -> Self {
        Self(Mutex::new((UNIX_EPOCH + Duration::from_secs(seconds), 0)))
    }

    /// Moves the clock to `seconds` after the Unix epoch.
    pub fn set(&self, seconds: u64) {
        self.with(|state| state.0 = UNIX_EPOCH + Duration::from_secs(seconds));
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.with(|state| state.0 += by);
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
}

impl<C: Clock + ?Sized> Clock for std::sync::Arc<C> {
    fn now(&self) -> SystemTime {
        (**self).now()
    }

    fn fill(&self, bytes: &mut [u8]) {
        (**self).fill(bytes);
    }
}

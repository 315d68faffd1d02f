//! How much is kept, and for how long.

use std::time::Duration;

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
    pub(super) fn max_age_ms(&self) -> u64 {
        millis(self.max_age)
    }

    pub(super) fn degraded_max_age_ms(&self) -> u64 {
        millis(self.degraded_max_age)
    }

    pub(super) fn absent_ms(&self) -> u64 {
        millis(self.absent_age)
    }

    /// In whole seconds, since the lease stands in a database. Never longer than an entry may live.
    pub(super) fn lease(&self) -> u32 {
        u32::try_from(self.max_age.as_secs()).unwrap_or(u32::MAX)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

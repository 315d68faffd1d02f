//! Who uses what: requests by client, version and key, what GraphQL clients ask for, and what became of verifications,
//! by the hour.

use super::StoreError;
use async_trait::async_trait;
use std::{fmt, time::SystemTime};

/// Upper bounds of the buckets in which latencies are counted, in milliseconds; one more bucket is for what took longer.
/// The same everywhere and for ever, so that counts of any instances and hours add up.
pub const LATENCY_BOUNDS: [u64; 13] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000];

/// A store that keeps who used what.
#[async_trait]
pub trait UsageLog: fmt::Debug + Send + Sync + 'static {
    /// Adds counts to those that are there, from whatever instance: all of them, or none. Nothing is named twice for
    /// the same hour.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be written. If the connection breaks in the very moment of the commit, the
    /// counts may be there in spite of it.
    async fn add_usage(&self, usage: &[Usage]) -> Result<(), StoreError>;

    /// What was counted from the hour of `since` on, added up over the hours, in the order of the names.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be asked.
    async fn usage(&self, since: SystemTime, of: UsageOf<'_>) -> Result<Vec<Usage>, StoreError>;

    /// Forgets what was counted in hours before that of `moment`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be written.
    async fn forget_usage(&self, moment: SystemTime) -> Result<u64, StoreError>;
}

/// Which counts are wanted.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum UsageOf<'a> {
    /// Requests of clients.
    Clients,
    /// Verifications by outcome.
    Outcomes,
    /// Operations that clients run.
    Operations,
    /// Fields that clients select: all, or one, like `Query.me`.
    Fields(Option<&'a str>),
}

/// What was counted about one thing.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Usage {
    /// The first second of the hour; of added counts, that of the latest.
    pub hour: SystemTime,
    /// What was counted.
    pub what: Counted,
    /// How often, and how it went.
    pub counts: Counts,
    /// When it was counted last, to the interval in which counts are written.
    pub last_seen: SystemTime,
}

impl Usage {
    /// Counts of an hour.
    #[must_use]
    pub const fn new(hour: SystemTime, what: Counted, counts: Counts, last_seen: SystemTime) -> Self {
        Self { hour, what, counts, last_seen }
    }
}

/// What is counted.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Counted {
    /// Requests of a client.
    Client(Caller),
    /// Runs of an operation by a client. It has no name if the document gives it none.
    Operation(Caller, Option<String>),
    /// Operations of a client that select a field, like `Query.me`.
    Field(Caller, String),
    /// Verifications with an outcome.
    Outcome(String),
}

/// Who called: proved is the key and the organization; client and version are what the client says of itself.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Caller {
    /// The organization that the requests acted for.
    pub organization: Option<String>,
    /// The scheme.
    pub scheme: String,
    /// The key, OAuth client or read token.
    pub key_id: String,
    /// The client; `None` if it does not say. `other` stands for those of a key that are too many to be kept apart, and
    /// for names that are none.
    pub name: Option<String>,
    /// Its version; all requests without one are one group.
    pub version: Option<String>,
}

/// How often something happened, and how it went.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Counts {
    /// All requests.
    pub requests: u64,
    /// Those of them that were answered with 401 or 403.
    pub denied: u64,
    /// Those of them that otherwise failed: another status from 400 on, an error in GraphQL's answer, or nobody waited
    /// for the answer.
    pub errors: u64,
    /// Requests by what they took, in the buckets of [`LATENCY_BOUNDS`].
    pub latencies: [u64; LATENCY_BOUNDS.len() + 1],
}

impl Counts {
    /// So many, and nothing else is known.
    #[must_use]
    pub fn of(requests: u64) -> Self {
        Self { requests, ..Self::default() }
    }

    /// The requests that went well.
    #[must_use]
    pub const fn ok(&self) -> u64 {
        self.requests.saturating_sub(self.denied).saturating_sub(self.errors)
    }

    /// Adds other counts.
    pub fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.denied += other.denied;
        self.errors += other.errors;
        self.latencies.iter_mut().zip(other.latencies).for_each(|(count, more)| *count += more);
    }

    /// The bucket of a latency.
    #[must_use]
    pub fn bucket(milliseconds: u64) -> usize {
        LATENCY_BOUNDS.iter().position(|bound| milliseconds < *bound).unwrap_or(LATENCY_BOUNDS.len())
    }

    /// The upper bound, in milliseconds, of what so many of a hundred requests took at most; `None` if no latency was
    /// counted, or if it lies beyond the last bound.
    #[must_use]
    pub fn percentile(&self, of_a_hundred: u64) -> Option<u64> {
        let all: u64 = self.latencies.iter().sum();
        let mut missing = (all * of_a_hundred).div_ceil(100);
        for (count, bound) in self.latencies.iter().zip(LATENCY_BOUNDS) {
            missing = missing.saturating_sub(*count);
            if missing == 0 {
                return (all > 0).then_some(bound);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_bounds_and_add_up() {
        let mut counts = Counts::default();
        assert_eq!(counts.percentile(50), None);
        for milliseconds in [0, 0, 3, 4, 7, 7, 7, 7, 7, 99] {
            counts.latencies[Counts::bucket(milliseconds)] += 1;
        }
        assert_eq!(
            [10, 20, 21, 40, 50, 90, 91, 100].map(|of| counts.percentile(of).unwrap()),
            [1, 1, 5, 5, 10, 10, 100, 100]
        );
        let mut slow = Counts::default();
        slow.latencies[Counts::bucket(60_000)] = 30;
        slow.add(&counts);
        assert_eq!((slow.percentile(25), slow.percentile(26)), (Some(100), None));
    }
}

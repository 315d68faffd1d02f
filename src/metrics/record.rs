//! Recording. What each request records is looked up once, and then written to without a lock or an allocation.

#[cfg(feature = "cache")]
use super::LookedUp;
use super::table as name;
use crate::{clock::Stopwatch, outcome::Outcome};
use ::metrics::{Counter, Histogram, counter, histogram};
#[cfg(feature = "cache")]
use ::metrics::{Gauge, gauge};
use std::{fmt, sync::OnceLock, time::SystemTime};

/// Schemes that one layer keeps instruments for; those of more are looked up each time.
const SCHEMES: usize = 8;
/// Measures how long something takes.
#[derive(Clone, Copy)]
pub(crate) struct Watch(Stopwatch);

impl Watch {
    pub(crate) fn start() -> Self {
        Self(Stopwatch::start())
    }
}

/// The instruments of one layer.
#[derive(Default)]
pub(crate) struct Verifications([OnceLock<OfScheme>; SCHEMES]);

struct OfScheme {
    scheme: &'static str,
    body: Counter,
    outcomes: [OnceLock<OfOutcome>; Outcome::ALL.len()],
}

struct OfOutcome {
    count: Counter,
    duration: Histogram,
}

impl Verifications {
    /// Records a verdict over a request, after `bytes` of its body.
    pub(crate) fn record(&self, scheme: Option<&'static str>, outcome: Outcome, watch: Watch, bytes: u64) {
        let scheme = scheme.unwrap_or("none");
        let took = watch.0.elapsed().as_secs_f64();
        for place in &self.0 {
            let of_scheme = place.get_or_init(|| OfScheme::new(scheme));
            if of_scheme.scheme == scheme {
                return of_scheme.record(outcome, took, bytes);
            }
        }
        OfScheme::new(scheme).record(outcome, took, bytes);
    }
}

impl OfScheme {
    fn new(scheme: &'static str) -> Self {
        let body = counter!(name::BODY, "scheme" => scheme);
        Self { scheme, body, outcomes: [const { OnceLock::new() }; Outcome::ALL.len()] }
    }

    fn record(&self, outcome: Outcome, took: f64, bytes: u64) {
        let word = outcome.as_str();
        let instruments = self.outcomes[outcome as usize].get_or_init(|| OfOutcome {
            count: counter!(name::VERIFICATIONS, "scheme" => self.scheme, "outcome" => word),
            duration: histogram!(name::VERIFICATION_DURATION, "scheme" => self.scheme, "outcome" => word),
        });
        instruments.count.increment(1);
        instruments.duration.record(took);
        self.body.increment(bytes);
    }
}

impl fmt::Debug for Verifications {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifications(..)")
    }
}

/// The instrument of one verifier.
#[derive(Default)]
pub(crate) struct Skew(OnceLock<Histogram>);

impl Skew {
    /// Records how far a signed time lies from the arrival.
    pub(crate) fn record(&self, signed: SystemTime, arrived: SystemTime) {
        let seconds = match signed.duration_since(arrived) {
            Ok(ahead) => ahead.as_secs_f64(),
            Err(behind) => -behind.duration().as_secs_f64(),
        };
        self.0.get_or_init(|| histogram!(name::CLOCK_SKEW)).record(seconds);
    }
}

impl fmt::Debug for Skew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Skew(..)")
    }
}

/// The instruments of one cache.
#[cfg(feature = "cache")]
pub(crate) struct Cache {
    lookups: [Counter; 4],
    entries: Gauge,
}

#[cfg(feature = "cache")]
impl Cache {
    pub(crate) fn new() -> Self {
        let lookups = ["hit", "absent", "stale", "miss"];
        Self {
            lookups: lookups.map(|result| counter!(name::CACHE_LOOKUPS, "result" => result)),
            entries: gauge!(name::CACHE_ENTRIES),
        }
    }

    pub(crate) fn looked_up(&self, result: LookedUp) {
        self.lookups[result as usize].increment(1);
    }

    pub(crate) fn entries(&self, count: usize) {
        self.entries.set(count as f64);
    }
}

/// Records how long the store took.
pub(crate) fn store(op: &'static str, watch: Watch) {
    histogram!(name::STORE_DURATION, "op" => op).record(watch.0.elapsed().as_secs_f64());
}

/// Records how long a change took to be heard of.
#[cfg(feature = "_sql")]
pub(crate) fn invalidation(watch: Watch) {
    histogram!(name::INVALIDATION_LAG).record(watch.0.elapsed().as_secs_f64());
}

/// Records whether changes arrive.
#[cfg(feature = "cache")]
pub(crate) fn listener(connected: bool) {
    gauge!(name::LISTENER_CONNECTED).set(if connected { 1.0 } else { 0.0 });
}

/// Records how many keys of a scheme are in a state.
#[cfg(feature = "_sql")]
pub(crate) fn keys(scheme: &str, state: &'static str, count: i64) {
    gauge!(name::KEYS, "scheme" => scheme.to_owned(), "state" => state).set(count as f64);
}

/// Records how many secrets a key of the keyring seals.
#[cfg(feature = "_sql")]
pub(crate) fn sealed_by(keyring_id: &str, count: i64) {
    gauge!(name::KEYS_BY_WRAP_VERSION, "keyring_id" => keyring_id.to_owned()).set(count as f64);
}

/// Records how many active keys end soon.
#[cfg(feature = "_sql")]
pub(crate) fn expiring(within: &'static str, count: i64) {
    gauge!(name::KEYS_EXPIRING, "within" => within).set(count as f64);
}

/// Records what became of a refusal that was to be explained.
#[cfg(feature = "_sql")]
pub(crate) fn explanation(result: &'static str) {
    counter!(name::EXPLANATIONS, "result" => result).increment(1);
}

/// Records that there is an inspector, which has explained nothing yet, and whether it explains every refusal.
#[cfg(feature = "_sql")]
pub(crate) fn inspector(all: bool) {
    gauge!(name::EXPLAINING_ALL).set(if all { 1.0 } else { 0.0 });
    gauge!(name::EXPLAINING_RESPONSES).set(0.0);
    for result in ["explained", "skipped"] {
        counter!(name::EXPLANATIONS, "result" => result).increment(0);
    }
}

/// Records that responses hold explanations.
#[cfg(feature = "_sql")]
pub(crate) fn explaining_responses() {
    gauge!(name::EXPLAINING_RESPONSES).set(1.0);
}

/// Records what became of refusals that the sample has heard of.
#[cfg(feature = "_sql")]
pub(crate) fn sampled(result: &'static str, count: u64) {
    counter!(name::REFUSALS_SAMPLED, "result" => result).increment(count);
}

/// Records requests of a client. The caller bounds how many of them there are.
pub(crate) fn client_requests(key: &str, client: &str, version: &str, count: u64) {
    let labels =
        [("key", key.to_owned()), ("client_name", client.to_owned()), ("client_version", version.to_owned())];
    counter!(name::CLIENT_REQUESTS, &labels).increment(count);
}

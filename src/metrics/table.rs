//! The table: every instrument there is.

use ::metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// An instrument.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Metric {
    /// The name, in OpenTelemetry's manner. Prometheus writes `_` for `.`, and adds the unit and `_total`.
    pub name: &'static str,
    /// What kind of instrument it is.
    pub kind: Kind,
    /// The unit, as UCUM writes it: `s`, `By`, or what is counted in braces.
    pub unit: &'static str,
    /// The labels.
    pub labels: &'static [&'static str],
    /// The upper bounds of a histogram's buckets, in the unit.
    pub buckets: &'static [f64],
    /// What it measures.
    pub about: &'static str,
}

/// The kind of an instrument.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Kind {
    /// Only rises.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Counts values by size.
    Histogram,
}

/// Seconds: the buckets of OpenTelemetry's `http.server.request.duration` from 5 ms on, and finer ones below, since a
/// verification takes microseconds.
const DURATIONS: &[f64] = &[
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5,
    0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];
/// Seconds, behind and ahead, up to the usual tolerance.
const SKEWS: &[f64] =
    &[-300.0, -120.0, -60.0, -30.0, -10.0, -5.0, -1.0, 0.0, 1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];

macro_rules! metrics {
    ($($constant:ident = $kind:ident $name:literal, $unit:literal, $labels:expr, $buckets:expr, $about:literal;)+) => {
        $(pub(super) const $constant: &str = $name;)+

        /// Every instrument there is.
        pub const METRICS: &[Metric] = &[$(Metric {
            name: $constant,
            kind: Kind::$kind,
            unit: $unit,
            labels: &$labels,
            buckets: $buckets,
            about: $about,
        }),+];
    };
}

metrics! {
    VERIFICATIONS = Counter "countersign.verifications", "{verification}", ["scheme", "outcome"], &[],
        "Verifications by outcome; scheme is none where no credentials were found";
    VERIFICATION_DURATION = Histogram "countersign.verification.duration", "s", ["scheme", "outcome"], DURATIONS,
        "From the arrival of a request's head to the verdict, the arrival of its body included";
    BODY = Counter "countersign.verification.body", "By", ["scheme"], &[],
        "Bytes of body that had arrived at the verdict";
    CLOCK_SKEW = Histogram "countersign.clock.skew", "s", [], SKEWS,
        "Signed time minus time of arrival, of right signatures only: drifting clients before they fail";
    CACHE_LOOKUPS = Counter "countersign.key_cache.lookups", "{lookup}", ["result"], &[],
        "Lookups in the key cache: hit, absent (known not to be there), stale, miss";
    CACHE_ENTRIES = Gauge "countersign.key_cache.entries", "{entry}", [], &[],
        "Records that the key cache keeps";
    STORE_DURATION = Histogram "countersign.key_store.duration", "s", ["op"], DURATIONS,
        "How long the key store took: find, load, page, renew, note_uses, add_usage, add_refusals, count_keys";
    INVALIDATION_LAG = Histogram "countersign.invalidation.lag", "s", [], DURATIONS,
        "From a commit until the cache has heard of it, at most";
    LISTENER_CONNECTED = Gauge "countersign.listener.connected", "1", [], &[],
        "1 while changes of the key store are known to arrive, else 0";
    KEYS = Gauge "countersign.keys", "{key}", ["scheme", "state"], &[],
        "Keys by what they are at this moment: active, pending, disabled, expired, revoked";
    KEYS_BY_WRAP_VERSION = Gauge "countersign.keys.by_wrap_version", "{secret}", ["keyring_id"], &[],
        "Secrets by the key of the keyring that seals them";
    KEYS_EXPIRING = Gauge "countersign.keys.expiring", "{key}", ["within"], &[],
        "Active keys that end within 24h, and within 7d";
    CLIENT_REQUESTS = Counter "countersign.client.requests", "{request}", ["key", "client_name", "client_version"],
        &[], "Verified requests by what the client says it is, in a bounded number of series";
    EXPLANATIONS = Counter "countersign.explanations", "{refusal}", ["result"], &[],
        "Refusals that were to be explained: explained, or skipped because there were too many";
    EXPLAINING_ALL = Gauge "countersign.explaining.all", "1", [], &[],
        "1 while every refusal is explained, which is for development only, else 0";
    EXPLAINING_RESPONSES = Gauge "countersign.explaining.responses", "1", [], &[],
        "1 while refusals tell their callers why, which is for development only, else 0";
    REFUSALS_SAMPLED = Counter "countersign.refusals.sampled", "{refusal}", ["result"], &[],
        "Refusals for the sample in the database: kept, passed_over because they were many, or lost";
}

/// Tells the recorder what each instrument measures, and in which unit.
pub fn describe() {
    for &Metric { name, kind, unit, about, .. } in METRICS {
        let unit = match unit {
            "s" => Unit::Seconds,
            "By" => Unit::Bytes,
            _ => Unit::Count,
        };
        match kind {
            Kind::Counter => describe_counter!(name, unit, about),
            Kind::Gauge => describe_gauge!(name, unit, about),
            Kind::Histogram => describe_histogram!(name, unit, about),
        }
    }
}

//! What is measured: the names, units, labels and buckets, and the few functions that record.
//!
//! Recording goes through the [`metrics`](https://docs.rs/metrics) facade: whatever recorder the program installs gets
//! it, and without one nothing happens. Install it before the first request, because what a layer or a cache measures
//! with is made once, and call [`describe`] after that. `docs/metrics.md` has the same table for operators.
//!
//! ```
//! let recorder = metrics_exporter_prometheus::PrometheusBuilder::new();
//! let recorder = countersign::metrics::METRICS.iter().try_fold(recorder, |recorder, metric| {
//!     use metrics_exporter_prometheus::Matcher;
//!     if metric.buckets.is_empty() {
//!         return Ok(recorder);
//!     }
//!     recorder.set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), metric.buckets)
//! })?;
//! let recorder = recorder.with_recommended_naming(true).build_recorder();
//! let handle = recorder.handle();
//! metrics::with_local_recorder(&recorder, countersign::metrics::describe);
//! handle.render();
//! # Ok::<(), metrics_exporter_prometheus::BuildError>(())
//! ```
//!
//! Labels come from closed sets, from what an operator has named (schemes, keys of the keyring), or are bounded where
//! they are counted (`countersign.client.requests`). What a stranger sends is no label.

#[cfg(not(feature = "metrics"))]
mod absent;
#[cfg(feature = "metrics")]
mod record;
#[cfg(feature = "metrics")]
mod table;

#[cfg(not(feature = "metrics"))]
pub(crate) use self::absent::*;
#[cfg(feature = "metrics")]
pub(crate) use self::record::*;
#[cfg(feature = "metrics")]
pub use self::table::{Kind, METRICS, Metric, describe};

/// What a cache said to a lookup.
#[cfg(feature = "cache")]
#[derive(Clone, Copy)]
pub(crate) enum LookedUp {
    /// A record that is kept.
    Hit,
    /// That it is kept that there is none.
    Absent,
    /// A record that counts only if the store cannot be asked.
    Stale,
    /// Nothing: the store is asked.
    Miss,
}

//! How many keys there are, by what they are at this moment: for gauges, counted beside the requests.

use super::StoreError;
use crate::metrics;
use async_trait::async_trait;
use std::{collections::BTreeSet, error::Error as _, fmt, time::Duration};

/// What a key can be at a moment.
const STATES: [&str; 5] = ["active", "pending", "disabled", "expired", "revoked"];

/// A store that can count its keys.
#[async_trait]
pub trait KeyCensus: fmt::Debug + Send + Sync + 'static {
    /// Counts the keys.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be asked.
    async fn count_keys(&self) -> Result<KeyCounts, StoreError>;
}

/// How many keys there are.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct KeyCounts {
    /// Scheme, what the keys are at this moment (`active`, `pending`, `disabled`, `expired`, `revoked`), and how many.
    pub by_state: Vec<(String, String, i64)>,
    /// Keys of the keyring by their ids, and how many secrets each seals.
    pub by_keyring_id: Vec<(String, i64)>,
    /// Active keys that end within a day.
    pub expiring_within_a_day: i64,
    /// Active keys that end within a week, those within a day among them.
    pub expiring_within_a_week: i64,
}

/// Counts the keys of a store again and again, for ever, into the gauges of `metrics`. A failure is told as a warning,
/// and the gauges stay as they are.
pub async fn keep_counting_keys(store: &dyn KeyCensus, pause: Duration) {
    let (mut schemes, mut keyring_ids) = (BTreeSet::new(), BTreeSet::new());
    loop {
        let watch = metrics::Watch::start();
        let counted = store.count_keys().await;
        metrics::store("count_keys", watch);
        match counted {
            Ok(counts) => record(&counts, &mut schemes, &mut keyring_ids),
            Err(error) => {
                let cause = error.source().map(ToString::to_string).unwrap_or_default();
                tracing::warn!(cause, "the keys cannot be counted");
            }
        }
        tokio::time::sleep(pause).await;
    }
}

/// Sets every gauge, also those of what there is no more: a gauge keeps its last value.
fn record(counts: &KeyCounts, schemes: &mut BTreeSet<String>, keyring_ids: &mut BTreeSet<String>) {
    schemes.extend(counts.by_state.iter().map(|(scheme, ..)| scheme.clone()));
    for scheme in &*schemes {
        for state in STATES {
            let of = counts.by_state.iter().filter(|row| row.0 == *scheme && row.1 == state);
            metrics::keys(scheme, state, of.map(|row| row.2).sum());
        }
    }
    keyring_ids.extend(counts.by_keyring_id.iter().map(|(id, _)| id.clone()));
    for id in &*keyring_ids {
        let of = counts.by_keyring_id.iter().filter(|row| row.0 == *id);
        metrics::sealed_by(id, of.map(|row| row.1).sum());
    }
    metrics::expiring("24h", counts.expiring_within_a_day);
    metrics::expiring("7d", counts.expiring_within_a_week);
}

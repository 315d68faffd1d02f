//! The tasks behind a cache: they load, listen, renew the lease, and sweep.

use super::{
    Changes, Shared, loader,
    source::{Lease, Source},
};
use crate::metrics;
use std::{error::Error as _, sync::Arc, time::Duration};
use tokio::{
    task::AbortHandle,
    time::{interval, sleep, timeout},
};

/// Between two attempts to listen: this, doubled each time …
const PAUSE: Duration = Duration::from_millis(50);
/// … but no more than this.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Between two renewals of the lease while barriers are not told, so that they are asked for.
const DEGRADED_RENEWAL: Duration = Duration::from_secs(1);

/// The running tasks; they end when this is dropped.
pub(super) struct Tasks {
    pub(super) renewing: AbortHandle,
    others: [AbortHandle; 3],
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.renewing.abort();
        self.others.iter().for_each(AbortHandle::abort);
    }
}

pub(super) fn start<S: Source>(shared: &Arc<Shared>, source: &Arc<S>) -> Tasks {
    let both = || (Arc::clone(shared), Arc::clone(source));
    let (loading, listening, renewing, sweeping) = (both(), both(), both(), Arc::clone(shared));
    let loading = tokio::spawn(async move {
        let (shared, source) = loading;
        let ticks = || shared.clock.ticks();
        loader::run(&shared.loader, &*source, &shared.entries, &shared.trust, ticks).await;
    });
    let listening = tokio::spawn(async move { listen(listening.0, &*listening.1).await });
    let renewing = tokio::spawn(async move { renew(&renewing.0, &*renewing.1).await });
    let sweeping = tokio::spawn(async move { sweep(&sweeping).await });
    let others = [loading, listening, sweeping].map(|task| task.abort_handle());
    Tasks { renewing: renewing.abort_handle(), others }
}

/// Listens for changes, and begins again when that ends.
async fn listen(shared: Arc<Shared>, source: &dyn Source) {
    let changes = Changes(Arc::clone(&shared));
    let mut pause = PAUSE;
    loop {
        let error = source.watch(&changes).await;
        // What is kept stays, for a shorter time: it goes on working while the store is away. It is forgotten when the
        // store is there again and may have changed meanwhile.
        if changes.doubt() {
            pause = PAUSE;
            let cause = error.source().map(ToString::to_string).unwrap_or_default();
            tracing::warn!(instance = shared.instance, cause, "changes of the key store do not arrive");
            shared.bell.notify_one();
        }
        sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}

/// Renews the lease, and acknowledges barriers.
async fn renew(shared: &Shared, source: &dyn Source) {
    let seconds = shared.limits.lease();
    let length_ms = u64::from(seconds) * 1_000;
    loop {
        let live = shared.trust.is_live();
        let sent = shared.clock.ticks();
        let acknowledged = shared.trust.acknowledged();
        let lease = Lease { instance: &shared.instance, seconds, acknowledged };
        let watch = metrics::Watch::start();
        let renewed = source.renew(lease).await;
        metrics::store("renew", watch);
        match renewed {
            Ok(newest) => {
                shared.trust.renewed(sent, length_ms);
                // Without a listener nobody tells of barriers: whoever sent this one waits for all that is kept.
                if !live && newest > acknowledged {
                    shared.loader.forget_all(&shared.entries, &shared.trust);
                    shared.trust.reach(newest);
                    continue;
                }
            }
            Err(error) => {
                let cause = error.source().map(ToString::to_string).unwrap_or_default();
                tracing::warn!(instance = shared.instance, cause, "the lease cannot be renewed");
            }
        }
        if shared.trust.acknowledged() != acknowledged {
            continue;
        }
        let well = shared.trust.is_live() && shared.trust.lease_until() > sent;
        let wait =
            if well { shared.limits.max_age / 6 } else { DEGRADED_RENEWAL.min(shared.limits.max_age / 6) };
        // Woken early for a barrier.
        drop(timeout(wait, shared.bell.notified()).await);
    }
}

/// Drops what is out of date, and has asked for again what will be soon and is used.
async fn sweep(shared: &Shared) {
    let mut turns = interval(shared.limits.max_age / 4);
    loop {
        turns.tick().await;
        let view = shared.trust.view(shared.clock.ticks(), &shared.limits);
        let due = shared.entries.sweep(view);
        shared.metrics.entries(shared.entries.len());
        if !due.is_empty() {
            shared.loader.refresh(due);
        }
    }
}

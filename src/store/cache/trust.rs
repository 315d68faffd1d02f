//! How far what is kept can be trusted at this moment: whether changes arrive, how long the lease runs, and since when.

use super::{CacheLimits, entries::Stamp};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};

/// After the store could not be asked, those who have something else to go by do not wait for it again so soon.
const IN_VAIN_MS: u64 = 1_000;

/// What decides over the entries, without being one of them.
#[derive(Debug, Default)]
pub(super) struct Trust {
    /// Whether changes are known to arrive.
    live: AtomicBool,
    /// In ticks: from here on, others may take this instance for dead.
    lease_until: AtomicU64,
    /// In ticks: until here the store counts as one that cannot be asked.
    away_until: AtomicU64,
    epoch: AtomicU32,
    /// The highest barrier up to which everything is forgotten that changed before.
    acknowledged: AtomicI64,
}

/// What may be trusted at one moment.
#[derive(Clone, Copy)]
pub(super) struct View {
    now: u64,
    epoch: u32,
    /// Ages in milliseconds: below this an entry answers …
    pub(super) fresh: u64,
    /// … and below this only if the store cannot be asked.
    pub(super) usable: u64,
}

impl View {
    /// How old an entry is; without end if it is of an earlier epoch.
    pub(super) const fn age(&self, stamp: Stamp) -> u64 {
        if stamp.epoch == self.epoch { self.now.saturating_sub(stamp.at) } else { u64::MAX }
    }

    /// The same when the store cannot be asked.
    pub(super) const fn last_resort(self) -> Self {
        Self { fresh: self.usable, ..self }
    }
}

impl Trust {
    pub(super) fn view(&self, now: u64, limits: &CacheLimits) -> View {
        // Read before the entry is: what was forgotten by then is not found again.
        let epoch = self.epoch.load(Ordering::Acquire);
        if now >= self.lease_until.load(Ordering::Relaxed) {
            return View { now, epoch, fresh: 0, usable: 0 };
        }
        let usable = limits.max_age_ms();
        let live = self.live.load(Ordering::Relaxed);
        let fresh = if live || now < self.away_until.load(Ordering::Relaxed) {
            usable
        } else {
            usable.min(limits.degraded_max_age_ms())
        };
        View { now, epoch, fresh, usable }
    }

    pub(super) fn stamp(&self, now: u64) -> Stamp {
        Stamp { at: now, epoch: self.epoch.load(Ordering::Acquire) }
    }

    /// Begins a new epoch.
    pub(super) fn forget_all(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }

    /// Says whether changes arrive. Answers whether that is news.
    pub(super) fn set_live(&self, live: bool) -> bool {
        self.live.swap(live, Ordering::Relaxed) != live
    }

    pub(super) fn is_live(&self) -> bool {
        self.live.load(Ordering::Relaxed)
    }

    /// Notes a lease that was asked for at `sent`: it runs from there, so that it ends here before it ends in the store.
    pub(super) fn renewed(&self, sent: u64, length_ms: u64) {
        self.lease_until.fetch_max(sent.saturating_add(length_ms), Ordering::Relaxed);
    }

    /// Trusts nothing from here on.
    pub(super) fn end_lease(&self) {
        self.lease_until.store(0, Ordering::Relaxed);
    }

    pub(super) fn lease_until(&self) -> u64 {
        self.lease_until.load(Ordering::Relaxed)
    }

    pub(super) fn asked(&self, now: u64, in_vain: bool) {
        let until = if in_vain { now.saturating_add(IN_VAIN_MS) } else { 0 };
        self.away_until.store(until, Ordering::Relaxed);
    }

    /// Counts barriers from this one on.
    pub(super) fn begin(&self, barrier: i64) {
        self.acknowledged.store(barrier, Ordering::Release);
    }

    /// Notes a barrier. Answers whether it is higher than those before.
    pub(super) fn reach(&self, barrier: i64) -> bool {
        self.acknowledged.fetch_max(barrier, Ordering::AcqRel) < barrier
    }

    pub(super) fn acknowledged(&self) -> i64 {
        self.acknowledged.load(Ordering::Acquire)
    }
}

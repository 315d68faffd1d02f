//! What is kept, and the rule by which an entry may be used: a read under the map's guard, without a lock, a list of
//! what was used last, or an allocation.

use super::{
    CacheLimits,
    key::{Asked, Key},
    terms::{Commons, Kept},
    trust::View,
};
use crate::{
    clock::Clock,
    store::{Lookup, Record},
};
use foldhash::{SharedSeed, quality::SeedableRandomState};
use papaya::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

/// How many entries one sweep has asked for again at most; whatever is older then is loaded when it is wanted.
const REFRESHED_AT_A_TIME: usize = 65_536;

/// Records by what they are the answer to, and what there is no record of.
pub(super) struct Entries {
    found: HashMap<Key, Entry, SeedableRandomState>,
    absent: HashMap<Key, Stamp, SeedableRandomState>,
    commons: Commons,
    limits: CacheLimits,
}

/// The parts of a [`Stamp`] stand alone, which leaves their padding to `used`: there may be a million of these.
struct Entry {
    at: u64,
    epoch: u32,
    /// Whether it was used since the last sweep.
    used: AtomicBool,
    record: Kept,
}

impl Entry {
    const fn stamp(&self) -> Stamp {
        Stamp { at: self.at, epoch: self.epoch }
    }
}

/// As of when something is known.
#[derive(Clone, Copy)]
pub(super) struct Stamp {
    /// In ticks, before the store was asked.
    pub(super) at: u64,
    /// What was asked for in an earlier epoch is forgotten.
    pub(super) epoch: u32,
}

/// What an entry is good for.
pub(super) enum Hit<'e> {
    /// It answers.
    Fresh(Option<&'e Kept>),
    /// It answers if the store cannot be asked; see [`View::last_resort`].
    Stale,
    /// There is none, or none that can be trusted.
    Miss,
}

impl Entries {
    pub(super) fn new(limits: CacheLimits, clock: &dyn Clock) -> Self {
        // Whoever chooses what is looked up must not know how it is filed.
        let mut seed = [0; 8];
        clock.fill(&mut seed);
        let hasher = SeedableRandomState::with_seed(u64::from_ne_bytes(seed), SharedSeed::global_random());
        Self {
            found: HashMap::with_hasher(hasher.clone()),
            absent: HashMap::with_hasher(hasher),
            commons: Commons::default(),
            limits,
        }
    }

    /// Looks an entry up, and tells `then`, while the guard holds it, so that nothing is copied but to where it goes.
    /// `view` says what may be trusted at this moment.
    #[inline]
    pub(super) fn look_up<T>(&self, lookup: Lookup<'_>, view: View, then: impl FnOnce(Hit<'_>) -> T) -> T {
        let asked = Asked(lookup);
        let guard = self.found.guard();
        let Some(entry) = self.found.get(&asked, &guard) else {
            return then(if self.is_absent(&asked, view) { Hit::Fresh(None) } else { Hit::Miss });
        };
        let age = view.age(entry.stamp());
        if age >= view.fresh {
            return then(if age < view.usable { Hit::Stale } else { Hit::Miss });
        }
        // Written once a sweep, not once a hit: a busy key is read by every thread at once.
        if !entry.used.load(Ordering::Relaxed) {
            entry.used.store(true, Ordering::Relaxed);
        }
        then(Hit::Fresh(Some(&entry.record)))
    }

    fn is_absent(&self, asked: &Asked<'_>, view: View) -> bool {
        let guard = self.absent.guard();
        let stamp = self.absent.get(asked, &guard);
        stamp.is_some_and(|stamp| view.age(*stamp) < view.fresh.min(self.limits.absent_ms()))
    }

    /// Keeps a record, unless a newer one is kept already.
    pub(super) fn put(&self, key: Key, record: Record, stamp: Stamp) {
        let guard = self.found.guard();
        let record = self.commons.keep(record);
        let known = self.found.get(&key, &guard);
        if known
            .is_some_and(|known| known.epoch == stamp.epoch && known.record.revision() > record.revision())
        {
            return;
        }
        self.absent.pin().remove(&key);
        let Stamp { at, epoch } = stamp;
        self.found.insert(key, Entry { at, epoch, used: AtomicBool::new(false), record }, &guard);
    }

    /// Keeps for a moment that there is no record, if `told` says that an insertion would be told.
    pub(super) fn put_absent(&self, key: Key, stamp: Stamp, told: bool) {
        self.found.pin().remove(&key);
        if !told {
            return;
        }
        let absent = self.absent.pin();
        // Strangers choose what is not there. None of it is worth a choice of what to keep.
        if absent.len() >= self.limits.absent_entries {
            absent.clear();
        }
        absent.insert(key, stamp);
    }

    pub(super) fn remove(&self, key: &Key) {
        self.found.pin().remove(key);
        self.absent.pin().remove(key);
    }

    pub(super) fn clear(&self) {
        self.found.pin().clear();
        self.absent.pin().clear();
    }

    pub(super) fn len(&self) -> usize {
        self.found.len()
    }

    pub(super) fn absent_len(&self) -> usize {
        self.absent.len()
    }

    /// Drops what is too old to be of use, and names what was used and will soon be.
    pub(super) fn sweep(&self, view: View) -> Vec<Key> {
        let mut due = Vec::new();
        self.absent.pin().retain(|_, stamp| view.age(*stamp) < self.limits.absent_ms());
        self.found.pin().retain(|key, entry| {
            let age = view.age(entry.stamp());
            if age >= view.usable / 2
                && due.len() < REFRESHED_AT_A_TIME
                && entry.used.swap(false, Ordering::Relaxed)
            {
                due.push(key.clone());
            }
            age < view.usable
        });
        self.commons.sweep();
        due
    }

    /// Makes room once there are too many: a part of what was not used since the last time goes, and of the rest if
    /// that is not enough.
    pub(super) fn evict(&self) {
        let excess = self.len().saturating_sub(self.limits.entries);
        if excess == 0 {
            return;
        }
        // So many at once that a walk over all of them is rare.
        let mut left = excess + self.limits.entries / 16;
        let found = self.found.pin();
        for choose_used in [false, true] {
            found.retain(|_, entry| {
                let goes = left > 0 && (choose_used || !entry.used.swap(false, Ordering::Relaxed));
                left -= usize::from(goes);
                !goes
            });
        }
    }
}

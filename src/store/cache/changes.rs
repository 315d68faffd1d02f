//! Where a source tells what changes.

use super::{Shared, key::Key, source::Change};
use crate::{metrics, store::Lookup};
use std::{fmt, sync::Arc};

/// Where a [`Source`](super::Source) tells what changes.
#[derive(Clone)]
pub struct Changes(pub(super) Arc<Shared>);

impl Changes {
    /// From here on every change is told, and `newest` is the newest barrier that was made before. Everything that is
    /// kept is forgotten: what happened until now was perhaps not told.
    pub fn begin(&self, newest: i64) {
        self.forget_all();
        // Also if it is lower than one before: a backup may have been restored.
        self.0.trust.begin(newest);
        self.0.bell.notify_one();
    }

    /// Changes do arrive: one that was made for this purpose has.
    pub fn confirm(&self) {
        if self.0.trust.set_live(true) {
            metrics::listener(true);
            tracing::info!(instance = self.0.instance, "changes of the key store arrive");
            self.0.bell.notify_one();
        }
    }

    /// A text of a trigger has arrived.
    pub fn tell(&self, text: &str) {
        match Change::read(text) {
            Change::Of(key) => self.0.loader.changed(&key, &self.0.entries),
            Change::Barrier(number) => self.reach(number),
            Change::All => self.forget_all(),
        }
    }

    /// What is known about this has changed.
    pub fn changed(&self, lookup: Lookup<'_>) {
        self.0.loader.changed(&Key::of(lookup), &self.0.entries);
    }

    /// Anything may have changed.
    pub fn forget_all(&self) {
        self.0.loader.forget_all(&self.0.entries, &self.0.trust);
    }

    /// All that changed before this barrier was told.
    pub fn reach(&self, barrier: i64) {
        if self.0.trust.reach(barrier) {
            self.0.bell.notify_one();
        }
    }

    /// Changes may no longer arrive.
    pub(super) fn doubt(&self) -> bool {
        metrics::listener(false);
        self.0.trust.set_live(false)
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Changes(..)")
    }
}

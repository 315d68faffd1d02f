//! Recording where nothing is recorded: the same functions, so that nobody who calls them need ask.

#[cfg(feature = "cache")]
use super::LookedUp;
use crate::outcome::Outcome;
use std::time::SystemTime;

#[derive(Clone, Copy)]
pub(crate) struct Watch;

impl Watch {
    pub(crate) const fn start() -> Self {
        Self
    }
}

#[derive(Debug, Default)]
pub(crate) struct Verifications;

impl Verifications {
    pub(crate) const fn record(&self, _: Option<&'static str>, _: Outcome, _: Watch, _: u64) {}
}

#[derive(Debug, Default)]
pub(crate) struct Skew(());

impl Skew {
    pub(crate) const fn record(&self, _: SystemTime, _: SystemTime) {}
}

#[cfg(feature = "cache")]
pub(crate) struct Cache;

#[cfg(feature = "cache")]
impl Cache {
    pub(crate) const fn new() -> Self {
        Self
    }

    pub(crate) const fn looked_up(&self, _: LookedUp) {}

    pub(crate) const fn entries(&self, _: usize) {}
}

pub(crate) const fn store(_: &'static str, _: Watch) {}

#[cfg(feature = "_sql")]
pub(crate) const fn invalidation(_: Watch) {}

#[cfg(feature = "cache")]
pub(crate) const fn listener(_: bool) {}

#[cfg(feature = "_sql")]
pub(crate) const fn keys(_: &str, _: &'static str, _: i64) {}

#[cfg(feature = "_sql")]
pub(crate) const fn sealed_by(_: &str, _: i64) {}

#[cfg(feature = "_sql")]
pub(crate) const fn expiring(_: &'static str, _: i64) {}

#[cfg(feature = "_sql")]
pub(crate) const fn explanation(_: &'static str) {}

#[cfg(feature = "_sql")]
pub(crate) const fn inspector(_: bool) {}

#[cfg(feature = "_sql")]
pub(crate) const fn explaining_responses() {}

#[cfg(feature = "_sql")]
pub(crate) const fn sampled(_: &'static str, _: u64) {}

pub(crate) const fn client_requests(_: &str, _: &str, _: &str, _: u64) {}

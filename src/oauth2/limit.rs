//! How many failures a peer may have before it is told to slow down.

use std::{
    hash::{BuildHasher as _, RandomState},
    net::{IpAddr, Ipv6Addr},
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

/// How long failures count, in seconds.
const WINDOW: u64 = 60;
/// How many failures a peer may have with one client id in that time.
const PER_CLIENT: u32 = 10;
/// How many it may have with any.
const PER_PEER: u32 = 100;
/// How many counters there are. Two peers that meet in one count together, which only turns a 401 into a 429.
const CELLS: usize = 4096;

/// Counters of a fixed number, so that nobody can make them grow.
pub(super) struct Failures {
    /// In each, the window that it counts for, and above it the count.
    cells: Box<[AtomicU64]>,
    places: RandomState,
}

impl Failures {
    pub(super) fn new() -> Self {
        let cells = std::iter::repeat_with(AtomicU64::default).take(CELLS).collect();
        Self { cells, places: RandomState::new() }
    }

    /// Counts a failure. If there were too many, says in how many seconds they are forgotten.
    pub(super) fn count(&self, peer: Option<IpAddr>, client_id: &str, now: SystemTime) -> Option<u64> {
        let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let peer = peer.map(network);
        // A peer that is over its limit does not get to fill the counters of more client ids. Without an address to
        // tell peers apart, all of them together have no limit.
        let over = peer.is_some() && self.add((peer, ""), seconds) > PER_PEER
            || self.add((peer, client_id), seconds) > PER_CLIENT;
        over.then(|| WINDOW - seconds % WINDOW)
    }

    fn add(&self, who: (Option<IpAddr>, &str), seconds: u64) -> u32 {
        let place = usize::try_from(self.places.hash_one(who) % self.cells.len() as u64).unwrap_or_default();
        let window = (seconds / WINDOW) & u64::from(u32::MAX);
        let counted = |cell: u64| match cell & u64::from(u32::MAX) == window {
            true => cell.saturating_add(1 << 32),
            false => window | (1 << 32),
        };
        let Some(cell) = self.cells.get(place) else { return 0 };
        let mut known = cell.load(Ordering::Relaxed);
        loop {
            let next = counted(known);
            match cell.compare_exchange_weak(known, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return u32::try_from(next >> 32).unwrap_or(u32::MAX),
                Err(other) => known = other,
            }
        }
    }
}

/// What one subscriber has: a whole IPv4 address, or the first half of an IPv6 one.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits((address.to_bits() >> 64) << 64)),
        address => address,
    }
}

impl std::fmt::Debug for Failures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Failures(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn the_eleventh_failure_in_a_minute_is_one_too_many() {
        let failures = Failures::new();
        let peer: Option<IpAddr> = Some([192, 0, 2, 1].into());
        for _ in 0..10 {
            assert_eq!(failures.count(peer, "k", at(600)), None);
        }
        assert_eq!(failures.count(peer, "k", at(601)), Some(59));
        assert_eq!(failures.count(peer, "k", at(659)), Some(1));
        assert_eq!(failures.count(peer, "k", at(660)), None);
    }

    #[test]
    fn a_peer_is_counted_over_all_client_ids() {
        let failures = Failures::new();
        let count = |peer: &str| {
            let peer = Some(peer.parse().unwrap());
            (0..150).filter(|index| failures.count(peer, &format!("k{index}"), at(600)).is_some()).count()
        };
        assert!((50..100).contains(&count("2001:db8::1")));
        // The neighbour in the same /64 has nothing left.
        assert!(count("2001:db8::2") >= 149);
    }
}

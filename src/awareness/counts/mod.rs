//! The counts since the last flush, and the rule by which clients are told apart.
//!
//! A request looks its client up once, under a lock that it holds for some nanoseconds, and then counts in the place
//! that it has found.

use super::{UsageLimits, headers::bounded};
use crate::{
    credential::{KeyId, Organization},
    outcome::Outcome,
    store::{Caller, Counted, Counts, LATENCY_BOUNDS},
};
use foldhash::quality::RandomState;
use std::{
    collections::HashMap,
    hash::{BuildHasher as _, BuildHasherDefault, Hasher},
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

/// All clients that are not told apart.
pub(super) const OTHER: &str = "other";
/// Requests of different keys seldom wait for each other.
const SHARDS: usize = 16;

/// Whose key, and for which organization.
pub(super) type Key<'k> = (&'static str, &'k KeyId, Option<&'k Organization>);

/// Everything that is counted.
pub(super) struct Books {
    shards: [Mutex<Shard>; SHARDS],
    limits: UsageLimits,
    hasher: RandomState,
    /// How many clients are told apart.
    clients: AtomicUsize,
}

#[derive(Default)]
struct Shard {
    keys: HashMap<u64, Vec<OfKey>, BuildHasherDefault<AsItIs>>,
    outcomes: [u64; Outcome::ALL.len()],
}

/// What is counted of one key in one organization.
struct OfKey {
    scheme: &'static str,
    key_id: KeyId,
    organization: Option<Organization>,
    clients: Vec<Place>,
    /// Had to make room while requests of them were under way, which will be counted among the others.
    leaving: Vec<Arc<OfClient>>,
}

/// The place of a client that is told apart, or of all others.
struct Place {
    client: Arc<OfClient>,
    /// Requests in this hour.
    total: u64,
    /// Whether it has a row in the store: then it keeps its place for the rest of the hour.
    written: bool,
}

/// What is counted of one client in one version since the last flush.
pub(super) struct OfClient {
    name: Box<str>,
    version: Box<str>,
    denied: AtomicU64,
    errors: AtomicU64,
    latencies: [AtomicU64; LATENCY_BOUNDS.len() + 1],
    graphql: Mutex<GraphQl>,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum End {
    Well,
    Denied,
    Badly,
}

#[derive(Default)]
struct GraphQl {
    operations: HashMap<Box<str>, Runs>,
    fields: HashMap<Box<str>, Runs>,
}

/// How often since the last flush, and how often it failed.
#[derive(Clone, Copy, Default)]
struct Runs {
    all: u64,
    failed: u64,
}

impl Books {
    pub(super) fn new(limits: UsageLimits) -> Self {
        let (shards, hasher) = (Default::default(), RandomState::default());
        Self { shards, limits, hasher, clients: AtomicUsize::new(0) }
    }

    /// Finds where a client is counted. With an outcome, it has made one more request.
    pub(super) fn client(&self, key: Key<'_>, said: (&str, &str), outcome: Option<Outcome>) -> Arc<OfClient> {
        let hash = self.hasher.hash_one(key);
        // The map takes the lowest and the highest bits.
        let shard = &self.shards[usize::try_from((hash >> 32) % SHARDS as u64).unwrap_or_default()];
        let mut shard = lock(shard);
        if let Some(outcome) = outcome {
            shard.outcomes[outcome as usize] += 1;
        }
        let place = shard.key(hash, key).place(said, &self.limits, &self.clients);
        place.total += u64::from(outcome.is_some());
        Arc::clone(&place.client)
    }

    /// Counts the verdict over a request of somebody who is not known.
    pub(super) fn count_refusal(&self, outcome: Outcome) {
        lock(&self.shards[0]).outcomes[outcome as usize] += 1;
    }

    /// Counts an operation and the fields that it selects.
    pub(super) fn count_operation<'f>(
        &self,
        client: &OfClient,
        name: &str,
        failed: bool,
        fields: impl IntoIterator<Item = &'f str>,
    ) {
        let mut graphql = lock(&client.graphql);
        let one = Runs { all: 1, failed: failed.into() };
        add(&mut graphql.operations, bounded(name), one, self.limits.operations);
        for field in fields {
            add(&mut graphql.fields, field, one, self.limits.fields);
        }
    }

    /// Takes what was counted since the last time. At the end of an hour, all places become free whose clients have no
    /// request under way.
    pub(super) fn take(&self, end: bool) -> Vec<(Counted, Counts)> {
        let mut taken = Vec::new();
        for shard in &self.shards {
            let mut shard = lock(shard);
            let outcomes = mem::take(&mut shard.outcomes);
            for (outcome, count) in Outcome::ALL.iter().zip(outcomes).filter(|(_, count)| *count > 0) {
                taken.push((Counted::Outcome(outcome.as_str().to_owned()), Counts::of(count)));
            }
            let mut freed = 0;
            shard.keys.retain(|_, keys| {
                keys.retain_mut(|of_key| {
                    freed += of_key.take(end, &self.limits, &mut taken);
                    !end || !of_key.clients.is_empty() || !of_key.leaving.is_empty()
                });
                !keys.is_empty()
            });
            self.clients.fetch_sub(freed, Ordering::Relaxed);
        }
        taken
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shard {
    fn key(&mut self, hash: u64, (scheme, key_id, organization): Key<'_>) -> &mut OfKey {
        let keys = self.keys.entry(hash).or_default();
        let same = |of_key: &OfKey| {
            of_key.key_id == *key_id
                && of_key.organization.as_ref() == organization
                && of_key.scheme == scheme
        };
        let place = keys.iter().position(same).unwrap_or_else(|| {
            keys.push(OfKey {
                scheme,
                key_id: key_id.clone(),
                organization: organization.cloned(),
                clients: Vec::with_capacity(1),
                leaving: Vec::new(),
            });
            keys.len() - 1
        });
        &mut keys[place]
    }
}

impl OfKey {
    fn place(&mut self, said: (&str, &str), limits: &UsageLimits, clients: &AtomicUsize) -> &mut Place {
        if let Some(place) = self.clients.iter().position(|place| place.client.is(said)) {
            return &mut self.clients[place];
        }
        if said == (OTHER, "") {
            return self.other();
        }
        if self.told_apart() < limits.clients_a_key && clients.load(Ordering::Relaxed) < limits.clients {
            clients.fetch_add(1, Ordering::Relaxed);
            return self.add(said);
        }
        // Whoever calls least makes room, unless it is in the store already.
        let least = (0..self.clients.len())
            .filter(|place| !self.clients[*place].written && !self.clients[*place].client.is_other())
            .min_by_key(|place| self.clients[*place].total);
        let Some(least) = least else { return self.other() };
        let moved = mem::replace(&mut self.clients[least], Place::new(said));
        self.other().total += moved.total;
        self.leave(moved.client, limits);
        &mut self.clients[least]
    }

    fn add(&mut self, said: (&str, &str)) -> &mut Place {
        self.clients.push(Place::new(said));
        let last = self.clients.len() - 1;
        &mut self.clients[last]
    }

    fn other(&mut self) -> &mut Place {
        match self.clients.iter().position(|place| place.client.is_other()) {
            Some(place) => &mut self.clients[place],
            None => self.add((OTHER, "")),
        }
    }

    fn told_apart(&self) -> usize {
        self.clients.iter().filter(|place| !place.client.is_other()).count()
    }

    /// Counts a client among the others from here on.
    fn leave(&mut self, client: Arc<OfClient>, limits: &UsageLimits) {
        let busy = Arc::strong_count(&client) > 1;
        self.other().client.absorb(&client, limits);
        if busy {
            self.leaving.push(client);
        }
    }

    /// Takes what was counted since the last time, and says how many clients lose their places.
    fn take(&mut self, end: bool, limits: &UsageLimits, taken: &mut Vec<(Counted, Counts)>) -> usize {
        for client in mem::take(&mut self.leaving) {
            self.leave(client, limits);
        }
        let before = self.told_apart();
        let mut clients = mem::take(&mut self.clients);
        clients.retain_mut(|place| {
            // Asked first: what is counted after it was drained is counted for the next time.
            let busy = Arc::strong_count(&place.client) > 1;
            place.written |= self.take_client(&place.client, taken);
            if end {
                (place.total, place.written) = (0, false);
            }
            busy || !end
        });
        self.clients = clients;
        before - self.told_apart()
    }

    /// Whether there was anything to take.
    fn take_client(&self, client: &OfClient, taken: &mut Vec<(Counted, Counts)>) -> bool {
        let before = taken.len();
        let said = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let caller = || Caller {
            organization: self.organization.as_ref().map(ToString::to_string),
            scheme: self.scheme.to_owned(),
            key_id: self.key_id.to_string(),
            name: said(&client.name),
            version: said(&client.version),
        };
        let counts = |runs: Runs| Counts { errors: runs.failed, ..Counts::of(runs.all) };
        let mut graphql = lock(&client.graphql);
        for (name, runs) in since_last(&mut graphql.operations) {
            taken.push((Counted::Operation(caller(), said(&name)), counts(runs)));
        }
        for (name, runs) in since_last(&mut graphql.fields) {
            taken.push((Counted::Field(caller(), name), counts(runs)));
        }
        drop(graphql);
        let counts = client.drain();
        if counts.requests > 0 {
            taken.push((Counted::Client(caller()), counts));
        }
        taken.len() > before
    }
}

impl Place {
    fn new(said: (&str, &str)) -> Self {
        Self { client: Arc::new(OfClient::new(said)), total: 0, written: false }
    }
}

impl OfClient {
    fn new((name, version): (&str, &str)) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
            denied: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            latencies: Default::default(),
            graphql: Mutex::default(),
        }
    }

    /// Counts a request that has ended.
    pub(super) fn count(&self, milliseconds: u64, end: End) {
        self.latencies[Counts::bucket(milliseconds)].fetch_add(1, Ordering::Relaxed);
        match end {
            End::Well => {}
            End::Denied => drop(self.denied.fetch_add(1, Ordering::Relaxed)),
            End::Badly => drop(self.errors.fetch_add(1, Ordering::Relaxed)),
        }
    }

    fn is(&self, (name, version): (&str, &str)) -> bool {
        *self.name == *name && *self.version == *version
    }

    fn is_other(&self) -> bool {
        self.is((OTHER, ""))
    }

    /// Takes the requests since the last time. Every one of them has taken some time.
    fn drain(&self) -> Counts {
        let mut counts = Counts::default();
        for (count, atomic) in counts.latencies.iter_mut().zip(&self.latencies) {
            *count = atomic.swap(0, Ordering::Relaxed);
        }
        counts.requests = counts.latencies.iter().sum();
        counts.denied = self.denied.swap(0, Ordering::Relaxed);
        counts.errors = self.errors.swap(0, Ordering::Relaxed);
        counts
    }

    /// Takes over what another has counted.
    fn absorb(&self, other: &Self, limits: &UsageLimits) {
        let counts = other.drain();
        for (atomic, count) in self.latencies.iter().zip(counts.latencies) {
            atomic.fetch_add(count, Ordering::Relaxed);
        }
        self.denied.fetch_add(counts.denied, Ordering::Relaxed);
        self.errors.fetch_add(counts.errors, Ordering::Relaxed);
        let moved = mem::take(&mut *lock(&other.graphql));
        let mut graphql = lock(&self.graphql);
        for (name, runs) in moved.operations {
            add(&mut graphql.operations, &name, runs, limits.operations);
        }
        for (name, runs) in moved.fields {
            add(&mut graphql.fields, &name, runs, limits.fields);
        }
    }
}

impl Runs {
    const fn add(&mut self, other: Self) {
        self.all += other.all;
        self.failed += other.failed;
    }
}

/// Adds to a name's counts, or to those of all others if there are too many.
fn add(among: &mut HashMap<Box<str>, Runs>, name: &str, more: Runs, limit: usize) {
    if let Some(runs) = among.get_mut(name) {
        return runs.add(more);
    }
    let name = if among.len() < limit { name } else { OTHER };
    among.entry(name.into()).or_default().add(more);
}

fn since_last(among: &mut HashMap<Box<str>, Runs>) -> impl Iterator<Item = (String, Runs)> {
    let counted = among.iter_mut().filter(|(_, runs)| runs.all > 0);
    counted.map(|(name, runs)| (String::from(&**name), mem::take(runs)))
}

/// What is hashed already is not hashed again.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[cfg(test)]
mod tests;

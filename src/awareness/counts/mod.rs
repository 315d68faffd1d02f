//! The counts since the last flush, and the rule by which clients are told apart.

use super::{UsageLimits, headers::bounded};
use crate::{
    outcome::Outcome,
    store::{Caller, Counted, Counts},
    verify::Verified,
};
use smallvec::SmallVec;
use std::{
    collections::HashMap,
    hash::{BuildHasher as _, BuildHasherDefault, Hasher, RandomState},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

/// All clients that are not told apart.
pub(super) const OTHER: &str = "other";
/// Between two parts of a [`Tag`]; names hold no control characters.
const SEPARATOR: char = '\u{1f}';
/// Requests of different keys seldom wait for each other.
const SHARDS: usize = 16;

/// Who called, as one text: scheme, key and organization; client and version.
#[derive(Clone)]
pub(super) struct Tag {
    text: SmallVec<[u8; 184]>,
    /// Where the client begins.
    client: usize,
}

impl Tag {
    pub(super) fn new(verified: &Verified, client: (&str, &str)) -> Self {
        let organization = verified.organization().map_or("", |organization| organization.as_str());
        Self::of([verified.scheme(), verified.key_id().as_str(), organization], client)
    }

    fn of([scheme, key_id, organization]: [&str; 3], (name, version): (&str, &str)) -> Self {
        let mut text = SmallVec::new();
        let mut push = |part: &str| {
            text.extend_from_slice(part.as_bytes());
            text.push(SEPARATOR as u8);
        };
        push(scheme);
        push(key_id);
        push(organization);
        let client = scheme.len() + key_id.len() + organization.len() + 3;
        push(name);
        push(version);
        Self { text, client }
    }

    fn key(&self) -> &[u8] {
        self.text.get(..self.client).unwrap_or_default()
    }

    fn client(&self) -> &[u8] {
        self.text.get(self.client..).unwrap_or_default()
    }
}

/// The parts of a text of a [`Tag`].
fn parts(text: &[u8]) -> impl Iterator<Item = String> {
    text.split(|byte| *byte == SEPARATOR as u8).map(|part| String::from_utf8_lossy(part).into_owned())
}

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
    key: Box<[u8]>,
    clients: Vec<OfClient>,
}

/// What is counted of one client in one version.
struct OfClient {
    client: Box<[u8]>,
    /// Since the last flush.
    counts: Counts,
    /// In this hour.
    total: u64,
    /// Whether it has a row in the store: then it keeps its place for the rest of the hour.
    written: bool,
    graphql: Option<Box<GraphQl>>,
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
        Self { shards: Default::default(), limits, hasher: RandomState::new(), clients: AtomicUsize::new(0) }
    }

    /// Counts a request and its verdict.
    pub(super) fn count(&self, tag: &Tag, outcome: Outcome, counts: impl FnOnce(&mut Counts)) {
        self.with(tag, |shard, hash| {
            shard.count_outcome(outcome);
            let client = shard.client(hash, tag, &self.limits, &self.clients);
            client.counts.requests += 1;
            client.total += 1;
            counts(&mut client.counts);
        });
    }

    /// Counts the verdict over a request of somebody who is not known.
    pub(super) fn count_refusal(&self, outcome: Outcome) {
        lock(&self.shards[0]).count_outcome(outcome);
    }

    pub(super) fn count_operation<'f>(
        &self,
        tag: &Tag,
        name: &str,
        failed: bool,
        fields: impl IntoIterator<Item = &'f str>,
    ) {
        self.with(tag, |shard, hash| {
            let client = shard.client(hash, tag, &self.limits, &self.clients);
            let graphql = client.graphql.get_or_insert_default();
            let one = Runs { all: 1, failed: failed.into() };
            add(&mut graphql.operations, bounded(name), one, self.limits.operations);
            for field in fields {
                add(&mut graphql.fields, field, one, self.limits.fields);
            }
        });
    }

    fn with(&self, tag: &Tag, change: impl FnOnce(&mut Shard, u64)) {
        let hash = self.hasher.hash_one(tag.key());
        // The map takes the lowest and the highest bits.
        let shard = &self.shards[usize::try_from((hash >> 32) % SHARDS as u64).unwrap_or_default()];
        change(&mut lock(shard), hash);
    }

    /// Takes what was counted since the last time. At the end of an hour, all places become free.
    pub(super) fn take(&self, end: bool) -> Vec<(Counted, Counts)> {
        let mut taken = Vec::new();
        for shard in &self.shards {
            let mut shard = lock(shard);
            let outcomes = std::mem::take(&mut shard.outcomes);
            for (outcome, count) in Outcome::ALL.iter().zip(outcomes).filter(|(_, count)| *count > 0) {
                taken.push((Counted::Outcome(outcome.as_str().to_owned()), Counts::of(count)));
            }
            for of_key in shard.keys.values_mut().flatten() {
                for client in &mut of_key.clients {
                    client.take(&of_key.key, &mut taken);
                }
            }
            if end {
                let freed: usize = shard.keys.values().flatten().map(OfKey::told_apart).sum();
                self.clients.fetch_sub(freed, Ordering::Relaxed);
                shard.keys = HashMap::default();
            }
        }
        taken
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shard {
    fn count_outcome(&mut self, outcome: Outcome) {
        self.outcomes[outcome as usize] += 1;
    }

    /// The place of a client.
    fn client(&mut self, hash: u64, tag: &Tag, limits: &UsageLimits, clients: &AtomicUsize) -> &mut OfClient {
        let keys = self.keys.entry(hash).or_default();
        let place = keys.iter().position(|of_key| *of_key.key == *tag.key()).unwrap_or_else(|| {
            keys.push(OfKey { key: tag.key().into(), clients: Vec::with_capacity(1) });
            keys.len() - 1
        });
        keys[place].client(tag.client(), limits, clients)
    }
}

impl OfKey {
    fn client(&mut self, client: &[u8], limits: &UsageLimits, clients: &AtomicUsize) -> &mut OfClient {
        if let Some(place) = self.clients.iter().position(|known| *known.client == *client) {
            return &mut self.clients[place];
        }
        if is_other(client) {
            return self.other();
        }
        if self.told_apart() < limits.clients_a_key && clients.load(Ordering::Relaxed) < limits.clients {
            clients.fetch_add(1, Ordering::Relaxed);
            self.clients.push(OfClient::new(client));
            let last = self.clients.len() - 1;
            return &mut self.clients[last];
        }
        // Whoever calls least makes room, unless it is in the store already.
        let least = (0..self.clients.len())
            .filter(|place| !self.clients[*place].written && !self.clients[*place].is_other())
            .min_by_key(|place| self.clients[*place].total);
        let Some(least) = least else { return self.other() };
        let moved = std::mem::replace(&mut self.clients[least], OfClient::new(client));
        self.other().absorb(moved, limits);
        &mut self.clients[least]
    }

    fn told_apart(&self) -> usize {
        self.clients.iter().filter(|client| !client.is_other()).count()
    }

    fn other(&mut self) -> &mut OfClient {
        let place = self.clients.iter().position(OfClient::is_other).unwrap_or_else(|| {
            self.clients.push(OfClient::new(Tag::of([""; 3], (OTHER, "")).client()));
            self.clients.len() - 1
        });
        &mut self.clients[place]
    }
}

fn is_other(client: &[u8]) -> bool {
    client.strip_prefix(OTHER.as_bytes()).is_some_and(|rest| rest == [SEPARATOR as u8; 2])
}

impl OfClient {
    fn new(client: &[u8]) -> Self {
        Self { client: client.into(), counts: Counts::default(), total: 0, written: false, graphql: None }
    }

    fn is_other(&self) -> bool {
        is_other(&self.client)
    }

    fn absorb(&mut self, other: Self, limits: &UsageLimits) {
        self.counts.add(&other.counts);
        self.total += other.total;
        let Some(other) = other.graphql else { return };
        let graphql = self.graphql.get_or_insert_default();
        for (name, runs) in other.operations {
            add(&mut graphql.operations, &name, runs, limits.operations);
        }
        for (name, runs) in other.fields {
            add(&mut graphql.fields, &name, runs, limits.fields);
        }
    }

    /// Takes what was counted since the last time.
    fn take(&mut self, key: &[u8], taken: &mut Vec<(Counted, Counts)>) {
        let caller = caller(key, &self.client);
        let before = taken.len();
        if let Some(graphql) = &mut self.graphql {
            graphql.take(&caller, taken);
        }
        let counts = std::mem::take(&mut self.counts);
        if counts.requests > 0 {
            taken.push((Counted::Client(caller), counts));
        }
        self.written |= taken.len() > before;
    }
}

impl GraphQl {
    fn take(&mut self, caller: &Caller, taken: &mut Vec<(Counted, Counts)>) {
        let counts = |runs: Runs| Counts { errors: runs.failed, ..Counts::of(runs.all) };
        for (name, runs) in since_last(&mut self.operations) {
            let name = Some(name).filter(|name| !name.is_empty());
            taken.push((Counted::Operation(caller.clone(), name), counts(runs)));
        }
        for (name, runs) in since_last(&mut self.fields) {
            taken.push((Counted::Field(caller.clone(), name), counts(runs)));
        }
    }
}

fn since_last(among: &mut HashMap<Box<str>, Runs>) -> impl Iterator<Item = (String, Runs)> {
    let counted = among.iter_mut().filter(|(_, runs)| runs.all > 0);
    counted.map(|(name, runs)| (String::from(&**name), std::mem::take(runs)))
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

fn caller(key: &[u8], client: &[u8]) -> Caller {
    let said = |text: Option<String>| text.filter(|text| !text.is_empty());
    let (mut key, mut client) = (parts(key), parts(client));
    Caller {
        scheme: key.next().unwrap_or_default(),
        key_id: key.next().unwrap_or_default(),
        organization: said(key.next()),
        name: said(client.next()),
        version: said(client.next()),
    }
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

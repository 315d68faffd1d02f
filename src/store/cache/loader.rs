//! Asks the store for what is not kept: everything that waits in one question, and one question at a time, whatever is
//! asked for.
//!
//! A lookup never joins a question that is under way, whose answer may be older than the lookup; it waits for the next.
//! An answer counts for nothing where a change was told while it was under way. Both the telling and the taking in of an
//! answer hold the one lock, so that neither overlooks the other.

use super::{
    entries::{Entries, Stamp},
    key::Key,
    source::{Loaded, Source, Wanted},
    trust::Trust,
};
use crate::{metrics, store::StoreError};
use std::{
    collections::{HashMap, HashSet},
    error::Error,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{Notify, oneshot};

/// Questions that are asked in one.
const BATCH: usize = 1_000;
/// Changes that are told apart while a question is under way; of more, each answer is asked for again.
const TOLD_APART: usize = 10_000;

/// What somebody who waits is told.
pub(super) type Answer = Result<Loaded, StoreError>;

#[derive(Default)]
pub(super) struct Loader {
    state: Mutex<State>,
    bell: Notify,
}

#[derive(Default)]
struct State {
    waiting: HashMap<Key, Vec<oneshot::Sender<Answer>>>,
    flights: Vec<Flight>,
    count: u64,
}

/// A question under way.
struct Flight {
    number: u64,
    stamp: Stamp,
    changed: HashSet<Key>,
    /// Whether anything may have changed.
    all: bool,
}

/// Keys to be asked for, and who waits for each; nobody, if it is only asked for again.
pub(super) struct Batch {
    flight: u64,
    entries: Vec<(Key, Vec<oneshot::Sender<Answer>>)>,
}

impl Loader {
    /// Waits in line for an answer.
    pub(super) fn ask(&self, key: Key) -> oneshot::Receiver<Answer> {
        let (sender, receiver) = oneshot::channel();
        self.lock().waiting.entry(key).or_default().push(sender);
        self.bell.notify_one();
        receiver
    }

    /// Has keys asked for again, for nobody in particular.
    pub(super) fn refresh(&self, keys: Vec<Key>) {
        let mut state = self.lock();
        for key in keys {
            state.waiting.entry(key).or_default();
        }
        self.bell.notify_one();
    }

    /// Says that what is known about `key` is no longer true.
    pub(super) fn changed(&self, key: &Key, entries: &Entries) {
        let mut state = self.lock();
        for flight in &mut state.flights {
            flight.all |= flight.changed.len() >= TOLD_APART;
            if !flight.all {
                flight.changed.insert(key.clone());
            }
        }
        entries.remove(key);
    }

    /// Says that nothing that is known need be true.
    pub(super) fn forget_all(&self, entries: &Entries, trust: &Trust) {
        let mut state = self.lock();
        state.flights.iter_mut().for_each(|flight| flight.all = true);
        trust.forget_all();
        entries.clear();
    }

    /// The keys of the next question, as soon as there are any.
    pub(super) async fn next(&self, trust: &Trust, ticks: impl Fn() -> u64) -> Batch {
        loop {
            if let Some(batch) = self.lock().take(trust, ticks()) {
                return batch;
            }
            self.bell.notified().await;
        }
    }

    /// Takes in the answer to a question; `told` as in [`Entries::put_absent`].
    pub(super) fn land(
        &self,
        batch: Batch,
        answers: Result<Vec<Loaded>, StoreError>,
        entries: &Entries,
        told: bool,
    ) {
        let mut state = self.lock();
        let Some(flight) = state.end(batch.flight) else { return };
        let answers = match answers {
            Ok(answers) => answers.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error); batch.entries.len()],
        };
        for ((key, waiting), answer) in batch.entries.into_iter().zip(answers) {
            if answer.is_ok() && flight.spoils(&key) {
                if !waiting.is_empty() {
                    state.waiting.entry(key).or_default().extend(waiting);
                }
                continue;
            }
            match &answer {
                Ok(Ok(Some(record))) => entries.put(key, record.clone(), flight.stamp),
                Ok(Ok(None)) => entries.put_absent(key, flight.stamp, told),
                Ok(Err(_)) => entries.remove(&key),
                Err(_) => {}
            }
            waiting.into_iter().for_each(|sender| drop(sender.send(answer.clone())));
        }
        entries.evict();
        drop(state);
        self.bell.notify_one();
    }

    /// Notes that a page of the store is read.
    pub(super) fn begin_page(&self, trust: &Trust, now: u64) -> u64 {
        self.lock().begin(trust, now)
    }

    /// Takes in a page, and says how much of it could be used. What could not is told to whoever asks for it.
    pub(super) fn land_page(&self, flight: u64, page: Vec<(Wanted, Loaded)>, entries: &Entries) -> usize {
        let mut state = self.lock();
        let Some(flight) = state.end(flight) else { return 0 };
        let mut count = 0;
        for (wanted, loaded) in page {
            let key = Key::of(wanted.lookup());
            if let Ok(Some(record)) = loaded {
                count += 1;
                if !flight.spoils(&key) {
                    entries.put(key, record, flight.stamp);
                }
            }
        }
        count
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, trust: &Trust, now: u64) -> Option<Batch> {
        // Nobody waits any more for what everybody has given up on.
        self.waiting.retain(|_, waiting| {
            let refreshed = waiting.is_empty();
            waiting.retain(|sender| !sender.is_closed());
            refreshed || !waiting.is_empty()
        });
        if self.waiting.is_empty() {
            return None;
        }
        let entries = if self.waiting.len() <= BATCH {
            self.waiting.drain().collect()
        } else {
            // Who waits comes before what is only asked for again.
            let mut keys: Vec<_> =
                self.waiting.iter().map(|(key, waiting)| (waiting.is_empty(), key)).collect();
            keys.sort_unstable_by_key(|(refreshed, _)| *refreshed);
            let keys: Vec<_> = keys.into_iter().take(BATCH).map(|(_, key)| key.clone()).collect();
            keys.into_iter().filter_map(|key| self.waiting.remove_entry(&key)).collect()
        };
        Some(Batch { flight: self.begin(trust, now), entries })
    }

    fn begin(&mut self, trust: &Trust, now: u64) -> u64 {
        self.count += 1;
        let flight =
            Flight { number: self.count, stamp: trust.stamp(now), changed: HashSet::new(), all: false };
        self.flights.push(flight);
        self.count
    }

    fn end(&mut self, number: u64) -> Option<Flight> {
        let place = self.flights.iter().position(|flight| flight.number == number)?;
        Some(self.flights.swap_remove(place))
    }
}

impl Flight {
    fn spoils(&self, key: &Key) -> bool {
        self.all || self.changed.contains(key)
    }
}

impl Batch {
    /// The questions. Every key was made of one.
    pub(super) fn wanted(&self) -> Vec<Wanted> {
        self.entries.iter().filter_map(|(key, _)| key.wanted()).collect()
    }
}

/// Asks, for as long as the program runs.
pub(super) async fn run(
    loader: &Loader,
    source: &dyn Source,
    entries: &Entries,
    trust: &Trust,
    ticks: impl Fn() -> u64,
) {
    loop {
        let batch = loader.next(trust, &ticks).await;
        let wanted = batch.wanted();
        let watch = metrics::Watch::start();
        let loaded = source.load(&wanted).await;
        metrics::store("load", watch);
        let answers = loaded.and_then(|answers| {
            let complete = answers.len() == wanted.len() && wanted.len() == batch.entries.len();
            complete.then_some(answers).ok_or_else(|| StoreError::new(Incomplete))
        });
        trust.asked(ticks(), answers.is_err());
        loader.land(batch, answers, entries, source.tells_at_once());
    }
}

/// A source has answered another number of questions than it was asked.
#[derive(Debug)]
struct Incomplete;

impl fmt::Display for Incomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the store did not answer every question")
    }
}

impl Error for Incomplete {}

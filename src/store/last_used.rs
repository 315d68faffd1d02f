//! When each secret was last used: noted beside the requests, and written to the store once a minute.

use super::StoreError;
use crate::{credential::KeyId, metrics};
use async_trait::async_trait;
use std::{
    collections::HashMap,
    fmt, mem,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

/// Between two notes about one secret.
const MINUTE: Duration = Duration::from_secs(60);

/// A store that can say when a secret was last used.
#[async_trait]
pub trait UseLog: fmt::Debug + Send + Sync + 'static {
    /// Notes uses. A later one that is noted already stays; one of a secret that is gone is passed over.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be written; some of the uses may be.
    async fn note_uses(&self, uses: &[Use]) -> Result<(), StoreError>;
}

/// That a request was signed with a secret.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Use {
    /// The scheme's name.
    pub scheme: &'static str,
    /// The key.
    pub key_id: KeyId,
    /// The number of the secret.
    pub number: i64,
    /// When.
    pub at: SystemTime,
}

impl Use {
    /// A use of secret `number` of a key.
    #[must_use]
    pub const fn new(scheme: &'static str, key_id: KeyId, number: i64, at: SystemTime) -> Self {
        Self { scheme, key_id, number, at }
    }
}

/// Collects when secrets are used. A verifier is given one by
/// [`SignatureVerifier::with_last_used`](crate::verify::SignatureVerifier::with_last_used); a clone collects in the same
/// place.
///
/// Each secret is noted once a minute at most. Nothing is written until [`flush`](Self::flush): at the end of the
/// program, and before that from time to time, which [`keep_writing`](Self::keep_writing) does.
///
/// ```
/// use countersign::{
///     SignatureVerifier,
///     scheme::Corezoid,
///     store::{LastUsed, MemoryKeyStore},
/// };
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (keys, last_used) = (Arc::new(MemoryKeyStore::new()), LastUsed::default());
/// let verifier =
///     SignatureVerifier::new(Corezoid::default(), Arc::clone(&keys)).with_last_used(last_used.clone());
/// let (writer, store) = (last_used.clone(), Arc::clone(&keys));
/// let writing = tokio::spawn(async move { writer.keep_writing(&*store).await });
/// // … serve requests; then:
/// writing.abort();
/// last_used.flush(&*keys).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct LastUsed(Arc<Mutex<Uses>>);

/// Secrets by scheme, key id and number.
type Place = (&'static str, KeyId, i64);

#[derive(Default)]
struct Uses {
    /// When each secret was last noted.
    noted: HashMap<Place, SystemTime>,
    unwritten: HashMap<Place, SystemTime>,
}

impl LastUsed {
    /// Notes a use, unless one was noted in the minute before.
    pub fn note(&self, scheme: &'static str, key_id: &KeyId, number: i64, at: SystemTime) {
        let place = (scheme, key_id.clone(), number);
        self.with(|uses| {
            let recently = |last: &SystemTime| at.duration_since(*last).is_ok_and(|age| age < MINUTE);
            if !uses.noted.get(&place).is_some_and(recently) {
                uses.noted.insert(place.clone(), at);
                uses.unwritten.insert(place, at);
            }
        });
    }

    /// Writes what was collected since the last time.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be written. What was collected is kept for the next time.
    pub async fn flush(&self, store: &dyn UseLog) -> Result<(), StoreError> {
        let unwritten = self.with(|uses| mem::take(&mut uses.unwritten));
        let mut batch: Vec<_> = unwritten
            .into_iter()
            .map(|((scheme, key_id, number), at)| Use::new(scheme, key_id, number, at))
            .collect();
        // Two programs that write at once must not wait for each other.
        batch.sort_by(|a, b| {
            (a.scheme, a.key_id.as_str(), a.number).cmp(&(b.scheme, b.key_id.as_str(), b.number))
        });
        let watch = metrics::Watch::start();
        let written = if batch.is_empty() { Ok(()) } else { store.note_uses(&batch).await };
        if !batch.is_empty() {
            metrics::store("note_uses", watch);
        }
        self.with(|uses| match &written {
            // What is older does not hold anything back any more.
            Ok(()) => {
                if let Some(latest) = uses.noted.values().max().copied() {
                    uses.noted.retain(|_, at| latest.duration_since(*at).is_ok_and(|age| age < MINUTE));
                }
            }
            Err(_) => {
                for usage in batch {
                    let place = (usage.scheme, usage.key_id, usage.number);
                    uses.unwritten.entry(place).or_insert(usage.at);
                }
            }
        });
        written
    }

    /// Flushes once a minute, for ever. A failure is told as a warning, and made up for a minute later.
    pub async fn keep_writing(&self, store: &dyn UseLog) {
        loop {
            tokio::time::sleep(MINUTE).await;
            if let Err(error) = self.flush(store).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the last uses of keys are not written"
                );
            }
        }
    }

    fn with<T>(&self, change: impl FnOnce(&mut Uses) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for LastUsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LastUsed(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    /// A store that keeps what it is told, or fails.
    #[derive(Debug, Default)]
    struct Told(Mutex<Vec<Use>>, Mutex<bool>);

    #[async_trait]
    impl UseLog for Told {
        async fn note_uses(&self, uses: &[Use]) -> Result<(), StoreError> {
            if *self.1.lock().unwrap() {
                return Err(StoreError::new("away"));
            }
            self.0.lock().unwrap().extend_from_slice(uses);
            Ok(())
        }
    }

    impl Told {
        fn take(&self) -> Vec<(String, i64, u64)> {
            let taken = mem::take(&mut *self.0.lock().unwrap()).into_iter();
            let seconds = |at: SystemTime| at.duration_since(UNIX_EPOCH).unwrap().as_secs();
            taken.map(|usage| (usage.key_id.to_string(), usage.number, seconds(usage.at))).collect()
        }
    }

    #[tokio::test]
    async fn each_secret_is_written_once_a_minute_and_none_is_lost() {
        let (last_used, store) = (LastUsed::default(), Told::default());
        let note = |key_id: &str, number, seconds| {
            let at = UNIX_EPOCH + Duration::from_secs(seconds);
            last_used.note("ateliere", &KeyId::new(key_id).unwrap(), number, at);
        };
        for seconds in [100, 101, 159] {
            note("pk_2", 1, seconds);
            note("pk_1", 2, seconds);
            note("pk_1", 1, seconds + 1);
        }
        last_used.flush(&store).await.unwrap();
        let of = |key_id: &str, number, seconds| (key_id.to_owned(), number, seconds);
        assert_eq!(store.take(), [of("pk_1", 1, 101), of("pk_1", 2, 100), of("pk_2", 1, 100)]);

        note("pk_2", 1, 159);
        note("pk_1", 1, 161);
        *store.1.lock().unwrap() = true;
        assert!(last_used.flush(&store).await.is_err());
        *store.1.lock().unwrap() = false;
        last_used.flush(&store).await.unwrap();
        assert_eq!(store.take(), [of("pk_1", 1, 161)], "a failure is made up for");
        last_used.flush(&store).await.unwrap();
        assert_eq!(store.take(), []);
    }
}

//! Records as they are kept. Terms that many credentials have in common are held once: of credentials there may be a
//! million.
//!
//! Whoever is answered gets a count of his own on the terms. If all threads wrote to one such count, the keys of a busy
//! account would make them wait for each other, so that some threads share a copy, and others have another.

use crate::{
    credential::{
        Credential, Installation, OAuthClient, Principal, ReadToken, Secrets, SigningKey, Terms, TokenKeys,
    },
    store::Record,
};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Terms that are told apart for one account. With more, each credential has its own.
const TOLD_APART: usize = 8;
/// Copies of the same terms. Threads take them in turns.
const COPIES: usize = 8;

thread_local! {
    /// Which of the copies is this thread's.
    static OWN: usize = {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        THREADS.fetch_add(1, Ordering::Relaxed) % COPIES
    };
}

/// A [`Record`], with the terms shared.
pub(super) enum Kept {
    Credential { terms: Arc<Copies>, secrets: Secrets, revision: i64 },
    Installation(Installation),
    Client(Arc<OAuthClient>),
    ReadToken(Arc<ReadToken>),
    TokenKeys(Arc<TokenKeys>),
    SigningKey(Arc<SigningKey>),
}

impl Kept {
    /// The record, for whoever asks.
    #[inline]
    pub(super) fn record(&self) -> Record {
        match self {
            Self::Credential { terms, secrets, revision } => Record::Credential(Credential {
                terms: Arc::clone(terms.own()),
                secrets: secrets.clone(),
                revision: *revision,
            }),
            Self::Installation(installation) => Record::Installation(installation.clone()),
            Self::Client(client) => Record::Client(Arc::clone(client)),
            Self::ReadToken(token) => Record::ReadToken(Arc::clone(token)),
            Self::TokenKeys(keys) => Record::TokenKeys(Arc::clone(keys)),
            Self::SigningKey(key) => Record::SigningKey(Arc::clone(key)),
        }
    }

    /// The revision; 0 if the record has none.
    pub(super) fn revision(&self) -> i64 {
        match self {
            Self::Credential { revision, .. } => *revision,
            Self::Client(client) => client.revision,
            Self::ReadToken(token) => token.revision,
            Self::Installation(_) | Self::TokenKeys(_) | Self::SigningKey(_) => 0,
        }
    }
}

/// The same terms, once for each of some threads: a copy is made when one of its threads first asks.
pub(super) struct Copies {
    first: Arc<Terms>,
    others: [OnceLock<Arc<Terms>>; COPIES - 1],
}

impl Copies {
    fn of(terms: Arc<Terms>) -> Self {
        Self { first: terms, others: [const { OnceLock::new() }; COPIES - 1] }
    }

    /// The copy of this thread.
    #[inline]
    fn own(&self) -> &Arc<Terms> {
        let own = OWN.try_with(|own| *own).unwrap_or_default();
        match own.checked_sub(1).and_then(|other| self.others.get(other)) {
            Some(other) => other.get_or_init(|| Arc::new(self.first.unshared())),
            None => &self.first,
        }
    }
}

/// Terms, by the account that owns the credentials.
#[derive(Default)]
pub(super) struct Commons(Mutex<HashMap<Principal, Vec<Arc<Copies>>>>);

impl Commons {
    /// A record as it is kept: a credential with the terms that another has, if they say the same.
    pub(super) fn keep(&self, record: Record) -> Kept {
        match record {
            Record::Credential(Credential { terms, secrets, revision }) => {
                Kept::Credential { terms: self.share(terms), secrets, revision }
            }
            Record::Installation(installation) => Kept::Installation(installation),
            Record::Client(client) => Kept::Client(client),
            Record::ReadToken(token) => Kept::ReadToken(token),
            Record::TokenKeys(keys) => Kept::TokenKeys(keys),
            Record::SigningKey(key) => Kept::SigningKey(key),
        }
    }

    fn share(&self, terms: Arc<Terms>) -> Arc<Copies> {
        let mut commons = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = commons.entry(terms.principal.clone()).or_default();
        if let Some(known) = known.iter().find(|known| known.first == terms) {
            return Arc::clone(known);
        }
        known.truncate(TOLD_APART - 1);
        let copies = Arc::new(Copies::of(terms));
        known.push(Arc::clone(&copies));
        copies
    }

    /// Drops what no entry has any more.
    pub(super) fn sweep(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, known| {
            known.retain(|terms| Arc::strong_count(terms) > 1);
            !known.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        credential::{CredentialState, Permissions, SecretVersion},
        secret::Secret,
        signature::{Algorithm, MacKey},
    };

    fn credential(account: &str) -> Credential {
        let key = MacKey::new(Algorithm::HmacSha256, &Secret::new("3f9a64b0d1c84e3d").unwrap());
        Credential::new(Principal::new(account).unwrap(), [SecretVersion::new(1, key)])
    }

    #[test]
    fn what_is_the_same_is_held_once_and_no_longer_than_needed() {
        let commons = Commons::default();
        let mut disabled = credential("ops");
        disabled.state = CredentialState::Disabled;
        let share = |credential: Credential| commons.share(credential.terms);
        let (one, two, other) = (share(credential("ops")), share(credential("ops")), share(disabled));
        assert!(Arc::ptr_eq(&one, &two) && !Arc::ptr_eq(&one, &other));
        assert_eq!(*share(credential("bob")).first, *credential("bob").terms);
        drop((one, two));
        commons.sweep();
        assert_eq!(commons.0.lock().unwrap().values().map(Vec::len).sum::<usize>(), 1);
        drop(other);
        commons.sweep();
        assert!(commons.0.lock().unwrap().is_empty());
    }

    #[test]
    fn threads_count_on_terms_of_their_own() {
        let mut credential = credential("ops");
        credential.permissions = Permissions::parse("sites:read").unwrap();
        let copies = Copies::of(Arc::clone(&credential.terms));
        let own = || Arc::clone(copies.own());
        let (here, there) = std::thread::scope(|scope| {
            let there = scope.spawn(own);
            (own(), there.join().unwrap())
        });
        assert_eq!((&*here, &*there), (&*credential.terms, &*credential.terms));
        assert!(Arc::ptr_eq(&here, copies.own()));
    }

    #[test]
    fn a_record_is_small() {
        assert!(size_of::<Record>() <= size_of::<SecretVersion>() + 32, "{}", size_of::<Record>());
        assert!(size_of::<Kept>() <= size_of::<SecretVersion>() + 32, "{}", size_of::<Kept>());
    }
}

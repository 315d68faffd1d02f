//! Terms that many credentials have in common, held once: of credentials there may be a million.

use crate::{
    credential::{Principal, Terms},
    store::Record,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Terms that are told apart for one account. With more, each credential has its own.
const TOLD_APART: usize = 8;

/// Terms, by the account that owns the credentials.
#[derive(Default)]
pub(super) struct Commons(Mutex<HashMap<Principal, Vec<Arc<Terms>>>>);

impl Commons {
    /// Gives a credential the terms that another has, if they say the same.
    pub(super) fn share(&self, record: &mut Record) {
        let Record::Credential(credential) = record else { return };
        let mut commons = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = commons.entry(credential.principal.clone()).or_default();
        match known.iter().find(|known| **known == credential.terms) {
            Some(known) => credential.terms = Arc::clone(known),
            None => {
                known.truncate(TOLD_APART - 1);
                known.push(Arc::clone(&credential.terms));
            }
        }
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
        credential::{Credential, CredentialState, SecretVersion},
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
        let share = |credential| {
            let mut record = Record::Credential(credential);
            commons.share(&mut record);
            match record {
                Record::Credential(credential) => credential.terms,
                other => panic!("{other:?}"),
            }
        };
        let mut disabled = credential("ops");
        disabled.state = CredentialState::Disabled;
        let (one, two, other) = (share(credential("ops")), share(credential("ops")), share(disabled));
        assert!(Arc::ptr_eq(&one, &two) && !Arc::ptr_eq(&one, &other));
        assert_eq!(*share(credential("bob")), *credential("bob").terms);
        drop((one, two));
        commons.sweep();
        assert_eq!(commons.0.lock().unwrap().values().map(Vec::len).sum::<usize>(), 1);
        drop(other);
        commons.sweep();
        assert!(commons.0.lock().unwrap().is_empty());
    }

    #[test]
    fn a_record_is_small() {
        assert!(size_of::<Record>() <= size_of::<SecretVersion>() + 32, "{}", size_of::<Record>());
    }
}

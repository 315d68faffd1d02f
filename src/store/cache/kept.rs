//! A record as it is kept. Of credentials there may be a million: what many of them have in common is held once.

use crate::{
    credential::{Credential, Principal, SecretVersion},
    store::Record,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Commons that are told apart for one account. With more, each credential has its own.
const COMMONS: usize = 8;

/// A record, apart from what others say as well.
pub(super) enum Kept {
    /// A credential with one secret; the rest of it is in `common`.
    Credential { common: Arc<Credential>, secret: SecretVersion, revision: i64 },
    /// Any other record.
    Whole(Box<Record>),
}

/// Credentials without their secrets and revisions, by the account that owns them.
#[derive(Default)]
pub(super) struct Commons(Mutex<HashMap<Principal, Vec<Arc<Credential>>>>);

impl Kept {
    /// The record. Copying it out neither allocates nor counts references, as far as copying the record does not.
    pub(super) fn record(&self) -> Record {
        match self {
            Self::Credential { common, secret, revision } => {
                let mut credential = Credential::clone(common);
                credential.secrets.push(secret.clone());
                credential.revision = *revision;
                Record::Credential(credential)
            }
            Self::Whole(record) => (**record).clone(),
        }
    }

    /// The revision; 0 if the record has none.
    pub(super) fn revision(&self) -> i64 {
        match self {
            Self::Credential { revision, .. } => *revision,
            Self::Whole(record) => revision(record),
        }
    }
}

pub(super) fn revision(record: &Record) -> i64 {
    match record {
        Record::Credential(credential) => credential.revision,
        Record::Client(client) => client.revision,
        Record::ReadToken(token) => token.revision,
        Record::Installation(_) | Record::TokenKeys(_) | Record::SigningKey(_) => 0,
    }
}

impl Commons {
    /// Takes a record apart.
    pub(super) fn keep(&self, record: Record) -> Kept {
        match record {
            Record::Credential(mut credential) if credential.secrets.len() == 1 => {
                let revision = std::mem::take(&mut credential.revision);
                match credential.secrets.pop() {
                    Some(secret) => Kept::Credential { common: self.common(credential), secret, revision },
                    None => Kept::Whole(Box::new(Record::Credential(credential))),
                }
            }
            record => Kept::Whole(Box::new(record)),
        }
    }

    fn common(&self, credential: Credential) -> Arc<Credential> {
        let mut commons = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = commons.entry(credential.principal.clone()).or_default();
        if let Some(common) = known.iter().find(|common| is_same(common, &credential)) {
            return Arc::clone(common);
        }
        let common = Arc::new(credential);
        known.truncate(COMMONS - 1);
        known.push(Arc::clone(&common));
        common
    }

    /// Drops what no entry has any more.
    pub(super) fn sweep(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, known| {
            known.retain(|common| Arc::strong_count(common) > 1);
            !known.is_empty()
        });
    }
}

/// Whether two credentials without secrets and revisions say the same.
fn is_same(one: &Credential, other: &Credential) -> bool {
    let Credential {
        principal,
        organization,
        public_key,
        permissions,
        state,
        not_before,
        expires_at,
        debug_until,
        ..
    } = one;
    *principal == other.principal
        && *organization == other.organization
        && *public_key == other.public_key
        && *permissions == other.permissions
        && *state == other.state
        && (*not_before, *expires_at) == (other.not_before, other.expires_at)
        && *debug_until == other.debug_until
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        credential::CredentialState,
        secret::Secret,
        signature::{Algorithm, MacKey},
    };

    fn credential(account: &str, revision: i64) -> Credential {
        let key = MacKey::new(Algorithm::HmacSha256, &Secret::new("3f9a64b0d1c84e3d").unwrap());
        let mut credential =
            Credential::new(Principal::new(account).unwrap(), [SecretVersion::new(revision, key)]);
        credential.revision = revision;
        credential
    }

    #[test]
    fn a_record_is_what_was_kept() {
        let commons = Commons::default();
        let mut two = credential("ops", 3);
        two.secrets.extend(credential("ops", 2).secrets);
        let mut none = credential("ops", 4);
        none.secrets.clear();
        for credential in [credential("ops", 1), credential("ops", 2), credential("bob", 1), two, none] {
            let record = Record::Credential(credential);
            let kept = commons.keep(record.clone());
            assert_eq!(format!("{:?}", kept.record()), format!("{record:?}"));
            assert_eq!(kept.revision(), revision(&record));
        }
    }

    #[test]
    fn what_is_the_same_is_held_once_and_no_longer_than_needed() {
        let commons = Commons::default();
        let keep = |credential| match commons.keep(Record::Credential(credential)) {
            Kept::Credential { common, .. } => common,
            Kept::Whole(record) => panic!("{record:?}"),
        };
        let mut disabled = credential("ops", 1);
        disabled.state = CredentialState::Disabled;
        let (one, two, other) = (keep(credential("ops", 1)), keep(credential("ops", 2)), keep(disabled));
        assert!(Arc::ptr_eq(&one, &two) && !Arc::ptr_eq(&one, &other));
        drop((one, two));
        commons.sweep();
        assert_eq!(commons.0.lock().unwrap().values().map(Vec::len).sum::<usize>(), 1);
        drop(other);
        commons.sweep();
        assert!(commons.0.lock().unwrap().is_empty());
    }

    #[test]
    fn a_kept_credential_is_small() {
        assert!(size_of::<Kept>() <= size_of::<SecretVersion>() + 24, "{}", size_of::<Kept>());
    }
}

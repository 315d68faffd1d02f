//! The life of a key in memory. What a database notes about who changed it, and why, is not kept here.

use super::{Entry, MemoryKeyStore, Note, Tables};
use crate::{
    credential::{CredentialState, KeyId, SecretVersion},
    signature::{Algorithm, MacKey},
    store::{
        AdminError, AdminErrorKind, By, ChangeRefused, KeyLifecycle, Limit, Rotated, Rotation, StoreError,
        Use, UseLog, import, lifecycle::LONGEST_DEBUG,
    },
};
use async_trait::async_trait;

#[async_trait]
impl KeyLifecycle for MemoryKeyStore {
    async fn rotate(
        &self,
        scheme: &str,
        key_id: &KeyId,
        rotation: &Rotation,
        _: &By,
    ) -> Result<Rotated, AdminError> {
        let now = self.clock.now();
        self.write(|tables| {
            let entry = tables.changeable(scheme, key_id)?;
            let algorithm = entry.algorithm();
            rotation.check(algorithm)?;
            let secrets = &mut entry.credential.secrets;
            let ends: Vec<_> = secrets.iter().map(|version| (version.number, version.retires_at)).collect();
            let rotated = Rotated::plan(&ends, now, rotation.overlap)?;
            let end = rotated.older_retire_at;
            for version in secrets.iter_mut().filter(|version| version.is_live(end)) {
                version.retires_at = Some(end);
            }
            secrets.insert(0, SecretVersion::new(rotated.number, MacKey::new(algorithm, &rotation.secret)));
            let fingerprint = import::fingerprint(scheme, key_id, &rotation.secret);
            entry.notes.insert(rotated.number, Note { fingerprint, created_at: now, last_used_at: None });
            entry.credential.revision += 1;
            Ok(rotated)
        })
    }

    async fn set_state(
        &self,
        scheme: &str,
        key_id: &KeyId,
        state: CredentialState,
        _: &By,
    ) -> Result<(), AdminError> {
        self.write(|tables| match tables.changeable(scheme, key_id) {
            Err(Unchangeable::Revoked) if state == CredentialState::Revoked => Ok(()),
            Err(refused) => Err(refused.into()),
            Ok(entry) => {
                entry.credential.state = state;
                entry.credential.revision += 1;
                Ok(())
            }
        })
    }

    async fn set_limit(&self, scheme: &str, key_id: &KeyId, limit: Limit, _: &By) -> Result<(), AdminError> {
        let longest = self.clock.now() + LONGEST_DEBUG;
        self.write(|tables| {
            let credential = &mut tables.changeable(scheme, key_id)?.credential;
            let (start, end) = match limit {
                Limit::DebugUntil(end) if end.is_some_and(|end| end > longest) => {
                    return Err(ChangeRefused::LongDebug.into());
                }
                Limit::DebugUntil(end) => {
                    credential.debug_until = end;
                    credential.revision += 1;
                    return Ok(());
                }
                Limit::NotBefore(start) => (start, credential.expires_at),
                Limit::ExpiresAt(end) => (credential.not_before, end),
            };
            if start.zip(end).is_some_and(|(start, end)| end <= start) {
                return Err(ChangeRefused::EndBeforeBeginning.into());
            }
            (credential.not_before, credential.expires_at) = (start, end);
            credential.revision += 1;
            Ok(())
        })
    }
}

#[async_trait]
impl UseLog for MemoryKeyStore {
    async fn note_uses(&self, uses: &[Use]) -> Result<(), StoreError> {
        self.write(|tables| {
            for usage in uses {
                let keys = tables.credentials.get_mut(usage.scheme);
                let entry = keys.and_then(|keys| keys.get_mut(usage.key_id.as_str()));
                if let Some(note) = entry.and_then(|entry| entry.notes.get_mut(&usage.number)) {
                    note.last_used_at = note.last_used_at.max(Some(usage.at));
                }
            }
        });
        Ok(())
    }
}

/// Why an entry cannot be changed.
enum Unchangeable {
    None,
    Revoked,
}

impl From<Unchangeable> for AdminError {
    fn from(refused: Unchangeable) -> Self {
        match refused {
            Unchangeable::None => Self::new(AdminErrorKind::NotFound, "key"),
            Unchangeable::Revoked => ChangeRefused::Revoked.into(),
        }
    }
}

impl Tables {
    /// The entry of a key that is not revoked.
    fn changeable(&mut self, scheme: &str, key_id: &KeyId) -> Result<&mut Entry, Unchangeable> {
        let entry = self.credentials.get_mut(scheme).and_then(|keys| keys.get_mut(key_id.as_str()));
        match entry {
            None => Err(Unchangeable::None),
            Some(entry) if entry.credential.state == CredentialState::Revoked => Err(Unchangeable::Revoked),
            Some(entry) => Ok(entry),
        }
    }
}

impl Entry {
    /// The algorithm of its secrets, of which there is always one but for a credential that was inserted without.
    fn algorithm(&self) -> Algorithm {
        self.credential.secrets.first().map_or(Algorithm::HmacSha256, |version| version.key.algorithm())
    }
}

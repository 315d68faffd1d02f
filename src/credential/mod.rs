//! What is stored about a key: whose it is, what and whom it may act for, whether it is in force, and its secrets:
//! keyed for a signature, hashed for a client or a read token.

mod client;
mod hash;
mod permissions;
mod secrets;
mod text;
mod token_key;

pub use self::{
    client::{Access, ClientSecret, OAuthClient, ReadToken},
    hash::SecretHash,
    permissions::{Permissions, PermissionsError},
    secrets::Secrets,
    text::{KeyId, Organization, Principal, TextError},
    token_key::{SigningKey, TokenAlgorithm, TokenKey, TokenKeys},
};

use crate::signature::MacKey;
use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
    time::SystemTime,
};

/// A stored key, as a verification needs it: secrets opened and keyed, times as they stand in the store.
///
/// Cloning copies the keyed secrets and counts one reference to the [`Terms`], whose fields are read and written as if
/// they stood here. Nothing is allocated while one secret is live.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Credential {
    /// What the store says beside the secrets. To change it changes it for this credential only.
    pub terms: Arc<Terms>,
    /// The secrets that may still be in use, newest first.
    pub secrets: Secrets,
    /// Rises with every change of the row; a cache never replaces a higher revision by a lower one.
    pub revision: i64,
}

/// Whose a credential is, what and whom it may act for, and when it is in force. Many credentials of one account have
/// the same terms, and may share them.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Terms {
    /// The account that owns the key and whose rights it has.
    pub principal: Principal,
    /// The organization that the key belongs to, in the provider's own spelling (slug, UUID, company id).
    pub organization: Option<Organization>,
    /// SalesCloud: the application's public key, which travels beside the application's UUID.
    pub public_key: Option<Arc<str>>,
    /// What the key may do, as far as its account may.
    pub permissions: Permissions,
    /// Whether an operator has switched the key off.
    pub state: CredentialState,
    /// The key does not work before this moment.
    pub not_before: Option<SystemTime>,
    /// The key does not work from this moment on.
    pub expires_at: Option<SystemTime>,
    /// Refused requests of the key are explained to the operator until this moment.
    pub debug_until: Option<SystemTime>,
}

/// One of the secrets of a credential.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SecretVersion {
    /// Counts from 1 in the order of rotation; the highest is the current secret. Never given to another secret.
    pub number: i64,
    /// The keyed secret.
    pub key: MacKey,
    /// An older secret does not work from this moment on.
    pub retires_at: Option<SystemTime>,
}

/// What an operator last said about a credential.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum CredentialState {
    /// In force, within its times.
    #[default]
    Active,
    /// Switched off, and may be switched on again. Also when its account or its organization is.
    Disabled,
    /// Withdrawn for ever.
    Revoked,
}

impl CredentialState {
    const TABLE: [(Self, &'static str); 3] =
        [(Self::Active, "active"), (Self::Disabled, "disabled"), (Self::Revoked, "revoked")];

    /// The word that stands in the database and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::TABLE.iter().find(|row| row.0 == self).map_or("revoked", |row| row.1)
    }

    /// Reads the word back; `None` if it is no state.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::TABLE.iter().find(|row| row.1 == word).map(|row| row.0)
    }
}

/// Whether a credential is in force at a given moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Standing {
    /// Switched off.
    Disabled,
    /// Its end has passed.
    Expired,
    /// In force.
    InForce,
    /// Its beginning is still to come.
    NotYetValid,
    /// Withdrawn for ever.
    Revoked,
}

impl Credential {
    /// Makes an active credential without limits in time, owned by `principal`, which may do everything that its account
    /// may.
    #[must_use]
    pub fn new(principal: Principal, secrets: impl IntoIterator<Item = SecretVersion>) -> Self {
        let terms = Terms {
            principal,
            organization: None,
            public_key: None,
            permissions: Permissions::all(),
            state: CredentialState::Active,
            not_before: None,
            expires_at: None,
            debug_until: None,
        };
        Self { terms: Arc::new(terms), secrets: secrets.into_iter().collect(), revision: 1 }
    }

    /// Whether the public key presented beside the key id, if the scheme has one, is this credential's own.
    #[must_use]
    pub fn goes_with(&self, public_key: Option<&str>) -> bool {
        public_key.is_none() || self.public_key.as_deref() == public_key
    }

    /// Whether refused requests of the key are explained at `now`.
    #[must_use]
    pub fn is_debugged(&self, now: SystemTime) -> bool {
        self.debug_until.is_some_and(|end| end > now)
    }

    /// Whether the credential is in force at `now`; what an operator said comes before the calendar.
    #[must_use]
    pub fn standing(&self, now: SystemTime) -> Standing {
        standing(self.state, self.not_before, self.expires_at, now)
    }
}

impl Terms {
    /// A copy that has nothing in common with this one, not even a count of references.
    #[cfg(feature = "cache")]
    pub(crate) fn unshared(&self) -> Self {
        let public_key = self.public_key.as_deref().map(Into::into);
        Self { public_key, permissions: self.permissions.unshared(), ..self.clone() }
    }
}

impl Deref for Credential {
    type Target = Terms;

    fn deref(&self) -> &Terms {
        &self.terms
    }
}

impl DerefMut for Credential {
    fn deref_mut(&mut self) -> &mut Terms {
        Arc::make_mut(&mut self.terms)
    }
}

fn standing(
    state: CredentialState,
    not_before: Option<SystemTime>,
    expires_at: Option<SystemTime>,
    now: SystemTime,
) -> Standing {
    match state {
        CredentialState::Revoked => Standing::Revoked,
        CredentialState::Disabled => Standing::Disabled,
        CredentialState::Active if expires_at.is_some_and(|end| end <= now) => Standing::Expired,
        CredentialState::Active if not_before.is_some_and(|start| start > now) => Standing::NotYetValid,
        CredentialState::Active => Standing::InForce,
    }
}

impl SecretVersion {
    /// Makes a secret version without an end.
    #[must_use]
    pub const fn new(number: i64, key: MacKey) -> Self {
        Self { number, key, retires_at: None }
    }

    /// Whether the secret may still be used at `now`.
    #[must_use]
    pub fn is_live(&self, now: SystemTime) -> bool {
        self.retires_at.is_none_or(|end| end > now)
    }
}

/// A SalesCloud app installed in an organization: the app may act on the organization's behalf.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Installation {
    /// The organization that installed the app.
    pub organization: Organization,
}

impl Installation {
    /// Makes an installation in `organization`.
    #[must_use]
    pub const fn new(organization: Organization) -> Self {
        Self { organization }
    }
}

//! What is stored about an OAuth client and about a read token, whose secrets are kept as hashes only.

use super::{CredentialState, KeyId, Organization, Permissions, Principal, SecretHash, Standing, standing};
use smallvec::SmallVec;
use std::time::SystemTime;

/// Whether a caller may change anything. It is asked beside the [`Permissions`], and what either refuses is refused.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Access {
    /// Only reading, whatever the permissions say: a read token.
    Read,
    /// Reading and writing, within the permissions.
    #[default]
    Write,
}

/// A stored OAuth client: an account's way to tokens of its own.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OAuthClient {
    /// The public identifier, the user name of its Basic credentials.
    pub client_id: KeyId,
    /// The account that owns the client and whose rights it has.
    pub principal: Principal,
    /// The organization that the client belongs to.
    pub organization: Option<Organization>,
    /// What the client may do, as far as its account may.
    pub permissions: Permissions,
    /// Whether an operator has switched the client off, or its account or organization.
    pub state: CredentialState,
    /// The client does not work from this moment on, and no token of it.
    pub expires_at: Option<SystemTime>,
    /// Until this moment, requests of the client that are refused are explained to the operator.
    pub debug_until: Option<SystemTime>,
    /// The secrets that may still be in use, newest first.
    pub secrets: SmallVec<[ClientSecret; 2]>,
    /// Rises with every change, also of the account, the organization and the secrets.
    pub revision: i64,
}

/// One of the secrets of a client.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ClientSecret {
    /// Counts from 1 in the order of rotation; the highest is the current secret. Never given to another secret.
    pub number: i64,
    /// All that is kept of it.
    pub hash: SecretHash,
    /// An older secret does not work from this moment on.
    pub retires_at: Option<SystemTime>,
}

impl OAuthClient {
    /// Makes an active client without an end, which may do everything that its account may.
    #[must_use]
    pub fn new(
        client_id: KeyId,
        principal: Principal,
        secrets: impl IntoIterator<Item = ClientSecret>,
    ) -> Self {
        Self {
            client_id,
            principal,
            organization: None,
            permissions: Permissions::all(),
            state: CredentialState::Active,
            expires_at: None,
            debug_until: None,
            secrets: secrets.into_iter().collect(),
            revision: 1,
        }
    }

    /// The secret with this hash. All of them are compared, those that have retired too: see
    /// [`ClientSecret::is_live`].
    #[must_use]
    pub fn secret(&self, presented: &SecretHash) -> Option<&ClientSecret> {
        presented.find_in(self.secrets.iter().map(|secret| secret.hash)).map(|index| &self.secrets[index])
    }

    /// Whether an operator wants to know at `now` why requests of the client are refused.
    #[must_use]
    pub fn is_debugged(&self, now: SystemTime) -> bool {
        self.debug_until.is_some_and(|end| end > now)
    }

    /// Whether the client is in force at `now`; what an operator said comes before the calendar.
    #[must_use]
    pub fn standing(&self, now: SystemTime) -> Standing {
        standing(self.state, None, self.expires_at, now)
    }
}

impl ClientSecret {
    /// Makes a secret without an end.
    #[must_use]
    pub const fn new(number: i64, hash: SecretHash) -> Self {
        Self { number, hash, retires_at: None }
    }

    /// Whether the secret may still be used at `now`.
    #[must_use]
    pub fn is_live(&self, now: SystemTime) -> bool {
        self.retires_at.is_none_or(|end| end > now)
    }
}

/// A stored read token: who presents it may read in one organization, within the permissions, and change nothing.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReadToken {
    /// Its name, by which it is listed and revoked. It is never presented.
    pub id: KeyId,
    /// The account that owns the token and whose rights to read it has.
    pub principal: Principal,
    /// The one organization in which it reads.
    pub organization: Organization,
    /// What the token may do, as far as its account may.
    pub permissions: Permissions,
    /// Whether an operator has revoked the token, or switched off its account or organization.
    pub state: CredentialState,
    /// The token does not work from this moment on.
    pub expires_at: Option<SystemTime>,
    /// Rises with every change, also of the account and the organization.
    pub revision: i64,
}

impl ReadToken {
    /// Makes an active token without an end, which may read everything that its account may.
    #[must_use]
    pub const fn new(id: KeyId, principal: Principal, organization: Organization) -> Self {
        Self {
            id,
            principal,
            organization,
            permissions: Permissions::all(),
            state: CredentialState::Active,
            expires_at: None,
            revision: 1,
        }
    }

    /// Whether the token is in force at `now`; what an operator said comes before the calendar.
    #[must_use]
    pub fn standing(&self, now: SystemTime) -> Standing {
        standing(self.state, None, self.expires_at, now)
    }
}

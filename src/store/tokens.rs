//! Managing OAuth clients, read tokens, and the keys that sign tokens.

#[cfg(doc)]
use super::SecretRefused;
use super::{AdminError, AdminErrorKind, SecretSummary, access, import};
use crate::{
    credential::{CredentialState, KeyId, Organization, Permissions, Principal, TokenKey},
    secret::Secret,
};
use async_trait::async_trait;
use std::{
    fmt,
    time::{Duration, SystemTime},
};

/// How many secrets of one client may be in use at a time.
const MOST_LIVE_SECRETS: i64 = 3;
/// What is refused for a client that is revoked.
pub(super) const REVOKED: &str = "to change a revoked client";
/// What is refused for a signing key that has its end.
pub(super) const PUT_OFF: &str = "to put off the end of a signing key";

/// Creates, lists and ends what tokens are made of. A secret goes in and never comes out.
#[async_trait]
pub trait TokenAdmin: fmt::Debug + Send + Sync + 'static {
    /// Stores a new client with the hash of its first secret.
    ///
    /// # Errors
    ///
    /// [`AdminErrorKind::Exists`] if there is, or ever was, a client of this id; [`AdminErrorKind::NotFound`] for the
    /// account or organization; [`AdminErrorKind::Invalid`] if the secret, or anything else about it, breaks a rule:
    /// the [`source`](std::error::Error::source) says which, for a secret as [`SecretRefused`].
    async fn create_client(&self, client: &NewClient) -> Result<(), AdminError>;

    /// Every client, in the order of their ids.
    ///
    /// # Errors
    ///
    /// [`AdminErrorKind::Unavailable`].
    async fn clients(&self) -> Result<Vec<ClientSummary>, AdminError>;

    /// One client.
    ///
    /// # Errors
    ///
    /// [`AdminErrorKind::NotFound`].
    async fn client(&self, client_id: &KeyId) -> Result<ClientSummary, AdminError>;

    /// Gives a client a new secret. The older ones stay in use for `overlap`, unless they end before; with no overlap
    /// they end at once. Gives back the number of the new secret.
    ///
    /// # Errors
    ///
    /// [`AdminErrorKind::NotFound`]; [`AdminErrorKind::Invalid`] if the client is revoked, the secret is refused, or
    /// more than three secrets would be in use.
    async fn rotate_client(
        &self,
        client_id: &KeyId,
        secret: &Secret,
        overlap: Duration,
    ) -> Result<i64, AdminError>;

    /// Disables, enables or revokes a client, and every token that it was issued.
    ///
    /// # Errors
    ///
    /// [`AdminErrorKind::NotFound`]; [`AdminErrorKind::Invalid`] if the client is revoked: it stays so.
    async fn set_client_state(&self, client_id: &KeyId, state: CredentialState) -> Result<(), AdminError>;

    /// Replaces what a client may do of that which its account may; `None` is all of it.
    ///
    /// # Errors
    ///
    /// [`AdminErrorKind::NotFound`], or [`AdminErrorKind::Invalid`] for what two lists allow together.
    async fn set_client_permissions(
        &self,
        client_id: &KeyId,
        permissions: Option<&Permissions>,
    ) -> Result<(), AdminError>;

    /// Has refused requests of a client explained to the operator until a moment, which lies a day ahead at most, or
    /// not any more. Whole seconds; what is finer is dropped.
    ///
    /// # Errors
    ///
    /// [`AdminErrorKind::NotFound`]; [`AdminErrorKind::Invalid`] if the client is revoked, or as
    /// [`ChangeRefused::LongDebug`](super::ChangeRefused::LongDebug).
    async fn debug_client(&self, client_id: &KeyId, until: Option<SystemTime>) -> Result<(), AdminError>;

    /// Stores the hash of a new read token.
    ///
    /// # Errors
    ///
    /// As [`create_client`](Self::create_client). Also [`AdminErrorKind::Exists`] if the token itself is stored
    /// already, under whatever id.
    async fn create_read_token(&self, token: &NewReadToken) -> Result<(), AdminError>;

    /// Every read token, in the order of their ids.
    ///
    /// # Errors
    ///
    /// [`AdminErrorKind::Unavailable`].
    async fn read_tokens(&self) -> Result<Vec<ReadTokenSummary>, AdminError>;

    /// Withdraws a read token for ever; to do it twice is no error.
    ///
    /// # Errors
    ///
    /// [`AdminErrorKind::NotFound`].
    async fn revoke_read_token(&self, id: &KeyId) -> Result<(), AdminError>;

    /// Stores a new signing key, its private half sealed. Of the keys that may sign, the newest does.
    ///
    /// # Errors
    ///
    /// [`AdminErrorKind::Exists`] if there is, or ever was, a key of this name; [`AdminErrorKind::Invalid`] if it would
    /// end before it begins.
    async fn add_signing_key(&self, key: &NewSigningKey) -> Result<(), AdminError>;

    /// Every signing key, newest first, without its private half.
    ///
    /// # Errors
    ///
    /// [`AdminErrorKind::Unavailable`].
    async fn signing_keys(&self) -> Result<Vec<SigningKeySummary>, AdminError>;

    /// Lets a signing key retire at a moment: from then on it neither signs nor verifies. For an orderly change, that
    /// is when the last token it may have signed has expired; after a leak, now.
    ///
    /// # Errors
    ///
    /// [`AdminErrorKind::NotFound`]; [`AdminErrorKind::Invalid`] if the key would retire later than it does already.
    async fn retire_signing_key(&self, kid: &KeyId, at: SystemTime) -> Result<(), AdminError>;
}

/// A client to be stored.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NewClient {
    /// The public identifier: visible ASCII without a colon, which would end it in Basic credentials.
    pub client_id: KeyId,
    /// The account that owns it.
    pub principal: Principal,
    /// The organization it belongs to.
    pub organization: Option<Organization>,
    /// What it may do of that which its account may; `None` is all of it.
    pub permissions: Option<Permissions>,
    /// Not from this moment on.
    pub expires_at: Option<SystemTime>,
    /// What it is for, for people.
    pub comment: Option<String>,
    /// Made by `serve` for demonstration; refused by a server that strangers can reach.
    pub demo: bool,
    /// The secret, of which the hash is kept.
    pub secret: Secret,
}

impl NewClient {
    /// A client without an organization or an end, which may do everything that its account may.
    #[must_use]
    pub const fn new(client_id: KeyId, principal: Principal, secret: Secret) -> Self {
        Self {
            client_id,
            principal,
            organization: None,
            permissions: None,
            expires_at: None,
            comment: None,
            demo: false,
            secret,
        }
    }

    /// Checks what a store checks before it takes the client in.
    ///
    /// # Errors
    ///
    /// [`AdminErrorKind::Invalid`] if the id cannot travel in Basic credentials, or the permissions or the secret are refused.
    pub fn check(&self) -> Result<(), AdminError> {
        let mut id = self.client_id.as_str().bytes();
        if id.any(|byte| !byte.is_ascii_graphic() || byte == b':') {
            return Err(AdminError::new(
                AdminErrorKind::Invalid,
                "a client id that is not visible ASCII, or has a colon",
            ));
        }
        self.permissions.as_ref().map_or(Ok(()), access::check_list)?;
        check_secret(&self.secret)
    }
}

/// A read token to be stored.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NewReadToken {
    /// Its name, by which it is listed and revoked. It is never presented.
    pub id: KeyId,
    /// The account that owns it.
    pub principal: Principal,
    /// The one organization in which it reads.
    pub organization: Organization,
    /// What it may do of that which its account may; `None` is all of it, as far as it is reading.
    pub permissions: Option<Permissions>,
    /// Not from this moment on.
    pub expires_at: Option<SystemTime>,
    /// What it is for, for people.
    pub comment: Option<String>,
    /// Made by `serve` for demonstration; refused by a server that strangers can reach.
    pub demo: bool,
    /// The token itself, of which the hash is kept.
    pub secret: Secret,
}

impl NewReadToken {
    /// A token without an end, which may read everything that its account may.
    #[must_use]
    pub const fn new(id: KeyId, principal: Principal, organization: Organization, secret: Secret) -> Self {
        Self {
            id,
            principal,
            organization,
            permissions: None,
            expires_at: None,
            comment: None,
            demo: false,
            secret,
        }
    }

    /// Checks what a store checks before it takes the token in.
    ///
    /// # Errors
    ///
    /// [`AdminErrorKind::Invalid`] if the permissions or the token are refused.
    pub fn check(&self) -> Result<(), AdminError> {
        self.permissions.as_ref().map_or(Ok(()), access::check_list)?;
        check_secret(&self.secret)
    }
}

/// A signing key to be stored.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NewSigningKey {
    /// The public half.
    pub public: TokenKey,
    /// The private half: the DER of a PKCS#8 `PrivateKeyInfo`.
    pub private_key: Secret,
}

impl NewSigningKey {
    /// Puts the halves of a new key together. That they belong to each other is for whoever makes them.
    #[must_use]
    pub const fn new(public: TokenKey, private_key: Secret) -> Self {
        Self { public, private_key }
    }

    /// Checks what a store checks before it takes the key in.
    ///
    /// # Errors
    ///
    /// [`AdminErrorKind::Invalid`] if the key would retire before it begins.
    pub fn check(&self) -> Result<(), AdminError> {
        let TokenKey { not_before, retires_at, .. } = self.public;
        match not_before.zip(retires_at) {
            Some((start, end)) if end <= start => {
                Err(AdminError::new(AdminErrorKind::Invalid, "an end before the beginning"))
            }
            _ => Ok(()),
        }
    }
}

/// A client, for a list: everything but the secrets.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientSummary {
    /// The public identifier.
    pub client_id: KeyId,
    /// The account that owns it.
    pub principal: Principal,
    /// The organization it belongs to.
    pub organization: Option<Organization>,
    /// What it may do of that which its account may; `None` is all of it.
    pub permissions: Option<Permissions>,
    /// What an operator last said about the client itself.
    pub state: CredentialState,
    /// Not from this moment on.
    pub expires_at: Option<SystemTime>,
    /// Its refused requests are explained until this moment.
    pub debug_until: Option<SystemTime>,
    /// What it is for, for people.
    pub comment: Option<String>,
    /// When it was stored.
    pub created_at: SystemTime,
    /// Made for demonstration.
    pub demo: bool,
    /// Its secrets, newest first. The fingerprint of each is the first eight hexadecimal digits of its SHA-256.
    pub secrets: Vec<SecretSummary>,
}

/// A read token, for a list: everything but the token.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReadTokenSummary {
    /// Its name.
    pub id: KeyId,
    /// How it begins and ends: see [`hint`](super::hint).
    pub hint: String,
    /// The account that owns it.
    pub principal: Principal,
    /// The one organization in which it reads.
    pub organization: Organization,
    /// What it may do of that which its account may; `None` is all of it, as far as it is reading.
    pub permissions: Option<Permissions>,
    /// What an operator last said about the token itself.
    pub state: CredentialState,
    /// Not from this moment on.
    pub expires_at: Option<SystemTime>,
    /// What it is for, for people.
    pub comment: Option<String>,
    /// When it was stored.
    pub created_at: SystemTime,
    /// Made for demonstration.
    pub demo: bool,
}

/// A signing key, for a list: its public half, and how it is kept.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SigningKeySummary {
    /// The public half.
    pub public: TokenKey,
    /// The keyring key that seals the private half; empty in a store that seals nothing.
    pub keyring_id: String,
    /// When it was stored.
    pub created_at: SystemTime,
}

pub(super) fn check_secret(secret: &Secret) -> Result<(), AdminError> {
    import::check_token(secret).map_err(|refused| AdminError::invalid("this secret", refused))
}

/// When older secrets end.
pub(super) fn end_of(now: SystemTime, overlap: Duration) -> Result<SystemTime, AdminError> {
    now.checked_add(overlap).ok_or(AdminError::new(AdminErrorKind::Invalid, "this overlap"))
}

/// Checks that a client with `live` secrets may have one more, if those stay for a while.
pub(super) fn check_live(live: i64, they_stay: bool) -> Result<(), AdminError> {
    match they_stay && live >= MOST_LIVE_SECRETS {
        true => Err(AdminError::new(AdminErrorKind::Invalid, "more than three secrets in use")),
        false => Ok(()),
    }
}

//! Managing credentials: what an operator does, and the rules that hold whoever asks.

#[cfg(doc)]
use super::SecretRefused;
use super::{access, import};
use crate::{
    credential::{CredentialState, KeyId, Organization, Permissions, Principal},
    secret::Secret,
    signature::Algorithm,
};
use async_trait::async_trait;
use std::{error::Error, fmt, time::SystemTime};

/// Creates, lists and shows what a key store holds. Names that do not exist and names that exist already are errors;
/// a secret goes in and never comes out.
#[async_trait]
pub trait KeyAdmin: fmt::Debug + Send + Sync + 'static {
    /// Creates an organization. `name` is for people.
    ///
    /// # Errors
    ///
    /// [`AdminErrorKind::Exists`] if there is one of this spelling.
    async fn create_organization(
        &self,
        organization: &Organization,
        name: Option<&str>,
    ) -> Result<(), AdminError>;

    /// Every organization, in the order of their spellings.
    ///
    /// # Errors
    ///
    /// [`AdminErrorKind::Unavailable`].
    async fn organizations(&self) -> Result<Vec<OrganizationSummary>, AdminError>;

    /// Installs an app in an organization; installing twice is no error.
    ///
    /// # Errors
    ///
    /// [`AdminErrorKind::NotFound`] if there is no such app or organization.
    async fn install(&self, scheme: &str, app: &KeyId, organization: &Organization)
    -> Result<(), AdminError>;

    /// Removes an app from an organization.
    ///
    /// # Errors
    ///
    /// [`AdminErrorKind::NotFound`] if it is not installed there.
    async fn uninstall(
        &self,
        scheme: &str,
        app: &KeyId,
        organization: &Organization,
    ) -> Result<(), AdminError>;

    /// Creates an account, in an organization or on its own. It may do everything;
    /// [`AccessAdmin`](super::AccessAdmin) makes others, and takes rights away.
    ///
    /// # Errors
    ///
    /// [`AdminErrorKind::Exists`], or [`AdminErrorKind::NotFound`] for the organization.
    async fn create_account(
        &self,
        account: &Principal,
        organization: Option<&Organization>,
    ) -> Result<(), AdminError>;

    /// Every account, in the order of their names.
    ///
    /// # Errors
    ///
    /// [`AdminErrorKind::Unavailable`].
    async fn accounts(&self) -> Result<Vec<Account>, AdminError>;

    /// Stores a new credential with its first secret, sealed.
    ///
    /// # Errors
    ///
    /// [`AdminErrorKind::Exists`] if the scheme has, or ever had, a key of this id; [`AdminErrorKind::NotFound`] for
    /// the account or organization; [`AdminErrorKind::Invalid`] if the secret, or anything else about it, breaks a
    /// rule: the [`source`](Error::source) says which, for a secret as [`SecretRefused`].
    async fn create_credential(&self, credential: &NewCredential) -> Result<(), AdminError>;

    /// Every credential, in the order of scheme and key id.
    ///
    /// # Errors
    ///
    /// [`AdminErrorKind::Unavailable`].
    async fn credentials(&self) -> Result<Vec<CredentialSummary>, AdminError>;

    /// One credential.
    ///
    /// # Errors
    ///
    /// [`AdminErrorKind::NotFound`].
    async fn credential(&self, scheme: &str, key_id: &KeyId) -> Result<CredentialSummary, AdminError>;
}

/// A credential to be stored.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NewCredential {
    /// The scheme's name.
    pub scheme: String,
    /// The public identifier.
    pub key_id: KeyId,
    /// The algorithm of the scheme.
    pub algorithm: Algorithm,
    /// The account that owns it.
    pub principal: Principal,
    /// The organization it belongs to.
    pub organization: Option<Organization>,
    /// SalesCloud: the application's public key.
    pub public_key: Option<String>,
    /// What it may do of that which its account may; `None` is all of it.
    pub permissions: Option<Permissions>,
    /// Not before this moment.
    pub not_before: Option<SystemTime>,
    /// Not from this moment on.
    pub expires_at: Option<SystemTime>,
    /// Made by `serve` for demonstration; refused by a server that strangers can reach.
    pub demo: bool,
    /// The secret.
    pub secret: Secret,
    /// Whether a secret of fewer than 16 bytes may be stored; [`check_secret`](super::check_secret) says what that
    /// costs.
    pub allow_weak: bool,
}

impl NewCredential {
    /// A credential without an organization or limits in time.
    #[must_use]
    pub fn new(
        scheme: &str,
        key_id: KeyId,
        algorithm: Algorithm,
        principal: Principal,
        secret: Secret,
    ) -> Self {
        Self {
            scheme: scheme.to_owned(),
            key_id,
            algorithm,
            principal,
            organization: None,
            public_key: None,
            permissions: None,
            not_before: None,
            expires_at: None,
            demo: false,
            secret,
            allow_weak: false,
        }
    }

    /// Checks what a store checks before it takes the credential in.
    ///
    /// # Errors
    ///
    /// [`AdminErrorKind::Invalid`] if the secret is refused, or the credential would end before it begins.
    pub fn check(&self) -> Result<(), AdminError> {
        import::check_secret(self.algorithm, &self.secret, self.allow_weak)
            .map_err(|refused| AdminError::invalid("this secret", refused))?;
        self.permissions.as_ref().map_or(Ok(()), access::check_list)?;
        if self.not_before.zip(self.expires_at).is_some_and(|(start, end)| end <= start) {
            return Err(AdminError::new(AdminErrorKind::Invalid, "an end before the beginning"));
        }
        Ok(())
    }
}

/// An organization, for a list.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct OrganizationSummary {
    /// Its spelling.
    pub organization: Organization,
    /// Its name for people.
    pub name: Option<String>,
    /// Whether it is switched off.
    pub disabled: bool,
    /// The apps installed in it, as `(scheme, key id)`.
    pub apps: Vec<(String, KeyId)>,
}

/// An account, for a list.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Account {
    /// Its name.
    pub account: Principal,
    /// The organization it belongs to.
    pub organization: Option<Organization>,
    /// What it may do.
    pub permissions: Permissions,
    /// Whether it is switched off.
    pub disabled: bool,
}

/// A credential, for a list: everything but the secret.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CredentialSummary {
    /// The scheme's name.
    pub scheme: String,
    /// The public identifier.
    pub key_id: KeyId,
    /// The account that owns it.
    pub principal: Principal,
    /// The organization it belongs to.
    pub organization: Option<Organization>,
    /// SalesCloud: the application's public key.
    pub public_key: Option<String>,
    /// What it may do of that which its account may; `None` is all of it.
    pub permissions: Option<Permissions>,
    /// What an operator last said.
    pub state: CredentialState,
    /// Not before this moment.
    pub not_before: Option<SystemTime>,
    /// Not from this moment on.
    pub expires_at: Option<SystemTime>,
    /// Its refused requests are explained until this moment.
    pub debug_until: Option<SystemTime>,
    /// When it was stored.
    pub created_at: SystemTime,
    /// When a request was last signed with it, to the minute; `None` if none was, or nobody notes it.
    pub last_used_at: Option<SystemTime>,
    /// Made for demonstration.
    pub demo: bool,
    /// Its secrets, newest first.
    pub secrets: Vec<SecretSummary>,
}

/// A secret version, for a list.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SecretSummary {
    /// Counts from 1 in the order of rotation.
    pub number: i64,
    /// Its [`fingerprint`](super::fingerprint); empty if the store never saw the secret itself.
    pub fingerprint: String,
    /// The keyring key that seals it; empty in a store that seals nothing.
    pub keyring_id: String,
    /// When it was stored.
    pub created_at: SystemTime,
    /// Does not work from this moment on.
    pub retires_at: Option<SystemTime>,
    /// When a request was last signed with it, to the minute.
    pub last_used_at: Option<SystemTime>,
}

/// A store could not be managed as asked.
#[derive(Debug)]
pub struct AdminError {
    kind: AdminErrorKind,
    what: &'static str,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// The category of an [`AdminError`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum AdminErrorKind {
    /// It is there already, or was once.
    Exists,
    /// It breaks a rule of the store.
    Invalid,
    /// There is none.
    NotFound,
    /// The store cannot be asked.
    Unavailable,
}

impl AdminError {
    /// Makes an error about `what`, for example `"organization"`.
    #[must_use]
    pub const fn new(kind: AdminErrorKind, what: &'static str) -> Self {
        Self { kind, what, source: None }
    }

    /// It breaks a rule, with the cause.
    pub fn invalid(what: &'static str, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind: AdminErrorKind::Invalid, what, source: Some(cause.into()) }
    }

    /// The store cannot be asked, with the cause.
    pub fn unavailable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind: AdminErrorKind::Unavailable, what: "key store", source: Some(cause.into()) }
    }

    /// The category.
    #[must_use]
    pub const fn kind(&self) -> AdminErrorKind {
        self.kind
    }
}

impl fmt::Display for AdminError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = self.what;
        match self.kind {
            AdminErrorKind::Exists => write!(f, "there is already such a {what}"),
            AdminErrorKind::Invalid => write!(f, "not allowed: {what}"),
            AdminErrorKind::NotFound => write!(f, "there is no such {what}"),
            AdminErrorKind::Unavailable => write!(f, "the {what} cannot be asked"),
        }
    }
}

impl Error for AdminError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

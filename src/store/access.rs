//! Managing rights: what accounts and their keys may do, and switching accounts and organizations off and on.

use super::AdminError;
#[cfg(doc)]
use super::{AdminErrorKind, KeyAdmin};
use crate::credential::{KeyId, Organization, Permissions, PermissionsError, Principal};
use async_trait::async_trait;
use std::fmt;

/// Grants, denies and switches off, beside a [`KeyAdmin`]. Every change counts for the keys, clients and tokens of an
/// account as well: what they may do is worked out when a request is verified, and copied nowhere.
#[async_trait]
pub trait AccessAdmin: fmt::Debug + Send + Sync + 'static {
    /// Creates an account that may do no more than `permissions`. One made by [`KeyAdmin::create_account`] may do
    /// everything.
    ///
    /// # Errors
    ///
    /// [`AdminErrorKind::Exists`], or [`AdminErrorKind::NotFound`] for the organization.
    async fn create_account_with(
        &self,
        account: &Principal,
        organization: Option<&Organization>,
        permissions: &Permissions,
    ) -> Result<(), AdminError>;

    /// Adds words to what an account may do: each takes the place of its opposite, and one with `-` before it denies.
    /// Gives back what the account then has.
    ///
    /// # Errors
    ///
    /// [`AdminErrorKind::NotFound`], or [`AdminErrorKind::Invalid`] if the words become too many.
    async fn grant(&self, account: &Principal, words: &Permissions) -> Result<Permissions, AdminError>;

    /// Replaces what an account may do.
    ///
    /// # Errors
    ///
    /// [`AdminErrorKind::NotFound`], or [`AdminErrorKind::Invalid`] for what two lists allow together.
    async fn set_permissions(&self, account: &Principal, permissions: &Permissions)
    -> Result<(), AdminError>;

    /// Replaces what a key may do of that which its account may; `None` is all of it.
    ///
    /// # Errors
    ///
    /// [`AdminErrorKind::NotFound`], or [`AdminErrorKind::Invalid`] for what two lists allow together.
    async fn set_key_permissions(
        &self,
        scheme: &str,
        key_id: &KeyId,
        permissions: Option<&Permissions>,
    ) -> Result<(), AdminError>;

    /// Switches an account off or on, and with it all that it owns.
    ///
    /// # Errors
    ///
    /// [`AdminErrorKind::NotFound`].
    async fn switch_account(&self, account: &Principal, switch: Switch) -> Result<(), AdminError>;

    /// Switches an organization off or on, and with it all that belongs to it or to its accounts.
    ///
    /// # Errors
    ///
    /// [`AdminErrorKind::NotFound`].
    async fn switch_organization(
        &self,
        organization: &Organization,
        switch: Switch,
    ) -> Result<(), AdminError>;
}

/// Off or on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Switch {
    /// In force again.
    On,
    /// Not in force until it is switched on again.
    Off,
}

/// Checks that permissions can be stored: what two lists allow together is worked out, and not kept.
pub(super) fn check_list(permissions: &Permissions) -> Result<(), AdminError> {
    Permissions::parse(&permissions.to_string()).map(drop).map_err(refused)
}

pub(super) fn refused(error: PermissionsError) -> AdminError {
    AdminError::invalid("these permissions", error)
}

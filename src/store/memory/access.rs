//! Rights in memory.

use super::{MemoryKeyStore, Tables};
use crate::{
    credential::{KeyId, Organization, Permissions, Principal},
    store::{AccessAdmin, Account, AdminError, AdminErrorKind, Switch, access},
};
use async_trait::async_trait;

#[async_trait]
impl AccessAdmin for MemoryKeyStore {
    async fn create_account_with(
        &self,
        account: &Principal,
        organization: Option<&Organization>,
        permissions: &Permissions,
    ) -> Result<(), AdminError> {
        access::check_list(permissions)?;
        self.add_account(account, organization, permissions)
    }

    async fn grant(&self, account: &Principal, words: &Permissions) -> Result<Permissions, AdminError> {
        self.write(|tables| {
            let granted = tables.account(account)?.permissions.with(words).map_err(access::refused)?;
            tables.account(account)?.permissions = granted.clone();
            tables.touch(|owner, _| owner == account);
            Ok(granted)
        })
    }

    async fn set_permissions(
        &self,
        account: &Principal,
        permissions: &Permissions,
    ) -> Result<(), AdminError> {
        access::check_list(permissions)?;
        self.write(|tables| {
            tables.account(account)?.permissions = permissions.clone();
            tables.touch(|owner, _| owner == account);
            Ok(())
        })
    }

    async fn set_key_permissions(
        &self,
        scheme: &str,
        key_id: &KeyId,
        permissions: Option<&Permissions>,
    ) -> Result<(), AdminError> {
        permissions.map_or(Ok(()), access::check_list)?;
        self.write(|tables| {
            let key = tables.credentials.get_mut(scheme).and_then(|keys| keys.get_mut(key_id.as_str()));
            let credential = &mut key.ok_or(AdminError::new(AdminErrorKind::NotFound, "key"))?.credential;
            credential.permissions = permissions.cloned().unwrap_or_else(Permissions::all);
            credential.revision += 1;
            Ok(())
        })
    }

    async fn switch_account(&self, account: &Principal, switch: Switch) -> Result<(), AdminError> {
        self.write(|tables| {
            tables.account(account)?.disabled = switch == Switch::Off;
            tables.touch(|owner, _| owner == account);
            Ok(())
        })
    }

    async fn switch_organization(
        &self,
        organization: &Organization,
        switch: Switch,
    ) -> Result<(), AdminError> {
        self.write(|tables| {
            let found = tables.organizations.get_mut(organization);
            let found = found.ok_or(AdminError::new(AdminErrorKind::NotFound, "organization"))?;
            found.disabled = switch == Switch::Off;
            let accounts = tables.accounts.values();
            let members: Vec<_> = accounts
                .filter(|account| account.organization.as_ref() == Some(organization))
                .map(|account| account.account.clone())
                .collect();
            tables.touch(|owner, of| of == Some(organization) || members.contains(owner));
            Ok(())
        })
    }
}

impl MemoryKeyStore {
    pub(super) fn add_account(
        &self,
        account: &Principal,
        organization: Option<&Organization>,
        permissions: &Permissions,
    ) -> Result<(), AdminError> {
        self.write(|tables| {
            tables.require(organization)?;
            if tables.accounts.contains_key(account) {
                return Err(AdminError::new(AdminErrorKind::Exists, "account"));
            }
            let row = Account {
                account: account.clone(),
                organization: organization.cloned(),
                permissions: permissions.clone(),
                disabled: false,
            };
            tables.accounts.insert(account.clone(), row);
            Ok(())
        })
    }
}

impl Tables {
    fn account(&mut self, account: &Principal) -> Result<&mut Account, AdminError> {
        let found = self.accounts.get_mut(account);
        found.ok_or(AdminError::new(AdminErrorKind::NotFound, "account"))
    }

    /// Raises the revision of whatever belongs to an owner.
    fn touch(&mut self, belongs: impl Fn(&Principal, Option<&Organization>) -> bool) {
        let keys = self.credentials.values_mut().flat_map(|keys| keys.values_mut());
        for credential in keys.map(|entry| &mut entry.credential) {
            let touched = belongs(&credential.principal, credential.organization.as_ref());
            credential.revision += i64::from(touched);
        }
        self.tokens.touch(belongs);
    }
}

//! Rights in a database.

use super::refused;
use crate::store::{AdminError, AdminErrorKind};

/// What an update means that should have touched one row of `what`.
pub(in crate::store) fn touched(
    what: &'static str,
    rows: Result<u64, sqlx::Error>,
) -> Result<(), AdminError> {
    match rows.map_err(|error| refused(what, error))? {
        0 => Err(AdminError::new(AdminErrorKind::NotFound, what)),
        _ => Ok(()),
    }
}

/// Implements [`AccessAdmin`](crate::store::AccessAdmin) for a store that `sql_key_store` completes.
macro_rules! sql_access {
    ($store:ident) => {
        const _: () = {
            use $crate::{
                credential::{KeyId, Organization, Permissions, Principal},
                store::{
                    AccessAdmin, AdminError, Switch, access,
                    sql::{access::touched, refused, rows, statements},
                },
            };

            impl $store {
                async fn insert_account(
                    &self,
                    account: &Principal,
                    organization: Option<&Organization>,
                    permissions: &Permissions,
                ) -> Result<(), AdminError> {
                    if let Some(organization) = organization {
                        self.require(organization).await?;
                    }
                    let statement = sqlx::query(statements::INSERT_ACCOUNT)
                        .bind(account.as_str())
                        .bind(organization.map(Organization::as_str))
                        .bind(permissions.to_string())
                        .bind(self.now()?);
                    let inserted = self.execute(statement).await;
                    inserted.map(drop).map_err(|error| refused("account", error))
                }

                async fn switch(
                    &self,
                    what: &'static str,
                    statement: &'static str,
                    id: &str,
                    switch: Switch,
                ) -> Result<(), AdminError> {
                    let state = match switch {
                        Switch::On => "active",
                        Switch::Off => "disabled",
                    };
                    let statement = sqlx::query(statement).bind(id).bind(state);
                    let updated = self.execute(statement).await;
                    touched(what, updated)
                }
            }

            #[async_trait::async_trait]
            impl AccessAdmin for $store {
                async fn create_account_with(
                    &self,
                    account: &Principal,
                    organization: Option<&Organization>,
                    permissions: &Permissions,
                ) -> Result<(), AdminError> {
                    access::check_list(permissions)?;
                    self.insert_account(account, organization, permissions).await
                }

                async fn grant(
                    &self,
                    account: &Principal,
                    words: &Permissions,
                ) -> Result<Permissions, AdminError> {
                    let mut transaction = self.begin(self.by.as_ref()).await?;
                    let held = sqlx::query(statements::HOLD_ACCOUNT)
                        .bind(account.as_str())
                        .execute(&mut *transaction);
                    touched("account", held.await.map(|done| done.rows_affected()))?;
                    let before = sqlx::query_scalar::<_, String>(statements::SHOW_PERMISSIONS)
                        .bind(account.as_str())
                        .fetch_one(&mut *transaction)
                        .await
                        .map_err(AdminError::unavailable)?;
                    let granted = rows::granted(&before, words)?;
                    let updated = sqlx::query(statements::SET_PERMISSIONS)
                        .bind(account.as_str())
                        .bind(granted.to_string())
                        .execute(&mut *transaction)
                        .await;
                    touched("account", updated.map(|done| done.rows_affected()))?;
                    self.commit(transaction).await?;
                    Ok(granted)
                }

                async fn set_permissions(
                    &self,
                    account: &Principal,
                    permissions: &Permissions,
                ) -> Result<(), AdminError> {
                    access::check_list(permissions)?;
                    let statement = sqlx::query(statements::SET_PERMISSIONS)
                        .bind(account.as_str())
                        .bind(permissions.to_string());
                    let updated = self.execute(statement).await;
                    touched("account", updated)
                }

                async fn set_key_permissions(
                    &self,
                    scheme: &str,
                    key_id: &KeyId,
                    permissions: Option<&Permissions>,
                ) -> Result<(), AdminError> {
                    permissions.map_or(Ok(()), access::check_list)?;
                    let statement = sqlx::query(statements::SET_KEY_PERMISSIONS)
                        .bind(scheme)
                        .bind(key_id.as_str())
                        .bind(rows::words(permissions));
                    let updated = self.execute(statement).await;
                    touched("key", updated)
                }

                async fn switch_account(
                    &self,
                    account: &Principal,
                    switch: Switch,
                ) -> Result<(), AdminError> {
                    self.switch("account", statements::SWITCH_ACCOUNT, account.as_str(), switch).await
                }

                async fn switch_organization(
                    &self,
                    organization: &Organization,
                    switch: Switch,
                ) -> Result<(), AdminError> {
                    let statement = statements::SWITCH_ORGANIZATION;
                    self.switch("organization", statement, organization.as_str(), switch).await
                }
            }
        };
    };
}

pub(in crate::store) use sql_access;

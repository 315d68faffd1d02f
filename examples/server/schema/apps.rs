//! For apps: the organizations that have installed them. Asked before an app knows any organization to act for.

use crate::caller::Caller;
use async_graphql::{Context, Error, Object, Result, SimpleObject};
use async_trait::async_trait;
use countersign::store::{AdminError, KeyAdmin};
use std::sync::Arc;

/// Knows where apps are installed.
#[async_trait]
pub(crate) trait Apps: Send + Sync + 'static {
    /// The organizations that have installed the app, in the order of their identifiers.
    async fn organizations(&self, scheme: &str, app: &str) -> Result<Vec<AppOrganization>, AdminError>;
}

/// An organization that has installed the calling app.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct AppOrganization {
    /// Its identifier: what `SalesCloud-Organization` names.
    pub uuid: String,
    /// Its name for people.
    pub label: String,
}

/// The key store knows. An organization that is switched off is left out: a request for it would be refused.
#[async_trait]
impl<K: KeyAdmin + ?Sized> Apps for K {
    async fn organizations(&self, scheme: &str, app: &str) -> Result<Vec<AppOrganization>, AdminError> {
        let mut found = Vec::new();
        for organization in KeyAdmin::organizations(self).await? {
            let installed =
                |(s, key_id): &(String, countersign::credential::KeyId)| s == scheme && key_id == app;
            if !organization.disabled && organization.apps.iter().any(installed) {
                let uuid = organization.organization.to_string();
                let label = organization.name.unwrap_or_else(|| uuid.clone());
                found.push(AppOrganization { uuid, label });
            }
        }
        Ok(found)
    }
}

#[derive(Default)]
pub(super) struct AppQuery;

#[Object]
impl AppQuery {
    /// The organizations that have installed the calling app; works without naming one.
    async fn app_organizations(&self, context: &Context<'_>) -> Result<Vec<AppOrganization>> {
        let caller = context.data::<Caller>()?;
        let apps = context.data::<Arc<dyn Apps>>()?;
        apps.organizations(&caller.scheme, &caller.key_id).await.map_err(|error| {
            tracing::error!(%error, "the installations of an app cannot be listed");
            Error::new("internal error")
        })
    }

    /// The kind of the operation.
    ///
    /// SalesCloud's documented first query is `{ query appOrganizations { uuid, label } }`. Read by the grammar, that
    /// selects a field of this name; it exists so that the documented command works as it is printed.
    async fn query(&self) -> &str {
        "query"
    }
}

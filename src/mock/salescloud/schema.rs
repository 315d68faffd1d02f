//! The fields that SalesCloud's pages and public clients ask for. Where no page says what a type looks like, it is ours.

use super::shop::{Item, SCHEME, Shops};
use crate::{
    clock::Clock as _,
    mock::{
        graphql::Caller,
        keys::{MockClock, MockKeys},
        provider::lock,
    },
    store::KeyAdmin as _,
    verify::Verified,
};
use async_graphql::{
    Context, EmptySubscription, Error, ID, InputObject, InputValueError, InputValueResult, Object, Result,
    Scalar, ScalarType, Schema, SimpleObject, Value,
};
use std::{
    sync::{Arc, Mutex},
    time::UNIX_EPOCH,
};

/// What anybody may ask for, without credentials.
pub(super) const PUBLIC: [&str; 3] = ["itemsList", "systemTimeInMillis", "__typename"];

type Shared = Arc<Mutex<Shops>>;

pub(super) fn build(
    shops: Shared,
    keys: MockKeys,
    clock: MockClock,
) -> Schema<Query, Mutation, EmptySubscription> {
    Schema::build(Query, Mutation, EmptySubscription).data(shops).data(keys).data(clock).finish()
}

/// A moment in milliseconds since the Unix epoch: a number too large for GraphQL's 32-bit `Int`.
struct Milliseconds(i64);

#[Scalar]
impl ScalarType for Milliseconds {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::Number(number) => number.as_i64().map(Self),
            _ => None,
        }
        .ok_or_else(|| InputValueError::expected_type(value))
    }

    fn to_value(&self) -> Value {
        Value::from(self.0)
    }
}

/// Everything that can be read.
pub(super) struct Query;

#[Object]
impl Query {
    /// The mock's clock.
    async fn system_time_in_millis(&self, context: &Context<'_>) -> Result<Milliseconds> {
        let since = context.data::<MockClock>()?.now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Milliseconds(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The organizations that have installed the calling app; works without naming one.
    async fn app_organizations(&self, context: &Context<'_>) -> Result<Vec<AppOrganization>> {
        let app = caller(context)?.key_id();
        let found = context.data::<MockKeys>()?.store().organizations().await?;
        let shops = lock(context.data::<Shared>()?);
        let installed = found.into_iter().filter(|organization| {
            organization.apps.iter().any(|(scheme, key_id)| scheme == SCHEME && key_id == app)
        });
        let entry = |uuid: String| AppOrganization { label: shops.label(&uuid), uuid };
        Ok(installed.map(|organization| entry(organization.organization.to_string())).collect())
    }

    /// The items of an organization, for anybody.
    async fn items_list(&self, context: &Context<'_>, organization: ID) -> Result<Vec<Listed>> {
        let shops = lock(context.data::<Shared>()?);
        let items = shops.organizations.get(organization.as_str()).map(|shop| shop.items.clone());
        Ok(items.unwrap_or_default().into_iter().map(Listed::from).collect())
    }

    /// The logs of the organization that the request acts for, newest first. Ours.
    async fn logs(&self, context: &Context<'_>) -> Result<Vec<Logged>> {
        let organization = organization(context)?;
        let shops = lock(context.data::<Shared>()?);
        let logs = shops.organizations.get(&organization).map(|shop| shop.logs.clone()).unwrap_or_default();
        Ok(logs
            .into_iter()
            .rev()
            .map(|log| Logged { id: log.id.into(), msg: log.msg, app: log.app })
            .collect())
    }

    /// The kind of the operation.
    ///
    /// SalesCloud's documented first query is `{ query appOrganizations { uuid, label } }`. Read by the grammar, that
    /// selects a field of this name; it exists so that the documented command works as it is printed.
    async fn query(&self) -> &str {
        "query"
    }
}

#[derive(SimpleObject)]
struct AppOrganization {
    uuid: String,
    label: String,
}

#[derive(SimpleObject)]
struct Listed {
    title: String,
    images: Vec<Image>,
}

#[derive(SimpleObject)]
struct Image {
    file: File,
}

#[derive(SimpleObject)]
struct File {
    sources: Sources,
}

/// Where to get the file, by rendition.
#[derive(SimpleObject)]
struct Sources {
    original: String,
}

#[derive(SimpleObject)]
struct Logged {
    id: ID,
    msg: String,
    app: String,
}

impl From<Item> for Listed {
    fn from(item: Item) -> Self {
        let image = |original| Image { file: File { sources: Sources { original } } };
        Self { title: item.title, images: item.images.into_iter().map(image).collect() }
    }
}

/// Everything that can be changed.
pub(super) struct Mutation;

/// A log to be written.
#[derive(InputObject)]
struct NewLog {
    msg: String,
}

#[Object]
impl Mutation {
    /// Writes a log and returns its number.
    ///
    /// The documented call selects nothing from the answer, so the answer is a scalar. Which one is not public.
    async fn create_log(&self, context: &Context<'_>, log: NewLog) -> Result<ID> {
        let (organization, app) = (organization(context)?, caller(context)?.key_id().to_string());
        Ok(lock(context.data::<Shared>()?).log(&organization, &app, &log.msg).into())
    }
}

fn caller<'c>(context: &Context<'c>) -> Result<&'c Verified> {
    context.data::<Caller>()?.0.as_ref().ok_or_else(|| Error::new("the request has no credentials"))
}

fn organization(context: &Context<'_>) -> Result<String> {
    let organization = caller(context)?.organization();
    organization.map(ToString::to_string).ok_or_else(|| Error::new("the request names no organization"))
}

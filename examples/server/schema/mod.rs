//! The GraphQL schema: real data of the caller's organization.
//!
//! Which organization that is, resolvers learn from the [`Caller`] and from nowhere else: no argument and no variable
//! can name another one. The fields are those that the public documents and clients of SalesCloud and Ateliere Connect
//! ask for; where no document says what a type looks like, its shape is this example's choice.

pub(crate) mod apps;
mod catalogue;
mod log;
mod shop;
pub(crate) mod usage;

use self::apps::Apps;
use crate::{caller::Caller, db};
use async_graphql::{
    Context, EmptySubscription, Error, ErrorExtensions as _, MergedObject, Object, Result, Scalar,
    ScalarType, Value,
};
use countersign::clock::Clock;
use sqlx::AnyPool;
use std::sync::Arc;

/// The schema, ready to execute.
pub(crate) type Schema = async_graphql::Schema<Query, Mutation, EmptySubscription>;

/// Levels of fields in one operation. The query that asks for this whole schema needs 15.
const DEPTH_LIMIT: usize = 16;
/// Fields that one operation may fetch, those of a list counted as often as a list can be long.
const COMPLEXITY_LIMIT: usize = 5_000;
/// Items of a list, unless the query says otherwise; and at most.
const DEFAULT_ITEMS: i32 = 20;
const MAX_ITEMS: u16 = 100;
/// The code of errors about what the caller may not do.
pub(crate) const FORBIDDEN: &str = "FORBIDDEN";

/// Builds the schema over a database, the organizations that have apps installed, and a clock.
///
/// The limits here are the second line, about what a query costs. The first, about what its text does to a parser, is
/// the [`DocumentGuard`](countersign::graphql::DocumentGuard) of the endpoint.
pub(crate) fn build(pool: AnyPool, apps: Arc<dyn Apps>, clock: Arc<dyn Clock>) -> Schema {
    Schema::build(Query::default(), Mutation::default(), EmptySubscription)
        .data(pool)
        .data(apps)
        .data(clock)
        .extension(usage::NoteFields)
        .limit_depth(DEPTH_LIMIT)
        .limit_complexity(COMPLEXITY_LIMIT)
        .finish()
}

/// Everything that can be read.
#[derive(Default, MergedObject)]
pub(crate) struct Query(
    CallerQuery,
    apps::AppQuery,
    catalogue::CatalogueQuery,
    log::LogQuery,
    shop::ShopQuery,
);

/// Everything that can be changed.
#[derive(Default, MergedObject)]
pub(crate) struct Mutation(catalogue::CatalogueMutation, log::LogMutation);

#[derive(Default)]
struct CallerQuery;

#[Object]
impl CallerQuery {
    /// Who is calling, as the signature proved.
    async fn me<'c>(&self, context: &Context<'c>) -> Result<Me<'c>> {
        Ok(Me(context.data::<Caller>()?))
    }

    /// The server's clock, in milliseconds since the Unix epoch.
    async fn system_time_in_millis(&self, context: &Context<'_>) -> Result<Milliseconds> {
        now(context)
    }
}

struct Me<'c>(&'c Caller);

#[Object]
impl Me<'_> {
    /// The account that owns the key.
    async fn id(&self) -> &str {
        &self.0.principal
    }

    /// The organization that the request acts for.
    async fn organization(&self) -> Option<&str> {
        self.0.organization.as_deref()
    }

    /// The key that signed the request.
    async fn key_id(&self) -> &str {
        &self.0.key_id
    }

    /// The scheme that it was signed by.
    async fn scheme(&self) -> &str {
        &self.0.scheme
    }
}

/// A moment in milliseconds since the Unix epoch: a number too large for GraphQL's 32-bit `Int`.
struct Milliseconds(i64);

#[Scalar]
impl ScalarType for Milliseconds {
    fn parse(value: Value) -> async_graphql::InputValueResult<Self> {
        match &value {
            Value::Number(number) => number.as_i64().map(Self),
            _ => None,
        }
        .ok_or_else(|| async_graphql::InputValueError::expected_type(value))
    }

    fn to_value(&self) -> Value {
        Value::from(self.0)
    }
}

fn now(context: &Context<'_>) -> Result<Milliseconds> {
    Ok(Milliseconds(db::milliseconds(context.data::<Arc<dyn Clock>>()?.now())))
}

/// The database, and the organization whose rows the caller may see, if it has the permission.
fn tenant<'c>(context: &Context<'c>, permission: &str) -> Result<(&'c AnyPool, &'c str)> {
    let caller = context.data::<Caller>()?;
    if !caller.may(permission) {
        let error = Error::new(format!("the caller lacks the permission `{permission}`"));
        return Err(error.extend_with(|_, extensions| extensions.set("code", FORBIDDEN)));
    }
    let organization = caller.organization.as_deref();
    let organization = organization.ok_or_else(|| Error::new("the request names no organization"))?;
    Ok((context.data::<AnyPool>()?, organization))
}

/// What a caller learns about an error of the database: that there was one.
#[expect(clippy::needless_pass_by_value, reason = "for use in `map_err`")]
fn internal(error: sqlx::Error) -> Error {
    tracing::error!(%error, "the database cannot be asked");
    Error::new("internal error")
}

/// What a list costs whose items cost `each`.
///
/// It is the longest list that counts, not the argument `limit`: clients leave the variable for it out, which GraphQL
/// allows, and the executor's count of costs does not.
fn list_cost(each: usize) -> usize {
    usize::from(MAX_ITEMS).saturating_mul(each).saturating_add(1)
}

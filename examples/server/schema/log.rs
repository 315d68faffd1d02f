//! A log that a SalesCloud app writes with its documented mutation, and can read back.

use super::{DEFAULT_ITEMS, Milliseconds, internal, list_cost, now, tenant};
use crate::caller::Caller;
use async_graphql::{Context, ID, InputObject, Object, Result};

/// An entry to be written.
#[derive(InputObject)]
struct NewLog {
    #[graphql(validator(max_length = 4000))]
    msg: String,
}

#[derive(sqlx::FromRow)]
struct Log {
    id: i64,
    msg: String,
    principal: String,
    created_at: i64,
}

/// An entry of the log.
#[Object]
impl Log {
    async fn id(&self) -> ID {
        ID::from(self.id)
    }

    async fn msg(&self) -> &str {
        &self.msg
    }

    /// The account that wrote it.
    async fn author(&self) -> &str {
        &self.principal
    }

    async fn created_at(&self) -> Milliseconds {
        Milliseconds(self.created_at)
    }
}

#[derive(Default)]
pub(super) struct LogQuery;

#[Object]
impl LogQuery {
    /// The log of the caller's organization, newest first.
    #[graphql(complexity = "list_cost(child_complexity)")]
    async fn logs(
        &self,
        context: &Context<'_>,
        #[graphql(validator(minimum = 1, maximum = 100))] limit: Option<i32>,
    ) -> Result<Vec<Log>> {
        const SELECT: &str = "SELECT id, msg, principal, created_at FROM ref_log \
                              WHERE organization = $1 ORDER BY id DESC LIMIT $2";
        let (pool, organization) = tenant(context, "log:read")?;
        sqlx::query_as(SELECT)
            .bind(organization)
            .bind(limit.unwrap_or(DEFAULT_ITEMS))
            .fetch_all(pool)
            .await
            .map_err(internal)
    }
}

#[derive(Default)]
pub(super) struct LogMutation;

#[Object]
impl LogMutation {
    /// Writes an entry and returns its identifier.
    ///
    /// The documented call, `mutation createLog($log: NewLog!) {createLog(log: $log)}`, selects nothing from the
    /// answer, so the answer is a scalar. Which one is not public; the identifier is this example's choice.
    async fn create_log(&self, context: &Context<'_>, log: NewLog) -> Result<ID> {
        const INSERT: &str = "INSERT INTO ref_log (organization, principal, msg, created_at) \
                              VALUES ($1, $2, $3, $4) RETURNING id";
        let (pool, organization) = tenant(context, "log:write")?;
        let insert = sqlx::query_scalar::<_, i64>(INSERT).bind(organization);
        let insert = insert.bind(&context.data::<Caller>()?.principal).bind(log.msg).bind(now(context)?.0);
        Ok(ID::from(insert.fetch_one(pool).await.map_err(internal)?))
    }
}

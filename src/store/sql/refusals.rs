//! The sample of refusals: what every engine does alike.

use super::rows::{self, RowError};
use crate::{credential::KeyId, store::SampledRefusal};

/// Implements [`RefusalLog`](crate::store::RefusalLog) for a store.
macro_rules! sql_refusals {
    ($store:ident over $database:ty) => {
        const _: () = {
            use std::time::SystemTime;
            use $crate::{
                credential::KeyId,
                store::{
                    RefusalLog, RefusalQuery, SampledRefusal, StoreError,
                    sql::{refusals, rows},
                },
            };

            #[async_trait::async_trait]
            impl RefusalLog for $store {
                async fn add_refusals(&self, added: &[SampledRefusal]) -> Result<(), StoreError> {
                    let times = added.iter().map(|refusal| rows::seconds(refusal.at));
                    let times = times.collect::<Result<Vec<_>, _>>().map_err(StoreError::new)?;
                    let lines: Vec<_> = added.iter().zip(times).collect();
                    let mut change = self.pool.begin().await.map_err(StoreError::new)?;
                    for lines in lines.chunks(refusals::ROWS_A_STATEMENT) {
                        let mut insert = sqlx::QueryBuilder::<$database>::new(refusals::INSERT);
                        insert.push_values(lines, |mut row, (refusal, at)| {
                            row.push_bind(*at)
                                .push_bind(refusal.request_id.as_str())
                                .push_bind(refusal.outcome.as_str())
                                .push_bind(refusal.scheme.as_deref())
                                .push_bind(refusal.key_id.as_ref().map(KeyId::as_str));
                        });
                        insert.build().execute(&mut *change).await.map_err(StoreError::new)?;
                    }
                    change.commit().await.map_err(StoreError::new)
                }

                async fn refusals(
                    &self,
                    query: &RefusalQuery,
                ) -> Result<Vec<(i64, SampledRefusal)>, StoreError> {
                    let since = query.since.map_or(Ok(0), rows::seconds).map_err(StoreError::new)?;
                    let found = sqlx::query_as(refusals::LIST)
                        .bind(query.request_id.as_deref())
                        .bind(query.outcome.as_deref())
                        .bind(query.scheme.as_deref())
                        .bind(query.key_id.as_ref().map(KeyId::as_str))
                        .bind(since)
                        .bind(query.before.unwrap_or(i64::MAX))
                        .bind(i64::from(query.limit))
                        .fetch_all(&self.pool)
                        .await
                        .map_err(StoreError::new)?;
                    refusals::read(found).map_err(StoreError::new)
                }

                async fn forget_refusals(&self, before: SystemTime, keep: u32) -> Result<u64, StoreError> {
                    let before = rows::seconds(before).map_err(StoreError::new)?;
                    let done = sqlx::query(refusals::FORGET)
                        .bind(before)
                        .bind(i64::from(keep))
                        .execute(&self.pool)
                        .await;
                    done.map(|done| done.rows_affected()).map_err(StoreError::new)
                }
            }
        };
    };
}

pub(in crate::store) use sql_refusals;

/// Rows that one statement inserts, of five parameters each.
pub(in crate::store) const ROWS_A_STATEMENT: usize = 1_000;

pub(in crate::store) const INSERT: &str = "
    INSERT INTO refusals (at, request_id, outcome, scheme, key_id) ";

pub(in crate::store) const LIST: &str = "
    SELECT id, at, request_id, outcome, scheme, key_id
    FROM refusals
    WHERE ($1 IS NULL OR request_id = $1) AND ($2 IS NULL OR outcome = $2) AND ($3 IS NULL OR scheme = $3)
      AND ($4 IS NULL OR key_id = $4) AND at >= $5 AND id < $6
    ORDER BY id DESC
    LIMIT $7";

/// Forgets what is older than `$1`, and all but the latest `$2` numbers.
pub(in crate::store) const FORGET: &str = "
    DELETE FROM refusals WHERE at < $1 OR id <= (SELECT max(id) FROM refusals) - $2";

/// A row of [`LIST`].
#[derive(sqlx::FromRow)]
pub(in crate::store) struct RefusalRow {
    id: i64,
    at: i64,
    request_id: String,
    outcome: String,
    scheme: Option<String>,
    key_id: Option<String>,
}

/// Reads refusals.
pub(in crate::store) fn read(rows: Vec<RefusalRow>) -> Result<Vec<(i64, SampledRefusal)>, RowError> {
    let refusal = |row: RefusalRow| {
        let key_id = row.key_id.as_deref().map(KeyId::new).transpose()?;
        let refusal = SampledRefusal::new(rows::time(row.at)?, &row.request_id, &row.outcome);
        Ok((row.id, SampledRefusal { scheme: row.scheme, key_id, ..refusal }))
    };
    rows.into_iter().map(refusal).collect()
}

//! Who uses what, and how many keys there are: what every engine does alike.
//!
//! The three tables of usage are alike as well: an hour, some texts, and numbers that are added to those that are there.

use super::rows::{self, RowError};
use crate::store::{Caller, Counted, Counts, Usage, UsageOf};
use std::{error::Error, time::SystemTime};

/// Implements [`UsageLog`](crate::store::UsageLog) and [`KeyCensus`](crate::store::KeyCensus) for a store that
/// `sql_upkeep` is for.
macro_rules! sql_usage {
    ($store:ident over $database:ty) => {
        const _: () = {
            use sqlx::Row as _;
            use $crate::store::{
                KeyCensus, KeyCounts, StoreError, Usage, UsageLog, UsageOf,
                sql::{
                    rows, statements,
                    usage::{self, Line, Question},
                },
            };

            #[async_trait::async_trait]
            impl UsageLog for $store {
                async fn add_usage(&self, added: &[Usage]) -> Result<(), StoreError> {
                    let lines = usage::lines(added).map_err(StoreError::new)?;
                    let mut change = self.pool.begin().await.map_err(StoreError::new)?;
                    for lines in lines.chunk_by(|one, other| one.table == other.table) {
                        for lines in lines.chunks(usage::LINES_A_STATEMENT) {
                            let (insert, add) = lines[0].table.statement();
                            let mut insert = sqlx::QueryBuilder::<$database>::new(insert);
                            insert.push_values(lines, |mut row, Line { hour, texts, numbers, .. }| {
                                row.push_bind(*hour);
                                for text in texts {
                                    row.push_bind(*text);
                                }
                                for number in numbers {
                                    row.push_bind(*number);
                                }
                            });
                            insert.push(add);
                            insert.build().execute(&mut *change).await.map_err(StoreError::new)?;
                        }
                    }
                    change.commit().await.map_err(StoreError::new)
                }

                async fn usage(
                    &self,
                    since: std::time::SystemTime,
                    of: UsageOf<'_>,
                ) -> Result<Vec<Usage>, StoreError> {
                    let Question { table, statement, kind, name } = Question::of(of);
                    let mut asked = sqlx::query(statement).bind(usage::hour(since).map_err(StoreError::new)?);
                    if let Some(kind) = kind {
                        asked = asked.bind(kind).bind(name);
                    }
                    let found = asked.fetch_all(&self.pool).await.map_err(StoreError::new)?;
                    let read = found.into_iter().map(|row| {
                        let texts = (0..table.texts()).map(|index| row.try_get::<String, _>(index));
                        let numbers = (table.texts()..row.len()).map(|index| row.try_get::<i64, _>(index));
                        let texts = texts.collect::<Result<Vec<_>, _>>().map_err(StoreError::new)?;
                        let numbers = numbers.collect::<Result<Vec<_>, _>>().map_err(StoreError::new)?;
                        usage::read(table, texts, &numbers).map_err(StoreError::new)
                    });
                    read.collect()
                }

                async fn forget_usage(&self, moment: std::time::SystemTime) -> Result<u64, StoreError> {
                    let hour = usage::hour(moment).map_err(StoreError::new)?;
                    let mut forgotten = 0;
                    for statement in usage::FORGET {
                        let done = sqlx::query(statement).bind(hour).execute(&self.pool).await;
                        forgotten += done.map_err(StoreError::new)?.rows_affected();
                    }
                    Ok(forgotten)
                }
            }

            #[async_trait::async_trait]
            impl KeyCensus for $store {
                async fn count_keys(&self) -> Result<KeyCounts, StoreError> {
                    let now = rows::seconds(self.clock.now()).map_err(StoreError::new)?;
                    let by_state = sqlx::query_as(statements::COUNT_KEYS).bind(now).fetch_all(&self.pool);
                    let by_state = by_state.await.map_err(StoreError::new)?;
                    let expiring = sqlx::query_as(statements::COUNT_EXPIRING).bind(now).fetch_one(&self.pool);
                    let (day, week) = expiring.await.map_err(StoreError::new)?;
                    let by_keyring_id = sqlx::query_as(statements::KEYRING_USE).fetch_all(&self.pool);
                    Ok(KeyCounts {
                        by_state,
                        by_keyring_id: by_keyring_id.await.map_err(StoreError::new)?,
                        expiring_within_a_day: day,
                        expiring_within_a_week: week,
                    })
                }
            }
        };
    };
}

pub(in crate::store) use sql_usage;

/// Lines that one statement inserts: one of SQLite has 32766 parameters at most, and the longest line 24.
pub(in crate::store) const LINES_A_STATEMENT: usize = 1_000;
const HOUR: i64 = 3_600;

const INSERT_CLIENTS: &str = "
    INSERT INTO client_usage (hour, organization, scheme, key_id, client, version, requests, denied, errors, last_seen,
                              under_1, under_2, under_5, under_10, under_20, under_50, under_100, under_200, under_500,
                              under_1000, under_2000, under_5000, under_10000, longer) ";

const ADD_CLIENTS: &str = "
    ON CONFLICT (hour, organization, scheme, key_id, client, version) DO UPDATE SET
        requests = client_usage.requests + excluded.requests,
        denied = client_usage.denied + excluded.denied,
        errors = client_usage.errors + excluded.errors,
        last_seen = CASE WHEN excluded.last_seen > client_usage.last_seen
                         THEN excluded.last_seen ELSE client_usage.last_seen END,
        under_1 = client_usage.under_1 + excluded.under_1,
        under_2 = client_usage.under_2 + excluded.under_2,
        under_5 = client_usage.under_5 + excluded.under_5,
        under_10 = client_usage.under_10 + excluded.under_10,
        under_20 = client_usage.under_20 + excluded.under_20,
        under_50 = client_usage.under_50 + excluded.under_50,
        under_100 = client_usage.under_100 + excluded.under_100,
        under_200 = client_usage.under_200 + excluded.under_200,
        under_500 = client_usage.under_500 + excluded.under_500,
        under_1000 = client_usage.under_1000 + excluded.under_1000,
        under_2000 = client_usage.under_2000 + excluded.under_2000,
        under_5000 = client_usage.under_5000 + excluded.under_5000,
        under_10000 = client_usage.under_10000 + excluded.under_10000,
        longer = client_usage.longer + excluded.longer";

const SUM_CLIENTS: &str = "
    SELECT organization, scheme, key_id, client, version, max(hour),
           CAST(sum(requests) AS BIGINT), CAST(sum(denied) AS BIGINT), CAST(sum(errors) AS BIGINT), max(last_seen),
           CAST(sum(under_1) AS BIGINT), CAST(sum(under_2) AS BIGINT), CAST(sum(under_5) AS BIGINT),
           CAST(sum(under_10) AS BIGINT), CAST(sum(under_20) AS BIGINT), CAST(sum(under_50) AS BIGINT),
           CAST(sum(under_100) AS BIGINT), CAST(sum(under_200) AS BIGINT), CAST(sum(under_500) AS BIGINT),
           CAST(sum(under_1000) AS BIGINT), CAST(sum(under_2000) AS BIGINT), CAST(sum(under_5000) AS BIGINT),
           CAST(sum(under_10000) AS BIGINT), CAST(sum(longer) AS BIGINT)
    FROM client_usage
    WHERE hour >= $1
    GROUP BY organization, scheme, key_id, client, version
    ORDER BY organization, scheme, key_id, client, version";

const INSERT_GRAPHQL: &str = "
    INSERT INTO graphql_usage (hour, kind, name, organization, scheme, key_id, client, version, requests, errors,
                               last_seen) ";

const ADD_GRAPHQL: &str = "
    ON CONFLICT (hour, kind, name, organization, scheme, key_id, client, version) DO UPDATE SET
        requests = graphql_usage.requests + excluded.requests,
        errors = graphql_usage.errors + excluded.errors,
        last_seen = CASE WHEN excluded.last_seen > graphql_usage.last_seen
                         THEN excluded.last_seen ELSE graphql_usage.last_seen END";

/// Of a kind (`$2`), and perhaps of one name (`$3`).
const SUM_GRAPHQL: &str = "
    SELECT kind, name, organization, scheme, key_id, client, version, max(hour),
           CAST(sum(requests) AS BIGINT), CAST(sum(errors) AS BIGINT), max(last_seen)
    FROM graphql_usage
    WHERE hour >= $1 AND kind = $2 AND ($3 IS NULL OR name = $3)
    GROUP BY kind, name, organization, scheme, key_id, client, version
    ORDER BY kind, name, organization, scheme, key_id, client, version";

const INSERT_OUTCOMES: &str = "
    INSERT INTO outcome_usage (hour, outcome, requests, last_seen) ";

const ADD_OUTCOMES: &str = "
    ON CONFLICT (hour, outcome) DO UPDATE SET
        requests = outcome_usage.requests + excluded.requests,
        last_seen = CASE WHEN excluded.last_seen > outcome_usage.last_seen
                         THEN excluded.last_seen ELSE outcome_usage.last_seen END";

const SUM_OUTCOMES: &str = "
    SELECT outcome, max(hour), CAST(sum(requests) AS BIGINT), max(last_seen)
    FROM outcome_usage
    WHERE hour >= $1
    GROUP BY outcome
    ORDER BY outcome";

/// Forgets what was counted before an hour (`$1`).
pub(in crate::store) const FORGET: [&str; 3] = [
    "DELETE FROM client_usage WHERE hour < $1",
    "DELETE FROM graphql_usage WHERE hour < $1",
    "DELETE FROM outcome_usage WHERE hour < $1",
];

/// A table, in the order in which they are written.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(in crate::store) enum Table {
    Clients,
    GraphQl,
    Outcomes,
}

impl Table {
    /// How a line is inserted, and how it is added to one that is there.
    pub(in crate::store) const fn statement(self) -> (&'static str, &'static str) {
        match self {
            Self::Clients => (INSERT_CLIENTS, ADD_CLIENTS),
            Self::GraphQl => (INSERT_GRAPHQL, ADD_GRAPHQL),
            Self::Outcomes => (INSERT_OUTCOMES, ADD_OUTCOMES),
        }
    }

    /// How many columns hold text.
    pub(in crate::store) const fn texts(self) -> usize {
        match self {
            Self::Clients => 5,
            Self::GraphQl => 7,
            Self::Outcomes => 1,
        }
    }
}

/// A line to be added.
#[derive(Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(in crate::store) struct Line<'a> {
    pub(in crate::store) table: Table,
    pub(in crate::store) hour: i64,
    pub(in crate::store) texts: Vec<&'a str>,
    pub(in crate::store) numbers: Vec<i64>,
}

/// The lines, always in the same order, so that two instances that write at once never wait for each other.
pub(in crate::store) fn lines(usage: &[Usage]) -> Result<Vec<Line<'_>>, rows::OutOfRange> {
    let mut lines = usage.iter().map(Line::of).collect::<Result<Vec<_>, _>>()?;
    lines.sort();
    Ok(lines)
}

impl<'a> Line<'a> {
    fn of(usage: &'a Usage) -> Result<Self, rows::OutOfRange> {
        let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let counts = &usage.counts;
        let (requests, errors) = (count(counts.requests), count(counts.errors));
        let last_seen = rows::seconds(usage.last_seen)?;
        let (table, texts, numbers) = match &usage.what {
            Counted::Client(client) => {
                let mut numbers = vec![requests, count(counts.denied), errors, last_seen];
                numbers.extend(counts.latencies.map(count));
                (Table::Clients, texts(client).to_vec(), numbers)
            }
            Counted::Operation(client, name) => {
                let what = ["operation", name.as_deref().unwrap_or_default()];
                (Table::GraphQl, [&what[..], &texts(client)].concat(), vec![requests, errors, last_seen])
            }
            Counted::Field(client, name) => (
                Table::GraphQl,
                [&["field", name][..], &texts(client)].concat(),
                vec![requests, errors, last_seen],
            ),
            Counted::Outcome(outcome) => (Table::Outcomes, vec![&**outcome], vec![requests, last_seen]),
        };
        Ok(Self { table, hour: hour(usage.hour)?, texts, numbers })
    }
}

fn texts(client: &Caller) -> [&str; 5] {
    [
        client.organization.as_deref().unwrap_or_default(),
        &client.scheme,
        &client.key_id,
        client.name.as_deref().unwrap_or_default(),
        client.version.as_deref().unwrap_or_default(),
    ]
}

/// The first second of a moment's hour.
pub(in crate::store) fn hour(moment: SystemTime) -> Result<i64, rows::OutOfRange> {
    rows::seconds(moment).map(|seconds| seconds - seconds % HOUR)
}

/// A statement that adds up, and what it takes behind the hour.
pub(in crate::store) struct Question<'a> {
    pub(in crate::store) table: Table,
    pub(in crate::store) statement: &'static str,
    pub(in crate::store) kind: Option<&'static str>,
    pub(in crate::store) name: Option<&'a str>,
}

impl<'a> Question<'a> {
    pub(in crate::store) const fn of(of: UsageOf<'a>) -> Self {
        let (table, statement, kind, name) = match of {
            UsageOf::Clients => (Table::Clients, SUM_CLIENTS, None, None),
            UsageOf::Outcomes => (Table::Outcomes, SUM_OUTCOMES, None, None),
            UsageOf::Operations => (Table::GraphQl, SUM_GRAPHQL, Some("operation"), None),
            UsageOf::Fields(name) => (Table::GraphQl, SUM_GRAPHQL, Some("field"), name),
        };
        Self { table, statement, kind, name }
    }
}

/// Reads a line of an answer.
pub(in crate::store) fn read(
    table: Table,
    texts: Vec<String>,
    numbers: &[i64],
) -> Result<Usage, Box<dyn Error + Send + Sync>> {
    let strange = || RowError::Unknown("line of usage");
    let mut numbers = numbers.iter().copied();
    let mut number = || numbers.next().ok_or_else(strange);
    let hour = rows::time(number()?)?;
    let mut counts = Counts::of(u64::try_from(number()?)?);
    if table == Table::Clients {
        counts.denied = u64::try_from(number()?)?;
    }
    if table != Table::Outcomes {
        counts.errors = u64::try_from(number()?)?;
    }
    let last_seen = rows::time(number()?)?;
    if table == Table::Clients {
        for bucket in &mut counts.latencies {
            *bucket = u64::try_from(number()?)?;
        }
    }
    let what = counted(table, texts).ok_or_else(strange)?;
    Ok(Usage::new(hour, what, counts, last_seen))
}

fn counted(table: Table, texts: Vec<String>) -> Option<Counted> {
    let mut texts = texts.into_iter();
    let said = |text: String| Some(text).filter(|text| !text.is_empty());
    Some(match table {
        Table::Outcomes => Counted::Outcome(texts.next()?),
        Table::Clients => Counted::Client(client(&mut texts)?),
        Table::GraphQl => {
            let (kind, name) = (texts.next()?, texts.next()?);
            let client = client(&mut texts)?;
            match &*kind {
                "operation" => Counted::Operation(client, said(name)),
                _ => Counted::Field(client, name),
            }
        }
    })
}

fn client(texts: &mut impl Iterator<Item = String>) -> Option<Caller> {
    let said = |text: String| Some(text).filter(|text| !text.is_empty());
    Some(Caller {
        organization: said(texts.next()?),
        scheme: texts.next()?,
        key_id: texts.next()?,
        name: said(texts.next()?),
        version: said(texts.next()?),
    })
}

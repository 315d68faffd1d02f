//! The side of an SQL store that faces a cache: many answers to one statement, leases, and waiting for all instances.

use super::rows::RowError;
use crate::{
    credential::{Installation, Organization},
    store::{Loaded, Record, StoreError, Wanted},
};
use std::{error::Error as _, time::Duration};

/// Between two looks at who has acknowledged.
pub(in crate::store) const PAUSE: Duration = Duration::from_millis(20);

/// The questions of a batch that are asked in one statement for each kind, as the JSON that it takes; `None` where there
/// is no such question.
#[derive(Default)]
pub(in crate::store) struct Names {
    pub(in crate::store) keys: Option<String>,
    pub(in crate::store) installations: Option<String>,
    pub(in crate::store) clients: Option<String>,
    pub(in crate::store) read_tokens: Option<String>,
}

impl Names {
    pub(in crate::store) fn of(wanted: &[Wanted]) -> Self {
        let json = |parts: fn(&Wanted) -> Option<Vec<String>>| {
            let names: Vec<_> = wanted.iter().filter_map(parts).collect();
            serde_json::to_string(&names).ok().filter(|_| !names.is_empty())
        };
        Self {
            keys: json(|wanted| match wanted {
                Wanted::Key { scheme, key_id } => Some(vec![scheme.clone(), key_id.clone()]),
                _ => None,
            }),
            installations: json(|wanted| match wanted {
                Wanted::Installation { scheme, key_id, organization } => {
                    Some(vec![scheme.clone(), key_id.clone(), organization.clone()])
                }
                _ => None,
            }),
            clients: json(|wanted| match wanted {
                Wanted::Client { client_id } => Some(vec![client_id.clone()]),
                _ => None,
            }),
            read_tokens: json(|wanted| match wanted {
                Wanted::ReadToken { hash } => Some(vec![hex::encode(hash.as_bytes())]),
                _ => None,
            }),
        }
    }
}

/// Whether a client or a read token is among those that there are. Of what is not there, strangers choose how much is
/// asked for.
pub(in crate::store) fn is_known(wanted: &Wanted, clients: &[String], read_tokens: &[String]) -> bool {
    match wanted {
        Wanted::Client { client_id } => clients.contains(client_id),
        Wanted::ReadToken { hash } => read_tokens.contains(&hex::encode(hash.as_bytes())),
        _ => true,
    }
}

/// The answer to the question for an installation.
pub(in crate::store) fn installation(wanted: &Wanted, installed: &[(String, String, String)]) -> Loaded {
    let Wanted::Installation { scheme, key_id, organization } = wanted else { return Ok(None) };
    let is_wanted =
        |row: &&(String, String, String)| row.0 == *scheme && row.1 == *key_id && row.2 == *organization;
    let found = installed.iter().find(is_wanted).map(|row| Organization::new(&row.2)).transpose();
    Ok(found.map_err(StoreError::new)?.map(Installation::new).map(Record::Installation))
}

/// The answer to one question that was asked alone; that the database cannot be asked concerns the others as well.
pub(in crate::store) fn own(loaded: Loaded) -> Result<Loaded, StoreError> {
    match loaded {
        Err(error) if !error.source().is_some_and(|cause| cause.is::<RowError>()) => Err(error),
        loaded => Ok(loaded),
    }
}

/// Implements [`Source`](crate::store::Source) for a store that has the fields of `sql_key_store` and `line`, and the
/// functions `follow` (hears what changes), `newest_barrier` and `raise_barrier`. `$rows` makes rows of a JSON array.
macro_rules! sql_source {
    ($store:ident over $connection:ty, rows: $rows:literal, tells_at_once: $tells_at_once:literal) => {
        const _: () = {
            use std::{collections::HashMap, time::Duration};
            use $crate::store::{
                Changes, Found, Instances, KeyStore as _, Lease, Loaded, Record, Source, StoreError, Wanted,
                sql::{
                    in_time,
                    line::on_line,
                    rows::{self, CredentialRow},
                    source, statements,
                },
            };

            statements::many!($rows);

            impl $store {
                async fn load_credentials(
                    &self,
                    connection: &mut $connection,
                    names: &str,
                    now: i64,
                ) -> Result<Vec<CredentialRow>, sqlx::Error> {
                    let asked = sqlx::query_as(FIND_CREDENTIALS).bind(names).bind(now).bind(self.demo_keys);
                    asked.fetch_all(connection).await
                }

                async fn load_installations(
                    &self,
                    connection: &mut $connection,
                    names: &str,
                ) -> Result<Vec<(String, String, String)>, sqlx::Error> {
                    sqlx::query_as(FIND_INSTALLATIONS).bind(names).fetch_all(connection).await
                }

                async fn load_known(
                    &self,
                    connection: &mut $connection,
                    statement: &'static str,
                    names: &str,
                ) -> Result<Vec<String>, sqlx::Error> {
                    sqlx::query_scalar(statement).bind(names).fetch_all(connection).await
                }

                async fn end_of_page(
                    &self,
                    connection: &mut $connection,
                    after: &(String, String),
                    limit: u32,
                ) -> Result<Option<(String, String)>, sqlx::Error> {
                    let asked = sqlx::query_as(statements::END_OF_PAGE).bind(&after.0).bind(&after.1);
                    asked.bind(i64::from(limit)).fetch_optional(connection).await
                }

                async fn load_page(
                    &self,
                    connection: &mut $connection,
                    after: &(String, String),
                    end: &(String, String),
                ) -> Result<Vec<CredentialRow>, sqlx::Error> {
                    // A page that begins in another scheme begins with its first key.
                    let start = if after.0 == end.0 { &*after.1 } else { "" };
                    sqlx::query_as(statements::PAGE_OF_CREDENTIALS)
                        .bind(&end.0)
                        .bind(start)
                        .bind(&end.1)
                        .bind(rows::seconds(self.clock.now()).map_err(sqlx::Error::decode)?)
                        .bind(self.demo_keys)
                        .fetch_all(connection)
                        .await
                }

                /// What time it is to the database, in whole seconds.
                ///
                /// # Errors
                ///
                /// [`StoreError`] if the database cannot be asked.
                pub async fn database_time(&self) -> Result<std::time::SystemTime, StoreError> {
                    let asked = sqlx::query_scalar("SELECT unixepoch()").fetch_one(&self.pool).await;
                    rows::time(asked.map_err(StoreError::new)?).map_err(StoreError::new)
                }

                /// Waits until no running program trusts any more what was committed before the call, and says whom it
                /// has waited for. Whatever asks the store afterwards is answered by what is in the database.
                ///
                /// An instance that does not answer may have crashed. It is waited for until its lease has ended, at
                /// most [`CacheLimits::max_age`](crate::store::CacheLimits::max_age), or until `patience` has.
                ///
                /// # Errors
                ///
                /// [`StoreError`] if the database cannot be asked.
                pub async fn wait_for_instances(&self, patience: Duration) -> Result<Instances, StoreError> {
                    let forgotten = sqlx::query(statements::FORGET_INSTANCES).execute(&self.pool).await;
                    forgotten.map_err(StoreError::new)?;
                    let barrier = self.raise_barrier().await?;
                    let end = tokio::time::Instant::now() + patience;
                    loop {
                        let rows = sqlx::query_as(statements::LIST_INSTANCES).bind(barrier);
                        let rows = rows.fetch_all(&self.pool).await.map_err(StoreError::new)?;
                        let instances = Instances::sort(rows);
                        if instances.is_settled() || tokio::time::Instant::now() >= end {
                            return Ok(instances);
                        }
                        tokio::time::sleep(source::PAUSE).await;
                    }
                }
            }

            #[async_trait::async_trait]
            impl Source for $store {
                async fn load(&self, wanted: &[Wanted]) -> Result<Vec<Loaded>, StoreError> {
                    let now = rows::seconds(self.clock.now()).map_err(StoreError::new)?;
                    let names = source::Names::of(wanted);
                    let mut credentials = HashMap::new();
                    if let Some(names) = names.keys {
                        let rows = on_line!(self, |line| self.load_credentials(line, &names, now))?;
                        for (scheme, key_id, credential) in rows::credentials(rows, &*self.keyring) {
                            let loaded = credential.map(Record::Credential).map_err(StoreError::new);
                            credentials.insert((scheme, key_id), loaded);
                        }
                    }
                    let mut installed = Vec::new();
                    if let Some(names) = names.installations {
                        installed = on_line!(self, |line| self.load_installations(line, &names))?;
                    }
                    let (mut clients, mut read_tokens) = (Vec::new(), Vec::new());
                    if let Some(names) = names.clients {
                        clients = on_line!(self, |line| self.load_known(line, KNOWN_CLIENTS, &names))?;
                    }
                    if let Some(names) = names.read_tokens {
                        read_tokens =
                            on_line!(self, |line| self.load_known(line, KNOWN_READ_TOKENS, &names))?;
                    }
                    let mut loaded = Vec::with_capacity(wanted.len());
                    for wanted in wanted {
                        loaded.push(match wanted {
                            Wanted::Key { scheme, key_id } => {
                                credentials.remove(&(scheme.clone(), key_id.clone())).transpose()
                            }
                            Wanted::Installation { .. } => source::installation(wanted, &installed),
                            other if !source::is_known(other, &clients, &read_tokens) => Ok(None),
                            other => match self.find(other.lookup()) {
                                Found::Ready(record) => Ok(record),
                                Found::Pending(record) => source::own(record.await)?,
                            },
                        });
                    }
                    Ok(loaded)
                }

                async fn watch(&self, changes: &Changes) -> StoreError {
                    match self.follow(changes).await {
                        Ok(never) => match never {},
                        Err(error) => error,
                    }
                }

                async fn renew(&self, lease: Lease<'_>) -> Result<i64, StoreError> {
                    let renew = async |line: &mut $connection| {
                        sqlx::query(statements::RENEW_LEASE)
                            .bind(lease.instance)
                            .bind(i64::from(lease.seconds))
                            .bind(lease.acknowledged)
                            .execute(line)
                            .await
                    };
                    on_line!(self, |line| renew(line))?;
                    self.newest_barrier().await
                }

                async fn leave(&self, instance: &str) -> Result<(), StoreError> {
                    let left = sqlx::query(statements::END_LEASE).bind(instance).execute(&self.pool).await;
                    left.map(drop).map_err(StoreError::new)
                }

                async fn page(
                    &self,
                    after: Option<&Wanted>,
                    limit: u32,
                ) -> Result<Vec<(Wanted, Loaded)>, StoreError> {
                    let mut after = match after {
                        Some(Wanted::Key { scheme, key_id }) => (scheme.clone(), key_id.clone()),
                        _ => Default::default(),
                    };
                    while let Some(end) = on_line!(self, |line| self.end_of_page(line, &after, limit))? {
                        let page = on_line!(self, |line| self.load_page(line, &after, &end))?;
                        if !page.is_empty() {
                            let page = rows::credentials(page, &*self.keyring).into_iter();
                            let page = page.map(|(scheme, key_id, credential)| {
                                let loaded = credential.map(Record::Credential).map(Some);
                                (Wanted::Key { scheme, key_id }, loaded.map_err(StoreError::new))
                            });
                            return Ok(page.collect());
                        }
                        // Nothing but keys for demonstration.
                        after = end;
                    }
                    Ok(Vec::new())
                }

                fn tells_at_once(&self) -> bool {
                    $tells_at_once
                }
            }
        };
    };
}

pub(in crate::store) use sql_source;

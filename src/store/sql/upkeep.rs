//! What keeps a database of keys in order: what every engine does alike.

/// Implements [`AuditLog`](crate::store::AuditLog) and [`Upkeep`](crate::store::Upkeep) for a store that
/// `sql_lifecycle` is for.
macro_rules! sql_upkeep {
    ($store:ident over $database:ty) => {
        const _: () = {
            use $crate::{
                credential::{KeyId, Organization},
                envelope::{Place, Sealed},
                store::{
                    AdminError, AuditEntry, AuditLog, AuditQuery, By, KeyringUse, NewCredential, OpenSecrets,
                    OpenedSecret, Resealed, SecretHint, SecretPlace, Upkeep, fingerprint, secret_hint,
                    sql::{refused, rows, statements, upkeep},
                },
            };

            impl $store {
                async fn insert_credentials(
                    &self,
                    change: &mut sqlx::Transaction<'static, $database>,
                    batch: &[NewCredential],
                ) -> Result<(), AdminError> {
                    let now = self.now()?;
                    let mut insert = sqlx::QueryBuilder::<$database>::new(upkeep::INSERT_CREDENTIALS);
                    let mut limits = Vec::with_capacity(batch.len());
                    for new in batch {
                        limits.push((rows::bound(new.not_before)?, rows::bound(new.expires_at)?));
                    }
                    insert.push_values(batch.iter().zip(limits), |mut row, (new, (start, end))| {
                        row.push_bind(new.scheme.as_str())
                            .push_bind(new.key_id.as_str())
                            .push_bind(new.algorithm.as_str())
                            .push_bind(new.principal.as_str())
                            .push_bind(new.organization.as_ref().map(Organization::as_str))
                            .push_bind(new.public_key.as_deref())
                            .push_bind(rows::words(new.permissions.as_ref()))
                            .push_bind(start)
                            .push_bind(end)
                            .push_bind(new.demo)
                            .push_bind(now);
                    });
                    let inserted = insert.build().execute(&mut **change).await;
                    inserted.map(drop).map_err(|error| refused("key", error))
                }

                async fn insert_first_secrets(
                    &self,
                    change: &mut sqlx::Transaction<'static, $database>,
                    batch: &[NewCredential],
                ) -> Result<(), AdminError> {
                    let now = self.now()?;
                    let mut insert = sqlx::QueryBuilder::<$database>::new(upkeep::INSERT_SECRETS);
                    insert.push_values(batch, |mut row, new| {
                        let place = Place { scheme: &new.scheme, key_id: new.key_id.as_str(), number: 1 };
                        let sealed = self.keyring.seal(place, &new.secret, self.nonce());
                        row.push_bind(new.scheme.as_str())
                            .push_bind(new.key_id.as_str())
                            .push_bind(place.number)
                            .push_bind(sealed.keyring_id)
                            .push_bind(sealed.record)
                            .push_bind(fingerprint(&new.scheme, &new.key_id, &new.secret))
                            .push_bind(now);
                    });
                    let inserted = insert.build().execute(&mut **change).await;
                    inserted.map(drop).map_err(|error| refused("secret", error))
                }
            }

            #[async_trait::async_trait]
            impl AuditLog for $store {
                async fn audit(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, AdminError> {
                    let found = sqlx::query_as(statements::LIST_AUDIT)
                        .bind(query.scheme.as_deref())
                        .bind(query.key_id.as_ref().map(KeyId::as_str))
                        .bind(query.actor.as_deref())
                        .bind(rows::bound(query.since)?.unwrap_or(0))
                        .bind(query.before.unwrap_or(i64::MAX))
                        .bind(i64::from(query.limit))
                        .fetch_all(&self.pool)
                        .await
                        .map_err(AdminError::unavailable)?;
                    upkeep::entries(found).map_err(AdminError::unavailable)
                }
            }

            #[async_trait::async_trait]
            impl OpenSecrets for $store {
                async fn open_secrets(
                    &self,
                    scheme: &str,
                    key_id: &KeyId,
                ) -> Result<Vec<OpenedSecret>, AdminError> {
                    let found = sqlx::query_as(statements::SECRETS_TO_OPEN)
                        .bind(scheme)
                        .bind(key_id.as_str())
                        .bind(self.now()?)
                        .fetch_all(&self.pool)
                        .await
                        .map_err(AdminError::unavailable)?;
                    rows::opened(scheme, found, &*self.keyring).map_err(AdminError::unavailable)
                }
            }

            #[async_trait::async_trait]
            impl Upkeep for $store {
                async fn create_credentials(&self, batch: &[NewCredential]) -> Result<(), AdminError> {
                    batch.iter().try_for_each(NewCredential::check)?;
                    let mut change = self.begin(self.by.as_ref()).await?;
                    for batch in batch.chunks(upkeep::ROWS_A_STATEMENT) {
                        self.insert_credentials(&mut change, batch).await?;
                        self.insert_first_secrets(&mut change, batch).await?;
                    }
                    self.commit(change).await
                }

                async fn keyring_use(&self) -> Result<Vec<KeyringUse>, AdminError> {
                    let found = sqlx::query_as(statements::KEYRING_USE).fetch_all(&self.pool).await;
                    let active = self.keyring.active_id();
                    Ok(upkeep::keyring_use(found.map_err(AdminError::unavailable)?, active))
                }

                async fn reseal(
                    &self,
                    after: Option<&SecretPlace>,
                    limit: u32,
                    by: &By,
                ) -> Result<Resealed, AdminError> {
                    let (scheme, key_id, number) = after.map_or(("", "", 0), SecretPlace::parts);
                    let mut change = self.begin(Some(by)).await?;
                    let mut found = Vec::new();
                    for statement in [statements::SIGNING_KEYS_SEALED_OTHERWISE, statements::SEALED_OTHERWISE]
                    {
                        if found.is_empty() {
                            found = sqlx::query_as::<_, upkeep::SealedRow>(statement)
                                .bind(scheme)
                                .bind(key_id)
                                .bind(number)
                                .bind(self.keyring.active_id())
                                .bind(i64::from(limit))
                                .fetch_all(&mut *change)
                                .await
                                .map_err(AdminError::unavailable)?;
                        }
                    }
                    let mut done = Resealed::default();
                    for (scheme, key_id, number, keyring_id, record) in found {
                        let place = Place { scheme: &scheme, key_id: &key_id, number };
                        match self.keyring.open(place, &Sealed::new(keyring_id.clone(), record)) {
                            Err(error) => done.unopened.push(error),
                            Ok(secret) => {
                                let sealed = self.keyring.seal(place, &secret, self.nonce());
                                let reseal = match place.scheme {
                                    "" => statements::RESEAL_SIGNING_KEY,
                                    _ => statements::RESEAL,
                                };
                                let updated = sqlx::query(reseal)
                                    .bind(place.scheme)
                                    .bind(place.key_id)
                                    .bind(number)
                                    .bind(sealed.keyring_id)
                                    .bind(sealed.record)
                                    .bind(keyring_id)
                                    .execute(&mut *change)
                                    .await
                                    .map_err(AdminError::unavailable)?;
                                done.count += updated.rows_affected();
                            }
                        }
                        done.last = Some(SecretPlace::new(scheme, key_id, number));
                    }
                    self.commit(change).await?;
                    Ok(done)
                }

                async fn secret_hints(
                    &self,
                    of: Option<(&str, &KeyId)>,
                ) -> Result<Vec<SecretHint>, AdminError> {
                    let (scheme, key_id) = of.map_or(("", ""), |(scheme, key_id)| (scheme, key_id.as_str()));
                    let found: Vec<upkeep::SealedRow> = sqlx::query_as(statements::SEALED_SECRETS)
                        .bind(scheme)
                        .bind(key_id)
                        .fetch_all(&self.pool)
                        .await
                        .map_err(AdminError::unavailable)?;
                    let look = |(scheme, key_id, number, keyring_id, record): upkeep::SealedRow| {
                        let place = Place { scheme: &scheme, key_id: &key_id, number };
                        let opened = self.keyring.open(place, &Sealed::new(keyring_id, record));
                        let hint = opened.map(|secret| secret_hint(&secret));
                        SecretHint { scheme, key_id, number, hint }
                    };
                    Ok(found.into_iter().map(look).collect())
                }

                async fn forget_keyring_key(&self, id: &str, by: &By) -> Result<(), AdminError> {
                    let mut change = self.begin(Some(by)).await?;
                    let deleted = sqlx::query(statements::FORGET_KEYRING_KEY)
                        .bind(id)
                        .execute(&mut *change)
                        .await
                        .map_err(upkeep::still_in_use)?;
                    match deleted.rows_affected() {
                        0 => Err(AdminError::new($crate::store::AdminErrorKind::NotFound, "keyring key")),
                        _ => self.commit(change).await,
                    }
                }
            }
        };
    };
}

pub(in crate::store) use sql_upkeep;

use super::rows::{self, RowError};
use crate::{
    credential::KeyId,
    store::{AdminError, AuditEntry, KeyringUse},
};
use sqlx::error::{DatabaseError, ErrorKind};

/// Keys that one statement inserts: a statement of SQLite has 32766 parameters at most, and a key eleven.
pub(in crate::store) const ROWS_A_STATEMENT: usize = 500;

pub(in crate::store) const INSERT_CREDENTIALS: &str = "
    INSERT INTO credentials (scheme, key_id, algorithm, account, organization, public_key, permissions, not_before,
                             expires_at, demo, created_at) ";

pub(in crate::store) const INSERT_SECRETS: &str = "
    INSERT INTO secret_versions (scheme, key_id, number, keyring_id, sealed, fingerprint, created_at) ";

/// Scheme, key id, number, keyring key and record.
pub(in crate::store) type SealedRow = (String, String, i64, String, Vec<u8>);

/// A row of [`LIST_AUDIT`](super::statements::LIST_AUDIT).
#[derive(sqlx::FromRow)]
pub(in crate::store) struct AuditRow {
    id: i64,
    at: i64,
    actor: String,
    reason: Option<String>,
    subject: String,
    verb: String,
    scheme: Option<String>,
    key_id: Option<String>,
    name: Option<String>,
    was: Option<String>,
    became: Option<String>,
}

/// Reads entries of the audit log.
pub(in crate::store) fn entries(rows: Vec<AuditRow>) -> Result<Vec<AuditEntry>, RowError> {
    let entry = |row: AuditRow| {
        Ok(AuditEntry {
            id: row.id,
            at: rows::time(row.at)?,
            actor: row.actor,
            reason: row.reason,
            subject: row.subject,
            verb: row.verb,
            scheme: row.scheme,
            key_id: row.key_id.as_deref().map(KeyId::new).transpose()?,
            name: row.name,
            was: row.was,
            became: row.became,
        })
    };
    rows.into_iter().map(entry).collect()
}

/// Reads what the keys of the keyring seal.
pub(in crate::store) fn keyring_use(rows: Vec<(String, i64)>, active: &str) -> Vec<KeyringUse> {
    let usage = |(id, secrets): (String, i64)| KeyringUse { active: id == active, id, secrets };
    rows.into_iter().map(usage).collect()
}

/// Why a keyring key is not forgotten.
pub(in crate::store) fn still_in_use(error: sqlx::Error) -> AdminError {
    match error.as_database_error().map(DatabaseError::kind) {
        Some(ErrorKind::ForeignKeyViolation) => {
            AdminError::invalid("to forget a keyring key that still seals a secret", error)
        }
        _ => AdminError::unavailable(error),
    }
}

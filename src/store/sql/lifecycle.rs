//! The life of a key in a database: what every engine does alike.

/// Implements [`KeyLifecycle`](crate::store::KeyLifecycle) and [`UseLog`](crate::store::UseLog) for a store that
/// `sql_key_store` is for.
macro_rules! sql_lifecycle {
    ($store:ident over $database:ty) => {
        const _: () = {
            use $crate::{
                credential::{CredentialState, KeyId},
                signature::Algorithm,
                store::{
                    AdminError, AdminErrorKind, By, ChangeRefused, KeyLifecycle, Limit, Rotated, Rotation,
                    StoreError, Use, UseLog,
                    sql::{NewSecret, is_refused, refused, rows, statements},
                },
            };

            type Change = sqlx::Transaction<'static, $database>;
            type Query<'q> = sqlx::query::Query<'q, $database, <$database as sqlx::Database>::Arguments>;

            /// Says who acts.
            fn acting(by: &By) -> Query<'_> {
                sqlx::query(statements::BEGIN_ACTING).bind(by.actor()).bind(by.reason())
            }

            impl $store {
                /// Begins a change that somebody makes. Whoever drops it undoes it.
                pub(in crate::store) async fn begin(&self, by: Option<&By>) -> Result<Change, AdminError> {
                    let mut change = self.pool.begin().await.map_err(AdminError::unavailable)?;
                    if let Some(by) = by {
                        let begun = acting(by).execute(&mut *change).await;
                        begun.map_err(|error| refused("this name", error))?;
                    }
                    Ok(change)
                }

                pub(in crate::store) async fn commit(&self, mut change: Change) -> Result<(), AdminError> {
                    let ended = sqlx::query(statements::END_ACTING).execute(&mut *change).await;
                    ended.map_err(AdminError::unavailable)?;
                    change.commit().await.map_err(AdminError::unavailable)
                }

                /// Executes one statement on behalf of whoever uses this handle, and says how many rows it touched.
                pub(in crate::store) async fn execute(
                    &self,
                    statement: Query<'_>,
                ) -> Result<u64, sqlx::Error> {
                    let mut change = self.pool.begin().await?;
                    if let Some(by) = &self.by {
                        acting(by).execute(&mut *change).await?;
                    }
                    let rows = statement.execute(&mut *change).await?.rows_affected();
                    sqlx::query(statements::END_ACTING).execute(&mut *change).await?;
                    change.commit().await?;
                    Ok(rows)
                }

                /// Why a key was not found among those that can be changed.
                async fn refusal(
                    &self,
                    change: &mut Change,
                    scheme: &str,
                    key_id: &KeyId,
                ) -> Result<AdminError, AdminError> {
                    let state = sqlx::query_scalar::<_, String>(statements::STATE_OF_CREDENTIAL)
                        .bind(scheme)
                        .bind(key_id.as_str())
                        .fetch_optional(&mut **change)
                        .await
                        .map_err(AdminError::unavailable)?;
                    Ok(match state {
                        Some(_) => ChangeRefused::Revoked.into(),
                        None => AdminError::new(AdminErrorKind::NotFound, "key"),
                    })
                }

                /// Holds a key still, so that nobody else changes it or its secrets, and tells its algorithm.
                async fn hold(
                    &self,
                    change: &mut Change,
                    scheme: &str,
                    key_id: &KeyId,
                ) -> Result<Algorithm, AdminError> {
                    let algorithm = sqlx::query_scalar::<_, String>(statements::HOLD_CREDENTIAL)
                        .bind(scheme)
                        .bind(key_id.as_str())
                        .fetch_optional(&mut **change)
                        .await
                        .map_err(AdminError::unavailable)?;
                    let Some(algorithm) = algorithm else {
                        return Err(self.refusal(change, scheme, key_id).await?);
                    };
                    rows::algorithm(&algorithm).map_err(AdminError::unavailable)
                }
            }

            #[async_trait::async_trait]
            impl KeyLifecycle for $store {
                async fn rotate(
                    &self,
                    scheme: &str,
                    key_id: &KeyId,
                    rotation: &Rotation,
                    by: &By,
                ) -> Result<Rotated, AdminError> {
                    let mut change = self.begin(Some(by)).await?;
                    rotation.check(self.hold(&mut change, scheme, key_id).await?)?;
                    let ends = sqlx::query_as(statements::SECRET_ENDS)
                        .bind(scheme)
                        .bind(key_id.as_str())
                        .fetch_all(&mut *change)
                        .await
                        .map_err(AdminError::unavailable)?;
                    let ends = rows::ends(ends).map_err(AdminError::unavailable)?;
                    let rotated = Rotated::plan(&ends, self.whole_seconds()?, rotation.overlap)?;
                    let end = rows::seconds(rotated.older_retire_at)
                        .map_err(|error| AdminError::invalid("this overlap", error))?;
                    sqlx::query(statements::RETIRE_SECRETS)
                        .bind(scheme)
                        .bind(key_id.as_str())
                        .bind(end)
                        .execute(&mut *change)
                        .await
                        .map_err(AdminError::unavailable)?;
                    let secret =
                        NewSecret { scheme, key_id, number: rotated.number, secret: &rotation.secret };
                    self.insert_secret(&mut change, secret).await?;
                    self.commit(change).await?;
                    Ok(rotated)
                }

                async fn set_state(
                    &self,
                    scheme: &str,
                    key_id: &KeyId,
                    state: CredentialState,
                    by: &By,
                ) -> Result<(), AdminError> {
                    let mut change = self.begin(Some(by)).await?;
                    let updated = sqlx::query(statements::SET_STATE)
                        .bind(scheme)
                        .bind(key_id.as_str())
                        .bind(state.as_str())
                        .execute(&mut *change)
                        .await
                        .map_err(AdminError::unavailable)?;
                    if updated.rows_affected() == 0 {
                        let found = sqlx::query_scalar::<_, String>(statements::STATE_OF_CREDENTIAL)
                            .bind(scheme)
                            .bind(key_id.as_str())
                            .fetch_optional(&mut *change)
                            .await
                            .map_err(AdminError::unavailable)?;
                        match found {
                            Some(found) if found == state.as_str() => {}
                            Some(_) => return Err(ChangeRefused::Revoked.into()),
                            None => return Err(AdminError::new(AdminErrorKind::NotFound, "key")),
                        }
                    }
                    self.commit(change).await
                }

                async fn set_limit(
                    &self,
                    scheme: &str,
                    key_id: &KeyId,
                    limit: Limit,
                    by: &By,
                ) -> Result<(), AdminError> {
                    let (statement, time) = match limit {
                        Limit::NotBefore(time) => (statements::SET_NOT_BEFORE, time),
                        Limit::ExpiresAt(time) => (statements::SET_EXPIRES_AT, time),
                        Limit::DebugUntil(time) => (statements::SET_DEBUG_UNTIL, time),
                    };
                    let mut change = self.begin(Some(by)).await?;
                    let updated = sqlx::query(statement)
                        .bind(scheme)
                        .bind(key_id.as_str())
                        .bind(rows::bound(time)?)
                        .execute(&mut *change)
                        .await
                        .map_err(|error| match error.as_database_error().map(|error| error.kind()) {
                            Some(sqlx::error::ErrorKind::CheckViolation) => {
                                ChangeRefused::EndBeforeBeginning.into()
                            }
                            // The one rule that a trigger holds these columns against.
                            _ if is_refused(&error) => ChangeRefused::LongDebug.into(),
                            _ => AdminError::unavailable(error),
                        })?;
                    if updated.rows_affected() == 0 {
                        return Err(self.refusal(&mut change, scheme, key_id).await?);
                    }
                    self.commit(change).await
                }
            }

            #[async_trait::async_trait]
            impl UseLog for $store {
                async fn note_uses(&self, uses: &[Use]) -> Result<(), StoreError> {
                    let mut transaction = self.pool.begin().await.map_err(StoreError::new)?;
                    for usage in uses {
                        sqlx::query(statements::NOTE_USE)
                            .bind(usage.scheme)
                            .bind(usage.key_id.as_str())
                            .bind(usage.number)
                            .bind(rows::seconds(usage.at).map_err(StoreError::new)?)
                            .execute(&mut *transaction)
                            .await
                            .map_err(StoreError::new)?;
                    }
                    transaction.commit().await.map_err(StoreError::new)
                }
            }
        };
    };
}

pub(in crate::store) use sql_lifecycle;

//! Clients, read tokens and signing keys in a database.

pub(in crate::store) mod rows;
pub(in crate::store) mod statements;

/// Implements [`TokenAdmin`](crate::store::TokenAdmin), and what a lookup finds of its tables, for a store that
/// `sql_key_store` completes.
macro_rules! sql_tokens {
    ($store:ident over $database:ty) => {
        const _: () = {
            use std::time::{Duration, SystemTime};
            use $crate::{
                credential::{CredentialState, KeyId, Organization, Permissions, SecretHash},
                envelope::Place,
                secret::Secret,
                store::{
                    AdminError, AdminErrorKind, ChangeRefused, ClientSummary, NewClient, NewReadToken,
                    NewSigningKey, ReadTokenSummary, Record, SigningKeySummary, StoreError, TokenAdmin,
                    access, hint,
                    sql::{
                        access::touched,
                        is_refused, refused, rows,
                        tokens::{rows as found, statements},
                    },
                    tokens,
                },
            };

            impl $store {
                async fn find_client(self, id: KeyId) -> Result<Option<Record>, StoreError> {
                    let now = rows::seconds(self.clock.now()).map_err(StoreError::new)?;
                    let client = sqlx::query_as(statements::FIND_CLIENT)
                        .bind(id.as_str())
                        .bind(now)
                        .bind(self.demo_keys)
                        .fetch_all(&self.pool)
                        .await
                        .map_err(StoreError::new)?;
                    let client = found::client(id, client).map_err(StoreError::new)?;
                    Ok(client.map(|client| Record::Client(client.into())))
                }

                async fn find_read_token(self, hash: SecretHash) -> Result<Option<Record>, StoreError> {
                    let token: Option<found::ReadTokenRow> = sqlx::query_as(statements::FIND_READ_TOKEN)
                        .bind(&hash.as_bytes()[..])
                        .bind(self.demo_keys)
                        .fetch_optional(&self.pool)
                        .await
                        .map_err(StoreError::new)?;
                    let token = token.as_ref().map(found::read_token).transpose().map_err(StoreError::new)?;
                    Ok(token.map(|token| Record::ReadToken(token.into())))
                }

                async fn find_token_keys(self) -> Result<Option<Record>, StoreError> {
                    let now = rows::seconds(self.clock.now()).map_err(StoreError::new)?;
                    let keys =
                        sqlx::query_as(statements::FIND_TOKEN_KEYS).bind(now).fetch_all(&self.pool).await;
                    let keys = found::token_keys(keys.map_err(StoreError::new)?).map_err(StoreError::new)?;
                    Ok(keys.map(|keys| Record::TokenKeys(keys.into())))
                }

                async fn find_signing_key(self) -> Result<Option<Record>, StoreError> {
                    let now = rows::seconds(self.clock.now()).map_err(StoreError::new)?;
                    let key = sqlx::query_as(statements::FIND_SIGNING_KEY)
                        .bind(now)
                        .fetch_optional(&self.pool)
                        .await
                        .map_err(StoreError::new)?;
                    let key = key.map(|row| found::signing_key(row, &*self.keyring)).transpose();
                    Ok(key.map_err(StoreError::new)?.map(|key| Record::SigningKey(key.into())))
                }

                async fn insert_client(
                    &self,
                    transaction: &mut sqlx::Transaction<'_, $database>,
                    new: &NewClient,
                ) -> Result<(), AdminError> {
                    let inserted = sqlx::query(statements::INSERT_CLIENT)
                        .bind(new.client_id.as_str())
                        .bind(new.principal.as_str())
                        .bind(new.organization.as_ref().map(Organization::as_str))
                        .bind(rows::words(new.permissions.as_ref()))
                        .bind(rows::bound(new.expires_at)?)
                        .bind(new.comment.as_deref())
                        .bind(new.demo)
                        .bind(self.now()?)
                        .execute(&mut **transaction)
                        .await
                        .map_err(|error| refused("account", error))?;
                    match inserted.rows_affected() {
                        0 => Err(AdminError::new(AdminErrorKind::Exists, "client id")),
                        _ => Ok(()),
                    }
                }

                async fn insert_client_secret(
                    &self,
                    transaction: &mut sqlx::Transaction<'_, $database>,
                    client_id: &KeyId,
                    number: i64,
                    secret: &Secret,
                ) -> Result<(), AdminError> {
                    let inserted = sqlx::query(statements::INSERT_CLIENT_SECRET)
                        .bind(client_id.as_str())
                        .bind(number)
                        .bind(&SecretHash::of(secret.expose()).as_bytes()[..])
                        .bind(self.now()?)
                        .execute(&mut **transaction)
                        .await;
                    inserted.map(drop).map_err(|error| refused("secret", error))
                }

                /// What it means that a client, or a signing key, was not changed: there is none, or it may not be.
                async fn unchanged(
                    &self,
                    count: &'static str,
                    id: &KeyId,
                    what: &'static str,
                    rule: &'static str,
                ) -> AdminError {
                    let counted =
                        sqlx::query_scalar::<_, i64>(count).bind(id.as_str()).fetch_one(&self.pool).await;
                    match counted {
                        Ok(0) => AdminError::new(AdminErrorKind::NotFound, what),
                        Ok(_) => AdminError::new(AdminErrorKind::Invalid, rule),
                        Err(error) => AdminError::unavailable(error),
                    }
                }
            }

            #[async_trait::async_trait]
            impl TokenAdmin for $store {
                async fn create_client(&self, client: &NewClient) -> Result<(), AdminError> {
                    client.check()?;
                    if let Some(organization) = &client.organization {
                        self.require(organization).await?;
                    }
                    let mut transaction = self.begin(self.by.as_ref()).await?;
                    self.insert_client(&mut transaction, client).await?;
                    self.insert_client_secret(&mut transaction, &client.client_id, 1, &client.secret).await?;
                    self.commit(transaction).await
                }

                async fn clients(&self) -> Result<Vec<ClientSummary>, AdminError> {
                    let listed = sqlx::query_as(statements::LIST_CLIENTS).fetch_all(&self.pool).await;
                    found::clients(listed.map_err(AdminError::unavailable)?).map_err(AdminError::unavailable)
                }

                async fn client(&self, client_id: &KeyId) -> Result<ClientSummary, AdminError> {
                    let listed = sqlx::query_as(statements::SHOW_CLIENT)
                        .bind(client_id.as_str())
                        .fetch_all(&self.pool)
                        .await
                        .map_err(AdminError::unavailable)?;
                    let mut listed = found::clients(listed).map_err(AdminError::unavailable)?;
                    listed.pop().ok_or(AdminError::new(AdminErrorKind::NotFound, "client"))
                }

                async fn rotate_client(
                    &self,
                    client_id: &KeyId,
                    secret: &Secret,
                    overlap: Duration,
                ) -> Result<i64, AdminError> {
                    tokens::check_secret(secret)?;
                    let (now, end) = (self.now()?, tokens::end_of(self.clock.now(), overlap)?);
                    let end = rows::bound(Some(end))?;
                    let mut transaction = self.begin(self.by.as_ref()).await?;
                    let held = sqlx::query(statements::HOLD_CLIENT)
                        .bind(client_id.as_str())
                        .execute(&mut *transaction)
                        .await
                        .map_err(AdminError::unavailable)?;
                    if held.rows_affected() == 0 {
                        drop(transaction);
                        return Err(self
                            .unchanged(statements::COUNT_CLIENTS, client_id, "client", tokens::REVOKED)
                            .await);
                    }
                    let (last, live) = sqlx::query_as::<_, (i64, i64)>(statements::COUNT_CLIENT_SECRETS)
                        .bind(client_id.as_str())
                        .bind(now)
                        .fetch_one(&mut *transaction)
                        .await
                        .map_err(AdminError::unavailable)?;
                    tokens::check_live(live, end > Some(now))?;
                    sqlx::query(statements::RETIRE_CLIENT_SECRETS)
                        .bind(client_id.as_str())
                        .bind(end)
                        .execute(&mut *transaction)
                        .await
                        .map_err(AdminError::unavailable)?;
                    self.insert_client_secret(&mut transaction, client_id, last + 1, secret).await?;
                    self.commit(transaction).await?;
                    Ok(last + 1)
                }

                async fn set_client_state(
                    &self,
                    client_id: &KeyId,
                    state: CredentialState,
                ) -> Result<(), AdminError> {
                    let statement = sqlx::query(statements::SET_CLIENT_STATE)
                        .bind(client_id.as_str())
                        .bind(state.as_str());
                    let updated = self.execute(statement).await.map_err(AdminError::unavailable)?;
                    match updated {
                        0 => Err(self
                            .unchanged(statements::COUNT_CLIENTS, client_id, "client", tokens::REVOKED)
                            .await),
                        _ => Ok(()),
                    }
                }

                async fn set_client_permissions(
                    &self,
                    client_id: &KeyId,
                    permissions: Option<&Permissions>,
                ) -> Result<(), AdminError> {
                    permissions.map_or(Ok(()), access::check_list)?;
                    let statement = sqlx::query(statements::SET_CLIENT_PERMISSIONS)
                        .bind(client_id.as_str())
                        .bind(rows::words(permissions));
                    let updated = self.execute(statement).await;
                    touched("client", updated)
                }

                async fn debug_client(
                    &self,
                    client_id: &KeyId,
                    until: Option<SystemTime>,
                ) -> Result<(), AdminError> {
                    let statement = sqlx::query(statements::DEBUG_CLIENT)
                        .bind(client_id.as_str())
                        .bind(rows::bound(until)?);
                    let updated =
                        self.execute(statement).await.map_err(|error| match is_refused(&error) {
                            true => ChangeRefused::LongDebug.into(),
                            false => AdminError::unavailable(error),
                        })?;
                    match updated {
                        0 => Err(self
                            .unchanged(statements::COUNT_CLIENTS, client_id, "client", tokens::REVOKED)
                            .await),
                        _ => Ok(()),
                    }
                }

                async fn create_read_token(&self, token: &NewReadToken) -> Result<(), AdminError> {
                    token.check()?;
                    self.require(&token.organization).await?;
                    let statement = sqlx::query(statements::INSERT_READ_TOKEN)
                        .bind(token.id.as_str())
                        .bind(&SecretHash::of(token.secret.expose()).as_bytes()[..])
                        .bind(hint(&token.secret))
                        .bind(token.principal.as_str())
                        .bind(token.organization.as_str())
                        .bind(rows::words(token.permissions.as_ref()))
                        .bind(rows::bound(token.expires_at)?)
                        .bind(token.comment.as_deref())
                        .bind(token.demo)
                        .bind(self.now()?);
                    let inserted =
                        self.execute(statement).await.map_err(|error| refused("account", error))?;
                    match inserted {
                        0 => Err(AdminError::new(AdminErrorKind::Exists, "read token")),
                        _ => Ok(()),
                    }
                }

                async fn read_tokens(&self) -> Result<Vec<ReadTokenSummary>, AdminError> {
                    let listed = sqlx::query_as(statements::LIST_READ_TOKENS).fetch_all(&self.pool).await;
                    found::read_tokens(listed.map_err(AdminError::unavailable)?)
                        .map_err(AdminError::unavailable)
                }

                async fn revoke_read_token(&self, id: &KeyId) -> Result<(), AdminError> {
                    let statement = sqlx::query(statements::REVOKE_READ_TOKEN).bind(id.as_str());
                    let updated = self.execute(statement).await;
                    touched("read token", updated)
                }

                async fn add_signing_key(&self, key: &NewSigningKey) -> Result<(), AdminError> {
                    key.check()?;
                    let place = Place::signing_key(key.public.kid.as_str());
                    let sealed = self.keyring.seal(place, &key.private_key, self.nonce());
                    let statement = sqlx::query(statements::INSERT_SIGNING_KEY)
                        .bind(key.public.kid.as_str())
                        .bind(key.public.algorithm.as_str())
                        .bind(&key.public.public_key[..])
                        .bind(sealed.keyring_id)
                        .bind(sealed.record)
                        .bind(rows::bound(key.public.not_before)?)
                        .bind(rows::bound(key.public.retires_at)?)
                        .bind(self.now()?);
                    let inserted =
                        self.execute(statement).await.map_err(|error| refused("signing key", error))?;
                    match inserted {
                        0 => Err(AdminError::new(AdminErrorKind::Exists, "signing key")),
                        _ => Ok(()),
                    }
                }

                async fn signing_keys(&self) -> Result<Vec<SigningKeySummary>, AdminError> {
                    let listed = sqlx::query_as(statements::LIST_SIGNING_KEYS).fetch_all(&self.pool).await;
                    found::signing_keys(listed.map_err(AdminError::unavailable)?)
                        .map_err(AdminError::unavailable)
                }

                async fn retire_signing_key(&self, kid: &KeyId, at: SystemTime) -> Result<(), AdminError> {
                    let statement = sqlx::query(statements::RETIRE_SIGNING_KEY)
                        .bind(kid.as_str())
                        .bind(rows::bound(Some(at))?);
                    let updated = self.execute(statement).await.map_err(AdminError::unavailable)?;
                    match updated {
                        0 => {
                            let count = statements::COUNT_SIGNING_KEYS;
                            Err(self.unchanged(count, kid, "signing key", tokens::PUT_OFF).await)
                        }
                        _ => Ok(()),
                    }
                }
            }
        };
    };
}

pub(in crate::store) use sql_tokens;

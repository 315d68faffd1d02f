//! What all databases share: the statements, the meaning of their rows, and the traits implemented with both.
//!
//! An engine brings its pool, its migrations and its way of opening. The rest is written once, here, as a macro:
//! sqlx types a statement by its engine, and bounds that leave the engine open would hide the statements.

pub(super) mod access;
mod instances;
pub(super) mod lifecycle;
pub(super) mod line;
#[cfg(feature = "postgres")]
pub(super) mod listen;
#[cfg(feature = "sqlite")]
pub(super) mod poll;
pub(super) mod refusals;
pub(super) mod rows;
pub(super) mod schema;
pub(super) mod source;
pub(super) mod statements;
pub(super) mod tokens;
pub(super) mod upkeep;
pub(super) mod usage;

pub(super) use self::{
    lifecycle::sql_lifecycle, refusals::sql_refusals, upkeep::sql_upkeep, usage::sql_usage,
};

pub use self::instances::Instances;

use super::{AdminError, AdminErrorKind, StoreError};
use crate::{credential::KeyId, metrics, secret::Secret};
use sqlx::error::{DatabaseError, ErrorKind};
use std::{borrow::Cow, error::Error, fmt, time::Duration};
use tokio::time::timeout;

/// How long a database may take to let a program in, to hand out a connection, and to answer a lookup.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Waits for the answer to a lookup, but not for ever: a connection may be dead without a sign of it.
pub(super) async fn in_time<T>(answer: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    timeout(PATIENCE, answer).await.map_err(|_| StoreError::new(Silent))?
}

/// The same for one record, which is looked up alone.
pub(super) async fn find_alone<T>(
    answer: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let watch = metrics::Watch::start();
    let found = in_time(answer).await;
    metrics::store("find", watch);
    found
}

/// The database did not answer in time.
#[derive(Debug)]
pub(super) struct Silent;

impl fmt::Display for Silent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the database does not answer within {} s", PATIENCE.as_secs())
    }
}

impl Error for Silent {}

/// What a failed insertion or removal means for `what`.
pub(super) fn refused(what: &'static str, error: sqlx::Error) -> AdminError {
    match error.as_database_error().map(DatabaseError::kind) {
        Some(ErrorKind::UniqueViolation) => AdminError::new(AdminErrorKind::Exists, what),
        Some(ErrorKind::ForeignKeyViolation) => AdminError::new(AdminErrorKind::NotFound, what),
        Some(ErrorKind::CheckViolation) => AdminError::invalid(what, error),
        _ if is_refused(&error) => AdminError::invalid(what, error),
        // Class 22 of SQL, "data exception": text that the database cannot hold.
        _ if code(&error).is_some_and(|code| code.len() == 5 && code.starts_with("22")) => {
            AdminError::invalid(what, error)
        }
        _ => AdminError::unavailable(error),
    }
}

/// Whether a trigger of the schema refused it: its own words in Postgres, a constraint's in SQLite.
pub(super) fn is_refused(error: &sqlx::Error) -> bool {
    matches!(code(error).as_deref(), Some("23001" | "1811"))
}

/// A secret, and the place among those of a key that it is stored in.
#[derive(Clone, Copy)]
pub(super) struct NewSecret<'a> {
    pub(super) scheme: &'a str,
    pub(super) key_id: &'a KeyId,
    pub(super) number: i64,
    pub(super) secret: &'a Secret,
}

/// The engine's own code of an error.
pub(super) fn code(error: &sqlx::Error) -> Option<Cow<'_, str>> {
    error.as_database_error().and_then(DatabaseError::code)
}

/// Implements [`KeyStore`](super::KeyStore) and [`KeyAdmin`](super::KeyAdmin) for a store that is `Clone` and has the
/// fields `pool`, `keyring`, `clock`, `demo_keys` and `by`. `sql_access`, `sql_lifecycle` and `sql_tokens` complete it.
macro_rules! sql_key_store {
    ($store:ident over $database:ty) => {
        const _: () = {
            use $crate::{
                credential::{KeyId, Organization, Permissions, Principal},
                envelope::Place,
                store::{
                    Account, AdminError, AdminErrorKind, CredentialSummary, Found, KeyAdmin, KeyStore,
                    Lookup, NewCredential, OrganizationSummary, Record, StoreError, fingerprint,
                    sql::{NewSecret, find_alone, refused, rows, statements},
                },
            };

            impl $store {
                /// Makes the active keyring key known to the database, then checks that the keyring holds every key
                /// that is known. In one transaction: a wrong keyring leaves no trace.
                async fn check_keyring(&self) -> Result<(), StoreError> {
                    let canary = self.keyring.seal_canary(self.nonce());
                    let now = rows::seconds(self.clock.now()).map_err(StoreError::new)?;
                    let mut transaction = self.pool.begin().await.map_err(StoreError::new)?;
                    sqlx::query(statements::INSERT_CANARY)
                        .bind(canary.keyring_id)
                        .bind(canary.record)
                        .bind(now)
                        .execute(&mut *transaction)
                        .await
                        .map_err(StoreError::new)?;
                    let canaries = sqlx::query_as(statements::LIST_CANARIES)
                        .fetch_all(&mut *transaction)
                        .await
                        .map_err(StoreError::new)?;
                    rows::check_canaries(canaries, &*self.keyring).map_err(StoreError::new)?;
                    transaction.commit().await.map_err(StoreError::new)
                }

                async fn find_credential(
                    self,
                    scheme: String,
                    key_id: KeyId,
                ) -> Result<Option<Record>, StoreError> {
                    let now = rows::seconds(self.clock.now()).map_err(StoreError::new)?;
                    let found = sqlx::query_as(statements::FIND_CREDENTIAL)
                        .bind(&*scheme)
                        .bind(key_id.as_str())
                        .bind(now)
                        .bind(self.demo_keys)
                        .fetch_all(&self.pool)
                        .await
                        .map_err(StoreError::new)?;
                    let found = rows::credentials(found, &*self.keyring).pop();
                    let credential = found.map(|(_, _, credential)| credential).transpose();
                    Ok(credential.map_err(StoreError::new)?.map(Record::Credential))
                }

                async fn find_installation(
                    self,
                    scheme: String,
                    app: KeyId,
                    organization: Organization,
                ) -> Result<Option<Record>, StoreError> {
                    let found = sqlx::query_as(statements::FIND_INSTALLATION)
                        .bind(scheme)
                        .bind(app.as_str())
                        .bind(organization.as_str())
                        .fetch_optional(&self.pool)
                        .await
                        .map_err(StoreError::new)?;
                    let installation = rows::installation(found).map_err(StoreError::new)?;
                    Ok(installation.map(Record::Installation))
                }

                /// Organizations are never deleted, so one that is there now is there still when it is needed.
                async fn require(&self, organization: &Organization) -> Result<(), AdminError> {
                    let count = sqlx::query_scalar::<_, i64>(statements::COUNT_ORGANIZATIONS)
                        .bind(organization.as_str())
                        .fetch_one(&self.pool)
                        .await
                        .map_err(AdminError::unavailable)?;
                    match count {
                        0 => Err(AdminError::new(AdminErrorKind::NotFound, "organization")),
                        _ => Ok(()),
                    }
                }

                async fn insert_credential(
                    &self,
                    transaction: &mut sqlx::Transaction<'_, $database>,
                    new: &NewCredential,
                ) -> Result<(), AdminError> {
                    let inserted = sqlx::query(statements::INSERT_CREDENTIAL)
                        .bind(&*new.scheme)
                        .bind(new.key_id.as_str())
                        .bind(new.algorithm.as_str())
                        .bind(new.principal.as_str())
                        .bind(new.organization.as_ref().map(Organization::as_str))
                        .bind(new.public_key.as_deref())
                        .bind(rows::bound(new.not_before)?)
                        .bind(rows::bound(new.expires_at)?)
                        .bind(rows::words(new.permissions.as_ref()))
                        .bind(new.demo)
                        .bind(self.now()?)
                        .execute(&mut **transaction)
                        .await
                        .map_err(|error| refused("account", error))?;
                    match inserted.rows_affected() {
                        0 => Err(AdminError::new(AdminErrorKind::Exists, "key id")),
                        _ => Ok(()),
                    }
                }

                pub(in crate::store) async fn insert_secret(
                    &self,
                    transaction: &mut sqlx::Transaction<'_, $database>,
                    new: NewSecret<'_>,
                ) -> Result<(), AdminError> {
                    let NewSecret { scheme, key_id, number, secret } = new;
                    let place = Place { scheme, key_id: key_id.as_str(), number };
                    let sealed = self.keyring.seal(place, secret, self.nonce());
                    let inserted = sqlx::query(statements::INSERT_SECRET_VERSION)
                        .bind(place.scheme)
                        .bind(place.key_id)
                        .bind(place.number)
                        .bind(sealed.keyring_id)
                        .bind(sealed.record)
                        .bind(fingerprint(scheme, key_id, secret))
                        .bind(self.now()?)
                        .execute(&mut **transaction)
                        .await;
                    inserted.map(drop).map_err(|error| refused("secret", error))
                }

                pub(in crate::store) fn now(&self) -> Result<i64, AdminError> {
                    rows::seconds(self.clock.now()).map_err(AdminError::unavailable)
                }

                /// The time as a database keeps it.
                pub(in crate::store) fn whole_seconds(&self) -> Result<std::time::SystemTime, AdminError> {
                    rows::time(self.now()?).map_err(AdminError::unavailable)
                }

                pub(in crate::store) fn nonce(&self) -> [u8; 12] {
                    let mut nonce = [0; 12];
                    self.clock.fill(&mut nonce);
                    nonce
                }
            }

            impl KeyStore for $store {
                fn find(&self, lookup: Lookup<'_>) -> Found {
                    // Text that cannot be a name is in no row, and need not reach the database.
                    match lookup {
                        Lookup::Key { scheme, key_id } => match KeyId::new(key_id) {
                            Ok(key_id) => Found::Pending(Box::pin(find_alone(
                                self.clone().find_credential(scheme.to_owned(), key_id),
                            ))),
                            Err(_) => Found::Ready(None),
                        },
                        Lookup::Installation { scheme, key_id, organization } => {
                            match (KeyId::new(key_id), Organization::new(organization)) {
                                (Ok(app), Ok(organization)) => Found::Pending(Box::pin(find_alone(
                                    self.clone().find_installation(scheme.to_owned(), app, organization),
                                ))),
                                _ => Found::Ready(None),
                            }
                        }
                        Lookup::Client { client_id } => match KeyId::new(client_id) {
                            Ok(id) => Found::Pending(Box::pin(find_alone(self.clone().find_client(id)))),
                            Err(_) => Found::Ready(None),
                        },
                        Lookup::ReadToken { hash } => {
                            Found::Pending(Box::pin(find_alone(self.clone().find_read_token(*hash))))
                        }
                        Lookup::TokenKeys => {
                            Found::Pending(Box::pin(find_alone(self.clone().find_token_keys())))
                        }
                        Lookup::SigningKey => {
                            Found::Pending(Box::pin(find_alone(self.clone().find_signing_key())))
                        }
                    }
                }
            }

            #[async_trait::async_trait]
            impl KeyAdmin for $store {
                async fn create_organization(
                    &self,
                    organization: &Organization,
                    name: Option<&str>,
                ) -> Result<(), AdminError> {
                    let statement = sqlx::query(statements::INSERT_ORGANIZATION)
                        .bind(organization.as_str())
                        .bind(name)
                        .bind(self.now()?);
                    let inserted = self.execute(statement).await;
                    inserted.map(drop).map_err(|error| refused("organization", error))
                }

                async fn organizations(&self) -> Result<Vec<OrganizationSummary>, AdminError> {
                    let found = sqlx::query_as(statements::LIST_ORGANIZATIONS).fetch_all(&self.pool).await;
                    rows::organizations(found.map_err(AdminError::unavailable)?)
                        .map_err(AdminError::unavailable)
                }

                async fn install(
                    &self,
                    scheme: &str,
                    app: &KeyId,
                    organization: &Organization,
                ) -> Result<(), AdminError> {
                    self.require(organization).await?;
                    let statement = sqlx::query(statements::INSERT_INSTALLATION)
                        .bind(scheme)
                        .bind(app.as_str())
                        .bind(organization.as_str())
                        .bind(self.now()?);
                    let inserted = self.execute(statement).await;
                    inserted.map(drop).map_err(|error| refused("app", error))
                }

                async fn uninstall(
                    &self,
                    scheme: &str,
                    app: &KeyId,
                    organization: &Organization,
                ) -> Result<(), AdminError> {
                    let statement = sqlx::query(statements::DELETE_INSTALLATION)
                        .bind(scheme)
                        .bind(app.as_str())
                        .bind(organization.as_str());
                    let deleted = self.execute(statement).await.map_err(AdminError::unavailable)?;
                    match deleted {
                        0 => Err(AdminError::new(AdminErrorKind::NotFound, "installation")),
                        _ => Ok(()),
                    }
                }

                async fn create_account(
                    &self,
                    account: &Principal,
                    organization: Option<&Organization>,
                ) -> Result<(), AdminError> {
                    self.insert_account(account, organization, &Permissions::all()).await
                }

                async fn accounts(&self) -> Result<Vec<Account>, AdminError> {
                    let found = sqlx::query_as(statements::LIST_ACCOUNTS).fetch_all(&self.pool).await;
                    rows::accounts(found.map_err(AdminError::unavailable)?).map_err(AdminError::unavailable)
                }

                async fn create_credential(&self, credential: &NewCredential) -> Result<(), AdminError> {
                    credential.check()?;
                    if let Some(organization) = &credential.organization {
                        self.require(organization).await?;
                    }
                    let mut change = self.begin(self.by.as_ref()).await?;
                    self.insert_credential(&mut change, credential).await?;
                    let NewCredential { scheme, key_id, secret, .. } = credential;
                    let first = NewSecret { scheme, key_id, number: 1, secret };
                    self.insert_secret(&mut change, first).await?;
                    self.commit(change).await
                }

                async fn credentials(&self) -> Result<Vec<CredentialSummary>, AdminError> {
                    let found = sqlx::query_as(statements::LIST_CREDENTIALS).fetch_all(&self.pool).await;
                    rows::summaries(found.map_err(AdminError::unavailable)?).map_err(AdminError::unavailable)
                }

                async fn credential(
                    &self,
                    scheme: &str,
                    key_id: &KeyId,
                ) -> Result<CredentialSummary, AdminError> {
                    let found = sqlx::query_as(statements::SHOW_CREDENTIAL)
                        .bind(scheme)
                        .bind(key_id.as_str())
                        .fetch_all(&self.pool)
                        .await
                        .map_err(AdminError::unavailable)?;
                    let mut found = rows::summaries(found).map_err(AdminError::unavailable)?;
                    found.pop().ok_or(AdminError::new(AdminErrorKind::NotFound, "key"))
                }
            }
        };
    };
}

pub(super) use sql_key_store;

//! The schema of a database: its numbered steps, which of them are applied, and how they are.
//!
//! There are two lists of steps: the ones that this crate brings, and after them an operator's own, which lie in a
//! folder and are counted in a table of their own. Both begin with 1.

use crate::store::StoreError;
use sqlx::migrate::{self, Migrator};
use std::{error::Error, fmt, path::Path};

/// Where an operator's own steps are counted.
const OWN_STEPS: &str = "_operator_migrations";

/// A numbered step of the database's schema.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Migration {
    /// Its number.
    pub version: i64,
    /// What it is about.
    pub name: String,
    /// Whether this database has it.
    pub applied: bool,
}

/// Lists steps, and which of them are among the applied.
pub(in crate::store) fn migrations(known: &Migrator, applied: &[i64]) -> Vec<Migration> {
    let forwards = |step: &&migrate::Migration| !step.migration_type.is_down_migration();
    let migration = |step: &migrate::Migration| Migration {
        version: step.version,
        name: step.description.to_string(),
        applied: applied.contains(&step.version),
    };
    known.iter().filter(forwards).map(migration).collect()
}

/// Refuses a database that lacks a step of the schema.
pub(in crate::store) fn require_applied(migrations: &[Migration]) -> Result<(), NotMigrated> {
    migrations.iter().find(|step| !step.applied).map_or(Ok(()), |step| Err(NotMigrated(step.version)))
}

/// Reads the steps in a folder: files like `0001_first_keys.sql`.
pub(in crate::store) async fn own_steps(folder: &Path) -> Result<Migrator, StoreError> {
    let mut steps = Migrator::new(folder).await.map_err(StoreError::new)?;
    steps.dangerous_set_table_name(OWN_STEPS);
    Ok(steps)
}

/// The database lacks a step of the schema.
#[derive(Debug)]
pub(in crate::store) struct NotMigrated(i64);

impl fmt::Display for NotMigrated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the database lacks migration {}: run `countersign migrate`", self.0)
    }
}

impl Error for NotMigrated {}

/// Implements migrating for a database that has its pool in the first field, and the functions `steps`, which gives
/// the steps that belong to its engine, and `begin_alone`, which begins a transaction and waits for other programs
/// that migrate. `$is_there` counts the tables named `$1`.
macro_rules! sql_migrations {
    ($database:ident, is_there: $is_there:literal) => {
        const _: () = {
            use $crate::store::{
                StoreError,
                sql::schema::{self, Migration},
            };

            impl $database {
                /// The steps of the schema, in their order, and which of them this database has.
                ///
                /// # Errors
                ///
                /// [`StoreError`] if the database cannot be asked.
                pub async fn migrations(&self) -> Result<Vec<Migration>, StoreError> {
                    self.list(&Self::steps()).await
                }

                /// Brings the schema up to date, with all missing steps or none. Steps that are applied already are
                /// checked, not repeated.
                ///
                /// # Errors
                ///
                /// [`StoreError`] if a step fails or was changed since it was applied, or if the database has a step
                /// that this program does not know.
                pub async fn migrate(&self) -> Result<(), StoreError> {
                    self.apply(&Self::steps()).await
                }

                /// An operator's own steps, from a folder of files like `0001_first_keys.sql`, and which of them this
                /// database has.
                ///
                /// # Errors
                ///
                /// [`StoreError`] if the folder cannot be read or the database cannot be asked.
                pub async fn migrations_in(&self, folder: &Path) -> Result<Vec<Migration>, StoreError> {
                    self.list(&schema::own_steps(folder).await?).await
                }

                /// Applies an operator's own steps, all missing ones or none. They are counted in a table of their
                /// own, so that their numbers mean nothing to those of the schema, which must be up to date.
                ///
                /// # Errors
                ///
                /// As [`migrate`](Self::migrate), and if the folder cannot be read.
                pub async fn migrate_in(&self, folder: &Path) -> Result<(), StoreError> {
                    self.apply(&schema::own_steps(folder).await?).await
                }

                async fn list(&self, steps: &Migrator) -> Result<Vec<Migration>, StoreError> {
                    let mut connection = self.0.acquire().await.map_err(StoreError::new)?;
                    let tables = sqlx::query_scalar::<_, i64>($is_there)
                        .bind(&*steps.table_name)
                        .fetch_one(&mut *connection)
                        .await
                        .map_err(StoreError::new)?;
                    let applied = match tables {
                        0 => Vec::new(),
                        _ => connection
                            .list_applied_migrations(&steps.table_name)
                            .await
                            .map_err(StoreError::new)?,
                    };
                    let applied: Vec<_> = applied.iter().map(|step| step.version).collect();
                    Ok(schema::migrations(steps, &applied))
                }

                async fn apply(&self, steps: &Migrator) -> Result<(), StoreError> {
                    let mut alone = self.begin_alone().await.map_err(StoreError::new)?;
                    steps.run(&mut *alone).await.map_err(StoreError::new)?;
                    alone.commit().await.map_err(StoreError::new)
                }
            }

            impl std::fmt::Debug for $database {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str(concat!(stringify!($database), "(..)"))
                }
            }
        };
    };
}

pub(in crate::store) use sql_migrations;

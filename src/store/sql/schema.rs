//! The schema of a database: its numbered steps, which of them are applied, and how they are.
//!
//! There are two lists of steps: the ones that this crate brings, and after them an operator's own, which lie in a
//! folder. Each is counted in a table of its own, and neither in the one that sqlx uses unless told otherwise, which
//! belongs to the application in the same database. Both begin with 1.

use crate::store::StoreError;
use sqlx::migrate::{self, Migrator};
use std::{error::Error, fmt, path::Path};

/// Where the steps of this crate are counted.
const OUR_STEPS: &str = "_countersign_migrations";
/// Where an operator's own steps are counted.
const OWN_STEPS: &str = "_operator_migrations";
/// Where the steps of this crate were counted once. It may hold an application's as well.
pub(in crate::store) const SHARED_STEPS: &str = "_sqlx_migrations";
/// Takes over that a step is applied, of this version (`$1`) and checksum (`$2`).
pub(in crate::store) const TAKE_OVER: &str = "
    INSERT INTO _countersign_migrations (version, description, installed_on, success, checksum, execution_time)
    SELECT version, description, installed_on, success, checksum, execution_time
    FROM _sqlx_migrations WHERE version = $1 AND checksum = $2";
/// Forgets in the old place what was taken over.
pub(in crate::store) const LEAVE: &str = "DELETE FROM _sqlx_migrations WHERE version = $1 AND checksum = $2";

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

/// The steps of this crate, counted where they are counted now.
pub(in crate::store) fn ours(mut steps: Migrator) -> Migrator {
    steps.dangerous_set_table_name(OUR_STEPS);
    steps
}

/// Whether these are the steps of this crate.
pub(in crate::store) fn is_ours(steps: &Migrator) -> bool {
    steps.table_name == OUR_STEPS
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
    ($database:ident over $engine:ty, is_there: $is_there:literal) => {
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
                    let applied = match Self::is_there(&mut connection, &steps.table_name).await? {
                        false => Vec::new(),
                        true => connection
                            .list_applied_migrations(&steps.table_name)
                            .await
                            .map_err(StoreError::new)?,
                    };
                    let applied: Vec<_> = applied.iter().map(|step| step.version).collect();
                    Ok(schema::migrations(steps, &applied))
                }

                async fn apply(&self, steps: &Migrator) -> Result<(), StoreError> {
                    let mut alone = self.begin_alone().await.map_err(StoreError::new)?;
                    if schema::is_ours(steps) {
                        Self::take_over(&mut alone, steps).await?;
                    }
                    steps.run(&mut *alone).await.map_err(StoreError::new)?;
                    alone.commit().await.map_err(StoreError::new)
                }

                /// Takes over what an earlier version counted in a table that others use too. Whose a step is, its
                /// checksum tells.
                async fn take_over(
                    connection: &mut <$engine as sqlx::Database>::Connection,
                    steps: &Migrator,
                ) -> Result<(), StoreError> {
                    if Self::is_there(connection, &steps.table_name).await?
                        || !Self::is_there(connection, schema::SHARED_STEPS).await?
                    {
                        return Ok(());
                    }
                    connection.ensure_migrations_table(&steps.table_name).await.map_err(StoreError::new)?;
                    for step in steps.iter() {
                        for statement in [schema::TAKE_OVER, schema::LEAVE] {
                            sqlx::query(statement)
                                .bind(step.version)
                                .bind(&*step.checksum)
                                .execute(&mut *connection)
                                .await
                                .map_err(StoreError::new)?;
                        }
                    }
                    Ok(())
                }

                async fn is_there(
                    connection: &mut <$engine as sqlx::Database>::Connection,
                    table: &str,
                ) -> Result<bool, StoreError> {
                    let tables = sqlx::query_scalar::<_, i64>($is_there).bind(table).fetch_one(connection);
                    tables.await.map(|count| count > 0).map_err(StoreError::new)
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

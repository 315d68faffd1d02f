//! `migrate`: brings the schema of the database to this version, or says what is missing.

use crate::{
    config::StoreArgs,
    failure::{Exit, Failure},
    output::{Output, Row},
};
use clap::Args;
use countersign::store::{Migration, StoreError};
use serde::Serialize;
use serde_json::json;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  countersign migrate
  countersign migrate --dir migrations
  countersign migrate --status -o json

Every other command brings a SQLite database up to date as well; on a Postgres
server, which others use, that is left to this one.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct MigrateArgs {
    /// Change nothing; say what is applied and what is not
    #[arg(long)]
    status: bool,

    /// Then apply your own migrations from this folder, counted in a table of their own
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,

    #[command(flatten)]
    store: StoreArgs,
}

/// How far a list of migrations has come.
#[derive(Debug, Serialize)]
struct Steps {
    applied: usize,
    pending: Vec<Pending>,
}

#[derive(Debug, Serialize)]
struct Pending {
    version: i64,
    name: String,
}

impl Row for &Pending {
    const TITLES: &'static [&'static str] = &["pending", "name"];

    fn cells(&self) -> Vec<String> {
        vec![self.version.to_string(), self.name.clone()]
    }
}

/// Migrates, or reports.
pub async fn run(args: MigrateArgs, output: &Output) -> Result<(), Failure> {
    if !args.status {
        migrate(&args, output).await?;
    }
    let database = args.store.open_as_it_is().await?;
    let (engine, schema) = (database.engine(), Steps::of(database.migrations().await)?);
    let own = match &args.dir {
        Some(folder) => Some(Steps::of(database.migrations_in(folder).await)?),
        None => None,
    };
    report(engine, &schema, own.as_ref(), output)
}

async fn migrate(args: &MigrateArgs, output: &Output) -> Result<(), Failure> {
    let database = args.store.open_migrated().await?;
    // Makes the keyring known to the database: the operator's own steps may bring secrets that it seals.
    args.store.open_or_create(output).await?;
    let Some(folder) = &args.dir else { return Ok(()) };
    database.migrate_in(folder).await.map_err(|error| {
        let message = format!("the migrations in {} cannot be applied", folder.display());
        let hint =
            "nothing of them was: correct the last one, or add another; those applied before never change";
        Failure::new(Exit::Failure, "migration_failed", message, hint).because(&error)
    })
}

fn report(engine: &str, schema: &Steps, own: Option<&Steps>, output: &Output) -> Result<(), Failure> {
    let mut document = json!({ "engine": engine, "applied": schema.applied, "pending": schema.pending });
    let mut fields = vec![(engine, schema.told())];
    if let Some(own) = own {
        document["own"] = json!(own);
        fields.push(("own migrations", own.told()));
    }
    output.record(&fields, &document)?;
    let pending: Vec<_> = schema.pending.iter().chain(own.iter().flat_map(|own| &own.pending)).collect();
    if output.is_json() || pending.is_empty() { Ok(()) } else { output.list(&pending, "") }
}

impl Steps {
    fn of(all: Result<Vec<Migration>, StoreError>) -> Result<Self, Failure> {
        let all =
            all.map_err(|error| Failure::unreachable("the migrations cannot be read").because(&error))?;
        let (applied, pending): (Vec<_>, Vec<_>) = all.into_iter().partition(|migration| migration.applied);
        let pending = pending.into_iter().map(|step| Pending { version: step.version, name: step.name });
        Ok(Self { applied: applied.len(), pending: pending.collect() })
    }

    fn told(&self) -> String {
        format!("{} applied, {} pending", self.applied, self.pending.len())
    }
}

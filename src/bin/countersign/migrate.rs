//! `migrate`: brings the schema of the database to this version, or says what is missing.

use crate::{
    config::StoreArgs,
    failure::Failure,
    output::{Output, Row},
};
use clap::Args;
use countersign::store::Migration;
use serde::Serialize;
use serde_json::json;

const EXAMPLES: &str = "\
Examples:
  countersign migrate
  countersign migrate --status -o json

Every other command brings a SQLite database up to date as well.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct MigrateArgs {
    /// Change nothing; say what is applied and what is not
    #[arg(long)]
    status: bool,

    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Debug, Serialize)]
struct Pending {
    version: i64,
    name: String,
}

impl Row for Pending {
    const TITLES: &'static [&'static str] = &["pending", "name"];

    fn cells(&self) -> Vec<String> {
        vec![self.version.to_string(), self.name.clone()]
    }
}

/// Migrates, or reports.
pub async fn run(args: MigrateArgs, output: &Output) -> Result<(), Failure> {
    if !args.status {
        args.store.open_or_create(output).await?;
    }
    let database = args.store.open_as_it_is().await?;
    let all = database.migrations().await;
    let all = all.map_err(|error| Failure::unreachable("the schema cannot be read").because(&error))?;
    report(all, output)
}

fn report(all: Vec<Migration>, output: &Output) -> Result<(), Failure> {
    let (applied, pending): (Vec<_>, Vec<_>) = all.into_iter().partition(|migration| migration.applied);
    let pending: Vec<_> = pending
        .into_iter()
        .map(|migration| Pending { version: migration.version, name: migration.name })
        .collect();
    let state = format!("{} applied, {} pending", applied.len(), pending.len());
    let document = json!({ "engine": "sqlite", "applied": applied.len(), "pending": pending });
    output.record(&[("sqlite", state)], &document)?;
    if output.is_json() || pending.is_empty() { Ok(()) } else { output.list(&pending, "") }
}

//! `doctor`: whether everything that servers and commands rely on is as it should be, and what to do where it is not.

use crate::{
    config::{Store, StoreArgs},
    database::unusable,
    failure::{Exit, Failure},
    output::{Output, Row, or_dash},
};
use clap::Args;
use countersign::clock::{Clock, SystemClock};
use serde::Serialize;
use std::{error::Error, time::Duration};

/// How far the clocks of this machine and of the database may lie apart.
const DRIFT: Duration = Duration::from_secs(5);
/// How long servers are given to answer.
const PATIENCE: Duration = Duration::from_secs(3);

const EXAMPLES: &str = "\
Examples:
  countersign doctor
  DATABASE_URL=postgres://db.example.com/keys countersign doctor -o json

Ends with 0 if all is well, and with 1 if something is not.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DoctorArgs {
    /// Where servers listen for changes, if the database is reached through a pooler
    #[arg(long, value_name = "URL", env = "LISTEN_DATABASE_URL", hide_env_values = true)]
    listen_database_url: Option<String>,

    #[command(flatten)]
    store: StoreArgs,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    check: &'static str,
    ok: bool,
    detail: String,
    hint: Option<&'static str>,
}

impl Check {
    fn good(check: &'static str, detail: impl Into<String>) -> Self {
        Self { check, ok: true, detail: detail.into(), hint: None }
    }

    fn bad(check: &'static str, detail: impl Into<String>, hint: &'static str) -> Self {
        Self { check, ok: false, detail: detail.into(), hint: Some(hint) }
    }
}

impl Row for Check {
    const TITLES: &'static [&'static str] = &["check", "", "what was found", "what to do"];

    fn cells(&self) -> Vec<String> {
        let word = if self.ok { "ok" } else { "BAD" };
        vec![self.check.to_owned(), word.to_owned(), self.detail.clone(), or_dash(self.hint)]
    }
}

/// Looks at everything. What cannot even be opened ends this command as it ends every other.
pub async fn run(args: DoctorArgs, output: &Output) -> Result<(), Failure> {
    let mut checks = Vec::new();
    let keyring = args.store.keyring()?;
    checks.push(Check::good("keyring", format!("its active key is `{}`", keyring.active_id())));
    let database = args.store.open_as_it_is().await?;
    checks.push(Check::good("database", format!("{} answers", database.engine())));
    let migrations = database.migrations().await.map_err(|error| unusable(&error))?;
    let pending = migrations.iter().filter(|step| !step.applied).count();
    if pending > 0 {
        let detail = format!("{pending} of {} are not applied", migrations.len());
        checks.push(Check::bad("migrations", detail, "run `countersign migrate`"));
        return report(&checks, output);
    }
    checks.push(Check::good("migrations", format!("all {} are applied", migrations.len())));
    // Opening compares the keyring with what is sealed there.
    let store = args.store.open_existing().await?;
    checks.push(Check::good("canary", "the keyring opens what was sealed"));
    checks.push(clock(&store).await);
    checks.push(listening(&store, args.listen_database_url.as_deref()).await);
    checks.push(servers(&store).await);
    report(&checks, output)
}

async fn clock(store: &Store) -> Check {
    const HINT: &str =
        "set the clocks: they decide what has expired, and for how long servers trust what they keep";
    match store.all().database_time().await {
        Ok(there) => {
            let apart = SystemClock.now().duration_since(there).unwrap_or_else(|error| error.duration());
            let detail = format!("this machine and the database are {} s apart", apart.as_secs());
            if apart <= DRIFT { Check::good("clock", detail) } else { Check::bad("clock", detail, HINT) }
        }
        Err(error) => Check::bad("clock", cause(&error), "see that the database can be asked"),
    }
}

async fn listening(store: &Store, url: Option<&str>) -> Check {
    match store.all().hear_oneself(url).await {
        Ok(Some(())) => Check::good("listening", "a message to oneself is heard"),
        Ok(None) => Check::good("listening", "not needed: servers look for changes in the file"),
        Err(error) => {
            Check::bad("listening", cause(&error), "name the database server itself in LISTEN_DATABASE_URL")
        }
    }
}

async fn servers(store: &Store) -> Check {
    match store.all().wait_for_instances(PATIENCE).await {
        Ok(servers) if servers.is_settled() => {
            let (here, gone) = (servers.acknowledged.len(), servers.lapsed.len());
            Check::good("servers", format!("{here} answer, {gone} have ended without a goodbye"))
        }
        Ok(servers) => {
            let detail = format!("not answering: {}", servers.silent.join(", "));
            Check::bad("servers", detail, "see their logs: what they keep they trust for 30 s at most")
        }
        Err(error) => Check::bad("servers", cause(&error), "see that the database can be asked"),
    }
}

/// What lies behind an error, which alone says only that the store cannot be asked.
fn cause(error: &dyn Error) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

fn report(checks: &[Check], output: &Output) -> Result<(), Failure> {
    output.list(checks, "")?;
    let bad = checks.iter().filter(|check| !check.ok).count();
    if bad == 0 {
        return Ok(());
    }
    let message = format!("{bad} of {} checks failed", checks.len());
    Err(Failure::new(Exit::Failure, "unwell", message, "the list says what to do"))
}

//! `--wait`: until no running server goes by what was true before.

use crate::{
    config::Store,
    database::unusable,
    failure::{Exit, Failure},
    output::Output,
};
use clap::Args;
use std::time::Duration;

/// A server that does not answer has lost its lease by then, if it was made with the usual limits.
const PATIENCE: Duration = Duration::from_secs(35);
/// How long a new key or secret is waited for without being told to.
const SHORT_PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub struct WaitArgs {
    /// Wait until no running server goes by what was true before, at most 35 s
    #[arg(long)]
    wait: bool,
}

impl WaitArgs {
    /// Waits, if that was asked for.
    pub async fn settle(&self, store: &Store, output: &Output) -> Result<(), Failure> {
        if !self.wait {
            return Ok(());
        }
        let waited = store.all().wait_for_instances(PATIENCE).await;
        let instances = waited.map_err(|error| unusable(&error))?;
        output.note(format!("{} running servers know of it", instances.acknowledged.len()));
        if !instances.lapsed.is_empty() {
            let names = instances.lapsed.join(", ");
            output.note(format!("not heard of since their lease ended, so that they trust nothing: {names}"));
        }
        if instances.is_settled() {
            return Ok(());
        }
        let message =
            format!("it is done, but not every server knows of it: {}", instances.silent.join(", "));
        let hint = "they will when their lease has ended; end them if that is too late";
        Err(Failure::new(Exit::Failure, "not_settled", message, hint))
    }

    /// The same after a secret was made, which is shown in any case: what goes wrong is noted. Without being asked to,
    /// it waits for a moment only.
    pub async fn settle_secret(&self, store: &Store, output: &Output) {
        let patience = if self.wait { PATIENCE } else { SHORT_PATIENCE };
        settle_within(patience, store, output).await;
    }
}

/// Waits for a moment after a key was made: somebody may have tried it before, and a server keep for a second that there
/// is none.
pub async fn settle_soon(store: &Store, output: &Output) {
    settle_within(SHORT_PATIENCE, store, output).await;
}

async fn settle_within(patience: Duration, store: &Store, output: &Output) {
    let waited = store.all().wait_for_instances(patience).await;
    if !waited.is_ok_and(|instances| instances.is_settled()) {
        output.note("not every running server has answered: some may know of it a little later");
    }
}

//! `keys disable`, `enable` and `revoke`: what an operator says about a key.

use super::{KeyName, list::changed};
use crate::{
    config::{ReasonArgs, StoreArgs},
    confirm::ConfirmArgs,
    failure::Failure,
    output::Output,
    wait::WaitArgs,
};
use clap::Args;
use countersign::credential::CredentialState;

/// What the three commands have in common.
#[derive(Debug, Args)]
struct StateArgs {
    #[command(flatten)]
    key: KeyName,

    #[command(flatten)]
    reason: ReasonArgs,

    #[command(flatten)]
    wait: WaitArgs,

    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  countersign keys disable --scheme ateliere --key-id pk_1 --reason 'unpaid'"
)]
pub struct DisableArgs {
    #[command(flatten)]
    state: StateArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  countersign keys enable --scheme ateliere --key-id pk_1")]
pub struct EnableArgs {
    #[command(flatten)]
    state: StateArgs,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  countersign keys revoke --scheme ateliere --key-id pk_1 --reason stolen --yes"
)]
pub struct RevokeArgs {
    #[command(flatten)]
    state: StateArgs,

    #[command(flatten)]
    confirm: ConfirmArgs,
}

/// Switches a key off.
pub async fn disable(args: DisableArgs, output: &Output) -> Result<(), Failure> {
    args.state.set(CredentialState::Disabled, "switched off", output).await
}

/// Switches a key on again.
pub async fn enable(args: EnableArgs, output: &Output) -> Result<(), Failure> {
    args.state.set(CredentialState::Active, "switched on", output).await
}

/// Withdraws a key for ever.
pub async fn revoke(args: RevokeArgs, output: &Output) -> Result<(), Failure> {
    args.confirm.ask(&format!("revoke {} for ever?", args.state.key.told()))?;
    args.state.set(CredentialState::Revoked, "revoked", output).await
}

impl StateArgs {
    async fn set(&self, state: CredentialState, done: &str, output: &Output) -> Result<(), Failure> {
        let store = self.store.open_existing().await?;
        let by = self.store.by(&self.reason);
        let set = store.all().set_state(self.key.scheme(), &self.key.key_id, state, &by).await;
        set.map_err(|error| self.key.failed(&error))?;
        self.wait.settle(&store, output).await?;
        changed(&store, &self.key, format!("{done} {}", self.key.told()), output).await
    }
}

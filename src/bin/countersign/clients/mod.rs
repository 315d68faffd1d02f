//! `clients`: OAuth clients, which exchange their id and secret for tokens.

mod create;
mod debug;
mod list;
mod migration;
mod permit;
mod rotate;

use crate::{
    config::StoreArgs,
    confirm::ConfirmArgs,
    failure::{Exit, Failure},
    output::Output,
    wait::WaitArgs,
};
use clap::{Args, Subcommand};
use countersign::{
    credential::{CredentialState, KeyId},
    store::{AdminError, AdminErrorKind, SecretRefused},
};
use std::error::Error;

/// What can be done to clients.
#[derive(Debug, Subcommand)]
pub enum ClientsCommand {
    /// Make a client with a new secret, and print the secret once
    Create(create::CreateArgs),
    /// Take over a client with the secret that it has already
    Import(create::ImportArgs),
    /// List the clients
    #[command(after_help = "Example:\n  countersign clients list -o json")]
    List(StoreArgs),
    /// Show all about one client but its secrets
    #[command(after_help = "Example:\n  countersign clients show --client-id 5B0F4C…")]
    Show(NameArgs),
    /// Give a client another secret; the older ones work for a while yet
    Rotate(rotate::RotateArgs),
    /// Say what a client may do of that which its account may
    Permit(permit::PermitArgs),
    /// Switch a client off, and every token that it was issued
    #[command(after_help = "Example:\n  countersign clients disable --client-id 5B0F4C…")]
    Disable(StateArgs),
    /// Switch a client on again
    #[command(after_help = "Example:\n  countersign clients enable --client-id 5B0F4C…")]
    Enable(StateArgs),
    /// Explain refused requests of a client for a while
    Debug(debug::DebugArgs),
    /// Withdraw a client for ever, and every token that it was issued
    #[command(after_help = "Example:\n  countersign clients revoke --client-id 5B0F4C… --yes")]
    Revoke(RevokeArgs),
}

#[derive(Debug, Args)]
pub struct NameArgs {
    /// The client
    #[arg(long, value_name = "ID", value_parser = KeyId::new)]
    client_id: KeyId,

    #[command(flatten)]
    store: StoreArgs,
}

/// What an operator says about a client.
#[derive(Debug, Args)]
pub struct StateArgs {
    #[command(flatten)]
    of: NameArgs,

    #[command(flatten)]
    wait: WaitArgs,
}

#[derive(Debug, Args)]
pub struct RevokeArgs {
    #[command(flatten)]
    state: StateArgs,

    #[command(flatten)]
    confirm: ConfirmArgs,
}

/// Does what was asked.
pub async fn run(command: ClientsCommand, output: &Output) -> Result<(), Failure> {
    match command {
        ClientsCommand::Create(args) => create::create(args, output).await,
        ClientsCommand::Import(args) => create::import(args, output).await,
        ClientsCommand::List(store) => list::list(store, output).await,
        ClientsCommand::Show(args) => list::show(args, output).await,
        ClientsCommand::Rotate(args) => rotate::rotate(args, output).await,
        ClientsCommand::Permit(args) => permit::permit(args, output).await,
        ClientsCommand::Disable(args) => set(args, CredentialState::Disabled, "disabled", output).await,
        ClientsCommand::Enable(args) => set(args, CredentialState::Active, "enabled", output).await,
        ClientsCommand::Debug(args) => debug::debug(args, output).await,
        ClientsCommand::Revoke(RevokeArgs { state, confirm }) => {
            confirm.ask(&format!("revoke client `{}` for ever?", state.of.client_id))?;
            set(state, CredentialState::Revoked, "revoked", output).await
        }
    }
}

async fn set(args: StateArgs, state: CredentialState, verb: &str, output: &Output) -> Result<(), Failure> {
    let StateArgs { of: args, wait } = args;
    let store = args.store.open_existing().await?;
    let set = store.tokens().set_client_state(&args.client_id, state).await;
    set.map_err(|error| failed(&error, &args.client_id))?;
    wait.settle(&store, output).await?;
    let listed = list::find(&store, &args.client_id).await?;
    output.done(format!("{verb} client `{}`", args.client_id), &listed)
}

/// What a store says about a client that is there, or is not.
fn failed(error: &AdminError, client_id: &KeyId) -> Failure {
    let hint = match error.kind() {
        AdminErrorKind::Exists => "a client id is given out once: choose another",
        AdminErrorKind::Invalid => {
            "see `countersign clients show`: a revoked client is replaced by a new one"
        }
        _ => "see `countersign clients list`",
    };
    Failure::admin(error, &format!("client `{client_id}`"), hint)
}

/// The same, where it may be the secret that is refused, with the rule's own advice.
pub fn refused(error: &AdminError, otherwise: impl FnOnce() -> Failure) -> Failure {
    match error.source().and_then(|source| source.downcast_ref::<SecretRefused>()) {
        Some(reason) => bad_secret(reason),
        None => otherwise(),
    }
}

fn bad_secret(reason: &SecretRefused) -> Failure {
    Failure::new(Exit::Failure, "bad_secret", "the secret is refused", reason.hint()).because(reason)
}

//! `keys`: create, import, rotate, list and show. A secret is printed when it is made, and never again.

mod create;
mod list;
mod migration;
mod rotate;
pub mod secret_out;

use crate::{failure::Failure, output::Output};
use clap::Subcommand;

/// What can be done to keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make a key with a new secret, and print the secret once
    Create(create::CreateArgs),
    /// Take over a key with the secret that the provider made
    Import(create::ImportArgs),
    /// Give a key another secret
    Rotate(rotate::RotateArgs),
    /// List the keys, with fingerprints instead of secrets
    #[command(after_help = "Example:\n  countersign keys list --scheme salescloud -o json")]
    List(list::ListArgs),
    /// Show all about one key but its secret
    #[command(after_help = "Example:\n  countersign keys show --scheme ateliere --key-id pk_1")]
    Show(list::ShowArgs),
}

/// Does what was asked.
pub async fn run(command: KeysCommand, output: &Output) -> Result<(), Failure> {
    match command {
        KeysCommand::Create(args) => create::create(args, output).await,
        KeysCommand::Import(args) => create::import(args, output).await,
        KeysCommand::Rotate(args) => rotate::rotate(args, output).await,
        KeysCommand::List(args) => list::list(args, output).await,
        KeysCommand::Show(args) => list::show(args, output).await,
    }
}

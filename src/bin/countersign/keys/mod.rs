//! `keys`: everything from the making of a key to its end. A secret is printed when it is made, and never again.

mod bulk;
mod create;
mod limits;
mod list;
mod migration;
mod permit;
mod refused;
mod rewrap;
mod rotate;
pub mod secret_out;
mod state;
mod usage;

use crate::{
    failure::{Exit, Failure},
    output::Output,
    schemes::SchemeName,
    times,
};
use clap::{Args, Subcommand};
use countersign::{
    credential::KeyId,
    store::{AdminError, ChangeRefused, SecretRefused},
};
use std::error::Error;

/// What can be done to keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make a key with a new secret, and print the secret once
    Create(create::CreateArgs),
    /// Take over a key with the secret that the provider made, or many from a file
    Import(create::ImportArgs),
    /// Give a key another secret
    Rotate(rotate::RotateArgs),
    /// Switch a key off
    Disable(state::DisableArgs),
    /// Switch a key on again
    Enable(state::EnableArgs),
    /// Withdraw a key for ever
    Revoke(state::RevokeArgs),
    /// Say what a key may do of that which its account may
    Permit(permit::PermitArgs),
    /// Say when a key begins and ends
    Expire(limits::ExpireArgs),
    /// Explain refused requests of a key, for some hours
    Debug(limits::DebugArgs),
    /// List the keys, with fingerprints instead of secrets
    #[command(after_help = "Example:\n  countersign keys list --scheme salescloud -o json")]
    List(list::ListArgs),
    /// Show all about one key but its secret
    #[command(after_help = "Example:\n  countersign keys show --scheme ateliere --key-id pk_1")]
    Show(list::ShowArgs),
    /// Show when each secret was last used, and who still uses an older one
    Usage(usage::UsageArgs),
    /// Seal every secret with the active key of the keyring
    Rewrap(rewrap::RewrapArgs),
}

/// Does what was asked.
pub async fn run(command: KeysCommand, output: &Output) -> Result<(), Failure> {
    match command {
        KeysCommand::Create(args) => create::create(args, output).await,
        KeysCommand::Import(args) => create::import(args, output).await,
        KeysCommand::Rotate(args) => rotate::rotate(args, output).await,
        KeysCommand::Disable(args) => state::disable(args, output).await,
        KeysCommand::Enable(args) => state::enable(args, output).await,
        KeysCommand::Revoke(args) => state::revoke(args, output).await,
        KeysCommand::Permit(args) => permit::permit(args, output).await,
        KeysCommand::Expire(args) => limits::expire(args, output).await,
        KeysCommand::Debug(args) => limits::debug(args, output).await,
        KeysCommand::List(args) => list::list(args, output).await,
        KeysCommand::Show(args) => list::show(args, output).await,
        KeysCommand::Usage(args) => usage::usage(args, output).await,
        KeysCommand::Rewrap(args) => rewrap::rewrap(args, output).await,
    }
}

/// Which key.
#[derive(Debug, Args)]
struct KeyName {
    /// The scheme of the key
    #[arg(long, value_enum)]
    scheme: SchemeName,

    /// The key
    #[arg(long, value_name = "ID", value_parser = KeyId::new)]
    key_id: KeyId,
}

impl KeyName {
    const fn scheme(&self) -> &'static str {
        self.scheme.name()
    }

    /// The key, for a sentence.
    fn told(&self) -> String {
        format!("{} key `{}`", self.scheme(), self.key_id)
    }

    /// Why nothing was done to it.
    fn failed(&self, error: &AdminError) -> Failure {
        let source = error.source();
        if let Some(reason) = source.and_then(|source| source.downcast_ref::<SecretRefused>()) {
            return refused::refused(reason);
        }
        let Some(reason) = source.and_then(|source| source.downcast_ref::<ChangeRefused>()) else {
            return Failure::admin(error, &self.told(), "see `countersign keys list`");
        };
        let (code, hint) = match *reason {
            ChangeRefused::ManySecrets { possible_at: Some(moment) } => (
                "many_secrets",
                format!("there is room from {} on, or at once: `--now`", times::format(moment)),
            ),
            ChangeRefused::ManySecrets { .. } => {
                ("many_secrets", "let the older ones stop at once: `--now`".to_owned())
            }
            ChangeRefused::LongDebug => ("long_debug", "a day is the most: `--until 24h`".to_owned()),
            ChangeRefused::LongOverlap => {
                ("long_overlap", "shorten `--overlap`, or add `--force`".to_owned())
            }
            ChangeRefused::Revoked => ("revoked", "make another key: `countersign keys create`".to_owned()),
            _ => ("invalid", "see `countersign keys show`".to_owned()),
        };
        Failure::new(Exit::Failure, code, format!("{} stays as it is", self.told()), hint).because(reason)
    }
}

//! `keys permit`: what a key may do.

use super::{KeyName, list::changed};
use crate::{
    config::{ReasonArgs, StoreArgs},
    failure::Failure,
    output::Output,
    permissions::{ReplaceArgs, told_of_a_part},
    wait::WaitArgs,
};
use clap::Args;

const EXAMPLES: &str = "\
Examples:
  countersign keys permit --scheme ateliere --key-id pk_1 --permission titles:read
  countersign keys permit --scheme ateliere --key-id pk_1 --policy read-only --wait
  countersign keys permit --scheme ateliere --key-id pk_1 --all";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct PermitArgs {
    #[command(flatten)]
    key: KeyName,

    #[command(flatten)]
    permissions: ReplaceArgs,

    #[command(flatten)]
    reason: ReasonArgs,

    #[command(flatten)]
    wait: WaitArgs,

    #[command(flatten)]
    store: StoreArgs,
}

/// Replaces the permissions of a key.
pub async fn permit(args: PermitArgs, output: &Output) -> Result<(), Failure> {
    let permissions = args.permissions.given()?;
    let store = args.store.open_existing_because(&args.reason).await?;
    let key = &args.key;
    let set = store.access().set_key_permissions(key.scheme(), &key.key_id, permissions.as_ref()).await;
    set.map_err(|error| key.failed(&error))?;
    args.wait.settle(&store, output).await?;
    let sentence = format!("{} may do: {}", key.told(), told_of_a_part(permissions.as_ref()));
    changed(&store, key, sentence, output).await
}

//! `clients permit`: what a client may do.

use super::{NameArgs, failed, list};
use crate::{
    config::ReasonArgs,
    failure::Failure,
    output::Output,
    permissions::{ReplaceArgs, told_of_a_part},
    wait::WaitArgs,
};
use clap::Args;

const EXAMPLES: &str = "\
Examples:
  countersign clients permit --client-id 5B0F4C… --permission sites:read
  countersign clients permit --client-id 5B0F4C… --all";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct PermitArgs {
    #[command(flatten)]
    permissions: ReplaceArgs,

    #[command(flatten)]
    reason: ReasonArgs,

    #[command(flatten)]
    wait: WaitArgs,

    #[command(flatten)]
    of: NameArgs,
}

/// Replaces the permissions of a client.
pub async fn permit(args: PermitArgs, output: &Output) -> Result<(), Failure> {
    let permissions = args.permissions.given()?;
    let NameArgs { client_id, store } = &args.of;
    let store = store.open_existing_because(&args.reason).await?;
    let set = store.tokens().set_client_permissions(client_id, permissions.as_ref()).await;
    set.map_err(|error| failed(&error, client_id))?;
    args.wait.settle(&store, output).await?;
    let listed = list::find(&store, client_id).await?;
    output.done(format!("client `{client_id}` may do: {}", told_of_a_part(permissions.as_ref())), &listed)
}

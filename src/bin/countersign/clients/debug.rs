//! `clients debug`: until when the refused requests of a client are explained.

use super::{NameArgs, failed, list};
use crate::{
    config::ReasonArgs,
    failure::{Exit, Failure},
    output::Output,
    times::{self, Moment},
    wait::WaitArgs,
};
use clap::Args;
use countersign::store::ChangeRefused;
use std::error::Error as _;

const EXAMPLES: &str = "\
Examples:
  countersign clients debug --client-id 5B0F4C… --until 2h
  countersign clients debug --client-id 5B0F4C… --until never

While it lasts, servers explain every refused request for a token that names the
client, and every refused token that does: in one line of their log, and for
`countersign explain REQUEST_ID`. The caller learns nothing.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DebugArgs {
    /// Until then: 2h, 2027-01-31T12:00:00Z or Unix seconds, a day at most; `never` ends it
    #[arg(long, value_name = "TIME", value_parser = times::parse_until)]
    until: Moment,

    #[command(flatten)]
    reason: ReasonArgs,

    #[command(flatten)]
    wait: WaitArgs,

    #[command(flatten)]
    of: NameArgs,
}

/// Begins to explain, or ends it.
pub async fn debug(args: DebugArgs, output: &Output) -> Result<(), Failure> {
    let NameArgs { client_id, store } = &args.of;
    let store = store.open_existing_because(&args.reason).await?;
    let set = store.tokens().debug_client(client_id, args.until.0).await;
    set.map_err(|error| {
        let refused = error.source().and_then(|source| source.downcast_ref::<ChangeRefused>());
        match refused {
            Some(reason) => {
                let message = format!("client `{client_id}` stays as it is");
                Failure::new(Exit::Failure, "long_debug", message, "a day is the most: `--until 24h`")
                    .because(reason)
            }
            None => failed(&error, client_id),
        }
    })?;
    let sentence = match args.until.0 {
        Some(moment) => {
            format!("refused requests of client `{client_id}` are explained until {}", times::format(moment))
        }
        None => format!("refused requests of client `{client_id}` are not explained any more"),
    };
    args.wait.settle(&store, output).await?;
    let listed = list::find(&store, client_id).await?;
    output.done(sentence, &listed)
}

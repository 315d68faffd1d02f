//! `keys expire` and `keys debug`: from when to when a key works, and until when its refused requests are explained.

use super::{KeyName, list::changed};
use crate::{
    config::{ReasonArgs, StoreArgs},
    failure::Failure,
    output::Output,
    times::{self, Moment},
    wait::WaitArgs,
};
use clap::Args;
use countersign::store::Limit;

const EXAMPLES: &str = "\
Examples:
  countersign keys expire --scheme ateliere --key-id pk_1 --at 2027-01-31
  countersign keys expire --scheme ateliere --key-id pk_1 --at never
  countersign keys expire --scheme ateliere --key-id pk_1 --not-before 2027-01-31";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ExpireArgs {
    #[command(flatten)]
    key: KeyName,

    /// The key does not work from this moment on: 2027-01-31, 2027-01-31T12:00:00Z, Unix seconds, or `never`
    #[arg(long, value_name = "TIME", value_parser = times::parse_or_never, required_unless_present = "not_before")]
    at: Option<Moment>,

    /// The key does not work before this moment; `never` takes that limit away
    #[arg(long, value_name = "TIME", value_parser = times::parse_or_never, conflicts_with = "at")]
    not_before: Option<Moment>,

    #[command(flatten)]
    reason: ReasonArgs,

    #[command(flatten)]
    wait: WaitArgs,

    #[command(flatten)]
    store: StoreArgs,
}

/// Sets a limit, or takes it away.
pub async fn expire(args: ExpireArgs, output: &Output) -> Result<(), Failure> {
    let limits = [
        args.at.map(|Moment(at)| (Limit::ExpiresAt(at), "ends", at)),
        args.not_before.map(|Moment(at)| (Limit::NotBefore(at), "begins", at)),
    ];
    let Some((limit, verb, moment)) = limits.into_iter().flatten().next() else {
        return Err(Failure::usage("there is no limit to set", "add `--at TIME`"));
    };
    let store = args.store.open_existing().await?;
    let by = args.store.by(&args.reason);
    let set = store.all().set_limit(args.key.scheme(), &args.key.key_id, limit, &by);
    set.await.map_err(|error| args.key.failed(&error))?;
    let sentence = match moment {
        Some(moment) => format!("{} {verb} {}", args.key.told(), times::format(moment)),
        None => format!("nothing says any more when {} {verb}", args.key.told()),
    };
    args.wait.settle(&store, output).await?;
    changed(&store, &args.key, sentence, output).await
}

const DEBUG_EXAMPLES: &str = "\
Examples:
  countersign keys debug --scheme ateliere --key-id pk_1 --until 2h
  countersign keys debug --scheme ateliere --key-id pk_1 --until never

While it lasts, servers explain every refused request of the key: in one line of
their log, and for `countersign explain REQUEST_ID`. The caller learns nothing.";

#[derive(Debug, Args)]
#[command(after_help = DEBUG_EXAMPLES)]
pub struct DebugArgs {
    #[command(flatten)]
    key: KeyName,

    /// Until then: 2h, 2027-01-31T12:00:00Z or Unix seconds, a day at most; `never` ends it
    #[arg(long, value_name = "TIME", value_parser = times::parse_until)]
    until: Moment,

    #[command(flatten)]
    reason: ReasonArgs,

    #[command(flatten)]
    wait: WaitArgs,

    #[command(flatten)]
    store: StoreArgs,
}

/// Begins to explain, or ends it.
pub async fn debug(args: DebugArgs, output: &Output) -> Result<(), Failure> {
    let store = args.store.open_existing().await?;
    let by = args.store.by(&args.reason);
    let set =
        store.all().set_limit(args.key.scheme(), &args.key.key_id, Limit::DebugUntil(args.until.0), &by);
    set.await.map_err(|error| args.key.failed(&error))?;
    let sentence = match args.until.0 {
        Some(moment) => {
            format!("refused requests of {} are explained until {}", args.key.told(), times::format(moment))
        }
        None => format!("refused requests of {} are not explained any more", args.key.told()),
    };
    args.wait.settle(&store, output).await?;
    changed(&store, &args.key, sentence, output).await
}

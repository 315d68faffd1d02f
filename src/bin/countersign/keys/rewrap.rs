//! `keys rewrap`: after a keyring got another active key, every secret is sealed with that one.

use crate::{
    config::{ReasonArgs, Store, StoreArgs},
    failure::{Exit, Failure},
    output::Output,
};
use clap::Args;
use countersign::store::{AdminError, By, KeyringUse};
use serde::Serialize;

const EXAMPLES: &str = "\
Examples:
  countersign keys rewrap --plan
  countersign keys rewrap --reason 'yearly' --forget

Put the new key on the first line of the keyring, for servers and command line
alike, and leave the old one below it. Then rewrap. Whatever interrupts it, the
next run goes on. With `--forget` the database lets go of keys that seal nothing
any more, and their lines can leave the keyring.";

/// Secrets sealed in one transaction.
const BATCH: u32 = 500;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RewrapArgs {
    /// Change nothing; say what each key of the keyring seals
    #[arg(long)]
    plan: bool,

    /// Then let go of the keyring keys that seal nothing any more
    #[arg(long, conflicts_with = "plan")]
    forget: bool,

    #[command(flatten)]
    reason: ReasonArgs,

    #[command(flatten)]
    store: StoreArgs,
}

/// What came of it, as it is printed.
#[derive(Debug, Serialize)]
struct Rewrapped {
    rewrapped: u64,
    pending: i64,
    keyring: Vec<Sealing>,
    forgotten: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Sealing {
    keyring_id: String,
    active: bool,
    secrets: i64,
}

/// Seals again, or says what there is to do.
pub async fn rewrap(args: RewrapArgs, output: &Output) -> Result<(), Failure> {
    let store = args.store.open_existing().await?;
    let by = args.store.by(&args.reason);
    let pending = pending(&keyring_use(&store).await?);
    let (rewrapped, unopened) = if args.plan { (0, 0) } else { reseal(&store, pending, &by, output).await? };
    let mut forgotten = Vec::new();
    if args.forget {
        for unused in keyring_use(&store).await?.into_iter().filter(|key| !key.active && key.secrets == 0) {
            store.all().forget_keyring_key(&unused.id, &by).await.map_err(|error| failed(&error))?;
            forgotten.push(unused.id);
        }
    }
    report(&keyring_use(&store).await?, rewrapped, &forgotten, output)?;
    if unopened == 0 {
        return Ok(());
    }
    let message = format!("{unopened} secrets do not open, and were left as they are");
    Err(Failure::new(Exit::Failure, "unopened", message, "give their keys another secret: `keys rotate`"))
}

/// Seals batch after batch; says how many secrets were sealed again, and how many do not open.
async fn reseal(store: &Store, pending: i64, by: &By, output: &Output) -> Result<(u64, usize), Failure> {
    let (mut rewrapped, mut unopened, mut last) = (0, 0, None);
    loop {
        let done = store.all().reseal(last.as_ref(), BATCH, by).await.map_err(|error| failed(&error))?;
        rewrapped += done.count;
        unopened += done.unopened.len();
        done.unopened.iter().for_each(|error| output.warn(error.to_string()));
        let Some(place) = done.last else { return Ok((rewrapped, unopened)) };
        last = Some(place);
        output.progress(format!("rewrapped {rewrapped} of {pending}"));
    }
}

async fn keyring_use(store: &Store) -> Result<Vec<KeyringUse>, Failure> {
    store.all().keyring_use().await.map_err(|error| failed(&error))
}

fn pending(keyring: &[KeyringUse]) -> i64 {
    keyring.iter().filter(|key| !key.active).map(|key| key.secrets).sum()
}

fn failed(error: &AdminError) -> Failure {
    Failure::admin(error, "the keyring", "run the command again: what is done stays done")
}

fn report(
    keyring: &[KeyringUse],
    rewrapped: u64,
    forgotten: &[String],
    output: &Output,
) -> Result<(), Failure> {
    let told = |key: &KeyringUse| {
        let active = if key.active { " (active)" } else { "" };
        (format!("{}{active}", key.id), format!("seals {} secrets", key.secrets))
    };
    let lines: Vec<_> = keyring.iter().map(told).collect();
    let mut fields: Vec<_> = lines.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    fields.extend(
        forgotten.iter().map(|id| (id.as_str(), "forgotten: its line can leave the keyring".to_owned())),
    );
    let sealing = |key: KeyringUse| Sealing { keyring_id: key.id, active: key.active, secrets: key.secrets };
    let document = Rewrapped {
        rewrapped,
        pending: pending(keyring),
        keyring: keyring.iter().cloned().map(sealing).collect(),
        forgotten: forgotten.to_owned(),
    };
    output.record(&fields, &document)
}

//! `clients rotate`: a client gets another secret, and the older ones work for a while yet.

use super::{NameArgs, failed, refused};
use crate::{
    failure::Failure,
    keys::secret_out::{SecretOutArgs, Told},
    output::Output,
    secret_input::SecretArgs,
    times,
};
use clap::Args;
use countersign::{
    clock::{Clock, SystemClock},
    secret::Secret,
};
use serde::Serialize;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  countersign clients rotate --client-id 5B0F4C… > secret
  countersign clients rotate --client-id 5B0F4C… --now

No more than three secrets work at the same time.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RotateArgs {
    /// How long the older secrets still work, like 24h or 7d
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = times::parse_duration)]
    overlap: Duration,

    /// The older secrets stop at once: one of them has leaked
    #[arg(long, conflicts_with = "overlap")]
    now: bool,

    #[command(flatten)]
    secret: SecretArgs,

    #[command(flatten)]
    secret_out: SecretOutArgs,

    #[command(flatten)]
    client: NameArgs,
}

/// A rotation, as it is printed.
#[derive(Debug, Serialize)]
struct Rotated {
    client_id: String,
    number: i64,
    #[serde(flatten)]
    told: Told,
}

/// Gives a client another secret: a new one, or one that there is already.
pub async fn rotate(args: RotateArgs, output: &Output) -> Result<(), Failure> {
    let given = args.secret.read(output)?;
    let secret = given.clone().unwrap_or_else(|| {
        let mut random = [0; 32];
        SystemClock.fill(&mut random);
        Secret::from_random(random)
    });
    let NameArgs { client_id, store } = &args.client;
    let store = store.open_existing().await?;
    let overlap = if args.now { Duration::ZERO } else { args.overlap };
    let rotating = async {
        let rotated = store.tokens().rotate_client(client_id, &secret, overlap).await;
        rotated.map_err(|error| refused(&error, || failed(&error, client_id)))
    };
    let (number, told) = match given {
        Some(_) => (rotating.await?, Told::default()),
        None => args.secret_out.around(&secret, rotating).await?,
    };
    let rotated = Rotated { client_id: client_id.to_string(), number, told };
    let done = format!("client `{client_id}` has secret {number}");
    rotated.told.print(&rotated, || output.say_plainly(&done), &done, output)
}

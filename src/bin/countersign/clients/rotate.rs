//! `clients rotate`: a client gets another secret, and the older ones work for a while yet.

use super::{NameArgs, failed, migration, refused};
use crate::{
    config::Store,
    failure::Failure,
    keys::secret_out::{SecretOutArgs, Told},
    output::Output,
    secret_input::SecretArgs,
    sql_file::{FolderArgs, Form},
    times,
};
use clap::Args;
use countersign::{
    clock::{Clock, SystemClock},
    credential::{CredentialState, KeyId},
    secret::Secret,
    store::{AdminErrorKind, check_token},
};
use serde::Serialize;
use std::{
    path::PathBuf,
    time::{Duration, SystemTime},
};

const EXAMPLES: &str = "\
Examples:
  countersign clients rotate --client-id 5B0F4C… > secret
  countersign clients rotate --client-id 5B0F4C… --now
  countersign clients rotate --client-id 5B0F4C… --as sql --number 2 > secret

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

    /// Write a migration, and leave the database alone
    #[arg(long = "as", value_enum, value_name = "FORM")]
    form: Option<Form>,

    /// The number of the new secret, instead of the next one in the database
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(2..), requires = "form")]
    number: Option<i64>,

    #[command(flatten)]
    folder: FolderArgs,

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
    #[serde(skip_serializing_if = "Option::is_none")]
    migration: Option<String>,
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
    let rotating = async {
        match args.form {
            Some(Form::Sql) => args.write(&secret).await,
            None => args.store(&secret).await.map(|number| (number, None)),
        }
    };
    let ((number, path), told) = match given {
        Some(_) => (rotating.await?, Told::default()),
        None => args.secret_out.around(&secret, rotating).await?,
    };
    let client_id = &args.client.client_id;
    let done = match &path {
        Some(path) => format!("wrote {}: secret {number} of client `{client_id}`", path.display()),
        None => format!("client `{client_id}` has secret {number}"),
    };
    let migration = path.map(|path| path.display().to_string());
    let rotated = Rotated { client_id: client_id.to_string(), number, migration, told };
    rotated.told.print(&rotated, || output.say_plainly(&done), &done, output)
}

/// When a client that is not revoked has room for another secret.
async fn room(store: &Store, client_id: &KeyId) -> Option<SystemTime> {
    let client = store.tokens().client(client_id).await.ok()?;
    let now = SystemClock.now();
    let ends = client.secrets.iter().filter_map(|secret| secret.retires_at).filter(|end| *end > now);
    ends.min().filter(|_| client.state != CredentialState::Revoked)
}

impl RotateArgs {
    const fn overlap(&self) -> Duration {
        if self.now { Duration::ZERO } else { self.overlap }
    }

    async fn store(&self, secret: &Secret) -> Result<i64, Failure> {
        let NameArgs { client_id, store } = &self.client;
        let store = store.open_existing().await?;
        match store.tokens().rotate_client(client_id, secret, self.overlap()).await {
            Ok(number) => Ok(number),
            Err(error) => {
                let room = room(&store, client_id).await;
                Err(refused(&error, || match (error.kind(), room) {
                    (AdminErrorKind::Invalid, Some(at)) => {
                        let hint =
                            format!("wait until {}, or end the older secrets by `--now`", times::format(at));
                        Failure::admin(&error, &format!("client `{client_id}`"), hint)
                    }
                    _ => failed(&error, client_id),
                }))
            }
        }
    }

    async fn write(&self, secret: &Secret) -> Result<(i64, Option<PathBuf>), Failure> {
        check_token(secret).map_err(|error| super::bad_secret(&error))?;
        let client_id = &self.client.client_id;
        let number = match self.number {
            Some(number) => number,
            None => {
                let store = self.client.store.open_existing().await?;
                let client = store.tokens().client(client_id).await;
                let client = client.map_err(|error| failed(&error, client_id))?;
                client.secrets.iter().map(|secret| secret.number).max().unwrap_or(0) + 1
            }
        };
        let path = migration::write_rotation(&self.folder, client_id, number, secret, self.overlap())?;
        Ok((number, Some(path)))
    }
}

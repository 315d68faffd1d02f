//! `keys rotate`: a key gets another secret, and the older ones work for a while yet.

use super::{
    KeyName,
    migration::{FileArgs, Version},
    refused::refused,
    secret_out::{SecretOutArgs, Told},
};
use crate::{
    config::{ReasonArgs, StoreArgs},
    confirm::ConfirmArgs,
    failure::Failure,
    output::Output,
    secret_input::SecretArgs,
    sql_file::Form,
    times,
    wait::WaitArgs,
};
use clap::Args;
use countersign::{
    clock::{Clock as _, SystemClock},
    secret::Secret,
    store::{Overlap, Rotation, check_secret, fingerprint, secret_hint},
};
use serde::Serialize;
use std::time::{Duration, SystemTime};

const EXAMPLES: &str = "\
Examples:
  countersign keys rotate --scheme ateliere --key-id pk_1 > secret
  countersign keys rotate --scheme corezoid --key-id 13000 --now --reason leaked
  countersign keys rotate --as sql --scheme corezoid --key-id 13000 \\
      --number 2 --secret-file secret

Three secrets of a key work at a time, at most. In a migration the secret is
sealed for its place among the secrets of the key. Without `--number` the
database says which one is next; a migration that it does not have yet is not
counted.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RotateArgs {
    #[command(flatten)]
    key: KeyName,

    /// How long the older secrets still work, like 24h or 7d [default: 24h; SalesCloud: not at all]
    #[arg(long, value_name = "TIME", value_parser = times::parse_duration)]
    overlap: Option<Duration>,

    /// The older secrets stop at once: one of them has leaked
    #[arg(long, conflicts_with = "overlap")]
    now: bool,

    /// Take an overlap of more than 7 days
    #[arg(long, requires = "overlap")]
    force: bool,

    /// Take a secret of fewer than 16 bytes
    #[arg(long)]
    allow_weak: bool,

    /// Write a migration, and leave the database alone
    #[arg(long = "as", value_enum, value_name = "FORM")]
    form: Option<Form>,

    /// The number of the new secret; the first one of a key has number 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(2..), requires = "form")]
    number: Option<i64>,

    #[command(flatten)]
    secret: SecretArgs,

    #[command(flatten)]
    secret_out: SecretOutArgs,

    #[command(flatten)]
    reason: ReasonArgs,

    #[command(flatten)]
    wait: WaitArgs,

    #[command(flatten)]
    confirm: ConfirmArgs,

    #[command(flatten)]
    file: FileArgs,

    #[command(flatten)]
    store: StoreArgs,
}

/// A rotation, as it is printed.
#[derive(Debug, Serialize)]
struct Rotated {
    scheme: &'static str,
    key_id: String,
    number: i64,
    fingerprint: String,
    hint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    older_retire_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    migration: Option<String>,
    #[serde(flatten)]
    told: Told,
}

/// Where the new secret went.
enum Done {
    Stored { number: i64, older_retire_at: SystemTime },
    Written { number: i64, path: String },
}

/// Gives a key another secret, a new one or the one that the provider made: at once, or by a migration.
pub async fn rotate(args: RotateArgs, output: &Output) -> Result<(), Failure> {
    let given = args.secret.read(output)?;
    let secret = given.clone().unwrap_or_else(|| {
        let mut random = [0; 32];
        SystemClock.fill(&mut random);
        Secret::from_random(random)
    });
    let algorithm = args.key.scheme.plain().scheme().algorithm();
    check_secret(algorithm, &secret, args.allow_weak).map_err(|error| refused(&error))?;
    let overlap = args.overlap()?;
    let rotating = async {
        match args.form {
            Some(Form::Sql) => args.write(&secret, overlap).await,
            None => args.store(&secret, overlap, output).await,
        }
    };
    let (done, told) = match given {
        Some(_) => (rotating.await?, Told::default()),
        None => args.secret_out.around(&secret, rotating).await?,
    };
    Rotated::new(&args.key, done, &secret, told).print(output)
}

impl RotateArgs {
    fn overlap(&self) -> Result<Overlap, Failure> {
        let default = self.key.scheme.plain().scheme().overlap();
        match self.overlap.unwrap_or(default) {
            _ if self.now => Ok(Overlap::NONE),
            length if self.force => Ok(Overlap::forced(length)),
            length => Overlap::lasting(length).map_err(|error| self.key.failed(&error.into())),
        }
    }

    async fn store(&self, secret: &Secret, overlap: Overlap, output: &Output) -> Result<Done, Failure> {
        if overlap == Overlap::NONE {
            self.confirm.ask(&format!("stop all older secrets of {} at once?", self.key.told()))?;
        }
        let store = self.store.open_existing().await?;
        let mut rotation = Rotation::new(secret.clone(), overlap);
        rotation.allow_weak = self.allow_weak;
        let KeyName { key_id, .. } = &self.key;
        let by = self.store.by(&self.reason);
        let rotated = store.all().rotate(self.key.scheme(), key_id, &rotation, &by).await;
        let rotated = rotated.map_err(|error| self.key.failed(&error))?;
        self.wait.settle_secret(&store, output).await;
        Ok(Done::Stored { number: rotated.number, older_retire_at: rotated.older_retire_at })
    }

    async fn write(&self, secret: &Secret, overlap: Overlap) -> Result<Done, Failure> {
        let writer = self.file.writer(&self.store)?;
        let number = match self.number {
            Some(number) => number,
            None => self.next_number().await?,
        };
        let version = Version { scheme: self.key.scheme(), key_id: &self.key.key_id, number };
        let path = writer.write_rotation(version, secret, overlap.length())?;
        Ok(Done::Written { number, path: path.display().to_string() })
    }

    async fn next_number(&self) -> Result<i64, Failure> {
        let store = self.store.open_existing().await?;
        let key = store.admin().credential(self.key.scheme(), &self.key.key_id).await.map_err(|error| {
            let hint = "if a migration brings it that is not applied yet: `--number 2`";
            Failure::admin(&error, &self.key.told(), hint)
        })?;
        Ok(key.secrets.iter().map(|secret| secret.number).max().unwrap_or(0) + 1)
    }
}

impl Rotated {
    fn new(key: &KeyName, done: Done, secret: &Secret, told: Told) -> Self {
        let (number, older_retire_at, migration) = match done {
            Done::Stored { number, older_retire_at } => (number, Some(times::format(older_retire_at)), None),
            Done::Written { number, path } => (number, None, Some(path)),
        };
        let (scheme, key_id) = (key.scheme(), key.key_id.to_string());
        let (fingerprint, hint) = (fingerprint(scheme, &key.key_id, secret), secret_hint(secret));
        Self { scheme, key_id, number, fingerprint, hint, older_retire_at, migration, told }
    }

    fn print(&self, output: &Output) -> Result<(), Failure> {
        let Self { scheme, key_id, number, fingerprint, hint, .. } = self;
        let hint = hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
        let secret = format!("secret {number}{hint} of {scheme} key `{key_id}`, fingerprint {fingerprint}");
        let (done, what) = match (&self.migration, &self.older_retire_at) {
            (Some(path), _) => (format!("wrote {path}: {secret}"), format!("{path} is written")),
            (None, end) => {
                let end = end.as_ref().map(|end| format!("; the older ones work until {end}"));
                (format!("stored {secret}{}", end.unwrap_or_default()), format!("secret {number} is stored"))
            }
        };
        self.told.print(self, || output.say_plainly(done), &what, output)
    }
}

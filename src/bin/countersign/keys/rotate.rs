//! `keys rotate`: a key gets another secret, and the older ones work for a while yet.

use super::{
    create::refused,
    migration::{FileArgs, Form, Version},
    secret_out::{SecretOutArgs, Told},
};
use crate::{
    config::StoreArgs, failure::Failure, output::Output, schemes::SchemeName, secret_input::SecretArgs, times,
};
use clap::Args;
use countersign::{
    clock::{Clock as _, SystemClock},
    credential::KeyId,
    secret::Secret,
    store::{check_secret, fingerprint},
};
use serde::Serialize;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  countersign keys rotate --as sql --scheme ateliere --key-id pk_1 > secret
  countersign keys rotate --as sql --scheme corezoid --key-id 13000 --now
  countersign keys rotate --as sql --scheme corezoid --key-id 13000 \\
      --number 2 --secret-file secret

The secret is sealed for its place among the secrets of the key. Without
`--number` the database says which one is next; a migration that it does not
have yet is not counted.";

/// How long the older secrets work, unless somebody says.
const DEFAULT_OVERLAP: Duration = Duration::from_secs(24 * 3600);

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RotateArgs {
    /// How the provider signs
    #[arg(long, value_enum)]
    scheme: SchemeName,

    /// The key
    #[arg(long, value_name = "ID", value_parser = KeyId::new)]
    key_id: KeyId,

    /// Write a migration
    #[arg(long = "as", value_enum, value_name = "FORM")]
    form: Form,

    /// The number of the new secret; the first one of a key has number 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(2..))]
    number: Option<i64>,

    /// How long the older secrets still work, like 24h or 7d [default: 24h; SalesCloud: not at all]
    #[arg(long, value_name = "TIME", value_parser = times::parse_duration)]
    overlap: Option<Duration>,

    /// The older secrets stop at once: one of them has leaked
    #[arg(long, conflicts_with = "overlap")]
    now: bool,

    /// Take a secret of fewer than 16 bytes
    #[arg(long)]
    allow_weak: bool,

    #[command(flatten)]
    secret: SecretArgs,

    #[command(flatten)]
    secret_out: SecretOutArgs,

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
    migration: String,
    #[serde(flatten)]
    told: Told,
}

/// Writes the migration that gives a key another secret: a new one, or the one that the provider made.
pub async fn rotate(args: RotateArgs, output: &Output) -> Result<(), Failure> {
    // The only form so far; that there is one is said, so that another can become the default.
    let Form::Sql = args.form;
    let given = args.secret.read(output)?;
    let secret = given.clone().unwrap_or_else(|| {
        let mut random = [0; 32];
        SystemClock.fill(&mut random);
        Secret::from_random(random)
    });
    let algorithm = args.scheme.plain().scheme().algorithm();
    check_secret(algorithm, &secret, args.allow_weak).map_err(|error| refused(&error))?;
    let writer = args.file.writer(&args.store)?;
    let number = match args.number {
        Some(number) => number,
        None => args.next_number().await?,
    };
    let version = Version { scheme: args.scheme.name(), key_id: &args.key_id, number };
    let written = async { writer.write_rotation(version, &secret, args.overlap()) };
    let (path, told) = match given {
        Some(_) => (written.await?, Told::default()),
        None => args.secret_out.around(&secret, written).await?,
    };
    let rotated = Rotated {
        scheme: args.scheme.name(),
        key_id: args.key_id.to_string(),
        number,
        fingerprint: fingerprint(version.scheme, &args.key_id, &secret),
        migration: path.display().to_string(),
        told,
    };
    rotated.print(output)
}

impl RotateArgs {
    async fn next_number(&self) -> Result<i64, Failure> {
        let store = self.store.open_existing().await?;
        let key = store.admin().credential(self.scheme.name(), &self.key_id).await.map_err(|error| {
            let what = format!("{} key `{}`", self.scheme.name(), self.key_id);
            Failure::admin(&error, &what, "if a migration brings it that is not applied yet: `--number 2`")
        })?;
        Ok(key.secrets.iter().map(|secret| secret.number).max().unwrap_or(0) + 1)
    }

    fn overlap(&self) -> Duration {
        // SalesCloud's own console replaces a secret at once.
        let at_once = self.now || self.scheme == SchemeName::SalesCloud;
        let default = if at_once { Duration::ZERO } else { DEFAULT_OVERLAP };
        self.overlap.unwrap_or(default)
    }
}

impl Rotated {
    fn print(&self, output: &Output) -> Result<(), Failure> {
        let Self { scheme, key_id, number, fingerprint, migration, .. } = self;
        let say = || {
            output.say_plainly(format!(
                "wrote {migration}: secret {number} of {scheme} key `{key_id}`, fingerprint {fingerprint}"
            ));
        };
        self.told.print(self, say, &format!("{migration} is written"), output)
    }
}

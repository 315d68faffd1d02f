//! `tokens signing-keys` and `rotate-signing-key`: the keys that sign access tokens.

use crate::{
    config::{Store, StoreArgs},
    failure::{Exit, Failure},
    output::{Output, Row, or_dash},
    times,
    wait::WaitArgs,
};
use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser as _},
};
use countersign::{
    clock::{Clock, SystemClock},
    credential::{KeyId, TokenAlgorithm, TokenKey},
    jwt::PrivateKey,
    store::{NewSigningKey, SigningKeySummary},
};
use serde::Serialize;
use std::{error::Error, time::Duration};

const EXAMPLES: &str = "\
Examples:
  countersign tokens rotate-signing-key
  countersign tokens rotate-signing-key --algorithm ES256
  countersign tokens rotate-signing-key --lead 5m
  countersign tokens rotate-signing-key --now --wait

The newest key signs. Tokens live for an hour, so the older keys stay until the
last of theirs has ended; after a leak, `--now` ends them and their tokens. Who
verifies tokens by a copy of `/.well-known/jwks.json` may keep it for a minute:
with `--lead` the new key is published some time before it signs.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RotateArgs {
    /// How tokens are signed
    #[arg(
        long,
        default_value = "RS384",
        value_parser = PossibleValuesParser::new(["RS384", "ES256", "EdDSA"])
            .try_map(|name| TokenAlgorithm::parse(&name).ok_or("no algorithm of tokens"))
    )]
    algorithm: TokenAlgorithm,

    /// How long the new key is published before it signs, like 5m; the older ones sign until then
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = times::parse_duration)]
    lead: Duration,

    /// How long the older keys still verify when they have stopped signing, like 2h
    #[arg(long, value_name = "TIME", default_value = "2h", value_parser = times::parse_duration)]
    overlap: Duration,

    /// The older keys, and all tokens signed by them, stop at once: one of them has leaked
    #[arg(long, conflicts_with_all = ["lead", "overlap"])]
    now: bool,

    #[command(flatten)]
    wait: WaitArgs,

    #[command(flatten)]
    store: StoreArgs,
}

/// A signing key, as it is printed.
#[derive(Debug, Serialize)]
struct Listed {
    kid: String,
    algorithm: &'static str,
    state: &'static str,
    not_before: Option<String>,
    retires_at: Option<String>,
    keyring_id: String,
    created_at: String,
}

impl From<SigningKeySummary> for Listed {
    fn from(key: SigningKeySummary) -> Self {
        let now = SystemClock.now();
        Self {
            kid: key.public.kid.to_string(),
            algorithm: key.public.algorithm.as_str(),
            state: match (key.public.is_live(now), key.public.may_sign(now), key.public.retires_at) {
                (false, ..) => "retired",
                (true, true, None) => "active",
                (true, true, Some(_)) => "retiring",
                (true, false, _) => "pending",
            },
            not_before: key.public.not_before.map(times::format),
            retires_at: key.public.retires_at.map(times::format),
            keyring_id: key.keyring_id,
            created_at: times::format(key.created_at),
        }
    }
}

impl Row for Listed {
    const TITLES: &'static [&'static str] =
        &["kid", "algorithm", "state", "signs from", "retires", "sealed by", "created"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.kid.clone(),
            self.algorithm.to_owned(),
            self.state.to_owned(),
            or_dash(self.not_before.as_ref()),
            or_dash(self.retires_at.as_ref()),
            self.keyring_id.clone(),
            self.created_at.clone(),
        ]
    }
}

/// Lists the keys, newest first.
pub async fn list(store: StoreArgs, output: &Output) -> Result<(), Failure> {
    let store = store.open_existing().await?;
    let rows: Vec<_> = all(&store).await?.into_iter().map(Listed::from).collect();
    output.list(&rows, "no signing keys: make one with `countersign tokens rotate-signing-key`")
}

/// Makes a key that signs from now on, or after the lead, and gives the older ones an end.
pub async fn rotate(args: RotateArgs, output: &Output) -> Result<(), Failure> {
    let store = args.store.open_existing().await?;
    let older = all(&store).await?;
    let mut new = make(args.algorithm).await.map_err(|error| {
        Failure::new(Exit::Failure, "no_key", "no key was made", "try again").because(&*error)
    })?;
    let kid = new.public.kid.clone();
    let now = SystemClock.now();
    // Without a key that signs until then there is nothing to wait for.
    let lead = args.lead * u32::from(older.iter().any(|key| key.public.may_sign(now)));
    let begin = now + lead;
    new.public.not_before = (!lead.is_zero()).then_some(begin);
    store.tokens().add_signing_key(&new).await.map_err(|error| {
        Failure::admin(&error, &format!("signing key `{kid}`"), "see `countersign tokens signing-keys`")
    })?;
    let overlap = if args.now { Duration::ZERO } else { args.overlap };
    let end = begin + overlap;
    for key in older.iter().map(|key| &key.public).filter(|key| key.retires_at.is_none_or(|at| at > end)) {
        store.tokens().retire_signing_key(&key.kid, end).await.map_err(|error| {
            Failure::admin(&error, &format!("signing key `{}`", key.kid), "it still verifies: try again")
        })?;
    }
    args.wait.settle(&store, output).await?;
    let listed = all(&store).await?.into_iter().find(|key| key.public.kid == kid).map(Listed::from);
    let from = new.public.not_before.map_or_else(|| "now".to_owned(), times::format);
    output.done(format!("tokens are signed by `{kid}` from {from} on"), &listed)
}

/// RSA takes a moment, which the library spends on a thread of its own.
async fn make(algorithm: TokenAlgorithm) -> Result<NewSigningKey, Box<dyn Error>> {
    let key = PrivateKey::generate(algorithm).await?;
    let public = key.public_key();
    let kid = KeyId::new(&public.thumbprint()?)?;
    Ok(NewSigningKey::new(TokenKey::new(kid, algorithm, public.to_der()?), key.to_pkcs8()?))
}

async fn all(store: &Store) -> Result<Vec<SigningKeySummary>, Failure> {
    let all = store.tokens().signing_keys().await;
    all.map_err(|error| Failure::admin(&error, "signing keys", "try again"))
}

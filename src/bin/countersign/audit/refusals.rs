//! `audit refusals`: a sample of what was refused, under the names that callers know.

use crate::{
    config::StoreArgs,
    failure::Failure,
    output::{Output, Row, or_dash},
    times,
};
use clap::{Args, builder::PossibleValuesParser};
use countersign::{
    Outcome,
    credential::KeyId,
    store::{RefusalQuery, SampledRefusal},
};
use serde::Serialize;
use std::time::SystemTime;

const EXAMPLES: &str = "\
Examples:
  countersign audit refusals
  countersign audit refusals --request-id 4f1c09a2b7d3e856
  countersign audit refusals --outcome bad_signature --key-id pk_1 -o json

Servers write every few seconds, five refusals a minute of each outcome, scheme and
key: `countersign stats --by outcome` has the numbers. A key is named if there is
one. The newest come first. `next` in the document is the `--before` of what follows.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RefusalsArgs {
    /// Only the one of this request: its `x-request-id`
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,

    /// Only those that ended so
    #[arg(long, value_parser = outcomes())]
    outcome: Option<String>,

    /// Only those of this scheme, as the list names it
    #[arg(long)]
    scheme: Option<String>,

    /// Only those of this key, client or read token
    #[arg(long, value_name = "ID", value_parser = KeyId::new)]
    key_id: Option<KeyId>,

    /// Only those from this moment on: 2027-01-31, 2027-01-31T12:00:00Z, or Unix seconds
    #[arg(long, value_name = "TIME", value_parser = times::parse)]
    since: Option<SystemTime>,

    /// Only entries below this number
    #[arg(long, value_name = "NUMBER")]
    before: Option<i64>,

    /// How many, at most
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,

    #[command(flatten)]
    store: StoreArgs,
}

fn outcomes() -> PossibleValuesParser {
    Outcome::ALL
        .iter()
        .filter(|outcome| !outcome.is_ok())
        .map(|outcome| outcome.as_str())
        .collect::<Vec<_>>()
        .into()
}

/// A refusal, as it is printed.
#[derive(Debug, Serialize)]
struct Listed {
    id: i64,
    at: String,
    request_id: String,
    outcome: String,
    scheme: Option<String>,
    key_id: Option<String>,
}

impl From<(i64, SampledRefusal)> for Listed {
    fn from((id, refusal): (i64, SampledRefusal)) -> Self {
        Self {
            id,
            at: times::format(refusal.at),
            request_id: refusal.request_id,
            outcome: refusal.outcome,
            scheme: refusal.scheme,
            key_id: refusal.key_id.map(|key_id| key_id.to_string()),
        }
    }
}

impl Row for Listed {
    const TITLES: &'static [&'static str] = &["at", "request id", "outcome", "scheme", "key id"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.at.clone(),
            self.request_id.clone(),
            self.outcome.clone(),
            or_dash(self.scheme.as_ref()),
            or_dash(self.key_id.as_ref()),
        ]
    }
}

/// Lists refusals.
pub(super) async fn list(args: RefusalsArgs, output: &Output) -> Result<(), Failure> {
    let store = args.store.open_existing().await?;
    let mut query = RefusalQuery::latest(args.limit);
    query.request_id = args.request_id;
    query.outcome = args.outcome;
    query.scheme = args.scheme;
    query.key_id = args.key_id;
    query.since = args.since;
    query.before = args.before;
    let found = store.all().refusals(&query).await;
    let found = found.map_err(|error| Failure::unreachable("the refusals cannot be read").because(&error))?;
    let full = found.len() == args.limit as usize;
    let rows: Vec<_> = found.into_iter().map(Listed::from).collect();
    let next = rows.last().filter(|_| full).map(|last| last.id);
    output.page(&rows, next, "no refusals of this kind in the sample")
}

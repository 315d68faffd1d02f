//! `stats`: which clients call, in which versions, how it goes, and who still uses what.

use crate::{
    config::StoreArgs,
    failure::Failure,
    output::{Output, Row, or_dash},
    times,
};
use clap::{Args, ValueEnum};
use countersign::{
    clock::{Clock as _, SystemClock},
    credential::Organization,
    store::{Caller, Counted, Counts, Usage, UsageOf},
};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

const EXAMPLES: &str = "\
Examples:
  countersign stats
  countersign stats --by client --since 7d
  countersign stats --by outcome -o json
  countersign stats --field Title.synopsis --since 30d

Servers count by the hour and write every few seconds. A client without a name is
\"unidentified\", and so is a version that a client does not tell; \"other\" stands
for clients that are too many to be told apart. Latencies are upper bounds in
milliseconds.";
/// What a client or a version that is not said is called in a table.
const UNIDENTIFIED: &str = "unidentified";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct StatsArgs {
    /// What a row stands for
    #[arg(long, value_enum, default_value_t = By::Version, conflicts_with = "field")]
    by: By,

    /// Who selects this field of a GraphQL API, like Query.me
    #[arg(long, value_name = "TYPE.NAME", value_parser = field)]
    field: Option<String>,

    /// From the hour of this moment on, or so long ago: 24h, 7d
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = since)]
    since: Since,

    /// Only requests that acted for this organization
    #[arg(long, value_parser = Organization::new)]
    organization: Option<Organization>,

    #[command(flatten)]
    store: StoreArgs,
}

/// What a row stands for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum By {
    /// A client, in all its versions
    Client,
    /// A version of a client
    Version,
    /// A key
    Key,
    /// What became of verifications, refused ones included
    Outcome,
    /// A GraphQL operation of a version of a client
    Operation,
    /// A GraphQL field that a version of a client selects
    Field,
}

/// A moment, or how long ago.
#[derive(Clone, Copy, Debug)]
enum Since {
    Ago(Duration),
    Moment(SystemTime),
}

fn since(text: &str) -> Result<Since, String> {
    if text.ends_with(['s', 'm', 'h', 'd']) {
        return times::parse_duration(text).map(Since::Ago);
    }
    times::parse(text).map(Since::Moment).map_err(|help| format!("{help}, or how long ago: 24h, 7d"))
}

fn field(text: &str) -> Result<String, String> {
    match text.split_once('.') {
        Some((parent, name)) if !parent.is_empty() && !name.is_empty() => Ok(text.to_owned()),
        _ => Err("write it with its type, like Query.me".to_owned()),
    }
}

/// What was counted, as it is printed: what does not belong to the row is left out.
#[derive(Debug, Default, Eq, Ord, PartialEq, PartialOrd, Serialize)]
struct Subject {
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheme: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<Option<String>>,
}

#[derive(Debug, Serialize)]
struct Listed {
    #[serde(flatten)]
    subject: Subject,
    requests: u64,
    ok: u64,
    denied: u64,
    errors: u64,
    p50_ms: Option<u64>,
    p95_ms: Option<u64>,
    p99_ms: Option<u64>,
    last_seen: String,
}

impl Row for Listed {
    const TITLES: &'static [&'static str] =
        &["what", "requests", "ok", "denied", "errors", "p50", "p95", "p99", "last seen"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.subject.told(),
            self.requests.to_string(),
            self.ok.to_string(),
            self.denied.to_string(),
            self.errors.to_string(),
            or_dash(self.p50_ms),
            or_dash(self.p95_ms),
            or_dash(self.p99_ms),
            self.last_seen.clone(),
        ]
    }
}

impl Subject {
    /// What a row is about.
    fn of(counted: Counted, by: By) -> Self {
        match counted {
            Counted::Outcome(outcome) => Self { outcome: Some(outcome), ..Self::default() },
            Counted::Client(caller) => Self::client(caller, by),
            Counted::Operation(caller, name) => Self { operation: Some(name), ..Self::client(caller, by) },
            Counted::Field(caller, name) => Self { field: Some(name), ..Self::client(caller, by) },
        }
    }

    fn client(caller: Caller, by: By) -> Self {
        let Caller { organization, scheme, key_id, name, version } = caller;
        let all = Self {
            organization: Some(organization),
            scheme: Some(scheme),
            key_id: Some(key_id),
            client: Some(name),
            version: Some(version),
            ..Self::default()
        };
        match by {
            By::Client => Self { client: all.client, ..Self::default() },
            By::Key => Self { client: None, version: None, ..all },
            By::Version | By::Operation => {
                Self { client: all.client, version: all.version, ..Self::default() }
            }
            By::Field | By::Outcome => all,
        }
    }

    fn told(&self) -> String {
        let or = |text: &Option<String>, word: &str| text.clone().unwrap_or_else(|| word.to_owned());
        let mut words = Vec::new();
        words.extend(self.outcome.clone());
        words.extend(self.field.clone());
        words.extend(self.operation.as_ref().map(|name| or(name, "anonymous")));
        words.extend(self.client.as_ref().map(|name| or(name, UNIDENTIFIED)));
        words.extend(self.version.as_ref().map(|version| or(version, UNIDENTIFIED)));
        words.extend(self.key_id.as_ref().map(|key_id| format!("{}/{key_id}", or(&self.scheme, "-"))));
        words.extend(self.organization.clone().flatten());
        words.join("  ")
    }
}

/// Prints what was counted.
pub async fn run(args: StatsArgs, output: &Output) -> Result<(), Failure> {
    let store = args.store.open_existing().await?;
    let since = match args.since {
        Since::Ago(ago) => SystemClock.now().checked_sub(ago).unwrap_or(UNIX_EPOCH),
        Since::Moment(moment) => moment,
    };
    let (of, by) = match (&args.field, args.by) {
        (Some(field), _) => (UsageOf::Fields(Some(field)), By::Field),
        (None, By::Outcome) => (UsageOf::Outcomes, args.by),
        (None, By::Operation) => (UsageOf::Operations, args.by),
        (None, By::Field) => (UsageOf::Fields(None), By::Version),
        (None, _) => (UsageOf::Clients, args.by),
    };
    let found = store.all().usage(since, of).await;
    let found = found.map_err(|error| Failure::unreachable("the usage cannot be read").because(&error))?;
    let wanted = |usage: &Usage| match (&args.organization, &usage.what) {
        (None, _) => true,
        (Some(_), Counted::Outcome(_)) => false,
        (
            Some(organization),
            Counted::Client(caller) | Counted::Operation(caller, _) | Counted::Field(caller, _),
        ) => caller.organization.as_deref() == Some(organization.as_str()),
    };
    let mut rows = BTreeMap::<Subject, (Counts, SystemTime)>::new();
    for usage in found.into_iter().filter(wanted) {
        let sum = rows.entry(Subject::of(usage.what, by)).or_insert_with(|| (Counts::default(), UNIX_EPOCH));
        sum.0.add(&usage.counts);
        sum.1 = sum.1.max(usage.last_seen);
    }
    let mut rows: Vec<_> = rows.into_iter().map(Listed::from).collect();
    // Who calls most comes first.
    rows.sort_by_key(|row| std::cmp::Reverse(row.requests));
    output.list(&rows, "nothing was counted since then")
}

impl From<(Subject, (Counts, SystemTime))> for Listed {
    fn from((subject, (counts, last_seen)): (Subject, (Counts, SystemTime))) -> Self {
        // Of outcomes, those that are no pass are refusals.
        let refused = subject.outcome.as_ref().is_some_and(|outcome| !outcome.starts_with("ok"));
        Self {
            requests: counts.requests,
            ok: if refused { 0 } else { counts.ok() },
            denied: if refused { counts.requests } else { counts.denied },
            errors: counts.errors,
            p50_ms: counts.percentile(50),
            p95_ms: counts.percentile(95),
            p99_ms: counts.percentile(99),
            last_seen: times::format(last_seen),
            subject,
        }
    }
}

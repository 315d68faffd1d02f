//! `audit`: who changed what, when, and why; and a sample of what was refused.

mod refusals;

use crate::{
    config::StoreArgs,
    failure::Failure,
    output::{Output, Row, or_dash},
    schemes::SchemeName,
    times,
};
use clap::{Args, Subcommand};
use countersign::{
    credential::KeyId,
    store::{AuditEntry, AuditQuery},
};
use serde::Serialize;
use serde_json::{Value, json};
use std::time::SystemTime;

const EXAMPLES: &str = "\
Examples:
  countersign audit list
  countersign audit list --scheme ateliere --key-id pk_1 -o json
  countersign audit list --actor ada --since 2027-01-31

The newest come first. `next` in the document is the `--before` of what follows.";

/// What can be asked about changes, and about refusals.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// List changes, newest first
    List(ListArgs),
    /// List refused requests, newest first: a sample, written by servers
    Refusals(refusals::RefusalsArgs),
}

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ListArgs {
    /// Only changes of keys of this scheme
    #[arg(long, value_enum)]
    scheme: Option<SchemeName>,

    /// Only changes of this key
    #[arg(long, value_name = "ID", value_parser = KeyId::new)]
    key_id: Option<KeyId>,

    /// Only changes that this one made
    #[arg(long = "by", value_name = "NAME", visible_alias = "made-by")]
    made_by: Option<String>,

    /// Only changes from this moment on
    #[arg(long, value_name = "TIME", value_parser = times::parse)]
    since: Option<SystemTime>,

    /// Only entries below this number
    #[arg(long, value_name = "NUMBER")]
    before: Option<i64>,

    /// How many, at most
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,

    #[command(flatten)]
    store: StoreArgs,
}

/// A change, as it is printed.
#[derive(Debug, Serialize)]
struct Listed {
    id: i64,
    at: String,
    actor: String,
    reason: Option<String>,
    subject: String,
    verb: String,
    scheme: Option<String>,
    key_id: Option<String>,
    name: Option<String>,
    before: Option<Value>,
    after: Option<Value>,
}

impl From<AuditEntry> for Listed {
    fn from(entry: AuditEntry) -> Self {
        let values = |text: Option<String>| text.and_then(|text| serde_json::from_str(&text).ok());
        Self {
            id: entry.id,
            at: times::format(entry.at),
            actor: entry.actor,
            reason: entry.reason,
            subject: entry.subject,
            verb: entry.verb,
            scheme: entry.scheme,
            key_id: entry.key_id.map(|key_id| key_id.to_string()),
            name: entry.name,
            before: values(entry.was),
            after: values(entry.became),
        }
    }
}

impl Row for Listed {
    const TITLES: &'static [&'static str] = &["at", "actor", "change", "what", "how", "reason"];

    fn cells(&self) -> Vec<String> {
        let names = [&self.scheme, &self.key_id, &self.name];
        let what: Vec<_> = names.into_iter().flatten().map(String::as_str).collect();
        vec![
            self.at.clone(),
            self.actor.clone(),
            format!("{} {}", self.verb, self.subject),
            what.join(" "),
            self.difference(),
            or_dash(self.reason.as_ref()),
        ]
    }
}

impl Listed {
    /// What is other than before.
    fn difference(&self) -> String {
        let Some(Value::Object(after)) = &self.after else { return "-".to_owned() };
        let before = |name: &str| self.before.as_ref().map(|before| &before[name]);
        let changed = after.iter().filter(|(name, value)| match before(name) {
            Some(before) => before != *value,
            // Of what is new, what is empty says nothing.
            None => !value.is_null() && **value != json!(false) && **value != json!(""),
        });
        let words: Vec<_> = changed.map(|(name, value)| format!("{name} {}", told(name, value))).collect();
        if words.is_empty() { "-".to_owned() } else { words.join(", ") }
    }
}

/// A value for people: text without its quotes, and moments as moments.
fn told(name: &str, value: &Value) -> String {
    let moment = value.as_u64().filter(|_| name.ends_with("_at") || name == "not_before");
    match (moment, value.as_str()) {
        (Some(seconds), _) => times::format_seconds(seconds),
        (_, Some(text)) => text.to_owned(),
        _ => value.to_string(),
    }
}

/// Does what was asked.
pub async fn run(command: AuditCommand, output: &Output) -> Result<(), Failure> {
    match command {
        AuditCommand::List(args) => list(args, output).await,
        AuditCommand::Refusals(args) => refusals::list(args, output).await,
    }
}

async fn list(args: ListArgs, output: &Output) -> Result<(), Failure> {
    let store = args.store.open_existing().await?;
    let mut query = AuditQuery::latest(args.limit);
    query.scheme = args.scheme.map(|scheme| scheme.name().to_owned());
    query.key_id = args.key_id;
    query.actor = args.made_by;
    query.since = args.since;
    query.before = args.before;
    let found = store.all().audit(&query).await;
    let found = found.map_err(|error| Failure::admin(&error, "audit log", "try again"))?;
    let full = found.len() == args.limit as usize;
    let rows: Vec<_> = found.into_iter().map(Listed::from).collect();
    let next = rows.last().filter(|_| full).map(|last| last.id);
    output.page(&rows, next, "no changes of this kind")
}

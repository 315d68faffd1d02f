//! `keys usage`: when each secret was last used, and who still uses an older one.

use crate::{
    config::StoreArgs,
    failure::Failure,
    output::{Output, Row, or_dash},
    schemes::SchemeName,
    times,
};
use clap::Args;
use countersign::{
    clock::{Clock as _, SystemClock},
    credential::{KeyId, Organization},
    store::CredentialSummary,
};
use serde::Serialize;
use std::time::SystemTime;

const EXAMPLES: &str = "\
Examples:
  countersign keys usage --scheme ateliere --key-id pk_1
  countersign keys usage --previous -o json

A server notes a use once a minute, and writes it within the next.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct UsageArgs {
    /// Only keys of this scheme
    #[arg(long, value_enum)]
    scheme: Option<SchemeName>,

    /// Only this key
    #[arg(long, value_name = "ID", value_parser = KeyId::new)]
    key_id: Option<KeyId>,

    /// Only keys of this organization
    #[arg(long, value_parser = Organization::new)]
    organization: Option<Organization>,

    /// Only older secrets that were used since a newer one is there
    #[arg(long)]
    previous: bool,

    #[command(flatten)]
    store: StoreArgs,
}

/// The use of a secret, as it is printed.
#[derive(Debug, Serialize)]
struct Listed {
    scheme: String,
    key_id: String,
    account: String,
    organization: Option<String>,
    number: i64,
    fingerprint: String,
    role: &'static str,
    created_at: String,
    retires_at: Option<String>,
    last_used_at: Option<String>,
}

impl Row for Listed {
    const TITLES: &'static [&'static str] =
        &["scheme", "key id", "account", "secret", "fingerprint", "role", "retires", "last used"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.scheme.clone(),
            self.key_id.clone(),
            self.account.clone(),
            self.number.to_string(),
            self.fingerprint.clone(),
            self.role.to_owned(),
            or_dash(self.retires_at.as_ref()),
            or_dash(self.last_used_at.as_ref()),
        ]
    }
}

/// Lists the secrets.
pub async fn usage(args: UsageArgs, output: &Output) -> Result<(), Failure> {
    let store = args.store.open_existing().await?;
    let all = store.admin().credentials().await;
    let all = all.map_err(|error| Failure::admin(&error, "key", "try again"))?;
    let now = SystemClock.now();
    let asked_for = |key: &CredentialSummary| {
        args.scheme.is_none_or(|scheme| scheme.name() == key.scheme)
            && args.key_id.as_ref().is_none_or(|key_id| *key_id == key.key_id)
            && (args.organization.is_none() || args.organization == key.organization)
    };
    let keys = all.iter().filter(|key| asked_for(key));
    let rows: Vec<_> = keys.flat_map(|key| listed(key, args.previous, now)).collect();
    output.list(&rows, if args.previous { "nobody uses an older secret" } else { "no keys" })
}

fn listed(key: &CredentialSummary, previous: bool, now: SystemTime) -> Vec<Listed> {
    // The newest comes first, so that each knows when the one after it was made.
    let replaced = std::iter::once(None).chain(key.secrets.iter().map(|newer| Some(newer.created_at)));
    let secrets = key.secrets.iter().zip(replaced).filter(|(secret, replaced)| {
        !previous || replaced.is_some_and(|at| secret.last_used_at.is_some_and(|used| used >= at))
    });
    let listed = secrets.map(|(secret, replaced)| Listed {
        scheme: key.scheme.clone(),
        key_id: key.key_id.to_string(),
        account: key.principal.to_string(),
        organization: key.organization.as_ref().map(ToString::to_string),
        number: secret.number,
        fingerprint: secret.fingerprint.clone(),
        role: match secret.retires_at {
            Some(end) if end <= now => "retired",
            _ if replaced.is_some() => "retiring",
            _ => "current",
        },
        created_at: times::format(secret.created_at),
        retires_at: secret.retires_at.map(times::format),
        last_used_at: secret.last_used_at.map(times::format),
    });
    listed.collect()
}

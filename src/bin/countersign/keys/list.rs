//! `keys list` and `keys show`: everything about keys but their secrets.

use super::KeyName;
use crate::{
    config::{Store, StoreArgs},
    failure::Failure,
    output::{Output, Row, or_dash},
    permissions,
    schemes::SchemeName,
    times,
};
use clap::Args;
use countersign::{
    clock::{Clock, SystemClock},
    credential::{CredentialState, Organization},
    store::{CredentialSummary, SecretSummary},
};
use serde::Serialize;
use std::time::SystemTime;

#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only keys of this scheme
    #[arg(long, value_enum)]
    scheme: Option<SchemeName>,

    /// Only keys of this organization
    #[arg(long, value_parser = Organization::new)]
    organization: Option<Organization>,

    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Debug, Args)]
pub struct ShowArgs {
    #[command(flatten)]
    key: KeyName,

    #[command(flatten)]
    store: StoreArgs,
}

/// A key, as it is printed.
#[derive(Debug, Serialize)]
struct Listed {
    scheme: String,
    key_id: String,
    state: &'static str,
    account: String,
    organization: Option<String>,
    public_key: Option<String>,
    permissions: Option<Vec<String>>,
    not_before: Option<String>,
    expires_at: Option<String>,
    debug_until: Option<String>,
    created_at: String,
    last_used_at: Option<String>,
    demo: bool,
    secrets: Vec<ListedSecret>,
}

/// A secret version, as it is printed: by its fingerprint.
#[derive(Debug, Serialize)]
struct ListedSecret {
    number: i64,
    fingerprint: String,
    keyring_id: String,
    created_at: String,
    retires_at: Option<String>,
    last_used_at: Option<String>,
}

impl Listed {
    fn new(key: CredentialSummary, now: SystemTime) -> Self {
        Self {
            state: state(&key, now),
            scheme: key.scheme,
            key_id: key.key_id.to_string(),
            account: key.principal.to_string(),
            organization: key.organization.map(|organization| organization.to_string()),
            public_key: key.public_key,
            permissions: key.permissions.as_ref().map(permissions::words),
            not_before: key.not_before.map(times::format),
            expires_at: key.expires_at.map(times::format),
            debug_until: key.debug_until.filter(|end| *end > now).map(times::format),
            created_at: times::format(key.created_at),
            last_used_at: key.last_used_at.map(times::format),
            demo: key.demo,
            secrets: key.secrets.into_iter().map(ListedSecret::from).collect(),
        }
    }
}

impl From<SecretSummary> for ListedSecret {
    fn from(secret: SecretSummary) -> Self {
        Self {
            number: secret.number,
            fingerprint: secret.fingerprint,
            keyring_id: secret.keyring_id,
            created_at: times::format(secret.created_at),
            retires_at: secret.retires_at.map(times::format),
            last_used_at: secret.last_used_at.map(times::format),
        }
    }
}

/// What an operator said, or else what the calendar says.
fn state(key: &CredentialSummary, now: SystemTime) -> &'static str {
    match key.state {
        CredentialState::Active if key.expires_at.is_some_and(|end| end <= now) => "expired",
        CredentialState::Active if key.not_before.is_some_and(|start| start > now) => "pending",
        state => state.as_str(),
    }
}

impl Row for Listed {
    const TITLES: &'static [&'static str] =
        &["scheme", "key id", "state", "account", "organization", "fingerprint", "expires", "permissions"];

    fn cells(&self) -> Vec<String> {
        let secret = self.secrets.first().map(|secret| &secret.fingerprint);
        let organization = or_dash(self.organization.as_ref());
        let (fingerprint, expires) = (or_dash(secret), or_dash(self.expires_at.as_ref()));
        let state = if self.demo { format!("{} (demo)", self.state) } else { self.state.to_owned() };
        vec![
            self.scheme.clone(),
            self.key_id.clone(),
            state,
            self.account.clone(),
            organization,
            fingerprint,
            expires,
            permissions::of_a_part(self.permissions.as_deref()),
        ]
    }
}

/// Lists the keys.
pub async fn list(args: ListArgs, output: &Output) -> Result<(), Failure> {
    let store = args.store.open_existing().await?;
    let all = store.admin().credentials().await;
    let all = all.map_err(|error| Failure::admin(&error, "key", "try again"))?;
    let now = SystemClock.now();
    let asked_for = |key: &CredentialSummary| {
        args.scheme.is_none_or(|scheme| scheme.name() == key.scheme)
            && (args.organization.is_none() || args.organization == key.organization)
    };
    let rows: Vec<_> = all.into_iter().filter(asked_for).map(|key| Listed::new(key, now)).collect();
    output.list(&rows, "no keys: make one with `countersign keys create`, or import one")
}

/// Shows one key.
pub async fn show(args: ShowArgs, output: &Output) -> Result<(), Failure> {
    let store = args.store.open_existing().await?;
    let found = store.admin().credential(args.key.scheme(), &args.key.key_id).await;
    let key = Listed::new(found.map_err(|error| args.key.failed(&error))?, SystemClock.now());
    output.record(&fields(&key), &key)
}

/// Ends a command that changed a key: a sentence for people, what the key is now for programs.
pub async fn changed(
    store: &Store,
    key: &KeyName,
    sentence: impl AsRef<str>,
    output: &Output,
) -> Result<(), Failure> {
    let found = store.admin().credential(key.scheme(), &key.key_id).await;
    output.done(sentence, &Listed::new(found.map_err(|error| key.failed(&error))?, SystemClock.now()))
}

fn fields(key: &Listed) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("scheme", key.scheme.clone()),
        ("key id", key.key_id.clone()),
        ("state", key.state.to_owned()),
        ("account", key.account.clone()),
        ("organization", or_dash(key.organization.as_ref())),
        ("public key", or_dash(key.public_key.as_ref())),
        ("permissions", permissions::of_a_part(key.permissions.as_deref())),
        ("not before", or_dash(key.not_before.as_ref())),
        ("expires at", or_dash(key.expires_at.as_ref())),
        ("debug until", or_dash(key.debug_until.as_ref())),
        ("created at", key.created_at.clone()),
        ("last used", or_dash(key.last_used_at.as_ref())),
        ("demo", if key.demo { "yes" } else { "no" }.to_owned()),
    ];
    for secret in &key.secrets {
        let ListedSecret { number, fingerprint, keyring_id, created_at, retires_at, .. } = secret;
        let end = retires_at.as_ref().map(|end| format!(", retires {end}")).unwrap_or_default();
        let text =
            format!("{number}: fingerprint {fingerprint}, sealed by {keyring_id}, created {created_at}{end}");
        fields.push(("secret", text));
    }
    fields
}

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
    credential::{CredentialState, KeyId, Organization},
    store::{CredentialSummary, SecretHint, SecretSummary},
};
use serde::Serialize;
use std::{collections::HashMap, time::SystemTime};

/// What stands in the place of a secret's ends if it does not open.
const DAMAGED: &str = "does not open";

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

/// A secret version, as it is printed: by its fingerprint, and two ends if it is long enough.
#[derive(Debug, Serialize)]
struct ListedSecret {
    number: i64,
    fingerprint: String,
    hint: Option<String>,
    keyring_id: String,
    created_at: String,
    retires_at: Option<String>,
    last_used_at: Option<String>,
}

/// What is shown of secrets, by scheme, key id and number.
struct Hints(HashMap<(String, String, i64), String>);

impl Hints {
    async fn of(store: &Store, key: Option<(&str, &KeyId)>) -> Result<Self, Failure> {
        let found = store.all().secret_hints(key).await;
        let found = found.map_err(|error| Failure::admin(&error, "secret", "try again"))?;
        let shown = |found: SecretHint| {
            let hint = found.hint.unwrap_or_else(|_| Some(DAMAGED.to_owned()))?;
            Some(((found.scheme, found.key_id, found.number), hint))
        };
        Ok(Self(found.into_iter().filter_map(shown).collect()))
    }

    fn take(&mut self, key: &CredentialSummary, number: i64) -> Option<String> {
        self.0.remove(&(key.scheme.clone(), key.key_id.to_string(), number))
    }
}

impl Listed {
    fn new(mut key: CredentialSummary, hints: &mut Hints, now: SystemTime) -> Self {
        let secrets = std::mem::take(&mut key.secrets).into_iter();
        let secrets = secrets.map(|secret| {
            let hint = hints.take(&key, secret.number);
            ListedSecret::new(secret, hint)
        });
        let secrets = secrets.collect();
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
            secrets,
        }
    }
}

impl ListedSecret {
    fn new(secret: SecretSummary, hint: Option<String>) -> Self {
        Self {
            number: secret.number,
            fingerprint: secret.fingerprint,
            hint,
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
    const TITLES: &'static [&'static str] = &[
        "scheme",
        "key id",
        "state",
        "account",
        "organization",
        "fingerprint",
        "secret",
        "expires",
        "permissions",
    ];

    fn cells(&self) -> Vec<String> {
        let newest = self.secrets.first();
        let (fingerprint, hint) =
            (newest.map(|secret| &secret.fingerprint), newest.and_then(|secret| secret.hint.as_ref()));
        let state = if self.demo { format!("{} (demo)", self.state) } else { self.state.to_owned() };
        vec![
            self.scheme.clone(),
            self.key_id.clone(),
            state,
            self.account.clone(),
            or_dash(self.organization.as_ref()),
            or_dash(fingerprint),
            or_dash(hint),
            or_dash(self.expires_at.as_ref()),
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
    let mut hints = Hints::of(&store, None).await?;
    let rows: Vec<_> =
        all.into_iter().filter(asked_for).map(|key| Listed::new(key, &mut hints, now)).collect();
    output.list(&rows, "no keys: make one with `countersign keys create`, or import one")
}

/// Shows one key.
pub async fn show(args: ShowArgs, output: &Output) -> Result<(), Failure> {
    let store = args.store.open_existing().await?;
    let key = find(&store, &args.key).await?;
    output.record(&fields(&key), &key)
}

/// Ends a command that changed a key: a sentence for people, what the key is now for programs.
pub async fn changed(
    store: &Store,
    key: &KeyName,
    sentence: impl AsRef<str>,
    output: &Output,
) -> Result<(), Failure> {
    output.done(sentence, &find(store, key).await?)
}

async fn find(store: &Store, key: &KeyName) -> Result<Listed, Failure> {
    let found = store.admin().credential(key.scheme(), &key.key_id).await;
    let found = found.map_err(|error| key.failed(&error))?;
    let mut hints = Hints::of(store, Some((key.scheme(), &key.key_id))).await?;
    Ok(Listed::new(found, &mut hints, SystemClock.now()))
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
        let ListedSecret { number, fingerprint, hint, keyring_id, created_at, retires_at, .. } = secret;
        let end = retires_at.as_ref().map(|end| format!(", retires {end}")).unwrap_or_default();
        let hint = hint.as_ref().map(|hint| format!("{hint}, ")).unwrap_or_default();
        let text = format!(
            "{number}: {hint}fingerprint {fingerprint}, sealed by {keyring_id}, created {created_at}{end}"
        );
        fields.push(("secret", text));
    }
    fields
}

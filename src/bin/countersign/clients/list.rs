//! `clients list` and `clients show`: everything about clients but their secrets.

use super::{NameArgs, failed};
use crate::{
    config::{Store, StoreArgs},
    failure::Failure,
    output::{Output, Row, or_dash},
    permissions, times,
};
use countersign::{
    clock::{Clock, SystemClock},
    credential::{CredentialState, KeyId},
    store::{ClientSummary, SecretSummary},
};
use serde::Serialize;

/// A client, as it is printed.
#[derive(Debug, Serialize)]
pub struct Listed {
    client_id: String,
    state: &'static str,
    account: String,
    organization: Option<String>,
    permissions: Option<Vec<String>>,
    expires_at: Option<String>,
    debug_until: Option<String>,
    comment: Option<String>,
    created_at: String,
    demo: bool,
    secrets: Vec<ListedSecret>,
}

/// A secret, as it is printed: by the first eight digits of its SHA-256.
#[derive(Debug, Serialize)]
struct ListedSecret {
    number: i64,
    fingerprint: String,
    created_at: String,
    retires_at: Option<String>,
}

impl From<ClientSummary> for Listed {
    fn from(client: ClientSummary) -> Self {
        let now = SystemClock.now();
        let expired = client.expires_at.is_some_and(|end| end <= now);
        Self {
            client_id: client.client_id.to_string(),
            state: match client.state {
                CredentialState::Active if expired => "expired",
                state => state.as_str(),
            },
            account: client.principal.to_string(),
            organization: client.organization.map(|organization| organization.to_string()),
            permissions: client.permissions.as_ref().map(permissions::words),
            expires_at: client.expires_at.map(times::format),
            debug_until: client.debug_until.filter(|end| *end > now).map(times::format),
            comment: client.comment,
            created_at: times::format(client.created_at),
            demo: client.demo,
            secrets: client.secrets.into_iter().map(ListedSecret::from).collect(),
        }
    }
}

impl From<SecretSummary> for ListedSecret {
    fn from(secret: SecretSummary) -> Self {
        Self {
            number: secret.number,
            fingerprint: secret.fingerprint,
            created_at: times::format(secret.created_at),
            retires_at: secret.retires_at.map(times::format),
        }
    }
}

impl Row for Listed {
    const TITLES: &'static [&'static str] =
        &["client id", "state", "account", "organization", "expires", "permissions", "comment"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.client_id.clone(),
            if self.demo { format!("{} (demo)", self.state) } else { self.state.to_owned() },
            self.account.clone(),
            or_dash(self.organization.as_ref()),
            or_dash(self.expires_at.as_ref()),
            permissions::of_a_part(self.permissions.as_deref()),
            or_dash(self.comment.as_ref()),
        ]
    }
}

/// Lists the clients.
pub async fn list(store: StoreArgs, output: &Output) -> Result<(), Failure> {
    let store = store.open_existing().await?;
    let all = store.tokens().clients().await;
    let all = all.map_err(|error| Failure::admin(&error, "client", "try again"))?;
    let rows: Vec<_> = all.into_iter().map(Listed::from).collect();
    output.list(&rows, "no clients: make one with `countersign clients create`, or import one")
}

/// Shows one client.
pub async fn show(args: NameArgs, output: &Output) -> Result<(), Failure> {
    let store = args.store.open_existing().await?;
    let client = find(&store, &args.client_id).await?;
    output.record(&fields(&client), &client)
}

/// One client, as it is printed.
pub async fn find(store: &Store, client_id: &KeyId) -> Result<Listed, Failure> {
    let found = store.tokens().client(client_id).await;
    found.map(Listed::from).map_err(|error| failed(&error, client_id))
}

fn fields(client: &Listed) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("client id", client.client_id.clone()),
        ("state", client.state.to_owned()),
        ("account", client.account.clone()),
        ("organization", or_dash(client.organization.as_ref())),
        ("permissions", permissions::of_a_part(client.permissions.as_deref())),
        ("expires at", or_dash(client.expires_at.as_ref())),
        ("debug until", or_dash(client.debug_until.as_ref())),
        ("comment", or_dash(client.comment.as_ref())),
        ("created at", client.created_at.clone()),
        ("demo", if client.demo { "yes" } else { "no" }.to_owned()),
    ];
    for ListedSecret { number, fingerprint, created_at, retires_at } in &client.secrets {
        let end = retires_at.as_ref().map(|end| format!(", retires {end}")).unwrap_or_default();
        fields.push(("secret", format!("{number}: sha-256 {fingerprint}…, created {created_at}{end}")));
    }
    fields
}

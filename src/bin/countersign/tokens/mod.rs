//! `tokens`: read tokens, and a look into a JWT.

mod inspect;

use crate::{
    clients::refused,
    config::StoreArgs,
    confirm::ConfirmArgs,
    failure::{Exit, Failure},
    keys::secret_out::{SecretOutArgs, Told},
    output::{Output, Row, or_dash},
    permissions::{self, PermissionArgs},
    secret_input::SecretArgs,
    times,
    wait::WaitArgs,
};
use clap::{Args, Subcommand};
use countersign::{
    clock::{Clock, SystemClock},
    credential::{CredentialState, KeyId, Organization, Principal},
    secret::Secret,
    store::{AdminError, AdminErrorKind, NewReadToken, ReadTokenSummary, hint},
};
use serde::Serialize;
use serde_json::json;
use std::time::SystemTime;

const CREATE_EXAMPLES: &str = "\
Examples:
  countersign tokens create --account reports --organization acme
  countersign tokens create --account reports --organization acme --id monthly \\
      --expires-at 2027-01-31 --secret-out token
  countersign tokens create --account reports --organization acme --secret-file token

The token is sent as `Authorization: ReadAccessToken TOKEN`. It can read, within
its permissions, and change nothing.";

/// What can be done to tokens.
#[derive(Debug, Subcommand)]
pub enum TokensCommand {
    /// Make a read token, and print it once; or take one over
    #[command(after_help = CREATE_EXAMPLES)]
    Create(Box<CreateArgs>),
    /// List the read tokens
    #[command(after_help = "Example:\n  countersign tokens list -o json")]
    List(StoreArgs),
    /// Withdraw a read token for ever
    #[command(after_help = "Example:\n  countersign tokens revoke --id monthly --yes")]
    Revoke(RevokeArgs),
    /// Show what a JWT says; nothing of it is verified
    Inspect(inspect::InspectArgs),
}

#[derive(Debug, Args)]
pub struct CreateArgs {
    /// The name by which the token is listed and revoked, instead of a new one
    #[arg(long, value_name = "NAME", value_parser = KeyId::new)]
    id: Option<KeyId>,

    /// The account that owns the token
    #[arg(long, value_parser = Principal::new)]
    account: Principal,

    /// The one organization in which it reads
    #[arg(long, value_parser = Organization::new)]
    organization: Organization,

    #[command(flatten)]
    permissions: PermissionArgs,

    /// It does not work from this moment on: 2027-01-31, 2027-01-31T12:00:00Z or Unix seconds
    #[arg(long, value_name = "TIME", value_parser = times::parse)]
    expires_at: Option<SystemTime>,

    /// What it is for, for people
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,

    #[command(flatten)]
    secret: SecretArgs,

    #[command(flatten)]
    secret_out: SecretOutArgs,

    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Debug, Args)]
pub struct RevokeArgs {
    /// The read token
    #[arg(long, value_name = "NAME", value_parser = KeyId::new)]
    id: KeyId,

    #[command(flatten)]
    wait: WaitArgs,

    #[command(flatten)]
    confirm: ConfirmArgs,

    #[command(flatten)]
    store: StoreArgs,
}

/// A read token, as it is printed.
#[derive(Debug, Serialize)]
struct Listed {
    id: String,
    hint: String,
    state: &'static str,
    account: String,
    organization: String,
    permissions: Option<Vec<String>>,
    expires_at: Option<String>,
    comment: Option<String>,
    created_at: String,
    demo: bool,
}

impl From<ReadTokenSummary> for Listed {
    fn from(token: ReadTokenSummary) -> Self {
        let expired = token.expires_at.is_some_and(|end| end <= SystemClock.now());
        Self {
            id: token.id.to_string(),
            hint: token.hint,
            state: match token.state {
                CredentialState::Active if expired => "expired",
                state => state.as_str(),
            },
            account: token.principal.to_string(),
            organization: token.organization.to_string(),
            permissions: token.permissions.as_ref().map(permissions::words),
            expires_at: token.expires_at.map(times::format),
            comment: token.comment,
            created_at: times::format(token.created_at),
            demo: token.demo,
        }
    }
}

impl Row for Listed {
    const TITLES: &'static [&'static str] =
        &["id", "token", "state", "account", "organization", "expires", "permissions", "comment"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.hint.clone(),
            if self.demo { format!("{} (demo)", self.state) } else { self.state.to_owned() },
            self.account.clone(),
            self.organization.clone(),
            or_dash(self.expires_at.as_ref()),
            permissions::of_a_part(self.permissions.as_deref()),
            or_dash(self.comment.as_ref()),
        ]
    }
}

/// A read token that was made, as it is printed.
#[derive(Debug, Serialize)]
struct Created {
    id: String,
    hint: String,
    account: String,
    organization: String,
    permissions: Option<Vec<String>>,
    expires_at: Option<String>,
    comment: Option<String>,
    #[serde(flatten)]
    told: Told,
}

/// Does what was asked.
pub async fn run(command: TokensCommand, output: &Output) -> Result<(), Failure> {
    match command {
        TokensCommand::Create(args) => create(*args, output).await,
        TokensCommand::List(store) => list(store, output).await,
        TokensCommand::Revoke(args) => revoke(args, output).await,
        TokensCommand::Inspect(args) => inspect::inspect(&args, output),
    }
}

async fn create(args: CreateArgs, output: &Output) -> Result<(), Failure> {
    let given = args.secret.read(output)?;
    let mut random = [0; 36];
    SystemClock.fill(&mut random);
    let (name, token) = random.split_at(4);
    let made = || Secret::new(format!("rat_{}", hex::encode(token)));
    let secret = given.clone().map_or_else(made, Ok);
    let secret = secret.map_err(|error| Failure::usage("no token", "").because(&error))?;
    let id = args.id.map_or_else(|| KeyId::new(&format!("rt_{}", hex::encode(name))), Ok);
    let id = id.map_err(|error| Failure::usage("no name", "").because(&error))?;
    let mut new = NewReadToken::new(id, args.account, args.organization, secret);
    new.permissions = args.permissions.given()?;
    new.expires_at = args.expires_at;
    new.comment = args.comment;
    new.check().map_err(|error| stored(&error, &new))?;
    let store = args.store.open_or_create(output).await?;
    let making = async { store.tokens().create_read_token(&new).await.map_err(|error| stored(&error, &new)) };
    let told = match given {
        Some(_) => making.await.map(|()| Told::default())?,
        None => args.secret_out.around(&new.secret, making).await?.1,
    };
    let created = Created {
        id: new.id.to_string(),
        hint: hint(&new.secret),
        account: new.principal.to_string(),
        organization: new.organization.to_string(),
        permissions: new.permissions.as_ref().map(permissions::words),
        expires_at: new.expires_at.map(times::format),
        comment: new.comment,
        told,
    };
    let done = format!("read token `{}` ({}) is stored", created.id, created.hint);
    created.told.print(&created, || output.say_plainly(&done), &done, output)
}

fn stored(error: &AdminError, new: &NewReadToken) -> Failure {
    refused(error, || match error.kind() {
        AdminErrorKind::NotFound => {
            let what = format!("account `{}` or organization `{}`", new.principal, new.organization);
            let hint = "create it first: `countersign accounts create`, `countersign orgs create`";
            Failure::admin(error, &what, hint)
        }
        _ => {
            let what = format!("read token `{}`, or its token under another name,", new.id);
            Failure::admin(
                error,
                &what,
                "a name and a token are given out once: see `countersign tokens list`",
            )
        }
    })
}

async fn list(store: StoreArgs, output: &Output) -> Result<(), Failure> {
    let store = store.open_existing().await?;
    let all = store.tokens().read_tokens().await;
    let all = all.map_err(|error| Failure::admin(&error, "read token", "try again"))?;
    let rows: Vec<_> = all.into_iter().map(Listed::from).collect();
    output.list(&rows, "no read tokens: make one with `countersign tokens create`")
}

async fn revoke(args: RevokeArgs, output: &Output) -> Result<(), Failure> {
    let what = format!("read token `{}`", args.id);
    args.confirm.ask(&format!("revoke {what} for ever?"))?;
    let store = args.store.open_existing().await?;
    let revoked = store.tokens().revoke_read_token(&args.id).await;
    revoked.map_err(|error| Failure::admin(&error, &what, "see `countersign tokens list`"))?;
    args.wait.settle(&store, output).await?;
    let document = json!({ "id": args.id.as_str(), "state": "revoked" });
    output.done(format!("revoked {what}"), &document)
}

/// Something that is no JWT.
fn no_token(reason: &str) -> Failure {
    let hint = "give the token alone, or behind `Bearer`, as a file or on stdin";
    Failure::new(Exit::Failure, "bad_token", format!("this is no JWT: {reason}"), hint)
}

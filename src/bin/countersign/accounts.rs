//! `accounts`: the accounts that own keys, for whom verified requests act.

use crate::{
    config::StoreArgs,
    failure::Failure,
    output::{Output, Row, or_dash},
};
use clap::{Args, Subcommand};
use countersign::{
    credential::{Organization, Principal},
    store::Account,
};
use serde::Serialize;

/// What can be done to accounts.
#[derive(Debug, Subcommand)]
pub enum AccountsCommand {
    /// Create an account
    #[command(after_help = "Example:\n  countersign accounts create billing --organization acme")]
    Create(CreateArgs),
    /// List the accounts
    #[command(after_help = "Example:\n  countersign accounts list -o json")]
    List(StoreArgs),
}

#[derive(Debug, Args)]
pub struct CreateArgs {
    /// The name of the account
    #[arg(value_parser = Principal::new)]
    account: Principal,

    /// The organization that it belongs to
    #[arg(long, value_parser = Organization::new)]
    organization: Option<Organization>,

    #[command(flatten)]
    store: StoreArgs,
}

/// An account, as it is printed.
#[derive(Debug, Serialize)]
struct Listed {
    account: String,
    organization: Option<String>,
    state: &'static str,
}

impl From<Account> for Listed {
    fn from(account: Account) -> Self {
        Self {
            account: account.account.to_string(),
            organization: account.organization.map(|organization| organization.to_string()),
            state: if account.disabled { "disabled" } else { "active" },
        }
    }
}

impl Row for Listed {
    const TITLES: &'static [&'static str] = &["account", "state", "organization"];

    fn cells(&self) -> Vec<String> {
        vec![self.account.clone(), self.state.to_owned(), or_dash(self.organization.as_ref())]
    }
}

/// Does what was asked.
pub async fn run(command: AccountsCommand, output: &Output) -> Result<(), Failure> {
    match command {
        AccountsCommand::Create(args) => create(args, output).await,
        AccountsCommand::List(store) => list(store, output).await,
    }
}

async fn create(args: CreateArgs, output: &Output) -> Result<(), Failure> {
    let store = args.store.open_or_create(output).await?;
    let created = store.admin().create_account(&args.account, args.organization.as_ref()).await;
    created.map_err(|error| match &args.organization {
        Some(organization) if error.kind() == countersign::store::AdminErrorKind::NotFound => {
            let hint = format!("create it first: `countersign orgs create {organization}`");
            Failure::admin(&error, &format!("organization `{organization}`"), hint)
        }
        _ => {
            Failure::admin(&error, &format!("account `{}`", args.account), "see `countersign accounts list`")
        }
    })?;
    let listed = Listed {
        account: args.account.to_string(),
        organization: args.organization.map(|organization| organization.to_string()),
        state: "active",
    };
    output.done(format!("created account `{}`", args.account), &listed)
}

async fn list(store: StoreArgs, output: &Output) -> Result<(), Failure> {
    let store = store.open_existing().await?;
    let all = store.admin().accounts().await;
    let all = all.map_err(|error| Failure::admin(&error, "account", "try again"))?;
    let rows: Vec<_> = all.into_iter().map(Listed::from).collect();
    output.list(&rows, "no accounts yet: create one with `countersign accounts create`")
}

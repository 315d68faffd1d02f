//! `accounts`: the accounts that own keys, for whom verified requests act, and what they may do.

use crate::{
    config::{Store, StoreArgs},
    failure::Failure,
    output::{Output, Row, or_dash},
    permissions::{self, PermissionArgs},
    wait::WaitArgs,
};
use clap::{Args, Subcommand, builder::PossibleValuesParser};
use countersign::{
    credential::{Organization, Permissions, Principal},
    store::{Account, AdminError, AdminErrorKind, Switch},
};
use serde::Serialize;

const GRANT_EXAMPLES: &str = "\
Examples:
  countersign accounts grant billing 'invoices:*' sites:read
  countersign accounts grant billing --policy read-only --only

A word that was denied is denied no longer. `*` alone is everything, and in
place of the first or last part of a word anything: `sites:*`, `*:read`.";

const DENY_EXAMPLES: &str = "\
Example:
  countersign accounts deny billing invoices:delete

What is denied is not allowed, whatever else is granted.";

/// What can be done to accounts.
#[derive(Debug, Subcommand)]
pub enum AccountsCommand {
    /// Create an account
    #[command(
        after_help = "Examples:\n  countersign accounts create billing --organization acme\n  countersign accounts create robot --policy service-account"
    )]
    Create(CreateArgs),
    /// List the accounts
    #[command(after_help = "Example:\n  countersign accounts list -o json")]
    List(StoreArgs),
    /// Show an account
    #[command(after_help = "Example:\n  countersign accounts show billing")]
    Show(NameArgs),
    /// Allow an account more
    #[command(after_help = GRANT_EXAMPLES)]
    Grant(GrantArgs),
    /// Forbid an account something
    #[command(after_help = DENY_EXAMPLES)]
    Deny(DenyArgs),
    /// Switch an account off, and with it all that it owns
    #[command(after_help = "Example:\n  countersign accounts disable billing")]
    Disable(SwitchArgs),
    /// Switch an account on again
    #[command(after_help = "Example:\n  countersign accounts enable billing")]
    Enable(SwitchArgs),
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
    permissions: PermissionArgs,

    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Debug, Args)]
pub struct NameArgs {
    /// The account
    #[arg(value_parser = Principal::new)]
    account: Principal,

    #[command(flatten)]
    store: StoreArgs,
}

/// An account that is switched off or on.
#[derive(Debug, Args)]
pub struct SwitchArgs {
    #[command(flatten)]
    of: NameArgs,

    #[command(flatten)]
    wait: WaitArgs,
}

#[derive(Debug, Args)]
pub struct GrantArgs {
    #[command(flatten)]
    of: NameArgs,

    /// What it may do
    #[arg(value_name = "WORD", value_parser = Permissions::parse, required_unless_present = "policy")]
    words: Vec<Permissions>,

    /// The permissions of a named policy: the words are stored, not the name
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(Permissions::policies()))]
    policy: Option<String>,

    /// Nothing else: what was granted or denied before is forgotten
    #[arg(long)]
    only: bool,
}

#[derive(Debug, Args)]
pub struct DenyArgs {
    #[command(flatten)]
    of: NameArgs,

    /// What it may not do
    #[arg(value_name = "WORD", value_parser = Permissions::parse, required = true)]
    words: Vec<Permissions>,
}

/// An account, as it is printed.
#[derive(Debug, Serialize)]
struct Listed {
    account: String,
    organization: Option<String>,
    state: &'static str,
    permissions: Vec<String>,
}

impl From<Account> for Listed {
    fn from(account: Account) -> Self {
        Self {
            account: account.account.to_string(),
            organization: account.organization.map(|organization| organization.to_string()),
            state: if account.disabled { "disabled" } else { "active" },
            permissions: permissions::words(&account.permissions),
        }
    }
}

impl Listed {
    fn rights(&self) -> String {
        if self.permissions.is_empty() { "nothing".to_owned() } else { self.permissions.join(" ") }
    }
}

impl Row for Listed {
    const TITLES: &'static [&'static str] = &["account", "state", "organization", "permissions"];

    fn cells(&self) -> Vec<String> {
        let organization = or_dash(self.organization.as_ref());
        vec![self.account.clone(), self.state.to_owned(), organization, self.rights()]
    }
}

/// Does what was asked.
pub async fn run(command: AccountsCommand, output: &Output) -> Result<(), Failure> {
    match command {
        AccountsCommand::Create(args) => create(args, output).await,
        AccountsCommand::List(store) => list(store, output).await,
        AccountsCommand::Show(args) => show(args, output).await,
        AccountsCommand::Grant(args) => grant(args, output).await,
        AccountsCommand::Deny(args) => {
            let words = permissions::together(&args.words)?.denied();
            add(&args.of, &words, output).await
        }
        AccountsCommand::Disable(args) => switch(args, Switch::Off, output).await,
        AccountsCommand::Enable(args) => switch(args, Switch::On, output).await,
    }
}

async fn create(args: CreateArgs, output: &Output) -> Result<(), Failure> {
    let permissions = args.permissions.given()?.unwrap_or_else(Permissions::all);
    let store = args.store.open_or_create(output).await?;
    let organization = args.organization.as_ref();
    let created = store.access().create_account_with(&args.account, organization, &permissions).await;
    created.map_err(|error| match organization {
        Some(organization) if error.kind() == AdminErrorKind::NotFound => {
            let hint = format!("create it first: `countersign orgs create {organization}`");
            Failure::admin(&error, &format!("organization `{organization}`"), hint)
        }
        _ => failed(&error, &args.account),
    })?;
    let listed = Listed {
        account: args.account.to_string(),
        organization: args.organization.map(|organization| organization.to_string()),
        state: "active",
        permissions: permissions::words(&permissions),
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

async fn show(args: NameArgs, output: &Output) -> Result<(), Failure> {
    let store = args.store.open_existing().await?;
    let listed = find(&store, &args.account).await?;
    let fields = [
        ("account", listed.account.clone()),
        ("state", listed.state.to_owned()),
        ("organization", or_dash(listed.organization.as_ref())),
        ("permissions", listed.rights()),
    ];
    output.record(&fields, &listed)
}

async fn grant(args: GrantArgs, output: &Output) -> Result<(), Failure> {
    let policy = args.policy.as_deref().and_then(Permissions::policy);
    let words: Vec<_> = policy.into_iter().chain(args.words).collect();
    let words = permissions::together(&words)?;
    let NameArgs { account, store } = &args.of;
    if !args.only {
        return add(&args.of, &words, output).await;
    }
    let store = store.open_existing().await?;
    let set = store.access().set_permissions(account, &words).await;
    set.map_err(|error| failed(&error, account))?;
    tell(&store, account, output).await
}

async fn add(args: &NameArgs, words: &Permissions, output: &Output) -> Result<(), Failure> {
    let store = args.store.open_existing().await?;
    let granted = store.access().grant(&args.account, words).await;
    granted.map_err(|error| failed(&error, &args.account))?;
    tell(&store, &args.account, output).await
}

async fn switch(args: SwitchArgs, switch: Switch, output: &Output) -> Result<(), Failure> {
    let SwitchArgs { of: args, wait } = args;
    let store = args.store.open_existing().await?;
    let switched = store.access().switch_account(&args.account, switch).await;
    switched.map_err(|error| failed(&error, &args.account))?;
    wait.settle(&store, output).await?;
    let (verb, _) = permissions::told(switch);
    let listed = find(&store, &args.account).await?;
    output.done(format!("{verb} account `{}`", args.account), &listed)
}

/// Says what an account may do now.
async fn tell(store: &Store, account: &Principal, output: &Output) -> Result<(), Failure> {
    let listed = find(store, account).await?;
    output.done(format!("account `{account}` may do: {}", listed.rights()), &listed)
}

async fn find(store: &Store, account: &Principal) -> Result<Listed, Failure> {
    let all = store.admin().accounts().await.map_err(|error| failed(&error, account))?;
    let found = all.into_iter().find(|row| row.account == *account).map(Listed::from);
    found.ok_or_else(|| failed(&AdminError::new(AdminErrorKind::NotFound, "account"), account))
}

fn failed(error: &AdminError, account: &Principal) -> Failure {
    Failure::admin(error, &format!("account `{account}`"), "see `countersign accounts list`")
}

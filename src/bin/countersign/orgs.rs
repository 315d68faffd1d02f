//! `orgs`: organizations, and the apps installed in them.

use crate::{
    config::StoreArgs,
    failure::Failure,
    output::{Output, Row, or_dash},
    permissions,
    schemes::SchemeName,
    wait::WaitArgs,
};
use clap::{Args, Subcommand};
use countersign::{
    credential::{KeyId, Organization},
    store::{AdminError, AdminErrorKind, OrganizationSummary, Switch},
};
use serde::Serialize;
use serde_json::json;

/// What can be done to organizations.
#[derive(Debug, Subcommand)]
pub enum OrgsCommand {
    /// Create an organization
    #[command(after_help = "Example:\n  countersign orgs create acme --name 'Acme Studios'")]
    Create(CreateArgs),
    /// List the organizations and their apps
    #[command(after_help = "Example:\n  countersign orgs list -o json")]
    List(StoreArgs),
    /// Show an organization, its apps, and its accounts with what they may do
    #[command(after_help = "Example:\n  countersign orgs show acme")]
    Show(NameArgs),
    /// Switch an organization off, and with it all that belongs to it or to its accounts
    #[command(after_help = "Example:\n  countersign orgs disable acme")]
    Disable(SwitchArgs),
    /// Switch an organization on again
    #[command(after_help = "Example:\n  countersign orgs enable acme")]
    Enable(SwitchArgs),
    /// Let an app act for an organization
    #[command(
        after_help = "Example:\n  countersign orgs install 7b371391-1561-4cac-8f86-9b7bcba83db2 \\\n      --key-id edadd893-9472-4324-a4db-b1707c563184"
    )]
    Install(InstallArgs),
    /// Stop an app from acting for an organization
    #[command(
        after_help = "Example:\n  countersign orgs uninstall 7b371391-1561-4cac-8f86-9b7bcba83db2 \\\n      --key-id edadd893-9472-4324-a4db-b1707c563184"
    )]
    Uninstall(InstallArgs),
}

#[derive(Debug, Args)]
pub struct CreateArgs {
    /// The organization as the provider spells it: a slug, a UUID, a company id
    #[arg(value_parser = Organization::new)]
    organization: Organization,

    /// Its name for people
    #[arg(long)]
    name: Option<String>,

    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Debug, Args)]
pub struct NameArgs {
    /// The organization
    #[arg(value_parser = Organization::new)]
    organization: Organization,

    #[command(flatten)]
    store: StoreArgs,
}

/// An organization that is switched off or on.
#[derive(Debug, Args)]
pub struct SwitchArgs {
    #[command(flatten)]
    of: NameArgs,

    #[command(flatten)]
    wait: WaitArgs,
}

#[derive(Debug, Args)]
pub struct InstallArgs {
    /// The organization
    #[arg(value_parser = Organization::new)]
    organization: Organization,

    /// The app
    #[arg(long, value_name = "ID", value_parser = KeyId::new)]
    key_id: KeyId,

    /// The scheme of the app
    #[arg(long, value_enum, default_value = "salescloud")]
    scheme: SchemeName,

    #[command(flatten)]
    wait: WaitArgs,

    #[command(flatten)]
    store: StoreArgs,
}

/// An organization, as it is printed.
#[derive(Debug, Serialize)]
struct Listed {
    organization: String,
    name: Option<String>,
    state: &'static str,
    apps: Vec<App>,
}

#[derive(Debug, Serialize)]
struct App {
    scheme: String,
    key_id: String,
}

impl From<OrganizationSummary> for Listed {
    fn from(summary: OrganizationSummary) -> Self {
        let apps = summary.apps.into_iter();
        Self {
            organization: summary.organization.to_string(),
            name: summary.name,
            state: if summary.disabled { "disabled" } else { "active" },
            apps: apps.map(|(scheme, key_id)| App { scheme, key_id: key_id.to_string() }).collect(),
        }
    }
}

impl Row for Listed {
    const TITLES: &'static [&'static str] = &["organization", "state", "name", "apps"];

    fn cells(&self) -> Vec<String> {
        let apps: Vec<_> = self.apps.iter().map(|app| app.key_id.as_str()).collect();
        let apps = Some(apps.join(", ")).filter(|apps| !apps.is_empty());
        vec![self.organization.clone(), self.state.to_owned(), or_dash(self.name.as_ref()), or_dash(apps)]
    }
}

/// Does what was asked.
pub async fn run(command: OrgsCommand, output: &Output) -> Result<(), Failure> {
    match command {
        OrgsCommand::Create(args) => create(args, output).await,
        OrgsCommand::List(store) => list(store, output).await,
        OrgsCommand::Show(args) => show(args, output).await,
        OrgsCommand::Disable(args) => switch(args, Switch::Off, output).await,
        OrgsCommand::Enable(args) => switch(args, Switch::On, output).await,
        OrgsCommand::Install(args) => install(args, output).await,
        OrgsCommand::Uninstall(args) => uninstall(args, output).await,
    }
}

async fn create(args: CreateArgs, output: &Output) -> Result<(), Failure> {
    let store = args.store.open_or_create(output).await?;
    let what = format!("organization `{}`", args.organization);
    let created = store.admin().create_organization(&args.organization, args.name.as_deref()).await;
    created.map_err(|error| Failure::admin(&error, &what, "see `countersign orgs list`"))?;
    let listed = Listed {
        organization: args.organization.to_string(),
        name: args.name,
        state: "active",
        apps: Vec::new(),
    };
    output.done(format!("created {what}"), &listed)
}

async fn list(store: StoreArgs, output: &Output) -> Result<(), Failure> {
    let store = store.open_existing().await?;
    let all = store.admin().organizations().await;
    let all = all.map_err(|error| Failure::admin(&error, "organization", "try again"))?;
    let rows: Vec<_> = all.into_iter().map(Listed::from).collect();
    output.list(&rows, "no organizations yet: create one with `countersign orgs create`")
}

async fn show(args: NameArgs, output: &Output) -> Result<(), Failure> {
    let store = args.store.open_existing().await?;
    let what = format!("organization `{}`", args.organization);
    let failed = |error: AdminError| Failure::admin(&error, &what, "see `countersign orgs list`");
    let found = store.admin().organizations().await.map_err(failed)?;
    let found = found.into_iter().find(|row| row.organization == args.organization);
    let found = found.ok_or_else(|| failed(AdminError::new(AdminErrorKind::NotFound, "organization")))?;
    let mut accounts = store.admin().accounts().await.map_err(failed)?;
    accounts.retain(|account| account.organization.as_ref() == Some(&args.organization));
    let organization = Listed::from(found);
    let mut fields = vec![
        ("organization", organization.organization.clone()),
        ("state", organization.state.to_owned()),
        ("name", or_dash(organization.name.as_ref())),
    ];
    fields.extend(organization.apps.iter().map(|app| ("app", format!("{} {}", app.scheme, app.key_id))));
    for account in &accounts {
        let rights = permissions::of_an_account(&account.permissions);
        fields.push(("account", format!("{}: {rights}", account.account)));
    }
    let accounts: Vec<_> = accounts
        .iter()
        .map(|account| {
            json!({ "account": account.account.as_str(), "permissions": permissions::words(&account.permissions) })
        })
        .collect();
    let mut document = json!(organization);
    document["accounts"] = json!(accounts);
    output.record(&fields, &document)
}

async fn switch(args: SwitchArgs, switch: Switch, output: &Output) -> Result<(), Failure> {
    let SwitchArgs { of: args, wait } = args;
    let store = args.store.open_existing().await?;
    let what = format!("organization `{}`", args.organization);
    let switched = store.access().switch_organization(&args.organization, switch).await;
    switched.map_err(|error| Failure::admin(&error, &what, "see `countersign orgs list`"))?;
    wait.settle(&store, output).await?;
    let (verb, state) = permissions::told(switch);
    let document = json!({ "organization": args.organization.as_str(), "state": state });
    output.done(format!("{verb} {what}"), &document)
}

async fn install(args: InstallArgs, output: &Output) -> Result<(), Failure> {
    let store = args.store.open_existing().await?;
    let scheme = args.scheme.name();
    let installed = store.admin().install(scheme, &args.key_id, &args.organization).await;
    installed.map_err(|error| {
        let what = format!("{scheme} app `{}` or organization `{}`", args.key_id, args.organization);
        Failure::admin(&error, &what, "see `countersign keys list` and `countersign orgs list`")
    })?;
    args.wait.settle(&store, output).await?;
    let sentence =
        format!("installed {scheme} app `{}` in organization `{}`", args.key_id, args.organization);
    output.done(sentence, &installation(&args, true))
}

async fn uninstall(args: InstallArgs, output: &Output) -> Result<(), Failure> {
    let store = args.store.open_existing().await?;
    let scheme = args.scheme.name();
    let removed = store.admin().uninstall(scheme, &args.key_id, &args.organization).await;
    removed.map_err(|error| {
        let what = format!("{scheme} app `{}` in organization `{}`", args.key_id, args.organization);
        Failure::admin(&error, &what, "see `countersign orgs list`")
    })?;
    args.wait.settle(&store, output).await?;
    let sentence =
        format!("removed {scheme} app `{}` from organization `{}`", args.key_id, args.organization);
    output.done(sentence, &installation(&args, false))
}

fn installation(args: &InstallArgs, installed: bool) -> serde_json::Value {
    json!({
        "organization": args.organization.as_str(),
        "scheme": args.scheme.name(),
        "key_id": args.key_id.as_str(),
        "installed": installed,
    })
}

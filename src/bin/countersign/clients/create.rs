//! `clients create` and `clients import`.

use super::{failed, migration, refused};
use crate::{
    config::{Store, StoreArgs},
    failure::Failure,
    keys::secret_out::{SecretOutArgs, Told},
    output::Output,
    permissions::{self, PermissionArgs},
    secret_input::SecretArgs,
    sql_file::{FolderArgs, Form},
    times,
};
use clap::Args;
use countersign::{
    clock::{Clock, SystemClock},
    credential::{KeyId, Organization, Principal},
    secret::Secret,
    store::{AdminErrorKind, NewClient},
};
use serde::Serialize;
use std::{path::PathBuf, time::SystemTime};

const CREATE_EXAMPLES: &str = "\
Examples:
  countersign clients create --account meters --comment 'the meters in the north'
  countersign clients create --account meters --policy read-only -o json
  countersign clients create --account meters --as sql > secret";

const IMPORT_EXAMPLES: &str = "\
Example:
  countersign clients import --account meters --client-id 5B0F4C… --secret-file secret";

#[derive(Debug, Args)]
#[command(after_help = CREATE_EXAMPLES)]
pub struct CreateArgs {
    /// The client id, instead of a new one
    #[arg(long, value_name = "ID", value_parser = KeyId::new)]
    client_id: Option<KeyId>,

    #[command(flatten)]
    secret_out: SecretOutArgs,

    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Debug, Args)]
#[command(after_help = IMPORT_EXAMPLES)]
pub struct ImportArgs {
    /// The client id that there is already
    #[arg(long, value_name = "ID", value_parser = KeyId::new)]
    client_id: KeyId,

    #[command(flatten)]
    secret: SecretArgs,

    #[command(flatten)]
    client: ClientArgs,
}

/// What both commands need to know.
#[derive(Debug, Args)]
struct ClientArgs {
    /// The account that owns the client
    #[arg(long, value_parser = Principal::new)]
    account: Principal,

    /// The organization that it belongs to
    #[arg(long, value_parser = Organization::new)]
    organization: Option<Organization>,

    #[command(flatten)]
    permissions: PermissionArgs,

    /// It does not work from this moment on: 2027-01-31, 2027-01-31T12:00:00Z or Unix seconds
    #[arg(long, value_name = "TIME", value_parser = times::parse)]
    expires_at: Option<SystemTime>,

    /// What it is for, for people
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,

    /// Write a migration, and leave the database alone
    #[arg(long = "as", value_enum, value_name = "FORM")]
    form: Option<Form>,

    #[command(flatten)]
    folder: FolderArgs,

    #[command(flatten)]
    store: StoreArgs,
}

/// A client that was made, as it is printed.
#[derive(Debug, Serialize)]
struct Created {
    client_id: String,
    account: String,
    organization: Option<String>,
    permissions: Option<Vec<String>>,
    expires_at: Option<String>,
    comment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    migration: Option<String>,
    #[serde(flatten)]
    told: Told,
}

/// Makes a client.
pub async fn create(args: CreateArgs, output: &Output) -> Result<(), Failure> {
    let mut random = [0; 48];
    SystemClock.fill(&mut random);
    let (name, secret) = random.split_at(16);
    let secret = Secret::from_random(secret.try_into().unwrap_or_default());
    // The form of Ayyeka's own client keys.
    let client_id = args.client_id.map_or_else(|| KeyId::new(&hex::encode_upper(name)), Ok);
    let client_id = client_id.map_err(|error| Failure::usage("no client id", "").because(&error))?;
    let new = args.client.check(client_id, secret.clone())?;
    let (migration, told) = args.secret_out.around(&secret, args.client.put(&new, output)).await?;
    Created::new(&new, migration, told).print("created", output)
}

/// Takes over a client.
pub async fn import(args: ImportArgs, output: &Output) -> Result<(), Failure> {
    let Some(secret) = args.secret.read(output)? else {
        let hint = "use `--secret-file FILE` or `--secret-stdin`; secrets never stand on the command line";
        return Err(Failure::usage("there is no secret to import", hint));
    };
    let new = args.client.check(args.client_id, secret)?;
    let migration = args.client.put(&new, output).await?;
    Created::new(&new, migration, Told::default()).print("imported", output)
}

impl ClientArgs {
    /// Stores a client, or writes the migration that does.
    async fn put(&self, new: &NewClient, output: &Output) -> Result<Option<PathBuf>, Failure> {
        match self.form {
            Some(Form::Sql) => migration::write_client(&self.folder, new).map(Some),
            None => store(&self.store.open_or_create(output).await?, new).await.map(|()| None),
        }
    }

    fn check(&self, client_id: KeyId, secret: Secret) -> Result<NewClient, Failure> {
        let mut new = NewClient::new(client_id, self.account.clone(), secret);
        new.organization.clone_from(&self.organization);
        new.permissions = self.permissions.given()?;
        new.expires_at = self.expires_at;
        new.comment.clone_from(&self.comment);
        new.check().map_err(|error| {
            refused(&error, || {
                let hint = "choose an id of visible ASCII without a colon";
                Failure::usage("the client is refused", hint).because(&error)
            })
        })?;
        Ok(new)
    }
}

async fn store(store: &Store, new: &NewClient) -> Result<(), Failure> {
    store.tokens().create_client(new).await.map_err(|error| match error.kind() {
        AdminErrorKind::NotFound => {
            let what = format!("account `{}`, or not its organization", new.principal);
            let hint = "create it first: `countersign accounts create`, `countersign orgs create`";
            Failure::admin(&error, &what, hint)
        }
        _ => failed(&error, &new.client_id),
    })
}

impl Created {
    fn new(new: &NewClient, migration: Option<PathBuf>, told: Told) -> Self {
        Self {
            migration: migration.map(|path| path.display().to_string()),
            client_id: new.client_id.to_string(),
            account: new.principal.to_string(),
            organization: new.organization.as_ref().map(Organization::to_string),
            permissions: new.permissions.as_ref().map(permissions::words),
            expires_at: new.expires_at.map(times::format),
            comment: new.comment.clone(),
            told,
        }
    }

    fn print(&self, verb: &str, output: &Output) -> Result<(), Failure> {
        let client = format!("client `{}`", self.client_id);
        let (begin, done) = match &self.migration {
            Some(path) => (format!("wrote {path}:"), format!("{path} is written")),
            None => (verb.to_owned(), format!("{client} is stored")),
        };
        let say = || output.say_plainly(format!("{begin} {client} of account `{}`", self.account));
        self.told.print(self, say, &done, output)
    }
}

//! `keys create` and `keys import`: a key enters the store with the one secret that is made, or was made, for it.

use super::{
    bulk::{self, Rules},
    migration::{FileArgs, Writer},
    refused::invalid,
    secret_out::{SecretOutArgs, Told},
};
use crate::{
    config::{Store, StoreArgs},
    failure::Failure,
    output::Output,
    permissions::{self, PermissionArgs},
    schemes::SchemeName,
    secret_input::SecretArgs,
    sql_file::Form,
    times,
    wait::settle_soon,
};
use clap::Args;
use countersign::{
    clock::{Clock, SystemClock},
    credential::{KeyId, Organization, Principal},
    scheme::Tenancy,
    secret::Secret,
    store::{AdminError, AdminErrorKind, NewCredential, fingerprint, secret_hint},
};
use serde::Serialize;
use std::{path::PathBuf, time::SystemTime};

const CREATE_EXAMPLES: &str = "\
Examples:
  countersign keys create --scheme ateliere --organization acme > secret
  countersign keys create --scheme corezoid --key-id 13000 --secret-out secret
  countersign keys create --scheme salescloud -o json
  countersign keys create --scheme ateliere --organization acme --as sql

A key id that is not given is made in the provider's form, and so is
SalesCloud's public key. Without `--account` the key belongs to the account that
has its organization's name, or else to `default`; either is created if need be.";

const IMPORT_EXAMPLES: &str = "\
Examples:
  countersign keys import --scheme corezoid --key-id 13000 --secret-file secret
  pass show partner | countersign keys import --scheme ateliere --key-id pk_1 \\
      --organization acme --secret-stdin
  countersign keys import --from keys.jsonl

The secret is taken as it is, never decoded; one line end behind it is left out.
A line of the file for `--from` is a JSON object of scheme, key_id and secret,
and of organization, account, public_key, not_before and expires_at where the
key has such. The lines before one that is refused stay stored; `--skip-existing`
goes on behind them.";

#[derive(Debug, Args)]
#[command(after_help = CREATE_EXAMPLES)]
pub struct CreateArgs {
    /// How the provider signs
    #[arg(long, value_enum)]
    scheme: SchemeName,

    /// The key id, instead of a new one
    #[arg(long, value_name = "ID", value_parser = KeyId::new)]
    key_id: Option<KeyId>,

    #[command(flatten)]
    secret_out: SecretOutArgs,

    #[command(flatten)]
    key: KeyArgs,
}

#[derive(Debug, Args)]
#[command(after_help = IMPORT_EXAMPLES)]
pub struct ImportArgs {
    /// How the provider signs
    #[arg(long, value_enum, required_unless_present = "from")]
    scheme: Option<SchemeName>,

    /// The key id that the provider gave
    #[arg(long, value_name = "ID", value_parser = KeyId::new, required_unless_present = "from")]
    key_id: Option<KeyId>,

    /// Take over the keys in this file, one JSON object a line
    #[arg(long, value_name = "FILE", conflicts_with_all = ABOUT_ONE_KEY)]
    from: Option<PathBuf>,

    /// Pass over keys that are stored already
    #[arg(long, requires = "from")]
    skip_existing: bool,

    /// Take a secret of fewer than 16 bytes
    #[arg(long)]
    allow_weak: bool,

    #[command(flatten)]
    secret: SecretArgs,

    #[command(flatten)]
    key: KeyArgs,
}

/// What is said about one key, and makes no sense about many.
const ABOUT_ONE_KEY: [&str; 10] = [
    "scheme",
    "key_id",
    "secret_file",
    "secret_stdin",
    "organization",
    "public_key",
    "account",
    "not_before",
    "expires_at",
    "form",
];

/// What both commands need to know.
#[derive(Debug, Args)]
struct KeyArgs {
    /// How the provider signs, which each command asks in its own way.
    #[arg(skip = SchemeName::Ateliere)]
    scheme: SchemeName,

    /// The organization that the key belongs to; required for Ateliere
    #[arg(long, value_parser = Organization::new)]
    organization: Option<Organization>,

    /// SalesCloud: the application's public key
    #[arg(long, value_name = "TEXT")]
    public_key: Option<String>,

    /// The account that owns the key
    #[arg(long, value_parser = Principal::new)]
    account: Option<Principal>,

    /// The key does not work before this moment: 2027-01-31, 2027-01-31T12:00:00Z or Unix seconds
    #[arg(long, value_name = "TIME", value_parser = times::parse)]
    not_before: Option<SystemTime>,

    /// The key does not work from this moment on
    #[arg(long, value_name = "TIME", value_parser = times::parse)]
    expires_at: Option<SystemTime>,

    #[command(flatten)]
    permissions: PermissionArgs,

    /// Write a migration, and leave the database alone
    #[arg(long = "as", value_enum, value_name = "FORM")]
    form: Option<Form>,

    #[command(flatten)]
    file: FileArgs,

    #[command(flatten)]
    store: StoreArgs,
}

/// A key that was created, as it is printed. The secret is there only if it was made here, and not written to a file.
#[derive(Debug, Serialize)]
struct Created {
    scheme: &'static str,
    key_id: String,
    account: String,
    organization: Option<String>,
    public_key: Option<String>,
    permissions: Option<Vec<String>>,
    not_before: Option<String>,
    expires_at: Option<String>,
    fingerprint: String,
    hint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    migration: Option<String>,
    #[serde(flatten)]
    told: Told,
}

/// Makes a key.
pub async fn create(mut args: CreateArgs, output: &Output) -> Result<(), Failure> {
    let scheme = args.scheme;
    args.key.scheme = scheme;
    let mut random = [0; 32];
    SystemClock.fill(&mut random);
    let secret = Secret::from_random(random);
    let key_id = match args.key_id.take() {
        Some(key_id) => key_id,
        None => KeyId::new(&scheme.new_key_id(&SystemClock))
            .map_err(|error| Failure::usage("no key id", "").because(&error))?,
    };
    args.key.public_key = args.key.public_key.or_else(|| scheme.new_public_key(&SystemClock));
    let credential = args.key.check(key_id, secret.clone(), false)?;
    let destination = args.key.destination(output).await?;
    let put = args.key.put(&destination, credential, output);
    let (mut created, told) = args.secret_out.around(&secret, put).await?;
    created.told = told;
    created.print("created", output)
}

/// Takes over a key, or many.
pub async fn import(mut args: ImportArgs, output: &Output) -> Result<(), Failure> {
    if let Some(file) = &args.from {
        let store = args.key.store.open_or_create(output).await?;
        let rules = Rules { allow_weak: args.allow_weak, skip_existing: args.skip_existing };
        return bulk::import(file, rules, &store, output).await;
    }
    let (Some(scheme), Some(key_id)) = (args.scheme, args.key_id.take()) else {
        return Err(Failure::usage("no key is named", "add `--scheme` and `--key-id`, or `--from FILE`"));
    };
    args.key.scheme = scheme;
    let Some(secret) = args.secret.read(output)? else {
        let hint = "use `--secret-file FILE` or `--secret-stdin`; secrets never stand on the command line";
        return Err(Failure::usage("there is no secret to import", hint));
    };
    let credential = args.key.check(key_id, secret, args.allow_weak)?;
    let destination = args.key.destination(output).await?;
    args.key.put(&destination, credential, output).await?.print("imported", output)
}

/// Where a key goes.
enum Destination {
    Migration(Writer),
    Store(Store),
}

impl KeyArgs {
    /// Puts the credential together and refuses what no server would accept, before anything is stored.
    fn check(&self, key_id: KeyId, secret: Secret, allow_weak: bool) -> Result<NewCredential, Failure> {
        let organization = self.organization.as_ref().map(Organization::as_str);
        self.scheme.check(key_id.as_str(), organization, self.public_key.as_deref())?;
        let owner = self.account.clone().map_or_else(|| self.default_owner(), Ok)?;
        let algorithm = self.scheme.plain().scheme().algorithm();
        let mut credential = NewCredential::new(self.scheme.name(), key_id, algorithm, owner, secret);
        credential.organization.clone_from(&self.organization);
        credential.public_key.clone_from(&self.public_key);
        credential.permissions = self.permissions.given()?;
        credential.not_before = self.not_before;
        credential.expires_at = self.expires_at;
        credential.allow_weak = allow_weak;
        credential.check().map_err(|error| invalid(&error))?;
        Ok(credential)
    }

    fn default_owner(&self) -> Result<Principal, Failure> {
        let name = self.organization.as_ref().map_or("default", Organization::as_str);
        Principal::new(name)
            .map_err(|error| Failure::usage("no account", "name one: `--account`").because(&error))
    }

    async fn destination(&self, output: &Output) -> Result<Destination, Failure> {
        Ok(match self.form {
            Some(Form::Sql) => Destination::Migration(self.file.writer(&self.store)?),
            None => Destination::Store(self.store.open_or_create(output).await?),
        })
    }

    async fn put(
        &self,
        destination: &Destination,
        credential: NewCredential,
        output: &Output,
    ) -> Result<Created, Failure> {
        let migration = match destination {
            Destination::Migration(writer) => {
                Some(writer.write_key(&credential, self.account.is_none(), self.installable())?)
            }
            Destination::Store(store) => {
                self.store(store, &credential, output).await?;
                None
            }
        };
        Ok(self.created(&credential, migration))
    }

    /// Stores the credential, and its owner if nobody named one.
    async fn store(&self, store: &Store, credential: &NewCredential, output: &Output) -> Result<(), Failure> {
        if let Some(organization) = &self.organization {
            require(store, organization).await?;
        }
        if self.account.is_none() {
            self.provide_owner(store, &credential.principal, output).await?;
        }
        let stored = store.admin().create_credential(credential).await;
        stored.map_err(|error| match error.kind() {
            AdminErrorKind::NotFound => {
                let hint = format!("create it first: `countersign accounts create {}`", credential.principal);
                Failure::admin(&error, &format!("account `{}`", credential.principal), hint)
            }
            AdminErrorKind::Invalid => invalid(&error),
            _ => {
                let what = format!("{} key `{}`", credential.scheme, credential.key_id);
                Failure::admin(&error, &what, "a key id is given out once: choose another")
            }
        })?;
        self.install(store, credential, output).await?;
        settle_soon(store, output).await;
        Ok(())
    }

    fn installable(&self) -> bool {
        self.scheme.plain().scheme().tenancy() == Tenancy::Installed
    }

    /// An app may act for the organization that it belongs to; for others it is installed one by one.
    async fn install(
        &self,
        store: &Store,
        credential: &NewCredential,
        output: &Output,
    ) -> Result<(), Failure> {
        let Some(organization) = self.organization.as_ref().filter(|_| self.installable()) else {
            return Ok(());
        };
        let installed = store.admin().install(&credential.scheme, &credential.key_id, organization).await;
        installed.map_err(|error| {
            let hint = format!(
                "try again: `countersign orgs install {organization} --key-id {}`",
                credential.key_id
            );
            Failure::admin(&error, &format!("organization `{organization}`"), hint)
        })?;
        output.note(format!("installed the app in organization `{organization}`"));
        Ok(())
    }

    /// Sees that the default owner exists and belongs where the key belongs.
    async fn provide_owner(&self, store: &Store, owner: &Principal, output: &Output) -> Result<(), Failure> {
        let failed = |error: AdminError| {
            Failure::admin(&error, &format!("account `{owner}`"), "name another: `--account`")
        };
        let accounts = store.admin().accounts().await.map_err(failed)?;
        match accounts.into_iter().find(|account| account.account == *owner) {
            None => {
                store.admin().create_account(owner, self.organization.as_ref()).await.map_err(failed)?;
                output.note(format!("created account `{owner}`, which owns the key"));
                Ok(())
            }
            Some(account) if account.organization == self.organization => Ok(()),
            Some(_) => {
                let message = format!("account `{owner}` does not belong to the organization of the key");
                Err(Failure::usage(message, "name another: `--account`"))
            }
        }
    }

    fn created(&self, credential: &NewCredential, migration: Option<PathBuf>) -> Created {
        Created {
            scheme: self.scheme.name(),
            key_id: credential.key_id.to_string(),
            account: credential.principal.to_string(),
            organization: self.organization.as_ref().map(Organization::to_string),
            public_key: credential.public_key.clone(),
            permissions: credential.permissions.as_ref().map(permissions::words),
            not_before: self.not_before.map(times::format),
            expires_at: self.expires_at.map(times::format),
            fingerprint: fingerprint(self.scheme.name(), &credential.key_id, &credential.secret),
            hint: secret_hint(&credential.secret),
            migration: migration.map(|path| path.display().to_string()),
            told: Told::default(),
        }
    }
}

impl Created {
    fn print(&self, verb: &str, output: &Output) -> Result<(), Failure> {
        let Self { scheme, key_id, account, organization, fingerprint, hint, .. } = self;
        let home = organization.as_ref().map(|name| format!(" in organization `{name}`")).unwrap_or_default();
        let hint = hint.as_ref().map(|hint| format!(", secret {hint}")).unwrap_or_default();
        let key =
            format!("{scheme} key `{key_id}` of account `{account}`{home}, fingerprint {fingerprint}{hint}");
        let say = || {
            match &self.migration {
                Some(path) => output.say_plainly(format!("wrote {path}: {key}")),
                None => output.say_plainly(format!("{verb} {key}")),
            }
            if let Some(public_key) = &self.public_key {
                output.say_plainly(format!("public key {public_key}"));
                output.hint(format!("let the app act for an organization: `countersign orgs install ORGANIZATION --key-id {key_id}`"));
            }
        };
        let done = match &self.migration {
            Some(path) => format!("{path} is written"),
            None => format!("{scheme} key `{key_id}` is stored"),
        };
        self.told.print(self, say, &done, output)
    }
}

async fn require(store: &Store, organization: &Organization) -> Result<(), Failure> {
    let what = format!("organization `{organization}`");
    let hint = format!("create it first: `countersign orgs create {organization}`");
    let all =
        store.admin().organizations().await.map_err(|error| Failure::admin(&error, &what, "try again"))?;
    if all.iter().any(|summary| summary.organization == *organization) {
        return Ok(());
    }
    Err(Failure::admin(&AdminError::new(AdminErrorKind::NotFound, "organization"), &what, hint))
}

//! `keys create` and `keys import`: a key enters the store with the one secret that is made, or was made, for it.

use crate::{
    config::{Store, StoreArgs},
    failure::{Exit, Failure},
    output::Output,
    schemes::SchemeName,
    secret_input::SecretArgs,
    times,
};
use clap::Args;
use countersign::{
    clock::{Clock, SystemClock},
    credential::{KeyId, Organization, Principal},
    scheme::Tenancy,
    secret::Secret,
    store::{AdminError, AdminErrorKind, NewCredential, SecretRefused, fingerprint},
};
use serde::Serialize;
use std::{
    error::Error,
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    time::SystemTime,
};

const CREATE_EXAMPLES: &str = "\
Examples:
  countersign keys create --scheme ateliere --organization acme > secret
  countersign keys create --scheme corezoid --key-id 13000 --secret-out secret
  countersign keys create --scheme salescloud -o json

A key id that is not given is made in the provider's form, and so is
SalesCloud's public key. Without `--account` the key belongs to the account that
has its organization's name, or else to `default`; either is created if need be.";

const IMPORT_EXAMPLES: &str = "\
Examples:
  countersign keys import --scheme corezoid --key-id 13000 --secret-file secret
  pass show partner | countersign keys import --scheme ateliere --key-id pk_1 \\
      --organization acme --secret-stdin

The secret is taken as it is, never decoded; one line end behind it is left out.";

#[derive(Debug, Args)]
#[command(after_help = CREATE_EXAMPLES)]
pub struct CreateArgs {
    /// The key id, instead of a new one
    #[arg(long, value_name = "ID", value_parser = KeyId::new)]
    key_id: Option<KeyId>,

    /// Write the secret to this new file, readable by its owner alone, instead of stdout
    #[arg(long, value_name = "FILE")]
    secret_out: Option<PathBuf>,

    #[command(flatten)]
    key: KeyArgs,
}

#[derive(Debug, Args)]
#[command(after_help = IMPORT_EXAMPLES)]
pub struct ImportArgs {
    /// The key id that the provider gave
    #[arg(long, value_name = "ID", value_parser = KeyId::new)]
    key_id: KeyId,

    /// Take a secret of fewer than 16 bytes
    #[arg(long)]
    allow_weak: bool,

    #[command(flatten)]
    secret: SecretArgs,

    #[command(flatten)]
    key: KeyArgs,
}

/// What both commands need to know.
#[derive(Debug, Args)]
struct KeyArgs {
    /// How the provider signs
    #[arg(long, value_enum)]
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
    not_before: Option<String>,
    expires_at: Option<String>,
    fingerprint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_file: Option<String>,
}

/// Makes a key.
pub async fn create(mut args: CreateArgs, output: &Output) -> Result<(), Failure> {
    let clock = SystemClock;
    let scheme = args.key.scheme;
    let mut random = [0; 32];
    clock.fill(&mut random);
    let secret = Secret::from_random(random);
    let key_id = match args.key_id.take() {
        Some(key_id) => key_id,
        None => KeyId::new(&scheme.new_key_id(&clock))
            .map_err(|error| Failure::usage("no key id", "").because(&error))?,
    };
    args.key.public_key = args.key.public_key.or_else(|| scheme.new_public_key(&clock));
    let credential = args.key.check(key_id, secret.clone(), false)?;

    let store = args.key.store.open_or_create(output).await?;
    // The file comes first: a secret that cannot be written must not become a key.
    if let Some(path) = &args.secret_out {
        write_new(path, secret.expose())?;
    }
    let stored = args.key.put(&store, credential, output).await;
    let mut created = match (stored, &args.secret_out) {
        (Ok(created), _) => created,
        (Err(failure), None) => return Err(failure),
        (Err(failure), Some(path)) => {
            // Better no file than one that no key belongs to; the failure is what is worth telling.
            let _ = fs::remove_file(path);
            return Err(failure);
        }
    };
    let text = String::from_utf8_lossy(secret.expose()).into_owned();
    match args.secret_out {
        Some(path) => created.secret_file = Some(path.display().to_string()),
        None => created.secret = Some(text),
    }
    created.print("created", output)
}

/// Takes over a key.
pub async fn import(args: ImportArgs, output: &Output) -> Result<(), Failure> {
    let Some(secret) = args.secret.read(output)? else {
        let hint = "use `--secret-file FILE` or `--secret-stdin`; secrets never stand on the command line";
        return Err(Failure::usage("there is no secret to import", hint));
    };
    let credential = args.key.check(args.key_id.clone(), secret, args.allow_weak)?;
    let store = args.key.store.open_or_create(output).await?;
    args.key.put(&store, credential, output).await?.print("imported", output)
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

    /// Stores the credential, and its owner if nobody named one.
    async fn put(
        &self,
        store: &Store,
        credential: NewCredential,
        output: &Output,
    ) -> Result<Created, Failure> {
        if let Some(organization) = &self.organization {
            require(store, organization).await?;
        }
        if self.account.is_none() {
            self.provide_owner(store, &credential.principal, output).await?;
        }
        let stored = store.admin().create_credential(&credential).await;
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
        self.install(store, &credential, output).await?;
        Ok(self.created(&credential))
    }

    /// An app may act for the organization that it belongs to; for others it is installed one by one.
    async fn install(
        &self,
        store: &Store,
        credential: &NewCredential,
        output: &Output,
    ) -> Result<(), Failure> {
        let installable = self.scheme.plain().scheme().tenancy() == Tenancy::Installed;
        let Some(organization) = self.organization.as_ref().filter(|_| installable) else { return Ok(()) };
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

    fn created(&self, credential: &NewCredential) -> Created {
        Created {
            scheme: self.scheme.name(),
            key_id: credential.key_id.to_string(),
            account: credential.principal.to_string(),
            organization: self.organization.as_ref().map(Organization::to_string),
            public_key: credential.public_key.clone(),
            not_before: self.not_before.map(times::format),
            expires_at: self.expires_at.map(times::format),
            fingerprint: fingerprint(self.scheme.name(), &credential.key_id, &credential.secret),
            secret: None,
            secret_file: None,
        }
    }
}

impl Created {
    fn print(&self, verb: &str, output: &Output) -> Result<(), Failure> {
        let Self { scheme, key_id, account, fingerprint, .. } = self;
        let lost = |error: io::Error| {
            let message =
                format!("{scheme} key `{key_id}` is stored, but its secret could not be printed and is lost");
            Failure::new(Exit::Failure, "secret_lost", message, "create another key, and do not use this one")
                .because(&error)
        };
        if output.is_json() {
            let text = serde_json::to_string(self).map_err(|error| lost(error.into()))? + "\n";
            return output.print_once(text.as_bytes()).map_err(lost);
        }
        let home =
            self.organization.as_ref().map(|name| format!(" in organization `{name}`")).unwrap_or_default();
        output.say_plainly(format!(
            "{verb} {scheme} key `{key_id}` of account `{account}`{home}, fingerprint {fingerprint}"
        ));
        if let Some(public_key) = &self.public_key {
            output.say_plainly(format!("public key {public_key}"));
            output.hint(format!("let the app act for an organization: `countersign orgs install ORGANIZATION --key-id {key_id}`"));
        }
        if let Some(path) = &self.secret_file {
            output.say_plainly(format!("the secret is in {path}"));
        }
        let Some(secret) = &self.secret else { return Ok(()) };
        output.note("the secret is printed this once and cannot be shown again");
        output.print_once(format!("{secret}\n").as_bytes()).map_err(lost)
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

/// What breaks a rule, with the rule's own advice.
fn invalid(error: &AdminError) -> Failure {
    let refused = error.source().and_then(|source| source.downcast_ref::<SecretRefused>());
    match refused {
        Some(SecretRefused::Short { .. }) => {
            let hint = "use a longer secret, or `--allow-weak` if the provider makes no longer ones";
            Failure::new(Exit::Failure, "weak_secret", "the secret is refused", hint)
        }
        Some(refused) => Failure::new(Exit::Failure, "bad_secret", "the secret is refused", refused.hint()),
        None => Failure::new(
            Exit::Failure,
            "invalid",
            "the key is refused",
            "add `--help` to see what can be typed",
        ),
    }
    .because(refused.map_or(error as &dyn Error, |refused| refused))
}

/// Writes a file that must not exist yet, with mode 0600.
fn write_new(path: &Path, secret: &[u8]) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(path).and_then(|mut file| {
        file.write_all(secret)?;
        file.sync_all()
    });
    written.map_err(|error| {
        let message = format!("the secret cannot be written to {}", path.display());
        let hint = "name a file that does not exist yet, in a folder that you may write to";
        Failure::new(Exit::Failure, "io", message, hint).because(&error)
    })
}

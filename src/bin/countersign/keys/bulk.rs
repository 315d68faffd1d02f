//! `keys import --from`: many keys from a file, one JSON object a line.

use super::refused::refused;
use crate::{
    config::Store,
    failure::{Exit, Failure},
    output::Output,
    schemes::SchemeName,
    times,
};
use clap::ValueEnum as _;
use countersign::{
    credential::{KeyId, Organization, Principal},
    secret::Secret,
    store::{AdminError, AdminErrorKind, NewCredential, SecretRefused},
};
use serde::Deserialize;
use serde_json::json;
use std::{
    collections::BTreeSet,
    error::Error as _,
    fs::File,
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
};
use zeroize::Zeroizing;

/// Keys stored in one transaction.
const BATCH: usize = 2000;
/// Longest line in bytes: a secret of 64 KiB, spelled with escapes, and what stands around it.
const LONGEST: u64 = 1024 * 1024;

/// What is let pass.
#[derive(Clone, Copy)]
pub struct Rules {
    pub allow_weak: bool,
    pub skip_existing: bool,
}

/// A line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    scheme: String,
    key_id: String,
    secret: String,
    organization: Option<String>,
    account: Option<String>,
    public_key: Option<String>,
    not_before: Option<String>,
    expires_at: Option<String>,
}

/// An import under way.
struct Import<'a> {
    rules: Rules,
    store: &'a Store,
    accounts: BTreeSet<String>,
    /// The keys that are not stored yet, with the numbers of their lines.
    batch: Vec<NewCredential>,
    lines: Vec<u64>,
    imported: u64,
    skipped: u64,
}

/// Stores the keys of a file.
pub async fn import(file: &Path, rules: Rules, store: &Store, output: &Output) -> Result<(), Failure> {
    let unreadable = |error: std::io::Error| {
        let message = format!("{} cannot be read", file.display());
        Failure::new(Exit::Failure, "io", message, "check the path and the rights of the file")
            .because(&error)
    };
    let mut reader = BufReader::new(File::open(file).map_err(unreadable)?);
    let accounts = store.admin().accounts().await.map_err(|error| failed(&error))?;
    let mut import = Import {
        rules,
        store,
        accounts: accounts.into_iter().map(|account| account.account.to_string()).collect(),
        batch: Vec::with_capacity(BATCH),
        lines: Vec::with_capacity(BATCH),
        imported: 0,
        skipped: 0,
    };
    let mut text = Zeroizing::new(String::new());
    for number in 1.. {
        text.clear();
        if reader.by_ref().take(LONGEST).read_line(&mut text).map_err(unreadable)? == 0 {
            break;
        }
        if text.trim().is_empty() {
            continue;
        }
        let credential = read(&text, rules).map_err(|failure| on_line(number, failure))?;
        import.lines.push(number);
        import.batch.push(credential);
        if import.batch.len() == BATCH {
            import.write().await?;
            output.progress(format!("imported {} keys", import.imported));
        }
    }
    import.write().await?;
    let Import { imported, skipped, .. } = import;
    let sentence = match skipped {
        0 => format!("imported {imported} keys"),
        skipped => format!("imported {imported} keys, passed over {skipped} that are stored already"),
    };
    output.done(sentence, &json!({ "imported": imported, "skipped": skipped }))
}

fn read(text: &str, rules: Rules) -> Result<NewCredential, Failure> {
    let wrong = |message: String| {
        let hint = "a line is like {\"scheme\":\"corezoid\",\"key_id\":\"13000\",\"secret\":\"…\"}";
        Failure::new(Exit::Failure, "bad_line", message, hint)
    };
    let not = |what: &'static str| move |error: &dyn std::error::Error| wrong(format!("no {what}: {error}"));
    let line: Line = serde_json::from_str(text).map_err(|error| {
        // Its own text may show a part of the line, and so of a secret.
        wrong(format!("no JSON object of this kind, at column {}", error.column()))
    })?;
    let scheme = SchemeName::from_str(&line.scheme, false).map_err(|_| wrong("no such scheme".to_owned()))?;
    let organization = line.organization.as_deref();
    scheme.check(&line.key_id, organization, line.public_key.as_deref())?;
    let key_id = KeyId::new(&line.key_id).map_err(|error| not("key id")(&error))?;
    let owner = line.account.as_deref().or(organization).unwrap_or("default");
    let owner = Principal::new(owner).map_err(|error| not("account")(&error))?;
    let secret = Zeroizing::new(line.secret);
    let secret = Secret::new(secret.as_bytes()).map_err(|error| not("secret")(&error))?;
    let algorithm = scheme.plain().scheme().algorithm();
    let mut credential = NewCredential::new(scheme.name(), key_id, algorithm, owner, secret);
    let organization = organization.map(Organization::new).transpose();
    credential.organization = organization.map_err(|error| not("organization")(&error))?;
    credential.public_key = line.public_key;
    let moment = |text: Option<String>| text.as_deref().map(times::parse).transpose().map_err(wrong);
    credential.not_before = moment(line.not_before)?;
    credential.expires_at = moment(line.expires_at)?;
    credential.allow_weak = rules.allow_weak;
    credential.check().map_err(|error| failed(&error))?;
    Ok(credential)
}

impl Import<'_> {
    /// Stores the batch: together if that goes, and one by one to find what does not.
    async fn write(&mut self) -> Result<(), Failure> {
        self.provide_accounts().await?;
        let (batch, lines) = (std::mem::take(&mut self.batch), std::mem::take(&mut self.lines));
        if self.store.all().create_credentials(&batch).await.is_ok() {
            self.imported += batch.len() as u64;
            return Ok(());
        }
        for (credential, number) in batch.iter().zip(lines) {
            match self.store.admin().create_credential(credential).await {
                Ok(()) => self.imported += 1,
                Err(error) if error.kind() == AdminErrorKind::Exists && self.rules.skip_existing => {
                    self.skipped += 1;
                }
                Err(error) => return Err(on_line(number, failed(&error))),
            }
        }
        Ok(())
    }

    /// Makes the accounts that are missing, each where its first key belongs.
    async fn provide_accounts(&mut self) -> Result<(), Failure> {
        for (credential, number) in self.batch.iter().zip(&self.lines) {
            if self.accounts.contains(credential.principal.as_str()) {
                continue;
            }
            let (owner, home) = (&credential.principal, credential.organization.as_ref());
            let made = self.store.admin().create_account(owner, home).await;
            made.map_err(|error| on_line(*number, failed(&error)))?;
            self.accounts.insert(owner.to_string());
        }
        Ok(())
    }
}

fn failed(error: &AdminError) -> Failure {
    match error.source().and_then(|source| source.downcast_ref::<SecretRefused>()) {
        Some(reason) => refused(reason),
        None => Failure::admin(
            error,
            "organization, account or key of this name",
            "correct the line, and add `--skip-existing`",
        ),
    }
}

fn on_line(number: u64, mut failure: Failure) -> Failure {
    failure.message = format!("line {number}: {}", failure.message);
    failure
}

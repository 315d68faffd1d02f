//! Keys as numbered SQL migrations, for who reviews and rolls out changes of keys like any other change.
//!
//! The secret stands in the file as it stands in the database: sealed, for one row, under one key of the keyring. What
//! is written is the same for every engine: `unhex` and `unixepoch` are SQLite's, and the schema for Postgres has them.

use crate::{
    config::StoreArgs,
    failure::Failure,
    sql_file::{FolderArgs, insert, quoted, seconds},
};
use clap::Args;
use countersign::{
    clock::{Clock as _, SystemClock},
    credential::KeyId,
    envelope::{Keyring, Place},
    secret::Secret,
    store::{NewCredential, fingerprint},
};
use std::{path::PathBuf, time::Duration};

/// Secrets of one key that work at the same time, at most.
const LIVE_SECRETS: i64 = 3;

/// Where a migration is written, and how its secret is sealed.
#[derive(Debug, Args)]
#[command(next_help_heading = "As a migration")]
pub struct FileArgs {
    #[command(flatten)]
    folder: FolderArgs,

    /// The keyring key that seals the secret, instead of the active one
    #[arg(long, value_name = "ID", requires = "form")]
    keyring_id: Option<String>,
}

/// The place of a secret among those of its key.
#[derive(Clone, Copy, Debug)]
pub struct Version<'a> {
    pub scheme: &'a str,
    pub key_id: &'a KeyId,
    pub number: i64,
}

/// Seals secrets, and writes the migrations that they stand in.
#[derive(Debug)]
pub struct Writer {
    keyring: Keyring,
    folder: FolderArgs,
}

impl FileArgs {
    /// Gets ready, without a database.
    pub fn writer(&self, store: &StoreArgs) -> Result<Writer, Failure> {
        let keyring = store.keyring()?;
        let keyring = match &self.keyring_id {
            None => Some(keyring),
            Some(id) => keyring.with_active(id),
        };
        let keyring = keyring.ok_or_else(|| {
            Failure::usage("the keyring has no key of this id", "name one of its lines: `--keyring-id`")
        })?;
        Ok(Writer { keyring, folder: self.folder.clone() })
    }
}

impl Writer {
    /// Writes the migration that makes a key. A `guessed` owner must belong where the key belongs, or the migration
    /// fails; and `installed`, the key may act for its organization.
    pub fn write_key(&self, new: &NewCredential, guessed: bool, installed: bool) -> Result<PathBuf, Failure> {
        let organization = new.organization.as_ref().map(|name| quoted(name.as_str()));
        let mut owner = quoted(new.principal.as_str());
        let mut statements = Vec::new();
        if guessed {
            let columns = [
                ("id", Some(owner.clone())),
                ("organization", organization.clone()),
                ("permissions", Some(quoted("*"))),
            ];
            statements.push(format!(
                "-- The account that owns the key, unless it is there.\n{} ON CONFLICT DO NOTHING",
                insert("accounts", &columns)
            ));
            let home = organization.as_ref().map_or_else(|| "IS NULL".to_owned(), |name| format!("= {name}"));
            owner = format!("(SELECT id FROM accounts WHERE id = {owner} AND organization {home})");
        }
        let columns = [
            ("scheme", Some(quoted(&new.scheme))),
            ("key_id", Some(quoted(new.key_id.as_str()))),
            ("algorithm", Some(quoted(new.algorithm.as_str()))),
            ("account", Some(owner)),
            ("organization", organization.clone()),
            ("public_key", new.public_key.as_deref().map(quoted)),
            ("permissions", new.permissions.as_ref().map(|words| quoted(&words.to_string()))),
            ("not_before", new.not_before.map(seconds)),
            ("expires_at", new.expires_at.map(seconds)),
        ];
        statements.push(insert("credentials", &columns));
        let first = Version { scheme: &new.scheme, key_id: &new.key_id, number: 1 };
        statements.push(self.insert_secret(first, &new.secret));
        if let Some(organization) = organization.filter(|_| installed) {
            let columns = [
                ("scheme", Some(quoted(&new.scheme))),
                ("key_id", Some(quoted(new.key_id.as_str()))),
                ("organization", Some(organization)),
            ];
            statements.push(insert("app_installations", &columns));
        }
        self.write("create", &new.scheme, &new.key_id, &statements)
    }

    /// Writes the migration that adds a secret to a key, and lets the older ones retire after `overlap`.
    pub fn write_rotation(
        &self,
        version: Version<'_>,
        secret: &Secret,
        overlap: Duration,
    ) -> Result<PathBuf, Failure> {
        let Version { scheme, key_id, number } = version;
        let retire = |end: &str, condition: &str| {
            format!(
                "UPDATE secret_versions SET retires_at = {end}\n\
                 WHERE scheme = {} AND key_id = {}{condition} AND (retires_at IS NULL OR retires_at > {end})",
                quoted(scheme),
                quoted(key_id.as_str()),
            )
        };
        let mut statements = vec![retire(&format!("unixepoch() + {}", overlap.as_secs()), "")];
        if number > LIVE_SECRETS {
            let oldest = format!(" AND number <= {}", number - LIVE_SECRETS);
            statements.push(format!(
                "-- No more than {LIVE_SECRETS} work at the same time.\n{}",
                retire("unixepoch()", &oldest)
            ));
        }
        statements.push(self.insert_secret(version, secret));
        self.write("rotate", scheme, key_id, &statements)
    }

    fn insert_secret(&self, version: Version<'_>, secret: &Secret) -> String {
        let Version { scheme, key_id, number } = version;
        let mut nonce = [0; 12];
        SystemClock.fill(&mut nonce);
        let sealed = self.keyring.seal(Place { scheme, key_id: key_id.as_str(), number }, secret, nonce);
        let columns = [
            ("scheme", Some(quoted(scheme))),
            ("key_id", Some(quoted(key_id.as_str()))),
            ("number", Some(number.to_string())),
            ("keyring_id", Some(quoted(&sealed.keyring_id))),
            ("sealed", Some(format!("unhex('{}')", hex::encode(&sealed.record)))),
            ("fingerprint", Some(quoted(&fingerprint(scheme, key_id, secret)))),
        ];
        insert("secret_versions", &columns)
    }

    fn write(
        &self,
        verb: &str,
        scheme: &str,
        key_id: &KeyId,
        statements: &[String],
    ) -> Result<PathBuf, Failure> {
        let keyring_id = self.keyring.active_id();
        let note = format!(
            "The secret is sealed: it opens in this one row, with the keyring key `{keyring_id}`, which the database \
             knows."
        );
        self.folder.write(&format!("{verb}_{scheme}"), key_id, &note, statements)
    }
}

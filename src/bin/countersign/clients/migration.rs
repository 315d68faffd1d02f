//! Clients as numbered SQL migrations. Of a secret nothing stands in them but its hash, as in the database.

use crate::{
    failure::Failure,
    sql_file::{FolderArgs, insert, quoted, seconds},
};
use countersign::{
    credential::{KeyId, Organization, SecretHash},
    secret::Secret,
    store::NewClient,
};
use std::{path::PathBuf, time::Duration};

/// Secrets of one client that work at the same time, at most.
const LIVE_SECRETS: i64 = 3;
const NOTE: &str = "The secret is hashed: nobody can read it from here.";

/// Writes the migration that makes a client.
pub fn write_client(folder: &FolderArgs, new: &NewClient) -> Result<PathBuf, Failure> {
    let columns = [
        ("client_id", Some(quoted(new.client_id.as_str()))),
        ("account", Some(quoted(new.principal.as_str()))),
        ("organization", new.organization.as_ref().map(Organization::as_str).map(quoted)),
        ("permissions", new.permissions.as_ref().map(|words| quoted(&words.to_string()))),
        ("expires_at", new.expires_at.map(seconds)),
        ("comment", new.comment.as_deref().map(quoted)),
    ];
    let statements = [insert("oauth_clients", &columns), insert_secret(&new.client_id, 1, &new.secret)];
    folder.write("create_client", &new.client_id, NOTE, &statements)
}

/// Writes the migration that adds a secret to a client, and lets the older ones retire after `overlap`.
pub fn write_rotation(
    folder: &FolderArgs,
    client_id: &KeyId,
    number: i64,
    secret: &Secret,
    overlap: Duration,
) -> Result<PathBuf, Failure> {
    let retire = |end: &str, condition: &str| {
        format!(
            "UPDATE client_secrets SET retires_at = {end}\n\
             WHERE client_id = {}{condition} AND (retires_at IS NULL OR retires_at > {end})",
            quoted(client_id.as_str()),
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
    statements.push(insert_secret(client_id, number, secret));
    folder.write("rotate_client", client_id, NOTE, &statements)
}

fn insert_secret(client_id: &KeyId, number: i64, secret: &Secret) -> String {
    let hash = SecretHash::of(secret.expose());
    let columns = [
        ("client_id", Some(quoted(client_id.as_str()))),
        ("number", Some(number.to_string())),
        ("hash", Some(format!("unhex('{}')", hex::encode(hash.as_bytes())))),
    ];
    insert("client_secrets", &columns)
}

//! Organizations, accounts and keys: created, imported, listed, shown, and their secrets told once.

use super::{Folder, mode};
use countersign::{
    clock::SystemClock,
    envelope::Keyring,
    store::{Found, KeyStore, Lookup, SqliteKeyStore},
};
use serde_json::json;
use std::fs;

const SECRET: &str = "Iw5N12MYleOULxdfMH43SK9ZAmjPyFKt";

#[test]
fn migrate_makes_the_database_and_its_keyring() {
    let folder = Folder::new();
    let ran = folder.run("migrate").exits(0);
    assert!(ran.says("note: made a new keyring, data/keyring (mode 0600)"), "{}", ran.told());
    assert!(ran.stdout.starts_with("sqlite"), "{}", ran.told());
    assert_eq!(mode(&folder.path("data/keyring")), 0o600);

    let keyring = fs::read(folder.path("data/keyring")).unwrap();
    assert!(!folder.run("migrate").exits(0).says("note"));
    assert_eq!(fs::read(folder.path("data/keyring")).unwrap(), keyring);

    let status = folder.json("migrate --status");
    assert_eq!(status["engine"], "sqlite");
    assert!(status["applied"].as_u64().unwrap() >= 1);
    assert_eq!(status["pending"], json!([]));
    assert!(folder.run("migrate --status").exits(0).stdout.contains("0 pending"));
}

#[test]
fn organizations_and_accounts_are_created_and_listed() {
    let folder = Folder::new();
    let ran = folder.run("orgs create acme --name Acme").exits(0);
    assert!(ran.stdout.is_empty() && ran.says("created organization `acme`"), "{}", ran.told());
    let created = folder.json("orgs create bolt");
    assert_eq!(created, json!({ "organization": "bolt", "name": null, "state": "active", "apps": [] }));
    let listed = folder.json("orgs list");
    let acme = json!({ "organization": "acme", "name": "Acme", "state": "active", "apps": [] });
    assert_eq!(listed, json!({ "items": [acme, created], "next": null }));
    let table = folder.run("orgs list").exits(0).stdout;
    assert!(table.lines().next().unwrap().starts_with("ORGANIZATION  STATE"), "{table}");
    assert!(table.contains("acme          active  Acme"), "{table}");

    folder.run("accounts create billing --organization acme").exits(0);
    let created = folder.json("accounts create ops");
    assert_eq!(
        created,
        json!({ "account": "ops", "organization": null, "state": "active", "permissions": ["*"] })
    );
    let listed = folder.json("accounts list");
    let billing =
        json!({ "account": "billing", "organization": "acme", "state": "active", "permissions": ["*"] });
    assert_eq!(listed, json!({ "items": [billing, created], "next": null }));
    assert!(folder.run("accounts list").exits(0).stdout.contains("billing  active  acme"));
}

#[test]
fn a_new_secret_is_printed_once_and_alone() {
    let folder = Folder::new();
    folder.run("orgs create acme").exits(0);
    let ran = folder.run("keys create --scheme ateliere --organization acme").exits(0);
    let secret = ran.stdout.trim_end();
    assert_eq!((ran.stdout.len(), secret.len()), (65, 64), "{}", ran.told());
    assert!(secret.bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert!(!ran.stderr.contains(secret) && ran.says("created ateliere key `pk_"), "{}", ran.told());
    assert!(ran.says("note: created account `acme`"), "{}", ran.told());

    let listed = folder.json("keys list");
    let key = &listed["items"][0];
    assert_eq!((&key["scheme"], &key["state"]), (&json!("ateliere"), &json!("active")));
    assert_eq!((&key["account"], &key["organization"]), (&json!("acme"), &json!("acme")));
    assert_eq!(key["secrets"][0]["fingerprint"].as_str().unwrap().len(), 8);
    // It is known again by its end, now and later.
    let end = format!("…{}", &secret[60..]);
    assert_eq!(key["secrets"][0]["hint"], json!(end));
    assert!(ran.stderr.contains(&format!(", secret {end}")), "{}", ran.told());
    assert!(folder.run("keys list").exits(0).stdout.contains(&end));
    let show = format!("keys show --scheme ateliere --key-id {}", key["key_id"].as_str().unwrap());
    assert_eq!(&folder.json(&show), key);
    for line in ["keys list", "keys list -o json", &show, &format!("{show} -o json")] {
        assert!(!folder.run(line).exits(0).contains(secret), "{line}");
    }
}

#[test]
fn key_ids_are_made_in_the_form_of_the_provider() {
    let folder = Folder::new();
    folder.run("orgs create acme").exits(0);
    let created = folder.json("keys create --scheme ateliere --organization acme");
    assert!(created["key_id"].as_str().unwrap().starts_with("pk_"));
    assert_eq!(created["public_key"], json!(null));

    let created = folder.json("keys create --scheme corezoid");
    assert!(created["key_id"].as_str().unwrap().parse::<u32>().is_ok(), "{created}");
    assert_eq!(created["account"], "default");

    let created = folder.json("keys create --scheme salescloud");
    assert!(created["key_id"].as_str().unwrap().parse::<uuid::Uuid>().is_ok(), "{created}");
    assert_eq!(created["public_key"].as_str().unwrap().len(), 64);
    assert_eq!(created["secret"].as_str().unwrap().len(), 64);

    for scheme in ["ateliere", "corezoid", "salescloud"] {
        let listed = folder.json(&format!("keys list --scheme {scheme}"));
        assert_eq!(listed["items"].as_array().unwrap().len(), 1);
        assert_eq!(listed["items"][0]["scheme"], scheme);
    }
    assert_eq!(folder.json("keys list --organization acme")["items"].as_array().unwrap().len(), 1);
}

#[test]
fn what_is_said_about_a_key_is_stored() {
    let folder = Folder::new();
    folder.run("accounts create ops").exits(0);
    let line = "keys create --scheme corezoid --key-id 13000 --account ops --not-before 2020-01-01 \
                --expires-at 2020-02-01T12:00:00Z";
    let created = folder.json(line);
    assert_eq!(created["not_before"], "2020-01-01T00:00:00Z");
    assert_eq!(created["expires_at"], "2020-02-01T12:00:00Z");
    let shown = folder.json("keys show --scheme corezoid --key-id 13000");
    for field in ["key_id", "account", "organization", "not_before", "expires_at"] {
        assert_eq!(shown[field], created[field], "{field}");
    }
    assert_eq!(shown["state"], "expired");
    assert_eq!(shown["secrets"][0]["fingerprint"], created["fingerprint"]);
    let text = folder.run("keys show --scheme corezoid --key-id 13000").exits(0).stdout;
    assert!(text.contains("expires at    2020-02-01T12:00:00Z"), "{text}");
    folder.run("keys create --scheme corezoid --key-id 2 --not-before 9000-01-01").exits(0);
    assert_eq!(folder.json("keys show --scheme corezoid --key-id 2")["state"], "pending");
}

#[test]
fn a_secret_can_go_into_a_new_file_instead() {
    let folder = Folder::new();
    let ran = folder.run("keys create --scheme corezoid --key-id 1 --secret-out secret").exits(0);
    assert!(ran.stdout.is_empty() && ran.says("the secret is in secret"), "{}", ran.told());
    let secret = fs::read_to_string(folder.path("secret")).unwrap();
    assert!(secret.len() == 64 && !ran.contains(&secret));
    assert_eq!(mode(&folder.path("secret")), 0o600);

    // It is never overwritten, and no key is made whose secret went nowhere.
    let ran = folder.run("keys create --scheme corezoid --key-id 2 --secret-out secret -o json").exits(1);
    assert_eq!(ran.error()["code"], "io");
    assert_eq!(fs::read_to_string(folder.path("secret")).unwrap(), secret);
    folder.run("keys show --scheme corezoid --key-id 2").exits(4);
    // Nor is a file left for a key that was not made.
    folder.run("keys create --scheme corezoid --key-id 1 --secret-out other").exits(1);
    assert!(!folder.path("other").exists());
}

#[test]
fn a_providers_secret_is_taken_as_it_is() {
    let folder = Folder::new();
    folder.write_secret("plain", SECRET);
    folder.write_secret("line", format!("{SECRET}\n"));
    folder.write_secret("crlf", format!("{SECRET}\r\n"));
    let import =
        |key_id: u32, source: &str| format!("keys import --scheme corezoid --key-id {key_id} {source}");
    let ran = folder.run(&import(1, "--secret-file plain")).exits(0);
    assert!(ran.stdout.is_empty() && !ran.stderr.contains("note: the line end"), "{}", ran.told());
    for (key_id, file) in [(2, "line"), (3, "crlf")] {
        let ran = folder.run(&import(key_id, &format!("--secret-file {file}"))).exits(0);
        assert!(ran.says("note: the line end"), "{}", ran.told());
    }
    folder.run_with_stdin(&import(4, "--secret-stdin"), format!("{SECRET}\n")).exits(0);
    let ran = folder.run_with_stdin(&import(5, "--secret-stdin"), format!(" {SECRET}\n\n")).exits(0);
    assert!(ran.says("warning: the secret in stdin begins or ends with white space"), "{}", ran.told());

    // The same secret signs the same; the one with white space around it does not.
    let sign = |key: &str| {
        folder
            .run(&format!("sign --scheme corezoid --url http://a/api/2/json --as url --now 1 {key}"))
            .exits(0)
    };
    let signature = |url: &str| url.rsplit('/').next().unwrap().to_owned();
    let expected = signature(&sign("--key-id 9 --secret-file plain").stdout);
    for key_id in 1..=4 {
        assert_eq!(signature(&sign(&format!("--key-id {key_id}")).stdout), expected);
    }
    assert_ne!(signature(&sign("--key-id 5").stdout), expected);
}

#[test]
fn an_import_document_never_holds_the_secret() {
    let folder = Folder::new();
    folder.write_secret("secret", SECRET);
    let line = "keys import --scheme corezoid --key-id 1 --secret-file secret -o json";
    let ran = folder.run(line).exits(0);
    assert!(!ran.contains(SECRET), "{}", ran.told());
    assert_eq!(ran.json()["fingerprint"].as_str().unwrap().len(), 8);
    assert!(ran.json().get("secret").is_none());
}

#[test]
fn secrets_that_are_none_are_refused() {
    let folder = Folder::new();
    let import = |secret: &str, more: &str| {
        folder.write_secret("secret", secret);
        let line = format!("keys import --scheme corezoid --key-id 1 --secret-file secret {more} -o json");
        folder.run(&line).exits(1).error()["code"].clone()
    };
    assert_eq!(import("", ""), "bad_secret");
    assert_eq!(import(" \n", "--allow-weak"), "bad_secret");
    assert_eq!(import("01234567890123456789", "--allow-weak"), "bad_secret");
    assert_eq!(import("short", ""), "weak_secret");
    folder.run("keys import --scheme corezoid --key-id 1 --secret-file secret --allow-weak").exits(0);
}

#[test]
fn apps_are_installed_and_removed() {
    let folder = Folder::new();
    let organization = "7b371391-1561-4cac-8f86-9b7bcba83db2";
    folder.run(&format!("orgs create {organization}")).exits(0);
    let created = folder.json("keys create --scheme salescloud");
    let key_id = created["key_id"].as_str().unwrap();
    let installed = folder.json(&format!("orgs install {organization} --key-id {key_id}"));
    let expected = json!({
        "organization": organization, "scheme": "salescloud", "key_id": key_id, "installed": true,
    });
    assert_eq!(installed, expected);
    let app = json!([{ "scheme": "salescloud", "key_id": key_id }]);
    assert_eq!(folder.json("orgs list")["items"][0]["apps"], app);
    assert!(folder.run("orgs list").exits(0).stdout.contains(key_id));

    let uninstall = format!("orgs uninstall {organization} --key-id {key_id}");
    let ran = folder.run(&uninstall).exits(0);
    assert!(ran.says("removed salescloud app"), "{}", ran.told());
    assert_eq!(folder.run(&format!("{uninstall} -o json")).exits(4).error()["code"], "not_found");
    assert_eq!(folder.json("orgs list")["items"][0]["apps"], json!([]));

    // An app that belongs to an organization may act for it from the beginning.
    folder.run(&format!("keys create --scheme salescloud --organization {organization}")).exits(0);
    assert_eq!(folder.json("orgs list")["items"][0]["apps"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_new_key_works_at_once_where_the_database_is_open_already() {
    let folder = Folder::new();
    folder.run("migrate").exits(0);
    let keyring = Keyring::load(&folder.path("data/keyring")).unwrap();
    let url = format!("sqlite://{}", folder.path("data/countersign.db").display());
    let store = SqliteKeyStore::open(&url, keyring, SystemClock).await.unwrap();
    let is_there = async || match store.find(Lookup::Key { scheme: "corezoid", key_id: "13000" }) {
        Found::Pending(record) => record.await.unwrap().is_some(),
        Found::Ready(record) => record.is_some(),
    };
    assert!(!is_there().await);
    folder.run("keys create --scheme corezoid --key-id 13000").exits(0);
    assert!(is_there().await);
}

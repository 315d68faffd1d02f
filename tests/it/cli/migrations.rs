//! Keys that come, change and go through SQL migrations alone, on both engines.

use super::{Folder, mode};
use crate::support::postgres::Database;
use serde_json::{Value, json};
use sha2::Digest as _;
use std::fs;

/// Runs tests over both engines.
macro_rules! on_both_engines {
    ($($test:ident)+) => {
        mod sqlite {
            use super::*;
            $(#[test]
            fn $test() {
                super::$test(&Folder::new());
            })+
        }

        mod postgres {
            use super::*;
            $(#[tokio::test]
            async fn $test() {
                let database = Database::empty().await;
                super::$test(&Folder::with_database(database.url()));
            })+
        }
    };
}

pub(super) use on_both_engines;

on_both_engines! {
    a_client_is_created_and_rotated
    a_key_is_created_rotated_and_revoked
    a_migration_that_does_not_fit_changes_nothing
    an_app_and_its_limits_come_along
    any_name_can_stand_in_a_migration
    no_more_than_three_secrets_work_at_once
    the_secret_stands_in_no_migration
}

const CREATE: &str = "keys create --as sql --scheme corezoid --key-id 13000";
const ROTATE: &str = "keys rotate --as sql --scheme corezoid --key-id 13000";

/// Signs with the secret in a file, and tells the outcome of verifying that with the database.
fn outcome(folder: &Folder, secret: &str) -> Value {
    let sign = "sign --scheme corezoid --key-id 13000 --url https://a.test/api/2/json --as http";
    folder.write("request", folder.run(&format!("{sign} --secret-file {secret}")).exits(0).stdout);
    let ran = folder.run("verify --scheme corezoid --request request -o json");
    assert!([0, 3].contains(&ran.code), "{}", ran.told());
    ran.json()["outcome"].clone()
}

fn a_key_is_created_rotated_and_revoked(folder: &Folder) {
    folder.run("migrate").exits(0);
    let created = folder.json(&format!("{CREATE} --secret-out one"));
    assert_eq!(created["migration"], "migrations/0001_create_corezoid_13000.sql");
    assert_eq!(mode(&folder.path("one")), 0o600);
    assert_eq!(folder.json("keys list")["items"], json!([]), "nothing happens before it is applied");
    folder.run("migrate --dir migrations").exits(0);
    assert_eq!(outcome(folder, "one"), "ok");
    assert_eq!(folder.json("keys list")["items"][0]["secrets"][0]["fingerprint"], created["fingerprint"]);

    let rotated = folder.json(&format!("{ROTATE} --secret-out two"));
    assert_eq!((&rotated["number"], &rotated["secret"]), (&json!(2), &Value::Null));
    folder.run("migrate --dir migrations").exits(0);
    assert_eq!((outcome(folder, "one"), outcome(folder, "two")), (json!("ok_previous_secret"), json!("ok")));

    // The provider's own secret this time, because the last one leaked.
    folder.write_secret("three", "Iw5N12MYleOULxdfMH43SK9ZAmjPyFKt");
    let ran = folder.run(&format!("{ROTATE} --now --secret-file three")).exits(0);
    assert!(ran.stdout.is_empty() && ran.says("wrote migrations/0003_rotate_corezoid_13000.sql"));
    let status = folder.json("migrate --status --dir migrations");
    let pending = json!([{ "version": 3, "name": "rotate corezoid 13000" }]);
    assert_eq!(status["own"], json!({ "applied": 2, "pending": pending }));
    folder.run("migrate --dir migrations").exits(0);
    assert_eq!(outcome(folder, "two"), "bad_signature");
    assert_eq!(outcome(folder, "three"), "ok");

    let revoke = "UPDATE credentials SET state = 'revoked' WHERE scheme = 'corezoid' AND key_id = '13000';";
    folder.write("migrations/0004_revoke.sql", revoke);
    let migrated = folder.json("migrate --dir migrations");
    assert_eq!(migrated["own"], json!({ "applied": 4, "pending": [] }));
    assert_eq!(outcome(folder, "three"), "revoked");
    folder.run("migrate --dir migrations").exits(0);
}

fn a_client_is_created_and_rotated(folder: &Folder) {
    folder.run("migrate").exits(0);
    folder.run("accounts create meters").exits(0);
    let create =
        "clients create --as sql --client-id A1 --account meters --permission sites:read --comment it's";
    let ran = folder.run(create).exits(0);
    let secret = ran.stdout.trim_end();
    assert!(ran.says("wrote migrations/0001_create_client_A1.sql"), "{}", ran.told());
    let file = fs::read_to_string(folder.path("migrations/0001_create_client_A1.sql")).unwrap();
    assert!(!file.contains(secret) && !file.contains(&hex::encode(secret)), "{file}");
    assert_eq!(folder.json("clients list")["items"], json!([]), "nothing happens before it is applied");
    folder.run("migrate --dir migrations").exits(0);
    let shown = folder.json("clients show --client-id A1");
    assert_eq!((&shown["permissions"], &shown["comment"]), (&json!(["sites:read"]), &json!("it's")));
    let hash = hex::encode(sha2::Sha256::digest(secret));
    assert_eq!(shown["secrets"][0]["fingerprint"], hash[..8]);

    folder.write_secret("own", "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo");
    folder.write_secret("short", "only-twenty-one-of-it");
    let rotate = "clients rotate --as sql --client-id A1";
    assert_eq!(folder.json(&format!("{rotate} --secret-file own"))["number"], 2);
    folder.run("migrate --dir migrations").exits(0);
    for _ in 0..2 {
        folder.run(&format!("{rotate} --overlap 7d --secret-out new")).exits(0);
        fs::remove_file(folder.path("new")).unwrap();
        folder.run("migrate --dir migrations").exits(0);
    }
    let shown = folder.json("clients show --client-id A1");
    let numbers: Vec<_> = shown["secrets"].as_array().unwrap().iter().map(|one| &one["number"]).collect();
    assert_eq!(numbers, [4, 3, 2, 1]);
    assert_eq!(
        folder.run(&format!("{rotate} --secret-file short -o json")).exits(1).error()["code"],
        "bad_secret"
    );
    folder.run("clients rotate --as sql --client-id B2").exits(4);
    assert_eq!(folder.json("clients rotate --as sql --client-id B2 --number 2")["number"], 2);
    folder.run("clients rotate --client-id A1 --number 2").exits(2);
}

fn a_migration_that_does_not_fit_changes_nothing(folder: &Folder) {
    folder.run("migrate").exits(0);
    let refused = |reason: &str| {
        let ran = folder.run("migrate --dir migrations -o json").exits(1);
        assert_eq!(ran.error()["code"], "migration_failed");
        assert!(ran.error()["message"].as_str().unwrap().contains(reason), "{}", ran.told());
        assert_eq!(folder.json("orgs list")["items"], json!([]), "the step before it is undone");
    };
    refused("No such file");
    fs::create_dir(folder.path("migrations")).unwrap();
    folder.write("migrations/0001_acme.sql", "INSERT INTO organizations (id) VALUES ('acme');");
    // A keyring that the database does not know seals nothing for it.
    folder.write_secret("ring", "elsewhere/BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=");
    folder.run(&format!("{CREATE} --keyring-file ring")).exits(0);
    refused(if folder.database_url.is_some() { "foreign key" } else { "FOREIGN KEY" });
    fs::remove_file(folder.path("migrations/0002_create_corezoid_13000.sql")).unwrap();
    // Nor does a key go to an account of that name in another place.
    folder.run("accounts create default").exits(0);
    folder.write("migrations/0002_move.sql", "UPDATE accounts SET organization = 'acme';");
    folder.run(CREATE).exits(0);
    refused(if folder.database_url.is_some() { "null value" } else { "NOT NULL" });
    fs::remove_file(folder.path("migrations/0003_create_corezoid_13000.sql")).unwrap();

    folder.run("migrate --dir migrations").exits(0);
    folder.write("migrations/0001_acme.sql", "INSERT INTO organizations (id) VALUES ('acne');");
    let ran = folder.run("migrate --dir migrations").exits(1);
    assert!(ran.says("error: the migrations in migrations cannot be applied"), "{}", ran.told());
}

fn the_secret_stands_in_no_migration(folder: &Folder) {
    folder.run("migrate").exits(0);
    let created = folder.run(CREATE).exits(0);
    let rotated = folder.run(&format!("{ROTATE} --number 2")).exits(0);
    for (ran, file) in [(&created, "0001_create"), (&rotated, "0002_rotate")] {
        let secret = ran.stdout.trim_end();
        assert_eq!((ran.stdout.len(), secret.len()), (65, 64), "{}", ran.told());
        assert!(!ran.stderr.contains(secret));
        let file = fs::read_to_string(folder.path(&format!("migrations/{file}_corezoid_13000.sql"))).unwrap();
        assert!(!file.contains(secret) && !file.contains(&hex::encode(secret)), "{file}");
        assert!(file.contains("unhex('01"), "{file}");
    }
    // Nothing is written for a secret that breaks a rule.
    folder.write_secret("short", "short");
    let line = format!("{ROTATE} --number 3 --secret-file short");
    assert_eq!(folder.run(&format!("{line} -o json")).exits(1).error()["code"], "weak_secret");
    folder.run(&format!("{line} --allow-weak")).exits(0);
    assert_eq!(fs::read_dir(folder.path("migrations")).unwrap().count(), 3);
}

fn an_app_and_its_limits_come_along(folder: &Folder) {
    let organization = "7b371391-1561-4cac-8f86-9b7bcba83db2";
    folder.run("migrate").exits(0);
    folder.run(&format!("orgs create {organization}")).exits(0);
    let line = format!(
        "keys create --as sql --dir steps --scheme salescloud --organization {organization} \
         --not-before 2020-01-01 --expires-at 2120-01-01"
    );
    let created = folder.json(&line);
    folder.run("migrate --dir steps").exits(0);
    let shown = &folder.json("keys list")["items"][0];
    for field in ["key_id", "public_key", "account", "organization", "not_before", "expires_at"] {
        assert_eq!(shown[field], created[field], "{field}");
    }
    let app = json!([{ "scheme": "salescloud", "key_id": created["key_id"] }]);
    assert_eq!(folder.json("orgs list")["items"][0]["apps"], app);
}

fn any_name_can_stand_in_a_migration(folder: &Folder) {
    folder.run("migrate").exits(0);
    let names = ["O'Brien", "x');--", "a\\'b", "söug"];
    for (name, number) in names.iter().zip(1..) {
        folder.run(&format!("orgs create {name}")).exits(0);
        let key_id = format!("pk'{number}");
        folder
            .run(&format!("keys create --as sql --scheme ateliere --key-id {key_id} --organization {name}"))
            .exits(0);
    }
    folder.run("migrate --dir migrations").exits(0);
    let listed = folder.json("keys list");
    let organizations: Vec<_> =
        listed["items"].as_array().unwrap().iter().map(|key| key["organization"].as_str().unwrap()).collect();
    assert_eq!(organizations, names);
}

fn no_more_than_three_secrets_work_at_once(folder: &Folder) {
    folder.run("migrate").exits(0);
    folder.run(&format!("{CREATE} --secret-out 1")).exits(0);
    folder.run("migrate --dir migrations").exits(0);
    for number in 2..=5 {
        folder.run(&format!("{ROTATE} --overlap 7d --secret-out {number}")).exits(0);
        folder.run("migrate --dir migrations").exits(0);
    }
    let outcomes: Vec<_> = (1..=5).map(|number| outcome(folder, &number.to_string())).collect();
    let (off, old) = ("bad_signature", "ok_previous_secret");
    assert_eq!(outcomes, [off, off, old, old, "ok"]);
}

#[test]
fn any_key_of_the_keyring_can_seal() {
    let folder = Folder::new();
    folder.run("migrate").exits(0);
    let old = fs::read_to_string(folder.path("data/keyring")).unwrap();
    let old_id = old.split_once('/').unwrap().0;
    let new = "2027/BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n";
    folder.write_secret("data/keyring", format!("{new}{old}"));
    folder.run("migrate").exits(0);
    folder.run(CREATE).exits(0);
    folder.run(&format!("{ROTATE} --number 2 --keyring-id {old_id}")).exits(0);
    folder.run("migrate --dir migrations").exits(0);
    let shown = folder.json("keys show --scheme corezoid --key-id 13000");
    let sealed_by: Vec<_> = shown["secrets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|secret| secret["keyring_id"].as_str().unwrap())
        .collect();
    assert_eq!(sealed_by, [old_id, "2027"]);
    folder.run(&format!("{ROTATE} --keyring-id nobody")).exits(2);
}

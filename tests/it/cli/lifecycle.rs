//! What becomes of a key after it was made, who did it, and how many come and are sealed at once; on both engines.

use super::{Folder, migrations::on_both_engines};
use crate::support::postgres::Database;
use serde_json::{Value, json};
use std::fmt::Write as _;

on_both_engines! {
    a_key_expires_when_it_is_told
    a_key_is_off_and_on_and_revoked
    a_key_is_rotated_at_once_or_by_and_by
    many_keys_come_from_a_file
    the_audit_log_tells_who_and_why
    the_keyring_is_replaced
    who_still_uses_an_older_secret_is_told
}

const KEY: &str = "--scheme corezoid --key-id 13000";

fn with_key(folder: &Folder) {
    folder.run("migrate").exits(0);
    folder.run(&format!("keys create {KEY} --secret-out one")).exits(0);
}

/// Signs with the secret in a file, and tells the outcome of verifying that with the database.
fn outcome(folder: &Folder, secret: &str) -> Value {
    let sign = format!("sign {KEY} --url https://a.test/api/2/json --as http --secret-file {secret}");
    folder.write("request", folder.run(&sign).exits(0).stdout);
    let ran = folder.run("verify --scheme corezoid --request request -o json");
    assert!([0, 3].contains(&ran.code), "{}", ran.told());
    ran.json()["outcome"].clone()
}

fn state(folder: &Folder) -> Value {
    folder.json(&format!("keys show {KEY}"))["state"].clone()
}

fn a_key_is_rotated_at_once_or_by_and_by(folder: &Folder) {
    with_key(folder);
    let ran = folder.run(&format!("keys rotate {KEY}")).exits(0);
    assert_eq!((ran.stdout.len(), ran.stderr.contains(ran.stdout.trim_end())), (65, false), "{}", ran.told());
    let told = ran.says("stored secret 2 (…") && ran.contains(" of corezoid key `13000`");
    assert!(told, "{}", ran.told());
    folder.write_secret("two", ran.stdout);
    assert_eq!((outcome(folder, "one"), outcome(folder, "two")), (json!("ok_previous_secret"), json!("ok")));

    let rotated = folder.json(&format!("keys rotate {KEY} --overlap 7d --secret-out three"));
    assert_eq!((&rotated["number"], &rotated["secret_file"]), (&json!(3), &json!("three")));
    let ran = folder.run(&format!("keys rotate {KEY} --secret-out four -o json")).exits(1);
    assert_eq!(ran.error()["code"], "many_secrets");
    let shown = folder.json(&format!("keys show {KEY}"));
    let first_end = shown["secrets"][2]["retires_at"].as_str().unwrap();
    assert!(ran.error()["hint"].as_str().unwrap().contains(first_end), "{}", ran.told());
    assert!(!folder.path("four").exists(), "no file is left for a secret that is none");

    // Nobody is asked where nobody is.
    let now = format!("keys rotate {KEY} --now --reason leaked --secret-out four");
    assert_eq!(folder.run(&format!("{now} -o json")).exits(2).error()["code"], "usage");
    folder.run(&format!("{now} --yes")).exits(0);
    let off = json!("bad_signature");
    assert_eq!((outcome(folder, "one"), outcome(folder, "three")), (off.clone(), off));
    assert_eq!(outcome(folder, "four"), "ok");

    let long = folder.run(&format!("keys rotate {KEY} --overlap 8d -o json")).exits(1);
    assert_eq!(long.error()["code"], "long_overlap");
    let rotated = folder.json(&format!("keys rotate {KEY} --overlap 8d --force"));
    assert!(rotated["older_retire_at"].is_string());

    // SalesCloud's console replaces a secret at once, and so does this.
    let app = folder.json("keys create --scheme salescloud")["key_id"].as_str().unwrap().to_owned();
    let rotated = folder.json(&format!("keys rotate --scheme salescloud --key-id {app} --yes"));
    assert_eq!(rotated["number"], 2);
    let shown = folder.json(&format!("keys show --scheme salescloud --key-id {app}"));
    assert_eq!(shown["secrets"][1]["retires_at"], rotated["older_retire_at"]);
    assert!(rotated["older_retire_at"].as_str() <= shown["secrets"][0]["created_at"].as_str());
}

fn a_key_is_off_and_on_and_revoked(folder: &Folder) {
    with_key(folder);
    assert_eq!(folder.json(&format!("keys disable {KEY} --reason unpaid"))["state"], "disabled");
    assert_eq!(outcome(folder, "one"), "disabled");
    folder.run(&format!("keys disable {KEY}")).exits(0);
    assert!(folder.run(&format!("keys enable {KEY}")).exits(0).says("switched on corezoid key `13000`"));
    assert_eq!(outcome(folder, "one"), "ok");

    assert_eq!(folder.run(&format!("keys revoke {KEY} -o json")).exits(2).error()["code"], "usage");
    assert_eq!(state(folder), "active", "nobody said yes");
    for _ in 0..2 {
        folder.run(&format!("keys revoke {KEY} --yes --reason stolen")).exits(0);
    }
    assert_eq!(outcome(folder, "one"), "revoked");
    for line in ["enable", "disable", "rotate", "expire --at never"] {
        let ran = folder.run(&format!("keys {line} {KEY} -o json")).exits(1);
        assert_eq!(ran.error()["code"], "revoked", "{}", ran.told());
    }
    assert_eq!(folder.run(&format!("keys create {KEY} -o json")).exits(1).error()["code"], "exists");
    for line in ["enable", "disable", "rotate", "revoke --yes", "expire --at never"] {
        folder.run(&format!("keys {line} --scheme corezoid --key-id 7")).exits(4);
    }
}

fn a_key_expires_when_it_is_told(folder: &Folder) {
    with_key(folder);
    let set = |limits: &str| folder.json(&format!("keys expire {KEY} {limits}"));
    assert_eq!(set("--at 2020-01-31")["state"], "expired");
    assert_eq!(outcome(folder, "one"), "expired");
    assert_eq!(set("--at 9000-01-31")["expires_at"], "9000-01-31T00:00:00Z");
    assert_eq!(set("--not-before 8999-01-31")["state"], "pending");
    assert_eq!(outcome(folder, "one"), "not_yet_valid");
    let ran = folder.run(&format!("keys expire {KEY} --at 8999-01-31 -o json")).exits(1);
    assert_eq!(ran.error()["code"], "invalid");
    let set = |limits: &str| folder.json(&format!("keys expire {KEY} {limits}"));
    assert_eq!(set("--not-before never")["not_before"], json!(null));
    assert_eq!(set("--at never")["expires_at"], json!(null));
    assert_eq!(outcome(folder, "one"), "ok");
    folder.run(&format!("keys expire {KEY}")).exits(2);
}

fn the_audit_log_tells_who_and_why(folder: &Folder) {
    with_key(folder);
    folder.run(&format!("keys disable {KEY} --actor ada --reason unpaid")).exits(0);
    folder.run("orgs create acme --actor bob").exits(0);
    let listed = folder.json("audit list --by ada");
    let entry = &listed["items"][0];
    for (field, expected) in [
        ("actor", "ada"),
        ("reason", "unpaid"),
        ("verb", "disable"),
        ("subject", "key"),
        ("scheme", "corezoid"),
        ("key_id", "13000"),
    ] {
        assert_eq!(entry[field], expected, "{field}");
    }
    assert_eq!((&entry["before"]["state"], &entry["after"]["state"]), (&json!("active"), &json!("disabled")));
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);

    let page = folder.json("audit list --limit 2");
    assert_eq!(page["items"][0]["name"], "acme");
    assert_eq!((&page["items"][1], &page["next"]), (entry, &entry["id"]));
    let before = format!("audit list --before {} {KEY}", page["next"]);
    let verbs = folder.json(&before);
    let verbs: Vec<_> = verbs["items"].as_array().unwrap().iter().map(|entry| &entry["subject"]).collect();
    assert_eq!(verbs, ["secret", "key"], "the making of the key came before");
    assert_eq!(folder.json("audit list --since 9000-01-01")["items"], json!([]));
    let table = folder.run("audit list").exits(0).stdout;
    assert!(
        table.contains("ada") && table.contains("disable key") && table.contains("state disabled"),
        "{table}"
    );
}

fn who_still_uses_an_older_secret_is_told(folder: &Folder) {
    with_key(folder);
    folder.run(&format!("keys rotate {KEY} --secret-out two")).exits(0);
    let listed = folder.json("keys usage");
    let roles: Vec<_> = listed["items"].as_array().unwrap().iter().map(|row| &row["role"]).collect();
    assert_eq!(roles, ["current", "retiring"]);
    assert_eq!(listed["items"][0]["last_used_at"], json!(null));
    assert_eq!(folder.json("keys usage --previous")["items"], json!([]));
    // As a server does, once a minute.
    folder.write(
        "migrations/0001_use.sql",
        "UPDATE secret_versions SET last_used_at = 1900000000 WHERE number = 1;",
    );
    folder.run("migrate --dir migrations").exits(0);
    let listed = folder.json(&format!("keys usage --previous {KEY}"));
    assert_eq!(listed["items"][0]["number"], 1);
    assert_eq!(listed["items"][0]["last_used_at"], "2030-03-17T17:46:40Z");
    assert!(folder.run("keys usage").exits(0).stdout.contains("retiring"));
}

fn the_keyring_is_replaced(folder: &Folder) {
    with_key(folder);
    folder.run(&format!("keys rotate {KEY} --secret-out two")).exits(0);
    let old = std::fs::read_to_string(folder.path("data/keyring")).unwrap();
    let old_id = old.split_once('/').unwrap().0;
    let new = "2027/BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n";
    folder.write_secret("data/keyring", format!("{new}{old}"));

    let plan = folder.json("keys rewrap --plan");
    assert_eq!((&plan["rewrapped"], &plan["pending"]), (&json!(0), &json!(2)));
    let done = folder.json("keys rewrap --reason yearly");
    assert_eq!(
        (&done["rewrapped"], &done["pending"], &done["forgotten"]),
        (&json!(2), &json!(0), &json!([]))
    );
    folder.write_secret("data/keyring", new);
    folder.run("keys list").exits(5);
    folder.write_secret("data/keyring", format!("{new}{old}"));
    let done = folder.json("keys rewrap --forget");
    assert_eq!((&done["rewrapped"], &done["forgotten"]), (&json!(0), &json!([old_id])));
    assert_eq!(done["keyring"], json!([{ "keyring_id": "2027", "active": true, "secrets": 2 }]));
    folder.write_secret("data/keyring", new);
    assert_eq!((outcome(folder, "one"), outcome(folder, "two")), (json!("ok_previous_secret"), json!("ok")));

    // The environment will do where there is no place for a file.
    std::fs::remove_file(folder.path("data/keyring")).unwrap();
    folder.run("keys list").exits(5);
    let mut command = folder.command("keys list");
    assert!(command.env("COUNTERSIGN_KEYRING", new).output().unwrap().status.success());
    assert!(!command.env("COUNTERSIGN_KEYRING", "2027/short").output().unwrap().status.success());
}

fn many_keys_come_from_a_file(folder: &Folder) {
    folder.run("migrate").exits(0);
    folder.run("orgs create acme").exits(0);
    let mut lines = String::new();
    for number in 0..2500 {
        let key = json!({
            "scheme": "ateliere", "key_id": format!("pk_{number}"), "organization": "acme",
            "secret": format!("the secret of key {number}"), "expires_at": "2120-01-01",
        });
        writeln!(lines, "{key}").unwrap();
    }
    folder.write_secret("keys.jsonl", &lines);
    let imported = folder.json("keys import --from keys.jsonl");
    assert_eq!(imported, json!({ "imported": 2500, "skipped": 0 }));
    let shown = folder.json("keys show --scheme ateliere --key-id pk_2499");
    assert_eq!((&shown["account"], &shown["expires_at"]), (&json!("acme"), &json!("2120-01-01T00:00:00Z")));

    let ran = folder.run("keys import --from keys.jsonl -o json").exits(1);
    assert_eq!(ran.error()["code"], "exists");
    assert!(ran.error()["message"].as_str().unwrap().starts_with("line 1: "), "{}", ran.told());
    for (line, code) in [
        (r#"{"scheme":"corezoid","key_id":"1","secret":"tiny"}"#, "weak_secret"),
        (r#"{"scheme":"corezoid","key_id":"1"}"#, "bad_line"),
        (r#"{"scheme":"corezoid","key_id":"1","secret":"hunter2hunter2hunter2","typo":1}"#, "bad_line"),
        (r#"{"scheme":"nonsense","key_id":"1","secret":"hunter2hunter2hunter2"}"#, "bad_line"),
        (r#"{"scheme":"ateliere","key_id":"1","secret":"hunter2hunter2hunter2"}"#, "usage"),
        (
            r#"{"scheme":"ateliere","key_id":"1","secret":"hunter2hunter2hunter2","organization":"x"}"#,
            "not_found",
        ),
    ] {
        folder.write_secret("more.jsonl", format!("{lines}{line}\n"));
        let ran = folder.run("keys import --from more.jsonl --skip-existing -o json");
        assert_eq!(ran.error()["code"], code, "{}", ran.told());
        assert!(ran.error()["message"].as_str().unwrap().starts_with("line 2501: "), "{}", ran.told());
        assert!(!ran.contains("hunter2"), "{}", ran.told());
    }
    folder.write_secret(
        "more.jsonl",
        format!("{lines}{}\n", r#"{"scheme":"corezoid","key_id":"1","secret":"another secret"}"#),
    );
    let imported = folder.json("keys import --from more.jsonl --skip-existing --allow-weak");
    assert_eq!(imported, json!({ "imported": 1, "skipped": 2500 }));
    for line in ["--from keys.jsonl --scheme corezoid", "--scheme corezoid", "--key-id 1", ""] {
        folder.run(&format!("keys import {line}")).exits(2);
    }
}

#[test]
fn shells_complete_the_commands() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = folder.run(&format!("completions {shell}")).exits(0).stdout;
        assert!(script.contains("countersign") && script.contains("rewrap"), "{shell}");
    }
    folder.run("completions cmd").exits(2);
    assert!(!folder.path("data").exists());
}

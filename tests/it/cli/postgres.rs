//! The command line over a Postgres server: the same words, the same answers, and a server that is not touched unasked.

use super::Folder;
use crate::support::postgres::Database;
use serde_json::json;
use std::{net::TcpListener, time::Instant};

#[tokio::test]
async fn everything_works_on_a_server_that_was_migrated() {
    let database = Database::empty().await;
    let folder = Folder::with_database(database.url());
    for line in ["keys list", "keys create --scheme corezoid", "orgs create acme"] {
        folder.run(line).exits(5);
        assert!(!folder.path("data/keyring").exists(), "no keyring is made for a database that is not ready");
    }
    let status = folder.json("migrate --status");
    assert_eq!((&status["engine"], &status["applied"]), (&json!("postgres"), &json!(0)));
    let ran = folder.run("migrate").exits(0);
    assert!(ran.says("note: made a new keyring, data/keyring (mode 0600)"), "{}", ran.told());
    assert_eq!(folder.json("migrate --status")["pending"], json!([]));

    folder.run("orgs create acme --name Acme").exits(0);
    folder.run("accounts create ops").exits(0);
    let created = folder.json("keys create --scheme ateliere --organization acme --key-id pk_1");
    folder.run("keys create --scheme corezoid --account ops --key-id 13000").exits(0);
    assert_eq!(folder.run("orgs create acme -o json").exits(1).error()["code"], "exists");
    folder.run("keys show --scheme ateliere --key-id pk_2").exits(4);
    let listed = folder.json("keys list");
    assert_eq!(listed["items"][0]["secrets"][0]["fingerprint"], created["fingerprint"]);
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);

    let sign = "sign --scheme corezoid --key-id 13000 --url https://a.test/api/2/json --as http";
    folder.write("request", folder.run(sign).exits(0).stdout);
    folder.run("verify --scheme corezoid --request request").exits(0);
    folder.run("verify --scheme corezoid --request request --now 1700000000").exits(3);
}

#[tokio::test]
async fn a_server_says_at_once_why_it_lets_nobody_in() {
    let start = Instant::now();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let folder = Folder::with_database(&format!("postgres://me:hunter2@127.0.0.1:{free}/keys"));
    let ran = folder.run("migrate -o json").exits(5);
    let message = ran.error()["message"].as_str().unwrap().to_owned();
    assert!(message.contains("refused") && !ran.contains("hunter2"), "{}", ran.told());
    assert_eq!(ran.error()["code"], "store_unreachable");
    assert!(start.elapsed().as_secs() < 5);
}

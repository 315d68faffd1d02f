//! Requests recorded from the providers' real clients: `verify` gives them the verdict that a server would.

use super::Folder;
use crate::support::vectors::{Wire, read};
use serde_json::Value;

/// A recorded request as it travelled.
fn raw(request: &Value) -> Vec<u8> {
    let wire: Wire = serde_json::from_value(request.clone()).unwrap();
    let mut raw = format!("{} {} HTTP/1.1\r\n", wire.method, wire.target);
    for (name, value) in &wire.headers {
        raw += &format!("{name}: {value}\r\n");
    }
    raw += "\r\n";
    [raw.as_bytes(), &wire.body_b64.0].concat()
}

#[test]
fn corezoids_clients_verify() {
    let folder = Folder::new();
    let recorded: Value = read("corezoid.json");
    let mut count = 0;
    for request in recorded["wire_requests"].as_array().unwrap() {
        if request["canonical"] != "raw-body" {
            continue;
        }
        let time = request["timestamp"].as_str().unwrap();
        folder.write_secret("secret", request["secret"].as_str().unwrap());
        folder.write("request", raw(request));
        let (seconds, lenient) = match time.split_once('.') {
            Some((seconds, _)) => (seconds, "--lenient-time"),
            None => (time, ""),
        };
        // One client downloads by POST, which a server has to open.
        let line = format!(
            "verify --scheme corezoid --request request --secret-file secret --now {seconds} {lenient} \
             --route /api/2/download -o json"
        );
        let ran = folder.run(&line).exits(0);
        assert_eq!(ran.json()["key_id"], request["login"], "{}", ran.told());
        let ran = folder.run(&line.replace(seconds, "1700000000")).exits(3);
        assert!(["stale", "future"].contains(&ran.json()["outcome"].as_str().unwrap()), "{}", ran.told());
        count += 1;
    }
    assert!(count >= 20, "{count} requests");
}

#[test]
fn salesclouds_own_sample_verifies() {
    let folder = Folder::new();
    let recorded: Value = read("salescloud.json");
    let scheme = &recorded["app_scheme"];
    let request = &scheme["wire_requests"][0];
    folder.write_secret("secret", scheme["vectors"][0]["secret"].as_str().unwrap());
    folder.write("request", raw(request));
    let line = "verify --scheme salescloud --request request --secret-file secret";
    folder.run(line).exits(0);
    folder.write_secret("secret", "another secret altogether");
    folder.run(line).exits(3);
}

#[test]
fn ateliers_clients_verify_wherever_a_server_can_know_what_they_signed() {
    let folder = Folder::new();
    let recorded: Value = read("ateliere-connect.json");
    let mut spellings = 0;
    for request in recorded["wire_requests"].as_array().unwrap() {
        folder.write_secret("secret", request["secret"].as_str().unwrap());
        folder.write("request", raw(request));
        let ran = folder.run("verify --scheme ateliere --request request --secret-file secret -o json");
        if request["host_plus_target_equals_signed"] == true {
            assert_eq!(ran.code, 0, "{}", ran.told());
        }
        // A fragment never travels, and nothing says that two hosts are the same.
        if ran.code == 0 {
            let canonical = ran.json()["canonical"].as_str().unwrap().to_owned();
            assert_eq!(canonical, request["signed_payload"].as_str().unwrap());
            spellings += 1;
        }
    }
    assert!(spellings >= 8, "{spellings} requests");
}

//! Requests recorded from the providers' real clients: `verify` gives them the verdict that a server would.

use super::Folder;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

const COREZOID: &str = include_str!("../../vectors/corezoid.json");
const SALESCLOUD: &str = include_str!("../../vectors/salescloud.json");
const ATELIERE: &str = include_str!("../../vectors/ateliere-connect.json");

/// The recording as it travelled.
fn raw(method: &Value, target: &Value, headers: &Value, body: &Value) -> Vec<u8> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut raw = format!("{} {} HTTP/1.1\r\n", text(method), text(target)).into_bytes();
    for header in headers.as_array().unwrap() {
        raw.extend_from_slice(format!("{}: {}\r\n", text(&header[0]), text(&header[1])).as_bytes());
    }
    raw.extend_from_slice(b"\r\n");
    raw.extend_from_slice(&STANDARD.decode(text(body)).unwrap());
    raw
}

#[test]
fn corezoids_clients_verify() {
    let folder = Folder::new();
    let recorded: Value = serde_json::from_str(COREZOID).unwrap();
    let mut count = 0;
    for request in recorded["wire_requests"].as_array().unwrap() {
        if request["canonical"] != "raw-body" {
            continue;
        }
        let time = request["timestamp"].as_str().unwrap();
        folder.write_secret("secret", request["secret"].as_str().unwrap());
        folder.write(
            "request",
            raw(&request["method"], &request["target"], &request["headers"], &request["body_b64"]),
        );
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
    let recorded: Value = serde_json::from_str(SALESCLOUD).unwrap();
    let scheme = &recorded["app_scheme"];
    let request = &scheme["wire_requests"][0];
    folder.write_secret("secret", scheme["vectors"][0]["secret"].as_str().unwrap());
    folder.write(
        "request",
        raw(&request["method"], &request["target"], &request["headers"], &request["body_b64"]),
    );
    let line = "verify --scheme salescloud --request request --secret-file secret";
    folder.run(line).exits(0);
    folder.write_secret("secret", "another secret altogether");
    folder.run(line).exits(3);
}

#[test]
fn ateliers_clients_verify_wherever_a_server_can_know_what_they_signed() {
    let folder = Folder::new();
    let recorded: Value = serde_json::from_str(ATELIERE).unwrap();
    let mut spellings = 0;
    for request in recorded["wire_requests"].as_array().unwrap() {
        folder.write_secret("secret", request["secret"].as_str().unwrap());
        let (method, target) = (&request["wire_method"], &request["wire_target"]);
        folder.write("request", raw(method, target, &request["wire_headers"], &request["wire_body_b64"]));
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

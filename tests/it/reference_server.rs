//! The reference server, as an operator and the providers' clients meet it: the lines it prints work when they are
//! pasted, the documents' own programs get data, and keys made by the command line work at the next request.

use crate::support::{
    client,
    postgres::Database,
    server::{Server, built},
};
use serde_json::Value;
use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

const UUID: &str = "7b371391-1561-4cac-8f86-9b7bcba83db2";
/// What the document calls a simple example request. It is no JSON.
const SAMPLE: &str = "{ \"query\": { systemTimeInMillis } }";

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn printed_lines_work_when_they_are_pasted_and_after_a_restart() {
    let mut server = Server::start(&[]);
    let lines: Vec<_> = server.printed.lines().filter(|line| line.contains("curl")).collect();
    let answers: Vec<_> = lines.iter().map(|line| json(&server.shell(line))).collect();
    assert_eq!(answers[0][0]["data"]["titles"].as_array().map(Vec::len), Some(2), "{}", answers[0]);
    assert_eq!(answers[1]["data"]["appOrganizations"][0]["uuid"], UUID, "{}", answers[1]);
    assert_eq!(answers[2]["data"]["itemsList"].as_array().map(Vec::len), Some(2), "{}", answers[2]);
    assert_eq!(answers[3]["request_proc"], "ok", "{}", answers[3]);
    assert_eq!(answers[4][0]["display_name"], "Northern reservoir", "{}", answers[4]);
    for secret in ["data/demo.env", "data/keyring"] {
        let mode = fs::metadata(server.folder().join(secret)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{secret}");
    }
    assert!(server.stop());
}

#[test]
fn the_documents_own_programs_get_data() {
    let server = Server::start(&[]);
    // Another query is another URL, and still a route.
    let (url, ops) = (format!("{}/graphql?probe=1", server.url), format!("{}/api/2/json", server.url));
    let ateliere = [
        ("BASE_URL", &*url),
        ("KEY_ID", &*server.demo("ATELIERE_KEY_ID")),
        ("ORGANIZATION", &*server.demo("ATELIERE_ORGANIZATION")),
        ("QUERY", "{ titles(limit: 2) { id name } }"),
    ];
    let secret = server.demo("ATELIERE_SECRET");
    for file in ["ateliere.mjs", "ateliere.py", "ateliere.sh"] {
        let (status, body) = client::run(file, &ateliere, &secret, "");
        assert_eq!(
            (status, json(&body)[0]["data"]["titles"].as_array().map(Vec::len)),
            (200, Some(2)),
            "{body}"
        );
        refused(file, &ateliere, &secret, &["body", "url", "organization", "signature"]);
    }
    let app = [
        ("BASE_URL", &*server.url),
        ("KEY_ID", &*server.demo("SALESCLOUD_KEY_ID")),
        ("PUBLIC_KEY", &*server.demo("SALESCLOUD_PUBLIC_KEY")),
        ("ORGANIZATION", UUID),
        ("BODY", SAMPLE),
    ];
    let secret = server.demo("SALESCLOUD_SECRET");
    let (status, body) = client::run("salescloud_axios.cjs", &app, &secret, "");
    assert_eq!((status, json(&body)["data"]["createLog"].is_null()), (200, false), "{body}");
    refused("salescloud_axios.cjs", &app, &secret, &["body", "organization", "signature"]);
    for file in ["salescloud.cjs", "salescloud.py", "salescloud.sh"] {
        // The sample verifies, and then is no GraphQL request.
        let (status, body) = client::run(file, &app, &secret, "");
        assert_eq!((status, json(&body)["errors"][0]["message"].is_string()), (400, true), "{body}");
        refused(file, &app, &secret, &["body", "organization", "signature"]);
    }
    let corezoid = [
        ("BASE_URL", &*ops),
        ("KEY_ID", &*server.demo("COREZOID_KEY_ID")),
        ("BODY", r#"{"ops":[{"id":1,"type":"create","obj":"conv","title":"Тест"}]}"#),
    ];
    let secret = server.demo("COREZOID_SECRET");
    for file in ["corezoid.cjs", "corezoid.py", "corezoid.sh"] {
        let (status, body) = client::run(file, &corezoid, &secret, "");
        assert_eq!((status, &json(&body)["ops"][0]["proc"]), (200, &Value::from("ok")), "{body}");
        refused(file, &corezoid, &secret, &["body", "time", "signature"]);
    }
}

/// One byte of anything signed changed: 401.
fn refused(file: &str, settings: &[(&str, &str)], secret: &str, parts: &[&str]) {
    for part in parts {
        let (status, body) = client::run(file, settings, secret, part);
        assert_eq!(status, 401, "{file} with another {part}: {body}");
    }
}

#[test]
fn keys_made_while_the_server_runs_work_at_the_next_request() {
    keys_work_at_the_next_request(&Server::start(&["--no-demo"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_made_while_a_server_on_postgres_runs_work_at_the_next_request() {
    let database = Database::empty().await;
    let mut server = Server::start_on(database.url());
    keys_work_at_the_next_request(&server);
    let ready = server.shell(&format!("curl --silent --fail {}/readyz", server.url));
    assert_eq!(ready, "ready\n");
    assert!(!server.folder().join("data/demo.env").exists(), "others use the server as well");
    assert!(server.stop());
    // Which secrets were used is written at the end, if the minute is not over before.
    let usage = json(&server.countersign(&["keys", "usage", "--key-id", "pk_made_late", "-o", "json"]));
    let used = |number: usize| usage["items"][number]["last_used_at"].is_string();
    assert!(used(0) && used(1), "{usage}");
}

fn keys_work_at_the_next_request(server: &Server) {
    server.countersign(&["orgs", "create", "acme"]);
    let url = format!("{}/graphql", server.url);
    let settings = [
        ("BASE_URL", &*url),
        ("KEY_ID", "pk_made_late"),
        ("ORGANIZATION", "acme"),
        ("QUERY", "{ me { keyId organization } }"),
    ];
    // Somebody asks for the key before there is one.
    let secret = "a-secret-that-is-not-the-right-one";
    assert_eq!(client::run("ateliere.py", &settings, secret, "").0, 401);
    let create =
        ["keys", "create", "--scheme", "ateliere", "--key-id", "pk_made_late", "--organization", "acme"];
    let secret = server.countersign(&create);
    let (status, body) = client::run("ateliere.py", &settings, &secret, "");
    assert_eq!(status, 200, "{body}");
    assert_eq!(json(&body)[0]["data"]["me"]["keyId"], "pk_made_late", "{body}");
    // The organization in the path must be the verified one.
    for (organization, expected) in [("acme", 200), ("globex", 401)] {
        let url = format!("{}/{organization}/graphql", server.url);
        let mut settings = settings;
        settings[0].1 = &url;
        assert_eq!(client::run("ateliere.py", &settings, &secret, "").0, expected, "{organization}");
    }
    // A new secret works beside the old one, and none does once the key is revoked.
    let change = |verb: &[&str]| {
        let key = ["--scheme", "ateliere", "--key-id", "pk_made_late"];
        server.countersign(&[&["keys"], verb, &key].concat())
    };
    let status = |secret: &str| client::run("ateliere.py", &settings, secret, "").0;
    let second = change(&["rotate"]);
    assert_eq!((status(&secret), status(&second)), (200, 200));
    change(&["disable", "--wait"]);
    assert_eq!((status(&secret), status(&second)), (401, 401));
    change(&["enable", "--wait"]);
    assert_eq!(status(&second), 200);
    change(&["revoke", "--yes", "--wait"]);
    assert_eq!((status(&secret), status(&second)), (401, 401));
}

#[test]
fn a_tolerance_that_is_none_is_refused_with_advice() {
    let ran = Command::new(built("examples/server")).args(["--tolerance", "abc"]).output().unwrap();
    let told = String::from_utf8(ran.stderr).unwrap();
    assert!(!ran.status.success() && told.contains("write whole seconds, or `off`"), "{told}");
}

#[test]
fn demonstration_keys_work_where_nobody_else_can_reach_them_only() {
    let server = Server::start(&[]);
    // SalesCloud signs no host, so that only the key can be what is refused.
    let line =
        server.printed.lines().find(|line| line.contains("salescloud-application")).unwrap().to_owned();
    let ask = |choice: &[&str]| {
        let other = server.another(choice);
        other.shell(&line.replace(&server.url, &other.url))
    };
    assert!(ask(&[]).contains("appOrganizations"));
    assert!(ask(&["--no-demo"]).contains("UNAUTHENTICATED"));
    // A proxy lets strangers in.
    assert!(ask(&["--public-url", "https://api.example.com"]).contains("UNAUTHENTICATED"));
}

#[test]
fn the_command_line_knows_demonstration_keys() {
    let server = Server::start(&[]);
    let key_id = server.demo("COREZOID_KEY_ID");
    let url = format!("{}/api/2/json", server.url);
    let sign = ["sign", "--scheme", "corezoid", "--key-id", &key_id, "--url", &url, "--as", "http"];
    let signed = server.countersign(&sign) + "\r\n\r\n";
    fs::write(server.folder().join("request.http"), signed).unwrap();
    let verify = ["verify", "--scheme", "corezoid", "--request", "request.http", "-o", "json"];
    let report = json(&server.countersign(&verify));
    assert_eq!((&report["valid"], &report["account"]), (&true.into(), &"demo".into()), "{report}");
    assert!(report["notes"].to_string().contains("demonstration key"), "{report}");
}

#[test]
fn every_route_refuses_strangers_but_those_that_are_open() {
    let server = Server::start(&["--no-demo"]);
    let ask = |method: &str, path: &str| -> u16 {
        let line = format!("curl -s -o /dev/null -w '%{{http_code}}' -X {method} '{}{path}'", server.url);
        server.shell(&line).parse().unwrap()
    };
    let signed = "/1/1700000000/c28013c2a2ffe0bd17a7ec3ab7b2f8aa8b5ccf04";
    let guarded = [
        ("POST", "/".to_owned()),
        ("POST", "/graphql".to_owned()),
        ("POST", "/acme/graphql".to_owned()),
        ("POST", format!("/api/1/json{signed}")),
        ("POST", format!("/api/2/json{signed}")),
        ("GET", format!("/user_downloads/conv_1.json{signed}")),
        ("GET", "/v2.0/site".to_owned()),
        ("GET", "/v2.0/site/1".to_owned()),
        ("GET", "/v2.0/site/1/streams".to_owned()),
        ("GET", "/v2.0/stream".to_owned()),
        ("GET", "/v2.0/stream/1".to_owned()),
        ("GET", "/v2.0/stream/1/sample".to_owned()),
        ("GET", "/v2.0/stream/1/sample/last".to_owned()),
        ("GET", "/v2.0/stream/1/sample/range".to_owned()),
        ("DELETE", "/v2.0/site/1".to_owned()),
    ];
    for (method, path) in &guarded {
        assert_eq!(ask(method, path), 401, "{method} {path}");
    }
    // Open by intent: a page, the health of the server, the public keys, and Corezoid's answer to a method that a route
    // does not have. The token endpoint asks for credentials itself.
    for path in ["/", "/healthz", "/readyz", "/.well-known/jwks.json"] {
        assert_eq!(ask("GET", path), 200, "{path}");
    }
    assert_eq!((ask("GET", "/auth/token"), ask("POST", "/auth/token")), (405, 400));
    assert_eq!(ask("PUT", &format!("/api/2/json{signed}")), 405);
    let page = server.shell(&format!("curl -s -i -X GET '{}/api/2/json{signed}'", server.url));
    assert!(page.contains("405") && page.contains("text/html"), "{page}");
    assert!(page.ends_with("The specified method is not allowed against this resource"), "{page}");
    for (method, path) in [
        ("GET", "/graphql"),
        ("DELETE", "/graphql"),
        ("GET", "/no/such/route"),
        ("POST", "/api/3/json/1/1/1"),
    ] {
        assert!([401, 404, 405].contains(&ask(method, path)), "{method} {path}");
    }
}

#[test]
fn a_listener_that_others_can_reach_needs_its_public_url() {
    let folder = tempfile::tempdir().unwrap();
    let start = |arguments: &[&str]| {
        let server = Command::new(built("examples/server"))
            .args(arguments)
            .current_dir(folder.path())
            .env_remove("DATABASE_URL")
            .output()
            .unwrap();
        (server.status.success(), String::from_utf8(server.stderr).unwrap())
    };
    let (success, told) = start(&["--listen", "0.0.0.0:0"]);
    assert!(!success && told.contains("--public-url"), "{told}");
    for url in ["mysql://nowhere/none", "postgres://127.0.0.1:1/none"] {
        let (success, told) = start(&["--database-url", url]);
        assert!(!success && told.starts_with("error: ") && told.lines().count() == 1, "{told}");
    }
}

#[test]
fn a_keyring_that_does_not_belong_to_the_database_is_not_left_behind() {
    let server = Server::start(&[]);
    let folder = server.folder().to_owned();
    let start = |keyring: &str| {
        let mut other = Command::new(built("examples/server"));
        let other = other.args(["--listen", "127.0.0.1:0", "--keyring-file", keyring]);
        let ended = other.current_dir(&folder).env_remove("DATABASE_URL").output().unwrap();
        (ended.status.success(), String::from_utf8(ended.stderr).unwrap())
    };
    for _ in 0..2 {
        let (success, told) = start("data/mistyped");
        assert!(!success && told.contains("the keyring does not belong to this database"), "{told}");
        assert!(!told.contains("made the keyring"), "{told}");
        assert!(!folder.join("data/mistyped").exists());
    }
}

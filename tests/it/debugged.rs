//! Keys under debug: a running server explains their refusals to operators, of no other key, and never to the caller.

use crate::support::{postgres::Database, server::Server};
use countersign::{scheme::Ateliere, secret::Secret, sign::Signer};
use http::Request;
use serde_json::Value;
use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

const KEY: [&str; 4] = ["--scheme", "ateliere", "--key-id", "pk_debugged"];

#[test]
fn refusals_of_a_key_under_debug_are_explained_on_sqlite() {
    explained(&Server::start(&["--no-demo"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_of_a_key_under_debug_are_explained_on_postgres() {
    let database = Database::empty().await;
    explained(&Server::start_on(database.url()));
}

fn explained(server: &Server) {
    server.countersign(&["orgs", "create", "acme"]);
    let create = [&["keys", "create"], &KEY[..], &["--organization", "acme", "-o", "json"]].concat();
    let made: Value = serde_json::from_str(&server.countersign(&create)).unwrap();
    let secret = made["secret"].as_str().unwrap();
    let debug = |until: &str| {
        let words = [&["keys", "debug"], &KEY[..], &["--until", until, "--wait", "-o", "json"]].concat();
        serde_json::from_str::<Value>(&server.countersign(&words)).unwrap()
    };

    let before = refused(server, secret);
    assert_eq!(asked(server, &before).0, Some(4), "nobody wanted to know");

    assert!(debug("2h")["debug_until"].is_string());
    let (code, _) = server.ask(&[&["keys", "debug"], &KEY[..], &["--until", "25h"]].concat());
    assert_eq!(code, Some(1), "a day is the most");
    let id = refused(server, secret);
    let (code, text) = (0..1000).map(|_| asked(server, &id)).find(|asked| asked.0 != Some(4)).unwrap();
    assert_eq!(code, Some(3));
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["request_id"], *id);
    assert_eq!(
        (&document["certain"], &document["hypothesis"]),
        (&Value::Bool(true), &"body_newline_added".into())
    );
    assert_eq!((&document["outcome"], &document["key_id"]), (&"bad_signature".into(), &"pk_debugged".into()));
    assert!(!text.contains(secret), "{text}");
    let (_, told) = server.ask(&["explain", &id, "--server", server.operators()]);
    assert!(told.starts_with("error[bad_signature]: ") && told.contains("help: "), "{told}");

    let audit = server.countersign(&["audit", "list", "--key-id", "pk_debugged", "-o", "json"]);
    assert!(audit.contains("debug_until"), "{audit}");
    assert!(debug("never")["debug_until"].is_null());
    assert_eq!(asked(server, &refused(server, secret)).0, Some(4), "nobody wants to know any more");
}

/// What the server keeps under a name.
fn asked(server: &Server, id: &str) -> (Option<i32>, String) {
    server.ask(&["explain", id, "--server", server.operators(), "-o", "json"])
}

/// Sends a request that was signed with a newline behind its body, and returns the name of its refusal. The caller
/// learns nothing else.
fn refused(server: &Server, secret: &str) -> String {
    let host = server.url.strip_prefix("http://").unwrap();
    let body = r#"[{"query":"{ titles { id } }"}]"#;
    let signer = Signer::new(Ateliere::default(), KEY[3], &Secret::new(secret).unwrap());
    let mut request = Request::post("/graphql").header("host", host).body(format!("{body}\n")).unwrap();
    signer.with_organization("acme").sign(&mut request).unwrap();
    let mut wire = "POST /graphql HTTP/1.1\r\nConnection: close\r\n".to_owned();
    for (name, value) in request.headers() {
        wire += &format!("{name}: {}\r\n", value.to_str().unwrap());
    }
    wire += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
    let mut stream = TcpStream::connect(host).unwrap();
    stream.write_all(wire.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    assert!(!answer.contains("newline") && !answer.contains("explain"), "{answer}");
    let id = answer.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap();
    id.trim().to_owned()
}

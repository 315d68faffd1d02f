//! What a running server finds out about refused tokens and requests for them, for clients under debug; a sample of all
//! refusals in the database; and a development server, which alone tells its callers why.

use crate::support::{planted::plant, postgres::Database, server::Server};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use http::Request;
use serde_json::Value;
use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

const EXPLANATION: &str = "x-countersign-explanation: ";

/// A request for a token, or one with a token; the id of its refusal, and whether its answer explains anything.
fn refused(server: &Server, path: &str, authorization: &str) -> (String, String) {
    let request = match path {
        "/auth/token" => Request::post(path).header("content-type", "application/x-www-form-urlencoded"),
        _ => Request::get(path),
    };
    let request = request.header("authorization", authorization);
    let (status, head, body) =
        server.send(&request.body("grant_type=client_credentials".to_owned()).unwrap());
    // What is no base64 is not well-formed, and said to be so.
    assert!(status == 401 || (status, path) == (400, "/auth/token"), "{head}\n{body}");
    let id = head.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap().trim().to_owned();
    (id, format!("{head}\n{body}"))
}

/// What the server keeps under an id.
fn kept(server: &Server, id: &str) -> Option<Value> {
    let (code, text) = server.ask(&["explain", id, "--server", server.operators(), "-o", "json"]);
    (code != Some(4)).then(|| serde_json::from_str(&text).unwrap())
}

fn explained(server: &Server, id: &str) -> Value {
    (0..1_000).find_map(|_| kept(server, id)).unwrap()
}

fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{id}:{secret}")))
}

/// A client, its secret, and a token of it.
fn client(server: &Server) -> (String, String, String) {
    server.countersign(&["accounts", "create", "ada"]);
    let made = server.countersign(&["clients", "create", "--account", "ada", "-o", "json"]);
    let made: Value = serde_json::from_str(&made).unwrap();
    let (id, secret) = (made["client_id"].as_str().unwrap(), made["secret"].as_str().unwrap());
    let request = Request::post("/auth/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("authorization", basic(id, secret))
        .body("grant_type=client_credentials".to_owned());
    let (status, _, body) = server.send(&request.unwrap());
    assert_eq!(status, 200, "{body}");
    let issued: Value = serde_json::from_str(&body).unwrap();
    let token = issued["access_token"].as_str().unwrap();
    plant(token.rsplit('.').next().unwrap());
    plant(&BASE64_STANDARD.encode(format!("{id}:{secret}")));
    (id.to_owned(), secret.to_owned(), token.to_owned())
}

fn clients_under_debug(server: &Server) {
    let (id, secret, token) = client(server);
    let requests = [
        ("/auth/token", basic(&id, &format!("{secret}\n")), "basic_newline"),
        ("/auth/token", basic(&secret, &id), "basic_swapped"),
        ("/auth/token", format!("Basic {id}:{secret}"), "not_base64"),
        ("/v2.0/site", format!("Bearer \"{token}\""), "token_quoted"),
        ("/v2.0/site", token.clone(), "scheme_word"),
        ("/v2.0/site", format!("Bearer {}", token.rsplit_once('.').unwrap().0), "token_parts"),
    ];
    let before = requests.each_ref().map(|(path, authorization, _)| refused(server, path, authorization).0);
    let debug = ["clients", "debug", "--client-id", &id, "--until", "2h", "--wait", "-o", "json"];
    let debugged: Value = serde_json::from_str(&server.countersign(&debug)).unwrap();
    assert!(debugged["debug_until"].is_string(), "{debugged}");
    for (path, authorization, hypothesis) in &requests {
        let (request_id, answer) = refused(server, path, authorization);
        let document = explained(server, &request_id);
        assert_eq!(document["hypothesis"], *hypothesis, "{document}");
        assert!(!answer.contains(hypothesis) && !answer.contains(EXPLANATION), "{answer}");
    }
    assert!(before.iter().all(|id| kept(server, id).is_none()), "nobody wanted to know");
    let (nobody, _) = refused(server, "/auth/token", &basic("nobody", &secret));
    let long = ["clients", "debug", "--client-id", &id, "--until", "25h"];
    assert_eq!(server.ask(&long).0, Some(1), "a day is the most");
    server.countersign(&["clients", "debug", "--client-id", &id, "--until", "never", "--wait"]);
    let (after, _) = refused(server, "/auth/token", &requests[0].1);
    assert!(kept(server, &nobody).is_none() && kept(server, &after).is_none());

    // A recording of a token tells the same, by the database.
    let recorded = format!("GET /v2.0/site HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \"{token}\"\r\n\r\n");
    std::fs::write(server.folder().join("token.http"), recorded).unwrap();
    let (code, told) =
        server.ask(&["explain", "--scheme", "ayyeka", "--request", "token.http", "-o", "json"]);
    let document: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(
        (code, &document["certain"], &document["hypothesis"]),
        (Some(3), &true.into(), &"token_quoted".into())
    );
    assert!(!told.contains(&token[token.len() - 40..]), "{told}");

    // All of them, and what nobody wanted to know, are in the sample, up to five of a kind.
    let listed = |words: &[&str]| {
        let words = [&["audit", "refusals", "-o", "json"], words].concat();
        let document: Value = serde_json::from_str(&server.countersign(&words)).unwrap();
        document["items"].as_array().unwrap().clone()
    };
    let start = Instant::now();
    while listed(&["--request-id", &after]).is_empty() {
        assert!(start.elapsed() < Duration::from_secs(60), "one interval is a second");
    }
    let [row] = &listed(&["--request-id", &after])[..] else { panic!("one") };
    assert_eq!((&row["outcome"], &row["scheme"]), (&"bad_signature".into(), &"client-credentials".into()));
    assert_eq!(row["key_id"], *id);
    let [row] = &listed(&["--request-id", &nobody])[..] else { panic!("one") };
    assert_eq!((&row["outcome"], &row["key_id"]), (&"unknown_key".into(), &Value::Null));
    assert!(listed(&["--outcome", "bad_signature", "--key-id", &id]).len() >= 3);
    let table = server.countersign(&["audit", "refusals", "--limit", "2"]);
    assert!(table.starts_with("AT") && table.lines().count() >= 3, "{table}");
    let outcomes = server.countersign(&["stats", "--by", "outcome", "-o", "json"]);
    assert!(outcomes.contains("unknown_key"), "{outcomes}");
}

#[test]
fn refusals_of_clients_under_debug_are_explained_and_sampled_on_sqlite() {
    clients_under_debug(&Server::start(&["--no-demo", "--usage-interval", "1"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_of_clients_under_debug_are_explained_and_sampled_on_postgres() {
    let database = Database::empty().await;
    clients_under_debug(&Server::start_on_with(database.url(), &["--usage-interval", "1"]));
}

#[test]
fn a_sample_outlives_an_orderly_end() {
    let mut server = Server::start(&["--no-demo", "--usage-interval", "3600"]);
    let (id, _) = refused(&server, "/v2.0/site", "Bearer a.b.c");
    assert!(server.stop());
    let found = server.countersign(&["audit", "refusals", "--request-id", &id]);
    assert!(found.contains("malformed") && found.contains("ayyeka"), "{found}");
}

/// Refusals of every kind of credentials.
fn kinds(server: &Server) -> Vec<String> {
    let (_, secret, token) = client(server);
    let mut answers = vec![
        refused(server, "/auth/token", &basic("nobody", &secret)).1,
        refused(server, "/v2.0/site", &format!("Bearer '{token}'")).1,
        refused(server, "/v2.0/site", "nothing").1,
    ];
    let post = |path: &str| Request::post(path.to_owned());
    for request in [
        post("/graphql").header("authorization", "ReadAccessToken 'c2VjcmV0LXZhbHVlLW9m'"),
        post("/graphql").header("authorization", "App c2lnbmF0dXJl"),
        post("/graphql").header("oz-key-id", "pk_1").header("oz-signature", "00"),
        post("/graphql"),
        post("/api/2/json/13000/1700000000/0123456789012345678901234567890123456789"),
    ] {
        let (status, head, body) = server.send(&request.body("{}".to_owned()).unwrap());
        assert_eq!(status, 401, "{head}");
        answers.push(format!("{head}\n{body}"));
    }
    answers
}

#[test]
fn a_development_server_tells_its_callers_why() {
    let server = Server::start(&["--no-demo", "--profile", "development"]);
    let answers = kinds(&server);
    for answer in &answers {
        let line = answer
            .lines()
            .find_map(|line| line.strip_prefix(EXPLANATION))
            .unwrap_or_else(|| panic!("{answer}"));
        let document: Value = serde_json::from_str(line).unwrap();
        assert!(document["outcome"].is_string() && document["help"].is_array(), "{document}");
    }
    assert!(answers[1].contains("token_quoted"), "{}", answers[1]);
    assert!(server.log().contains("every refusal tells its caller why"));
    let metrics = server.shell(&format!("curl --silent {}/metrics", server.operators()));
    assert!(metrics.lines().any(|line| line == "countersign_explaining_responses 1"), "{metrics}");
    assert!(metrics.lines().any(|line| line == "countersign_explaining_all 1"), "{metrics}");
}

#[test]
fn no_other_server_does_whatever_it_explains() {
    for arguments in [&["--no-demo"][..], &["--no-demo", "--explain-all"]] {
        let server = Server::start(arguments);
        for answer in kinds(&server) {
            for word in ["explanation", "hypothesis", "certain", "token_quoted"] {
                assert!(!answer.contains(word), "{arguments:?} {word}: {answer}");
            }
        }
        assert!(!server.log().contains("tells its caller why"));
        let metrics = server.shell(&format!("curl --silent {}/metrics", server.operators()));
        assert!(metrics.lines().any(|line| line == "countersign_explaining_responses 0"), "{metrics}");
    }
}

#[test]
fn a_development_server_is_refused_where_strangers_are() {
    for arguments in [
        &["--listen", "0.0.0.0:0", "--public-url", "https://api.example.com"][..],
        &["--listen", "127.0.0.1:0", "--public-url", "https://api.example.com"],
        &["--listen", "0.0.0.0:0"],
    ] {
        let folder = tempfile::tempdir().unwrap();
        let ran = Command::new(crate::support::server::built("examples/server"))
            .args(["--profile", "development"])
            .args(arguments)
            .current_dir(folder.path())
            .env_remove("DATABASE_URL")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(!ran.status.success(), "{arguments:?}");
        let told = String::from_utf8_lossy(&ran.stderr);
        assert!(told.contains("error: ") && told.contains("--public-url"), "{told}");
    }
}

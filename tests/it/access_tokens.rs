//! Access tokens and read tokens at the reference server, as their clients meet them: the vendor's page, the OAuth
//! libraries, and `curl`.

use crate::support::{client, postgres::Database, server::Server};
use serde_json::{Value, json};

const ITEMS: &str = "{ itemsList { title } }";
const CHANGE: &str = r#"mutation { createLog(log: { msg: \"changed\" }) }"#;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Runs a client of the sites API with the demonstration key of `owner`; `tamper` as `tests/clients/README.md` says.
fn run(server: &Server, file: &str, owner: &Server, tamper: &str) -> (u64, String) {
    let key_id = owner.demo("AYYEKA_KEY_ID");
    let settings = [("BASE_URL", &*server.url), ("KEY_ID", &*key_id)];
    client::run(file, &settings, &owner.demo("AYYEKA_SECRET"), tamper)
}

/// Has an OAuth library ask for a token, and for the sites with it. Status 0 means that the library gave up.
fn run_library(server: &Server, library: &str, secret: &str) -> (u64, String) {
    let file = if matches!(library, "authlib" | "requests-oauthlib") { "oauth.py" } else { "oauth.cjs" };
    let (token_url, base_url) = (format!("{}/auth/token", server.url), format!("{}/v2.0/site", server.url));
    let key_id = server.demo("AYYEKA_KEY_ID");
    let settings =
        [("LIBRARY", library), ("TOKEN_URL", &*token_url), ("BASE_URL", &*base_url), ("KEY_ID", &*key_id)];
    client::run(file, &settings, secret, "")
}

/// A fresh token of the demonstration client.
fn token(server: &Server) -> String {
    let line = "(. ./data/demo.env; curl --silent --fail --user \"$AYYEKA_KEY_ID:$AYYEKA_SECRET\" \
                --data grant_type=client_credentials";
    let answer = json(&server.shell(&format!("{line} {}/auth/token)", server.url)));
    answer["access_token"].as_str().unwrap().to_owned()
}

/// Asks with curl's arguments: status and body.
fn ask(server: &Server, path: &str, arguments: &str) -> (u16, String) {
    let line = format!("curl --silent --write-out '\\n%{{http_code}}' {arguments} '{}{path}'", server.url);
    let answer = server.shell(&line);
    let (body, status) = answer.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), body.to_owned())
}

fn graphql(server: &Server, authorization: &str, query: &str) -> (u16, Value) {
    let arguments = format!("--data '{{\"query\":\"{query}\"}}' -H 'Authorization: {authorization}'");
    let (status, body) = ask(server, "/graphql", &arguments);
    (status, json(&body))
}

#[test]
fn the_four_steps_of_ayyekas_page_give_a_token_and_data() {
    let server = Server::start(&[]);
    let (status, body) = run(&server, "ayyeka.sh", &server, "");
    assert_eq!((status, &json(&body)[1]["display_name"]), (200, &json!("Harbour pumping station")), "{body}");
    let (status, body) = run(&server, "ayyeka.sh", &server, "secret");
    assert_eq!((status, &json(&body)["error"]), (401, &json!("invalid_client")), "{body}");
    let (status, body) = run(&server, "ayyeka.sh", &server, "token");
    assert_eq!((status, &json(&body)["message"]), (401, &json!("incorrect credentials")), "{body}");

    let bearer = format!("-H 'Authorization: Bearer {}'", token(&server));
    let last = json(&ask(&server, "/v2.0/stream/1/sample/last", &bearer).1);
    assert_eq!(last["value"], "7.9215", "{last}");
    let (status, missing) = ask(&server, "/v2.0/site/99", &bearer);
    let missing = json(&missing);
    assert_eq!((status, &missing["message"]), (404, &json!("Site not found")));
    assert!(missing["request_id"].as_str().is_some_and(|id| !id.is_empty()), "{missing}");
}

#[test]
fn oauth_libraries_get_data_if_they_take_the_token_type() {
    let server = Server::start(&[]);
    let secret = server.demo("AYYEKA_SECRET");
    for library in ["requests-oauthlib", "authlib", "openid-client"] {
        let (status, body) = run_library(&server, library, &secret);
        assert_eq!(status, 0, "{library}: {body}");
    }
    let takes = |server: &Server, library: &str| {
        let (status, body) = run_library(server, library, &server.demo("AYYEKA_SECRET"));
        assert_eq!((status, json(&body).as_array().map(Vec::len)), (200, Some(2)), "{library}: {body}");
        let (status, body) = run_library(server, library, "a-secret-that-is-nobodys");
        assert_eq!(status, 0, "{library}: {body}");
    };
    takes(&server, "simple-oauth2");
    // A bare token is no credential of RFC 6750.
    assert_eq!(run(&server, "ayyeka_bare.cjs", &server, "").0, 401);

    let server = Server::start(&["--token-type", "Bearer", "--token-auth", "goa"]);
    for library in ["requests-oauthlib", "authlib", "openid-client", "simple-oauth2"] {
        takes(&server, library);
    }
    let (status, body) = run(&server, "ayyeka_bare.cjs", &server, "");
    assert_eq!((status, json(&body).as_array().map(Vec::len)), (200, Some(2)), "{body}");
    assert_eq!(run(&server, "ayyeka_bare.cjs", &server, "token").0, 401);
}

#[test]
fn a_read_token_reads_in_its_organization_and_changes_nothing() {
    let server = Server::start(&[]);
    let reader = format!("ReadAccessToken {}", server.demo("SALESCLOUD_READ_TOKEN"));
    let organization = server.demo("SALESCLOUD_ORGANIZATION");
    let (status, answer) = graphql(&server, &reader, ITEMS);
    assert_eq!((status, answer["data"]["itemsList"].as_array().map(Vec::len)), (200, Some(2)), "{answer}");
    let (_, answer) = graphql(&server, &reader, "{ me { organization scheme } }");
    assert_eq!(
        answer["data"]["me"],
        json!({"organization": organization, "scheme": "salescloud-read-token"})
    );
    for query in [CHANGE, &format!("query Q {ITEMS} {CHANGE}"), "subscription { logs { msg } }"] {
        let (status, answer) = graphql(&server, &reader, query);
        let errors = answer["errors"].as_array().map(Vec::len);
        assert_eq!((status, &answer["data"], errors), (200, &Value::Null, Some(1)), "{answer}");
    }
    let (_, answer) = graphql(&server, &reader, CHANGE);
    let error = &answer["errors"][0];
    assert_eq!(error["message"], "these credentials may only read, and not run a mutation");
    assert_eq!(error["extensions"]["code"], "FORBIDDEN");
    let (_, logs) = graphql(&server, &reader, "{ logs { msg } }");
    assert_eq!(logs["data"]["logs"], json!([]), "{logs}");
}

#[test]
fn a_read_token_is_taken_in_one_place_and_alone() {
    let server = Server::start(&[]);
    let reader = format!("-H 'Authorization: ReadAccessToken {}'", server.demo("SALESCLOUD_READ_TOKEN"));
    let own = format!("/{}/graphql", server.demo("SALESCLOUD_ORGANIZATION"));
    let body = format!("--data '{{\"query\":\"{ITEMS}\"}}'");
    let with = |more: &str| format!("{body} {more}");
    for (path, more, expected) in [
        (&*own, with(""), 200),
        ("/another/graphql", with(""), 401),
        ("/graphql", with("-H 'SalesCloud-Organization: demo-studio'"), 401),
        // Beside other credentials.
        ("/graphql", with("-H 'oz-key-id: pk' -H 'oz-signature: 00'"), 401),
        ("/graphql", with(&format!("-H 'Authorization: Bearer {}'", token(&server))), 401),
        // In a URL, and in a form.
        ("/graphql?query=%7Bme%7Bid%7D%7D", String::new(), 405),
        ("/graphql", "-F 'operations={\"query\":\"{ me { id } }\"}' -F 'map={}'".to_owned(), 400),
        ("/v2.0/site", String::new(), 401),
    ] {
        let (status, answer) = ask(&server, path, &format!("{reader} {more}"));
        assert_eq!(status, expected, "{path} {more}: {answer}");
    }
}

#[test]
fn an_access_token_works_for_graphql_as_well_and_survives_a_restart() {
    let server = Server::start(&[]);
    let bearer = format!("Bearer {}", token(&server));
    let me = "{ me { id organization keyId scheme } }";
    let expected = json!({
        "id": "demo",
        "organization": "2091",
        "keyId": server.demo("AYYEKA_KEY_ID"),
        "scheme": "ayyeka",
    });
    let (_, answer) = graphql(&server, &bearer, me);
    assert_eq!(answer["data"]["me"], expected, "{answer}");
    let (_, answer) = graphql(&server, &bearer, CHANGE);
    assert_eq!(answer["data"]["createLog"], "1", "{answer}");
    let other_word = format!("Token {}", token(&server));
    assert_eq!(graphql(&server, &other_word, me).0, 401);

    let keys = ask(&server, "/.well-known/jwks.json", "").1;
    assert_eq!(json(&keys)["keys"].as_array().map(Vec::len), Some(1), "{keys}");
    let other = server.another(&[]);
    assert_eq!(ask(&other, "/.well-known/jwks.json", "").1, keys);
    assert_eq!(graphql(&other, &bearer, me).1["data"]["me"], expected);
    // What was made for demonstration stops where strangers may come.
    let open = server.another(&["--no-demo"]);
    assert_eq!(graphql(&open, &bearer, me).0, 401);
    assert_eq!(run(&open, "ayyeka.sh", &server, "").0, 401);
    let reader = format!("ReadAccessToken {}", server.demo("SALESCLOUD_READ_TOKEN"));
    assert_eq!((graphql(&other, &reader, ITEMS).0, graphql(&open, &reader, ITEMS).0), (200, 401));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_on_postgres_makes_its_signing_key() {
    let database = Database::empty().await;
    let mut server = Server::start_on(database.url());
    let keys = ask(&server, "/.well-known/jwks.json", "").1;
    let key = &json(&keys)["keys"][0];
    assert_eq!((&key["kty"], &key["alg"]), (&json!("RSA"), &json!("RS384")), "{keys}");
    let guess = "--user somebody:a-secret-that-is-nobodys --data grant_type=client_credentials";
    let (status, answer) = ask(&server, "/auth/token", guess);
    assert_eq!((status, &json(&answer)["error"]), (401, &json!("invalid_client")), "{answer}");
    server.countersign(&["orgs", "create", "2091"]);
    server.countersign(&["accounts", "create", "meters", "--organization", "2091"]);
    let create = "clients create --account meters --organization 2091 --client-id METERS";
    let secret = server.countersign(&create.split(' ').collect::<Vec<_>>());
    let grant = format!("--user METERS:{secret} --data grant_type=client_credentials");
    let (status, answer) = ask(&server, "/auth/token", &grant);
    assert_eq!(status, 200, "{answer}");
    let bearer = format!("-H 'Authorization: Bearer {}'", json(&answer)["access_token"].as_str().unwrap());
    assert_eq!(ask(&server, "/v2.0/site", &bearer), (200, "[]".to_owned()));
    // The other server knows the key that has signed it.
    let other = server.start_another();
    assert_eq!(ask(&other, "/v2.0/site", &bearer).0, 200);
    server.countersign(&["clients", "revoke", "--client-id", "METERS", "--yes", "--wait"]);
    assert_eq!((ask(&server, "/v2.0/site", &bearer).0, ask(&other, "/v2.0/site", &bearer).0), (401, 401));
    assert!(server.stop());
}

#[test]
fn issuer_and_audience_can_be_chosen() {
    let server = Server::start(&[]);
    let other = server.another(&["--token-issuer", "Acme", "--token-audience", "meters"]);
    let line = "(. ./data/demo.env; curl --silent --fail --user \"$AYYEKA_KEY_ID:$AYYEKA_SECRET\" \
                --data grant_type=client_credentials";
    let answer = json(&server.shell(&format!("{line} {}/auth/token)", other.url)));
    let theirs = answer["access_token"].as_str().unwrap();
    let (ours, me) = (token(&server), "{ me { id } }");
    let status = |server, token: &str| graphql(server, &format!("Bearer {token}"), me).0;
    assert_eq!((status(&server, &ours), status(&other, theirs)), (200, 200));
    assert_eq!((status(&server, theirs), status(&other, &ours)), (401, 401));
}

#[test]
fn an_app_acts_where_it_is_installed_and_reaches_without_an_organization_what_needs_none() {
    let server = Server::start(&[]);
    let (app, organization) = (server.demo("SALESCLOUD_KEY_ID"), server.demo("SALESCLOUD_ORGANIZATION"));
    let (public_key, secret) = (server.demo("SALESCLOUD_PUBLIC_KEY"), server.demo("SALESCLOUD_SECRET"));
    let ask = |organization: &str, query: &str| {
        let body = json!({ "query": query }).to_string();
        let settings = [
            ("BASE_URL", &*server.url),
            ("KEY_ID", &*app),
            ("PUBLIC_KEY", &*public_key),
            ("ORGANIZATION", organization),
            ("BODY", &*body),
        ];
        client::run("salescloud.py", &settings, &secret, "")
    };
    assert_eq!(ask(&organization, ITEMS).0, 200);
    // One that does not exist, and one that exists and has no such app.
    let other = "3f1c7a52-8a44-4a3e-9f5e-0c6f7d1b2a90";
    assert_eq!(ask(other, ITEMS).0, 401);
    server.countersign(&["orgs", "create", other]);
    assert_eq!(ask(other, ITEMS).0, 401);

    let (status, body) = ask("", "{ appOrganizations { uuid } systemTimeInMillis me { organization } }");
    assert_eq!(status, 200, "{body}");
    assert_eq!(json(&body)["data"]["appOrganizations"], json!([{ "uuid": organization }]), "{body}");
    for query in [ITEMS, "{ titles { id } }", "{ logs { id } }", "mutation { createLog(log: {msg: \"x\"}) }"]
    {
        let (status, body) = ask("", query);
        assert_eq!((status, &json(&body)["data"]), (200, &Value::Null), "{body}");
        assert_eq!(json(&body)["errors"][0]["message"], "the request names no organization");
    }
    server.countersign(&["orgs", "uninstall", &organization, "--key-id", &app, "--wait"]);
    assert_eq!(ask(&organization, ITEMS).0, 401);
    server.countersign(&["orgs", "install", &organization, "--key-id", &app, "--wait"]);
    assert_eq!(ask(&organization, ITEMS).0, 200);
}

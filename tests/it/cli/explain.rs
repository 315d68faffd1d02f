//! `explain`: what it says of requests that would be refused, to people and to programs.

use super::{Folder, Ran};
use serde_json::{Value, json};

const ORGANIZATION: &str = "7b371391-1561-4cac-8f86-9b7bcba83db2";

/// A folder with a body and a key, whose secret is in the file `secret`.
fn furnished(key: &str) -> (Folder, Value) {
    let folder = Folder::new();
    folder.write("body", r#"[{"query":"{ me }"}]"#);
    folder.run("orgs create acme").exits(0);
    folder.run(&format!("orgs create {ORGANIZATION}")).exits(0);
    let created = folder.json(&format!("keys create {key}"));
    folder.write_secret("secret", created["secret"].as_str().unwrap());
    (folder, created)
}

/// Signs into the file `request`, with `changed` in it replaced by `by`.
fn sign(folder: &Folder, args: &str, [changed, by]: [&str; 2]) {
    let ran = folder.run(&format!("sign {args} --body body --as http")).exits(0);
    assert!(ran.stdout.contains(changed), "{}", ran.told());
    folder.write("request", ran.stdout.replacen(changed, by, 1));
}

fn explain(folder: &Folder, args: &str) -> Ran {
    folder.run(&format!("explain --request request {args}"))
}

#[test]
fn a_cause_is_shown_as_compilers_show_it() {
    let (folder, key) = furnished("--scheme ateliere --organization acme");
    let key_id = key["key_id"].as_str().unwrap();
    let args = format!("--scheme ateliere --key-id {key_id} --url https://a.test/graphql/");
    sign(&folder, &args, ["/graphql/ ", "/graphql "]);
    let ran = explain(&folder, "--scheme ateliere").exits(3);
    let expected = format!(
        r#"error[bad_signature]: the signature does not match (scheme ateliere, key {key_id})
  --> request
   |
   | server signs  {{"url":"a.test/graphql","body":"[{{\"query\":\"{{ me }}\"}}]","organization_slug":"acme"}}
   | client signed {{"url":"a.test/graphql/","body":"[{{\"query\":\"{{ me }}\"}}]","organization_slug":"acme"}}
   |                                     ^ a slash was signed at the end of the path, and not sent
   |
certain: this reproduces the signature that was sent
help: sign the URL that is requested, character for character
"#
    );
    assert_eq!(ran.stdout, expected);
    // The same with the secret alone.
    let with_secret = explain(&folder, "--scheme ateliere --secret-file secret").exits(3);
    assert_eq!(with_secret.stdout, expected);
}

#[test]
fn the_document_has_stable_names() {
    let (folder, key) = furnished("--scheme ateliere --organization acme");
    let key_id = key["key_id"].as_str().unwrap();
    let args = format!("--scheme ateliere --key-id {key_id} --url https://a.test/graphql/");
    sign(&folder, &args, ["/graphql/ ", "/graphql "]);
    let report = explain(&folder, "--scheme ateliere -o json").exits(3).json();
    let mut names: Vec<_> = report.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names.join(" "),
        "canonical causes certain diff expected got guesses help hypothesis key_id notes noticed outcome reason scheme \
         verdict"
    );
    assert_eq!((&report["verdict"], &report["hypothesis"]), (&json!("mismatch"), &json!("url_slash_added")));
    assert_eq!(report["certain"], true);
    assert_eq!(report["diff"], json!([{ "at": 22, "expected": "", "got": "/" }]));
    assert_eq!(report["expected"], report["canonical"]);
    sign(&folder, &args, ["", ""]);
    let report = explain(&folder, "--scheme ateliere -o json").exits(0).json();
    assert_eq!((&report["verdict"], &report["hypothesis"]), (&json!("valid"), &Value::Null));
}

#[test]
fn older_secrets_and_those_of_other_keys_are_recognised() {
    let (folder, key) = furnished("--scheme corezoid --key-id 13000");
    let args = "--scheme corezoid --key-id 13000 --url https://a.test/api/2/json --secret-file secret";
    assert_eq!(key["key_id"], "13000");
    folder.run("keys rotate --scheme corezoid --key-id 13000 --now --yes").exits(0);
    sign(&folder, args, ["", ""]);
    let hypothesis =
        |args: &str| explain(&folder, &format!("{args} -o json")).exits(3).json()["hypothesis"].clone();
    assert_eq!(hypothesis("--scheme corezoid"), "secret_retired");
    let other = folder.json("keys create --scheme corezoid --key-id 13001");
    folder.write_secret("secret", other["secret"].as_str().unwrap());
    sign(&folder, args, ["", ""]);
    assert_eq!(hypothesis("--scheme corezoid"), "secret_of_other_key");
}

#[test]
fn what_is_not_the_signatures_fault_is_said_too() {
    let (folder, key) = furnished(&format!("--scheme salescloud --organization {ORGANIZATION}"));
    let text = |name: &str| key[name].as_str().unwrap();
    let args = format!(
        "--scheme salescloud --key-id {} --public-key {} --organization {ORGANIZATION} --url https://a.test",
        text("key_id"),
        text("public_key")
    );
    sign(&folder, &args, ["", ""]);
    folder.run(&format!("keys disable --scheme salescloud --key-id {}", text("key_id"))).exits(0);
    let ran = explain(&folder, "--scheme salescloud").exits(3);
    assert!(ran.stdout.starts_with("error[disabled]: "), "{}", ran.told());
    assert!(ran.stdout.contains("certain: the signature itself is right\n"), "{}", ran.told());
    sign(&folder, &args, ["App ", "Bearer "]);
    let report = explain(&folder, "--scheme salescloud -o json").exits(3).json();
    assert_eq!((&report["outcome"], &report["hypothesis"]), (&json!("malformed"), &json!("scheme_word")));
    assert_eq!((&report["certain"], report["reason"].is_string()), (&json!(true), true));
    sign(&folder, &args, [text("key_id"), "edadd893-9472-4324-a4db-b1707c563184"]);
    assert_eq!(explain(&folder, "--scheme salescloud -o json").exits(3).json()["outcome"], "unknown_key");
    sign(&folder, &args, ["POST", "PUT"]);
    assert_eq!(explain(&folder, "--scheme salescloud -o json").exits(3).json()["outcome"], "malformed");
    let missing = explain(&folder, "--scheme corezoid -o json").exits(3).json();
    assert_eq!((&missing["outcome"], &missing["certain"]), (&json!("missing"), &json!(false)));
}

#[test]
fn where_nothing_is_proved_guesses_are_called_guesses() {
    let (folder, _) = furnished("--scheme corezoid --key-id 13000");
    folder.write_secret("other", "a secret that nobody else has, of 48 characters.");
    sign(
        &folder,
        "--scheme corezoid --key-id 13000 --url https://a.test/api/2/json --secret-file other",
        ["", ""],
    );
    let ran = explain(&folder, "--scheme corezoid").exits(3);
    assert!(!ran.contains("certain") && ran.stdout.contains("guess: "), "{}", ran.told());
    let report = explain(&folder, "--scheme corezoid -o json").exits(3).json();
    assert_eq!((&report["certain"], &report["hypothesis"]), (&json!(false), &Value::Null));
    assert_eq!(report["guesses"].as_array().unwrap().len(), 3);
}

#[test]
fn requests_for_a_token_are_explained() {
    let folder = Folder::new();
    folder.run("accounts create ada").exits(0);
    let client = folder.json("clients create --client-id reports --account ada");
    let secret = client["client_secret"].as_str().or_else(|| client["secret"].as_str()).unwrap();
    let request = |id: &str, secret: &str| {
        use base64::prelude::{BASE64_STANDARD, Engine as _};
        let basic = BASE64_STANDARD.encode(format!("{id}:{secret}"));
        let form = "Content-Type: application/x-www-form-urlencoded";
        let head = format!("POST /auth/token HTTP/1.1\r\nHost: a\r\n{form}\r\nAuthorization: Basic {basic}");
        folder.write("request", format!("{head}\r\n\r\ngrant_type=client_credentials"));
        explain(&folder, "--scheme ayyeka -o json")
    };
    assert_eq!(request("reports", secret).exits(0).json()["outcome"], "ok");
    let ran = request("reports", &format!("{secret}\n")).exits(3);
    assert_eq!((&ran.json()["hypothesis"], &ran.json()["certain"]), (&json!("basic_newline"), &json!(true)));
    let swapped = request(secret, "reports").exits(3);
    assert_eq!(swapped.json()["hypothesis"], "basic_swapped");
    assert!(!swapped.contains(secret), "{}", swapped.told());
    assert_eq!(request("nobody", "a-secret-of-random-letters").exits(3).json()["outcome"], "unknown_key");
}

#[test]
fn what_is_typed_must_make_sense() {
    let folder = Folder::new();
    for line in [
        "explain",
        "explain --scheme ateliere",
        "explain 4f1c09a2b7d3e856",
        "explain a --scheme ateliere --request r",
    ] {
        folder.run(line).exits(2);
    }
    assert_eq!(
        folder.run("explain a/b --server http://127.0.0.1:1 -o json").exits(2).error()["code"],
        "usage"
    );
    let ran = folder.run("explain 4f1c09a2b7d3e856 --server http://127.0.0.1:1 -o json").exits(5);
    assert_eq!(ran.error()["code"], "server_unreachable");
}

//! `sign` and `verify`: what is signed verifies, for every scheme and in every form, and nothing else does.

use super::{Folder, Ran};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const ORGANIZATION: &str = "7b371391-1561-4cac-8f86-9b7bcba83db2";
const BODY: &str = "{ \"query\": \"{ me }\",\n  \"text\": \"söug\" }\n";

/// A folder with a key of each scheme, and with what `sign` and `verify` need to know about it.
fn furnished() -> (Folder, [(&'static str, String); 5]) {
    let folder = Folder::new();
    folder.write("body", BODY);
    folder.run("orgs create acme").exits(0);
    folder.run(&format!("orgs create {ORGANIZATION}")).exits(0);
    let key = |line: &str| {
        let created = folder.json(&format!("keys create {line}"));
        let scheme = created["scheme"].as_str().unwrap();
        folder.write_secret(&format!("{scheme}.secret"), created["secret"].as_str().unwrap());
        let public_key = created["public_key"].as_str().map(|key| format!(" --public-key {key}"));
        format!("--key-id {}{}", created["key_id"].as_str().unwrap(), public_key.unwrap_or_default())
    };
    let ateliere =
        key("--scheme ateliere --organization acme") + " --organization acme --url https://a.test/graphql?q";
    let corezoid = key("--scheme corezoid") + " --url https://a.test/api/2/json";
    let salescloud = key(&format!("--scheme salescloud --organization {ORGANIZATION}"))
        + &format!(" --organization {ORGANIZATION} --url https://a.test");
    let callback = key("--scheme corezoid-callback") + " --url https://a.test/";
    let webhook = key("--scheme salescloud-webhook") + " --url https://a.test/hook?a=1";
    let keys = [
        ("ateliere", ateliere),
        ("corezoid", corezoid),
        ("corezoid-callback", callback),
        ("salescloud", salescloud),
        ("salescloud-webhook", webhook),
    ];
    (folder, keys)
}

/// Signs with the given secret, or else with the stored one, into the file `request`.
fn sign(folder: &Folder, scheme: &str, args: &str) -> Vec<u8> {
    let line = format!("sign --scheme {scheme} {args} --body body --as http");
    let ran = folder.run(&line).exits(0);
    folder.write("request", &ran.stdout);
    ran.stdout.into_bytes()
}

fn verify(folder: &Folder, scheme: &str, args: &str) -> Ran {
    folder.run(&format!("verify --scheme {scheme} --request request {args}"))
}

#[test]
fn what_is_signed_verifies_with_the_store_and_with_the_secret() {
    let (folder, keys) = furnished();
    for (scheme, args) in &keys {
        let secret = format!("--secret-file {scheme}.secret");
        for how in ["", &secret] {
            sign(&folder, scheme, &format!("{args} {how}"));
            for how in ["", &secret] {
                let ran = verify(&folder, scheme, how).exits(0);
                assert!(ran.stdout.starts_with("valid"), "{}", ran.told());
                assert!(ran.stdout.contains("signature base:\n"), "{}", ran.told());
            }
        }
    }
}

#[test]
fn a_stored_key_brings_what_belongs_to_it() {
    let (folder, keys) = furnished();
    for (scheme, args) in &keys {
        let mut words = args.split_whitespace();
        let key_id = words.by_ref().nth(1).unwrap();
        let url = args.split_whitespace().last().unwrap();
        sign(&folder, scheme, &format!("--key-id {key_id} --url {url}"));
        verify(&folder, scheme, "").exits(0);
    }
}

#[test]
fn a_changed_byte_anywhere_in_the_body_is_found() {
    let (folder, keys) = furnished();
    for (scheme, args) in &keys {
        let signed = sign(&folder, scheme, args);
        let body_at = signed.len() - BODY.len();
        for at in [body_at, body_at + 5, signed.len() - 1] {
            let mut tampered = signed.clone();
            tampered[at] ^= 1;
            folder.write("request", tampered);
            let ran = verify(&folder, scheme, "-o json").exits(3);
            assert_eq!(
                (&ran.json()["valid"], &ran.json()["outcome"]),
                (&json!(false), &json!("bad_signature"))
            );
            assert!(ran.json()["hint"].is_string() && ran.json()["status"] == 401, "{}", ran.told());
        }
    }
}

#[test]
fn the_verdict_is_a_document_with_stable_names() {
    let (folder, [ateliere, ..]) = furnished();
    sign(&folder, ateliere.0, &ateliere.1);
    let report = verify(&folder, "ateliere", "-o json").exits(0).json();
    let names: Vec<_> = report.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = [
        "valid",
        "outcome",
        "status",
        "scheme",
        "key_id",
        "organization",
        "account",
        "signed_at",
        "canonical",
        "reason",
        "hint",
        "notes",
    ];
    expected.sort_unstable();
    assert_eq!(names, expected);
    assert_eq!((&report["outcome"], &report["account"]), (&json!("ok"), &json!("acme")));
    let text = serde_json::to_string(BODY).unwrap();
    let canonical = format!(r#"{{"url":"a.test/graphql?q","body":{text},"organization_slug":"acme"}}"#);
    assert_eq!(report["canonical"], canonical);
}

#[test]
fn a_signed_time_is_judged_as_of_now_or_as_told() {
    let (folder, [_, (scheme, args), ..]) = furnished();
    sign(&folder, scheme, &format!("{args} --now 1700000000"));
    let outcome = |args: &str, code| verify(&folder, scheme, &format!("{args} -o json")).exits(code).json();
    assert_eq!(outcome("", 3)["outcome"], "stale");
    assert_eq!(outcome("--now 1700000301", 3)["outcome"], "stale");
    assert_eq!(outcome("--now 1700000300", 0)["outcome"], "ok");
    assert_eq!(outcome("--now 1699999699", 3)["outcome"], "future");
    assert_eq!(outcome("--now 1700000011 --tolerance 10", 3)["outcome"], "stale");
    let report = outcome("--tolerance off", 0);
    assert_eq!(report["signed_at"], "2023-11-14T22:13:20Z");
    assert_eq!(report["canonical"], format!("1700000000{{SECRET}}{BODY}{{SECRET}}"));
    let ran = verify(&folder, scheme, "").exits(3);
    assert!(ran.stdout.starts_with("invalid       stale\n") && ran.says("hint: "), "{}", ran.told());
}

#[test]
fn every_form_carries_the_same_signature() {
    let (folder, keys) = furnished();
    for (scheme, args) in &keys {
        let sign = |form: &str| {
            let line = format!("sign --scheme {scheme} {args} --now 1700000000 --body body {form}");
            folder.run(&line).exits(0).stdout
        };
        let document: Value = serde_json::from_str(&sign("-o json")).unwrap();
        assert_eq!(sign("--as json"), sign("-o json"));
        assert_eq!(document["method"], "POST");
        assert_eq!(document["body_sha256"], hex::encode(Sha256::digest(BODY)));
        let signature = document["signature"].as_str().unwrap();
        let in_url = scheme.starts_with("corezoid");
        let place = if in_url { &document["url"] } else { &document["headers"] };
        assert!(place.to_string().contains(signature), "{document}");
        let secret = std::fs::read_to_string(folder.path(&format!("{scheme}.secret"))).unwrap();
        assert!(!document.to_string().contains(&secret));
        assert_eq!(document["canonical"].as_str().unwrap().contains("{SECRET}"), in_url);

        for form in ["--as curl", "--as http"] {
            assert!(sign(form).contains(signature), "{scheme} {form}");
        }
        let form = if in_url { "--as url" } else { "--as headers" };
        assert!(sign(form).contains(signature), "{scheme} {form}");
        assert!(sign("--as url").starts_with("https://a.test"));
    }
}

#[cfg(unix)]
#[test]
fn a_shell_reads_the_curl_line_as_it_is_meant() {
    let (folder, [_, (scheme, args), ..]) = furnished();
    let body = r#"{"it's":"$HOME `id` \\ \"q\" !"}"#;
    let line = format!("sign --scheme {scheme} {args} --body - --now 1700000000");
    let curl = folder.run_with_stdin(&line, body).exits(0).stdout;
    let words = curl.strip_prefix("curl ").unwrap();
    let script = format!("printf '%s\\n' {words}");
    let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
    let words = String::from_utf8(output.stdout).unwrap();
    let words: Vec<_> = words.lines().collect();
    assert_eq!(words[..2], ["--request", "POST"]);
    assert!(words[2].starts_with("https://a.test/api/2/json/"), "{words:?}");
    assert_eq!(words[3..], ["--header", "content-type: application/json", "--data-raw", body]);
}

#[test]
fn an_app_acts_only_where_it_is_installed() {
    let (folder, [_, _, _, (scheme, args), _]) = furnished();
    sign(&folder, scheme, &args);
    let key_id = args.split_whitespace().nth(1).unwrap();
    folder.run(&format!("orgs uninstall {ORGANIZATION} --key-id {key_id}")).exits(0);
    let ran = verify(&folder, scheme, "-o json").exits(3);
    assert_eq!(ran.json()["outcome"], "wrong_organization");
}

#[test]
fn routes_that_a_server_opens_are_opened_by_option() {
    let (folder, schemes) = furnished();
    let [_, (corezoid, c_args), _, (salescloud, s_args), _] = &schemes;
    sign(&folder, salescloud, &format!("{s_args}/acme/graphql"));
    let ran = verify(&folder, salescloud, "-o json").exits(3);
    assert_eq!(ran.json()["outcome"], "malformed");
    assert!(ran.json()["reason"].as_str().unwrap().contains("path"), "{}", ran.told());
    let opened = |scheme: &str, route: &str| {
        let mut command = folder.command(&format!("verify --scheme {scheme} --request request --route"));
        Ran::new(route, command.arg(route).output().unwrap())
    };
    opened(salescloud, "/{anything}/graphql").exits(0);
    opened(salescloud, "PUT /{anything}/graphql").exits(3);

    let [(ateliere, a_args), ..] = &schemes;
    for (organization, code) in [("acme", 0), ("globex", 3)] {
        sign(&folder, ateliere, &a_args.replace("/graphql?q", &format!("/{organization}/graphql")));
        verify(&folder, ateliere, "").exits(0);
        let ran = opened(ateliere, "/{organization}/graphql").exits(code);
        assert_eq!(ran.contains("wrong_organization"), code == 3, "{}", ran.told());
    }

    let line = format!("{} --method GET", c_args.replace("/api/2/json", "/user_downloads/a.json"));
    folder.write("body", "");
    sign(&folder, corezoid, &line);
    assert_eq!(verify(&folder, corezoid, "-o json").exits(3).json()["outcome"], "missing");
    opened(corezoid, "GET /user_downloads/{file}").exits(0);
}

#[test]
fn an_upload_is_signed_reduced_where_both_are_told() {
    let (folder, [_, (corezoid, args), ..]) = furnished();
    folder.write("body", "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b--\r\n");
    let line = format!("{} --multipart-route /api/2/upload", args.replace("/api/2/json", "/api/2/upload"));
    sign(&folder, corezoid, &line);
    let verified = verify(&folder, corezoid, "--multipart-route /api/2/upload -o json").exits(0).json();
    let canonical = verified["canonical"].as_str().unwrap();
    assert!(canonical.contains("name=\"a\"\r\n1{SECRET}") && !canonical.contains("--b"), "{canonical}");
    assert_eq!(verify(&folder, corezoid, "-o json").exits(3).json()["outcome"], "missing");
    let raw = verify(&folder, corezoid, "--route /api/2/upload -o json").exits(3).json();
    assert_eq!(raw["outcome"], "bad_signature");
}

#[test]
fn a_public_url_is_the_one_that_clients_know() {
    let (folder, [(scheme, args), ..]) = furnished();
    sign(&folder, scheme, &args);
    verify(&folder, scheme, "--public-url https://a.test").exits(0);
    let ran = verify(&folder, scheme, "--public-url https://b.test -o json").exits(3);
    assert_eq!(ran.json()["outcome"], "bad_signature");
    assert!(ran.json()["reason"].as_str().unwrap().contains("public URL"), "{}", ran.told());
    verify(&folder, scheme, "--public-url a.test").exits(2);

    // Where a webhook went by plain HTTP, only the public URL can tell.
    let (folder, [.., (scheme, args)]) = furnished();
    sign(&folder, scheme, &args.replace("https:", "http:"));
    assert_eq!(verify(&folder, scheme, "-o json").exits(3).json()["outcome"], "bad_signature");
    verify(&folder, scheme, "--public-url http://a.test").exits(0);
    verify(&folder, scheme, "--public-url http://a.test/hook?a=1").exits(0);
    verify(&folder, scheme, "--public-url http://a.test/other").exits(3);
}

#[test]
fn the_head_may_have_an_editors_line_ends_and_the_body_its_own() {
    let (folder, [(scheme, args), ..]) = furnished();
    let signed = String::from_utf8(sign(&folder, scheme, &args)).unwrap();
    let (head, body) = signed.split_once("\r\n\r\n").unwrap();
    let notes = |content: String, code| {
        folder.write("request", content);
        verify(&folder, scheme, "-o json").exits(code).json()["notes"].as_array().unwrap().len()
    };
    assert_eq!(notes(signed.clone(), 0), 0);
    assert_eq!(notes(format!("{}\n\n{body}", head.replace("\r\n", "\n")), 0), 1);
    assert_eq!(notes(format!("{signed}\n"), 0), 1);
    let without_length = head.lines().filter(|line| !line.starts_with("content-length"));
    let head = without_length.collect::<Vec<_>>().join("\r\n");
    assert_eq!(notes(format!("{head}\r\n\r\n{body}"), 0), 1);
    assert_eq!(notes(format!("{head}\r\n\r\n{body}\n"), 3), 1);
    let (first, second) = body.split_at(7);
    let chunks = format!("7\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n", second.len());
    assert_eq!(notes(format!("{head}\r\ntransfer-encoding: chunked\r\n\r\n{chunks}"), 0), 0);

    let ran = folder.run_with_stdin(&format!("verify --scheme {scheme} --request -"), &signed);
    ran.exits(0);
}

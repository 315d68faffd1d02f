//! Foreign clients get through, and not with one byte changed: the providers' own samples, and independent ones in
//! Python and shell. `tests/clients/README.md` says how they are spoken to; `./x test` installs what they import.

use crate::support::client::run;
use axum::{Router, routing::post};
use bytes::Bytes;
use countersign::{
    SignatureVerifier, Verified, VerifyLayer,
    credential::{Credential, KeyId, Organization, Principal, SecretVersion},
    scheme::{Ateliere, Corezoid, SalesCloud, Scheme},
    secret::Secret,
    sign::Signer,
    signature::MacKey,
    store::MemoryKeyStore,
    verify::AnyOf,
};
use http::{Method, Request};
use std::{
    io::Write as _,
    net::{SocketAddr, TcpListener},
    process::{Command, Stdio},
    sync::{Arc, LazyLock},
    thread,
};

const SLUG: &str = "acme-studios";
const APP: &str = "edadd893-9472-4324-a4db-b1707c563184";
const APP_KEY: &str = "849015eb35e25eee9b36b36481b55ec3";
const UUID: &str = "7b371391-1561-4cac-8f86-9b7bcba83db2";
const SECRET: &str = "Iw5N12MYleOULxdfMH43SK9ZAmjPyFKtdhToiL38xIBz6ecdZxW";
/// What escapes differently in every language.
const QUERY: &str = r#"query Titles { titles(name: "é😀</>&' \\ \" ż") { id } }"#;

#[test]
fn ateliere_clients_are_verified() {
    let url = format!("http://{}/graphql?probe=1", *SERVER);
    let settings =
        [("BASE_URL", &*url), ("KEY_ID", "pk_test_5e1f"), ("ORGANIZATION", SLUG), ("QUERY", QUERY)];
    for file in ["ateliere.mjs", "ateliere.py", "ateliere.sh"] {
        passes(file, &settings, "studio acme-studios [{");
        refuses(file, &settings, &["body", "url", "organization", "signature"]);
    }
}

#[test]
fn salescloud_clients_are_verified() {
    let url = format!("http://{}/graphql", *SERVER);
    let with = |name, value| {
        [("BASE_URL", &*url), ("KEY_ID", APP), ("PUBLIC_KEY", APP_KEY), ("ORGANIZATION", UUID), (name, value)]
    };
    let parts = ["body", "organization", "signature"];
    // The document's own body, which is not JSON.
    let sample = with("BODY", r#"{ "query": { systemTimeInMillis } }"#);
    for file in ["salescloud.cjs", "salescloud.py", "salescloud.sh"] {
        passes(file, &sample, &format!("app {UUID} {{ \"query\": {{ systemTimeInMillis"));
        refuses(file, &sample, &parts);
    }
    let query = with("QUERY", QUERY);
    passes("salescloud_axios.cjs", &query, &format!("app {UUID} {{\"query\""));
    refuses("salescloud_axios.cjs", &query, &parts);
    // Without an organization the document's JavaScript signs the word "undefined", Python an empty text.
    let mut nobody = sample;
    nobody[3] = ("ORGANIZATION", "");
    for file in ["salescloud.cjs", "salescloud.py"] {
        passes(file, &nobody, "app - {");
    }
}

#[test]
fn corezoid_clients_are_verified() {
    let url = format!("http://{}/api/2/json", *SERVER);
    let body = r#"{"ops":[{"id":"1","type":"create","obj":"task","data":{"name":"Тест 😀"}}]}"#;
    let settings = [("BASE_URL", &*url), ("KEY_ID", "13000"), ("BODY", body)];
    for file in ["corezoid.cjs", "corezoid.py", "corezoid.sh"] {
        passes(file, &settings, &format!("ops - {body}"));
        refuses(file, &settings, &["body", "time", "signature"]);
    }
}

#[test]
fn corezoid_uploads_are_verified() {
    let url = format!("http://{}/api/2/upload", *SERVER);
    let settings = [("BASE_URL", &*url), ("KEY_ID", "13000"), ("BODY", r#"[{"title":"Тест – №1"}]"#)];
    for file in ["corezoid_upload.cjs", "corezoid_upload.py"] {
        passes(file, &settings, "ops - --");
        refuses(file, &settings, &["body", "time", "signature"]);
    }
}

/// What `curl -F` sends is recorded, signed and sent once more: curl does not say beforehand what it will send.
#[test]
fn a_form_of_curl_s_can_be_signed() {
    let recorded = Command::new("curl")
        .args(["--silent", "--fail", "--noproxy", "*", "-F", "type=create"])
        .args(["-F", "scheme=[{\"a\":\r\n1}];filename=a.json;type=application/octet-stream"])
        .arg(format!("http://{}/record", *SERVER))
        .output()
        .unwrap();
    assert!(recorded.status.success());
    let body = recorded.stdout;
    assert!(body.starts_with(b"--") && body.ends_with(b"--\r\n"));
    let scheme = Corezoid::default().with_multipart_route("/api/2/upload").unwrap();
    let signer = Signer::new(scheme, "13000", &Secret::new(SECRET).unwrap());
    let mut request = Request::post(format!("http://{}/api/2/upload", *SERVER)).body(body).unwrap();
    let text = signer.signature_base(&request).unwrap();
    assert!(text.contains("application/octet\r\n[{\"a\":1}]") && !text.contains("----"), "{text}");
    signer.sign(&mut request).unwrap();
    let mut sent = Command::new("curl")
        .args(["--silent", "--fail", "--noproxy", "*", "--data-binary", "@-"])
        .arg(request.uri().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    sent.stdin.take().unwrap().write_all(request.body()).unwrap();
    let answer = sent.wait_with_output().unwrap();
    assert!(answer.status.success() && answer.stdout.starts_with(b"ops - --"));
}

fn passes(file: &str, settings: &[(&str, &str)], begin: &str) {
    let (status, body) = run(file, settings, SECRET, "");
    assert_eq!(status, 200, "{file}: {body}");
    assert!(body.starts_with(begin), "{file}: {body}");
}

fn refuses(file: &str, settings: &[(&str, &str)], parts: &[&str]) {
    for part in parts {
        let (status, body) = run(file, settings, SECRET, part);
        assert_eq!(status, 401, "{file} with another {part}: {body}");
        assert!(body.contains(r#""code":"unauthorized""#), "{file} with another {part}: {body}");
    }
}

/// A server on the loopback interface that says who called, for whom, and with what.
static SERVER: LazyLock<SocketAddr> = LazyLock::new(|| {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            axum::serve(tokio::net::TcpListener::from_std(listener).unwrap(), app()).await.unwrap();
        });
    });
    address
});

fn app() -> Router {
    let keys = Arc::new(keys());
    let salescloud = SalesCloud::default().with_route(Method::POST, "/graphql").unwrap();
    let graphql =
        AnyOf::new(SignatureVerifier::new(Ateliere::default().with_plain_http(), Arc::clone(&keys)))
            .or(SignatureVerifier::new(salescloud, Arc::clone(&keys)));
    let corezoid = Corezoid::default().with_multipart_route("/api/2/upload").unwrap();
    let ops = SignatureVerifier::new(corezoid, keys);
    let graphql = Router::new().route("/graphql", post(echo)).layer(VerifyLayer::new(graphql));
    let ops = Router::new()
        .route("/api/2/json/{login}/{time}/{signature}", post(echo))
        .route("/api/2/upload/{login}/{time}/{signature}", post(echo))
        .layer(VerifyLayer::new(ops));
    graphql.merge(ops).route("/record", post(async |body: Bytes| body))
}

async fn echo(caller: Verified, body: String) -> String {
    let organization = caller.organization().map_or("-", Organization::as_str);
    format!("{} {organization} {body}", caller.principal())
}

fn keys() -> MemoryKeyStore {
    let keys = MemoryKeyStore::new();
    let credential = |scheme: &dyn Scheme, principal| {
        let key = MacKey::new(scheme.algorithm(), &Secret::new(SECRET).unwrap());
        Credential::new(Principal::new(principal).unwrap(), [SecretVersion::new(1, key)])
    };
    let mut studio = credential(&Ateliere::default(), "studio");
    studio.organization = Some(Organization::new(SLUG).unwrap());
    keys.insert("ateliere", "pk_test_5e1f", studio);
    let mut app = credential(&SalesCloud::default(), "app");
    app.public_key = Some(APP_KEY.into());
    keys.insert("salescloud", APP, app);
    keys.install("salescloud", &KeyId::new(APP).unwrap(), &Organization::new(UUID).unwrap());
    keys.insert("corezoid", "13000", credential(&Corezoid::default(), "ops"));
    keys
}

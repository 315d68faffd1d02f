//! Foreign clients get along with the mocks by base URL and credential alone.

use super::{answer, http};
use crate::support::{
    client::run,
    vectors::{Wire, read},
};
use countersign::{
    clock::{Clock as _, SystemClock},
    mock::{MockCredential, MockProvider, Outcome},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::{Duration, UNIX_EPOCH};

#[tokio::test]
async fn ateliere_clients_meet_their_provider() {
    let mock = MockProvider::ateliere().start().await;
    let (key, url) = (mock.credential(), mock.endpoint());
    let query = r#"query Mine { me { organization } }"#;
    let settings = [
        ("BASE_URL", &*url),
        ("KEY_ID", key.key_id()),
        ("ORGANIZATION", key.organization().unwrap()),
        ("QUERY", query),
        ("CLIENT_NAME", "sample"),
        ("CLIENT_VERSION", "1"),
    ];
    for file in ["ateliere.mjs", "ateliere.py", "ateliere.sh"] {
        let (status, body) = run(file, &settings, key.secret(), "");
        assert_eq!((status, body.as_str()), (200, r#"[{"data":{"me":{"organization":"acme"}}}]"#), "{file}");
        let (status, _) = run(file, &settings, key.secret(), "signature");
        assert_eq!(status, 401, "{file}");
    }
    let requests = mock.requests();
    assert_eq!(requests.len(), 6);
    assert!(requests.iter().step_by(2).all(|request| request.outcome() == Outcome::Accepted));
    assert_eq!(requests[0].operations(), ["Mine"]);
    let usage = mock.usage();
    assert!(
        usage.iter().any(|usage| usage.name.as_deref() == Some("sample") && usage.requests == 1),
        "{usage:?}"
    );
}

#[tokio::test]
async fn ayyeka_clients_meet_their_provider() {
    let mock = MockProvider::ayyeka().start().await;
    let key = mock.credential();
    let settings = [("BASE_URL", mock.base_url()), ("KEY_ID", key.key_id())];
    for file in ["ayyeka.sh", "ayyeka_bare.cjs"] {
        let (status, body) = run(file, &settings, key.secret(), "");
        assert_eq!(status, 200, "{file}: {body}");
        assert!(body.contains("Upper reservoir"), "{file}: {body}");
        for part in ["secret", "token"] {
            assert_eq!(run(file, &settings, key.secret(), part).0, 401, "{file} with another {part}");
        }
    }
    let (token_url, base_url) =
        (format!("{}/auth/token", mock.base_url()), format!("{}/site", mock.endpoint()));
    let settings = [
        ("LIBRARY", "simple-oauth2"),
        ("TOKEN_URL", &token_url),
        ("BASE_URL", &base_url),
        ("KEY_ID", key.key_id()),
    ];
    assert_eq!(run("oauth.cjs", &settings, key.secret(), "").0, 200);
}

#[tokio::test]
async fn corezoid_clients_meet_their_provider() {
    let mock = MockProvider::corezoid().start().await;
    mock.add_process(1635);
    let key = mock.credential();
    let body =
        r#"{"ops":[{"id":"1","type":"create","obj":"task","conv_id":"1635","data":{"name":"Тест 😀"}}]}"#;
    let sync = format!("{}/api/1/json", mock.sync_url());
    for file in ["corezoid.cjs", "corezoid.py", "corezoid.sh"] {
        let settings = [("BASE_URL", &*mock.endpoint()), ("KEY_ID", key.key_id()), ("BODY", body)];
        let (status, answered) = run(file, &settings, key.secret(), "");
        assert!(status == 200 && answered.contains(r#""obj":"task""#), "{file}: {answered}");
        assert_eq!(run(file, &settings, key.secret(), "signature").0, 401, "{file}");
        let settings = [("BASE_URL", &*sync), ("KEY_ID", key.key_id()), ("BODY", body)];
        let (status, answered) = run(file, &settings, key.secret(), "");
        assert!(status == 200 && answered.contains(r#""data":{"name":"Тест 😀"}"#), "{file}: {answered}");
    }
    let settings = [("BASE_URL", mock.base_url()), ("KEY_ID", key.key_id()), ("CONV_ID", "1635")];
    let (status, answered) = run("corezoid_sdk.py", &settings, key.secret(), "");
    assert!(status == 200 && answered.matches(r#""ref":"sdk-1""#).count() == 2, "{answered}");
    assert_eq!(run("corezoid_sdk.py", &settings, key.secret(), "secret").0, 401);
}

#[tokio::test]
async fn salescloud_clients_meet_their_provider() {
    let mock = MockProvider::salescloud().start().await;
    let key = mock.credential();
    let with = |name, value| {
        [
            ("BASE_URL", mock.base_url()),
            ("KEY_ID", key.key_id()),
            ("PUBLIC_KEY", key.public_key().unwrap()),
            ("ORGANIZATION", key.organization().unwrap()),
            (name, value),
        ]
    };
    // The document's own body, which is not JSON.
    let sample = with("BODY", r#"{ "query": { systemTimeInMillis } }"#);
    for file in ["salescloud.cjs", "salescloud.py", "salescloud.sh"] {
        let (status, answered) = run(file, &sample, key.secret(), "");
        assert!(
            status == 200 && answered.contains(r#"{"data":{"systemTimeInMillis":"#),
            "{file}: {answered}"
        );
        assert_eq!(run(file, &sample, key.secret(), "signature").0, 401, "{file}");
    }
    // The document's own query and variables.
    let (status, answered) = run("salescloud_axios.cjs", &with("QUERY", ""), key.secret(), "");
    assert_eq!((status, answered.as_str()), (200, r#"{"data":{"createLog":"1"}}"#));
    assert_eq!(mock.logs(key.organization().unwrap()), ["hello!"]);
}

/// A request of a client whose language need not be here: Go, Java, PHP, Erlang, and the vendor's command line.
#[derive(Deserialize)]
struct Recorded {
    #[serde(flatten)]
    wire: Wire,
    secret: String,
    login: Option<String>,
    timestamp: Option<String>,
    canonical: Option<String>,
    made_by: Vec<String>,
}

#[derive(Deserialize)]
struct Recordings {
    wire_requests: Vec<Recorded>,
}

#[tokio::test]
async fn recorded_corezoid_clients_are_answered_byte_for_byte() {
    let mut clients = Vec::new();
    for recorded in read::<Recordings>("corezoid.json").wire_requests {
        // What is signed by no API key: the browser's way, and a vendor's artefact that no server takes.
        let (Some(login), Some(_)) = (&recorded.login, &recorded.canonical) else {
            let mock = MockProvider::corezoid().start().await;
            let (_, answered) = replay(&mock, &recorded.wire).await;
            assert_eq!(
                answered["ops"][0]["description"], "cookie or headers are not valid",
                "{:?}",
                recorded.made_by
            );
            continue;
        };
        let mock =
            MockProvider::corezoid().credential(MockCredential::new(login, &*recorded.secret)).start().await;
        let timestamp = recorded.timestamp.as_deref().unwrap();
        let whole = timestamp.split('.').next().unwrap();
        let at = UNIX_EPOCH + Duration::from_secs(whole.parse().unwrap());
        let now = SystemClock.now();
        match at.duration_since(now) {
            Ok(ahead) => mock.advance(ahead),
            Err(behind) => mock.set_back(behind.duration()),
        }
        for op in json_of(&recorded.wire)["ops"].as_array().into_iter().flatten() {
            let conv =
                if op["obj"] == "conv" || op["obj"] == "obj_scheme" { &op["obj_id"] } else { &op["conv_id"] };
            let conv = conv.as_u64().or_else(|| conv.as_str()?.parse().ok());
            conv.into_iter().for_each(|conv| mock.add_process(conv));
        }
        let (status, answered) = replay(&mock, &recorded.wire).await;
        assert_eq!(
            (status, &answered["request_proc"]),
            (200, &json!("ok")),
            "{:?}: {answered}",
            recorded.made_by
        );
        clients.extend(recorded.made_by);
    }
    clients.sort();
    clients.dedup();
    assert!(clients.len() >= 10, "{clients:?}");
}

fn json_of(wire: &Wire) -> Value {
    serde_json::from_slice(&wire.body_b64.0).unwrap_or_default()
}

/// Sends what was recorded, with its own headers; the host is the mock's.
async fn replay<P: countersign::mock::Provider>(mock: &MockProvider<P>, wire: &Wire) -> (u16, Value) {
    let url = format!("{}{}", mock.base_url(), wire.target);
    let mut request = http().request(wire.method.parse().unwrap(), url).body(wire.body_b64.0.clone());
    for (name, value) in &wire.headers {
        if !["host", "content-length", "connection", "accept-encoding"].contains(&&*name.to_lowercase()) {
            request = request.header(name, value);
        }
    }
    answer(request.send().await.unwrap()).await.unwrap()
}

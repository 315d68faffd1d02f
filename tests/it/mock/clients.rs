//! Foreign clients get along with the mocks by base URL and credential alone.

use crate::support::client::run;
use countersign::mock::{MockProvider, Outcome};

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
async fn salescloud_clients_meet_their_provider() {
    let mock = MockProvider::salescloud().start().await;
    let (key, url) = (mock.credential(), mock.endpoint());
    let with = |name, value| {
        [
            ("BASE_URL", &*url),
            ("KEY_ID", key.key_id()),
            ("PUBLIC_KEY", key.public_key().unwrap()),
            ("ORGANIZATION", key.organization().unwrap()),
            (name, value),
        ]
    };
    // The document's own body, which is not JSON.
    let sample = with("BODY", r#"{ "query": { systemTimeInMillis } }"#);
    let query = with("QUERY", "query Time { systemTimeInMillis }");
    for (file, settings) in [
        ("salescloud.cjs", &sample),
        ("salescloud.py", &sample),
        ("salescloud.sh", &sample),
        ("salescloud_axios.cjs", &query),
    ] {
        let (status, body) = run(file, settings, key.secret(), "");
        assert_eq!(status, 200, "{file}: {body}");
        assert!(body.starts_with(r#"{"data":{"systemTimeInMillis":"#), "{file}: {body}");
        assert_eq!(run(file, settings, key.secret(), "signature").0, 401, "{file}");
    }
    let outcomes: Vec<_> = mock.requests().iter().map(|request| request.outcome().to_string()).collect();
    assert_eq!(outcomes, ["accepted", "bad_signature"].repeat(4));
}

#[tokio::test]
async fn corezoid_clients_meet_their_provider() {
    let mock = MockProvider::corezoid().start().await;
    let (key, url) = (mock.credential(), mock.endpoint());
    let body = r#"{"ops":[{"id":"1","type":"create","obj":"folder","title":"Тест 😀","folder_id":0}]}"#;
    let settings = [("BASE_URL", &*url), ("KEY_ID", key.key_id()), ("BODY", body)];
    for file in ["corezoid.cjs", "corezoid.py", "corezoid.sh"] {
        let (status, body) = run(file, &settings, key.secret(), "");
        assert_eq!(status, 200, "{file}: {body}");
        let answer: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            (&answer["request_proc"], &answer["ops"][0]["proc"]),
            (&"ok".into(), &"ok".into()),
            "{body}"
        );
        assert_eq!(run(file, &settings, key.secret(), "time").0, 401, "{file}");
    }
    assert_eq!(mock.requests()[0].operations(), ["create folder"]);
}

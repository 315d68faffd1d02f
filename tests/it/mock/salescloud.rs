//! SalesCloud's mock over the wire: the graph for apps, readers and anybody, installations, and webhooks.

use super::{answer, http};
use axum::{Router, body::Bytes, extract::State, routing::post};
use countersign::{
    SignatureVerifier, Verified, VerifyLayer,
    credential::{Credential, Principal, SecretVersion},
    mock::{MockCredential, MockProvider, Outcome, SalesCloudMock},
    scheme::{SalesCloud, SalesCloudWebhook, Scheme as _},
    secret::Secret,
    sign::Signer,
    signature::MacKey,
    store::MemoryKeyStore,
};
use http::{Request, request::Builder};
use serde_json::{Value, json};
use std::{
    future::IntoFuture as _,
    sync::{Arc, Mutex},
};

/// Signs a body for an organization, or for none.
fn signed(mock: &MockProvider<SalesCloudMock>, organization: Option<&str>, body: &str) -> reqwest::Request {
    let key = mock.credential();
    let secret = Secret::new(key.secret()).unwrap();
    let mut signer =
        Signer::new(SalesCloud::default(), key.key_id(), &secret).with_public_key(key.public_key().unwrap());
    if let Some(organization) = organization {
        signer = signer.with_organization(organization);
    }
    let mut request = Request::post(mock.endpoint()).body(body.to_owned()).unwrap();
    signer.sign(&mut request).unwrap();
    request.try_into().unwrap()
}

async fn ask(mock: &MockProvider<SalesCloudMock>, organization: Option<&str>, body: &str) -> (u16, Value) {
    answer(http().execute(signed(mock, organization, body)).await.unwrap()).await.unwrap()
}

fn query(query: &str) -> String {
    json!({ "query": query }).to_string()
}

/// What the document's own log call sends.
const LOG: &str = r#"{"query":"mutation createLog($log: NewLog!) {createLog(log: $log)}","variables":{"log":{"msg":"hello!"}}}"#;
/// Another organization.
const OTHER: &str = "7b371391-1561-4cac-8f86-9b7bcba83db2";

#[tokio::test]
async fn an_app_acts_where_it_is_installed_and_nowhere_else() {
    let mock = MockProvider::salescloud().start().await;
    let own = mock.credential().organization().unwrap().to_owned();
    assert_eq!(ask(&mock, Some(&own), LOG).await, (200, json!({ "data": { "createLog": "1" } })));
    assert_eq!(mock.logs(&own), ["hello!"]);
    let (status, refused) = ask(&mock, Some(OTHER), LOG).await;
    assert_eq!((status, &refused["errors"][0]["extensions"]["code"]), (401, &json!("UNAUTHENTICATED")));
    mock.install(OTHER, "Other & sons");
    assert_eq!(ask(&mock, Some(OTHER), LOG).await.0, 200);
    // Without an organization an app may ask where it is installed.
    let (_, listed) = ask(&mock, None, &query("{ query appOrganizations { uuid, label } }")).await;
    let listed = listed["data"]["appOrganizations"].as_array().unwrap().clone();
    assert_eq!(listed.len(), 2, "{listed:?}");
    assert!(listed.contains(&json!({ "uuid": OTHER, "label": "Other & sons" })));
    assert!(listed.contains(&json!({ "uuid": own, "label": own })));
    let (_, nowhere) = ask(&mock, None, LOG).await;
    assert_eq!(nowhere["errors"][0]["message"], "the request names no organization");
    mock.uninstall(&own);
    assert_eq!(ask(&mock, Some(&own), LOG).await.0, 401);
    // What was installed and logged is kept.
    let key = mock.credential();
    let again = MockProvider::salescloud().credential(key).state(mock.state()).start().await;
    assert_eq!(ask(&again, Some(&own), LOG).await.0, 401);
    assert_eq!(ask(&again, Some(OTHER), LOG).await.0, 200);
    assert_eq!((again.logs(OTHER).len(), again.logs(&own).len()), (2, 1));
}

#[tokio::test]
async fn documents_are_executed_as_they_mean() {
    let mock = MockProvider::salescloud().start().await;
    let own = mock.credential().organization().unwrap().to_owned();
    mock.add_item(&own, "Gift card", ["https://img.test/1.png"]);
    let body = json!({
        "query": "query Q($o: ID!) { time: systemTimeInMillis ...i } \
                  fragment i on Query { shop: itemsList(organization: $o) { title images { file { sources { original } } } } }",
        "variables": { "o": own },
        "operationName": "Q",
    });
    let (_, answered) = ask(&mock, Some(&own), &body.to_string()).await;
    assert!(answered["data"]["time"].as_u64().unwrap() > 1_600_000_000_000, "{answered}");
    let image = json!({ "file": { "sources": { "original": "https://img.test/1.png" } } });
    assert_eq!(answered["data"]["shop"], json!([{ "title": "Gift card", "images": [image] }]));
    // The document's first sample, which is no JSON.
    let (status, answered) = ask(&mock, Some(&own), r#"{ "query": { systemTimeInMillis } }"#).await;
    assert!(status == 200 && answered["data"]["systemTimeInMillis"].is_u64(), "{answered}");
    let (status, deep) =
        ask(&mock, Some(&own), &query(&format!("{}a{}", "{a".repeat(1_000), "}".repeat(1_000)))).await;
    assert!(status == 200 && deep["errors"][0]["message"].as_str().unwrap().contains("deeper"), "{deep}");
    mock.stub("createLog").reply(json!({ "data": { "createLog": "stubbed" } })).expect(1);
    assert_eq!(ask(&mock, Some(&own), LOG).await.1["data"]["createLog"], "stubbed");
    assert!(mock.logs(&own).is_empty());
}

#[tokio::test]
async fn readers_read_and_anybody_reads_a_little() {
    let mock = MockProvider::salescloud().start().await;
    let send = async |token: Option<&str>, body: &str| {
        let request = http().post(mock.endpoint()).body(body.to_owned());
        let request = match token {
            Some(token) => request.header("authorization", format!("ReadAccessToken {token}")),
            None => request,
        };
        answer(request.send().await.unwrap()).await.unwrap()
    };
    let token = mock.read_token();
    let logs = query("{ logs { msg } }");
    assert_eq!(send(Some(&token), &logs).await, (200, json!({ "data": { "logs": [] } })));
    let (status, refused) = send(Some(&token), LOG).await;
    assert_eq!((status, &refused["errors"][0]["message"]), (200, &json!("a read token only reads")));
    assert_eq!(send(Some("another"), &logs).await.0, 401);
    let items = query(&format!(
        "query {{ itemsList(organization:\"{OTHER}\"){{ title images{{file{{sources{{original}}}}}} }} }}"
    ));
    assert_eq!(send(None, &items).await, (200, json!({ "data": { "itemsList": [] } })));
    assert_eq!(mock.requests().last().unwrap().outcome(), Outcome::Open);
    for body in [&*logs, LOG, &*query("{ systemTimeInMillis logs { msg } }"), ""] {
        assert_eq!(send(None, body).await.0, 401, "{body}");
    }
}

/// What arrived at a client under test: the organization's key, and the body.
type Hooks = Arc<Mutex<Vec<(String, Value)>>>;

async fn listener(key: &MockCredential) -> (String, Hooks) {
    let hooks = Hooks::default();
    let scheme = SalesCloudWebhook::default().with_plain_http();
    let keys = MemoryKeyStore::new();
    let mac = MacKey::new(scheme.algorithm(), &Secret::new(key.secret()).unwrap());
    keys.insert(
        scheme.name(),
        key.key_id(),
        Credential::new(Principal::new("salescloud").unwrap(), [SecretVersion::new(1, mac)]),
    );
    let take = |State(hooks): State<Hooks>, verified: Verified, body: Bytes| async move {
        let body = serde_json::from_slice(&body).unwrap();
        hooks.lock().unwrap().push((verified.key_id().to_string(), body));
    };
    let app = Router::new().route("/hook", post(take)).with_state(Arc::clone(&hooks));
    let app = app.layer(VerifyLayer::new(SignatureVerifier::new(scheme, keys)));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, app).into_future());
    (url, hooks)
}

#[tokio::test]
async fn webhooks_are_sent_and_taken_with_a_signature() {
    let mock = MockProvider::salescloud().start().await;
    let key = mock.webhook_credential();
    let (url, hooks) = listener(&key).await;
    let body =
        json!({ "customer_label": "é", "subscription_status": "true", "type": "subscription_updated" });
    assert_eq!(mock.send_webhook(&url, &body).await.unwrap().status(), 200);
    let order = json!({ "url": url, "body": body });
    let ordered = http().post(format!("{}/mock/webhook", mock.base_url())).json(&order).send().await.unwrap();
    assert_eq!(answer(ordered).await.unwrap().1["status"], 200);
    let received = hooks.lock().unwrap().clone();
    assert_eq!(received, vec![(key.key_id().to_owned(), body.clone()); 2]);
    assert!(mock.send_webhook("http://127.0.0.1:9/", &body).await.is_err());

    // The other way: a production client leaves the body out of what it signs.
    let secret = Secret::new(key.secret()).unwrap();
    let signer = Signer::new(SalesCloudWebhook::default().with_plain_http(), key.key_id(), &secret);
    let target = format!("{}/webhooks/messenger/pull/{OTHER}", mock.base_url());
    let label = r#"{"label": "user"}"#;
    for (signs, sends, expected) in
        [(label, label, 200), ("", label, 200), ("", "", 200), ("other", label, 401)]
    {
        let mut request = Builder::new().method("POST").uri(&target).body(signs.to_owned()).unwrap();
        signer.sign(&mut request).unwrap();
        sends.clone_into(request.body_mut());
        let (status, answered) =
            answer(http().execute(request.try_into().unwrap()).await.unwrap()).await.unwrap();
        assert_eq!(status, expected, "{signs} {sends}");
        assert!(status != 200 || answered == json!({ "success": true }));
    }
}

#[tokio::test]
async fn installations_can_be_changed_from_other_languages() {
    let mock = MockProvider::salescloud().start().await;
    let order = async |what: &str, body: Value| {
        let request = http().post(format!("{}/mock/{what}", mock.base_url())).json(&body);
        request.send().await.unwrap().status().as_u16()
    };
    let app = mock.credential().key_id().to_owned();
    let installation = json!({ "application": app, "organization": OTHER, "label": "Other" });
    assert_eq!(order("install", installation.clone()).await, 200);
    assert_eq!(ask(&mock, Some(OTHER), LOG).await.0, 200);
    assert_eq!(order("uninstall", installation).await, 200);
    assert_eq!(ask(&mock, Some(OTHER), LOG).await.0, 401);
    assert_eq!(order("install", json!({})).await, 400);
}

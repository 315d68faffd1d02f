//! Each fault as its client meets it, and ten thousand requests under all of them.

use super::{Client, http};
use countersign::{
    mock::{AteliereMock, Fault, FaultKind, MockProvider, Outcome},
    scheme::Corezoid,
    secret::Secret,
    sign::Signer,
};
use http::Request;
use serde_json::json;
use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::Arc,
    time::Duration,
};

async fn mock_with(fault: &str) -> (MockProvider<AteliereMock>, Client) {
    let mock = MockProvider::ateliere().fault(fault.parse().unwrap()).start().await;
    let client = Client::of(&mock);
    (mock, client)
}

#[tokio::test]
async fn latency_is_waited_for() {
    let (mock, mut client) = mock_with("latency=1h,times=1").await;
    client.http = reqwest::Client::builder().no_proxy().timeout(Duration::from_millis(50)).build().unwrap();
    assert!(client.titles().await.unwrap_err().is_timeout());
    client.http = http();
    mock.fault(Fault::latency(Duration::from_millis(1)));
    assert_eq!(client.titles().await.unwrap().0, 200);
    let latency = FaultKind::Latency(Duration::from_millis(1));
    assert_eq!(mock.requests().last().unwrap().fault(), Some(latency));
}

#[tokio::test]
async fn too_many_requests_say_when_to_come_again() {
    let (mock, client) = mock_with("429=7,times=1").await;
    let request = client.request(&json!({ "query": "{ me { keyId } }" }), &[]);
    let sent = client.http.execute(request).await.unwrap();
    assert_eq!((sent.status().as_u16(), sent.headers()["retry-after"].to_str().unwrap()), (429, "7"));
    let expected = json!({ "errors": [{
        "message": "Too Many Requests",
        "extensions": { "code": "TOO_MANY_REQUESTS" },
    }] });
    assert_eq!(sent.json::<serde_json::Value>().await.unwrap(), expected);
    assert_eq!(client.titles().await.unwrap().0, 200);
    assert_eq!(mock.requests()[0].outcome(), Outcome::Faulted);
}

#[tokio::test]
async fn a_provider_in_trouble_answers_in_its_shape() {
    for (fault, status) in [("500", 500), ("503", 503)] {
        let (_mock, client) = mock_with(fault).await;
        let (met, body) = client.titles().await.unwrap();
        assert_eq!(met, status);
        assert!(body["errors"][0]["extensions"]["code"].is_string());
    }
    let mock = MockProvider::ayyeka().fault(Fault::unavailable()).start().await;
    let sent = http().get(mock.endpoint()).send().await.unwrap();
    assert_eq!(sent.json::<serde_json::Value>().await.unwrap()["message"], "Unavailable");
}

const CREATE: &str = r#"mutation { createTitle(title: { name: "Mirror" }) { id } }"#;

async fn titles_after(mock: &MockProvider<AteliereMock>, client: &Client) -> usize {
    mock.clear_faults();
    client.titles().await.unwrap().1["data"]["titles"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_dropped_connection_answers_nothing_and_nothing_is_done() {
    let (mock, client) = mock_with("dropped").await;
    assert_eq!(exchange(&client, CREATE), "");
    assert!(client.send(&json!({ "query": CREATE })).await.unwrap_err().is_request());
    assert_eq!(mock.requests()[0].fault(), Some(FaultKind::Dropped));
    assert_eq!(titles_after(&mock, &client).await, 0);
}

#[tokio::test]
async fn a_half_sent_answer_ends_before_its_length_and_all_was_done() {
    let (mock, client) = mock_with("half-sent").await;
    let (head, body) = exchange(&client, CREATE).split_once("\r\n\r\n").map(own).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    assert!(!body.is_empty() && body.len() < length.parse().unwrap(), "{head}\n{body}");
    client.titles().await.unwrap_err();
    assert_eq!(mock.requests()[0].outcome(), Outcome::Accepted);
    assert_eq!(titles_after(&mock, &client).await, 1);
}

#[tokio::test]
async fn malformed_json_is_complete_but_for_its_meaning() {
    let (mock, client) = mock_with("malformed-json").await;
    let sent = client.http.execute(client.request(&json!({ "query": CREATE }), &[])).await.unwrap();
    assert_eq!(sent.status(), 200);
    let text = sent.text().await.unwrap();
    assert!(text.starts_with("{\"data\":") && serde_json::from_str::<serde_json::Value>(&text).is_err());
    assert_eq!(titles_after(&mock, &client).await, 1);
}

#[tokio::test]
async fn another_secret_and_an_expired_key_are_refused_as_such() {
    for (fault, outcome) in [("wrong-secret,times=1", "bad_signature"), ("expired,times=1", "expired")] {
        let (mock, client) = mock_with(fault).await;
        assert_eq!(client.titles().await.unwrap().0, 401);
        assert_eq!(client.titles().await.unwrap().0, 200);
        let requests = mock.requests();
        assert_eq!(requests[0].outcome().to_string(), outcome);
        assert!(requests[0].cause().is_some() && requests[1].cause().is_none());
    }
}

#[tokio::test]
async fn a_clock_that_is_wrong_makes_tokens_end_or_not_begin() {
    let mock = MockProvider::ayyeka().start().await;
    let key = mock.credential();
    let request = http()
        .post(format!("{}/auth/token", mock.base_url()))
        .basic_auth(key.key_id(), Some(key.secret()))
        .header("content-type", "application/x-www-form-urlencoded")
        .body("grant_type=client_credentials");
    let token: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
    let token = token["access_token"].as_str().unwrap();
    mock.fault(Fault::skew(4000).times(1));
    mock.fault(Fault::skew(-4000).times(1));
    for (status, outcome) in [(401, "expired"), (401, "future"), (200, "accepted")] {
        let sent = http().get(format!("{}/site", mock.endpoint())).bearer_auth(token).send().await.unwrap();
        assert_eq!(sent.status(), status);
        assert_eq!(mock.requests().last().unwrap().outcome().to_string(), outcome);
    }
}

#[tokio::test]
async fn a_clock_that_is_wrong_makes_signatures_old() {
    let mock = MockProvider::corezoid().start().await;
    let key = mock.credential();
    let secret = Secret::new(key.secret()).unwrap();
    let signer = Signer::new(Corezoid::default(), key.key_id(), &secret);
    mock.fault(Fault::skew(400).times(1));
    mock.fault(Fault::skew(-400).times(1));
    for (status, outcome) in [(401, "stale"), (401, "future"), (200, "accepted")] {
        let mut request = Request::post(mock.endpoint()).body(r#"{"ops":[]}"#).unwrap();
        signer.sign(&mut request).unwrap();
        assert_eq!(http().execute(request.try_into().unwrap()).await.unwrap().status(), status);
        assert_eq!(mock.requests().last().unwrap().outcome().to_string(), outcome);
    }
}

#[tokio::test]
async fn a_fault_may_be_for_one_operation() {
    let (_mock, client) = mock_with("503,on=createTitle").await;
    assert_eq!(client.titles().await.unwrap().0, 200);
    assert_eq!(client.send(&json!({ "query": CREATE })).await.unwrap().0, 503);
}

/// As many as a mock must survive.
const REQUESTS: usize = 10_000;
const CLIENTS: usize = 8;

#[tokio::test]
async fn ten_thousand_requests_under_all_faults_are_survived() {
    let mut builder = MockProvider::ateliere().seed(7);
    for fault in [
        "latency=1ms,rate=5%",
        "429=1,rate=5%",
        "500,rate=5%",
        "503,rate=5%",
        "dropped,rate=5%",
        "half-sent,rate=5%",
        "malformed-json,rate=5%",
        "skew=-400s,rate=5%",
        "wrong-secret,rate=5%",
        "expired,rate=5%",
    ] {
        builder = builder.fault(fault.parse().unwrap());
    }
    let mock = builder.start().await;
    let client = Arc::new(Client::of(&mock));
    let tasks: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let client = Arc::clone(&client);
            tokio::spawn(async move {
                for _ in 0..REQUESTS / CLIENTS {
                    // An answer of any kind, or none.
                    drop(client.titles().await);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let mut met = BTreeMap::<_, usize>::new();
    for request in mock.requests() {
        *met.entry(request.fault().map_or_else(|| "none".to_owned(), |fault| fault.to_string()))
            .or_default() += 1;
    }
    assert_eq!(mock.requests().len(), REQUESTS, "{met:?}");
    assert_eq!(met.len(), 11, "{met:?}");
    assert!(met.values().all(|count| *count > 100), "{met:?}");
    mock.clear_faults();
    assert_eq!(client.titles().await.unwrap().0, 200);
}

/// Sends a signed request over a socket of its own, and reads to the end of the connection.
fn exchange(client: &Client, query: &str) -> String {
    let request = client.request(&json!({ "query": query }), &[]);
    let address = request.url().socket_addrs(|| None).unwrap()[0];
    let body = request.body().and_then(reqwest::Body::as_bytes).unwrap();
    let mut text = format!("POST {} HTTP/1.1\r\nhost: {address}\r\n", request.url().path());
    for (name, value) in request.headers() {
        text += &format!("{name}: {}\r\n", value.to_str().unwrap());
    }
    text += &format!("content-length: {}\r\n\r\n{}", body.len(), std::str::from_utf8(body).unwrap());
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(super::PATIENCE)).unwrap();
    socket.write_all(text.as_bytes()).unwrap();
    let mut answer = Vec::new();
    // Whether the end is an orderly one is the system's choice.
    drop(socket.read_to_end(&mut answer));
    String::from_utf8(answer).unwrap()
}

fn own((head, body): (&str, &str)) -> (String, String) {
    (head.to_owned(), body.to_owned())
}

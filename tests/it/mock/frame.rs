//! What every mock does: stubs, expectations, the log, many at once, and an end that leaves nothing behind.

use super::Client;
use countersign::mock::{MockCredential, MockProvider, Outcome};
use serde_json::json;
use std::{
    net::{TcpListener, TcpStream},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
    time::Duration,
};

#[tokio::test]
async fn a_stub_answers_in_the_place_of_the_provider() {
    let mock = MockProvider::ateliere().start().await;
    let client = Client::of(&mock);
    let reply = json!({ "data": { "titles": [{ "name": "Stalker" }] } });
    mock.stub("Titles").reply(reply.clone()).once();
    mock.stub("titles").status(418).header("x-tea", "green").times(1);
    assert_eq!(client.titles().await.unwrap(), (200, reply));
    let pot =
        client.http.execute(client.request(&json!({ "query": "{ titles { id } }" }), &[])).await.unwrap();
    assert_eq!((pot.status().as_u16(), pot.headers()["x-tea"].to_str().unwrap()), (418, "green"));
    assert_eq!(client.titles().await.unwrap(), (200, json!({ "data": { "titles": [] } })));
    // In a batch, to the operation that it is for.
    mock.stub("B").reply(json!({ "data": { "stubbed": true } }));
    let batch =
        json!([{ "query": "query A { me { organization } }" }, { "query": "query B { me { keyId } }" }]);
    let expected = json!([{ "data": { "me": { "organization": "acme" } } }, { "data": { "stubbed": true } }]);
    assert_eq!(client.send(&batch).await.unwrap(), (200, expected));
    assert_eq!(mock.requests()[3].operations(), ["A", "B"]);
}

#[tokio::test]
async fn expectations_are_checked_when_asked_and_at_the_end() {
    let message = |panic: Box<dyn std::any::Any + Send>| *panic.downcast::<String>().unwrap();
    let mock = MockProvider::ateliere().start().await;
    let client = Client::of(&mock);
    mock.stub("Titles").expect(1..=2);
    let unmet = message(catch_unwind(AssertUnwindSafe(|| mock.verify())).unwrap_err());
    assert!(unmet.contains("`Titles`: expected 1 to 2, got 0\nreceived:\n  nothing"), "{unmet}");

    let stub = mock.stub("titles");
    stub.expect(2..);
    client.titles().await.unwrap();
    // What is refused is no call.
    mock.rotate_secret();
    client.titles().await.unwrap();
    assert_eq!(stub.calls(), 1);
    let unmet = message(catch_unwind(AssertUnwindSafe(|| drop(mock))).unwrap_err());
    assert!(unmet.contains("`titles`: expected at least 2, got 1"), "{unmet}");
    assert!(unmet.contains("POST /graphql [Titles] 200 accepted"), "{unmet}");
    assert!(
        unmet.contains("POST /graphql [Titles] 401 bad_signature: the signature does not match"),
        "{unmet}"
    );
}

#[tokio::test]
async fn the_log_tells_what_came_and_what_became_of_it() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let observed = Arc::clone(&seen);
    let mock = MockProvider::ateliere()
        .observe(move |received| observed.lock().unwrap().push(received.to_string()))
        .start()
        .await;
    let client = Client::of(&mock);
    client.titles().await.unwrap();
    let get = client.http.get(format!("{}/elsewhere", mock.base_url())).send().await.unwrap();
    assert_eq!(get.status(), 404);
    let unsigned = client.http.post(mock.endpoint()).body("{}").send().await.unwrap();
    assert_eq!(unsigned.status(), 401);
    let requests = mock.requests();
    let outcomes: Vec<_> = requests.iter().map(|request| request.outcome().to_string()).collect();
    assert_eq!(outcomes, ["accepted", "no_route", "missing"]);
    let first = &requests[0];
    assert_eq!((first.method().as_str(), first.target(), first.status()), ("POST", "/graphql", 200));
    assert_eq!(first.key_id(), Some(mock.credential().key_id()));
    assert_eq!(first.header("oz-key-id"), Some(mock.credential().key_id()));
    assert_eq!(first.json().unwrap()["query"], "query Titles { titles { name } }");
    assert!(first.asks_for("titles") && !first.asks_for("title"));
    assert!(requests[2].cause().unwrap().contains("no credentials"));
    assert_eq!(seen.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn a_refusal_shows_what_should_have_been_signed() {
    let mock = MockProvider::ateliere().start().await;
    let client = Client::of(&mock);
    let mut request = client.request(&json!({ "query": "{ me { keyId } }" }), &[]);
    *request.body_mut() = Some(r#"{"query":"{ other }"}"#.into());
    assert_eq!(client.http.execute(request).await.unwrap().status(), 401);
    let requests = mock.requests();
    assert_eq!(requests[0].outcome().to_string(), "bad_signature");
    let host = mock.base_url().strip_prefix("http://").unwrap();
    let base = format!(
        r#"{{"url":"{host}/graphql","body":"{{\"query\":\"{{ other }}\"}}","organization_slug":"acme"}}"#
    );
    assert_eq!(requests[0].signature_base(), Some(base.as_str()));
}

#[tokio::test]
async fn a_test_may_bring_its_credentials() {
    let first = MockCredential::new("pk_mine", "a-secret-of-the-test").with_organization("studio");
    let mock = MockProvider::ateliere()
        .credential(first)
        .credential(MockCredential::new("pk_other", "another-secret-of-it"))
        .start()
        .await;
    let (_, me) = Client::of(&mock).send(&json!({ "query": "{ me { keyId organization } }" })).await.unwrap();
    assert_eq!(me, json!({ "data": { "me": { "keyId": "pk_mine", "organization": "studio" } } }));
    assert_eq!(mock.credentials()[1].organization(), Some("acme"));
    let error =
        MockProvider::ateliere().credential(MockCredential::new("", "secret")).try_start().unwrap_err();
    assert_eq!(error.to_string(), "the credential cannot be used");
}

#[tokio::test]
async fn the_state_is_handed_on() {
    let mock = MockProvider::ateliere().start().await;
    let create = json!({ "query": "mutation { createTitle(title: { name: \"Mirror\" }) { id } }" });
    Client::of(&mock).send(&create).await.unwrap();
    let next = MockProvider::ateliere().state(mock.state()).start().await;
    let (_, titles) = Client::of(&next).titles().await.unwrap();
    assert_eq!(titles["data"]["titles"][0]["name"], "Mirror");
    MockProvider::ateliere().state(json!([])).try_start().unwrap_err();
}

#[tokio::test]
async fn a_hundred_run_side_by_side() {
    let mut mocks = Vec::new();
    for _ in 0..100 {
        mocks.push(MockProvider::ateliere().start().await);
    }
    for mock in &mocks {
        assert_eq!(Client::of(mock).titles().await.unwrap().0, 200);
    }
    // A key of one is none of another.
    let mut stranger = Client::of(&mocks[0]);
    stranger.url = mocks[1].endpoint();
    assert_eq!(stranger.titles().await.unwrap().0, 401);
    assert_eq!(mocks[1].requests()[1].outcome().to_string(), "unknown_key");
}

#[test]
fn a_mock_that_is_dropped_leaves_nothing_behind() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mock = runtime.block_on(MockProvider::ateliere().start());
    let address = mock.base_url().strip_prefix("http://").unwrap().to_owned();
    let open = TcpStream::connect(&address).unwrap();
    open.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    drop(mock);
    // The connection has ended, however that reads.
    assert!(matches!(std::io::Read::read(&mut &open, &mut [0]), Ok(0) | Err(_)));
    drop(open);
    TcpStream::connect(&address).unwrap_err();
    assert_eq!(TcpListener::bind(&address).unwrap().local_addr().unwrap().to_string(), address);
}

#[tokio::test]
async fn the_clock_belongs_to_the_mock() {
    let (mock, other) = (MockProvider::ateliere().start().await, MockProvider::ateliere().start().await);
    mock.advance(Duration::from_secs(3600));
    for mock in [&mock, &other] {
        assert_eq!(Client::of(mock).titles().await.unwrap().0, 200);
    }
    let [late, now] = [&mock, &other].map(|mock| mock.requests()[0].at());
    assert!(late.duration_since(now).unwrap() > Duration::from_secs(3500));
    mock.set_back(Duration::from_secs(7200));
    Client::of(&mock).titles().await.unwrap();
    assert!(mock.requests()[1].at() < now);
    assert_eq!(mock.requests()[1].outcome(), Outcome::Accepted);
}

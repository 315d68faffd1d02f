//! The mock of Ayyeka: tokens that end, and samples in batches that are acknowledged.

use super::{answer, http};
use countersign::{
    clock::{Clock as _, SystemClock},
    mock::{AyyekaMock, Fault, MockProvider, Outcome},
};
use serde_json::{Value, json};
use std::time::{Duration, UNIX_EPOCH};

/// A client that asks for a token once it needs one.
struct Client {
    http: reqwest::Client,
    base: String,
    key: String,
    secret: String,
    token: String,
}

impl Client {
    fn of(mock: &MockProvider<AyyekaMock>) -> Self {
        let key = mock.credential();
        let (base, secret) = (mock.base_url().to_owned(), key.secret().to_owned());
        Self { http: http(), base, key: key.key_id().to_owned(), secret, token: String::new() }
    }

    async fn renew(&mut self) -> u16 {
        let request =
            self.http.post(format!("{}/auth/token", self.base)).basic_auth(&self.key, Some(&self.secret));
        let form = request.header("content-type", "application/x-www-form-urlencoded");
        let sent = form.body("grant_type=client_credentials").send().await.unwrap();
        let (status, body) = answer(sent).await.unwrap();
        if status == 200 {
            assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("JWT"), &json!(3600)));
            self.token = body["access_token"].as_str().unwrap().to_owned();
        }
        status
    }

    async fn once(&self, method: &str, target: &str, authorization: &str) -> (u16, Value) {
        let url = format!("{}/v2.0{target}", self.base);
        let request = self.http.request(method.parse().unwrap(), url).header("authorization", authorization);
        let sent = request.send().await.unwrap();
        let status = sent.status().as_u16();
        (status, serde_json::from_slice(&sent.bytes().await.unwrap()).unwrap_or_default())
    }

    /// As the vendor's clients do: on a 401, another token and once more.
    async fn ask(&mut self, method: &str, target: &str) -> (u16, Value) {
        let bearer = |client: &Self| format!("Bearer {}", client.token);
        match self.once(method, target, &bearer(self)).await {
            (401, _) => {
                assert_eq!(self.renew().await, 200);
                self.once(method, target, &bearer(self)).await
            }
            answer => answer,
        }
    }

    async fn get(&mut self, target: &str) -> (u16, Value) {
        self.ask("GET", target).await
    }
}

fn outcomes(mock: &MockProvider<AyyekaMock>) -> Vec<String> {
    mock.requests().iter().map(|request| request.outcome().to_string()).collect()
}

#[tokio::test]
async fn a_token_that_ends_is_renewed() {
    let mock = MockProvider::ayyeka().start().await;
    let mut client = Client::of(&mock);
    assert_eq!(client.renew().await, 200);
    mock.clear_requests();
    mock.advance(Duration::from_secs(3599));
    assert_eq!(client.get("/site").await.0, 200);
    mock.advance(Duration::from_secs(61));
    assert_eq!(client.get("/site").await.0, 200);
    assert_eq!(outcomes(&mock), ["accepted", "expired", "open", "accepted"]);
    // The fault says the same without a clock.
    mock.clear_requests();
    mock.fault(Fault::expired().times(1));
    assert_eq!(client.get("/site").await.0, 200);
    assert_eq!(outcomes(&mock), ["expired", "open", "accepted"]);
}

#[tokio::test]
async fn tokens_are_taken_behind_any_word() {
    let mock = MockProvider::ayyeka().start().await;
    let mut client = Client::of(&mock);
    client.renew().await;
    let token = client.token.clone();
    for authorization in
        [format!("Bearer {token}"), token.clone(), format!("JWT {token}"), format!("bearer {token}")]
    {
        assert_eq!(client.once("GET", "/stream", &authorization).await.0, 200, "{authorization}");
    }
    let (status, refused) = client.once("GET", "/stream", "Bearer nothing").await;
    assert_eq!((status, &refused["message"]), (401, &json!("incorrect credentials")));
    assert!(refused["request_id"].is_string());
}

#[tokio::test]
async fn a_wrong_secret_gets_no_token_and_the_test_the_reason() {
    let mock = MockProvider::ayyeka().start().await;
    let mut client = Client::of(&mock);
    mock.rotate_secret();
    assert_eq!(client.renew().await, 401);
    let requests = mock.requests();
    assert_eq!(requests[0].outcome(), Outcome::Denied);
    assert!(requests[0].cause().unwrap().starts_with("invalid_client: "));
    client.secret = mock.credential().secret().to_owned();
    assert_eq!(client.renew().await, 200);
}

#[tokio::test]
async fn the_fleet_reads_as_documented() {
    let mock = MockProvider::ayyeka().start().await;
    let mut client = Client::of(&mock);
    let (_, sites) = client.get("/site").await;
    assert_eq!(sites.as_array().unwrap().len(), 2);
    assert!(sites[0]["longitude"].is_string() && sites[0]["creation_date"].is_string());
    let (_, streams) = client.get("/site/2/streams").await;
    assert_eq!((&streams[0]["id"], &streams[0]["site_id"]), (&json!(3), &json!(2)));
    assert_eq!(client.get("/stream/3").await.1, streams[0]);
    let (_, samples) = client.get("/stream/3/sample").await;
    assert_eq!(samples.as_array().unwrap().len(), 96);
    let at = UNIX_EPOCH + Duration::from_secs(1_900_000_000);
    let id = mock.add_sample(3, at, "102.0000");
    let last =
        json!({ "id": id, "stream_id": 3, "sample_date": "2030-03-17T17:46:40Z", "value": "102.0000" });
    assert_eq!(client.get("/stream/3/sample/last").await.1, last);
    let range = "/stream/3/sample/range?fromDate=1900000000&toDate=1900000001";
    assert_eq!(client.get(range).await.1, json!({ "hasMore": false, "samples": [last] }));
    for (target, status, message) in [
        ("/site/9", 404, "Site not found"),
        ("/stream/9/sample", 404, "Sample not found"),
        ("/stream/x", 400, "Bad request: the id in the path must be a whole number of 1 or more"),
        ("/stream/3/sample/range?fromDate=1900000000", 400, "Bad request: toDate is missing"),
        ("/nothing", 404, "GET /v2.0/nothing not found"),
    ] {
        let (found, body) = client.get(target).await;
        assert_eq!((found, &body["message"]), (status, &json!(message)), "{target}");
    }
    assert_eq!(client.once("GET", "/health", "").await.0, 200);
}

#[tokio::test]
async fn batches_are_acknowledged() {
    let mock = MockProvider::ayyeka().start().await;
    let mut client = Client::of(&mock);
    mock.set_batch_size(200);
    let ids = |batch: &Value| -> Vec<i64> {
        batch["samples"].as_array().unwrap().iter().map(|sample| sample["id"].as_i64().unwrap()).collect()
    };
    assert_eq!(client.get("/sample/batch/status").await.0, 404);
    let (_, first) = client.get("/sample/batch?enableAck=True").await;
    assert_eq!((&first["hasMore"], ids(&first)), (&json!(true), (1..=200).collect()));
    // Not acknowledged, it comes again.
    assert_eq!(client.get("/sample/batch").await.1, first);
    assert_eq!(client.ask("POST", "/sample/batch/ack?sampleId=200").await.0, 204);
    assert_eq!(
        (mock.acknowledged(), client.get("/sample/batch/status").await.1["id"].clone()),
        (200, json!(200))
    );
    // The vendor's Python writes its booleans like this.
    let (_, second) = client.get("/sample/batch?enableAck=False").await;
    assert_eq!((&second["hasMore"], ids(&second)), (&json!(false), (201..=384).collect()));
    assert_eq!(ids(&client.get("/sample/batch").await.1), Vec::<i64>::new());
    assert_eq!(ids(&client.get("/sample/batch?sampleID=382").await.1), [383, 384]);
    // Whether the hour's first quarter still counts depends on the second.
    assert!([16, 20].contains(&ids(&client.get("/sample/batch?backfillHours=1").await.1).len()));
    let day_ago = SystemClock.now().duration_since(UNIX_EPOCH).unwrap().as_secs() - 2 * 86_400;
    assert_eq!(client.ask("POST", &format!("/sample/batch/backfill?sampleDate={day_ago}")).await.0, 204);
    assert_eq!(client.get("/sample/batch").await.1, first);
    assert_eq!(
        client.get(&format!("/site/1/sample/batch?sampleDate={day_ago}")).await.1["hasMore"],
        json!(false)
    );
}

#[tokio::test]
async fn requests_are_stubbed_by_method_and_route() {
    let mock = MockProvider::ayyeka().start().await;
    let mut client = Client::of(&mock);
    let busy = json!({ "message": "Too many requests" });
    mock.stub("GET /v2.0/site/8").status(429).reply(busy.clone());
    mock.stub("GET /site/{id}").reply(json!({ "id": 7 })).expect(2);
    assert_eq!(client.get("/site/7").await, (200, json!({ "id": 7 })));
    assert_eq!(mock.requests().last().unwrap().operations(), ["GET /v2.0/site/{id}"]);
    assert_eq!(client.get("/site/8").await, (429, busy));
    mock.verify();
}

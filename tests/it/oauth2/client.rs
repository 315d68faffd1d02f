//! The client of a token endpoint: of ours, and of one that answers as a test says.

use super::{CLIENT, CLIENT_SECRET, Issuer, basic, serve};
use axum::{
    Router,
    extract::State,
    response::{IntoResponse as _, Response},
    routing::{any, post},
};
use countersign::{
    client::{ClientError, ClientErrorKind as Kind, TokenClient},
    clock::ManualClock,
    oauth2::TokenType,
    secret::Secret,
};
use http::{HeaderMap, StatusCode};
use reqwest::{Client, Url, multipart::Form};
use std::{
    collections::VecDeque,
    error::Error,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Semaphore, watch};

/// More than any test asks for.
const OPEN: usize = 1000;

/// What the endpoint answers, in order; then it gives `token-1`, `token-2` and so on, by how often it was asked.
type Script = Vec<(u16, &'static str)>;

struct Endpoint {
    script: Mutex<VecDeque<(u16, &'static str)>>,
    asked: watch::Sender<usize>,
    /// Each answer takes a permit.
    gate: Semaphore,
    /// The number of the token that the guarded route takes.
    accepted: AtomicUsize,
    called: AtomicUsize,
}

/// An endpoint, its address, and a client of it on a clock.
struct Setting {
    endpoint: Arc<Endpoint>,
    address: SocketAddr,
    clock: Arc<ManualClock>,
    client: TokenClient,
}

impl Setting {
    async fn new(script: Script, permits: usize) -> Self {
        let endpoint = Arc::new(Endpoint {
            script: Mutex::new(script.into()),
            asked: watch::Sender::new(0),
            gate: Semaphore::new(permits),
            accepted: AtomicUsize::new(1),
            called: AtomicUsize::new(0),
        });
        let app = Router::new().route("/auth/token", post(grant)).route("/guarded", any(guarded));
        let address = serve(app.with_state(Arc::clone(&endpoint))).await;
        let clock = Arc::new(ManualClock::at(1_700_000_000));
        let client = client(address, CLIENT_SECRET).with_clock(Arc::clone(&clock));
        Self { endpoint, address, clock, client }
    }

    fn asked(&self) -> usize {
        *self.endpoint.asked.borrow()
    }

    async fn token(&self) -> String {
        let token = self.client.token().await.unwrap();
        token.authorization().to_str().unwrap().to_owned()
    }

    async fn call(&self) -> Result<StatusCode, ClientError> {
        let request = Client::new().post(format!("http://{}/guarded", self.address)).body("{}");
        self.client.send(request).await.map(|answer| answer.status())
    }
}

fn client(address: SocketAddr, secret: &str) -> TokenClient {
    let url: Url = format!("http://{address}/auth/token").parse().unwrap();
    TokenClient::new(Client::new(), url, CLIENT, Secret::new(secret).unwrap()).unwrap()
}

async fn grant(State(endpoint): State<Arc<Endpoint>>, headers: HeaderMap, body: String) -> Response {
    assert_eq!(headers["authorization"], basic(CLIENT, CLIENT_SECRET));
    assert_eq!((headers["content-type"].to_str().unwrap(), &*body), (FORM, "grant_type=client_credentials"));
    endpoint.asked.send_modify(|asked| *asked += 1);
    let number = *endpoint.asked.borrow();
    endpoint.gate.acquire().await.unwrap().forget();
    let scripted = endpoint.script.lock().unwrap().pop_front();
    match scripted {
        Some((status, body)) => {
            let status = StatusCode::from_u16(status).unwrap();
            (status, [("retry-after", "7"), ("location", "/elsewhere")], body).into_response()
        }
        None => format!(r#"{{"access_token":"token-{number}","token_type":"JWT","expires_in":3600}}"#)
            .into_response(),
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

async fn guarded(State(endpoint): State<Arc<Endpoint>>, headers: HeaderMap) -> StatusCode {
    endpoint.called.fetch_add(1, Ordering::Relaxed);
    let accepted = format!("Bearer token-{}", endpoint.accepted.load(Ordering::Relaxed));
    if headers["authorization"] == accepted { StatusCode::OK } else { StatusCode::UNAUTHORIZED }
}

#[tokio::test]
async fn our_own_issuer_s_tokens_are_got_and_renewed() {
    for token_type in [TokenType::Jwt, TokenType::Bearer] {
        let issuer = Issuer::with(|endpoint| endpoint.with_token_type(token_type)).await;
        let site = || Client::new().get(format!("http://{}/v2.0/site", issuer.address));
        let clock = Arc::new(ManualClock::at(0));
        let client = client(issuer.address, CLIENT_SECRET).with_clock(Arc::clone(&clock));
        let answer = client.send(site()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(answer.text().await.unwrap().contains(CLIENT));
        // To the server the token is over, to the client it is not.
        issuer.clock.advance(Duration::from_secs(4000));
        let before = client.token().await.unwrap().authorization();
        assert_eq!(client.send(site()).await.unwrap().status(), StatusCode::OK);
        assert!(client.token().await.unwrap().authorization() != before);
    }
}

#[tokio::test]
async fn our_own_issuer_s_refusal_says_why() {
    let issuer = Issuer::start().await;
    let error = client(issuer.address, "another-secret-of-some-length").token().await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::TokenRefused, Some("invalid_client")));
    assert_eq!(error.to_string(), "the token endpoint refuses the client: 401 invalid_client");
}

#[tokio::test]
async fn a_token_is_kept_and_renewed_a_minute_before_its_end() {
    let setting = Setting::new(vec![], OPEN).await;
    for (passed, expected) in [(0, 1), (0, 1), (3539, 1), (1, 2), (3539, 2), (3600, 3)] {
        setting.clock.advance(Duration::from_secs(passed));
        assert_eq!(setting.token().await, format!("Bearer token-{expected}"));
        assert_eq!(setting.asked(), expected);
    }
    let short = setting.client.clone().with_margin(Duration::from_secs(10));
    assert_eq!(short.token().await.unwrap().authorization(), "Bearer token-4");
    setting.clock.advance(Duration::from_secs(3589));
    assert_eq!(short.token().await.unwrap().authorization(), "Bearer token-4");
    setting.clock.advance(Duration::from_secs(1));
    assert_eq!(short.token().await.unwrap().authorization(), "Bearer token-5");
}

#[tokio::test]
async fn a_short_token_is_renewed_after_half_its_life_and_one_without_end_never() {
    let script = vec![
        (200, r#"{"access_token":"a","token_type":"bearer","expires_in":"20"}"#),
        (200, r#"{"access_token":"b","token_type":"BEARER"}"#),
    ];
    let setting = Setting::new(script, OPEN).await;
    for (passed, expected) in [(0, "a"), (9, "a"), (1, "b"), (1 << 40, "b")] {
        setting.clock.advance(Duration::from_secs(passed));
        assert_eq!(setting.token().await, format!("Bearer {expected}"));
    }
}

#[tokio::test]
async fn whoever_needs_a_token_waits_for_the_same_request() {
    for (script, expected) in [(vec![], Ok("Bearer token-1")), (vec![(500, "")], Err(Kind::TokenUnavailable))]
    {
        let setting = Setting::new(script, 0).await;
        let calls: Vec<_> = (0..100)
            .map(|_| {
                let client = setting.client.clone();
                tokio::spawn(async move { client.token().await })
            })
            .collect();
        setting.endpoint.asked.subscribe().wait_for(|asked| *asked == 1).await.unwrap();
        setting.endpoint.gate.add_permits(OPEN);
        for call in calls {
            let token = call.await.unwrap().map(|token| token.authorization());
            assert_eq!(token.map_err(|error| error.kind()), expected.map(|text| text.parse().unwrap()));
        }
        assert_eq!(setting.asked(), 1);
    }
}

#[tokio::test]
async fn whoever_goes_away_takes_nobody_with_him() {
    let setting = Setting::new(vec![], 0).await;
    let client = setting.client.clone();
    let gone = tokio::spawn(async move { client.token().await });
    setting.endpoint.asked.subscribe().wait_for(|asked| *asked == 1).await.unwrap();
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    setting.endpoint.gate.add_permits(OPEN);
    assert_eq!(setting.token().await, "Bearer token-2");
}

#[tokio::test]
async fn the_old_token_serves_while_a_new_one_is_got() {
    let setting = Setting::new(vec![], 1).await;
    assert_eq!(setting.token().await, "Bearer token-1");
    setting.clock.advance(Duration::from_secs(3550));
    let client = setting.client.clone();
    let renewing = tokio::spawn(async move { client.token().await });
    setting.endpoint.asked.subscribe().wait_for(|asked| *asked == 2).await.unwrap();
    assert_eq!(setting.token().await, "Bearer token-1");
    setting.endpoint.gate.add_permits(OPEN);
    assert_eq!(renewing.await.unwrap().unwrap().authorization(), "Bearer token-2");
    assert_eq!(setting.token().await, "Bearer token-2");
}

#[tokio::test]
async fn after_a_failure_nobody_asks_for_a_while() {
    // The endpoint says to wait for 7 s, and with each failure the client's own wait doubles.
    let setting = Setting::new(vec![(400, "{}"); 6], OPEN).await;
    let mut waits = Vec::new();
    for asked in 1..=6 {
        let mut waited = 0;
        while setting.asked() < asked {
            assert_eq!(setting.client.token().await.unwrap_err().kind(), Kind::TokenRefused);
            if setting.asked() < asked {
                setting.clock.advance(Duration::from_secs(1));
                waited += 1;
            }
        }
        waits.push(waited);
    }
    assert_eq!(waits, [0, 7, 7, 7, 8, 16]);
    setting.clock.advance(Duration::from_secs(31));
    assert!(setting.client.token().await.is_err());
    setting.clock.advance(Duration::from_secs(1));
    assert_eq!(setting.token().await, "Bearer token-7");
}

#[tokio::test]
async fn a_token_that_still_works_outlives_a_failure_of_the_endpoint() {
    let setting = Setting::new(vec![], OPEN).await;
    assert_eq!(setting.token().await, "Bearer token-1");
    setting.endpoint.script.lock().unwrap().extend([(503, ""); 3]);
    for (passed, expected, asked) in [
        (3545, Ok(()), 2),
        (1, Ok(()), 2),
        (7, Ok(()), 3),
        (46, Ok(()), 4),
        (1, Err(Kind::TokenUnavailable), 4),
        (7, Ok(()), 5),
    ] {
        setting.clock.advance(Duration::from_secs(passed));
        let token = setting.client.token().await;
        assert_eq!(token.as_ref().map(drop).map_err(ClientError::kind), expected);
        assert_eq!(setting.asked(), asked, "after {passed}");
    }
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_for_all() {
    let setting = Setting::new(vec![], OPEN).await;
    assert_eq!(setting.call().await.unwrap(), StatusCode::OK);
    // The server forgets the token.
    setting.endpoint.accepted.store(2, Ordering::Relaxed);
    let calls = (0..50).map(|_| setting.call());
    let mut calls: Vec<_> = calls.map(Box::pin).collect();
    for call in &mut calls {
        assert_eq!(call.await.unwrap(), StatusCode::OK);
    }
    assert_eq!(setting.asked(), 2);
}

#[tokio::test]
async fn a_server_that_refuses_every_token_makes_no_storm() {
    let setting = Setting::new(vec![], OPEN).await;
    setting.endpoint.accepted.store(0, Ordering::Relaxed);
    for _ in 0..20 {
        assert_eq!(setting.call().await.unwrap(), StatusCode::UNAUTHORIZED);
    }
    assert_eq!((setting.asked(), setting.endpoint.called.load(Ordering::Relaxed)), (2, 21));
    setting.clock.advance(Duration::from_secs(60));
    for _ in 0..20 {
        assert_eq!(setting.call().await.unwrap(), StatusCode::UNAUTHORIZED);
    }
    assert_eq!(setting.asked(), 3);
    // One that worked is worth another try at any time.
    for number in 4..8 {
        setting.endpoint.accepted.store(number - 1, Ordering::Relaxed);
        assert_eq!(setting.call().await.unwrap(), StatusCode::OK);
        setting.endpoint.accepted.store(number, Ordering::Relaxed);
        assert_eq!(setting.call().await.unwrap(), StatusCode::OK);
    }
    assert_eq!(setting.asked(), 7);
}

#[tokio::test]
async fn a_stream_is_sent_once() {
    let setting = Setting::new(vec![], OPEN).await;
    setting.endpoint.accepted.store(2, Ordering::Relaxed);
    let request = Client::new().post(format!("http://{}/guarded", setting.address));
    let answer = setting.client.send(request.multipart(Form::new().text("a", "b"))).await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!((setting.asked(), setting.endpoint.called.load(Ordering::Relaxed)), (1, 1));
}

#[tokio::test]
async fn an_answer_that_is_none_is_told_apart() {
    let long = Box::leak(format!(r#"{{"access_token":"{}"}}"#, "t".repeat(70_000)).into_boxed_str());
    for (status, body, kind, code) in [
        (
            400,
            r#"{"error":"invalid_grant","error_description":"no"}"#,
            Kind::TokenRefused,
            Some("invalid_grant"),
        ),
        (401, "not JSON", Kind::TokenRefused, None),
        (403, r#"{"error":"Your token is T0KEN"}"#, Kind::TokenRefused, None),
        (429, "{}", Kind::TokenUnavailable, None),
        (500, "{}", Kind::TokenUnavailable, None),
        (503, r#"{"error":"server_error"}"#, Kind::TokenUnavailable, Some("server_error")),
        (304, "", Kind::TokenMalformed, None),
        (200, "", Kind::TokenMalformed, None),
        (200, r#"{"access_token":"T0KEN","token_type":"mac"}"#, Kind::TokenMalformed, None),
        (200, r#"{"access_token":"T0KEN \n","token_type":"JWT"}"#, Kind::TokenMalformed, None),
        (200, r#"{"access_token":"T0KEN","token_type":7}"#, Kind::TokenMalformed, None),
        (200, long, Kind::TokenMalformed, None),
    ] {
        let setting = Setting::new(vec![(status, body)], OPEN).await;
        let error = setting.client.token().await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (kind, code), "{status} {body}");
        assert!(!told(&error).contains("T0KEN"), "{error:?}");
    }
    let nobody = client("127.0.0.1:1".parse().unwrap(), CLIENT_SECRET);
    let error = nobody.token().await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (Kind::TokenUnavailable, None));
    assert!(error.source().is_some() && !told(&error).contains("127.0.0.1:1/"), "{error:?}");
}

/// All that an error says, and what lies behind it.
fn told(error: &dyn Error) -> String {
    let mut text = format!("{error:?} {error}");
    let mut next = error.source();
    while let Some(source) = next {
        text += &format!(" {source:?} {source}");
        next = source.source();
    }
    text
}

#[tokio::test]
async fn nothing_prints_secret_or_token() {
    let setting = Setting::new(vec![], OPEN).await;
    let token = setting.client.token().await.unwrap();
    let text = format!("{:?} {token:?} {:?}", setting.client, token.authorization());
    assert!(!text.contains(CLIENT_SECRET) && !text.contains("token-1"), "{text}");
    assert!(text.contains(CLIENT));
    for id in ["", "a:b"] {
        let url: Url = "http://a.test/token".parse().unwrap();
        assert!(TokenClient::new(Client::new(), url, id, Secret::new("s").unwrap()).is_err(), "{id:?}");
    }
}

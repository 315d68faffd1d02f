//! What becomes of requests for tokens: one word, one id and one event, as for all others.

use super::{CLIENT, CLIENT_SECRET, GRANT, basic, client, stored};
use crate::support::{
    http::{Answer, Script, store_by},
    printed::Printed,
    tokens::{KEY, NOW, at, profile},
};
use countersign::{
    Outcome,
    clock::ManualClock,
    credential::CredentialState,
    middleware::{Notice, RequestId, Witness},
    oauth2::TokenEndpoint,
    store::{Found, MemoryKeyStore, StoreError},
};
use http::Request;
use serde_json::Value;
use std::sync::{Arc, Mutex};
use tower::ServiceExt as _;

/// Hears of refusals, and wants to see none.
#[derive(Clone, Debug, Default)]
struct Heard(Arc<Mutex<Vec<Notice>>>);

impl Witness for Heard {
    fn heard(&self, notice: &Notice) {
        self.0.lock().unwrap().push(notice.clone());
    }
}

fn keys() -> MemoryKeyStore {
    let keys = MemoryKeyStore::with_clock(ManualClock::at(NOW));
    let mut clients = ["disabled", "revoked", "expired"].map(|id| client(id, &[CLIENT_SECRET]));
    clients[0].state = CredentialState::Disabled;
    clients[1].state = CredentialState::Revoked;
    clients[2].expires_at = Some(at(NOW));
    clients.into_iter().for_each(|client| keys.insert_client(client));
    keys.insert_client(client(CLIENT, &[CLIENT_SECRET]));
    keys.insert_signing_key(stored(&KEY, "rsa-1"));
    keys
}

/// The events of one request, what was heard of it, and its answer with its outcome.
async fn told(
    endpoint: TokenEndpoint,
    authorization: &str,
    body: &str,
) -> (Vec<Value>, Vec<Notice>, Option<Outcome>, Answer) {
    let (printed, heard) = (Printed::default(), Heard::default());
    let mut request = Request::post("/auth/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-request-id", "order-4711");
    if !authorization.is_empty() {
        request = request.header("authorization", authorization);
    }
    let mut request = request.body(Script::whole(body.to_owned().into())).unwrap();
    request.extensions_mut().insert(RequestId::new("named-by-the-server").unwrap());
    let listening = printed.listen();
    let answer = endpoint.with_witness(heard.clone()).oneshot(request).await.unwrap();
    drop(listening);
    let outcome = answer.extensions().get().copied();
    let text = printed.text();
    let events = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let heard = std::mem::take(&mut *heard.0.lock().unwrap());
    (events.collect(), heard, outcome, Answer::read(answer).await)
}

#[tokio::test]
async fn a_refusal_has_one_word_one_id_and_one_event() {
    let keys = Arc::new(keys());
    let endpoint = || TokenEndpoint::new(Arc::clone(&keys), profile()).with_clock(ManualClock::at(NOW));
    let good = basic(CLIENT, CLIENT_SECRET);
    let other = "another secret of random letters";
    for (authorization, body, outcome, error, client) in [
        (basic(CLIENT, other), GRANT, Outcome::BadSignature, "invalid_client", Some(CLIENT)),
        (basic("nobody", other), GRANT, Outcome::UnknownKey, "invalid_client", None),
        // Swapped: what stands in the place of the id is a secret, and is told nowhere.
        (basic(CLIENT_SECRET, CLIENT), GRANT, Outcome::UnknownKey, "invalid_client", None),
        (basic("disabled", CLIENT_SECRET), GRANT, Outcome::Disabled, "invalid_client", Some("disabled")),
        (basic("revoked", CLIENT_SECRET), GRANT, Outcome::Revoked, "invalid_client", Some("revoked")),
        (basic("expired", CLIENT_SECRET), GRANT, Outcome::Expired, "invalid_client", Some("expired")),
        (String::new(), GRANT, Outcome::Missing, "invalid_client", None),
        ("Bearer abc".to_owned(), GRANT, Outcome::Missing, "invalid_client", None),
        (basic(CLIENT, ""), GRANT, Outcome::Malformed, "invalid_client", None),
        ("Basic !".to_owned(), GRANT, Outcome::Malformed, "invalid_request", None),
        (good.clone(), "grant_type=password", Outcome::Malformed, "unsupported_grant_type", None),
        (good.clone(), "grant_type=client_credentials&scope=x", Outcome::Malformed, "invalid_scope", None),
        (good.clone(), &"x".repeat(9_000), Outcome::BodyTooLarge, "invalid_request", None),
    ] {
        let (events, heard, found, answer) = told(endpoint(), &authorization, body).await;
        assert_eq!(found, Some(outcome), "{authorization} {body}");
        let [event] = &events[..] else { panic!("{events:#?}") };
        let fields = &event["fields"];
        assert_eq!((&fields["outcome"], &fields["oauth.error"]), (&outcome.as_str().into(), &error.into()));
        assert_eq!((&fields["scheme"], &event["level"]), (&"client-credentials".into(), &"INFO".into()));
        assert_eq!(fields["client_id"].as_str(), client);
        assert_eq!(fields["request_id"], "named-by-the-server");
        assert_eq!(fields["client_request_id"], "order-4711");
        assert_eq!(answer.headers["x-request-id"], "named-by-the-server");
        let [notice] = &heard[..] else { panic!("{heard:?}") };
        assert_eq!((notice.outcome, notice.scheme), (outcome, Some("client-credentials")));
        assert_eq!(notice.key_id.as_ref().map(|id| id.as_str()), client);
        let printed = format!("{events:?} {heard:?} {answer:?}");
        assert!(!printed.contains(CLIENT_SECRET) && !printed.contains(other), "{printed}");
    }
    let (events, heard, found, answer) = told(endpoint(), &good, GRANT).await;
    assert_eq!((events.len(), heard.len(), found), (1, 0, None));
    assert!(answer.status.is_success() && !answer.headers.contains_key("x-request-id"));
}

#[tokio::test]
async fn the_one_event_says_why_the_store_cannot_be_asked() {
    let down = store_by(|_| Found::Pending(Box::pin(async { Err(StoreError::new("no route to host")) })));
    let endpoint = TokenEndpoint::new(down, profile());
    let (events, _, found, answer) = told(endpoint, &basic(CLIENT, CLIENT_SECRET), GRANT).await;
    assert_eq!(found, Some(Outcome::StoreUnavailable));
    let [event] = &events[..] else { panic!("{events:#?}") };
    assert_eq!(event["level"], "ERROR");
    assert!(event["fields"]["cause"].as_str().unwrap().contains("no route to host"), "{event}");
    assert!(!answer.text().contains("route"));
}

#[tokio::test]
async fn too_many_failures_keep_their_word() {
    let endpoint = TokenEndpoint::new(keys(), profile()).with_clock(ManualClock::at(NOW));
    let endpoint = endpoint.with_peer(|_| Some([192, 0, 2, 1].into()));
    let wrong = basic(CLIENT, "another secret of random letters");
    for _ in 0..10 {
        assert_eq!(told(endpoint.clone(), &wrong, GRANT).await.3.status, 401);
    }
    let (events, _, found, answer) = told(endpoint, &wrong, GRANT).await;
    assert_eq!((answer.status.as_u16(), found), (429, Some(Outcome::BadSignature)));
    assert_eq!(events[0]["fields"]["limited"], true);
}

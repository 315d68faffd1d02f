//! One word for what became of each request, and one name that ties the caller's answer to the operator's event.

use crate::support::{
    http::{Answer, App, HOST, Provider, SECRET, echo, layer, send},
    printed::Printed,
};
use axum::{Router, body::Body, routing::post};
use bytes::Bytes;
use countersign::{
    Outcome, Permission, Permitted, VerifyLayer,
    credential::{KeyId, Organization, Permissions, Principal, ReadToken, SecretHash, SecretVersion},
    middleware::{RequestId, RequestIdLayer},
    store::MemoryKeyStore,
    verify::{AnyOf, ReadTokenVerifier},
};
use http::Request;
use serde_json::Value;
use std::sync::Arc;
use tower::Layer as _;

const TOKEN: &str = "rat_5f3a9c0e7b1d2846a0c4e8f25b7d9136";

/// What was answered, and the events that were told of it.
async fn told(app: App, request: Request<Bytes>) -> (Answer, Vec<Value>) {
    let printed = Printed::default();
    let listening = printed.listen();
    let answer = send(app, request).await;
    drop(listening);
    let text = printed.text();
    let events = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["fields"].take());
    (answer, events.filter(|fields| fields["outcome"].is_string()).collect())
}

/// The only event.
async fn one(app: App, request: Request<Bytes>) -> (Answer, Value) {
    let (answer, mut events) = told(app, request).await;
    assert_eq!(events.len(), 1, "{events:#?}");
    (answer, events.remove(0))
}

/// A store of a key with two secrets, of which [`SECRET`] is the older, and of one read token.
fn store() -> MemoryKeyStore {
    let store = MemoryKeyStore::new();
    let mut credential = Provider::Corezoid.credential();
    credential.secrets.push(SecretVersion::new(2, Provider::Corezoid.mac_key("a newer secret of this test")));
    store.insert("corezoid", Provider::Corezoid.key_id(), credential);
    Provider::Ateliere.enroll(&store);
    let (owner, acme) = (Principal::new("ada").unwrap(), Organization::new("acme").unwrap());
    let token = ReadToken::new(KeyId::new("reports").unwrap(), owner, acme);
    store.insert_read_token(&SecretHash::of(TOKEN.as_bytes()), token);
    store
}

#[tokio::test]
async fn every_mechanism_tells_the_same_words() {
    let store = Arc::new(store());
    let any =
        AnyOf::new(Provider::Ateliere.verifier(store.clone())).or(ReadTokenVerifier::new(store.clone()));
    let any = VerifyLayer::new(any.or(Provider::Corezoid.verifier(store)));
    let bearing = |token: &str| {
        let mut request = Provider::Ateliere.unsigned("{}");
        request.headers_mut().insert("authorization", format!("ReadAccessToken {token}").parse().unwrap());
        request
    };
    let both = {
        let mut request = Provider::Ateliere.signed("{}");
        request.headers_mut().extend(bearing(TOKEN).headers().clone());
        request.headers_mut().insert("host", HOST.parse().unwrap());
        request
    };
    let unknown = Provider::Corezoid.signed_with(Provider::Corezoid.unknown_key_id(), SECRET, "{}");
    for (request, outcome, scheme, key_id) in [
        (Provider::Ateliere.signed("{}"), Outcome::Ok, Some("ateliere"), Some("pk_test_5e1f")),
        (Provider::Corezoid.signed("{}"), Outcome::OkPreviousSecret, Some("corezoid"), Some("13000")),
        (bearing(TOKEN), Outcome::Ok, Some("salescloud-read-token"), Some("reports")),
        (bearing(&TOKEN.replace('5', "6")), Outcome::UnknownKey, Some("salescloud-read-token"), None),
        (unknown, Outcome::UnknownKey, Some("corezoid"), Some("13001")),
        (Provider::Ateliere.unsigned("{}"), Outcome::Missing, None, None),
        (
            Provider::Ateliere.signed("{}").map(|_| "[]".into()),
            Outcome::BadSignature,
            Some("ateliere"),
            Some("pk_test_5e1f"),
        ),
    ] {
        let (answer, event) = one(echo(&any), request).await;
        assert_eq!(event["outcome"], outcome.as_str());
        assert_eq!(answer.kind.is_none(), outcome.is_ok());
        let field = |name: &str| event[name].as_str().map(str::to_owned);
        assert_eq!((field("scheme").as_deref(), field("key_id").as_deref()), (scheme, key_id), "{event}");
    }
    let (_, event) = one(echo(&any), both).await;
    assert_eq!(event["outcome"], "malformed");
}

#[tokio::test]
async fn a_refusal_has_one_name_which_the_server_chose() {
    let refused = || Provider::Ateliere.signed("{}").map(|_| Bytes::from("[]"));
    // The layer names what nobody has named.
    let (answer, event) = one(echo(&layer(Provider::Ateliere)), refused()).await;
    let id = answer.headers["x-request-id"].to_str().unwrap();
    assert_eq!(id.len(), 16);
    assert_eq!(event["request_id"], id);
    assert!(answer.text().contains(id));
    // A name that the server gave further out is the only one.
    let mut named = refused();
    named.extensions_mut().insert(RequestId::new("0191d3c4-5b7e-7c1a-8f00").unwrap());
    let (answer, event) = one(echo(&layer(Provider::Ateliere)), named).await;
    assert_eq!(answer.headers["x-request-id"], "0191d3c4-5b7e-7c1a-8f00");
    assert_eq!(event["request_id"], "0191d3c4-5b7e-7c1a-8f00");
    let app = App::new(RequestIdLayer::new().layer(echo(&layer(Provider::Ateliere))));
    let (answer, event) = one(app.clone(), refused()).await;
    assert_eq!(answer.headers.get_all("x-request-id").iter().count(), 1);
    assert_eq!(event["request_id"], answer.headers["x-request-id"].to_str().unwrap());
    let (passed, _) = one(app, Provider::Ateliere.signed("{}")).await;
    assert_ne!(passed.headers["x-request-id"], answer.headers["x-request-id"]);
}

#[tokio::test]
async fn what_a_client_calls_its_request_is_told_and_used_for_nothing() {
    let long = "a".repeat(65);
    for (theirs, told) in [
        ("order-4711_b", Some("order-4711_b")),
        ("4711 and more", None),
        ("<script>", None),
        ("", None),
        (&*long, None),
    ] {
        let mut request = Provider::Ateliere.signed("{}").map(|_| Bytes::from("[]"));
        request.headers_mut().insert("x-request-id", theirs.parse().unwrap());
        let (answer, event) = one(echo(&layer(Provider::Ateliere)), request).await;
        assert_eq!(event["client_request_id"].as_str(), told);
        assert_ne!(answer.headers["x-request-id"], theirs);
    }
}

struct Write;

impl Permission for Write {
    const WORD: &'static str = "titles:write";
}

#[tokio::test]
async fn a_refusal_behind_the_layer_has_word_and_name_too() {
    let mut credential = Provider::Ateliere.credential();
    credential.permissions = Permissions::parse("titles:read").unwrap();
    let store = MemoryKeyStore::new();
    store.insert("ateliere", Provider::Ateliere.key_id(), credential);
    let router = Router::new()
        .route("/graphql", post(async |_: Permitted<Write>| ""))
        .layer(VerifyLayer::new(Provider::Ateliere.verifier(store)))
        .layer(RequestIdLayer::new());
    let app = App::new(
        tower::ServiceBuilder::new()
            .map_request(|request: Request<_>| request.map(Body::new))
            .service(router),
    );
    let (answer, events) = told(app, Provider::Ateliere.signed("{}")).await;
    let words: Vec<_> = events.iter().map(|event| event["outcome"].as_str().unwrap()).collect();
    assert_eq!(words, ["ok", "forbidden"], "it is verified first, and then refused");
    assert_eq!(answer.status.as_u16(), 403);
    let id = answer.headers["x-request-id"].to_str().unwrap();
    assert_eq!(events[1]["request_id"], id);
    assert!(answer.text().contains(id));
}

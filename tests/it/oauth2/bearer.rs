//! Who gets through with a bearer token, and who does not any more.

use super::{ACCOUNT, AUDIENCE, CLIENT, CLIENT_SECRET, Issuer, client, json, serve, stored, whoami};
use crate::{
    jwt::hostile,
    support::{
        http::{Answer, Script, Step, poll_once, store_by, upload},
        tokens::{HEADER, KEY, NOW, at, claims_with, forge, profile},
    },
};
use axum::{Router, body::Body, routing::any};
use countersign::{
    VerifyLayer,
    clock::ManualClock,
    credential::{CredentialState, KeyId, Principal},
    middleware::VerifiedBody,
    store::{Found, KeyStore as _, MemoryKeyStore, StoreError, TokenAdmin as _},
    verify::{AnyOf, BearerVerifier, ReadTokenVerifier},
};
use http::{Request, Response, StatusCode};
use std::{convert::Infallible, sync::Arc};
use tower::{Layer as _, ServiceExt as _};

/// A token of the client, signed here.
fn token(claim: &str, value: &str) -> String {
    let subject = serde_json::Value::from(format!("{ACCOUNT}:{CLIENT}")).to_string();
    match claim {
        "" => forge(HEADER, &claims_with("sub", &subject)),
        "sub" => forge(HEADER, &claims_with(claim, value)),
        _ => unreachable!(),
    }
}

#[tokio::test]
async fn every_hostile_token_gets_a_401_of_two_kinds() {
    let issuer = Issuer::start().await;
    issuer.keys.insert_client(client("708", &[CLIENT_SECRET]));
    let good = KEY.sign(&crate::support::tokens::claims(), None).unwrap();
    assert_eq!(issuer.call("/v2.0/site", &format!("Bearer {good}")).await.status, StatusCode::OK);
    // HTTP itself takes the white space at the end of a header away.
    for (name, token, _) in hostile::table().into_iter().filter(|row| !row.1.ends_with(' ')) {
        for path in ["/v2.0/site", "/goa"] {
            let answer = issuer.call(path, &format!("Bearer {token}")).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path} {name}");
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
            assert_eq!(answer.headers["cache-control"], "no-store");
            let body = json(&answer);
            assert!(body["request_id"].is_string() && body["message"].is_string());
            assert!(
                !token.is_empty() && token.len() < 20 || !answer.text().contains(&token) || token.is_empty()
            );
        }
    }
}

#[tokio::test]
async fn a_token_stands_behind_the_word_bearer() {
    let issuer = Issuer::start().await;
    let token = token("", "");
    for (authorization, strict, goa) in [
        (format!("Bearer {token}"), 200, 200),
        (format!("bearer {token}"), 200, 200),
        (format!("BEARER   {token}"), 200, 401),
        (format!("JWT {token}"), 401, 200),
        (format!("Basic {token}"), 401, 200),
        (token.clone(), 401, 200),
        (format!("Bearer {token} {token}"), 401, 401),
        ("Bearer".to_owned(), 401, 401),
        ("Bearer ".to_owned(), 401, 401),
        (String::new(), 401, 401),
    ] {
        let answer = issuer.call("/v2.0/site", &authorization).await;
        assert_eq!(answer.status, strict, "strict: {authorization:?}");
        let answer = issuer.call("/goa", &authorization).await;
        assert_eq!(answer.status, goa, "goa: {authorization:?}");
    }
    // Two of them, where a client might mean one and a proxy another.
    let request = issuer.request().uri("/v2.0/site");
    let request =
        request.header("authorization", format!("Bearer {token}")).header("authorization", "Bearer x");
    let answer = super::send(issuer.address, request.body(Default::default()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_client_stops_although_its_token_has_not_expired() {
    let issuer = Issuer::start().await;
    let token = format!("Bearer {}", issuer.token().await);
    let id = KeyId::new(CLIENT).unwrap();
    let status = || async { issuer.call("/v2.0/site", &token).await.status };
    assert_eq!(status().await, StatusCode::OK);
    issuer.keys.set_client_state(&id, CredentialState::Disabled).await.unwrap();
    assert_eq!(status().await, StatusCode::UNAUTHORIZED);
    issuer.keys.set_client_state(&id, CredentialState::Active).await.unwrap();
    assert_eq!(status().await, StatusCode::OK);
    issuer.clock.set(NOW + 3604);
    assert_eq!(status().await, StatusCode::OK, "within the leeway");
    issuer.clock.set(NOW + 3605);
    assert_eq!(status().await, StatusCode::UNAUTHORIZED, "expired");
    issuer.clock.set(NOW);
    let mut other = client(CLIENT, &[CLIENT_SECRET]);
    other.expires_at = Some(at(NOW));
    issuer.keys.insert_client(other);
    assert_eq!(status().await, StatusCode::UNAUTHORIZED, "the client has expired");
    let mut other = client(CLIENT, &[CLIENT_SECRET]);
    other.principal = Principal::new("6238").unwrap();
    issuer.keys.insert_client(other);
    assert_eq!(status().await, StatusCode::UNAUTHORIZED, "the client is another account's");
    issuer.keys.insert_client(client(CLIENT, &[CLIENT_SECRET]));
    assert_eq!(status().await, StatusCode::OK);
    issuer.keys.set_client_state(&id, CredentialState::Revoked).await.unwrap();
    assert_eq!(status().await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_subject_names_an_account_and_a_client() {
    let issuer = Issuer::start().await;
    for subject in [
        "",
        ":",
        CLIENT,
        ":E67A",
        "6237:",
        "6237:unknown",
        "6238:E67A0000000000000000000000000000",
        "6237:E67A0000000000000000000000000000:",
        ":6237:E67A0000000000000000000000000000",
        "6237::E67A0000000000000000000000000000",
        "6237:e67a0000000000000000000000000000",
    ] {
        let token = token("sub", &serde_json::Value::from(subject).to_string());
        let answer = issuer.call("/v2.0/site", &format!("Bearer {token}")).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{subject:?}");
    }
}

#[tokio::test]
async fn an_organization_in_the_path_is_the_clients_own() {
    let issuer = Issuer::start().await;
    let token = format!("Bearer {}", token("", ""));
    assert_eq!(issuer.call(&format!("/org/{AUDIENCE}/site"), &token).await.status, StatusCode::OK);
    assert_eq!(issuer.call("/org/2092/site", &token).await.status, StatusCode::UNAUTHORIZED);
    let mut nowhere = client(CLIENT, &[CLIENT_SECRET]);
    nowhere.organization = None;
    issuer.keys.insert_client(nowhere);
    assert_eq!(issuer.call(&format!("/org/{AUDIENCE}/site"), &token).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(issuer.call("/v2.0/site", &token).await.status, StatusCode::OK);
}

fn keys() -> Arc<MemoryKeyStore> {
    let keys = Arc::new(MemoryKeyStore::with_clock(ManualClock::at(NOW)));
    keys.insert_client(client(CLIENT, &[CLIENT_SECRET]));
    keys.insert_signing_key(stored(&KEY, "rsa-1"));
    keys
}

async fn answer<B>(verifier: BearerVerifier, request: Request<B>) -> Answer
where
    B: http_body::Body<Data = bytes::Bytes, Error: Into<crate::support::http::BoxError>> + Send + 'static,
{
    let layer = VerifyLayer::new(verifier.with_clock(ManualClock::at(NOW)));
    let handler = tower::service_fn(async |request: Request<VerifiedBody>| {
        Ok::<_, Infallible>(Response::new(Body::new(request.into_body())))
    });
    Answer::read(layer.layer(handler).oneshot(request).await.unwrap()).await
}

fn post<B>(body: B) -> Request<B> {
    let request = Request::post("/v2.0/site").header("host", "api.example.test");
    request.header("authorization", format!("Bearer {}", token("", ""))).body(body).unwrap()
}

#[tokio::test]
async fn a_store_that_has_to_be_waited_for_is() {
    let known = keys();
    let slow = store_by(move |lookup| {
        let found = match known.find(lookup) {
            Found::Ready(found) => found,
            Found::Pending(_) => None,
        };
        Found::Pending(Box::pin(async move {
            tokio::task::yield_now().await;
            Ok(found)
        }))
    });
    let slow = Arc::new(slow);
    let body = Script::new([Step::Later, Step::Data("body".into()), Step::Later]);
    let answered = answer(BearerVerifier::new(slow, profile()), post(body)).await;
    assert_eq!((answered.status, answered.text()), (StatusCode::OK, "body"));
    let down = store_by(|_| Found::Pending(Box::pin(async { Err(StoreError::new("down")) })));
    let answered = answer(BearerVerifier::new(down, profile()), post(Script::default())).await;
    assert_eq!(answered.status, StatusCode::SERVICE_UNAVAILABLE);
    let empty = answer(BearerVerifier::new(MemoryKeyStore::new(), profile()), post(Script::default())).await;
    assert_eq!(empty.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_upload_held_open_does_not_outlive_the_client() {
    let keys = keys();
    let (sender, body) = upload();
    let verifier = BearerVerifier::new(Arc::clone(&keys), profile());
    let mut answered = Box::pin(answer(verifier, post(body)));
    sender.send("first".into()).unwrap();
    assert!(poll_once(&mut answered).await.is_pending());
    keys.set_client_state(&KeyId::new(CLIENT).unwrap(), CredentialState::Disabled).await.unwrap();
    drop(sender);
    assert_eq!(answered.await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_bearer_stands_beside_other_credentials() {
    let keys = keys();
    let either =
        AnyOf::new(BearerVerifier::new(Arc::clone(&keys), profile()).with_clock(ManualClock::at(NOW)))
            .or(ReadTokenVerifier::new(keys));
    let app = Router::new().route("/", any(whoami)).layer(VerifyLayer::new(either));
    let address = serve(app).await;
    for (authorization, status) in [
        (format!("Bearer {}", token("", "")), 200),
        ("ReadAccessToken unknown".to_owned(), 401),
        ("App c2ln".to_owned(), 401),
    ] {
        let request = Request::get("/").header("host", "a").header("authorization", authorization);
        let answer = super::send(address, request.body(Default::default()).unwrap()).await;
        assert_eq!(answer.status, status);
        if status == 401 {
            let challenges: Vec<_> = answer.headers.get_all("www-authenticate").iter().collect();
            assert_eq!(challenges, ["Bearer", "ReadAccessToken"]);
        }
    }
}

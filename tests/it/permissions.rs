//! What a verified caller may do: asked by a layer, an extractor and a handler, and answered in the route's shape.

use crate::support::http::{Provider, keys, send};
use axum::{Router, body::Body, routing::post};
use bytes::Bytes;
use countersign::{
    Permission, Permitted, Verified, VerifyError, VerifyLayer,
    credential::{KeyId, Organization, Permissions, Principal, ReadToken, SecretHash},
    error::VerifyErrorKind,
    middleware::{GraphQlErrors, MessageErrors, OpsErrors, RequirePermissionLayer},
    store::{AccessAdmin as _, MemoryKeyStore},
    verify::ReadTokenVerifier,
};
use http::{Request, StatusCode, header::CACHE_CONTROL};
use serde_json::json;
use std::sync::Arc;

const CLIENT: Provider = Provider::Ateliere;
const TOKEN: &str = "rat_5f3a9c0e7b1d2846a0c4e8f25b7d9136";

struct WriteTitles;

impl Permission for WriteTitles {
    const WORD: &'static str = "titles:write";
}

async fn extract(caller: Permitted<WriteTitles>) -> String {
    caller.principal().to_string()
}

async fn ask(caller: Verified) -> Result<String, VerifyError> {
    caller.require("titles:write")?;
    caller.require_write()?;
    Ok(caller.principal().to_string())
}

/// The three ways to ask, each on the route that requests are signed for.
fn routers() -> [Router; 3] {
    let open = || async { "ateliere" };
    let layer = RequirePermissionLayer::new("titles:write").and_write();
    [
        Router::new().route("/graphql", post(extract)),
        Router::new().route("/graphql", post(ask)),
        Router::new().route("/graphql", post(open)).layer(layer),
    ]
}

/// The keys, of which all belong to accounts that the store knows and that may do `words`.
async fn keys_allowed(words: &str) -> Arc<MemoryKeyStore> {
    let (store, words) = (keys(), Permissions::parse(words).unwrap());
    store.create_account_with(&Principal::new("ateliere").unwrap(), None, &words).await.unwrap();
    store
}

async fn guarded(words: &str) -> VerifyLayer {
    VerifyLayer::new(CLIENT.verifier(keys_allowed(words).await))
}

#[tokio::test]
async fn a_caller_gets_through_where_it_is_allowed() {
    for (words, allowed) in
        [("*", true), ("titles:*", true), ("", false), ("titles:read", false), ("* -titles:write", false)]
    {
        for router in routers() {
            let app = router.layer(guarded(words).await);
            let answer = send(app, CLIENT.signed("{}")).await;
            if allowed {
                assert_eq!((answer.status, answer.text()), (StatusCode::OK, "ateliere"), "{words}");
            } else {
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{words}");
                assert_eq!(answer.kind, Some(VerifyErrorKind::Forbidden));
            }
        }
    }
}

#[tokio::test]
async fn a_denial_has_the_shape_of_the_routes_refusals() {
    for router in routers() {
        let guard = async || guarded("titles:read").await;
        for (layer, place) in [
            (guard().await, "/code"),
            (guard().await.with_rejection(GraphQlErrors::default()), "/errors/0/extensions/reason"),
            (guard().await.with_rejection(OpsErrors::default()), "/ops/0/code"),
        ] {
            let answer = send(router.clone().layer(layer), CLIENT.signed("{}")).await;
            let body: serde_json::Value = serde_json::from_str(answer.text()).unwrap();
            assert_eq!(body.pointer(place), Some(&json!("forbidden")), "{body}");
            assert_eq!(answer.headers[CACHE_CONTROL], "no-store");
            assert_eq!(answer.headers["x-request-id"].len(), 16);
            assert!(!answer.text().contains("titles"), "what is missing is for the operator to see");
        }
        let layer = guard().await.with_rejection(MessageErrors::default());
        let answer = send(router.layer(layer), CLIENT.signed("{}")).await;
        let body: serde_json::Value = serde_json::from_str(answer.text()).unwrap();
        let id = answer.headers["x-request-id"].to_str().unwrap();
        assert_eq!(body, json!({ "message": "Forbidden", "request_id": id }));
    }
}

#[tokio::test]
async fn a_read_token_changes_nothing_whatever_it_may() {
    let store = MemoryKeyStore::new();
    let (owner, acme) = (Principal::new("ateliere").unwrap(), Organization::new("acme").unwrap());
    let token = ReadToken::new(KeyId::new("reports").unwrap(), owner, acme);
    store.insert_read_token(&SecretHash::of(TOKEN.as_bytes()), token);
    let layer = VerifyLayer::new(ReadTokenVerifier::new(store));
    let request = || {
        let request = Request::post("/graphql").header("host", "api.example.com");
        request.header("authorization", format!("ReadAccessToken {TOKEN}")).body(Bytes::new()).unwrap()
    };
    let [extract, ask, behind] = routers().map(|router| router.layer(layer.clone()));
    assert_eq!(send(extract, request()).await.status, StatusCode::OK, "a word alone says nothing of writing");
    for app in [ask, behind] {
        let answer = send(app, request()).await;
        assert_eq!((answer.status, answer.kind), (StatusCode::FORBIDDEN, Some(VerifyErrorKind::Forbidden)));
    }
}

#[tokio::test]
async fn without_a_layer_around_nobody_gets_through() {
    for router in routers() {
        let request = Request::post("/graphql").body(Body::empty()).unwrap();
        let answer = tower::ServiceExt::oneshot(router, request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}

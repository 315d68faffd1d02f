//! The routes behind the layers that guard them: a signed request reaches its handler, and the handler knows its caller.

use super::*;
use crate::{
    graphql_endpoint::graphql_routes,
    ops::{OpsEndpoint, ops_routes},
};
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Method, Request},
};
use countersign::{
    SignatureVerifier, VerifyLayer,
    awareness::ClientUsage,
    clock::ManualClock,
    credential::{Credential, Organization, Principal, SecretVersion},
    scheme::{Ateliere, Corezoid, Scheme},
    secret::Secret,
    sign::Signer,
    signature::MacKey,
    store::MemoryKeyStore,
};
use serde_json::{Value, json};
use std::sync::Arc;
use tower::ServiceExt as _;

const KEY_ID: &str = "13000";

fn secret() -> Secret {
    Secret::new("a secret of this test only, 32 bytes or more").unwrap()
}

fn keys(scheme: &impl Scheme) -> MemoryKeyStore {
    let key = MacKey::new(scheme.algorithm(), &secret());
    let mut credential = Credential::new(Principal::new("ops-bot").unwrap(), [SecretVersion::new(1, key)]);
    credential.organization = Some(Organization::new("acme").unwrap());
    let keys = MemoryKeyStore::new();
    keys.insert(scheme.name(), KEY_ID, credential);
    keys
}

async fn send(routes: &Router, request: Request<String>) -> (u16, String) {
    let (mut head, body) = request.into_parts();
    head.headers.insert("host", "ops.example.com".parse().unwrap());
    head.uri = head.uri.path_and_query().unwrap().as_str().parse().unwrap();
    let response = routes.clone().oneshot(Request::from_parts(head, Body::from(body))).await.unwrap();
    let status = response.status().as_u16();
    (status, String::from_utf8(to_bytes(response.into_body(), 1 << 20).await.unwrap().into()).unwrap())
}

#[tokio::test]
async fn signed_operations_and_downloads_arrive() {
    let database = Database::new().await;
    let clock = || ManualClock::at(NOW);
    let endpoint = OpsEndpoint::new(database.pool.clone(), Arc::new(clock()), "https://ops.example.com");
    let corezoid = Corezoid::default().with_route(Method::GET, "/user_downloads/{file}").unwrap();
    let verifier = SignatureVerifier::new(corezoid.clone(), keys(&corezoid)).with_clock(clock());
    let routes = ops_routes(endpoint, VerifyLayer::new(verifier), &ClientUsage::default());
    let signer = Signer::new(corezoid, KEY_ID, &secret()).with_clock(clock());
    let signed = |method: &str, url: &str, body: &str| {
        let mut request = Request::builder().method(method).uri(url).body(body.to_owned()).unwrap();
        signer.sign(&mut request).unwrap();
        request
    };

    let export = r#"{"ops":[{"type":"create","obj":"conv"},
        {"type":"create","obj":"obj_scheme","obj_id":1,"obj_type":"conv","company_id":"acme"}]}"#;
    for version in [1, 2] {
        let url = format!("https://ops.example.com/api/{version}/json");
        let (status, answer) = send(&routes, signed("POST", &url, export)).await;
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!((status, &answer["ops"][1]["proc"]), (200, &json!("ok")), "{answer}");
        let file = answer["ops"][1]["download_url"].as_str().unwrap();
        let (status, scheme) = send(&routes, signed("GET", file, "")).await;
        assert_eq!((status, scheme.starts_with("[{")), (200, true), "{scheme}");
    }
    let mut changed = signed("POST", "https://ops.example.com/api/2/json", export);
    changed.body_mut().push(' ');
    assert_eq!(send(&routes, changed).await.0, 401);
}

#[tokio::test]
async fn signed_queries_arrive() {
    let database = Database::new().await;
    let endpoint = graphql_endpoint(&database.pool);
    let verifier = SignatureVerifier::new(Ateliere::default(), keys(&Ateliere::default()))
        .with_organization_path("/{organization}/graphql")
        .unwrap();
    let routes = graphql_routes(endpoint).layer(VerifyLayer::new(verifier));
    let signer = Signer::new(Ateliere::default(), KEY_ID, &secret()).with_organization("acme");
    for path in ["/", "/graphql", "/acme/graphql"] {
        let body = r#"[{"query":"{ me { id organization } }"}]"#.to_owned();
        let mut request = Request::post(format!("https://ops.example.com{path}")).body(body).unwrap();
        signer.sign(&mut request).unwrap();
        let (status, answer) = send(&routes, request).await;
        let expected = r#"[{"data":{"me":{"id":"ops-bot","organization":"acme"}}}]"#;
        assert_eq!((status, answer.as_str()), (200, expected), "{path}");
    }
}

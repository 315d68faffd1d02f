//! Read tokens: who gets through, and as whom.

use super::{Issuer, send, serve, whoami};
use crate::support::{
    http::ORGANIZATION,
    tokens::{NOW, at},
};
use axum::{Router, routing::any};
use countersign::{
    VerifyLayer,
    clock::ManualClock,
    credential::{KeyId, Organization, Permissions, Principal, ReadToken, SecretHash},
    store::{MemoryKeyStore, TokenAdmin as _},
    verify::ReadTokenVerifier,
};
use http::Request;
use std::{net::SocketAddr, sync::Arc};

const TOKEN: &str = "rat_c2VjcmV0LXZhbHVlLW9mLXJhbmRvbS1ieXRlcw";

fn read_token(id: &str) -> ReadToken {
    let name = Principal::new("shop").unwrap();
    ReadToken::new(KeyId::new(id).unwrap(), name, Organization::new(ORGANIZATION).unwrap())
}

async fn start() -> (Arc<MemoryKeyStore>, Arc<ManualClock>, SocketAddr) {
    let clock = Arc::new(ManualClock::at(NOW));
    let keys = Arc::new(MemoryKeyStore::with_clock(Arc::clone(&clock)));
    let mut token = read_token("reports");
    token.permissions = Permissions::parse("orders:*").unwrap();
    token.expires_at = Some(at(NOW + 60));
    keys.insert_read_token(&SecretHash::of(TOKEN.as_bytes()), token);
    let verifier = ReadTokenVerifier::new(Arc::clone(&keys))
        .with_clock(Arc::clone(&clock))
        .with_organization_path("/{organization}/graphql")
        .unwrap();
    let app = Router::new()
        .route("/graphql", any(whoami))
        .route("/{organization}/graphql", any(whoami))
        .layer(VerifyLayer::new(verifier));
    (keys, clock, serve(app).await)
}

async fn call(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let request = Request::post(path).header("host", "api.example.test");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let answer = send(address, request.body("{}".into()).unwrap()).await;
    (answer.status.as_u16(), answer.text().to_owned())
}

#[tokio::test]
async fn a_read_token_reads_in_its_organization() {
    let (_, _, address) = start().await;
    let header = format!("ReadAccessToken {TOKEN}");
    let authorization = ("authorization", &*header);
    let (status, body) = call(address, "/graphql", &[authorization]).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body, format!("salescloud-read-token reports shop {ORGANIZATION} read [orders:*] 2"));
    for (path, organization, status) in [
        ("/graphql".to_owned(), ORGANIZATION, 200),
        ("/graphql".to_owned(), "7b371391-1561-4cac-8f86-9b7bcba83db3", 401),
        (format!("/{ORGANIZATION}/graphql"), ORGANIZATION, 200),
        ("/7b371391-1561-4cac-8f86-9b7bcba83db3/graphql".to_owned(), ORGANIZATION, 401),
    ] {
        let found = call(address, &path, &[authorization, ("salescloud-organization", organization)]).await;
        assert_eq!(found.0, status, "{path} {organization}");
    }
}

#[tokio::test]
async fn only_the_token_itself_is_one() {
    let (_, _, address) = start().await;
    let hash = hex::encode(SecretHash::of(TOKEN.as_bytes()).as_bytes());
    for (authorization, status) in [
        (format!("readaccesstoken {TOKEN}"), 200),
        (format!("ReadAccessToken  {TOKEN}"), 200),
        (format!("ReadAccessToken {}", &TOKEN[..TOKEN.len() - 1]), 401),
        (format!("ReadAccessToken {TOKEN}w"), 401),
        (format!("ReadAccessToken {}", TOKEN.to_uppercase()), 401),
        (format!("ReadAccessToken {hash}"), 401),
        ("ReadAccessToken reports".to_owned(), 401),
        (format!("ReadAccessToken {TOKEN} {TOKEN}"), 401),
        ("ReadAccessToken".to_owned(), 401),
        ("ReadAccessToken ".to_owned(), 401),
        (format!("ReadAccessToken {}", "a".repeat(1025)), 401),
        (format!("Bearer {TOKEN}"), 401),
        (TOKEN.to_owned(), 401),
    ] {
        let found = call(address, "/graphql", &[("authorization", &authorization)]).await;
        assert_eq!(found.0, status, "{authorization}: {}", found.1);
        assert!(status == 200 || !found.1.contains(TOKEN));
    }
}

#[tokio::test]
async fn a_read_token_ends() {
    let (keys, clock, address) = start().await;
    let header = format!("ReadAccessToken {TOKEN}");
    let status = || async { call(address, "/graphql", &[("authorization", &header)]).await.0 };
    assert_eq!(status().await, 200);
    clock.set(NOW + 60);
    assert_eq!(status().await, 401);
    clock.set(NOW);
    assert_eq!(status().await, 200);
    keys.revoke_read_token(&KeyId::new("reports").unwrap()).await.unwrap();
    assert_eq!(status().await, 401);
}

#[tokio::test]
async fn a_bearer_route_takes_no_read_token() {
    let issuer = Issuer::start().await;
    issuer.keys.insert_read_token(&SecretHash::of(TOKEN.as_bytes()), read_token("reports"));
    assert_eq!(issuer.call("/v2.0/site", &format!("ReadAccessToken {TOKEN}")).await.status, 401);
}

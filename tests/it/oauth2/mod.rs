//! The issuer and the verifiers of its tokens, over real HTTP.

mod bearer;
mod brute_force;
#[cfg(feature = "client")]
mod client;
mod endpoint;
mod explained;
mod keys;
mod leaks;
mod libraries;
mod outcomes;
mod read_tokens;
mod refusals;
mod signing;

use crate::support::{
    http::Answer,
    tokens::{AUDIENCE, ISSUER, KEY, NOW, profile},
};
use axum::{Router, extract::ConnectInfo, routing::any};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use countersign::{
    Verified, VerifyLayer,
    clock::ManualClock,
    credential::{
        Access, ClientSecret, KeyId, OAuthClient, Organization, Permissions, Principal, SecretHash,
        SigningKey, TokenKey,
    },
    jwt::PrivateKey,
    middleware::MessageErrors,
    oauth2::{JwksEndpoint, TokenEndpoint},
    store::MemoryKeyStore,
    verify::BearerVerifier,
};
use http::{Request, StatusCode, request};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::{net::SocketAddr, sync::Arc};
use tokio::net::{TcpListener, TcpStream};

pub(super) const CLIENT: &str = "E67A0000000000000000000000000000";
pub(super) const CLIENT_SECRET: &str = "c2VjcmV0LXZhbHVlLW9mLXJhbmRvbS1ieXRlcw+/w==";
pub(super) const ACCOUNT: &str = "6237";
pub(super) const GRANT: &str = "grant_type=client_credentials";

/// A server with an issuer and routes that take its tokens, on the loopback interface.
pub(super) struct Issuer {
    pub(super) keys: Arc<MemoryKeyStore>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) address: SocketAddr,
}

impl Issuer {
    pub(super) async fn start() -> Self {
        Self::with(|endpoint| endpoint).await
    }

    /// Starts an issuer with one client and one RSA key, and an endpoint of some other kind.
    pub(super) async fn with(change: impl FnOnce(TokenEndpoint) -> TokenEndpoint) -> Self {
        let clock = Arc::new(ManualClock::at(NOW));
        let keys = Arc::new(MemoryKeyStore::with_clock(Arc::clone(&clock)));
        keys.insert_client(client(CLIENT, &[CLIENT_SECRET]));
        keys.insert_signing_key(stored(&KEY, "rsa-1"));
        let app = app(Arc::clone(&keys), &clock, change);
        Self { keys, address: serve(app).await, clock }
    }

    pub(super) fn request(&self) -> request::Builder {
        Request::builder().header("host", self.address.to_string())
    }

    /// Asks for a token.
    pub(super) async fn ask(&self, authorization: &str, body: &str) -> Answer {
        let request = self.request().method("POST").uri("/auth/token");
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let request = match authorization {
            "" => request,
            value => request.header("authorization", value),
        };
        send(self.address, request.body(Full::from(body.to_owned())).unwrap()).await
    }

    /// A token for the client, from the endpoint.
    pub(super) async fn token(&self) -> String {
        let answer = self.ask(&basic(CLIENT, CLIENT_SECRET), GRANT).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        json(&answer)["access_token"].as_str().unwrap().to_owned()
    }

    /// Calls a guarded route with this `Authorization`.
    pub(super) async fn call(&self, path: &str, authorization: &str) -> Answer {
        let request = self.request().uri(path);
        let request = match authorization {
            "" => request,
            value => request.header("authorization", value),
        };
        send(self.address, request.body(Full::default()).unwrap()).await
    }
}

fn app(
    keys: Arc<MemoryKeyStore>,
    clock: &Arc<ManualClock>,
    change: impl FnOnce(TokenEndpoint) -> TokenEndpoint,
) -> Router {
    let bearer = || BearerVerifier::new(Arc::clone(&keys), profile()).with_clock(Arc::clone(clock));
    let strict = bearer().with_organization_path("/org/{organization}/site").unwrap();
    let goa = bearer().goa_style();
    let layer = |verifier| VerifyLayer::new(verifier).with_rejection(MessageErrors::default());
    let endpoint = TokenEndpoint::new(Arc::clone(&keys), profile())
        .with_clock(Arc::clone(clock))
        .with_peer(|head| head.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip()));
    let strict = Router::new()
        .route("/v2.0/site", any(whoami))
        .route("/org/{organization}/site", any(whoami))
        .layer(layer(strict));
    let goa = Router::new()
        .route("/goa", any(whoami))
        .layer(VerifyLayer::new(goa).with_rejection(MessageErrors::default()));
    let jwks = JwksEndpoint::new(keys).with_clock(Arc::clone(clock));
    strict
        .merge(goa)
        .route_service("/auth/token", change(endpoint))
        .route_service("/.well-known/jwks.json", jwks)
}

pub(super) async fn whoami(caller: Verified, body: Bytes) -> String {
    let organization = caller.organization().map_or("-", Organization::as_str);
    let access = match caller.access() {
        Access::Read => "read",
        _ => "write",
    };
    let (scheme, key, who) = (caller.scheme(), caller.key_id(), caller.principal());
    format!("{scheme} {key} {who} {organization} {access} [{}] {}", caller.permissions(), body.len())
}

pub(super) async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

pub(super) async fn send(address: SocketAddr, request: Request<Full<Bytes>>) -> Answer {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    Answer::read(sender.send_request(request).await.unwrap()).await
}

pub(super) fn basic(client_id: &str, secret: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{client_id}:{secret}")))
}

pub(super) fn json(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap()
}

/// A client of [`ACCOUNT`] with these secrets, newest first.
pub(super) fn client(id: &str, secrets: &[&str]) -> OAuthClient {
    let numbers = (1..=i64::try_from(secrets.len()).unwrap()).rev();
    let secrets = numbers
        .zip(secrets)
        .map(|(number, secret)| ClientSecret::new(number, SecretHash::of(secret.as_bytes())));
    let mut client = OAuthClient::new(KeyId::new(id).unwrap(), Principal::new(ACCOUNT).unwrap(), secrets);
    client.organization = Some(Organization::new(AUDIENCE).unwrap());
    client.permissions = Permissions::parse("sites:*").unwrap();
    client
}

/// A key as it stands in the store.
pub(super) fn stored(key: &PrivateKey, kid: &str) -> SigningKey {
    let public = key.public_key();
    let public = TokenKey::new(KeyId::new(kid).unwrap(), public.algorithm(), public.to_der().unwrap());
    SigningKey::new(public, key.to_pkcs8().unwrap())
}

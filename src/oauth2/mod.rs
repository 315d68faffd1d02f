//! An OAuth 2.0 issuer for client credentials (RFC 6749 §4.4), and nothing else of OAuth.
//!
//! [`TokenEndpoint`] is the service behind `POST /auth/token`, [`JwksEndpoint`] the one behind
//! `GET /.well-known/jwks.json`. Both are tower services, and fit into `axum::Router::route_service`.
//!
//! ```
//! use axum::Router;
//! use countersign::{
//!     jwt::Profile,
//!     oauth2::{JwksEndpoint, TokenEndpoint, TokenType},
//!     store::MemoryKeyStore,
//! };
//! use std::sync::Arc;
//!
//! let keys = Arc::new(MemoryKeyStore::new());
//! let tokens = TokenEndpoint::new(Arc::clone(&keys), Profile::new("Cloud", "2091"))
//!     .with_token_type(TokenType::Bearer);
//! let app: Router = Router::new()
//!     .route_service("/auth/token", tokens)
//!     .route_service("/.well-known/jwks.json", JwksEndpoint::new(keys));
//! ```
//!
//! # What a client sends
//!
//! A form with `grant_type=client_credentials`; a space around the value, as in Ayyeka's document, is passed over. The
//! credentials stand either in `Authorization: Basic` or in the form, as `client_id` and `client_secret`; in both is an
//! error. Basic credentials are split at the first colon, so that a secret may have colons and a client id may not. They
//! are tried as they arrived and then, if that makes a difference, with both halves form-decoded: RFC 6749 §2.3.1 asks
//! clients to encode them, and half of the clients do. Base64 counts with or without its padding.
//!
//! # What it is answered
//!
//! `{"access_token", "token_type", "expires_in"}`, or an error of RFC 6749 §5.2. An unknown client, a wrong secret and a
//! client that is switched off are one and the same `invalid_client`. Failures are counted by peer and by client id, and
//! too many of them in a minute are answered 429. The right secret is never refused for what strangers do: it is
//! compared first, and only a wrong one is counted.
//!
//! A refusal has the id of its one event in `x-request-id`, and its [`Outcome`](crate::Outcome) in the extensions of the
//! response. The outcomes are those of verifications: a secret that does not match is `bad_signature`. The code of
//! RFC 6749 stands beside it in the event, as `oauth.error`.
//!
//! # The subject
//!
//! `sub` is `principal:client id`, in the two-part form of the documented token. Which numbers stand there for the
//! vendor is not documented; ours name the account and the client, whose standing the verifier looks up.

mod answer;
mod client;
mod form;
mod jwks;
mod limit;
mod refuse;
mod token;

pub use self::{
    answer::Reply,
    jwks::JwksEndpoint,
    token::{TokenEndpoint, TokenType},
};

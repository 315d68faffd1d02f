//! Verifies signed HTTP requests on the server.
//!
//! A [`VerifyLayer`] reconstructs the bytes that a client signed from the request that arrived, finds the secret by key
//! id in a key store, compares signatures in constant time, and only then lets the inner service see the request,
//! together with a [`Verified`] caller.
//!
//! ```
//! use axum::{Router, routing::post};
//! use countersign::{SignatureVerifier, Verified, VerifyLayer, scheme::SalesCloud, store::MemoryKeyStore};
//!
//! async fn whoami(caller: Verified) -> String {
//!     caller.principal().to_string()
//! }
//!
//! let verifier = SignatureVerifier::new(SalesCloud::default(), MemoryKeyStore::new());
//! let app: Router = Router::new().route("/", post(whoami)).layer(VerifyLayer::new(verifier));
//! ```
//!
//! # Where to look
//!
//! | you want to | look at |
//! |---|---|
//! | guard routes, limit bodies, shape refusals | [`middleware`] |
//! | choose how requests are signed, or define a way of your own | [`scheme`] |
//! | set tolerance and clock, accept several schemes on a route | [`verify`] |
//! | keep keys in memory or in SQL, manage them | [`store`], and the command `countersign` |
//! | take bearer tokens or read tokens | [`verify`]; issue them: `oauth2`, `jwt` (feature `oauth2`) |
//! | know why a request was refused | [`Outcome`], [`error`], one `tracing` event a request, and [`explain`] |
//! | sign requests as a client does | [`sign`]; with `reqwest`, and with access tokens: `client` (feature `client`) |
//! | test against a stand-in of a provider | `mock` (feature `mock`) |
//! | know which clients call, and what they still use | [`awareness`] |
//! | measure | `metrics` (feature `metrics`) |
//! | keep credentials out of logs and traces | [`redact`] |
//!
//! # What is promised
//!
//! * The handler reads exactly the bytes that were verified; trailers, which nobody signs, are dropped.
//! * An unknown key costs the same work as a wrong signature for a key with one live secret, and gets the same answer.
//! * A secret is never empty, never printed, and wiped when it is dropped. A signature base has a place for the secret
//!   and never the secret.
//! * What a scheme does not sign is closed: its requests are accepted on the scheme's own methods and routes only.
//! * If the key store cannot be asked, the answer is 503, never a pass.
//! * A body is hashed as it arrives and held once; frames are handed on unjoined.
//!
//! # Features
//!
//! | feature | adds |
//! |---|---|
//! | `axum` (default) | [`Verified`] as an extractor, and the body and original URI of axum's routers |
//! | `sqlite` | a key store in an embedded database, secrets sealed |
//! | `postgres` | a key store in Postgres, secrets sealed, over TLS where its URL asks for it |
//! | `oauth2` | an issuer of access tokens for client credentials, and the verifier of its bearer tokens |
//! | `graphql` | the guard that a GraphQL document passes before any executor parses it |
//! | `client` | signed requests with `reqwest`, and an OAuth 2.0 client that keeps and renews its token |
//! | `mock` | stand-ins of the providers, for tests |
//! | `metrics` | counters and histograms through the `metrics` facade |
//! | `cli` | the `countersign` command line |
//!
//! A feature adds API and never changes behaviour.

#![warn(unreachable_pub)]

pub mod awareness;
#[cfg(feature = "axum")]
mod axum;
#[cfg(feature = "client")]
pub mod client;
pub mod clock;
pub mod credential;
#[cfg(feature = "_sql")]
pub mod envelope;
pub mod error;
pub mod explain;
#[cfg(feature = "graphql")]
pub mod graphql;
#[cfg(feature = "_sql")]
pub mod inspector;
#[cfg(feature = "oauth2")]
pub mod jwt;
pub mod message;
#[cfg(feature = "metrics")]
pub mod metrics;
#[cfg(not(feature = "metrics"))]
mod metrics;
pub mod middleware;
#[cfg(feature = "mock")]
pub mod mock;
#[cfg(feature = "oauth2")]
pub mod oauth2;
mod outcome;
pub mod redact;
pub mod scheme;
pub mod secret;
pub mod sign;
pub mod signature;
pub mod store;
mod urlencoded;
pub mod verify;

#[cfg(feature = "axum")]
pub use self::axum::{NotGuarded, Permission, Permitted};
pub use self::{
    error::VerifyError,
    middleware::VerifyLayer,
    outcome::Outcome,
    verify::{SignatureVerifier, Verified},
};

/// The README's Rust blocks, compiled as documentation tests.
#[cfg(all(doctest, feature = "mock"))]
#[doc = include_str!("../README.md")]
struct Readme;

//! The tower layer that lets only verified requests through.
//!
//! A request passes if, in this order,
//!
//! 1. its body has no content encoding and is not longer than the limit;
//! 2. the message carries credentials of exactly one kind that the verifier accepts;
//! 3. the signature matches what arrived, byte for byte;
//! 4. the signed time, if there is one, is within the tolerance;
//! 5. the key and its secret are in force, and the organization is one that the key may act for.
//!
//! Where the credentials are a token, the third is that the token is good; it says nothing about the body, which arrives
//! under the same limits all the same.
//!
//! The handler then gets exactly the bytes that were verified, and a [`Verified`](crate::verify::Verified) in the
//! request's extensions. Everything else is answered by a [`Rejection`], with the
//! [`Outcome`](crate::Outcome) and the [`VerifyErrorKind`](crate::error::VerifyErrorKind) in the response's extensions,
//! and under a [`RequestId`] that the one event for the operator names too. A request that passes has its outcome in its
//! event and in [`Verified::outcome`](crate::verify::Verified::outcome); its response gets no extension, which would
//! cost an allocation.
//!
//! What a caller may do is asked behind the layer, by [`RequirePermissionLayer`] or by
//! [`Verified::require`](crate::verify::Verified::require), and answered 403 in the same shape.
//!
//! # Deployment caveat
//!
//! The layer must see the request as the client sent it. Put nothing before it that decodes or rewrites: no
//! decompression, no path normalisation, no method override. A proxy that changes `Host` or path changes what
//! Ateliere signs; tell the scheme its public URLs.
//!
//! A request has its place in the inner service from its first byte on, as tower asks for: a concurrency limit behind
//! the layer also counts requests whose bodies are still arriving. Put such a limit around the layer.
//!
//! # Example
//!
//! ```
//! use axum::{Router, routing::post};
//! use countersign::{
//!     VerifyLayer, Verified, SignatureVerifier, scheme::Corezoid, store::MemoryKeyStore,
//! };
//!
//! let verifier = SignatureVerifier::new(Corezoid::default(), MemoryKeyStore::new());
//! let app: Router = Router::new()
//!     .route(
//!         "/api/2/json/{login}/{time}/{signature}",
//!         post(|caller: Verified| async move { caller.principal().to_string() }),
//!     )
//!     .layer(VerifyLayer::new(verifier));
//! ```

mod body;
mod future;
mod layer;
mod permission;
mod refuse;
mod rejection;
mod request_id;
mod service;
mod strip;
mod target;
mod witness;

#[cfg(feature = "axum")]
pub(crate) use self::refuse::refused_inside;
#[cfg(any(feature = "_sql", feature = "oauth2"))]
pub(crate) use self::request_id::REQUEST_ID;
#[cfg(feature = "oauth2")]
pub(crate) use self::{
    refuse::Chain,
    request_id::{RequestIds, named_by_client},
    witness::tell,
};

pub use self::{
    body::VerifiedBody,
    future::ResponseFuture,
    layer::VerifyLayer,
    permission::{PermissionFuture, RequirePermission, RequirePermissionLayer},
    rejection::{GraphQlErrors, MessageErrors, OpsErrors, Problem, Refusal, Rejection},
    request_id::{NameRequests, NamedFuture, RequestId, RequestIdLayer},
    service::Verify,
    strip::{StripIdentity, StripIdentityLayer},
    witness::{Notice, Refused, Witness},
};

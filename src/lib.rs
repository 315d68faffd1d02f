//! Verifies signed HTTP requests on the server.
#[cfg(feature = "axum")]
mod axum;
pub mod clock;
pub mod credential;
pub mod error;
pub mod message;
pub mod middleware;
pub mod scheme;
pub mod secret;
pub mod sign;
pub mod signature;
pub mod store;
pub mod verify;

#[cfg(feature = "axum")]
pub use self::axum::NotGuarded;
pub use self::{
    error::VerifyError,
    middleware::VerifyLayer,
    verify::{SignatureVerifier, Verified},
};

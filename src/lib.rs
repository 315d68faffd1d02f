//! Verifies signed HTTP requests on the server.
pub mod clock;
pub mod credential;
#[cfg(feature = "_sql")]
pub mod envelope;
pub mod error;
pub mod message;
pub mod scheme;
pub mod secret;
pub mod signature;
pub mod store;

//! Verifies signed HTTP requests on the server.
pub mod clock;
pub mod credential;
pub mod error;
pub mod message;
pub mod scheme;
pub mod secret;
pub mod signature;
pub mod store;

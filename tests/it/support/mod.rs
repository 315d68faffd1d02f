//! What several test files share.

pub(crate) mod client;
pub(crate) mod guard;
pub(crate) mod http;
#[cfg(feature = "cli")]
pub(crate) mod markdown;
pub(crate) mod pieces;
pub(crate) mod planted;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
pub(crate) mod printed;
#[cfg(feature = "postgres")]
pub(crate) mod proxy;
#[cfg(feature = "postgres")]
pub(crate) mod random;
#[cfg(feature = "cli")]
pub(crate) mod server;
#[cfg(feature = "oauth2")]
pub(crate) mod tokens;
pub(crate) mod vectors;

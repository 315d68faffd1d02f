//! What several test files share.

pub(crate) mod client;
pub(crate) mod guard;
pub(crate) mod http;
pub(crate) mod pieces;
#[cfg(feature = "cli")]
pub(crate) mod server;
pub(crate) mod vectors;

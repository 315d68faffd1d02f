//! What several tests share.

pub(crate) mod guard;
pub(crate) mod http;
pub(crate) mod pieces;
pub(crate) mod vectors;

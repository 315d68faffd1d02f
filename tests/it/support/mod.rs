//! What several tests share.

pub(crate) mod guard;
pub(crate) mod pieces;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
pub(crate) mod vectors;

//! What several tests share.

pub(crate) mod guard;
pub(crate) mod vectors;

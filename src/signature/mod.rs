//! Signatures: the bytes that are signed, the keys that sign them, and the only place where a signature is computed or
//! compared.
//!
//! A scheme describes *what* is signed as a [`SignatureBase`]; a [`MacKey`] says with which algorithm and secret. The
//! two meet in [`Computation`], which takes the body frame by frame, and nowhere else.

mod algorithm;
mod base;
mod compute;
mod encoding;
mod escape;
mod key;
mod multipart;
mod trial;
mod utf8;

pub(crate) use self::trial::{Hash, Keying, Way, reproduced};
pub use self::{
    algorithm::Algorithm,
    base::{BodyForm, Segment, SignatureBase},
    compute::{Computation, Matched},
    encoding::{Case, EncodingError, Signature},
    key::MacKey,
};

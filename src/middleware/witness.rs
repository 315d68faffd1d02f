//! Refused requests, shown to somebody who finds out why.

use super::RequestId;
use crate::{credential::KeyId, outcome::Outcome};
use bytes::Bytes;
use http::{Uri, request::Parts};
use std::fmt;

/// Looks at refused requests, for the operator: of keys under debug, or of all.
///
/// # Security contract
///
/// Who gets such a request holds credentials that may be valid. They must be kept nowhere and printed nowhere, and
/// nothing that is found out may reach the caller.
pub trait Witness: fmt::Debug + Send + Sync + 'static {
    /// Whether it looks at every refusal, and not at those of keys under debug only.
    fn wants_all(&self) -> bool {
        false
    }

    /// Takes a refused request. It is called on the request's own path, and must return at once.
    fn refused(&self, refused: Refused);
}

/// A request that was refused.
#[derive(Clone)]
#[non_exhaustive]
pub struct Refused {
    /// What the server calls it.
    pub request_id: RequestId,
    /// What became of it.
    pub outcome: Outcome,
    /// The scheme, if that is known.
    pub scheme: Option<&'static str>,
    /// The key that was presented, if that is known.
    pub key_id: Option<KeyId>,
    /// Its head, without extensions.
    pub head: Parts,
    /// The target as it stood in the request line.
    pub target: Uri,
    /// As much of its body as was there when it was refused, in the frames that the layer held anyway.
    pub body: Vec<Bytes>,
}

/// Headers, and Corezoid's path, hold signatures that may be valid, so they are not printed.
impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { request_id, outcome, scheme, key_id, .. } = self;
        write!(f, "Refused({request_id}, {outcome}, {scheme:?}, {key_id:?}, ..)")
    }
}

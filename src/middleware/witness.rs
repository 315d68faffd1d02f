//! Refused requests, shown to whoever notes them, or finds out why.

use super::RequestId;
use crate::{credential::KeyId, outcome::Outcome};
use bytes::Bytes;
use http::{Uri, request::Parts};
use std::fmt;

/// Hears of refused requests, for the operator, and looks at those that it wants to see.
///
/// Both are called on the request's own path, and must return at once.
///
/// # Security contract
///
/// Who gets such a request holds credentials that may be valid. They must be kept nowhere and printed nowhere, and
/// nothing that is found out may reach the caller.
pub trait Witness: fmt::Debug + Send + Sync + 'static {
    /// Hears of every refusal.
    fn heard(&self, _: &Notice) {}

    /// Whether it wants to see the request, of which the head is shown. By default those of keys under debug.
    fn wants(&self, notice: &Notice, _: &Parts) -> bool {
        notice.debugged
    }

    /// Takes a refused request that it wanted to see.
    fn refused(&self, _: Refused) {}
}

/// That a request was refused. It holds nothing that a stranger has sent.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Notice {
    /// What the server calls the request.
    pub request_id: RequestId,
    /// What became of it.
    pub outcome: Outcome,
    /// The scheme, if that is known.
    pub scheme: Option<&'static str>,
    /// The key, client or read token, if there is one of the name that was presented.
    pub key_id: Option<KeyId>,
    /// Whether an operator wants to know why requests of this key are refused.
    pub debugged: bool,
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
    /// Whether an operator wants to know why requests of this key are refused.
    pub debugged: bool,
    /// Its head, without extensions.
    pub head: Parts,
    /// The target as it stood in the request line.
    pub target: Uri,
    /// As much of its body as was there when it was refused, in the frames that the layer held anyway.
    pub body: Vec<Bytes>,
}

impl Refused {
    /// Takes a copy of a request, its head without extensions.
    pub(crate) fn new(notice: &Notice, head: &Parts, target: &Uri, body: Vec<Bytes>) -> Self {
        let (mut copy, ()) = http::Request::new(()).into_parts();
        copy.method = head.method.clone();
        copy.uri = head.uri.clone();
        copy.version = head.version;
        copy.headers = head.headers.clone();
        let Notice { request_id, outcome, scheme, key_id, debugged } = notice.clone();
        Self { request_id, outcome, scheme, key_id, debugged, head: copy, target: target.clone(), body }
    }
}

/// Headers, and Corezoid's path, hold signatures that may be valid, so they are not printed.
impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { request_id, outcome, scheme, key_id, .. } = self;
        write!(f, "Refused({request_id}, {outcome}, {scheme:?}, {key_id:?}, ..)")
    }
}

/// Tells every witness of a refusal, and shows the request to those that want to see it; `request` makes the copy.
pub(crate) fn tell(
    witnesses: &[std::sync::Arc<dyn Witness>],
    notice: &Notice,
    head: Option<&Parts>,
    request: impl FnOnce() -> Option<Refused>,
) {
    let mut request = Some(request);
    let mut copy = None;
    for witness in witnesses {
        witness.heard(notice);
        if head.is_some_and(|head| witness.wants(notice, head)) {
            if let Some(request) = request.take() {
                copy = request();
            }
            if let Some(copy) = &copy {
                witness.refused(copy.clone());
            }
        }
    }
}

//! What becomes of a verdict: the answer to a caller that is refused, and the one event for the operator.

use super::{
    Notice, Problem, Refusal, Refused, Rejection,
    body::Frames,
    layer::Share,
    request_id::{REQUEST_ID, named_by_client},
    target::original_target,
    witness,
};
use crate::{
    error::{VerifyError, VerifyErrorKind},
    verify::{Verified, steps::Verification},
};
use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE},
    request::Parts,
};
use std::{error::Error, fmt, iter, sync::Arc};

/// Tells the operator of a request that passed.
pub(super) fn tell_accepted(verified: &Verified) {
    tracing::debug!(
        outcome = verified.outcome().as_str(),
        scheme = verified.scheme(),
        key_id = verified.key_id().as_str(),
        spelling = verified.spelling(),
        "request verified"
    );
}

/// What is there of a request when it is refused.
pub(super) struct Arrived<'a> {
    pub(super) head: &'a Parts,
    pub(super) frames: &'a mut Frames,
}

/// Tells the operator why, and the caller as little as the refusal says.
pub(super) fn refuse(
    share: &Share,
    arrived: Option<Arrived<'_>>,
    verification: Option<&Verification>,
    error: &VerifyError,
) -> Response<Bytes> {
    let request_id = share.request_id();
    let head = arrived.as_ref().map(|arrived| arrived.head);
    tell_refused(head, verification, error, request_id.as_str());
    if !share.witnesses.is_empty() {
        let notice = Notice {
            request_id: request_id.clone(),
            outcome: error.kind().outcome(),
            scheme: verification.map(Verification::scheme),
            key_id: verification.and_then(Verification::known_key_id).cloned(),
            debugged: verification.is_some_and(Verification::is_debugged),
        };
        witness::tell(&share.witnesses, &notice, head, || {
            let Arrived { head, frames } = arrived?;
            let mut refused = Refused::new(&notice, head, original_target(head), frames.all());
            refused.key_id = verification.and_then(Verification::key_id).cloned();
            Some(refused)
        });
    }
    let refusal = Refusal::new(error.kind(), request_id.as_str());
    let mut response = share.rejection.respond(&refusal);
    let status = response.status();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(id) = request_id.header_value() {
        headers.insert(&REQUEST_ID, id);
    }
    if status == StatusCode::UNAUTHORIZED {
        for challenge in &share.challenges {
            headers.append(WWW_AUTHENTICATE, challenge.clone());
        }
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response.extensions_mut().insert(error.kind());
    response.extensions_mut().insert(error.kind().outcome());
    response
}

/// A refusal that comes from behind the layer, on its way out to it.
#[derive(Clone)]
struct RefusedInside(Arc<VerifyError>);

/// Answers for a handler, or for a layer behind this one, until [`shape`] gives the answer its own shape. A
/// [`VerifyLayer`](super::VerifyLayer) that is not there cannot: then it stays what it is here.
pub(crate) fn refused_inside(error: VerifyError) -> Response<Bytes> {
    if error.kind() == VerifyErrorKind::Internal {
        // There may be nobody further out who tells it.
        tracing::error!(%error, "request refused");
    }
    let mut response = Problem::default().respond(&Refusal::new(error.kind(), ""));
    response.extensions_mut().insert(RefusedInside(Arc::new(error)));
    response
}

/// Gives what was refused behind the layer the shape of the layer's own refusals.
pub(super) fn shape<B: From<Bytes>>(share: &Share, mut response: Response<B>) -> Response<B> {
    match response.extensions_mut().remove::<RefusedInside>() {
        Some(RefusedInside(error)) => refuse(share, None, None, &error).map(B::from),
        None => response,
    }
}

/// A cause with its own causes: a store only says that it cannot be asked, its database says why.
pub(crate) struct Chain<'e>(pub(crate) &'e (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        iter::successors(self.0.source(), |&cause| cause.source())
            .try_for_each(|cause| write!(f, ": {cause}"))
    }
}

fn tell_refused(
    head: Option<&Parts>,
    verification: Option<&Verification>,
    error: &VerifyError,
    request_id: &str,
) {
    let scheme = verification.map(Verification::scheme);
    let key_id = verification.and_then(Verification::key_id).map(|key_id| key_id.as_str());
    let cause = error.source().map(Chain);
    let cause = cause.as_ref().map(tracing::field::display);
    let outcome = error.kind().outcome().as_str();
    let client_request_id = head.and_then(|head| named_by_client(&head.headers));
    macro_rules! tell {
        ($level:ident) => {
            tracing::$level!(outcome, scheme, key_id, request_id, client_request_id, %error, cause, "request refused")
        };
    }
    match error.kind() {
        VerifyErrorKind::Internal | VerifyErrorKind::StoreUnavailable => tell!(error),
        VerifyErrorKind::Overloaded => tell!(warn),
        _ => tell!(info),
    }
}

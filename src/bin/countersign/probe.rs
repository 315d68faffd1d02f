//! Drives the crate's own layer around a service of nothing, so that the answer is the one that a server would give.

use bytes::Bytes;
use countersign::{
    Verified, VerifyLayer, error::VerifyErrorKind, middleware::VerifiedBody, verify::Verifier,
};
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use std::{
    convert::Infallible,
    future::{Ready, poll_fn, ready},
    pin::Pin,
    task::{Context, Poll},
};
use tower_layer::Layer;
use tower_service::Service;

/// What a server would do.
#[derive(Debug)]
pub enum Verdict {
    /// Let the request pass.
    Valid(Verified),
    /// Refuse it.
    Invalid(VerifyErrorKind, StatusCode),
}

/// Sends a request through the layer.
pub async fn verify(verifier: impl Verifier, request: Request<Bytes>) -> Verdict {
    let mut service = VerifyLayer::<VerifiedBody>::new(verifier).layer(Inside);
    let request = request.map(|body| Whole(Some(body).filter(|body| !body.is_empty())));
    let Ok(()) = poll_fn(|cx| Service::<Request<Whole>>::poll_ready(&mut service, cx)).await;
    let Ok(mut response) = service.call(request).await;
    let status = response.status();
    match (response.extensions_mut().remove(), response.extensions().get()) {
        (Some(verified), None) => Verdict::Valid(verified),
        (None, Some(&kind)) => Verdict::Invalid(kind, status),
        _ => Verdict::Invalid(VerifyErrorKind::Internal, status),
    }
}

/// Hands the proof of verification back.
#[derive(Clone, Debug)]
struct Inside;

impl Service<Request<VerifiedBody>> for Inside {
    type Response = Response<Bytes>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<VerifiedBody>) -> Self::Future {
        let mut response = Response::default();
        if let Some(verified) = request.extensions_mut().remove::<Verified>() {
            response.extensions_mut().insert(verified);
        }
        ready(Ok(response))
    }
}

/// A body that is there already.
#[derive(Debug)]
struct Whole(Option<Bytes>);

impl Body for Whole {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

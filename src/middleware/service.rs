//! The service: hands each request, with the inner service that was made ready for it, to its future.

use super::{ResponseFuture, VerifiedBody, layer::Settings};
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use std::{
    error::Error,
    fmt,
    marker::PhantomData,
    mem,
    sync::Arc,
    task::{Context, Poll},
};
use tower_service::Service;

/// Service of [`VerifyLayer`](super::VerifyLayer).
pub struct Verify<S, B = VerifiedBody> {
    inner: S,
    settings: Arc<Settings>,
    body: PhantomData<fn() -> B>,
}

impl<S, B> Verify<S, B> {
    pub(super) const fn new(inner: S, settings: Arc<Settings>) -> Self {
        Self { inner, settings, body: PhantomData }
    }
}

impl<S, B, ReqBody, ResBody> Service<Request<ReqBody>> for Verify<S, B>
where
    S: Service<Request<B>, Response = Response<ResBody>> + Clone,
    B: From<VerifiedBody>,
    ReqBody: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>>,
    ResBody: From<Bytes>,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = ResponseFuture<S, ReqBody, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        // The clone is not ready; the original is, and it goes with the request.
        let clone = self.inner.clone();
        let ready = mem::replace(&mut self.inner, clone);
        ResponseFuture::new(Arc::clone(&self.settings), ready, request)
    }
}

impl<S: Clone, B> Clone for Verify<S, B> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), Arc::clone(&self.settings))
    }
}

impl<S: fmt::Debug, B> fmt::Debug for Verify<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verify").field("inner", &self.inner).field("settings", &self.settings).finish()
    }
}

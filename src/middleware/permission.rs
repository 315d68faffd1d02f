//! A layer for routes that not every verified caller may use.

use super::refuse;
use crate::{
    error::{VerifyError, VerifyErrorKind},
    verify::Verified,
};
use bytes::Bytes;
use http::{Extensions, Request, Response};
use pin_project_lite::pin_project;
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};
use tower_layer::Layer;
use tower_service::Service;

/// Layer that lets only callers through who may do something.
///
/// It stands behind a [`VerifyLayer`](super::VerifyLayer), which answers 403 for it in the shape of its other refusals.
/// Where there is none around it, nobody gets through: the answer is 500.
///
/// ```
/// use axum::{Router, routing::post};
/// use countersign::{
///     SignatureVerifier, VerifyLayer, middleware::RequirePermissionLayer, scheme::SalesCloud, store::MemoryKeyStore,
/// };
///
/// let verifier = SignatureVerifier::new(SalesCloud::default(), MemoryKeyStore::new());
/// let app: Router = Router::new()
///     .route("/", post(|| async { "logged" }))
///     .layer(RequirePermissionLayer::new("logs:write").and_write())
///     .layer(VerifyLayer::new(verifier));
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct RequirePermissionLayer(Requirement);

#[derive(Clone, Copy, Debug)]
struct Requirement {
    permission: &'static str,
    write: bool,
}

impl RequirePermissionLayer {
    /// Lets callers through who may do what `permission` names, a word without `*`.
    pub const fn new(permission: &'static str) -> Self {
        Self(Requirement { permission, write: false })
    }

    /// Of these, only those who may change something at all, which read tokens may not.
    pub const fn and_write(mut self) -> Self {
        self.0.write = true;
        self
    }
}

impl<S> Layer<S> for RequirePermissionLayer {
    type Service = RequirePermission<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequirePermission { inner, requirement: self.0 }
    }
}

/// Service of [`RequirePermissionLayer`].
#[derive(Clone, Copy, Debug)]
pub struct RequirePermission<S> {
    inner: S,
    requirement: Requirement,
}

impl<S, B, ResBody> Service<Request<B>> for RequirePermission<S>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
    ResBody: From<Bytes>,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = PermissionFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self.requirement.check(request.extensions()) {
            Ok(()) => PermissionFuture { inner: Some(self.inner.call(request)), refusal: None },
            Err(error) => PermissionFuture { inner: None, refusal: Some(error) },
        }
    }
}

impl Requirement {
    fn check(self, extensions: &Extensions) -> Result<(), VerifyError> {
        let detail = "a permission is required on a route without a `VerifyLayer`";
        let unguarded = || VerifyError::with_detail(VerifyErrorKind::Internal, detail);
        let caller = extensions.get::<Verified>().ok_or_else(unguarded)?;
        caller.require(self.permission)?;
        if self.write { caller.require_write() } else { Ok(()) }
    }
}

pin_project! {
    /// Response future of [`RequirePermission`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct PermissionFuture<F> {
        #[pin]
        inner: Option<F>,
        refusal: Option<VerifyError>,
    }
}

impl<F, ResBody, E> Future for PermissionFuture<F>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
    ResBody: From<Bytes>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match (this.inner.as_pin_mut(), this.refusal.take()) {
            (_, Some(error)) => Poll::Ready(Ok(refuse::refused_inside(error).map(ResBody::from))),
            (Some(inner), None) => inner.poll(cx),
            (None, None) => Poll::Pending,
        }
    }
}

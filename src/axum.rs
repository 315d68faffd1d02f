//! What axum adds: the caller as an extractor, refusals as answers, and verified bytes as its body.

use crate::{
    error::VerifyError,
    middleware::{self, VerifiedBody},
    verify::Verified,
};
use axum::{
    body::Body,
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};
use std::{fmt, marker::PhantomData, ops::Deref};

/// A handler asks for a [`Verified`] on a route that no [`VerifyLayer`](crate::VerifyLayer) guards. Answers 500: a
/// mistake of the server's, never a pass.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct NotGuarded;

impl IntoResponse for NotGuarded {
    fn into_response(self) -> Response {
        tracing::error!("a handler extracts `Verified` on a route without a `VerifyLayer`");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Verified {
    type Rejection = NotGuarded;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        head.extensions.get::<Self>().cloned().ok_or(NotGuarded)
    }
}

/// The caller, if it may do what `P` names; else the answer is 403, in the shape of the
/// [`VerifyLayer`](crate::VerifyLayer) around the route.
///
/// ```
/// use countersign::{Permission, Permitted};
///
/// struct ReadSites;
///
/// impl Permission for ReadSites {
///     const WORD: &'static str = "sites:read";
/// }
///
/// async fn sites(caller: Permitted<ReadSites>) -> String {
///     format!("the sites of {}", caller.principal())
/// }
/// # let _: axum::Router = axum::Router::new().route("/site", axum::routing::get(sites));
/// ```
pub struct Permitted<P> {
    caller: Verified,
    permission: PhantomData<fn() -> P>,
}

/// A permission as a type, for [`Permitted`].
pub trait Permission: 'static {
    /// The word, without `*`.
    const WORD: &'static str;
}

impl<P> Deref for Permitted<P> {
    type Target = Verified;

    fn deref(&self) -> &Verified {
        &self.caller
    }
}

impl<P> fmt::Debug for Permitted<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Permitted").field(&self.caller).finish()
    }
}

impl<P: Permission, S: Send + Sync> FromRequestParts<S> for Permitted<P> {
    type Rejection = Response;

    async fn from_request_parts(head: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let caller = Verified::from_request_parts(head, state).await.map_err(IntoResponse::into_response)?;
        caller.require(P::WORD).map_err(IntoResponse::into_response)?;
        Ok(Self { caller, permission: PhantomData })
    }
}

/// What a handler refuses, the [`VerifyLayer`](crate::VerifyLayer) around it answers: with the status of the error's
/// kind, in the shape of its other refusals, and with an event for the operator.
impl IntoResponse for VerifyError {
    fn into_response(self) -> Response {
        middleware::refused_inside(self).map(Body::from)
    }
}

impl From<VerifiedBody> for Body {
    fn from(body: VerifiedBody) -> Self {
        match body.into_single() {
            Ok(bytes) if bytes.is_empty() => Self::empty(),
            Ok(bytes) => Self::from(bytes),
            Err(body) => Self::new(body),
        }
    }
}

//! What axum adds: the caller as an extractor, and verified bytes as its body.

use crate::{middleware::VerifiedBody, verify::Verified};
use axum::{
    body::Body,
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};

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

impl From<VerifiedBody> for Body {
    fn from(body: VerifiedBody) -> Self {
        match body.into_single() {
            Ok(bytes) if bytes.is_empty() => Self::empty(),
            Ok(bytes) => Self::from(bytes),
            Err(body) => Self::new(body),
        }
    }
}

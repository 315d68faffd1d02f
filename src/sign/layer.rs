//! The layer that signs what a client sends, each attempt anew.

use super::Signer;
use crate::error::SignError;
use bytes::Bytes;
use http::Request;
use http_body::Body;
use std::{
    error::Error,
    future::{Future, poll_fn},
    mem,
    pin::{Pin, pin},
    task::{Context, Poll},
};
use tower_layer::Layer;
use tower_service::Service;

/// Longest body that is collected, unless a layer says otherwise, in bytes: as much as a `VerifyLayer` takes.
const BODY_LIMIT: usize = 2 << 20;

type BoxError = Box<dyn Error + Send + Sync>;

/// Layer before a client that is a Tower service of [`http::Request`]s: signs each request with a [`Signer`].
///
/// A signature covers every byte of the body, so the body is collected first, and handed on in one piece, as the same
/// type that it came in: `http_body_util::Full<Bytes>`, `reqwest::Body` and `axum::body::Body` are such types. A body
/// that comes in one piece is not copied. One that is longer than the limit (2 MiB by default), breaks off or has
/// trailers is not sent; the error is then a [`SignError`].
///
/// Put it *inside* of what retries: every attempt then gets a time and a signature of its own. Nothing inside of it may
/// change the request.
///
/// ```
/// use bytes::Bytes;
/// use countersign::{scheme::SalesCloudWebhook, secret::Secret, sign::{SignLayer, Signer}};
/// use http::{Request, Response};
/// use http_body_util::Full;
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// // Stands for a client.
/// let client = service_fn(async |request: Request<Full<Bytes>>| {
///     assert!(request.headers().contains_key("x-salescloud-signature"));
///     Ok::<_, std::convert::Infallible>(Response::new(()))
/// });
/// let secret = Secret::new("test-secret-32-bytes-aaaaaaaaaaa")?;
/// let signer = Signer::new(SalesCloudWebhook::default(), "access-key", &secret);
/// let client = SignLayer::new(signer).layer(client);
/// client.oneshot(Request::post("https://example.com/hook").body(Full::from("{}"))?).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct SignLayer {
    signer: Signer,
    body_limit: usize,
}

impl SignLayer {
    /// Makes a layer.
    pub const fn new(signer: Signer) -> Self {
        Self { signer, body_limit: BODY_LIMIT }
    }

    /// Sets the longest body that is collected, in bytes.
    pub const fn with_body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }
}

impl<S> Layer<S> for SignLayer {
    type Service = Sign<S>;

    fn layer(&self, inner: S) -> Sign<S> {
        Sign { inner, layer: self.clone() }
    }
}

/// Service of [`SignLayer`].
#[derive(Clone, Debug)]
pub struct Sign<S> {
    inner: S,
    layer: SignLayer,
}

impl<S, B> Service<Request<B>> for Sign<S>
where
    S: Service<Request<B>, Error: Into<BoxError>, Future: Send> + Clone + Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + From<Bytes> + Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The clone is not ready; the original is, and it goes with the request.
        let clone = self.inner.clone();
        let mut ready = mem::replace(&mut self.inner, clone);
        let SignLayer { signer, body_limit } = self.layer.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let mut request = Request::from_parts(head, collect(body, body_limit).await?);
            signer.sign(&mut request)?;
            ready.call(request.map(B::from)).await.map_err(Into::into)
        })
    }
}

/// All of a body, if it is no longer than `limit`.
async fn collect<B>(body: B, limit: usize) -> Result<Bytes, SignError>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    let mut body = pin!(body);
    let (mut frames, mut length) = (Vec::new(), 0);
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let frame = frame.map_err(|error| SignError::with_source("the body broke off", error))?;
        let data = frame.into_data().map_err(|_| SignError::new("no scheme signs trailers"))?;
        length += data.len();
        if length > limit {
            return Err(SignError::new("the body is longer than the layer's limit"));
        }
        frames.push(data);
    }
    Ok(match <[Bytes; 1]>::try_from(frames) {
        Ok([only]) => only,
        Err(frames) => frames.concat().into(),
    })
}

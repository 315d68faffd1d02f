//! The name that the server gives a request: it ties what a caller is told to what the operator sees.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use pin_project_lite::pin_project;
use std::{
    fmt,
    future::Future,
    hash::{BuildHasher as _, RandomState},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};
use tower_layer::Layer;
use tower_service::Service;

/// Where the id stands in answers, and where a caller may name one of its own.
pub(crate) static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id, in characters.
const LONGEST: usize = 64;

/// A name that the server itself gave a request: 1 to 64 of `A-Z a-z 0-9 _ -`.
///
/// If a request has one in its extensions, put there by [`RequestIdLayer`] or by a layer of your own, a
/// [`VerifyLayer`](super::VerifyLayer) uses it for its refusal; otherwise it makes one.
///
/// # Security
///
/// Never make one of what a caller sent: a caller could then choose under which name its request is kept and found.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// Takes a name that the server made; `None` if it has other characters or is too long.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        is_name(name).then(|| Self(name.into()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As the value of a header.
    pub(crate) fn header_value(&self) -> Option<HeaderValue> {
        HeaderValue::from_maybe_shared(Bytes::copy_from_slice(self.0.as_bytes())).ok()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=LONGEST).contains(&name.len()) && name.bytes().all(plain)
}

/// What the caller itself calls its request, for the operator to search for and for nothing else.
pub(crate) fn named_by_client(headers: &HeaderMap) -> Option<&str> {
    headers.get(&REQUEST_ID).and_then(|value| value.to_str().ok()).filter(|name| is_name(name))
}

/// A source of names that nobody outside can guess.
#[derive(Debug, Default)]
pub(crate) struct RequestIds {
    hash: RandomState,
    count: AtomicU64,
}

impl RequestIds {
    /// The next name: 16 hexadecimal digits.
    pub(crate) fn next(&self) -> RequestId {
        let number = self.hash.hash_one(self.count.fetch_add(1, Ordering::Relaxed));
        RequestId(format!("{number:016x}").into())
    }
}

/// Layer that names every request, so that a server's own log lines and the layer's refusals agree on the name.
///
/// It stands outside of everything else. The request gets a [`RequestId`] in its extensions, the response the header
/// `x-request-id`, unless something further inside has set that. The caller's own header of this name stays what it is:
/// something that the caller says.
///
/// ```
/// use axum::{Router, routing::post};
/// use countersign::{
///     SignatureVerifier, VerifyLayer, middleware::RequestIdLayer, scheme::SalesCloud, store::MemoryKeyStore,
/// };
///
/// let verifier = SignatureVerifier::new(SalesCloud::default(), MemoryKeyStore::new());
/// let app: Router = Router::new()
///     .route("/", post(|| async { "verified" }))
///     .layer(VerifyLayer::new(verifier))
///     .layer(RequestIdLayer::new());
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct RequestIdLayer(Arc<RequestIds>);

impl RequestIdLayer {
    /// Names are 16 hexadecimal digits.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<S> Layer<S> for RequestIdLayer {
    type Service = NameRequests<S>;

    fn layer(&self, inner: S) -> Self::Service {
        NameRequests { inner, ids: Arc::clone(&self.0) }
    }
}

/// Service of [`RequestIdLayer`].
#[derive(Clone, Debug)]
pub struct NameRequests<S> {
    inner: S,
    ids: Arc<RequestIds>,
}

impl<S, B, ResBody> Service<Request<B>> for NameRequests<S>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = NamedFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let id = self.ids.next();
        request.extensions_mut().insert(id.clone());
        NamedFuture { inner: self.inner.call(request), id }
    }
}

pin_project! {
    /// Response future of [`NameRequests`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct NamedFuture<F> {
        #[pin]
        inner: F,
        id: RequestId,
    }
}

impl<F, ResBody, E> Future for NamedFuture<F>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.inner.poll(cx))?;
        if let (false, Some(id)) = (response.headers().contains_key(&REQUEST_ID), this.id.header_value()) {
            response.headers_mut().insert(&REQUEST_ID, id);
        }
        Poll::Ready(Ok(response))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_plain() {
        let long = "a".repeat(64);
        for good in ["a", "A_b-9", "00f1a2b3c4d5e6f7", "0191d3c4-5b7e-7c1a-8f00-3b2a1c0d9e8f", &long] {
            assert_eq!(RequestId::new(good).map(|id| id.to_string()).as_deref(), Some(good));
        }
        let longer = "a".repeat(65);
        for bad in ["", " ", "a b", "a\n", "a:b", "ä", "{}", &longer] {
            assert_eq!(RequestId::new(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn names_differ_and_do_not_count() {
        let ids = RequestIds::default();
        let names: Vec<_> = (0..100).map(|_| ids.next().to_string()).collect();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1] && pair[0].len() == 16));
        assert_ne!(RequestIds::default().next(), RequestIds::default().next());
    }
}

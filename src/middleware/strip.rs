//! Headers that look like an identity, removed before anybody can believe them.

use crate::verify::Verified;
use http::{HeaderName, Request, request::Parts};
use std::{
    sync::Arc,
    task::{Context, Poll},
};
use tower_layer::Layer;
use tower_service::Service;

/// Removed unless something else is chosen.
const DEFAULT_PREFIXES: [&str; 3] = ["x-countersign-", "x-auth-", "x-consumer-"];

/// Which headers only this server may set: all whose names begin with one of these.
#[derive(Clone, Debug)]
pub(super) struct Prefixes {
    prefixes: Vec<Box<str>>,
    /// One bit for the byte that a prefix begins with: that tells most names apart.
    first: u64,
}

impl Default for Prefixes {
    fn default() -> Self {
        Self::new(DEFAULT_PREFIXES)
    }
}

impl Prefixes {
    pub(super) fn new<'p>(prefixes: impl IntoIterator<Item = &'p str>) -> Self {
        let prefixes: Vec<Box<str>> =
            prefixes.into_iter().map(|prefix| prefix.to_ascii_lowercase().into()).collect();
        let first = prefixes.iter().fold(0, |first, prefix| first | bit(prefix));
        Self { prefixes, first }
    }

    /// Removes the headers, and a [`Verified`] that somebody else put there.
    pub(super) fn strip(&self, head: &mut Parts) {
        head.extensions.remove::<Verified>();
        let claims = |name: &HeaderName| {
            let name = name.as_str();
            self.first & bit(name) != 0 && self.prefixes.iter().any(|prefix| name.starts_with(&**prefix))
        };
        if head.headers.keys().any(claims) {
            let names: Vec<_> = head.headers.keys().filter(|name| claims(name)).cloned().collect();
            for name in names {
                head.headers.remove(name);
            }
        }
    }
}

/// The bit of a name's first byte, which it shares with few others.
fn bit(name: &str) -> u64 {
    name.bytes().next().map_or(0, |byte| 1 << (byte % 64))
}

/// Layer for open routes that removes what a [`VerifyLayer`](super::VerifyLayer) removes from guarded ones.
///
/// A handler or a service behind it that believes `x-auth-user` must not be reachable with that header set by a
/// stranger just because the route needs no signature.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct StripIdentityLayer(Arc<Prefixes>);

impl StripIdentityLayer {
    /// Removes `x-countersign-*`, `x-auth-*` and `x-consumer-*`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Removes headers whose names begin with one of `prefixes` instead.
    pub fn with_prefixes<'p>(prefixes: impl IntoIterator<Item = &'p str>) -> Self {
        Self(Arc::new(Prefixes::new(prefixes)))
    }
}

impl<S> Layer<S> for StripIdentityLayer {
    type Service = StripIdentity<S>;

    fn layer(&self, inner: S) -> Self::Service {
        StripIdentity { inner, prefixes: Arc::clone(&self.0) }
    }
}

/// Service of [`StripIdentityLayer`].
#[derive(Clone, Debug)]
pub struct StripIdentity<S> {
    inner: S,
    prefixes: Arc<Prefixes>,
}

impl<S, B> Service<Request<B>> for StripIdentity<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        self.prefixes.strip(&mut head);
        self.inner.call(Request::from_parts(head, body))
    }
}

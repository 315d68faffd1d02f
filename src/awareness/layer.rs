//! The layer that counts, on both sides of the guard.

use super::{
    ClientUsage,
    counts::{End, OfClient},
};
use crate::{clock::Stopwatch, outcome::Outcome, verify::Verified};
use http::{Request, Response, StatusCode};
use pin_project_lite::pin_project;
use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tower_layer::Layer;
use tower_service::Service;

/// Layer of a [`ClientUsage`], for both sides of a [`VerifyLayer`](crate::VerifyLayer).
///
/// Behind it, requests have a [`Verified`] caller: the layer counts them for their clients, with what becomes of them and
/// how long the answer took to begin. Around it, they have none: the layer counts what was refused, by outcome.
#[derive(Clone, Debug)]
#[must_use]
pub struct UsageLayer(ClientUsage);

impl UsageLayer {
    pub(super) const fn new(usage: ClientUsage) -> Self {
        Self(usage)
    }
}

impl<S> Layer<S> for UsageLayer {
    type Service = CountUsage<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CountUsage { inner, usage: self.0.clone() }
    }
}

/// Service of [`UsageLayer`].
#[derive(Clone, Debug)]
pub struct CountUsage<S> {
    inner: S,
    usage: ClientUsage,
}

impl<S, B, R> Service<Request<B>> for CountUsage<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = UsageFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let open = match request.extensions().get::<Verified>() {
            Some(verified) => {
                let inner = &*self.usage.0;
                let client = inner.client(verified, request.headers(), Some(verified.outcome()));
                Open::Behind(client, Stopwatch::start())
            }
            None => Open::Around(self.usage.clone()),
        };
        UsageFuture { inner: self.inner.call(request), open: Some(open) }
    }
}

pin_project! {
    /// Response future of [`CountUsage`].
    #[must_use = "futures do nothing unless polled"]
    pub struct UsageFuture<F> {
        #[pin]
        inner: F,
        open: Option<Open>,
    }

    impl<F> PinnedDrop for UsageFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            // Nobody waits for the answer any more.
            if let Some(open) = this.project().open.take() {
                open.count(None, None);
            }
        }
    }
}

/// A request that is not answered yet.
enum Open {
    /// Behind the guard: of this client, and since when.
    Behind(Arc<OfClient>, Stopwatch),
    /// Around the guard.
    Around(ClientUsage),
}

impl Open {
    fn count(self, status: Option<StatusCode>, refused: Option<Outcome>) {
        match self {
            Self::Behind(client, watch) => {
                let milliseconds = u64::try_from(watch.elapsed().as_millis()).unwrap_or(u64::MAX);
                client.count(
                    milliseconds,
                    match status {
                        Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => End::Denied,
                        Some(status) if status < StatusCode::BAD_REQUEST => End::Well,
                        _ => End::Badly,
                    },
                );
            }
            Self::Around(usage) => {
                if let Some(outcome) = refused {
                    usage.0.books.count_refusal(outcome);
                }
            }
        }
    }
}

impl<F, R, E> Future for UsageFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = ready!(this.inner.poll(cx));
        if let Some(open) = this.open.take() {
            let response = answer.as_ref().ok();
            let refused = response.and_then(|response| response.extensions().get().copied());
            open.count(response.map(Response::status), refused);
        }
        Poll::Ready(answer)
    }
}

impl<F> fmt::Debug for UsageFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UsageFuture(..)")
    }
}

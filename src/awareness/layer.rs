//! The layer that counts, on both sides of the guard.

use super::{ClientUsage, UsageCaller};
use crate::{clock::Stopwatch, outcome::Outcome, store::Counts, verify::Verified};
use http::{Request, Response, StatusCode};
use pin_project_lite::pin_project;
use std::{
    fmt,
    future::Future,
    pin::Pin,
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
        let called = request.extensions().get::<Verified>().map(|verified| Called {
            caller: self.usage.caller(verified, request.headers()),
            outcome: verified.outcome(),
            watch: Stopwatch::start(),
        });
        UsageFuture {
            inner: self.inner.call(request),
            open: Some(Open { usage: self.usage.clone(), called }),
        }
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
struct Open {
    usage: ClientUsage,
    called: Option<Called>,
}

/// Who called behind the guard.
struct Called {
    caller: UsageCaller,
    outcome: Outcome,
    watch: Stopwatch,
}

impl Open {
    fn count(self, status: Option<StatusCode>, refused: Option<Outcome>) {
        let books = &self.usage.0.books;
        let Some(Called { caller, outcome, watch }) = self.called else {
            return refused.map_or((), |outcome| books.count_refusal(outcome));
        };
        let milliseconds = u64::try_from(watch.elapsed().as_millis()).unwrap_or(u64::MAX);
        books.count(&caller.0, outcome, |counts: &mut Counts| {
            counts.latencies[Counts::bucket(milliseconds)] += 1;
            match status {
                Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => counts.denied += 1,
                Some(status) if status < StatusCode::BAD_REQUEST => {}
                _ => counts.errors += 1,
            }
        });
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

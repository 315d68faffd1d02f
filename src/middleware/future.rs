//! The future of a request: find the key, hash the body as it arrives, judge, then become the inner service's future.

use super::{
    VerifiedBody,
    body::Frames,
    layer::{Settings, Share},
    refuse::{self, Arrived},
    target::original_target,
};
use crate::{
    error::{VerifyError, VerifyErrorKind},
    message::Message,
    metrics::Watch,
    verify::steps::{Begun, Records, Seeking, Step, Verification},
};
use bytes::{Buf as _, Bytes};
use http::{Request, Response, header::CONTENT_ENCODING, request::Parts};
use http_body::Body;
use http_body_util::LengthLimitError;
use pin_project_lite::pin_project;
use std::{
    error::Error,
    fmt,
    future::Future,
    iter,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Sleep, sleep};
use tower_service::Service;

/// Bytes hashed in one poll before other tasks get their turn, so that large uploads do not delay small requests.
const HASHED_PER_POLL: usize = 16 << 10;
/// What a frame costs of that at least, so that a stream of small or empty frames comes to its turn's end too.
const FRAME_COST: usize = 64;

pin_project! {
    /// Response future of [`Verify`](super::Verify).
    ///
    /// Must be polled in a Tokio runtime with its timer: a body that pauses is timed, and so is the key store.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, ReqBody, B>
    where
        S: Service<Request<B>>,
    {
        share: Share,
        watch: Watch,
        #[pin]
        phase: Phase<S, ReqBody, S::Future>,
        inner_body: PhantomData<fn() -> B>,
    }
}

pin_project! {
    /// What a verification holds is large, and so may be the inner service's future: the one makes way for the other.
    #[project = PhaseProjection]
    enum Phase<S, ReqBody, F> {
        Judging {
            request: Option<(Parts, S)>,
            frames: Frames,
            verification: Option<Verification>,
            stage: Stage,
            #[pin]
            body: ReqBody,
            timer: Timer,
        },
        Passed {
            #[pin]
            inner: F,
        },
    }
}

/// What a request that has to wait waits for at most. Most have not to, and should not be larger for it.
type Timer = Option<Pin<Box<Sleep>>>;

/// A request whose verdict is open.
struct Open<'f, ReqBody> {
    share: &'f mut Share,
    head: &'f Parts,
    frames: &'f mut Frames,
    verification: &'f mut Option<Verification>,
    stage: &'f mut Stage,
    body: Pin<&'f mut ReqBody>,
    timer: &'f mut Timer,
}

/// How far a request has come.
enum Stage {
    /// Nothing is judged yet. Judging begins with the first poll, when the future has come to its place: what a
    /// verification holds is large, and need not move any more.
    Arrived,
    /// The store was asked for the key.
    Seeking(Seeking),
    /// The body is arriving; these bytes of it have arrived and are not hashed yet.
    Receiving(Bytes),
    /// The body passes once more, from this frame and this byte of it on.
    Repeating(usize, usize),
    /// The store was asked whether all is as it was.
    Deciding(Seeking),
}

impl<S, ReqBody, B> ResponseFuture<S, ReqBody, B>
where
    S: Service<Request<B>>,
{
    pub(super) fn new(settings: Arc<Settings>, inner: S, request: Request<ReqBody>) -> Self {
        let (head, body) = request.into_parts();
        Self {
            share: Share::new(settings, &head),
            watch: Watch::start(),
            phase: Phase::Judging {
                request: Some((head, inner)),
                frames: Frames::default(),
                verification: None,
                stage: Stage::Arrived,
                body,
                timer: None,
            },
            inner_body: PhantomData,
        }
    }
}

/// Judges what can be judged by the head alone.
fn begin(
    settings: &Settings,
    head: &Parts,
    body: &impl Body,
    place: &mut Option<Verification>,
) -> Result<Begun, VerifyError> {
    if body.size_hint().lower() > settings.body_limit {
        return Err(VerifyErrorKind::BodyTooLarge.into());
    }
    let plain = |encoding: &http::HeaderValue| encoding.as_bytes().eq_ignore_ascii_case(b"identity");
    if !head.headers.get_all(CONTENT_ENCODING).iter().all(plain) {
        return Err(VerifyErrorKind::UnsupportedEncoding.into());
    }
    let message = Message::new(head, original_target(head))?;
    settings.verifier.begin(&message, place)?.ok_or_else(|| VerifyErrorKind::Missing.into())
}

impl<S, ReqBody, B, ResBody> Future for ResponseFuture<S, ReqBody, B>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
    B: From<VerifiedBody>,
    ReqBody: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>>,
    ResBody: From<Bytes>,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let (request, frames, verification, stage, body, timer) = match this.phase.as_mut().project() {
            PhaseProjection::Judging { request, frames, verification, stage, body, timer } => {
                (request, frames, verification, stage, body, timer)
            }
            PhaseProjection::Passed { inner } => {
                return inner.poll(cx).map_ok(|response| refuse::shape(this.share, response));
            }
        };
        let Some((head, _)) = request else { return Poll::Pending };
        let mut open = Open { share: this.share, head, frames, verification, stage, body, timer };
        let verdict = ready!(open.poll_verdict(cx));
        this.share.release();
        let scheme = verification.as_ref().map(Verification::scheme);
        let record = |outcome| this.share.metrics.record(scheme, outcome, *this.watch, frames.len());
        match verdict.and_then(|()| this.share.introduce(head, verification.as_ref())) {
            Ok(caller) => {
                record(caller.outcome());
                refuse::tell_accepted(caller);
            }
            Err(error) => {
                record(error.kind().outcome());
                let arrived = Arrived { head, frames };
                let refused = refuse::refuse(this.share, Some(arrived), verification.as_ref(), &error);
                return Poll::Ready(Ok(refused.map(ResBody::from)));
            }
        }
        let Some((head, mut service)) = request.take() else { return Poll::Pending };
        let body = std::mem::take(frames).into_body();
        let inner = service.call(Request::from_parts(head, body.into()));
        this.phase.set(Phase::Passed { inner });
        let PhaseProjection::Passed { inner } = this.phase.project() else { return Poll::Pending };
        inner.poll(cx).map_ok(|response| refuse::shape(this.share, response))
    }
}

impl<ReqBody> Open<'_, ReqBody>
where
    ReqBody: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>>,
{
    /// Takes the request as far as it goes.
    fn poll_verdict(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), VerifyError>> {
        let patience = self.share.store_timeout;
        loop {
            match &mut self.stage {
                Stage::Arrived => {
                    *self.stage = match begin(self.share, self.head, &*self.body, self.verification)? {
                        Begun::Ready => Stage::Receiving(Bytes::new()),
                        Begun::Seeking(seeking) => Stage::Seeking(seeking),
                    };
                }
                Stage::Seeking(seeking) => {
                    let records = ready!(poll_store(seeking, self.timer, patience, cx))?;
                    let message = Message::new(self.head, original_target(self.head))?;
                    let verification = self.verification.as_mut().ok_or(VerifyErrorKind::Internal)?;
                    self.share.verifier.resume(verification, &message, records)?;
                    *self.stage = Stage::Receiving(Bytes::new());
                }
                Stage::Receiving(_) => {
                    ready!(self.poll_receive(cx))?;
                    if self.finish()? {
                        return Poll::Ready(Ok(()));
                    }
                }
                Stage::Repeating(..) => {
                    ready!(self.poll_repeat(cx))?;
                    if self.finish()? {
                        return Poll::Ready(Ok(()));
                    }
                }
                Stage::Deciding(seeking) => {
                    let records = ready!(poll_store(seeking, self.timer, patience, cx))?;
                    let verification = self.verification.as_mut().ok_or(VerifyErrorKind::Internal)?;
                    let target = original_target(self.head);
                    return Poll::Ready(self.share.verifier.decide(verification, records, target));
                }
            }
            // What comes next has a time limit of its own.
            *self.timer = None;
        }
    }

    /// Hashes the body as it arrives, and keeps it.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), VerifyError>> {
        let (Some(verification), Stage::Receiving(left)) = (&mut *self.verification, &mut *self.stage) else {
            return Poll::Ready(Err(VerifyErrorKind::Internal.into()));
        };
        let mut turn = Turn::new(verification);
        let mut progress = !left.is_empty();
        if progress {
            left.advance(turn.hash(verification, left));
        }
        while left.is_empty() {
            if self.body.is_end_stream() {
                return Poll::Ready(Ok(()));
            }
            if turn.is_over() {
                break;
            }
            let frame = match self.body.as_mut().poll_frame(cx) {
                Poll::Pending => break,
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Ready(Some(frame)) => frame.map_err(broken_off)?,
            };
            // Trailers are not signed, so nobody gets to see them.
            let data = frame.into_data().unwrap_or_default();
            if self.frames.len() + data.len() as u64 > self.share.body_limit {
                return Poll::Ready(Err(VerifyErrorKind::BodyTooLarge.into()));
            }
            let hashed = turn.hash(verification, &data);
            if !data.is_empty() {
                *left = data.slice(hashed..);
                self.frames.push(data);
                *self.timer = None;
                progress = true;
            }
        }
        verification.wait();
        self.share.hold(self.frames.len())?;
        if turn.is_over() {
            cx.waker().wake_by_ref();
            if progress {
                return Poll::Pending;
            }
        }
        ready!(poll_timer(self.timer, self.share.idle_timeout, cx));
        Poll::Ready(Err(VerifyErrorKind::Timeout.into()))
    }

    /// Hashes the body that was kept once more, for other spellings of the signature base.
    fn poll_repeat(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), VerifyError>> {
        let (Some(verification), Stage::Repeating(index, offset)) =
            (&mut *self.verification, &mut *self.stage)
        else {
            return Poll::Ready(Err(VerifyErrorKind::Internal.into()));
        };
        let mut turn = Turn::new(verification);
        while let Some(frame) = self.frames.at(*index) {
            if turn.is_over() {
                verification.wait();
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            *offset += turn.hash(verification, &frame[*offset..]);
            if *offset == frame.len() {
                (*index, *offset) = (*index + 1, 0);
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Judges when the body has ended. Whether that was the last stage.
    fn finish(&mut self) -> Result<bool, VerifyError> {
        let verification = self.verification.as_mut().ok_or(VerifyErrorKind::Internal)?;
        match self.share.verifier.finish(verification, self.head, original_target(self.head))? {
            Step::Done => return Ok(true),
            Step::Again => *self.stage = Stage::Repeating(0, 0),
            Step::Seeking(seeking) => *self.stage = Stage::Deciding(seeking),
        }
        Ok(false)
    }
}

/// What may still be hashed in one poll.
struct Turn(usize);

impl Turn {
    fn new(verification: &Verification) -> Self {
        Self((HASHED_PER_POLL / verification.lanes().max(1)).max(FRAME_COST))
    }

    const fn is_over(&self) -> bool {
        self.0 < FRAME_COST
    }

    /// Hashes as much of the bytes as the turn allows, and says how much that was.
    fn hash(&mut self, verification: &mut Verification, bytes: &[u8]) -> usize {
        let now = bytes.len().min(self.0);
        verification.update(&bytes[..now]);
        self.0 = self.0.saturating_sub(now.max(FRAME_COST));
        now
    }
}

/// Waits for the store, but not for ever.
fn poll_store(
    seeking: &mut Seeking,
    timer: &mut Timer,
    patience: Duration,
    cx: &mut Context<'_>,
) -> Poll<Result<Records, VerifyError>> {
    if let Poll::Ready(answer) = Pin::new(seeking).poll(cx) {
        return Poll::Ready(answer);
    }
    ready!(poll_timer(timer, patience, cx));
    let detail = "the key store did not answer in time";
    Poll::Ready(Err(VerifyError::with_detail(VerifyErrorKind::StoreUnavailable, detail)))
}

/// Waits until the time is over, counted from the first call.
fn poll_timer(timer: &mut Timer, after: Duration, cx: &mut Context<'_>) -> Poll<()> {
    timer.get_or_insert_with(|| Box::pin(sleep(after))).as_mut().poll(cx)
}

/// Why a body ended early: it broke off, or somebody further out, like tower-http's `RequestBodyLimitLayer`, found it too
/// long.
fn broken_off(error: impl Into<Box<dyn Error + Send + Sync>>) -> VerifyError {
    let error = error.into();
    let first: &(dyn Error + 'static) = &*error;
    let mut causes = iter::successors(Some(first), |&cause| cause.source());
    let kind = match causes.any(|cause| cause.is::<LengthLimitError>()) {
        true => VerifyErrorKind::BodyTooLarge,
        false => VerifyErrorKind::MalformedMessage,
    };
    VerifyError::with_source(kind, error)
}

impl<S, ReqBody, B> fmt::Debug for ResponseFuture<S, ReqBody, B>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseFuture(..)")
    }
}

//! The future of a request: find the key, hash the body as it arrives, judge, then become the inner service's future.

use super::{
    VerifiedBody,
    body::Frames,
    layer::{Settings, Share},
    refuse,
};
use crate::{
    error::{VerifyError, VerifyErrorKind},
    message::Message,
    verify::{
        Verified,
        steps::{Begun, Place, Seeking, Step, Verdict, Verification},
    },
};
use bytes::{Buf as _, Bytes};
use http::{Request, Response, Uri, header::CONTENT_ENCODING, request::Parts};
use http_body::Body;
use pin_project_lite::pin_project;
use std::{
    error::Error,
    fmt,
    future::Future,
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
        #[pin]
        state: State<S, ReqBody, S::Future>,
        inner_body: PhantomData<fn() -> B>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, ReqBody, F> {
        Open { request: Option<Open<S>>, #[pin] body: ReqBody, #[pin] timer: Option<Sleep> },
        Inner { #[pin] future: F },
    }
}

/// A request whose verdict is open, and the inner service that was made ready for it.
struct Open<S> {
    share: Share,
    inner: S,
    head: Parts,
    frames: Frames,
    verification: Option<Verification>,
    stage: Stage,
}

/// How far a request has come.
enum Stage {
    /// The store was asked for the key.
    Seeking(Place, Seeking),
    /// The body is arriving; these bytes of it have arrived and are not hashed yet.
    Receiving(Bytes),
    /// The body passes once more, from this frame and this byte of it on.
    Repeating(usize, usize),
    /// The store was asked whether all is as it was.
    Deciding(Verdict),
    /// Nothing more is needed to refuse.
    Refused(Option<VerifyError>),
}

impl<S, ReqBody, B> ResponseFuture<S, ReqBody, B>
where
    S: Service<Request<B>>,
    ReqBody: Body,
{
    pub(super) fn new(settings: Arc<Settings>, inner: S, request: Request<ReqBody>) -> Self {
        let (head, body) = request.into_parts();
        let (verification, stage) = match begin(&settings, &head, &body) {
            Ok(Begun::Ready(verification)) => (Some(verification), Stage::Receiving(Bytes::new())),
            Ok(Begun::Seeking(place, seeking)) => (None, Stage::Seeking(place, seeking)),
            Err(error) => (None, Stage::Refused(Some(error))),
        };
        let frames = Frames::default();
        let open = Open { share: Share::new(settings), inner, head, frames, verification, stage };
        let state = State::Open { request: Some(open), body, timer: None };
        Self { state, inner_body: PhantomData }
    }
}

/// Judges what can be judged by the head alone.
fn begin(settings: &Settings, head: &Parts, body: &impl Body) -> Result<Begun, VerifyError> {
    if body.size_hint().lower() > settings.body_limit {
        return Err(VerifyErrorKind::BodyTooLarge.into());
    }
    let plain = |encoding: &http::HeaderValue| encoding.as_bytes().eq_ignore_ascii_case(b"identity");
    if !head.headers.get_all(CONTENT_ENCODING).iter().all(plain) {
        return Err(VerifyErrorKind::UnsupportedEncoding.into());
    }
    let message = Message::new(head, original_target(head))?;
    settings.verifier.begin(&message)?.ok_or_else(|| VerifyErrorKind::Missing.into())
}

/// The target as it stood in the request line, also where a router has cut a prefix off since.
fn original_target(head: &Parts) -> &Uri {
    #[cfg(feature = "axum")]
    if let Some(original) = head.extensions.get::<axum::extract::OriginalUri>() {
        return &original.0;
    }
    &head.uri
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
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProj::Inner { future } => return future.poll(cx),
                StateProj::Open { request, mut body, mut timer } => {
                    let Some(open) = request else { return Poll::Pending };
                    let verdict = ready!(open.poll_verdict(body.as_mut(), timer.as_mut(), cx));
                    let Some(open) = request.take() else { return Poll::Pending };
                    match open.conclude(verdict) {
                        Ok((mut inner, request)) => {
                            let future = inner.call(request);
                            state.set(State::Inner { future });
                        }
                        Err(refused) => return Poll::Ready(Ok(refused.map(ResBody::from))),
                    }
                }
            }
        }
    }
}

impl<S> Open<S> {
    /// Takes the request as far as it goes.
    fn poll_verdict<ReqBody>(
        &mut self,
        mut body: Pin<&mut ReqBody>,
        mut timer: Pin<&mut Option<Sleep>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Verified, VerifyError>>
    where
        ReqBody: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>>,
    {
        let patience = self.share.store_timeout;
        loop {
            match &mut self.stage {
                Stage::Refused(error) => {
                    let error = error.take();
                    return Poll::Ready(Err(error.unwrap_or_else(|| VerifyErrorKind::Internal.into())));
                }
                Stage::Seeking(place, seeking) => {
                    let place = *place;
                    let records = ready!(poll_store(seeking, timer.as_mut(), patience, cx))?;
                    let message = Message::new(&self.head, original_target(&self.head))?;
                    self.verification = Some(self.share.verifier.resume(place, &message, records)?);
                    self.stage = Stage::Receiving(Bytes::new());
                }
                Stage::Receiving(_) => {
                    ready!(self.poll_receive(body.as_mut(), timer.as_mut(), cx))?;
                    if let Some(verdict) = self.finish()? {
                        return Poll::Ready(verdict);
                    }
                }
                Stage::Repeating(..) => {
                    ready!(self.poll_repeat(cx))?;
                    if let Some(verdict) = self.finish()? {
                        return Poll::Ready(verdict);
                    }
                }
                Stage::Deciding(verdict) => return poll_store(verdict, timer, patience, cx),
            }
            // What comes next has a time limit of its own.
            timer.set(None);
        }
    }

    /// Hashes the body as it arrives, and keeps it.
    fn poll_receive<ReqBody>(
        &mut self,
        mut body: Pin<&mut ReqBody>,
        mut timer: Pin<&mut Option<Sleep>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), VerifyError>>
    where
        ReqBody: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>>,
    {
        let (Some(verification), Stage::Receiving(left)) = (&mut self.verification, &mut self.stage) else {
            return Poll::Ready(Err(VerifyErrorKind::Internal.into()));
        };
        let mut turn = Turn::new(verification);
        let mut progress = !left.is_empty();
        if progress {
            left.advance(turn.hash(verification, left));
        }
        while left.is_empty() {
            if body.is_end_stream() {
                return Poll::Ready(Ok(()));
            }
            if turn.is_over() {
                break;
            }
            let frame = match body.as_mut().poll_frame(cx) {
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
                timer.set(None);
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
        ready!(poll_timer(timer, self.share.idle_timeout, cx));
        Poll::Ready(Err(VerifyErrorKind::Timeout.into()))
    }

    /// Hashes the body that was kept once more, for other spellings of the signature base.
    fn poll_repeat(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), VerifyError>> {
        let (Some(verification), Stage::Repeating(index, offset)) = (&mut self.verification, &mut self.stage)
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

    /// Judges when the body has ended: the verdict, or the next stage.
    fn finish(&mut self) -> Result<Option<Result<Verified, VerifyError>>, VerifyError> {
        let verification = self.verification.as_mut().ok_or(VerifyErrorKind::Internal)?;
        match self.share.verifier.finish(verification, &self.head, original_target(&self.head)) {
            Step::Done(verdict) => return Ok(Some(verdict)),
            Step::Again => self.stage = Stage::Repeating(0, 0),
            Step::Pending(verdict) => self.stage = Stage::Deciding(verdict),
        }
        Ok(None)
    }

    /// The request for the inner service, or the refusal.
    fn conclude<B: From<VerifiedBody>>(
        self,
        verdict: Result<Verified, VerifyError>,
    ) -> Result<(S, Request<B>), Response<Bytes>> {
        match verdict {
            Ok(verified) => {
                refuse::tell_accepted(&verified);
                let mut head = self.head;
                self.share.identity.strip(&mut head);
                head.extensions.insert(verified);
                Ok((self.inner, Request::from_parts(head, self.frames.into_body().into())))
            }
            Err(error) => Err(refuse::refuse(&self.share, self.verification.as_ref(), &error)),
        }
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
fn poll_store<T>(
    answer: &mut (impl Future<Output = Result<T, VerifyError>> + Unpin),
    timer: Pin<&mut Option<Sleep>>,
    patience: Duration,
    cx: &mut Context<'_>,
) -> Poll<Result<T, VerifyError>> {
    if let Poll::Ready(answer) = Pin::new(answer).poll(cx) {
        return Poll::Ready(answer);
    }
    ready!(poll_timer(timer, patience, cx));
    let detail = "the key store did not answer in time";
    Poll::Ready(Err(VerifyError::with_detail(VerifyErrorKind::StoreUnavailable, detail)))
}

/// Waits until the time is over, counted from the first call.
fn poll_timer(mut timer: Pin<&mut Option<Sleep>>, after: Duration, cx: &mut Context<'_>) -> Poll<()> {
    if timer.is_none() {
        timer.set(Some(sleep(after)));
    }
    timer.as_pin_mut().map_or(Poll::Ready(()), |timer| timer.poll(cx))
}

fn broken_off(error: impl Into<Box<dyn Error + Send + Sync>>) -> VerifyError {
    VerifyError::with_source(VerifyErrorKind::MalformedMessage, error)
}

impl<S, ReqBody, B> fmt::Debug for ResponseFuture<S, ReqBody, B>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseFuture(..)")
    }
}

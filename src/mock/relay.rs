//! The way of a request through a mock: it is received whole, meets the faults, is verified, meets the stubs, and is
//! written down with what became of it.

use super::{
    FaultKind, Outcome, Received, explain,
    keys::{TAMPERING, Tampering},
    provider::{Kit, Operation, Provide, lock},
    received::Denied,
    server::Connection,
    stub::{Reply, Stubbed},
};
use crate::{clock::Clock as _, error::VerifyErrorKind, verify::Verified};
use axum::{
    Json,
    body::{Body, Bytes, to_bytes},
    extract::{ConnectInfo, Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use http::{
    HeaderValue, StatusCode,
    header::{CONTENT_LENGTH, RETRY_AFTER},
    request::Parts,
};
use http_body::{Body as _, Frame};
use std::{
    future::poll_fn,
    io::{self, ErrorKind},
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

/// What is received of a body, in bytes: more than any layer lets through, so that the layer says so.
const BODY_LIMIT: usize = 20 << 20;

/// What the frame knows of a request, on its way to the handler.
#[derive(Clone)]
struct Arrived {
    operations: Arc<[Operation]>,
    tampering: Tampering,
}

/// On an answer: the request got through to its handler, and who sent it, if that was verified.
#[derive(Clone)]
struct Reached(Option<Verified>);

/// Outermost: receives, meets the faults, and writes down.
pub(super) async fn outside<P: Provide>(
    State(kit): State<Kit>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    request: Request,
    next: Next,
) -> Response {
    let (head, body) = request.into_parts();
    let (bytes, broken) = receive(body).await;
    let operations: Arc<[Operation]> = P::operations(&head, &bytes).into();
    let drawn = lock(&kit.0.faults).draw(&operations);
    if drawn.latency > Duration::ZERO {
        tokio::time::sleep(drawn.latency).await;
    }
    let answered = match drawn.kind.and_then(at_once::<P>) {
        Some(response) => response,
        None => {
            let arrived = Arrived { operations: Arc::clone(&operations), tampering: tampering(drawn.kind) };
            let mut head = head.clone();
            head.extensions.insert(arrived);
            let body = Whole { bytes: bytes.clone(), broken };
            next.run(Request::from_parts(head, Body::new(body))).await
        }
    };
    let mut received = Received::new(&head, bytes, operations, kit.clock().now());
    received.client = P::client(&head.headers);
    received.fault =
        drawn.kind.or_else(|| (drawn.latency > Duration::ZERO).then_some(FaultKind::Latency(drawn.latency)));
    let response = finish(answered, drawn.kind, &connection).await;
    judge::<P>(&mut received, &head, &response);
    kit.write_down(received);
    response
}

impl Kit {
    fn write_down(&self, received: Received) {
        let received = Arc::new(received);
        if let Some(observer) = &self.0.observer {
            observer(&received);
        }
        let mut log = lock(&self.0.log);
        log.push_back(received);
        if self.0.keep.is_some_and(|keep| log.len() > keep) {
            log.pop_front();
        }
    }
}

/// Around a layer that verifies: lets a fault act on what it asks.
pub(super) async fn tampered(request: Request, next: Next) -> Response {
    let tampering = request.extensions().get::<Arrived>().map(|arrived| arrived.tampering);
    TAMPERING.scope(tampering.unwrap_or_default(), next.run(request)).await
}

/// The same where no credential can expire: at a token endpoint, whoever has an expired token gets the next.
pub(super) async fn tampered_but_in_force(request: Request, next: Next) -> Response {
    let tampering = request.extensions().get::<Arrived>().map(|arrived| arrived.tampering);
    let tampering = Tampering { expired: false, ..tampering.unwrap_or_default() };
    TAMPERING.scope(tampering, next.run(request)).await
}

/// Around the handlers: counts, and answers for them what is stubbed.
pub(super) async fn inside<P: Provide>(State(kit): State<Kit>, mut request: Request, next: Next) -> Response {
    let verified = request.extensions().get::<Verified>().cloned();
    let operations = request.extensions().get::<Arrived>().map(|arrived| Arc::clone(&arrived.operations));
    let stubbed = kit.0.stubs.meet(&operations.unwrap_or_default());
    let mut response = match stubbed.whole(!P::PACKAGES) {
        Some(reply) => reply.respond(),
        None => {
            request.extensions_mut().insert::<Stubbed>(stubbed);
            next.run(request).await
        }
    };
    response.extensions_mut().insert(Reached(verified));
    response
}

impl Reply {
    fn respond(&self) -> Response {
        let mut response = (self.status, Json(&self.body)).into_response();
        response.headers_mut().extend(self.headers.clone());
        response
    }
}

/// The answer of a fault that asks nobody.
fn at_once<P: Provide>(fault: FaultKind) -> Option<Response> {
    let status = match fault {
        FaultKind::TooManyRequests { .. } => StatusCode::TOO_MANY_REQUESTS,
        FaultKind::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
        FaultKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        // Nobody reads it.
        FaultKind::Dropped => return Some(StatusCode::INTERNAL_SERVER_ERROR.into_response()),
        _ => return None,
    };
    let mut response = (status, Json(P::trouble(status))).into_response();
    if let FaultKind::TooManyRequests { retry_after } = fault {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_after));
    }
    Some(response)
}

const fn tampering(fault: Option<FaultKind>) -> Tampering {
    let none = Tampering { skew: 0, wrong_secret: false, expired: false };
    match fault {
        Some(FaultKind::Skew { seconds }) => Tampering { skew: seconds.saturating_mul(1000), ..none },
        Some(FaultKind::WrongSecret) => Tampering { wrong_secret: true, ..none },
        Some(FaultKind::Expired) => Tampering { expired: true, ..none },
        _ => none,
    }
}

/// What a fault does to an answer.
async fn finish(response: Response, fault: Option<FaultKind>, connection: &Connection) -> Response {
    match fault {
        Some(FaultKind::Dropped) => {
            connection.cut();
            response
        }
        Some(FaultKind::HalfSent) => {
            let (mut head, body) = response.into_parts();
            let mut bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
            head.headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len().max(1)));
            bytes.truncate(bytes.len() / 2);
            Response::from_parts(head, Body::new(Half::First(bytes)))
        }
        Some(FaultKind::MalformedJson) => {
            let (mut head, body) = response.into_parts();
            let mut bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
            bytes.truncate(bytes.len() / 2);
            head.headers.remove(CONTENT_LENGTH);
            let bytes = if bytes.is_empty() { Bytes::from_static(b"{") } else { bytes };
            Response::from_parts(head, Body::from(bytes))
        }
        _ => response,
    }
}

/// Writes down what became of the request.
fn judge<P: Provide>(received: &mut Received, head: &Parts, response: &Response) {
    received.status = response.status().as_u16();
    let extensions = response.extensions();
    if let Some(kind) = extensions.get::<VerifyErrorKind>() {
        received.outcome = Outcome::Refused(*kind);
        let scheme = P::scheme();
        let (cause, base) = explain::refusal(*kind, scheme.as_deref(), head, &received.body);
        received.cause = Some(cause);
        received.base = base;
    } else if let Some(Denied(cause)) = extensions.get::<Denied>() {
        received.outcome = Outcome::Denied;
        received.cause = Some(cause.clone());
    } else if let Some(Reached(verified)) = extensions.get::<Reached>() {
        received.outcome = if verified.is_some() { Outcome::Accepted } else { Outcome::Open };
        received.key_id = verified.as_ref().map(|verified| verified.key_id().to_string());
    } else if received.fault.is_some() {
        received.outcome = Outcome::Faulted;
    } else {
        received.outcome = Outcome::NoRoute;
        received.cause = Some(explain::no_route::<P>(received));
    }
}

/// Receives a body, and says whether it broke off.
async fn receive(mut body: Body) -> (Bytes, bool) {
    let mut whole = Vec::new();
    loop {
        match poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            None => return (whole.into(), false),
            Some(Err(_)) => return (whole.into(), true),
            Some(Ok(frame)) => whole.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data)),
        }
        if whole.len() > BODY_LIMIT {
            return (whole.into(), false);
        }
    }
}

/// A body as it was received.
struct Whole {
    bytes: Bytes,
    broken: bool,
}

impl http_body::Body for Whole {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let bytes = mem::take(&mut self.bytes);
        if !bytes.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        Poll::Ready(mem::take(&mut self.broken).then(|| Err(ErrorKind::UnexpectedEof.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty() && !self.broken
    }
}

/// The first half of a body, and then the end of the connection. Between them the server has time to send.
enum Half {
    First(Bytes),
    Pause,
    End,
}

impl http_body::Body for Half {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match mem::replace(&mut *self, Self::End) {
            Self::First(bytes) => {
                *self = Self::Pause;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Self::Pause => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Self::End => Poll::Ready(Some(Err(ErrorKind::ConnectionReset.into()))),
        }
    }
}

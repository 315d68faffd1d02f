//! What the endpoints answer. The token endpoint's statuses are those of RFC 6749 §5.2, and stand here alone.

use crate::outcome::Outcome;
use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE},
};
use http_body::{Body, Frame, SizeHint};
use serde_json::{Value, json};
use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

/// The body of an answer: bytes that are there at once.
#[derive(Debug, Default)]
pub struct Reply(Option<Bytes>);

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

/// Why a client gets no token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Refusal {
    /// There are no credentials.
    Missing,
    /// The credentials are no client's.
    Client,
    /// The same, once too often; in so many seconds it counts anew.
    TooMany(u64),
    /// The request is not well-formed.
    Request(&'static str),
    /// The body has a content encoding.
    Encoding,
    /// A scope was asked for, and there are none.
    Scope,
    /// Another grant than client credentials.
    GrantType,
    /// Another method than POST.
    Method,
    /// The body is too long.
    TooLarge,
    /// The body stopped arriving.
    Timeout,
    /// The store could not be asked, or there is no key to sign with.
    Unavailable,
    /// A defect on our side.
    Internal,
}

impl Refusal {
    const fn status(self) -> StatusCode {
        match self {
            Self::Missing | Self::Client => StatusCode::UNAUTHORIZED,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Request(_) | Self::Encoding | Self::Scope | Self::GrantType => StatusCode::BAD_REQUEST,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Timeout => StatusCode::REQUEST_TIMEOUT,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The error code and its description. The last two codes are those of RFC 6749 §4.1.2.1, which §5.2 lacks.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Missing | Self::Client => ("invalid_client", "The client could not be authenticated."),
            Self::TooMany(_) => ("invalid_client", "Too many failures; try again later."),
            Self::Request(what) => ("invalid_request", what),
            Self::Encoding => ("invalid_request", "The body must have no content encoding."),
            Self::Scope => ("invalid_scope", "There are no scopes; leave `scope` out."),
            Self::GrantType => ("unsupported_grant_type", "The only grant is `client_credentials`."),
            Self::Method => ("invalid_request", "A token is asked for by POST."),
            Self::TooLarge => ("invalid_request", "The body is too long."),
            Self::Timeout => ("invalid_request", "The body stopped arriving."),
            Self::Unavailable => ("temporarily_unavailable", "No token can be issued now; try again later."),
            Self::Internal => ("server_error", "The server failed to issue a token."),
        }
    }

    /// What became of the request, in the words of all others. Of a client that is none, more is known where it was
    /// looked for.
    pub(super) const fn outcome(self) -> Outcome {
        match self {
            Self::Missing => Outcome::Missing,
            Self::Client | Self::Request(_) | Self::Scope | Self::GrantType | Self::Method => {
                Outcome::Malformed
            }
            Self::Encoding => Outcome::UnsupportedEncoding,
            Self::TooMany(_) => Outcome::UnknownKey,
            Self::TooLarge => Outcome::BodyTooLarge,
            Self::Timeout => Outcome::Timeout,
            Self::Unavailable => Outcome::StoreUnavailable,
            Self::Internal => Outcome::Internal,
        }
    }

    /// The error code of RFC 6749.
    pub(super) const fn code(self) -> &'static str {
        self.words().0
    }

    pub(super) fn respond(self) -> Response<Reply> {
        let (error, error_description) = self.words();
        let body = json!({ "error": error, "error_description": error_description });
        let mut response = private(self.status(), &body.to_string());
        let headers = response.headers_mut();
        match self {
            Self::Missing | Self::Client => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"token\""));
            }
            Self::TooMany(seconds) => {
                headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
            }
            Self::Unavailable => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Self::Method => {
                headers.insert(ALLOW, HeaderValue::from_static("POST"));
            }
            _ => {}
        }
        response
    }
}

/// JSON that nobody may keep (RFC 6749 §5.1).
pub(super) fn private(status: StatusCode, body: &str) -> Response<Reply> {
    let mut response = Response::new(Reply(Some(Bytes::copy_from_slice(body.as_bytes()))));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

/// A document for everybody, who may keep it for a minute.
pub(super) fn public(content_type: &'static str, body: &Value) -> Response<Reply> {
    let mut response = Response::new(Reply(Some(Bytes::from(body.to_string()))));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=60"));
    response
}

/// The answer to a method that a document does not have.
pub(super) fn read_only() -> Response<Reply> {
    let mut response = Response::new(Reply::default());
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

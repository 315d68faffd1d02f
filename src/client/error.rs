//! Why a request did not get an answer.

use crate::error::SignError;
use http::StatusCode;
use std::{error::Error, fmt, sync::Arc};

/// A request was not sent, or got no answer.
///
/// Holds neither secret, token nor signature, and no URL, which may hold one. A clone is cheap.
#[derive(Clone, Debug)]
pub struct ClientError {
    kind: ClientErrorKind,
    detail: &'static str,
    status: Option<StatusCode>,
    code: Option<Arc<str>>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// The category of a [`ClientError`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ClientErrorKind {
    /// The request cannot be signed; it was not sent.
    Sign,
    /// The token endpoint's answer holds no token that could be used.
    TokenMalformed,
    /// The token endpoint refuses the client (RFC 6749 §5.2): asking again changes nothing.
    TokenRefused,
    /// The token endpoint could not be reached, is overloaded or fails: later it may answer.
    TokenUnavailable,
    /// The request could not be built or sent, or its answer not be received.
    Transport,
}

impl ClientError {
    pub(super) const fn new(kind: ClientErrorKind, detail: &'static str) -> Self {
        Self { kind, detail, status: None, code: None, source: None }
    }

    /// Keeps what `reqwest` says, without the URL.
    pub(super) fn with_cause(kind: ClientErrorKind, detail: &'static str, cause: reqwest::Error) -> Self {
        Self { source: Some(Arc::new(cause.without_url())), ..Self::new(kind, detail) }
    }

    pub(super) fn transport(cause: reqwest::Error) -> Self {
        Self::with_cause(ClientErrorKind::Transport, "the request got no answer", cause)
    }

    pub(super) fn with_status(self, status: StatusCode, code: Option<Arc<str>>) -> Self {
        Self { status: Some(status), code, ..self }
    }

    /// The category.
    #[must_use]
    pub const fn kind(&self) -> ClientErrorKind {
        self.kind
    }

    /// The status of the token endpoint's answer, if it answered.
    #[must_use]
    pub const fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// The error code in the token endpoint's answer, `invalid_client` for example (RFC 6749 §5.2).
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }
}

impl From<SignError> for ClientError {
    fn from(error: SignError) -> Self {
        let kept = Self::new(ClientErrorKind::Sign, "the request was not sent");
        Self { source: Some(Arc::new(error)), ..kept }
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.detail)?;
        if let Some(status) = self.status {
            write!(f, ": {}", status.as_u16())?;
        }
        self.code.as_ref().map_or(Ok(()), |code| write!(f, " {code}"))
    }
}

impl Error for ClientError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

//! A request that a mock received, and what became of it.

use super::{FaultKind, provider::Operation};
use crate::{error::VerifyErrorKind, redact};
use axum::body::Bytes;
use http::{
    HeaderMap, Method, Uri, Version,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
    request::Parts,
};
use serde_json::Value;
use std::{borrow::Cow, fmt, sync::Arc, time::SystemTime};

/// A request that a mock received, and what became of it.
pub struct Received {
    pub(super) method: Method,
    uri: Uri,
    version: Version,
    headers: HeaderMap,
    pub(super) body: Bytes,
    operations: Arc<[Operation]>,
    at: SystemTime,
    pub(super) client: Option<(String, Option<String>)>,
    pub(super) key_id: Option<String>,
    pub(super) outcome: Outcome,
    pub(super) cause: Option<String>,
    pub(super) base: Option<String>,
    pub(super) fault: Option<FaultKind>,
    pub(super) status: u16,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// It was verified, and answered.
    Accepted,
    /// A route that authenticates by itself, like a token endpoint, refused it.
    Denied,
    /// A fault answered before it was verified.
    Faulted,
    /// The provider has no such route.
    NoRoute,
    /// It went to a route that needs no credentials.
    Open,
    /// Verification refused it.
    Refused(VerifyErrorKind),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accepted => "accepted",
            Self::Denied => "denied",
            Self::Faulted => "fault",
            Self::NoRoute => "no_route",
            Self::Open => "open",
            Self::Refused(kind) => kind.outcome().as_str(),
        })
    }
}

/// On an answer: a route that authenticates by itself refused, for this reason.
#[derive(Clone, Debug)]
pub(super) struct Denied(pub(super) String);

impl Received {
    pub(super) fn new(head: &Parts, body: Bytes, operations: Arc<[Operation]>, at: SystemTime) -> Self {
        Self {
            method: head.method.clone(),
            uri: head.uri.clone(),
            version: head.version,
            headers: head.headers.clone(),
            body,
            operations,
            at,
            client: None,
            key_id: None,
            outcome: Outcome::Open,
            cause: None,
            base: None,
            fault: None,
            status: 0,
        }
    }

    /// The method.
    #[must_use]
    pub const fn method(&self) -> &Method {
        &self.method
    }

    /// Path and query, as they stood in the request line.
    #[must_use]
    pub fn target(&self) -> &str {
        self.uri.path_and_query().map_or("/", |target| target.as_str())
    }

    /// The path, as it may be logged: without the signature at its end, where Corezoid's stands.
    #[must_use]
    pub fn path(&self) -> Cow<'_, str> {
        redact::path(&self.uri)
    }

    /// The headers.
    #[must_use]
    pub const fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The first value of a header, if it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body, byte for byte.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body as text; what is not UTF-8 is replaced.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The body as JSON, if it is such.
    #[must_use]
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// What was asked for, in the order of the request: each operation by its most telling name.
    #[must_use]
    pub fn operations(&self) -> Vec<&str> {
        self.operations.iter().filter_map(|operation| operation.0.first()).map(String::as_str).collect()
    }

    /// Whether an operation of this name, or of which this is one of the names, was asked for.
    #[must_use]
    pub fn asks_for(&self, operation: &str) -> bool {
        self.operations.iter().any(|asked| asked.is(operation))
    }

    /// When it arrived, by the mock's clock.
    #[must_use]
    pub const fn at(&self) -> SystemTime {
        self.at
    }

    /// The name that the client gives itself, and its version: Ateliere's `oz-client-name` and `oz-client-version`,
    /// elsewhere the first product of `User-Agent`.
    #[must_use]
    pub fn client(&self) -> Option<(&str, Option<&str>)> {
        self.client.as_ref().map(|(name, version)| (name.as_str(), version.as_deref()))
    }

    /// The key id that it was verified with.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// What became of it.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Why it was refused, and what to do about it.
    #[must_use]
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// The text that the client should have signed, with `{SECRET}` in the secret's place; for a signature that did not
    /// match.
    #[must_use]
    pub fn signature_base(&self) -> Option<&str> {
        self.base.as_deref()
    }

    /// The fault that it met.
    #[must_use]
    pub const fn fault(&self) -> Option<FaultKind> {
        self.fault
    }

    /// The status that it was answered, whether or not the answer got through.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The request as HTTP/1.1 writes it, which `countersign verify --request` reads. The body stands there in one
    /// piece, however it travelled.
    ///
    /// # Security
    ///
    /// Signatures and tokens are in it, as they came.
    #[must_use]
    pub fn to_http(&self) -> Vec<u8> {
        let version = if self.version == Version::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" };
        let mut text = format!("{} {} {version}\r\n", self.method, self.target()).into_bytes();
        for (name, value) in &self.headers {
            if name != TRANSFER_ENCODING && name != CONTENT_LENGTH {
                text.extend_from_slice(name.as_str().as_bytes());
                text.extend_from_slice(b": ");
                text.extend_from_slice(value.as_bytes());
                text.extend_from_slice(b"\r\n");
            }
        }
        text.extend_from_slice(format!("content-length: {}\r\n\r\n", self.body.len()).as_bytes());
        text.extend_from_slice(&self.body);
        text
    }
}

/// One line: `POST /graphql [Titles] 200 accepted`, and behind it why it was refused.
impl fmt::Display for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path())?;
        let operations = self.operations();
        if !operations.is_empty() {
            write!(f, " [{}]", operations.join(", "))?;
        }
        write!(f, " {} {}", self.status, self.outcome)?;
        if let Some(fault) = self.fault {
            write!(f, " (fault: {fault})")?;
        }
        self.cause.as_ref().map_or(Ok(()), |cause| write!(f, ": {cause}"))
    }
}

impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Received({self})")
    }
}

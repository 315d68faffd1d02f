//! What a mock sends to the client under test: signed requests, by plain HTTP.

use super::keys::MockClock;
use crate::{error::SignError, scheme::Scheme, secret::Secret, sign::Signer};
use axum::body::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, header::CONTENT_TYPE};
use serde_json::Value;
use std::{error::Error, fmt, time::Duration};

/// How long a client under test may take to answer: as long as Corezoid waits.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request that is about to be sent.
#[derive(Debug)]
pub(super) struct Outgoing(Request<Vec<u8>>);

/// The answer of the client under test.
#[derive(Debug)]
pub struct Sent {
    status: StatusCode,
    body: Bytes,
}

/// A request of the mock did not reach the client under test.
#[derive(Debug)]
pub struct SendError {
    message: &'static str,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Sent {
    /// The status of the answer.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The body of the answer.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body as JSON, if it is such.
    #[must_use]
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

impl SendError {
    fn new(message: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { message, source: Some(source.into()) }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)
    }
}

impl Error for SendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<SignError> for SendError {
    fn from(error: SignError) -> Self {
        Self::new("the request cannot be signed", error)
    }
}

impl Outgoing {
    /// A request with a JSON body, or with none.
    pub(super) fn new(method: &str, url: &str, body: Vec<u8>) -> Result<Self, SendError> {
        let wrong = |error| SendError::new("this is no URL that a request can be sent to", error);
        let method = method.parse::<Method>().map_err(|error| SendError::new("this is no method", error))?;
        let mut request = Request::builder().method(method).uri(url).body(body).map_err(wrong)?;
        if !request.body().is_empty() {
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Ok(Self(request))
    }

    /// Sets a header; what cannot be one is left out.
    pub(super) fn set_header(&mut self, name: &str, value: &str) {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::try_from(value)) {
            self.0.headers_mut().insert(name, value);
        }
    }

    /// The request, signed with a key.
    pub(super) fn signed(
        mut self,
        scheme: impl Scheme,
        key_id: &str,
        secret: &str,
        clock: MockClock,
    ) -> Result<Self, SendError> {
        let secret = Secret::new(secret).map_err(|error| SendError::new("this is no secret", error))?;
        Signer::new(scheme, key_id, &secret).with_clock(clock).sign(&mut self.0)?;
        Ok(self)
    }

    /// Sends the request, and waits for the answer.
    pub(super) async fn send(self) -> Result<Sent, SendError> {
        let failed = |error: reqwest::Error| {
            SendError::new("the client under test does not answer", error.without_url())
        };
        let request = reqwest::Request::try_from(self.0).map_err(failed)?;
        let response = client()?.execute(request).await.map_err(failed)?;
        let status = response.status();
        Ok(Sent { status, body: response.bytes().await.map_err(failed)? })
    }
}

/// Goes straight to where it is sent: no proxy, and no redirection, which a signature would not survive.
fn client() -> Result<reqwest::Client, SendError> {
    let client =
        reqwest::Client::builder().no_proxy().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none());
    client.build().map_err(|error| SendError::new("there is no HTTP client", error))
}

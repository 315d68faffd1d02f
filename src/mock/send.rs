//! Requests that a mock sends: webhooks and callbacks to the client under test.

use super::{MockProvider, Provider};
use crate::{secret::Secret, sign::Signer};
use axum::body::Bytes;
use http::{Method, Request, Response, header::CONTENT_TYPE};
use serde_json::Value;
use std::{error::Error, fmt, time::Duration};

/// How long the client under test may take to answer. Corezoid waits as long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request could not be made, signed or sent, or was not answered. The cause is its [`source`](Error::source).
#[derive(Debug)]
pub struct SendError(Box<dyn Error + Send + Sync>);

impl SendError {
    pub(super) fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request of the mock got no answer")
    }
}

impl Error for SendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

impl<P: Provider> MockProvider<P> {
    /// Sends a request as it is, to a server over plain HTTP, through no proxy and along no redirect.
    ///
    /// # Errors
    ///
    /// [`SendError`] if there is no answer. An answer of any status is one.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, SendError> {
        send(request).await
    }
}

/// A request with a JSON body for a provider to send.
pub(super) fn json(method: Method, url: &str, body: &Value) -> Result<Request<Bytes>, SendError> {
    let request = Request::builder().method(method).uri(url).header(CONTENT_TYPE, "application/json");
    request.body(body.to_string().into()).map_err(SendError::new)
}

/// Signs a request with a secret, by what makes a signer of it.
pub(super) fn sign(
    request: &mut Request<Bytes>,
    secret: &str,
    signer: impl FnOnce(&Secret) -> Signer,
) -> Result<(), SendError> {
    let secret = Secret::new(secret).map_err(SendError::new)?;
    signer(&secret).sign(request).map(drop).map_err(SendError::new)
}

/// Sends a request for a provider.
pub(super) async fn send(request: Request<Bytes>) -> Result<Response<Bytes>, SendError> {
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    let client = client.timeout(PATIENCE).build().map_err(SendError::new)?;
    let answer = client.execute(request.try_into().map_err(SendError::new)?).await.map_err(SendError::new)?;
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = answer.status();
    response.headers_mut().clone_from(answer.headers());
    *response.body_mut() = answer.bytes().await.map_err(SendError::new)?;
    Ok(response)
}

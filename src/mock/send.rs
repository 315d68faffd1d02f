//! Requests that a mock sends: webhooks and callbacks to the client under test.

use super::{MockProvider, Provider};
use axum::body::Bytes;
use http::{Request, Response};
use std::{error::Error, fmt, time::Duration};

/// How long the client under test may take to answer. Corezoid waits as long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request could not be sent, or was not answered. The cause is its [`source`](Error::source).
#[derive(Debug)]
pub struct SendError(reqwest::Error);

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request of the mock got no answer")
    }
}

impl Error for SendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
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

/// Sends a request for a provider.
pub(super) async fn send(request: Request<Bytes>) -> Result<Response<Bytes>, SendError> {
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    let client = client.timeout(PATIENCE).build().map_err(SendError)?;
    let answer = client.execute(request.try_into().map_err(SendError)?).await.map_err(SendError)?;
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = answer.status();
    response.headers_mut().clone_from(answer.headers());
    *response.body_mut() = answer.bytes().await.map_err(SendError)?;
    Ok(response)
}

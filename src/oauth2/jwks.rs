//! The public keys, for whoever verifies tokens elsewhere.

use super::answer::{self, Refusal, Reply};
use crate::{
    clock::{Clock, SystemClock},
    jwt::{KeySet, PublicKey},
    store::{Found, KeyStore, Lookup, Record},
};
use http::{Method, Request, Response};
use std::{
    convert::Infallible,
    error::Error,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tower_service::Service;

/// The service behind `GET /.well-known/jwks.json`: every key that may have signed a token still in force, and those
/// that will sign soon, as a JSON Web Key Set (RFC 7517 §5).
#[derive(Clone)]
pub struct JwksEndpoint {
    keys: Arc<dyn KeyStore>,
    clock: Arc<dyn Clock>,
}

impl JwksEndpoint {
    /// Makes an endpoint with the system's clock.
    #[must_use]
    pub fn new(keys: impl KeyStore) -> Self {
        Self { keys: Arc::new(keys), clock: Arc::new(SystemClock) }
    }

    /// Takes time from another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    async fn document(self) -> Result<serde_json::Value, Box<dyn Error + Send + Sync>> {
        let record = match self.keys.find(Lookup::TokenKeys) {
            Found::Ready(record) => record,
            Found::Pending(record) => tokio::time::timeout(Duration::from_secs(10), record).await??,
        };
        let now = self.clock.now();
        let keys = match &record {
            Some(Record::TokenKeys(keys)) => &keys.keys[..],
            _ => &[],
        };
        let live = keys.iter().filter(|key| key.is_live(now)).map(PublicKey::try_from);
        Ok(KeySet::new(live.collect::<Result<Vec<_>, _>>()?).jwks()?)
    }
}

impl fmt::Debug for JwksEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JwksEndpoint(..)")
    }
}

impl<B> Service<Request<B>> for JwksEndpoint {
    type Response = Response<Reply>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Reply>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let endpoint = self.clone();
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        Box::pin(async move {
            if !reads {
                return Ok(answer::read_only());
            }
            Ok(match endpoint.document().await {
                Ok(document) => answer::public("application/jwk-set+json", &document),
                Err(error) => {
                    tracing::error!(%error, "the public keys cannot be shown");
                    Refusal::Unavailable.respond()
                }
            })
        })
    }
}

//! Explanations in responses, for development: whoever is refused is told why.

use super::{Inspector, Shared, locked};
use crate::{metrics, middleware::REQUEST_ID, outcome::Outcome};
use http::{HeaderName, HeaderValue, Request, Response};
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tower_layer::Layer;
use tower_service::Service;

/// The header of a response that holds an explanation.
pub static EXPLANATION: HeaderName = HeaderName::from_static("x-countersign-explanation");
/// How long a response waits for its explanation.
const PATIENCE: Duration = Duration::from_secs(5);
/// What many clients take of a head, less some room for the rest of it.
const LONGEST: usize = 4 << 10;

/// Layer around the layers of an [`Inspector`], that lets refusals wait for their explanation and adds it, as the header
/// `x-countersign-explanation`: `{"outcome","certain","causes":[{"hypothesis","found","change"}],"help"}`, in ASCII and
/// at most 4 KiB. Without this layer, nothing that is found out gets into any response.
///
/// # Security
///
/// For development only, on a listener that strangers cannot reach: it tells them which keys there are, and what is wrong
/// with what they try. It warns when it is made, and sets the metric `countersign.explaining.responses`.
#[derive(Clone, Debug)]
#[must_use]
pub struct DevelopmentLayer(Inspector);

impl DevelopmentLayer {
    /// Has every refusal explained, and all of it told.
    pub fn new(inspector: &Inspector) -> Self {
        tracing::warn!("every refusal tells its caller why: for development only");
        metrics::explaining_responses();
        Self(inspector.clone())
    }
}

impl<S> Layer<S> for DevelopmentLayer {
    type Service = TellWhy<S>;

    fn layer(&self, inner: S) -> Self::Service {
        TellWhy { inner, inspector: self.0.clone() }
    }
}

/// Service of [`DevelopmentLayer`].
#[derive(Clone, Debug)]
pub struct TellWhy<S> {
    inner: S,
    inspector: Inspector,
}

impl<S, B, R> Service<Request<B>> for TellWhy<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    R: Send,
    S::Error: Send,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (answer, inspector) = (self.inner.call(request), self.inspector.clone());
        Box::pin(async move {
            let mut response = answer.await?;
            let id = response.headers().get(&REQUEST_ID).and_then(|id| id.to_str().ok()).map(str::to_owned);
            let refused = response.extensions().get::<Outcome>().is_some_and(|outcome| !outcome.is_ok());
            if let (true, Some(id)) = (refused, id) {
                let told = tokio::time::timeout(PATIENCE, inspector.found(&id)).await;
                if let Some(value) = told.ok().flatten().and_then(|document| header(&document)) {
                    response.headers_mut().insert(&EXPLANATION, value);
                }
            }
            Ok(response)
        })
    }
}

/// What of an explanation fits into a header.
fn header(document: &str) -> Option<HeaderValue> {
    let document: serde_json::Value = serde_json::from_str(document).ok()?;
    let all = ["causes", "noticed", "guesses"].into_iter().find_map(|name| {
        let causes = document[name].as_array()?;
        (!causes.is_empty()).then(|| causes.clone())
    });
    let mut causes = all.unwrap_or_default();
    loop {
        let short = serde_json::json!({
            "outcome": document["outcome"],
            "certain": document["certain"],
            "causes": causes,
            "help": document["help"],
        });
        let text = ascii(&short.to_string());
        if text.len() <= LONGEST {
            return HeaderValue::from_str(&text).ok();
        }
        causes.pop()?;
    }
}

/// JSON with what is not ASCII escaped, as a header has to be.
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for char in json.chars() {
        if char.is_ascii() {
            text.push(char);
        } else {
            for unit in char.encode_utf16(&mut [0; 2]) {
                text += &format!("\\u{unit:04x}");
            }
        }
    }
    text
}

/// A refusal that is being explained, until this is dropped.
pub(super) struct Open {
    pub(super) shared: Arc<Shared>,
    request_id: String,
}

impl Open {
    pub(super) fn new(shared: &Arc<Shared>, request_id: &str) -> Self {
        locked(&shared.open).insert(request_id.to_owned());
        Self { shared: Arc::clone(shared), request_id: request_id.to_owned() }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        locked(&self.shared.open).remove(&self.request_id);
        self.shared.done.notify_waiters();
    }
}

//! What becomes of a request for a token that is refused: one event for the operator, one answer for the client.

use super::{
    answer::{Refusal, Reply},
    token::{SCHEME, Shared},
};
use crate::{
    credential::OAuthClient,
    middleware::{Chain, Notice, REQUEST_ID, Refused, RequestId, named_by_client, tell},
    outcome::Outcome,
};
use bytes::Bytes;
use http::{Response, request::Parts};
use std::{error::Error, sync::Arc};

/// Why there is no token: what the client is told, and what only the operator is.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) refusal: Refusal,
    pub(super) outcome: Outcome,
    /// The client, if there is one of the name that was presented. No other name is told: it may be a secret.
    pub(super) client: Option<Arc<OAuthClient>>,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, outcome: refusal.outcome(), client: None, cause: None }
    }
}

impl Failed {
    /// A client that is none, or not in force.
    pub(super) const fn client(refusal: Refusal, outcome: Outcome, client: Option<Arc<OAuthClient>>) -> Self {
        Self { refusal, outcome, client, cause: None }
    }

    /// The store cannot be asked, or has no key.
    pub(super) fn unavailable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { cause: Some(cause.into()), ..Refusal::Unavailable.into() }
    }

    /// A defect on our side.
    pub(super) fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { cause: Some(cause.into()), ..Refusal::Internal.into() }
    }
}

impl Shared {
    /// Tells the operator why, and makes the answer.
    pub(super) fn refuse(&self, failed: &Failed, head: &Parts, body: &[u8]) -> Response<Reply> {
        let named = head.extensions.get().cloned();
        let request_id: RequestId = named.unwrap_or_else(|| self.request_ids.next());
        self.tell_refused(failed, head, &request_id);
        if !self.witnesses.is_empty() {
            let client = failed.client.as_ref();
            let notice = Notice {
                request_id: request_id.clone(),
                outcome: failed.outcome,
                scheme: Some(SCHEME),
                key_id: client.map(|client| client.client_id.clone()),
                debugged: client.is_some_and(|client| client.is_debugged(self.clock.now())),
            };
            let body = || vec![Bytes::copy_from_slice(body)];
            tell(&self.witnesses, &notice, Some(head), || {
                Some(Refused::new(&notice, head, &head.uri, body()))
            });
        }
        let mut response = failed.refusal.respond();
        if let Some(id) = request_id.header_value() {
            response.headers_mut().insert(&REQUEST_ID, id);
        }
        response.extensions_mut().insert(failed.outcome);
        response
    }

    fn tell_refused(&self, failed: &Failed, head: &Parts, request_id: &RequestId) {
        let Failed { refusal, outcome, client, cause } = failed;
        let (outcome, error) = (outcome.as_str(), refusal.code());
        let client_id = client.as_ref().map(|client| client.client_id.as_str());
        let (peer, limited) = ((self.peer)(head), matches!(refusal, Refusal::TooMany(_)));
        let (request_id, client_request_id) = (request_id.as_str(), named_by_client(&head.headers));
        let cause = cause.as_ref().map(|cause| Chain(&**cause));
        let cause = cause.as_ref().map(tracing::field::display);
        macro_rules! tell {
            ($level:ident) => {
                tracing::$level!(
                    outcome, oauth.error = error, scheme = SCHEME, client_id, peer = ?peer, limited, request_id,
                    client_request_id, cause, "token refused"
                )
            };
        }
        match refusal {
            Refusal::Unavailable | Refusal::Internal => tell!(error),
            _ => tell!(info),
        }
    }
}

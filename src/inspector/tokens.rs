//! Tokens and requests for them: whose they are, and why they were refused.

use crate::{
    credential::{OAuthClient, SecretHash, TokenKey},
    explain::{Explanation, Report, explain_client, explain_token, named_by_token, presented_clients},
    jwt::Profile,
    middleware::Refused,
    outcome::Outcome,
    store::{Found, KeyStore, Lookup, Record},
};
use http::{header::AUTHORIZATION, request::Parts};
use std::{sync::Arc, time::SystemTime};

/// What bearer tokens and requests for them are called.
const BEARER: &str = "ayyeka";
const REQUEST: &str = "client-credentials";

/// How tokens are verified here.
#[derive(Clone, Debug)]
pub(super) struct Tokens {
    pub(super) keys: Arc<dyn KeyStore>,
    pub(super) profile: Profile,
}

impl Tokens {
    /// Whether a refused request may be one of these: not signed, and perhaps with a token.
    pub(super) fn may_be_of(scheme: Option<&'static str>, head: &Parts) -> bool {
        match scheme {
            Some(BEARER | REQUEST) => true,
            // A token behind another word, or behind none, is none to any scheme.
            None => head.headers.contains_key(AUTHORIZATION) && named_by_token(head).is_some(),
            Some(_) => false,
        }
    }

    /// Whether an operator wants to know why requests of a client are refused that this one names: in the place of the
    /// client's id, or in a token that nobody has to have signed.
    pub(super) async fn is_debugged(&self, refused: &Refused, now: SystemTime) -> bool {
        for name in named(refused) {
            if self.client(&name).await.is_some_and(|client| client.is_debugged(now)) {
                return true;
            }
        }
        false
    }

    /// What is told of it.
    pub(super) async fn report(&self, refused: &Refused, now: SystemTime) -> Report {
        if refused.scheme == Some(REQUEST) {
            self.of_request(refused, now).await
        } else {
            self.of_token(refused, now).await
        }
    }

    async fn of_request(&self, refused: &Refused, now: SystemTime) -> Report {
        let body = refused.body.concat();
        let mut known = Vec::new();
        for name in named(refused) {
            if let Some(client) = self.client(&name).await {
                known.push((name, hashes(&client, now)));
            }
        }
        let explanation = match refused.outcome {
            Outcome::BodyTooLarge | Outcome::Timeout => Explanation::default(),
            _ => explain_client(&refused.head, &body, &known),
        };
        Report::new(refused.outcome, REQUEST, known.first().map(|client| &*client.0), explanation)
    }

    async fn of_token(&self, refused: &Refused, now: SystemTime) -> Report {
        let keys: Vec<TokenKey> = match found(self.keys.find(Lookup::TokenKeys)).await {
            Some(Record::TokenKeys(keys)) => keys.keys.to_vec(),
            _ => Vec::new(),
        };
        let mut explanation = explain_token(&refused.head, &keys, &self.profile, now);
        if refused.scheme.is_some() {
            // The server takes tokens behind any word.
            explanation.forget("scheme_word");
        }
        let client = match named_by_token(&refused.head) {
            Some(name) => self.client(&name).await,
            None => None,
        };
        let key_id = client.as_ref().map(|client| client.client_id.as_str());
        Report::new(refused.outcome, BEARER, key_id, explanation)
    }

    async fn client(&self, client_id: &str) -> Option<Arc<OAuthClient>> {
        match found(self.keys.find(Lookup::Client { client_id })).await {
            Some(Record::Client(client)) => Some(client),
            _ => None,
        }
    }
}

/// The clients that a request may name.
fn named(refused: &Refused) -> Vec<String> {
    match refused.scheme {
        Some(REQUEST) => presented_clients(&refused.head, &refused.body.concat()),
        _ => named_by_token(&refused.head).into_iter().collect(),
    }
}

fn hashes(client: &OAuthClient, now: SystemTime) -> Vec<SecretHash> {
    client.secrets.iter().filter(|secret| secret.is_live(now)).map(|secret| secret.hash).collect()
}

/// A store that cannot be asked says nothing.
pub(super) async fn found(found: Found) -> Option<Record> {
    match found {
        Found::Ready(record) => record,
        Found::Pending(record) => record.await.ok().flatten(),
    }
}

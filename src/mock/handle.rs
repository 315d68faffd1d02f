//! The handle of a mock that runs: where it is, what it received, and what it shall do.

use super::{
    Fault, MockCredential, Provider, Received, Stub,
    provider::{Kit, lock},
    server::Server,
};
use serde_json::Value;
use std::{fmt, sync::Arc, thread, time::Duration};

/// A mock of a provider that runs until it is dropped; see the [module](super).
///
/// Each provider has a constructor, which gives a [`MockBuilder`](super::MockBuilder).
pub struct MockProvider<P: Provider> {
    provider: Arc<P>,
    kit: Kit,
    server: Option<Server>,
}

impl<P: Provider> MockProvider<P> {
    pub(super) const fn new(provider: Arc<P>, kit: Kit, server: Server) -> Self {
        Self { provider, kit, server: Some(server) }
    }

    pub(super) const fn provider(&self) -> &Arc<P> {
        &self.provider
    }

    /// Where it listens: `http://127.0.0.1:40123`, without a slash at its end.
    #[must_use]
    pub fn base_url(&self) -> &str {
        self.kit.base_url()
    }

    /// The base URL with the path of the provider's main endpoint.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("{}{}", self.base_url(), P::ENDPOINT)
    }

    /// What a client needs to know beside base URL and credential, each under a name for programs: SalesCloud's read token
    /// and the key of its webhooks, the URL of Corezoid's synchronous API.
    #[must_use]
    pub fn details(&self) -> Vec<(&'static str, String)> {
        self.provider.details()
    }

    /// The credential that the mock made, or the first that it was given.
    ///
    /// # Panics
    ///
    /// Never: there is one.
    #[must_use]
    pub fn credential(&self) -> MockCredential {
        self.kit.credential().unwrap_or_else(|| P::issue(&self.kit.clock()))
    }

    /// All credentials.
    #[must_use]
    pub fn credentials(&self) -> Vec<MockCredential> {
        lock(&self.kit.0.credentials).clone()
    }

    /// Makes another credential.
    #[must_use]
    pub fn add_credential(&self) -> MockCredential {
        let credential = P::issue(&self.kit.clock());
        P::admit(&self.kit.keys(), &credential);
        lock(&self.kit.0.credentials).push(credential.clone());
        credential
    }

    /// Gives the first credential a new secret, which [`credential`](Self::credential) tells. The old one does not work
    /// any more.
    pub fn rotate_secret(&self) {
        let made = P::issue(&self.kit.clock());
        let rotated = self.credential().with_secret_of(made);
        P::admit(&self.kit.keys(), &rotated);
        if let Some(first) = lock(&self.kit.0.credentials).first_mut() {
            *first = rotated;
        }
    }

    /// What it received, in the order in which it answered.
    #[must_use]
    pub fn requests(&self) -> Vec<Arc<Received>> {
        lock(&self.kit.0.log).iter().cloned().collect()
    }

    /// Forgets what it received.
    pub fn clear_requests(&self) {
        lock(&self.kit.0.log).clear();
    }

    /// Takes an operation by one of its names: a GraphQL operation or one of its fields, Corezoid's type and object
    /// (`create task`), a method and route (`GET /v2.0/site`). What is done about it, the [`Stub`] says.
    pub fn stub(&self, operation: impl Into<String>) -> Stub {
        self.kit.0.stubs.add(operation.into())
    }

    /// Removes all stubs and their expectations.
    pub fn clear_stubs(&self) {
        self.kit.0.stubs.clear();
    }

    /// Adds a fault. Faults are drawn in the order in which they were added; the first that meets a request is the one,
    /// and latency comes on top.
    pub fn fault(&self, fault: Fault) {
        lock(&self.kit.0.faults).list.push(fault);
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        lock(&self.kit.0.faults).list.clear();
    }

    /// Moves the mock's clock forward, for good: tokens expire, and signed times become old.
    pub fn advance(&self, by: Duration) {
        self.kit.clock().shift(millis(by));
    }

    /// Moves the mock's clock back, for good.
    pub fn set_back(&self, by: Duration) {
        self.kit.clock().shift(millis(by).saturating_neg());
    }

    /// All that the provider remembers. [`MockBuilder::state`](super::MockBuilder::state) takes it back.
    #[must_use]
    pub fn state(&self) -> Value {
        self.provider.state()
    }

    /// Checks that every expectation is met. A drop checks it too, unless the test has failed already.
    ///
    /// # Panics
    ///
    /// If one is not; the message lists what was received.
    #[track_caller]
    pub fn verify(&self) {
        if let Some(unmet) = self.kit.0.stubs.unmet(&self.requests()) {
            // Said once.
            self.clear_stubs();
            panic!("the mock of {}: {unmet}", P::NAME);
        }
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

impl<P: Provider> Drop for MockProvider<P> {
    fn drop(&mut self) {
        drop(self.server.take());
        if !thread::panicking() {
            self.verify();
        }
    }
}

impl<P: Provider> fmt::Debug for MockProvider<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockProvider")
            .field("provider", &P::NAME)
            .field("base_url", &self.base_url())
            .finish_non_exhaustive()
    }
}

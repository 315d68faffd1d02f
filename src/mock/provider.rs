//! What a provider gives to the frame, and what the frame gives to it.

use super::{
    MockCredential, Received,
    fault::Faults,
    keys::{MockClock, MockKeys},
    relay,
    stub::Stubs,
};
use crate::{middleware::VerifyLayer, scheme::Scheme};
use axum::{Router, middleware};
use http::{HeaderMap, StatusCode, header::USER_AGENT, request::Parts};
use serde_json::Value;
use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// One of the providers that can be mocked. Sealed: the [module](super) says how one is written inside.
pub trait Provider: Provide {}

impl<P: Provide> Provider for P {}

/// What the frame asks a provider for.
pub trait Provide: Send + Sync + Sized + 'static {
    /// Its word on the command line and in logs.
    const NAME: &'static str;
    /// The path of its main endpoint, behind the base URL.
    const ENDPOINT: &'static str;
    /// Whether a request may hold several operations, each answered on its own.
    const PACKAGES: bool;

    /// A provider in its first state.
    fn new(kit: &Kit) -> Self;

    /// A new credential in the provider's form.
    fn issue(clock: &MockClock) -> MockCredential;

    /// Lets a credential in, in place of the one of the same key id.
    fn admit(keys: &MockKeys, credential: &MockCredential);

    /// The scheme that its requests are signed by, to tell why one is refused.
    fn scheme() -> Option<Box<dyn Scheme>> {
        None
    }

    /// The routes, guarded by `kit`.
    fn routes(self: &Arc<Self>, kit: &Kit) -> Router;

    /// What a request asks for, in its order; nothing here is verified yet.
    fn operations(head: &Parts, body: &[u8]) -> Vec<Operation>;

    /// The name and version that a client gives itself: by default the first product of `User-Agent`.
    fn client(headers: &HeaderMap) -> Option<(String, Option<String>)> {
        let product = headers.get(USER_AGENT)?.to_str().ok()?.split_whitespace().next()?;
        Some(match product.split_once('/') {
            Some((name, version)) => (name.to_owned(), Some(version.to_owned())),
            None => (product.to_owned(), None),
        })
    }

    /// The body of an error that has nothing to do with the request: 429, 500, 503.
    fn trouble(status: StatusCode) -> Value;

    /// What a client needs to know beside base URL and credential, each under a name for programs.
    fn details(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// All that the provider remembers.
    fn state(&self) -> Value;

    /// Takes back what [`state`](Self::state) gave.
    fn restore(&self, state: Value) -> Result<(), serde_json::Error>;
}

/// An operation of a request, under all the names that a test may know it by; the first is the most telling.
#[derive(Clone, Debug, Default)]
pub struct Operation(pub Vec<String>);

impl Operation {
    /// An operation that goes by these names.
    pub fn named<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        Self(names.into_iter().map(Into::into).collect())
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.0.iter().any(|own| own == name)
    }
}

/// What the parts of a mock share. Cloning shares it.
#[derive(Clone)]
pub struct Kit(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub(super) base_url: String,
    pub(super) keys: MockKeys,
    pub(super) credentials: Mutex<Vec<MockCredential>>,
    pub(super) log: Mutex<VecDeque<Arc<Received>>>,
    /// How many requests the log holds; all if it is not said.
    pub(super) keep: Option<usize>,
    pub(super) stubs: Stubs,
    pub(super) faults: Mutex<Faults>,
    pub(super) observer: Option<Box<Observer>>,
}

/// Is told of every request.
pub(super) type Observer = dyn Fn(&Arc<Received>) + Send + Sync;

impl Kit {
    /// The URL of the mock, without a slash at its end.
    pub fn base_url(&self) -> &str {
        &self.0.base_url
    }

    /// The mock's keys, for verifiers.
    pub fn keys(&self) -> MockKeys {
        self.0.keys.clone()
    }

    /// The mock's clock, for verifiers and for the times that a provider gives.
    pub fn clock(&self) -> MockClock {
        self.0.keys.clock().clone()
    }

    /// The first credential, with its secret of now.
    pub fn credential(&self) -> Option<MockCredential> {
        lock(&self.0.credentials).first().cloned()
    }

    /// Puts routes behind a layer that verifies.
    pub fn guard<P: Provide>(&self, routes: Router, layer: VerifyLayer) -> Router {
        routes
            .route_layer(middleware::from_fn_with_state(self.clone(), relay::inside::<P>))
            .route_layer(layer)
            .route_layer(middleware::from_fn(relay::tampered))
    }

    /// Leaves routes without verification.
    pub fn open<P: Provide>(&self, routes: Router) -> Router {
        routes
            .route_layer(middleware::from_fn_with_state(self.clone(), relay::inside::<P>))
            .route_layer(middleware::from_fn(relay::tampered_but_in_force))
    }
}

impl fmt::Debug for Kit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kit").field("base_url", &self.0.base_url).finish_non_exhaustive()
    }
}

/// Locks; what a panicking test left behind is still whole.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! What is settled before a mock starts.

use super::{
    Fault, MockCredential, MockProvider, Provider, Received,
    fault::Faults,
    keys::MockKeys,
    provider::{Kit, Observer, Shared},
    relay,
    server::Server,
    stub::Stubs,
};
use axum::{extract::DefaultBodyLimit, middleware};
use serde_json::Value;
use std::{
    error::Error,
    fmt, io,
    marker::PhantomData,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{Arc, Mutex},
};

type Source = Box<dyn Error + Send + Sync>;

/// A mock that has not started yet; made by the constructors of [`MockProvider`].
#[must_use = "a mock serves once it is started"]
pub struct MockBuilder<P> {
    listen: SocketAddr,
    credentials: Vec<MockCredential>,
    faults: Vec<Fault>,
    seed: u64,
    state: Option<Value>,
    keep: Option<usize>,
    observer: Option<Box<Observer>>,
    provider: PhantomData<fn() -> P>,
}

/// A mock could not start.
#[derive(Debug)]
pub struct MockError {
    message: &'static str,
    source: Source,
}

impl fmt::Display for MockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)
    }
}

impl Error for MockError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

impl<P: Provider> MockBuilder<P> {
    pub(super) fn new() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            credentials: Vec::new(),
            faults: Vec::new(),
            seed: 0,
            state: None,
            keep: None,
            observer: None,
            provider: PhantomData,
        }
    }

    /// Listens there instead of on a free port of the loopback interface.
    ///
    /// # Security
    ///
    /// A mock is no fortress: it belongs on the loopback interface, or into the network of a test.
    pub const fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// Takes this credential instead of making one; several times for several.
    pub fn credential(mut self, credential: MockCredential) -> Self {
        self.credentials.push(credential);
        self
    }

    /// Begins with a fault.
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// Draws the faults that come by rate from this seed, instead of 0.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Begins with a state that [`MockProvider::state`] gave.
    pub fn state(mut self, state: Value) -> Self {
        self.state = Some(state);
        self
    }

    /// Keeps only the last so many requests in its log, instead of all.
    pub const fn keep_requests(mut self, requests: usize) -> Self {
        self.keep = Some(requests);
        self
    }

    /// Is told of every request, on the mock's thread, before the answer is sent.
    pub fn observe(mut self, observer: impl Fn(&Arc<Received>) + Send + Sync + 'static) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// Starts the mock.
    ///
    /// # Panics
    ///
    /// If it cannot: see [`try_start`](Self::try_start).
    pub async fn start(self) -> MockProvider<P> {
        self.try_start().unwrap_or_else(|error| panic!("the mock does not start: {error}: {}", error.source))
    }

    /// Starts the mock; it serves when this returns.
    ///
    /// # Errors
    ///
    /// [`MockError`] if the address cannot be listened on, or a credential or the state makes no sense.
    pub fn try_start(self) -> Result<MockProvider<P>, MockError> {
        let cannot = |message| move |error: io::Error| MockError { message, source: error.into() };
        let listener = TcpListener::bind(self.listen).map_err(cannot("the address cannot be listened on"))?;
        let address = listener.local_addr().map_err(cannot("the address cannot be listened on"))?;
        let keys = MockKeys::new();
        let credentials = credentials::<P>(self.credentials, &keys)?;
        let kit = Kit(Arc::new(Shared {
            base_url: format!("http://{address}"),
            keys,
            credentials: Mutex::new(credentials),
            log: Mutex::default(),
            keep: self.keep,
            stubs: Stubs::default(),
            faults: Mutex::new(Faults::new(self.faults, self.seed)),
            observer: self.observer,
        }));
        let provider = Arc::new(P::new(&kit));
        if let Some(state) = self.state {
            let error = |error: serde_json::Error| MockError {
                message: "this is no state of the provider",
                source: error.into(),
            };
            provider.restore(state).map_err(error)?;
        }
        let app = provider
            .routes(&kit)
            .layer(DefaultBodyLimit::disable())
            .layer(middleware::from_fn_with_state(kit.clone(), relay::outside::<P>));
        let server = Server::start(listener, app).map_err(cannot("the mock cannot serve"))?;
        Ok(MockProvider::new(provider, kit, server))
    }
}

/// Lets in the credentials that were given, or a new one.
fn credentials<P: Provider>(
    given: Vec<MockCredential>,
    keys: &MockKeys,
) -> Result<Vec<MockCredential>, MockError> {
    let mut credentials: Vec<_> =
        given.into_iter().map(|given| given.completed_by(P::issue(keys.clock()))).collect();
    if credentials.is_empty() {
        credentials.push(P::issue(keys.clock()));
    }
    for credential in &credentials {
        credential
            .check()
            .map_err(|source| MockError { message: "the credential cannot be used", source })?;
        P::admit(keys, credential);
    }
    Ok(credentials)
}

impl<P> fmt::Debug for MockBuilder<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockBuilder")
            .field("listen", &self.listen)
            .field("credentials", &self.credentials)
            .field("faults", &self.faults)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

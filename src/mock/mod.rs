//! Stand-ins of the providers, for tests: they verify like the real thing, and answer from a state of their own.
//!
//! A client is pointed at [`base_url`](MockProvider::base_url) and given the [`credential`](MockProvider::credential)
//! that the mock made. Its requests pass the same [`VerifyLayer`](crate::VerifyLayer) as in production, over keys in
//! memory: a client whose signatures pass here passes there.
//!
//! ```
//! use countersign::mock::{Fault, MockProvider};
//!
//! # async fn example() {
//! let mock = MockProvider::ateliere().start().await;
//! mock.stub("Titles").reply(serde_json::json!({ "data": { "titles": [] } })).expect(1..=2);
//! mock.fault(Fault::too_many_requests(1).times(1));
//!
//! // … the client under test runs against `mock.endpoint()` with `mock.credential()` …
//!
//! assert_eq!(mock.requests()[0].operations(), ["Titles"]);
//! mock.verify();
//! # }
//! ```
//!
//! Each mock listens on a free port of the loopback interface and serves from a thread of its own, so that a test may
//! block. When it is dropped it checks its expectations, cuts its connections and frees its port.
//!
//! # Security
//!
//! For tests only: a mock shows the secrets it made to whoever asks its handle, and keeps what it received.
//!
//! # How a provider is written
//!
//! A provider is a file or folder beside this one, with a type that implements `Provide` (`provider.rs`):
//!
//! 1. `NAME` is its word on the command line, `ENDPOINT` the path that [`endpoint`](MockProvider::endpoint) appends.
//! 2. `issue` makes a credential in the provider's form, `admit` puts one into the mock's keys.
//! 3. `routes` gives the router. Handlers take the provider as axum state. Guarded routes go through
//!    `kit.guard(routes, VerifyLayer::new(…).with_rejection(…))`, those without verification through
//!    `kit.open(routes)`: both count expectations, answer stubs and let faults act. Verifiers are made over
//!    `kit.keys()` and `kit.clock()`; downloads and callbacks find `kit.base_url()` and `kit.credential()`.
//! 4. `operations` names what a request asks for, each under all names that a test may know it by (`create task`,
//!    `task`). Where one request holds several (`PACKAGES`), a stub answers one of them: the handler asks
//!    `Extension<Stubbed>` for `reply(index)` before it answers the operation at that index itself. Otherwise a stub
//!    answers the whole request, and the handler is not asked.
//! 5. `trouble` is the body of a 429, 500 or 503, in the provider's shape.
//! 6. `details` are what a client needs beside the credential: a token, a second URL.
//! 7. `state` and `restore` are what `--state` keeps: everything that the provider remembers, as JSON.
//!
//! A constructor for [`MockProvider`] (as `MockProvider::ateliere`) and a line in the command line's list make it known.
//! What a provider can do beyond the frame (send a callback, say who called) are methods of `MockProvider<Itself>`, which
//! reach it by `provider()`, and the outside by `send`.

mod ateliere;
mod ayyeka;
mod builder;
mod corezoid;
mod explain;
mod fault;
mod graphql;
mod handle;
mod keys;
mod provider;
mod received;
mod relay;
mod salescloud;
mod send;
mod server;
mod stub;

pub use self::{
    ateliere::{AteliereMock, ClientUsage},
    ayyeka::AyyekaMock,
    builder::{MockBuilder, MockError},
    corezoid::CorezoidMock,
    fault::{Fault, FaultKind, FaultSpecError},
    handle::MockProvider,
    keys::MockCredential,
    provider::Provider,
    received::{Outcome, Received},
    salescloud::SalesCloudMock,
    send::SendError,
    stub::{Stub, Times},
};

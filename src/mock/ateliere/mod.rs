//! Ateliere Connect: GraphQL over POST, single requests and arrays, signed as its document says.
//!
//! The endpoint's path, its schema and its errors are public nowhere. Ours: `POST` on `/graphql`, `/` and
//! `/{organization}/graphql`, the small catalogue of titles in `schema.rs`, and errors as GraphQL servers give them.

mod schema;

use self::schema::{Catalogue, Mutation, Query};
use super::{
    MockBuilder, MockCredential, MockProvider, Outcome,
    graphql::{self, Caller, Endpoint},
    keys::{MockClock, MockKeys},
    provider::{Kit, Operation, Provide},
    stub::Stubbed,
};
use crate::{
    clock::Clock as _,
    middleware::{GraphQlErrors, VerifyLayer},
    scheme::{Ateliere, Scheme},
    signature::Algorithm,
    verify::{SignatureVerifier, Verified},
};
use axum::{
    Extension, Router,
    body::Bytes,
    extract::State,
    routing::{MethodRouter, post},
};
use http::{HeaderMap, StatusCode, request::Parts};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex},
};

/// The mock of Ateliere Connect; see [`MockProvider::ateliere`].
pub struct AteliereMock {
    endpoint: Endpoint<Query, Mutation>,
    catalogue: Arc<Mutex<Catalogue>>,
}

/// How often a client of a name and version called, as Ateliere counts it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClientUsage {
    /// `oz-client-name`; `None` for requests without it.
    pub name: Option<String>,
    /// `oz-client-version`; a name without a version is in one group, the unidentified version.
    pub version: Option<String>,
    /// Requests that were accepted.
    pub requests: u64,
}

impl MockProvider<AteliereMock> {
    /// A mock of Ateliere Connect.
    pub fn ateliere() -> MockBuilder<AteliereMock> {
        MockBuilder::new()
    }

    /// Which clients called, by the name and version that they give themselves, in the order of these.
    #[must_use]
    pub fn usage(&self) -> Vec<ClientUsage> {
        let mut usage = BTreeMap::new();
        for received in self.requests().iter().filter(|received| received.outcome() == Outcome::Accepted) {
            let client =
                received.client().map(|(name, version)| (name.to_owned(), version.map(str::to_owned)));
            *usage.entry(client).or_insert(0) += 1;
        }
        let entry = |(client, requests): (Option<(String, Option<String>)>, u64)| {
            let (name, version) = client.map_or((None, None), |(name, version)| (Some(name), version));
            ClientUsage { name, version, requests }
        };
        usage.into_iter().map(entry).collect()
    }
}

impl fmt::Debug for AteliereMock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AteliereMock(..)")
    }
}

fn scheme() -> Ateliere {
    Ateliere::default().with_plain_http()
}

impl Provide for AteliereMock {
    const NAME: &'static str = "ateliere";
    const ENDPOINT: &'static str = "/graphql";
    const PACKAGES: bool = true;

    fn new(kit: &Kit) -> Self {
        let catalogue = Arc::default();
        Self { endpoint: Endpoint::new(schema::build(Arc::clone(&catalogue), kit.clock())), catalogue }
    }

    fn issue(clock: &MockClock) -> MockCredential {
        let mut random = [0; 42];
        clock.fill(&mut random);
        let (key, secret) = random.split_at(10);
        MockCredential::new(format!("pk_{}", hex::encode(key)), hex::encode(secret)).with_organization("acme")
    }

    fn admit(keys: &MockKeys, credential: &MockCredential) {
        keys.admit_key(Self::NAME, Algorithm::HmacSha256, credential);
    }

    fn scheme() -> Option<Box<dyn Scheme>> {
        Some(Box::new(scheme()))
    }

    fn routes(self: &Arc<Self>, kit: &Kit) -> Router {
        let verifier = SignatureVerifier::new(scheme(), kit.keys()).with_clock(kit.clock());
        let layer = VerifyLayer::new(verifier).with_rejection(GraphQlErrors::default());
        let routes = Router::new()
            .route("/", answered())
            .route("/graphql", answered())
            .route("/{organization}/graphql", answered())
            .with_state(Arc::clone(self));
        kit.guard::<Self>(routes, layer)
    }

    fn operations(_: &Parts, body: &[u8]) -> Vec<Operation> {
        graphql::operations(body)
    }

    fn client(headers: &HeaderMap) -> Option<(String, Option<String>)> {
        let text =
            |name| headers.get(name).and_then(|value| value.to_str().ok()).filter(|text| !text.is_empty());
        Some((text("oz-client-name")?.to_owned(), text("oz-client-version").map(str::to_owned)))
    }

    fn trouble(status: StatusCode) -> Value {
        graphql::trouble(status)
    }

    fn state(&self) -> Value {
        schema::state(&self.catalogue)
    }

    fn restore(&self, state: Value) -> Result<(), serde_json::Error> {
        schema::restore(&self.catalogue, state)
    }
}

fn answered() -> MethodRouter<Arc<AteliereMock>> {
    post(answer)
}

async fn answer(
    State(mock): State<Arc<AteliereMock>>,
    Extension(stubbed): Extension<Stubbed>,
    caller: Verified,
    body: Bytes,
) -> axum::response::Response {
    mock.endpoint.answer(&Caller(Some(caller)), &stubbed, &body).await
}

//! The application: which layer guards which routes, and what is open.

use crate::{
    config::Config,
    graphql_endpoint::{GraphqlEndpoint, graphql_routes},
    ops::{OpsEndpoint, ops_routes},
};
use axum::{
    Router,
    body::Body,
    extract::MatchedPath,
    http::{Method, Request, StatusCode},
    response::Html,
    routing::get,
};
use countersign::{
    SignatureVerifier, VerifyLayer,
    error::ConfigError,
    middleware::{GraphQlErrors, OpsErrors, StripIdentityLayer},
    scheme::{Ateliere, Corezoid, SalesCloud},
    store::KeyStore,
    verify::{AnyOf, Verifier},
};
use std::sync::Arc;
use tower_http::{catch_panic::CatchPanicLayer, trace::TraceLayer};
use tracing::Span;

/// Path that names an organization; its segment must name the one that the request is verified for.
const ORGANIZATION_PATH: &str = "/{organization}/graphql";

/// Builds the application over a key store and the two endpoints.
pub fn app(
    config: &Config,
    keys: &Arc<impl KeyStore>,
    graphql: GraphqlEndpoint,
    ops: OpsEndpoint,
) -> Result<Router, ConfigError> {
    let guarded_graphql = graphql_routes(graphql)
        .route_layer(VerifyLayer::new(graphql_verifier(config, keys)?)
            .with_body_limit(config.body_limit)
            .with_rejection(GraphQlErrors::default()));
    let guarded_ops = ops_routes(ops).route_layer(VerifyLayer::new(ops_verifier(config, keys)?)
        .with_body_limit(config.body_limit)
        .with_rejection(OpsErrors::default()));
    let open = Router::new()
        .route("/", get(|| async { Html(include_str!("page.html")) }))
        .route("/healthz", get(|| async { "ok\n" }))
        .layer(StripIdentityLayer::new());
    Ok(guarded_graphql
        .merge(guarded_ops)
        .merge(open)
        .layer(CatchPanicLayer::new())
        .layer(TraceLayer::new_for_http().make_span_with(span)))
}

/// Requests to the GraphQL API may be signed as Ateliere or as SalesCloud does.
fn graphql_verifier(config: &Config, keys: &Arc<impl KeyStore>) -> Result<impl Verifier + use<>, ConfigError> {
    let mut ateliere = Ateliere::default();
    for url in &config.public_urls {
        ateliere = ateliere.with_public_url(url)?;
    }
    if !config.public_urls.iter().any(|url| url.starts_with("https:")) {
        ateliere = ateliere.with_plain_http();
    }
    let salescloud = SalesCloud::default()
        .with_route(Method::POST, "/graphql")?
        .with_route(Method::POST, ORGANIZATION_PATH)?;
    let ateliere = SignatureVerifier::new(ateliere, Arc::clone(keys)).with_organization_path(ORGANIZATION_PATH)?;
    Ok(AnyOf::new(ateliere).or(SignatureVerifier::new(salescloud, Arc::clone(keys))))
}

fn ops_verifier(config: &Config, keys: &Arc<impl KeyStore>) -> Result<impl Verifier + use<>, ConfigError> {
    let corezoid = Corezoid::default().with_route(Method::GET, "/user_downloads/{file}")?;
    Ok(SignatureVerifier::new(corezoid, Arc::clone(keys)).with_tolerance(config.tolerance))
}

/// The span of a request: the route's template and not its path, because Corezoid's paths hold a signature.
fn span(request: &Request<Body>) -> Span {
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    tracing::info_span!("request", method = %request.method(), route)
}

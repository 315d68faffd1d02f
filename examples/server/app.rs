//! The application: which layer guards which routes, and what is open.

use crate::{
    Noted,
    config::{Config, TokenAuth},
    graphql_endpoint::{GraphqlEndpoint, graphql_routes},
    keys::Keys,
    ops::{OpsEndpoint, ops_routes},
    sites::sites_routes,
    tokens,
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
    clock::{Clock, SystemClock},
    error::ConfigError,
    inspector::{DevelopmentLayer, Inspector},
    middleware::{GraphQlErrors, MessageErrors, OpsErrors, RequestId, RequestIdLayer, StripIdentityLayer},
    oauth2::JwksEndpoint,
    redact,
    scheme::{Ateliere, Corezoid, SalesCloud},
    store::LastUsed,
    verify::{AnyOf, BearerVerifier, ReadTokenVerifier, Verifier},
};
use sqlx::AnyPool;
use std::sync::Arc;
use tower::Layer as _;
use tower_http::{catch_panic::CatchPanicLayer, trace::TraceLayer};
use tracing::Span;

/// Path that names an organization; its segment must name the one that the request is verified for.
const ORGANIZATION_PATH: &str = "/{organization}/graphql";

/// Builds the application over a key store and the example's own tables. Downloads are offered under `public_url`; the
/// uses of keys, those of clients, and refusals are `noted`.
pub fn app(
    config: &Config,
    keys: &Keys,
    pool: &AnyPool,
    public_url: &str,
    noted: &Noted,
    inspector: &Inspector,
) -> Result<Router, ConfigError> {
    let Noted { last_used, usage, refusals } = noted;
    let guard = |layer: VerifyLayer| {
        let layer = layer.with_body_limit(config.body_limit);
        layer.with_witness(refusals.clone()).with_witness(inspector.clone())
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let graphql = GraphqlEndpoint::new(pool.clone(), Arc::clone(&keys.admin) as _, Arc::clone(&clock))
        .with_usage(usage);
    let ops = OpsEndpoint::new(pool.clone(), clock, public_url);
    let graphql_guard = guard(VerifyLayer::new(graphql_verifier(config, keys, last_used)?))
        .with_rejection(GraphQlErrors::default());
    let ops_guard =
        guard(VerifyLayer::new(ops_verifier(config, keys, last_used)?)).with_rejection(OpsErrors::default());
    let sites = sites_routes(pool.clone())
        .route_layer(usage.layer())
        .route_layer(guard(sites_guard(config, keys)).with_rejection(MessageErrors::default()))
        .route_layer(usage.layer());
    let pool = pool.clone();
    let open = Router::new()
        .route_service(
            "/auth/token",
            usage.layer().layer(tokens::endpoint(config, keys, refusals, inspector)),
        )
        .route_service("/.well-known/jwks.json", JwksEndpoint::new(keys.cached()))
        .route("/", get(|| async { Html(include_str!("page.html")) }))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(|| ready(pool)))
        .layer(StripIdentityLayer::new());
    let routes = graphql_routes(graphql)
        .route_layer(usage.layer())
        .route_layer(graphql_guard)
        .route_layer(usage.layer())
        .merge(ops_routes(ops, ops_guard, usage))
        .merge(sites)
        .merge(open);
    let routes =
        if config.is_development() { routes.layer(DevelopmentLayer::new(inspector)) } else { routes };
    Ok(routes
        .layer(CatchPanicLayer::new())
        .layer(TraceLayer::new_for_http().make_span_with(span))
        .layer(RequestIdLayer::new()))
}

/// Ready means: keys can be asked for.
async fn ready(pool: AnyPool) -> (StatusCode, &'static str) {
    match sqlx::query("SELECT 1").execute(&pool).await {
        Ok(_) => (StatusCode::OK, "ready\n"),
        Err(error) => {
            tracing::error!(%error, "the database cannot be asked");
            (StatusCode::SERVICE_UNAVAILABLE, "the database cannot be asked\n")
        }
    }
}

/// Finds out why requests were refused, of every scheme that is accepted here.
pub fn inspector(config: &Config, keys: &Keys) -> Result<Inspector, ConfigError> {
    let mut inspector = Inspector::new(Arc::clone(&keys.admin))
        .with_scheme(ateliere(config)?)
        .with_scheme(salescloud()?)
        .with_scheme(corezoid()?)
        .with_read_tokens(keys.cached())
        .with_tokens(keys.cached(), tokens::profile(config));
    for url in &config.public_urls {
        inspector = inspector.with_public_url(url);
    }
    Ok(if config.explain_all || config.is_development() { inspector.for_development() } else { inspector })
}

fn ateliere(config: &Config) -> Result<Ateliere, ConfigError> {
    let mut ateliere = Ateliere::default();
    for url in &config.public_urls {
        ateliere = ateliere.with_public_url(url)?;
    }
    let encrypted = config.public_urls.iter().any(|url| url.starts_with("https:"));
    Ok(if encrypted { ateliere } else { ateliere.with_plain_http() })
}

fn salescloud() -> Result<SalesCloud, ConfigError> {
    SalesCloud::default().with_route(Method::POST, "/graphql")?.with_route(Method::POST, ORGANIZATION_PATH)
}

fn corezoid() -> Result<Corezoid, ConfigError> {
    Corezoid::default().with_route(Method::GET, "/user_downloads/{file}")
}

/// Requests to the GraphQL API may be signed as Ateliere or as SalesCloud does, or carry a token of either kind.
fn graphql_verifier(
    config: &Config,
    keys: &Keys,
    last_used: &LastUsed,
) -> Result<impl Verifier + use<>, ConfigError> {
    let ateliere = SignatureVerifier::new(ateliere(config)?, keys.cached())
        .with_organization_path(ORGANIZATION_PATH)?
        .with_last_used(last_used.clone());
    let salescloud = SignatureVerifier::new(salescloud()?, keys.cached()).with_last_used(last_used.clone());
    let read_tokens = ReadTokenVerifier::new(keys.cached()).with_organization_path(ORGANIZATION_PATH)?;
    let bearer = BearerVerifier::new(keys.cached(), tokens::profile(config));
    Ok(AnyOf::new(ateliere)
        .or(salescloud)
        .or(read_tokens)
        .or(bearer.with_organization_path(ORGANIZATION_PATH)?))
}

fn sites_guard(config: &Config, keys: &Keys) -> VerifyLayer {
    let tokens = BearerVerifier::new(keys.cached(), tokens::profile(config));
    match config.token_auth {
        TokenAuth::Strict => VerifyLayer::new(tokens),
        TokenAuth::Goa => VerifyLayer::new(tokens.goa_style()),
    }
}

fn ops_verifier(
    config: &Config,
    keys: &Keys,
    last_used: &LastUsed,
) -> Result<impl Verifier + use<>, ConfigError> {
    let corezoid = SignatureVerifier::new(corezoid()?, keys.cached());
    Ok(corezoid.with_tolerance(config.tolerance).with_last_used(last_used.clone()))
}

/// The span of a request: the route's template, and the path without the signature that Corezoid's clients put there.
fn span(request: &Request<Body>) -> Span {
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let id = request.extensions().get::<RequestId>().map(RequestId::as_str);
    let path = redact::path(request.uri());
    tracing::info_span!("request", method = %request.method(), route, path = &*path, id)
}

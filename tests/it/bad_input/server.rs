//! A server that guards three schemes, tells the test what it made of a request, and counts what it should not do.

use crate::support::http::{NOW, Provider, SECRET, SLUG};
use axum::{
    Extension, Router,
    body::Bytes,
    middleware::map_response,
    response::Response,
    routing::{any, post},
};
use countersign::{
    SignatureVerifier, Verified, VerifyLayer,
    clock::ManualClock,
    credential::{Credential, CredentialState, Organization, Principal, SecretVersion},
    error::VerifyErrorKind,
    middleware::StripIdentityLayer,
    scheme::{Ateliere, Corezoid, SalesCloud},
    store::MemoryKeyStore,
    verify::AnyOf,
};
use http::{HeaderMap, HeaderValue, Method};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};
use tokio::net::TcpListener;

/// The longest body. All requests together may hold no more than one such body before they are verified, so that bytes
/// that some request does not give back are missed by the next.
pub(super) const LIMIT: usize = 64 << 10;
/// How long a body may pause.
const PAUSE: Duration = Duration::from_millis(500);
/// What one of the keys had for a secret before.
pub(super) const PREVIOUS: &str = "kZ7Qh2tq0vXnB4mJ9sRw6yLe3uGdTaFcPiOx1bNl8Ek";

/// The servers of a run: the schemes as they are by default, and as an operator has set them up.
pub(super) struct Server {
    default: SocketAddr,
    public: SocketAddr,
    pub(super) clock: Arc<ManualClock>,
    panics: Arc<AtomicUsize>,
}

impl Server {
    pub(super) async fn start() -> Self {
        let (clock, panics) = (Arc::new(ManualClock::at(NOW)), Arc::new(AtomicUsize::new(0)));
        let default = guard(Ateliere::default(), SalesCloud::default(), &clock);
        let template = "/{organization}/graphql";
        let ateliere = Ateliere::default().with_public_url("https://api.example.test").unwrap();
        let salescloud = SalesCloud::default().with_route(Method::POST, template).unwrap();
        let public = guard(ateliere, salescloud, &clock);
        Self { default: serve(default, &panics).await, public: serve(public, &panics).await, clock, panics }
    }

    /// Where the server listens that is set up like this.
    pub(super) fn address(&self, guard: Option<&str>) -> SocketAddr {
        match guard {
            None => self.default,
            Some("public") => self.public,
            Some(other) => panic!("{other}"),
        }
    }

    /// How many connections ended in a panic.
    pub(super) fn panics(&self) -> usize {
        self.panics.load(Ordering::SeqCst)
    }
}

/// A server that verifies Ateliere's requests alone, by which clients come over plain `http`.
pub(super) async fn ateliere() -> SocketAddr {
    let verifier = SignatureVerifier::new(Ateliere::default().with_plain_http(), keys());
    serve(behind(VerifyLayer::new(verifier)), &Arc::default()).await
}

fn guard(ateliere: Ateliere, salescloud: SalesCloud, clock: &Arc<ManualClock>) -> Router {
    let keys = keys();
    let ateliere = SignatureVerifier::new(ateliere, Arc::clone(&keys)).with_clock(Arc::clone(clock));
    let ateliere = ateliere.with_organization_path("/{organization}/graphql").unwrap();
    let corezoid =
        SignatureVerifier::new(Corezoid::default(), Arc::clone(&keys)).with_clock(Arc::clone(clock));
    let salescloud = SignatureVerifier::new(salescloud, keys).with_clock(Arc::clone(clock));
    let layer = VerifyLayer::new(AnyOf::new(ateliere).or(corezoid).or(salescloud))
        .with_body_limit(LIMIT as u64)
        .with_held_limit(LIMIT as u64)
        .with_idle_timeout(PAUSE);
    behind(layer)
}

/// Everything behind the layer: a route, a route for one method only, and what is no route at all; and one beside it.
fn behind(layer: VerifyLayer) -> Router {
    let open = Router::new().route("/open", any(echo)).layer(StripIdentityLayer::new());
    Router::new()
        .route("/graphql", any(echo))
        .route("/only-post", post(echo))
        .fallback(echo)
        .layer(layer)
        .merge(open)
        .layer(map_response(tell))
}

/// Answers with the body that came, and names what else there was.
async fn echo(
    method: Method,
    caller: Option<Extension<Verified>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut response = Response::new(body.into());
    let names: Vec<_> = headers.keys().map(http::HeaderName::as_str).collect();
    let outcome = caller.map_or("open", |caller| caller.outcome().as_str());
    for (name, value) in [("outcome", outcome), ("method", method.as_str()), ("names", &names.join(" "))] {
        response.headers_mut().insert(name, HeaderValue::try_from(value).unwrap());
    }
    response
}

/// Tells the test why a request was refused.
async fn tell(mut response: Response) -> Response {
    if let Some(kind) = response.extensions().get::<VerifyErrorKind>() {
        let outcome = HeaderValue::from_static(kind.outcome().as_str());
        response.headers_mut().insert("outcome", outcome);
    }
    response
}

async fn serve(app: Router, panics: &Arc<AtomicUsize>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let panics = Arc::clone(panics);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (service, panics) = (TowerToHyperService::new(app.clone()), Arc::clone(&panics));
            tokio::spawn(async move {
                let connection = tokio::spawn(async move {
                    let builder = auto::Builder::new(TokioExecutor::new());
                    drop(builder.serve_connection(TokioIo::new(stream), service).await);
                });
                if connection.await.is_err_and(|error| error.is_panic()) {
                    panics.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    });
    address
}

/// The three providers' keys, and keys of Ateliere's of which each has something of its own.
fn keys() -> Arc<MemoryKeyStore> {
    let keys = crate::support::http::keys();
    let at = |seconds| Some(UNIX_EPOCH + Duration::from_secs(seconds));
    let of = |organization: &str, secrets: Vec<SecretVersion>| {
        let mut credential = Credential::new(Principal::new("ada").unwrap(), secrets);
        credential.organization = Some(Organization::new(organization).unwrap());
        credential
    };
    let version = |number, secret| SecretVersion::new(number, Provider::Ateliere.mac_key(secret));
    let good = |organization| of(organization, vec![version(1, SECRET)]);
    let mut previous = version(1, PREVIOUS);
    previous.retires_at = at(NOW + 60);
    let mut disabled = good(SLUG);
    disabled.state = CredentialState::Disabled;
    let mut revoked = good(SLUG);
    revoked.state = CredentialState::Revoked;
    let mut expired = good(SLUG);
    expired.expires_at = at(NOW);
    let mut early = good(SLUG);
    early.not_before = at(NOW + 1);
    for (key_id, credential) in [
        ("pk_disabled", disabled),
        ("pk_early", early),
        ("pk_elsewhere", good("elsewhere")),
        ("pk_expired", expired),
        ("pk_no_secret", of(SLUG, Vec::new())),
        ("pk_revoked", revoked),
        ("pk_rotated", of(SLUG, vec![version(2, SECRET), previous])),
        ("pk_umlaut", good("s\u{f6}ug")),
    ] {
        keys.insert("ateliere", key_id, credential);
    }
    keys
}

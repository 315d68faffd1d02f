//! The token endpoint: reads the request, authenticates the client, and has a token signed elsewhere.

use super::{
    answer::{self, Refusal, Reply},
    client::{self, Authenticated},
    form,
    limit::Failures,
    refuse::Failed,
};
use crate::{
    clock::{Clock, SystemClock},
    credential::SigningKey,
    jwt::{Claims, KeyError, PrivateKey, Profile},
    metrics::{Verifications, Watch},
    middleware::{RequestIds, Witness},
    outcome::Outcome,
    store::{Found, KeyStore, Lookup, Record},
};
use bytes::Buf as _;
use http::{Method, Request, Response, StatusCode, request::Parts};
use http_body::Body;
use serde::Serialize;
use std::{
    convert::Infallible,
    fmt,
    future::{Future, poll_fn},
    net::IpAddr,
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    thread::available_parallelism,
    time::Duration,
};
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};
use tower_service::Service;
use zeroize::Zeroizing;

/// The longest body, in bytes. A request has some hundred.
const BODY_LIMIT: usize = 8 << 10;
/// How long a request may take to arrive, and the store to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What logs and metrics call client credentials, as RFC 6749 §4.4 does.
pub(super) const SCHEME: &str = "client-credentials";

/// What the answer calls the kind of its token.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum TokenType {
    /// `JWT`, as Ayyeka documents it. Of the common OAuth libraries simple-oauth2 takes it, and openid-client,
    /// requests-oauthlib and Authlib refuse it.
    #[default]
    Jwt,
    /// `Bearer` (RFC 6750 §4), which every OAuth library takes.
    Bearer,
}

impl TokenType {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Jwt => "JWT",
            Self::Bearer => "Bearer",
        }
    }
}

/// The service behind `POST /auth/token`; see the [module](super).
///
/// Requests must be polled in a Tokio runtime. Tokens are signed on its threads for blocking work, at most half as many
/// at a time as there are processors, so that issuing does not delay other requests.
#[derive(Clone)]
pub struct TokenEndpoint(Arc<Shared>);

#[derive(Clone)]
pub(super) struct Shared {
    keys: Arc<dyn KeyStore>,
    pub(super) clock: Arc<dyn Clock>,
    profile: Profile,
    lifetime: Duration,
    token_type: TokenType,
    names_key: bool,
    pub(super) peer: Arc<Peer>,
    failures: Arc<Failures>,
    signer: Arc<Signer>,
    turns: Arc<Semaphore>,
    pub(super) witnesses: Vec<Arc<dyn Witness>>,
    pub(super) request_ids: Arc<RequestIds>,
    metrics: Arc<Verifications>,
}

/// Tells whose request it is.
type Peer = dyn Fn(&Parts) -> Option<IpAddr> + Send + Sync;

/// Parses the signing key, and keeps it until it is another.
#[derive(Default)]
struct Signer(Mutex<Option<Parsed>>);

/// A signing key, known again by its public half.
struct Parsed {
    public: Arc<[u8]>,
    key: Arc<PrivateKey>,
}

impl TokenEndpoint {
    /// Makes an endpoint that issues tokens of this profile for an hour, with the token type `JWT` and without `kid`, as
    /// documented. It reads the system's clock, and cannot tell peers apart.
    #[must_use]
    pub fn new(keys: impl KeyStore, profile: Profile) -> Self {
        let processors = available_parallelism().map_or(1, usize::from);
        Self(Arc::new(Shared {
            keys: Arc::new(keys),
            clock: Arc::new(SystemClock),
            profile,
            lifetime: Duration::from_secs(3600),
            token_type: TokenType::default(),
            names_key: false,
            peer: Arc::new(|_| None),
            failures: Arc::new(Failures::new()),
            signer: Arc::default(),
            turns: Arc::new(Semaphore::new((processors / 2).max(1))),
            witnesses: Vec::new(),
            request_ids: Arc::default(),
            metrics: Arc::default(),
        }))
    }

    /// Takes time from another clock.
    ///
    /// # Security
    ///
    /// The clock decides when tokens end.
    #[must_use]
    pub fn with_clock(self, clock: impl Clock) -> Self {
        self.with(|shared| shared.clock = Arc::new(clock))
    }

    /// Sets how long a token lives, in whole seconds. A verifier refuses one that lives for longer than
    /// [`Profile::with_longest_lifetime`] says, a day unless it is told otherwise.
    ///
    /// # Security
    ///
    /// A token that is stolen works for as long.
    #[must_use]
    pub fn with_lifetime(self, lifetime: Duration) -> Self {
        self.with(|shared| shared.lifetime = lifetime)
    }

    /// Sets what the answer calls the kind of its token.
    #[must_use]
    pub fn with_token_type(self, token_type: TokenType) -> Self {
        self.with(|shared| shared.token_type = token_type)
    }

    /// Names the key in each token, as `kid`. The documented token has none, and every live key is tried then.
    #[must_use]
    pub fn with_key_id(self) -> Self {
        self.with(|shared| shared.names_key = true)
    }

    /// Says whose failures count together, by the head of a request: in axum, for example, by its
    /// `ConnectInfo<SocketAddr>`. IPv6 addresses count by their first 64 bits.
    ///
    /// # Security
    ///
    /// Behind a proxy, trust no address that a client can write into a header itself.
    #[must_use]
    pub fn with_peer(self, peer: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static) -> Self {
        self.with(|shared| shared.peer = Arc::new(peer))
    }

    /// Adds a witness, as [`VerifyLayer::with_witness`](crate::VerifyLayer::with_witness) does.
    ///
    /// # Security
    ///
    /// The witness gets client secrets that may be right; see [`Witness`].
    #[must_use]
    pub fn with_witness(self, witness: impl Witness) -> Self {
        self.with(|shared| shared.witnesses.push(Arc::new(witness)))
    }

    fn with(mut self, change: impl FnOnce(&mut Shared)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }
}

impl fmt::Debug for TokenEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenEndpoint").field("profile", &self.0.profile).finish_non_exhaustive()
    }
}

impl<B> Service<Request<B>> for TokenEndpoint
where
    B: Body<Data: Send, Error: Send> + Send + 'static,
{
    type Response = Response<Reply>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Reply>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let shared = Arc::clone(&self.0);
        let (head, body) = request.into_parts();
        Box::pin(async move {
            let (watch, mut whole) = (Watch::start(), Zeroizing::new(Vec::new()));
            let answer = shared.answer(&head, body, &mut whole).await;
            let outcome = answer.as_ref().map_or_else(|failed| failed.outcome, |(outcome, _)| *outcome);
            shared.metrics.record(Some(SCHEME), outcome, watch, whole.len() as u64);
            Ok(match answer {
                Ok((_, body)) => answer::private(StatusCode::OK, &body),
                Err(failed) => shared.refuse(&failed, &head, &whole),
            })
        })
    }
}

/// The answer with a token, in the order of the document.
#[derive(Serialize)]
struct Issued<'t> {
    access_token: &'t str,
    token_type: &'static str,
    expires_in: u64,
}

impl Shared {
    /// The answer's body, and what became of the request; its own body is left in `whole`.
    async fn answer<B: Body>(
        &self,
        head: &Parts,
        body: B,
        whole: &mut Zeroizing<Vec<u8>>,
    ) -> Result<(Outcome, Zeroizing<String>), Failed> {
        if head.method != Method::POST {
            return Err(Refusal::Method.into());
        }
        timeout(PATIENCE, collect(body, whole)).await.map_err(|_| Refusal::Timeout)??;
        let readings = form::read(&head.headers, whole)?;
        let authenticated = self.authenticate(head, &readings).await?;
        let token = self.issue(&authenticated).await?;
        let outcome = if authenticated.previous_secret { Outcome::OkPreviousSecret } else { Outcome::Ok };
        tracing::info!(
            outcome = outcome.as_str(),
            client_id = authenticated.client.client_id.as_str(),
            secret = authenticated.secret,
            "token issued"
        );
        let expires_in = self.lifetime.as_secs();
        let issued = Issued { access_token: &token, token_type: self.token_type.as_str(), expires_in };
        let issued = serde_json::to_string(&issued).map(Zeroizing::new).map_err(Failed::internal)?;
        Ok((outcome, issued))
    }

    async fn authenticate(
        &self,
        head: &Parts,
        readings: &[form::Presented],
    ) -> Result<Authenticated, Failed> {
        let now = self.clock.now();
        let asked = timeout(PATIENCE, client::authenticate(&*self.keys, readings, now)).await;
        let verdict = asked.map_err(Failed::unavailable)?.map_err(Failed::unavailable)?;
        verdict.map_err(|(outcome, client)| Failed::client(self.count(head, readings), outcome, client))
    }

    /// Counts a failure, and says which of the two answers it gets.
    fn count(&self, head: &Parts, readings: &[form::Presented]) -> Refusal {
        let client_id = readings.last().map_or("", |reading| reading.client_id.as_str());
        match self.failures.count((self.peer)(head), client_id, self.clock.now()) {
            None => Refusal::Client,
            Some(seconds) => Refusal::TooMany(seconds),
        }
    }

    /// Signs a token on a thread for blocking work; a key that is new is parsed there as well.
    async fn issue(&self, authenticated: &Authenticated) -> Result<Zeroizing<String>, Failed> {
        let client = &authenticated.client;
        let stored = self.signing_key().await?;
        let subject = format!("{}:{}", client.principal, client.client_id);
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(Failed::internal)?;
        let claims = Claims::issue(&self.profile, &subject, self.clock.now(), self.lifetime);
        let (signer, names_key) = (Arc::clone(&self.signer), self.names_key);
        let signed = spawn_blocking(move || {
            let _turn = turn;
            let kid = names_key.then_some(stored.public.kid.as_str());
            signer.key(&stored)?.sign(&claims, kid).map(Zeroizing::new)
        });
        signed.await.map_err(Failed::internal)?.map_err(Failed::internal)
    }

    /// The key that signs now. One that has retired would sign what nobody accepts: a store that cannot be asked for
    /// its successor may still know it.
    async fn signing_key(&self) -> Result<Arc<SigningKey>, Failed> {
        let asked = async {
            match self.keys.find(Lookup::SigningKey) {
                Found::Ready(record) => Ok(record),
                Found::Pending(record) => record.await,
            }
        };
        let asked = timeout(PATIENCE, asked).await.map_err(Failed::unavailable)?;
        match asked.map_err(Failed::unavailable)? {
            Some(Record::SigningKey(stored)) if stored.public.may_sign(self.clock.now()) => Ok(stored),
            _ => Err(Failed::unavailable("there is no key to sign tokens with")),
        }
    }
}

impl Signer {
    /// The key, parsed once.
    fn key(&self, stored: &SigningKey) -> Result<Arc<PrivateKey>, KeyError> {
        let public = &stored.public.public_key;
        let mut parsed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(parsed) = parsed.as_ref().filter(|parsed| parsed.public == *public) {
            return Ok(Arc::clone(&parsed.key));
        }
        let key = Arc::new(PrivateKey::from_pkcs8(stored.public.algorithm, &stored.private_key)?);
        *parsed = Some(Parsed { public: Arc::clone(public), key: Arc::clone(&key) });
        Ok(key)
    }
}

/// Takes the whole body in, which holds a secret.
async fn collect<B: Body>(body: B, whole: &mut Zeroizing<Vec<u8>>) -> Result<(), Refusal> {
    let mut body = pin!(body);
    // It never grows, which would leave copies behind.
    whole.reserve_exact(BODY_LIMIT);
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let frame = frame.map_err(|_| Refusal::Request("The body broke off."))?;
        let Ok(mut data) = frame.into_data() else { continue };
        if whole.len() + data.remaining() > BODY_LIMIT {
            return Err(Refusal::TooLarge);
        }
        while data.has_remaining() {
            let chunk = data.chunk();
            whole.extend_from_slice(chunk);
            let length = chunk.len();
            data.advance(length);
        }
    }
    Ok(())
}

//! Access tokens by client credentials (RFC 6749 §4.4): got when one is needed, kept, and renewed before it ends.

use super::{
    ClientError, ClientErrorKind as Kind,
    answer::{self, Denied, Granted},
};
use crate::{
    clock::{Clock, SystemClock},
    error::ConfigError,
    secret::Secret,
};
use http::{
    HeaderValue, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE},
};
use reqwest::{Client, Request, RequestBuilder, Response, Url};
use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// How long before its end a token is renewed, unless the client is told otherwise.
const MARGIN: Duration = Duration::from_secs(60);
/// How long the token endpoint may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long nobody asks again after a failure: this, twice this, and so on up to [`LONGEST_REST`].
const REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(60);

/// An OAuth 2.0 client that gets access tokens by client credentials and sends requests with them.
///
/// Whoever needs a token while there is none waits for the same one request. A token is renewed a minute before it ends
/// (or after half of its life, if that is shorter), while others go on using the old one. If that fails, the old one is
/// used to its end. After a failure nobody asks again for a second, then for two, up to a minute, or for as long as
/// `Retry-After` says; callers get the same error meanwhile. Clones share the token.
///
/// The token endpoint gets id and secret by HTTP Basic, as they stand, which is how Ayyeka's clients send them.
/// `token_type` may be `Bearer` or, as Ayyeka documents it, `JWT`; the token is sent behind the word `Bearer` either way.
///
/// # Security
///
/// Id and secret go to the URL that is given, and the token to whatever a request is for: use `https` for both.
#[derive(Clone, Debug)]
pub struct TokenClient(Arc<Shared>);

struct Shared {
    http: Client,
    url: Url,
    id: String,
    secret: Secret,
    clock: Arc<dyn Clock>,
    margin: Duration,
    state: Mutex<State>,
    /// Held by whoever asks for a token.
    flight: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    token: Option<AccessToken>,
    failure: Option<Failure>,
    /// Whether the last token was given up because a server refused it.
    refused: bool,
}

/// The token endpoint gave no token.
struct Failure {
    error: ClientError,
    /// In ticks: when it may be asked again.
    until: u64,
    /// How often in a row.
    count: u32,
}

/// A token, ready to be sent. It prints as nothing but its name.
#[derive(Clone)]
pub struct AccessToken(Arc<Held>);

struct Held {
    authorization: HeaderValue,
    /// In ticks: when it was asked for, when a new one should be, and when it ends.
    asked: u64,
    renew: u64,
    ends: u64,
    /// Whether it took the place of one that a server had refused.
    replaces: bool,
    /// Whether a server took it.
    worked: AtomicBool,
}

impl TokenClient {
    /// Makes a client of the token endpoint at `token_url`. Nothing is asked for yet.
    ///
    /// # Errors
    ///
    /// [`ConfigError::ClientId`] if the id is empty or has a colon, which would end it (RFC 7617 §2).
    pub fn new(http: Client, token_url: Url, id: &str, secret: Secret) -> Result<Self, ConfigError> {
        if id.is_empty() || id.contains(':') {
            return Err(ConfigError::ClientId { given: id.to_owned() });
        }
        Ok(Self(Arc::new(Shared {
            http,
            url: token_url,
            id: id.to_owned(),
            secret,
            clock: Arc::new(SystemClock),
            margin: MARGIN,
            state: Mutex::default(),
            flight: tokio::sync::Mutex::default(),
        })))
    }

    /// Measures the age of a token with another clock. Clones that were made before are not told, and no token is kept.
    #[must_use]
    pub fn with_clock(self, clock: impl Clock) -> Self {
        self.with(|shared| shared.clock = Arc::new(clock))
    }

    /// Sets how long before its end a token is renewed, at most half of its life. Clones that were made before are not
    /// told, and no token is kept.
    #[must_use]
    pub fn with_margin(self, margin: Duration) -> Self {
        self.with(|shared| shared.margin = margin)
    }

    fn with(self, change: impl FnOnce(&mut Shared)) -> Self {
        let Shared { http, url, id, secret, clock, margin, .. } = &*self.0;
        let mut shared = Shared {
            http: http.clone(),
            url: url.clone(),
            id: id.clone(),
            secret: secret.clone(),
            clock: Arc::clone(clock),
            margin: *margin,
            state: Mutex::default(),
            flight: tokio::sync::Mutex::default(),
        };
        change(&mut shared);
        Self(Arc::new(shared))
    }

    /// A token that works by all that is known: the one at hand, or a new one.
    ///
    /// # Errors
    ///
    /// [`TokenRefused`](Kind::TokenRefused), [`TokenUnavailable`](Kind::TokenUnavailable) or
    /// [`TokenMalformed`](Kind::TokenMalformed), also for a while after that, without asking.
    pub async fn token(&self) -> Result<AccessToken, ClientError> {
        if let Some(answer) = self.0.at_hand() {
            return answer;
        }
        let _flight = match self.0.flight.try_lock() {
            Ok(flight) => flight,
            Err(_) => {
                // Somebody asks already: good enough if there is an older one.
                if let Some(token) = self.0.alive() {
                    return Ok(token);
                }
                self.0.flight.lock().await
            }
        };
        match self.0.at_hand() {
            Some(answer) => answer,
            None => self.0.renew().await,
        }
    }

    /// Sends a request with a token, in the place of any other `Authorization`, by the client that it was begun with.
    ///
    /// If the answer is 401, the token is renewed and the request sent once more, unless its body is a stream. A token
    /// that is itself such a renewal and has not worked since is not renewed again for a minute: the answer is then what
    /// the server says. Any other answer is an answer, whatever its status.
    ///
    /// # Errors
    ///
    /// Those of [`token`](Self::token), and [`Transport`](Kind::Transport) if there was no answer.
    pub async fn send(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let (http, request) = request.build_split();
        let request = request.map_err(ClientError::transport)?;
        let again = request.try_clone();
        let token = self.token().await?;
        let answer = execute(&http, request, &token).await?;
        match again {
            Some(again) if answer.status() == StatusCode::UNAUTHORIZED && self.0.give_up(&token) => {
                let token = self.token().await?;
                execute(&http, again, &token).await
            }
            _ => Ok(answer),
        }
    }
}

async fn execute(http: &Client, mut request: Request, token: &AccessToken) -> Result<Response, ClientError> {
    request.headers_mut().insert(AUTHORIZATION, token.authorization());
    let answer = http.execute(request).await.map_err(ClientError::transport)?;
    if answer.status() != StatusCode::UNAUTHORIZED {
        token.0.worked.store(true, Ordering::Relaxed);
    }
    Ok(answer)
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The token if it is fresh; while it is pointless to ask, the token if it works still, or else the last error.
    fn at_hand(&self) -> Option<Result<AccessToken, ClientError>> {
        let (now, state) = (self.clock.ticks(), self.state());
        let until = |end: fn(&Held) -> u64| state.token.as_ref().filter(|token| now < end(&token.0));
        if let Some(fresh) = until(|token| token.renew) {
            return Some(Ok(fresh.clone()));
        }
        let failure = state.failure.as_ref().filter(|failure| now < failure.until)?;
        Some(until(|token| token.ends).cloned().ok_or_else(|| failure.error.clone()))
    }

    /// The token if it works still.
    fn alive(&self) -> Option<AccessToken> {
        let now = self.clock.ticks();
        self.state().token.as_ref().filter(|token| now < token.0.ends).cloned()
    }

    /// Asks for a token, and notes what comes of it.
    async fn renew(&self) -> Result<AccessToken, ClientError> {
        let asked = self.clock.ticks();
        let answer = self.ask().await;
        let now = self.clock.ticks();
        let mut state = self.state();
        let denied = match answer {
            Ok(granted) => {
                let token = AccessToken(Arc::new(self.hold(granted, asked, state.refused)));
                *state = State { token: Some(token.clone()), failure: None, refused: false };
                return Ok(token);
            }
            Err(denied) => denied,
        };
        let count = state.failure.as_ref().map_or(0, |failure| failure.count);
        let rest =
            REST.saturating_mul(1 << count.min(10)).min(LONGEST_REST).max(denied.wait.unwrap_or_default());
        let error = denied.error;
        state.failure =
            Some(Failure { error: error.clone(), until: now.saturating_add(millis(rest)), count: count + 1 });
        state.token.as_ref().filter(|token| now < token.0.ends).cloned().ok_or(error)
    }

    fn hold(&self, Granted { authorization, lifetime }: Granted, asked: u64, replaces: bool) -> Held {
        let ends = lifetime.map_or(u64::MAX, |lifetime| asked.saturating_add(millis(lifetime)));
        let margin = lifetime.map_or(0, |lifetime| millis(self.margin.min(lifetime / 2)));
        let worked = AtomicBool::new(false);
        Held { authorization, asked, renew: ends.saturating_sub(margin), ends, replaces, worked }
    }

    async fn ask(&self) -> Result<Granted, Denied> {
        // A secret of bytes that are no text has no place in a header built from texts.
        let secret = std::str::from_utf8(self.secret.expose());
        let secret =
            secret.map_err(|_| ClientError::new(Kind::TokenRefused, "the client's secret is not text"))?;
        let request = self
            .http
            .post(self.url.clone())
            .basic_auth(&self.id, Some(secret))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .timeout(TIMEOUT)
            .body("grant_type=client_credentials");
        let unreachable = |cause| {
            ClientError::with_cause(Kind::TokenUnavailable, "the token endpoint does not answer", cause)
        };
        answer::read(request.send().await.map_err(unreachable)?).await
    }

    /// Gives up a token that a server refused; whether another one may do better.
    fn give_up(&self, token: &AccessToken) -> bool {
        let now = self.clock.ticks();
        let mut state = self.state();
        // Somebody else may have given it up already.
        if !state.token.as_ref().is_some_and(|current| Arc::ptr_eq(&current.0, &token.0)) {
            return true;
        }
        let young = now < token.0.asked.saturating_add(millis(LONGEST_REST));
        if token.0.replaces && young && !token.0.worked.load(Ordering::Relaxed) {
            return false;
        }
        state.token = None;
        state.refused = true;
        true
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl AccessToken {
    /// The value for `Authorization`, marked as sensitive.
    #[must_use]
    pub fn authorization(&self) -> HeaderValue {
        self.0.authorization.clone()
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(..)")
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenClient")
            .field("id", &self.id)
            .field("url", &self.url.as_str())
            .finish_non_exhaustive()
    }
}

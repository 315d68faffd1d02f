//! The inspector: explains refused requests in a running server, for keys under debug, and keeps what it found out.
//!
//! It is a [`Witness`] of a [`VerifyLayer`](crate::VerifyLayer): a refused request of a key for which an operator has
//! said `countersign keys debug` is explained off its own path, told in one event, and kept under the id of the refusal
//! until newer ones take its place. The caller learns nothing of it, unless a [`DevelopmentLayer`] says so. So are, with
//! the feature `oauth2`, tokens and requests for tokens, of clients for which he has said `countersign clients debug`.
//!
//! A [`RefusalSample`] is another witness, which keeps some of what is refused in the database.
//!
//! # Security
//!
//! What is kept is what the [explanation](crate::explain) says: texts with `{SECRET}` in the secret's place, at most
//! 4 KiB of each around the difference, and neither the presented nor the right signature. Show it on a listener that
//! only operators reach.

mod development;
mod sample;
#[cfg(feature = "oauth2")]
mod tokens;
mod told;

pub use self::{
    development::{DevelopmentLayer, EXPLANATION, TellWhy},
    sample::RefusalSample,
};

use self::{
    development::Open,
    told::{named_key, of_read_token, report},
};
use crate::{
    clock::{Clock, SystemClock},
    credential::KeyId,
    explain::{Explanation, Report},
    metrics,
    middleware::{Notice, Refused, Witness},
    scheme::Scheme,
    store::{KeyStore, OpenSecrets},
};
use http::request::Parts;
use serde::Serialize;
use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Notify, Semaphore, SemaphorePermit},
    task::spawn_blocking,
    time::timeout,
};

/// How many explanations are kept.
const KEPT: usize = 256;
/// How many bytes are hashed for one of them, at most.
const WORK: u64 = 16 << 20;
/// The longest body that is explained, in bytes.
const BODY: usize = 256 << 10;
/// How many are explained of one key in one [`WINDOW`], and how many at a time of all.
const PER_KEY: u32 = 20;
const AT_A_TIME: usize = 2;
/// How many refused tokens may wait at a time for a look at whose they are.
const LOOKUPS: usize = 32;
/// In milliseconds.
const WINDOW: u64 = 60_000;
/// How many keys are counted before counting begins anew.
const COUNTED: usize = 1024;
/// What read tokens are called.
const READ_TOKEN: &str = "salescloud-read-token";
/// How long the secrets may take to be opened, and a store to be asked.
const PATIENCE: Duration = Duration::from_secs(5);

/// Explains the refusals of keys under debug. Clones share what is kept.
///
/// ```
/// use countersign::{SignatureVerifier, VerifyLayer, inspector::Inspector, scheme::Corezoid};
/// # use countersign::store::{KeyStore, OpenSecrets};
/// # fn guard(keys: impl KeyStore, sealed: impl OpenSecrets) {
/// let inspector = Inspector::new(sealed).with_scheme(Corezoid::default());
/// let layer = VerifyLayer::new(SignatureVerifier::new(Corezoid::default(), keys)).with_witness(inspector.clone());
/// // On the admin listener:
/// let document = inspector.find("4f1c09a2b7d3e856");
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Inspector(Arc<Shared>);

#[derive(Clone, Debug)]
struct Settings {
    secrets: Arc<dyn OpenSecrets>,
    clock: Arc<dyn Clock>,
    schemes: Vec<Arc<dyn Scheme>>,
    public_urls: Vec<String>,
    read_tokens: Option<Arc<dyn KeyStore>>,
    #[cfg(feature = "oauth2")]
    tokens: Option<tokens::Tokens>,
    all: bool,
}

#[derive(Debug)]
struct Shared {
    settings: Settings,
    kept: Mutex<VecDeque<(String, Arc<str>)>>,
    /// When counting began for a key, and how many there were since.
    counted: Mutex<HashMap<String, (u64, u32)>>,
    turns: Semaphore,
    lookups: Semaphore,
    /// The refusals that will be explained, and who waits for that.
    open: Mutex<HashSet<String>>,
    done: Notify,
    explained: AtomicU64,
    skipped: AtomicU64,
}

/// What is kept of a refusal. The names of the fields are stable.
#[derive(Serialize)]
struct Entry<'e> {
    request_id: &'e str,
    #[serde(flatten)]
    report: &'e Report,
    told: String,
}

impl Inspector {
    /// Makes an inspector that opens secrets where it needs them.
    #[must_use]
    pub fn new(secrets: impl OpenSecrets) -> Self {
        Self::with(Settings {
            secrets: Arc::new(secrets),
            clock: Arc::new(SystemClock),
            schemes: Vec::new(),
            public_urls: Vec::new(),
            read_tokens: None,
            #[cfg(feature = "oauth2")]
            tokens: None,
            all: false,
        })
    }

    fn with(settings: Settings) -> Self {
        metrics::inspector(settings.all);
        Self(Arc::new(Shared {
            settings,
            kept: Mutex::default(),
            counted: Mutex::default(),
            turns: Semaphore::new(AT_A_TIME),
            lookups: Semaphore::new(LOOKUPS),
            open: Mutex::default(),
            done: Notify::new(),
            explained: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
        }))
    }

    /// Explains requests of this scheme too.
    #[must_use]
    pub fn with_scheme(self, scheme: impl Scheme) -> Self {
        self.changed(|settings| settings.schemes.push(Arc::new(scheme)))
    }

    /// Adds a URL under which clients know the server.
    #[must_use]
    pub fn with_public_url(self, url: &str) -> Self {
        self.changed(|settings| settings.public_urls.push(url.to_owned()))
    }

    /// Explains read tokens too, which `keys` knows.
    #[must_use]
    pub fn with_read_tokens(self, keys: impl KeyStore) -> Self {
        self.changed(|settings| settings.read_tokens = Some(Arc::new(keys)))
    }

    /// Explains access tokens of this profile too, and requests for them: those of clients under debug.
    #[cfg(feature = "oauth2")]
    #[must_use]
    pub fn with_tokens(self, keys: impl KeyStore, profile: crate::jwt::Profile) -> Self {
        self.changed(|settings| settings.tokens = Some(tokens::Tokens { keys: Arc::new(keys), profile }))
    }

    /// Takes time from another clock.
    #[must_use]
    pub fn with_clock(self, clock: impl Clock) -> Self {
        self.changed(|settings| settings.clock = Arc::new(clock))
    }

    /// Explains every refusal, whatever the key: for development.
    ///
    /// # Security
    ///
    /// A stranger then makes the server work, and fills the log. It says so when it starts.
    #[must_use]
    pub fn for_development(self) -> Self {
        tracing::warn!("every refused request is explained into the log: for development only");
        self.changed(|settings| settings.all = true)
    }

    /// What was found out is begun anew.
    fn changed(self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = self.0.settings.clone();
        change(&mut settings);
        Self::with(settings)
    }

    /// What is kept under the id of a refusal, as a JSON document.
    #[must_use]
    pub fn find(&self, request_id: &str) -> Option<Arc<str>> {
        let kept = locked(&self.0.kept);
        kept.iter().rev().find(|entry| entry.0 == request_id).map(|entry| Arc::clone(&entry.1))
    }

    /// The same, and waits for one that is being explained.
    async fn found(&self, request_id: &str) -> Option<Arc<str>> {
        loop {
            let done = self.0.done.notified();
            if let Some(found) = self.find(request_id) {
                return Some(found);
            }
            if !locked(&self.0.open).contains(request_id) {
                return self.find(request_id);
            }
            done.await;
        }
    }

    /// How many refusals were explained.
    #[must_use]
    pub fn explained(&self) -> u64 {
        self.0.explained.load(Ordering::Relaxed)
    }

    /// How many were not, because there were too many.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.0.skipped.load(Ordering::Relaxed)
    }
}

impl Witness for Inspector {
    fn wants(&self, notice: &Notice, head: &Parts) -> bool {
        self.0.settings.all
            || notice.debugged
            || notice.key_id.is_none() && self.0.may_be_token(notice.scheme, head)
    }

    fn refused(&self, refused: Refused) {
        let known = self.0.settings.all || refused.debugged;
        if known && !self.0.admits(&refused) {
            self.0.skip();
            return;
        }
        let open = Open::new(&self.0, refused.request_id.as_str());
        tokio::spawn(async move {
            if !known {
                // Whoever it names has to be looked up first.
                let Ok(_lookup) = open.shared.lookups.try_acquire() else { return };
                if !open.shared.is_debugged(&refused).await {
                    return;
                }
                if !open.shared.admits(&refused) {
                    open.shared.skip();
                    return;
                }
            }
            let Ok(turn) = open.shared.turns.try_acquire() else {
                open.shared.skip();
                return;
            };
            open.shared.explain(refused, turn).await;
        });
    }
}

impl Shared {
    fn skip(&self) {
        self.skipped.fetch_add(1, Ordering::Relaxed);
        metrics::explanation("skipped");
    }

    /// Counts a refusal, and says whether there is time for it.
    fn admits(&self, refused: &Refused) -> bool {
        if refused.body.iter().map(bytes::Bytes::len).sum::<usize>() > BODY {
            return false;
        }
        let now = self.settings.clock.ticks();
        let key_id = refused.key_id.as_ref().map_or("", KeyId::as_str);
        let name = format!("{}\u{1f}{key_id}", refused.scheme.unwrap_or_default());
        let mut counted = locked(&self.counted);
        if counted.len() >= COUNTED {
            counted.clear();
        }
        let (since, count) = counted.entry(name).or_insert((now, 0));
        if now.saturating_sub(*since) >= WINDOW {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        *count <= PER_KEY
    }

    #[cfg(feature = "oauth2")]
    fn may_be_token(&self, scheme: Option<&'static str>, head: &Parts) -> bool {
        self.settings.tokens.is_some() && tokens::Tokens::may_be_of(scheme, head)
    }

    #[cfg(not(feature = "oauth2"))]
    const fn may_be_token(&self, _: Option<&'static str>, _: &Parts) -> bool {
        false
    }

    #[cfg(feature = "oauth2")]
    async fn is_debugged(&self, refused: &Refused) -> bool {
        let Some(tokens) = &self.settings.tokens else { return false };
        timeout(PATIENCE, tokens.is_debugged(refused, self.settings.clock.now())).await.unwrap_or_default()
    }

    #[cfg(not(feature = "oauth2"))]
    async fn is_debugged(&self, _: &Refused) -> bool {
        false
    }

    async fn explain(&self, refused: Refused, turn: SemaphorePermit<'_>) {
        let (request_id, outcome, scheme) = (refused.request_id.clone(), refused.outcome, refused.scheme);
        let mut report = self.of_tokens(&refused).await;
        if report.is_none() {
            report = self.of_signature(refused).await;
        }
        let report = report
            .unwrap_or_else(|| Report::new(outcome, scheme.unwrap_or("none"), None, Explanation::default()));
        drop(turn);
        self.tell(&report, request_id.as_str());
    }

    /// What is told of a token, or of a request for one; `None` if it is neither.
    async fn of_tokens(&self, refused: &Refused) -> Option<Report> {
        #[cfg(feature = "oauth2")]
        if let Some(tokens) = &self.settings.tokens
            && self.may_be_token(refused.scheme, &refused.head)
        {
            return timeout(PATIENCE, tokens.report(refused, self.settings.clock.now())).await.ok();
        }
        let keys = self.settings.read_tokens.as_ref().filter(|_| refused.scheme == Some(READ_TOKEN))?;
        timeout(PATIENCE, of_read_token(&**keys, refused)).await.ok()
    }

    /// What is told of a signed request.
    async fn of_signature(&self, refused: Refused) -> Option<Report> {
        let scheme = self.scheme_of(&refused)?;
        let named = refused.key_id.clone().or_else(|| named_key(&*scheme, &refused));
        let opened = match &named {
            Some(key_id) => self.settings.secrets.open_secrets(scheme.name(), key_id),
            None => Box::pin(async { Ok(Vec::new()) }),
        };
        let opened = timeout(PATIENCE, opened).await.ok().and_then(Result::ok).unwrap_or_default();
        let public_urls = self.settings.public_urls.clone();
        let explained =
            spawn_blocking(move || report(&*scheme, &refused, named.as_ref(), opened, &public_urls));
        explained.await.ok()
    }

    /// The scheme by which a request was refused, or else the first by which it is signed.
    fn scheme_of(&self, refused: &Refused) -> Option<Arc<dyn Scheme>> {
        let schemes = &self.settings.schemes;
        let found = match refused.scheme {
            Some(name) => schemes.iter().find(|scheme| scheme.name() == name),
            None => schemes.iter().find(|scheme| named_key(&***scheme, refused).is_some()),
        };
        found.cloned()
    }

    fn tell(&self, report: &Report, request_id: &str) {
        let causes = report.explanation.causes();
        let found: Vec<_> = causes.iter().map(crate::explain::Cause::found).collect();
        tracing::info!(
            request_id,
            outcome = report.outcome.as_str(),
            scheme = report.scheme,
            key_id = report.key_id,
            certain = report.explanation.is_certain(),
            hypothesis = report.hypothesis,
            found = found.join("; "),
            "refusal explained"
        );
        let told = report.told(&format!("request {request_id}"));
        let Ok(document) = serde_json::to_string(&Entry { request_id, report, told }) else { return };
        let mut kept = locked(&self.kept);
        if kept.len() >= KEPT {
            kept.pop_front();
        }
        kept.push_back((request_id.to_owned(), document.into()));
        self.explained.fetch_add(1, Ordering::Relaxed);
        metrics::explanation("explained");
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! The inspector: explains refused requests in a running server, for keys under debug, and keeps what it found out.
//!
//! It is a [`Witness`] of a [`VerifyLayer`](crate::VerifyLayer): a refused request of a key for which an operator has
//! said `countersign keys debug` is explained off its own path, told in one event, and kept under the id of the refusal
//! until newer ones take its place. The caller learns nothing of it.
//!
//! # Security
//!
//! What is kept is what the [explanation](crate::explain) says: texts with `{SECRET}` in the secret's place, at most
//! 4 KiB of each around the difference, and neither the presented nor the right signature. Show it on a listener that
//! only operators reach.

use crate::{
    clock::{Clock, SystemClock},
    credential::KeyId,
    explain::{Case, Explanation, Report},
    metrics,
    middleware::{Refused, Witness},
    outcome::Outcome,
    scheme::Scheme,
    store::{OpenSecrets, OpenedSecret},
};
use serde::Serialize;
use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
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
/// In milliseconds.
const WINDOW: u64 = 60_000;
/// How many keys are counted before counting begins anew.
const COUNTED: usize = 1024;
/// How long the secrets may take to be opened.
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
    all: bool,
}

#[derive(Debug)]
struct Shared {
    settings: Settings,
    kept: Mutex<VecDeque<(String, Arc<str>)>>,
    /// When counting began for a key, and how many there were since.
    counted: Mutex<HashMap<String, (u64, u32)>>,
    turns: Semaphore,
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
    fn wants_all(&self) -> bool {
        self.0.settings.all
    }

    fn refused(&self, refused: Refused) {
        if !self.0.admits(&refused) {
            self.0.skip();
            return;
        }
        let shared = Arc::clone(&self.0);
        tokio::spawn(async move {
            let Ok(turn) = shared.turns.try_acquire() else {
                shared.skip();
                return;
            };
            shared.explain(refused, turn).await;
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

    async fn explain(self: &Arc<Self>, refused: Refused, turn: SemaphorePermit<'_>) {
        let Some(scheme) = self.scheme_of(&refused) else { return };
        let named = refused.key_id.clone().or_else(|| named_key(&*scheme, &refused));
        let opened = match &named {
            Some(key_id) => self.settings.secrets.open_secrets(scheme.name(), key_id),
            None => Box::pin(async { Ok(Vec::new()) }),
        };
        let opened = timeout(PATIENCE, opened).await.ok().and_then(Result::ok).unwrap_or_default();
        let (public_urls, id) = (self.settings.public_urls.clone(), refused.request_id.clone());
        let explained =
            spawn_blocking(move || report(&*scheme, &refused, named.as_ref(), opened, &public_urls));
        let Ok(report) = explained.await else { return };
        drop(turn);
        self.tell(&report, id.as_str());
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

fn named_key(scheme: &dyn Scheme, refused: &Refused) -> Option<KeyId> {
    let named = Case::new(scheme, &refused.head, b"").with_target(&refused.target).named_key()?;
    KeyId::new(&named).ok()
}

fn report(
    scheme: &dyn Scheme,
    refused: &Refused,
    named: Option<&KeyId>,
    opened: Vec<OpenedSecret>,
    public_urls: &[String],
) -> Report {
    let body = refused.body.concat();
    let mut case = Case::new(scheme, &refused.head, &body).with_target(&refused.target).with_work(WORK);
    for url in public_urls {
        case = case.with_public_url(url);
    }
    for secret in opened {
        if let Some(named) = named {
            case = case.with_opened(named, secret);
        }
    }
    // Without a body that has arrived nothing can be proved, and what is said of it would mislead.
    let explanation = match is_whole(refused.outcome) {
        true => case.explain(),
        false => Explanation::default(),
    };
    Report::new(refused.outcome, scheme.name(), named.map(KeyId::as_str), explanation)
}

/// Whether a request was refused when all of it had arrived.
const fn is_whole(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::BadSignature
            | Outcome::UnknownKey
            | Outcome::Disabled
            | Outcome::Expired
            | Outcome::Revoked
            | Outcome::NotYetValid
            | Outcome::Stale
            | Outcome::Future
            | Outcome::WrongOrganization
    )
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

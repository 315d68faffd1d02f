//! A mock's keys and clock: those of production, but that a fault may tamper with them for one request.

use super::provider::lock;
use crate::{
    clock::{Clock, SystemClock},
    credential::{
        ClientSecret, Credential, KeyId, OAuthClient, Organization, Principal, SecretHash, SecretVersion,
    },
    secret::Secret,
    signature::{Algorithm, MacKey},
    store::{Found, KeyStore, Lookup, MemoryKeyStore, Record},
};
use std::{
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime},
};
use zeroize::Zeroizing;

tokio::task_local! {
    /// What a fault does to the verification of the request at hand.
    pub(super) static TAMPERING: Tampering;
}

/// What a fault may do to a verification.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tampering {
    /// Milliseconds that the clock is ahead.
    pub(super) skew: i64,
    /// The mock knows another secret than the client.
    pub(super) wrong_secret: bool,
    /// The credential has passed its end.
    pub(super) expired: bool,
}

impl Tampering {
    fn now() -> Self {
        TAMPERING.try_with(|tampering| *tampering).unwrap_or_default()
    }
}

/// The system's clock, moved by as much as a test says.
#[derive(Clone, Debug, Default)]
pub struct MockClock(Arc<AtomicI64>);

impl MockClock {
    pub(super) fn shift(&self, by: i64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    fn offset(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Clock for MockClock {
    fn now(&self) -> SystemTime {
        let ahead = self.offset().saturating_add(Tampering::now().skew);
        let by = Duration::from_millis(ahead.unsigned_abs());
        let now = SystemClock.now();
        if ahead < 0 { now.checked_sub(by) } else { now.checked_add(by) }.unwrap_or(now)
    }

    fn fill(&self, bytes: &mut [u8]) {
        SystemClock.fill(bytes);
    }

    fn ticks(&self) -> u64 {
        SystemClock.ticks().saturating_add_signed(self.offset().max(0))
    }
}

/// What a client needs to sign: made by the mock, or chosen by the test.
///
/// ```
/// use countersign::mock::MockCredential;
///
/// let credential = MockCredential::new("pk_test_1", "b0c1f6a2-a-long-secret").with_organization("acme");
/// assert_eq!(credential.secret(), "b0c1f6a2-a-long-secret");
/// assert!(!format!("{credential:?}").contains("b0c1"));
/// ```
#[derive(Clone)]
pub struct MockCredential {
    key_id: String,
    secret: Zeroizing<String>,
    public_key: Option<String>,
    organization: Option<String>,
}

impl MockCredential {
    /// A key id and its secret. What else the provider's credentials have, the mock makes.
    #[must_use]
    pub fn new(key_id: impl Into<String>, secret: impl Into<String>) -> Self {
        let secret = Zeroizing::new(secret.into());
        Self { key_id: key_id.into(), secret, public_key: None, organization: None }
    }

    /// Sets the organization: Ateliere's slug, SalesCloud's UUID, Corezoid's company id.
    #[must_use]
    pub fn with_organization(mut self, organization: impl Into<String>) -> Self {
        self.organization = Some(organization.into());
        self
    }

    /// Sets SalesCloud's public key.
    #[must_use]
    pub fn with_public_key(mut self, public_key: impl Into<String>) -> Self {
        self.public_key = Some(public_key.into());
        self
    }

    /// Ateliere's public key, SalesCloud's application, Corezoid's API login, Ayyeka's client key.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The secret, as text.
    ///
    /// # Security
    ///
    /// It opens the mock and nothing else, unless the test brought one along that opens more.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// The public key that travels beside the key id, for SalesCloud.
    #[must_use]
    pub fn public_key(&self) -> Option<&str> {
        self.public_key.as_deref()
    }

    /// The organization that the credential acts for, if the provider has such.
    #[must_use]
    pub fn organization(&self) -> Option<&str> {
        self.organization.as_deref()
    }

    /// This credential, with what it lacks taken from another.
    pub(super) fn completed_by(self, other: Self) -> Self {
        Self {
            public_key: self.public_key.or(other.public_key),
            organization: self.organization.or(other.organization),
            ..self
        }
    }

    /// This credential with the secret of another.
    pub(super) fn with_secret_of(self, other: Self) -> Self {
        Self { secret: other.secret, ..self }
    }

    /// Why the mock could not take it: an empty name, or a blank secret.
    pub(super) fn check(&self) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        KeyId::new(&self.key_id)?;
        Secret::new(self.secret.as_bytes())?;
        self.organization.as_deref().map(Organization::new).transpose()?;
        Ok(())
    }
}

impl fmt::Debug for MockCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockCredential")
            .field("key_id", &self.key_id)
            .field("organization", &self.organization)
            .finish_non_exhaustive()
    }
}

/// Keys in memory. Cloning shares them.
#[derive(Clone, Debug)]
pub struct MockKeys {
    store: Arc<MemoryKeyStore>,
    clock: MockClock,
    /// The number of the newest secret: none is ever given twice.
    secrets: Arc<Mutex<i64>>,
}

impl MockKeys {
    pub(super) fn new() -> Self {
        let clock = MockClock::default();
        let store = Arc::new(MemoryKeyStore::with_clock(clock.clone()));
        Self { store, clock, secrets: Arc::default() }
    }

    pub(super) const fn clock(&self) -> &MockClock {
        &self.clock
    }

    /// The store, for what only one provider keeps there.
    pub fn store(&self) -> &MemoryKeyStore {
        &self.store
    }

    /// Lets a key of a signature scheme in, and installs it in its organization.
    pub fn admit_key(&self, scheme: &str, algorithm: Algorithm, credential: &MockCredential) {
        // What cannot be stored has been refused before the mock started.
        let (Ok(key_id), Ok(secret)) =
            (KeyId::new(credential.key_id()), Secret::new(credential.secret().as_bytes()))
        else {
            return;
        };
        let Ok(owner) = Principal::new("mock") else { return };
        let version = SecretVersion::new(self.next_number(), MacKey::new(algorithm, &secret));
        let mut stored = Credential::new(owner, [version]);
        stored.public_key = credential.public_key().map(Into::into);
        if let Some(organization) = credential.organization().and_then(|name| Organization::new(name).ok()) {
            self.store.install(scheme, &key_id, &organization);
            stored.organization = Some(organization);
        }
        self.store.insert(scheme, key_id.as_str(), stored);
    }

    /// Lets an OAuth client in.
    pub fn admit_client(&self, credential: &MockCredential) {
        let (Ok(client_id), Ok(owner)) = (KeyId::new(credential.key_id()), Principal::new("mock")) else {
            return;
        };
        let hash = SecretHash::of(credential.secret().as_bytes());
        let mut client = OAuthClient::new(client_id, owner, [ClientSecret::new(self.next_number(), hash)]);
        client.organization = credential.organization().and_then(|name| Organization::new(name).ok());
        self.store.insert_client(client);
    }

    fn next_number(&self) -> i64 {
        let mut newest = lock(&self.secrets);
        *newest += 1;
        *newest
    }
}

impl KeyStore for MockKeys {
    fn find(&self, lookup: Lookup<'_>) -> Found {
        let found = self.store.find(lookup);
        let tampering = Tampering::now();
        match found {
            Found::Ready(Some(record)) => Found::Ready(tamper(record, tampering)),
            found => found,
        }
    }
}

fn tamper(mut record: Record, tampering: Tampering) -> Option<Record> {
    let past = tampering.expired.then_some(SystemTime::UNIX_EPOCH);
    match &mut record {
        Record::Credential(credential) => {
            credential.expires_at = past.or(credential.expires_at);
            if tampering.wrong_secret {
                let mut random = [0; 32];
                SystemClock.fill(&mut random);
                let secret = Secret::from_random(random);
                for version in credential.secrets.iter_mut() {
                    version.key = MacKey::new(version.key.algorithm(), &secret);
                }
            }
        }
        Record::Client(client) => {
            let client = Arc::make_mut(client);
            client.expires_at = past.or(client.expires_at);
            if tampering.wrong_secret {
                client.secrets.iter_mut().for_each(|secret| secret.hash = SecretHash::of(b"another"));
            }
        }
        Record::ReadToken(token) => {
            let token = Arc::make_mut(token);
            token.expires_at = past.or(token.expires_at);
            return (!tampering.wrong_secret).then_some(record);
        }
        Record::TokenKeys(_) => return (!tampering.wrong_secret).then_some(record),
        _ => {}
    }
    Some(record)
}

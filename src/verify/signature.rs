//! The one place that knows the order of a verification: read, find, hash, compare, time, standing, tenant, look again.

use super::{
    Tolerance, Verifier, in_force,
    steps::{ActsFor, Begun, Passed, Proven, Records, Seeking, Signing, Step, Steps, Verification},
    tenant::OrganizationPaths,
};
use crate::{
    clock::{Clock, SystemClock},
    credential::{KeyId, Organization, SecretVersion},
    error::{ConfigError, VerifyError, VerifyErrorKind},
    message::Message,
    metrics::Skew,
    scheme::{Parameters, Presented, Scheme, Tenancy},
    secret::Secret,
    signature::{Computation, MacKey, SignatureBase},
    store::{Found, KeyStore, LastUsed, Lookup, Record, StoreError},
};
use http::{HeaderValue, Uri, request::Parts};
use std::{sync::Arc, time::SystemTime};

/// How many other spellings of the signature base run over one pass of the body.
const SPELLINGS_A_PASS: usize = 2;

/// Verifies the requests of one scheme against one key store.
///
/// ```
/// use countersign::{scheme::Corezoid, store::MemoryKeyStore, verify::{SignatureVerifier, Tolerance}};
/// use std::time::Duration;
///
/// let verifier = SignatureVerifier::new(Corezoid::default(), MemoryKeyStore::new())
///     .with_tolerance(Tolerance::within(Duration::from_secs(60)));
/// ```
#[derive(Debug)]
pub struct SignatureVerifier {
    scheme: Box<dyn Scheme>,
    keys: Arc<dyn KeyStore>,
    clock: Arc<dyn Clock>,
    tolerance: Tolerance,
    organization_paths: OrganizationPaths,
    /// Stands in for the key of a caller who names none that exists, so that the answer costs the same.
    dummy: MacKey,
    last_used: Option<LastUsed>,
    skew: Skew,
}

impl SignatureVerifier {
    /// Makes a verifier with the system's clock and a tolerance of 300 s.
    pub fn new(scheme: impl Scheme, keys: impl KeyStore) -> Self {
        let mut random = [0; 32];
        SystemClock.fill(&mut random);
        let dummy = MacKey::new(scheme.algorithm(), &Secret::from_random(random));
        let organization_paths = OrganizationPaths::among(scheme.routes().listed());
        Self {
            scheme: Box::new(scheme),
            keys: Arc::new(keys),
            clock: Arc::new(SystemClock),
            tolerance: Tolerance::default(),
            organization_paths,
            dummy,
            last_used: None,
            skew: Skew::default(),
        }
    }

    /// Takes time from another clock.
    ///
    /// # Security
    ///
    /// The clock decides what is stale and what has expired.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Sets how far a signed time may lie from the arrival of the request. Schemes that sign no time ignore it.
    ///
    /// # Security
    ///
    /// Within the tolerance a captured request can be repeated.
    #[must_use]
    pub const fn with_tolerance(mut self, tolerance: Tolerance) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Notes which secrets are used, and when.
    #[must_use]
    pub fn with_last_used(mut self, last_used: LastUsed) -> Self {
        self.last_used = Some(last_used);
        self
    }

    /// Says in which paths a segment names an organization: a template like `/{organization}/graphql`. A request there
    /// must be verified for just that organization. Templates among the scheme's own routes count without being
    /// repeated here.
    ///
    /// # Errors
    ///
    /// [`ConfigError::RouteTemplate`].
    pub fn with_organization_path(mut self, template: &str) -> Result<Self, ConfigError> {
        self.organization_paths.add(template)?;
        Ok(self)
    }

    /// What the message presents, if it may come by this route.
    fn read<'m>(&self, message: &Message<'m>) -> Result<Option<Presented<'m>>, VerifyError> {
        let Some(presented) = self.scheme.read(message)? else { return Ok(None) };
        if !self.scheme.routes().allow(message.method(), message.path(), message.query()) {
            return Err(VerifyError::malformed(
                "credentials on a method, path or query that they are not for",
            ));
        }
        Ok(Some(presented))
    }

    /// Asks the store for everything that decides over this key and organization. What is at hand is put in its place;
    /// what is not has to be waited for.
    fn seek(&self, key_id: &str, organization: Option<&str>, place: &mut Records) -> Option<Seeking> {
        let scheme = self.scheme.name();
        let app = match (self.scheme.tenancy(), organization) {
            (Tenancy::Installed, Some(organization)) => {
                self.keys.find(Lookup::Installation { scheme, key_id, organization })
            }
            _ => Found::Ready(None),
        };
        let mut key = self.keys.find(Lookup::Key { scheme, key_id });
        if let (Found::Ready(key), Found::Ready(app)) = (&mut key, &app) {
            // The record is large, and moves once.
            place.key = key.take();
            place.installed = Records::says_installed(app.as_ref());
            return None;
        }
        Some(Seeking(Box::pin(
            async move { Ok(Records::new(settle(key).await?, settle(app).await?.as_ref())) },
        )))
    }

    /// Begins to compute what the signature should be.
    fn begin_signing(
        &self,
        verification: &mut Verification,
        message: &Message<'_>,
        presented: &Presented<'_>,
    ) {
        let Parameters { public_key, ref time, .. } = presented.parameters;
        // A key id beside another public key than its own names no key at all.
        if verification.records.credential().is_some_and(|credential| !credential.goes_with(public_key)) {
            verification.records.key = None;
        }
        let base = [self.scheme.signature_base(message, &presented.parameters)];
        let signing = verification.signing.insert(Signing {
            presented: presented.signature,
            computation: Computation::default(),
            time: time.as_ref().map(|time| time.at),
            rounds: 0,
            proven: None,
        });
        self.compute(&mut signing.computation, &base, &verification.records, verification.arrived);
    }

    /// Begins a computation with every live secret, or with the dummy if there is none.
    fn compute(
        &self,
        computation: &mut Computation,
        bases: &[SignatureBase<'_>],
        records: &Records,
        arrived: SystemTime,
    ) {
        if records.live(arrived).next().is_none() {
            return computation.add(bases, std::iter::once(&self.dummy));
        }
        computation.add(bases, records.live(arrived).map(|version| &version.key));
    }

    /// Begins the next spellings; `None` if all were tried.
    fn next_spellings(&self, verification: &mut Verification, head: &Parts, target: &Uri) -> Option<()> {
        // Both succeeded when the verification began.
        let message = Message::new(head, target).ok()?;
        let presented = self.scheme.read(&message).ok()??;
        let alternates = self.scheme.alternates(&message, &presented.parameters);
        let signing = verification.signing.as_mut()?;
        let bases = alternates.chunks(SPELLINGS_A_PASS).nth(signing.rounds)?;
        signing.computation = Computation::default();
        self.compute(&mut signing.computation, bases, &verification.records, verification.arrived);
        signing.rounds += 1;
        Some(())
    }

    /// What the presented signature was made with, if it is right.
    fn prove(&self, verification: &mut Verification) -> Option<Proven> {
        let signing = verification.signing.as_mut()?;
        let matched = signing.computation.matches(&signing.presented)?;
        let secret = verification.records.live(verification.arrived).nth(matched.key)?.number;
        let spelling = match signing.rounds {
            0 => 0,
            round => (round - 1) * SPELLINGS_A_PASS + matched.base + 1,
        };
        signing.proven = Some(Proven { secret, spelling });
        signing.proven
    }

    /// The verdict over a right signature, by what the store says now.
    fn judge(
        &self,
        verification: &mut Verification,
        target: &Uri,
        now: SystemTime,
    ) -> Result<(), VerifyError> {
        let records = &verification.records;
        let proven = verification.signing.as_ref().and_then(|signing| signing.proven);
        let proven = proven.ok_or(VerifyErrorKind::Internal)?;
        let credential = records.credential().ok_or(VerifyErrorKind::UnknownKey)?;
        in_force(credential.standing(now))?;
        if !records.live(now).any(|version| version.number == proven.secret) {
            return Err(VerifyErrorKind::Expired.into());
        }
        let (own, named) = (credential.organization.as_ref(), verification.organization.as_ref());
        let (at_home, acts_for, organization) = match self.scheme.tenancy() {
            Tenancy::Own => (true, ActsFor::Own, own),
            Tenancy::Named => (named.is_some() && named == own, ActsFor::Named, named),
            Tenancy::Installed => (named.is_none() || records.installed, ActsFor::Named, named),
        };
        if !at_home {
            return Err(VerifyErrorKind::WrongOrganization.into());
        }
        self.organization_paths.check(target.path(), organization)?;
        if let (Some(last_used), Some(key_id)) = (&self.last_used, &verification.key_id) {
            last_used.note(verification.scheme, key_id, proven.secret, now);
        }
        verification.passed = Some(Passed {
            acts_for,
            previous_secret: credential.secrets.iter().any(|version| version.number > proven.secret),
            spelling: proven.spelling,
        });
        Ok(())
    }
}

impl Verifier for SignatureVerifier {
    fn challenges(&self) -> Vec<HeaderValue> {
        vec![HeaderValue::from_static(self.scheme.challenge())]
    }
}

impl Steps for SignatureVerifier {
    fn begin(
        &self,
        message: &Message<'_>,
        place: &mut Option<Verification>,
    ) -> Result<Option<Begun>, VerifyError> {
        let Some(presented) = self.read(message)? else { return Ok(None) };
        let Parameters { key_id: id, organization: ref named, .. } = presented.parameters;
        // What cannot be a name is not looked up.
        let name = |error| VerifyError::with_source(VerifyErrorKind::Malformed, error);
        let verification = place.insert(Verification {
            verifier: 0,
            arrived: self.clock.now(),
            scheme: self.scheme.name(),
            key_id: Some(KeyId::new(id).map_err(name)?),
            organization: named.as_deref().map(Organization::new).transpose().map_err(name)?,
            records: Records::default(),
            signing: None,
            waited: false,
            passed: None,
        });
        if let Some(seeking) = self.seek(id, named.as_deref(), &mut verification.records) {
            return Ok(Some(Begun::Seeking(seeking)));
        }
        self.begin_signing(verification, message, &presented);
        Ok(Some(Begun::Ready))
    }

    fn resume(
        &self,
        verification: &mut Verification,
        message: &Message<'_>,
        records: Records,
    ) -> Result<(), VerifyError> {
        let presented = self.read(message)?.ok_or(VerifyErrorKind::Internal)?;
        verification.records = records;
        self.begin_signing(verification, message, &presented);
        Ok(())
    }

    fn finish(
        &self,
        verification: &mut Verification,
        head: &Parts,
        target: &Uri,
    ) -> Result<Step, VerifyError> {
        if verification.signing.as_ref().is_some_and(|signing| signing.computation.is_too_long()) {
            return Err(VerifyErrorKind::BodyTooLarge.into());
        }
        if self.prove(verification).is_none() {
            let again = self.next_spellings(verification, head, target).map(|()| Step::Again);
            return again.ok_or_else(|| verification.records.mismatch(verification.arrived).into());
        }
        if let Some(time) = verification.signing.as_ref().and_then(|signing| signing.time) {
            self.skew.record(time, verification.arrived);
            self.tolerance.check(time, verification.arrived)?;
        }
        let mut now = verification.arrived;
        if verification.waited {
            // The upload took its time: what was true at its beginning may no longer be.
            let Verification { key_id, organization, records, .. } = verification;
            let key_id = key_id.as_ref().map_or("", KeyId::as_str);
            let organization = organization.as_ref().map(Organization::as_str);
            if let Some(seeking) = self.seek(key_id, organization, records) {
                return Ok(Step::Seeking(seeking));
            }
            now = self.clock.now();
        }
        self.judge(verification, target, now).map(|()| Step::Done)
    }

    fn decide(
        &self,
        verification: &mut Verification,
        records: Records,
        target: &Uri,
    ) -> Result<(), VerifyError> {
        verification.records = records;
        self.judge(verification, target, self.clock.now())
    }

    fn flatten(self: Arc<Self>) -> Vec<Arc<dyn Verifier>> {
        vec![self]
    }
}

pub(super) async fn settle(found: Found) -> Result<Option<Record>, VerifyError> {
    match found {
        Found::Ready(record) => Ok(record),
        Found::Pending(record) => record.await.map_err(unavailable),
    }
}

fn unavailable(error: StoreError) -> VerifyError {
    VerifyError::with_source(VerifyErrorKind::StoreUnavailable, error)
}

impl Records {
    const fn says_installed(app: Option<&Record>) -> bool {
        matches!(app, Some(Record::Installation(_)))
    }

    fn new(key: Option<Record>, app: Option<&Record>) -> Self {
        Self {
            key,
            installed: Self::says_installed(app),
            #[cfg(feature = "oauth2")]
            claims: None,
        }
    }

    /// The secrets that may be used at `now`.
    fn live(&self, now: SystemTime) -> impl Iterator<Item = &SecretVersion> + Clone {
        let secrets = self.credential().map_or(&[][..], |credential| &credential.secrets);
        secrets.iter().filter(move |version| version.is_live(now))
    }

    /// What a signature that matches no secret means.
    fn mismatch(&self, now: SystemTime) -> VerifyErrorKind {
        match self.credential() {
            None => VerifyErrorKind::UnknownKey,
            Some(_) if self.live(now).next().is_none() => VerifyErrorKind::Expired,
            Some(_) => VerifyErrorKind::BadSignature,
        }
    }
}

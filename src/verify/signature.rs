//! The one place that knows the order of a verification: read, find, hash, compare, time, standing, tenant, look again.

use super::{
    Tolerance, Verified, Verifier,
    steps::{Begun, Records, Seeking, Start, Step, Steps, Verdict, Verification},
};
use crate::{
    clock::{Clock, SystemClock},
    credential::{KeyId, Organization, SecretVersion, Standing},
    error::{ConfigError, VerifyError, VerifyErrorKind},
    message::Message,
    scheme::{Parameters, Presented, Route, Scheme, Tenancy},
    secret::Secret,
    signature::{Computation, MacKey, SignatureBase},
    store::{Found, KeyStore, LastUsed, Lookup, Record, StoreError},
};
use http::{HeaderValue, Method, Uri, request::Parts};
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
    organization_paths: Vec<Route>,
    /// Stands in for the key of a caller who names none that exists, so that the answer costs the same.
    dummy: MacKey,
    last_used: Option<LastUsed>,
}

impl SignatureVerifier {
    /// Makes a verifier with the system's clock and a tolerance of 300 s.
    pub fn new(scheme: impl Scheme, keys: impl KeyStore) -> Self {
        let mut random = [0; 32];
        SystemClock.fill(&mut random);
        let dummy = MacKey::new(scheme.algorithm(), &Secret::from_random(random));
        let named = scheme.routes().listed().iter().filter(|route| route.names("organization"));
        let organization_paths = named.cloned().collect();
        Self {
            scheme: Box::new(scheme),
            keys: Arc::new(keys),
            clock: Arc::new(SystemClock),
            tolerance: Tolerance::default(),
            organization_paths,
            dummy,
            last_used: None,
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
        self.organization_paths.push(Route::new(Method::POST, template)?);
        Ok(self)
    }

    /// What the message presents, if it may come by this route and its names are fit to be looked up.
    fn read<'m>(&self, message: &Message<'m>) -> Result<Option<Read<'m>>, VerifyError> {
        let Some(presented) = self.scheme.read(message)? else { return Ok(None) };
        if !self.scheme.routes().allow(message.method(), message.path(), message.query()) {
            return Err(VerifyError::malformed(
                "credentials on a method, path or query that they are not for",
            ));
        }
        let name = |error| VerifyError::with_source(VerifyErrorKind::Malformed, error);
        let organization = presented.parameters.organization.as_deref();
        Ok(Some(Read {
            key_id: KeyId::new(presented.parameters.key_id).map_err(name)?,
            organization: organization.map(Organization::new).transpose().map_err(name)?,
            presented,
        }))
    }

    /// Asks the store for everything that decides over this key and organization.
    fn seek(&self, key_id: &KeyId, organization: Option<&Organization>) -> Sought {
        let (scheme, key_id) = (self.scheme.name(), key_id.as_str());
        let key = self.keys.find(Lookup::Key { scheme, key_id });
        let app = match (self.scheme.tenancy(), organization) {
            (Tenancy::Installed, Some(organization)) => {
                let organization = organization.as_str();
                self.keys.find(Lookup::Installation { scheme, key_id, organization })
            }
            _ => Found::Ready(None),
        };
        match (key, app) {
            (Found::Ready(key), Found::Ready(app)) => Sought::Ready(Records::new(key, app)),
            (key, app) => Sought::Pending(Seeking(Box::pin(async move {
                Ok(Records::new(settle(key).await?, settle(app).await?))
            }))),
        }
    }

    fn verification(
        &self,
        message: &Message<'_>,
        read: Read<'_>,
        mut records: Records,
        start: Start,
    ) -> Verification {
        let Parameters { public_key, ref time, .. } = read.presented.parameters;
        // A key id beside another public key than its own names no key at all.
        records.credential.take_if(|credential| !credential.goes_with(public_key));
        let base = [self.scheme.signature_base(message, &read.presented.parameters)];
        Verification {
            computation: self.compute(&base, &records, start.arrived),
            signature: read.presented.signature,
            scheme: self.scheme.name(),
            key_id: read.key_id,
            organization: read.organization,
            time: time.as_ref().map(|time| time.at),
            records,
            rounds: 0,
            waited: false,
            start,
        }
    }

    /// Begins a computation with every live secret, or with the dummy if there is none.
    fn compute(&self, bases: &[SignatureBase<'_>], records: &Records, arrived: SystemTime) -> Computation {
        if records.live(arrived).next().is_none() {
            return Computation::begin(bases, std::iter::once(&self.dummy));
        }
        Computation::begin(bases, records.live(arrived).map(|version| &version.key))
    }

    /// Begins the next spellings; `None` if all were tried.
    fn next_spellings(&self, verification: &mut Verification, head: &Parts, target: &Uri) -> Option<()> {
        // Both succeeded when the verification began.
        let message = Message::new(head, target).ok()?;
        let presented = self.scheme.read(&message).ok()??;
        let alternates = self.scheme.alternates(&message, &presented.parameters);
        let bases = alternates.chunks(SPELLINGS_A_PASS).nth(verification.rounds)?;
        verification.computation = self.compute(bases, &verification.records, verification.start.arrived);
        verification.rounds += 1;
        Some(())
    }

    /// The organization that the path names, if it names one. Two different ones cannot both be the verified one.
    fn named_in(&self, path: &str) -> Result<Option<Organization>, VerifyError> {
        let named = self
            .organization_paths
            .iter()
            .filter(|route| route.matches_path(path))
            .filter_map(|route| route.named("organization", path));
        let mut only = None;
        for named in named {
            let named = Organization::new(named).map_err(|_| elsewhere())?;
            if only.replace(named.clone()).is_some_and(|other| other != named) {
                return Err(elsewhere());
            }
        }
        Ok(only)
    }

    /// The case that a right signature makes, if its time is right too.
    fn case(
        &self,
        verification: &Verification,
        secret: i64,
        spelling: usize,
        path: &str,
    ) -> Result<Case, VerifyError> {
        if let Some(time) = verification.time {
            self.tolerance.check(time, verification.start.arrived)?;
        }
        Ok(Case {
            scheme: verification.scheme,
            tenancy: self.scheme.tenancy(),
            key_id: verification.key_id.clone(),
            organization: verification.organization.clone(),
            named_in_path: self.named_in(path)?,
            secret,
            spelling,
            last_used: self.last_used.clone(),
        })
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
        let Some(read) = self.read(message)? else { return Ok(None) };
        let start = Start { verifier: 0, arrived: self.clock.now() };
        Ok(Some(match self.seek(&read.key_id, read.organization.as_ref()) {
            Sought::Ready(records) => {
                *place = Some(self.verification(message, read, records, start));
                Begun::Ready
            }
            Sought::Pending(seeking) => Begun::Seeking(start, seeking),
        }))
    }

    fn resume(
        &self,
        start: Start,
        message: &Message<'_>,
        records: Records,
    ) -> Result<Verification, VerifyError> {
        let read = self.read(message)?.ok_or(VerifyErrorKind::Internal)?;
        Ok(self.verification(message, read, records, start))
    }

    fn finish(&self, verification: &mut Verification, head: &Parts, target: &Uri) -> Step {
        let Some(matched) = verification.computation.matches(&verification.signature) else {
            return match self.next_spellings(verification, head, target) {
                Some(()) => Step::Again,
                None => Step::Done(Err(verification.records.mismatch(verification.start.arrived).into())),
            };
        };
        let secret = verification.records.live(verification.start.arrived).nth(matched.key);
        let Some(secret) = secret.map(|version| version.number) else {
            return Step::Done(Err(verification.records.mismatch(verification.start.arrived).into()));
        };
        let spelling = match verification.rounds {
            0 => 0,
            round => (round - 1) * SPELLINGS_A_PASS + matched.base + 1,
        };
        let case = match self.case(verification, secret, spelling, target.path()) {
            Ok(case) => case,
            Err(error) => return Step::Done(Err(error)),
        };
        if !verification.waited {
            return Step::Done(case.judge(&verification.records, verification.start.arrived));
        }
        // The upload took its time: what was true at its beginning may no longer be.
        let clock = Arc::clone(&self.clock);
        match self.seek(&case.key_id, case.organization.as_ref()) {
            Sought::Ready(records) => Step::Done(case.judge(&records, clock.now())),
            Sought::Pending(records) => Step::Pending(Verdict(Box::pin(async move {
                let records = records.await?;
                case.judge(&records, clock.now())
            }))),
        }
    }

    fn flatten(self: Arc<Self>) -> Vec<Arc<dyn Verifier>> {
        vec![self]
    }
}

/// What a message presents.
struct Read<'m> {
    presented: Presented<'m>,
    key_id: KeyId,
    organization: Option<Organization>,
}

/// A request whose signature is right, before it is known whether its key may be used.
struct Case {
    scheme: &'static str,
    tenancy: Tenancy,
    key_id: KeyId,
    organization: Option<Organization>,
    named_in_path: Option<Organization>,
    secret: i64,
    spelling: usize,
    last_used: Option<LastUsed>,
}

impl Case {
    /// The organization that the request would act for.
    fn acts_for<'a>(&'a self, records: &'a Records) -> Option<&'a Organization> {
        match self.tenancy {
            Tenancy::Own => records.credential.as_ref()?.organization.as_ref(),
            Tenancy::Installed | Tenancy::Named => self.organization.as_ref(),
        }
    }

    /// The verdict over a right signature, by what the store says now.
    fn judge(self, records: &Records, now: SystemTime) -> Result<Verified, VerifyError> {
        let credential = records.credential.as_ref().ok_or(VerifyErrorKind::UnknownKey)?;
        match credential.standing(now) {
            Standing::InForce => {}
            Standing::Disabled => return Err(VerifyErrorKind::Disabled.into()),
            Standing::Expired => return Err(VerifyErrorKind::Expired.into()),
            Standing::NotYetValid => return Err(VerifyErrorKind::NotYetValid.into()),
            Standing::Revoked => return Err(VerifyErrorKind::Revoked.into()),
        }
        if !records.live(now).any(|version| version.number == self.secret) {
            return Err(VerifyErrorKind::Expired.into());
        }
        let at_home = match self.tenancy {
            Tenancy::Own => true,
            Tenancy::Named => self.organization.is_some() && self.organization == credential.organization,
            Tenancy::Installed => self.organization.is_none() || records.installed,
        };
        if !at_home {
            return Err(VerifyErrorKind::WrongOrganization.into());
        }
        if self.named_in_path.as_ref().is_some_and(|named| self.acts_for(records) != Some(named)) {
            return Err(elsewhere());
        }
        if let Some(last_used) = &self.last_used {
            last_used.note(self.scheme, &self.key_id, self.secret, now);
        }
        Ok(Verified {
            organization: self.acts_for(records).cloned(),
            principal: credential.principal.clone(),
            previous_secret: credential.secrets.iter().any(|version| version.number > self.secret),
            scheme: self.scheme,
            key_id: self.key_id,
            spelling: self.spelling,
        })
    }
}

fn elsewhere() -> VerifyError {
    VerifyError::with_detail(VerifyErrorKind::WrongOrganization, "the path names another organization")
}

enum Sought {
    Ready(Records),
    Pending(Seeking),
}

async fn settle(found: Found) -> Result<Option<Record>, VerifyError> {
    match found {
        Found::Ready(record) => Ok(record),
        Found::Pending(record) => record.await.map_err(unavailable),
    }
}

fn unavailable(error: StoreError) -> VerifyError {
    VerifyError::with_source(VerifyErrorKind::StoreUnavailable, error)
}

impl Records {
    fn new(key: Option<Record>, app: Option<Record>) -> Self {
        let credential = match key {
            Some(Record::Credential(credential)) => Some(credential),
            _ => None,
        };
        Self { credential, installed: app.is_some_and(|app| matches!(app, Record::Installation(_))) }
    }

    /// The secrets that may be used at `now`.
    fn live(&self, now: SystemTime) -> impl Iterator<Item = &SecretVersion> + Clone {
        let secrets = self.credential.as_ref().map_or(&[][..], |credential| &credential.secrets);
        secrets.iter().filter(move |version| version.is_live(now))
    }

    /// What a signature that matches no secret means.
    fn mismatch(&self, now: SystemTime) -> VerifyErrorKind {
        match &self.credential {
            None => VerifyErrorKind::UnknownKey,
            Some(_) if self.live(now).next().is_none() => VerifyErrorKind::Expired,
            Some(_) => VerifyErrorKind::BadSignature,
        }
    }
}

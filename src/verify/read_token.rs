//! Read tokens: `Authorization: ReadAccessToken …`, as in SalesCloud's document.

use super::{
    Verifier, authorization, in_force, signature,
    steps::{Begun, Passed, Records, Seeking, Step, Steps, Verification},
    tenant::OrganizationPaths,
};
use crate::{
    clock::{Clock, SystemClock},
    credential::{ReadToken, SecretHash},
    error::{ConfigError, VerifyError, VerifyErrorKind},
    message::Message,
    store::{Found, KeyStore, Lookup, Record},
};
use http::{HeaderName, HeaderValue, Uri, request::Parts};
use std::{sync::Arc, time::SystemTime};

const SCHEME: &str = "salescloud-read-token";
const WORD: &str = "ReadAccessToken";
/// The longest token that is looked at, in bytes.
const LONGEST: usize = 1024;

static ORGANIZATION: HeaderName = HeaderName::from_static("salescloud-organization");

/// Verifies read tokens: [`Access::Read`](crate::credential::Access::Read), in the one organization that the token is bound to.
///
/// The store knows a token by its SHA-256 only. `SalesCloud-Organization` need not be sent; where it is, it must name the
/// token's own organization.
///
/// ```
/// use countersign::{store::MemoryKeyStore, verify::ReadTokenVerifier};
///
/// let verifier = ReadTokenVerifier::new(MemoryKeyStore::new()).with_organization_path("/{organization}/graphql")?;
/// # Ok::<(), countersign::error::ConfigError>(())
/// ```
///
/// # Security
///
/// A token signs nothing: whoever reads it on its way can send it again with any request. What it may do is the
/// handler's to restrict, by [`Verified::access`](super::Verified::access). The body is held under the layer's limits like a signed one, but
/// nothing vouches for it.
#[derive(Debug)]
pub struct ReadTokenVerifier {
    keys: Arc<dyn KeyStore>,
    clock: Arc<dyn Clock>,
    paths: OrganizationPaths,
}

impl ReadTokenVerifier {
    /// Makes a verifier with the system's clock.
    #[must_use]
    pub fn new(keys: impl KeyStore) -> Self {
        Self { keys: Arc::new(keys), clock: Arc::new(SystemClock), paths: OrganizationPaths::default() }
    }

    /// Takes time from another clock.
    ///
    /// # Security
    ///
    /// The clock decides what has expired.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Says in which paths a segment names an organization, as
    /// [`SignatureVerifier::with_organization_path`](super::SignatureVerifier::with_organization_path).
    ///
    /// # Errors
    ///
    /// [`ConfigError::RouteTemplate`].
    pub fn with_organization_path(mut self, template: &str) -> Result<Self, ConfigError> {
        self.paths.add(template)?;
        Ok(self)
    }

    /// Asks the store for the token, whose hash is all that it is told.
    fn seek(&self, token: &str, verification: &mut Verification) -> Option<Seeking> {
        let hash = SecretHash::of(token.as_bytes());
        match self.keys.find(Lookup::ReadToken { hash: &hash }) {
            Found::Ready(key) => {
                verification.take_token(Records { key, ..Records::default() });
                None
            }
            pending => Some(Seeking(Box::pin(async move {
                Ok(Records { key: signature::settle(pending).await?, ..Records::default() })
            }))),
        }
    }

    fn judge(
        &self,
        verification: &mut Verification,
        target: &Uri,
        now: SystemTime,
    ) -> Result<(), VerifyError> {
        let token = verification.records.read_token().ok_or(VerifyErrorKind::UnknownKey)?;
        in_force(token.standing(now))?;
        if verification.organization.as_ref().is_some_and(|named| *named != token.organization) {
            return Err(VerifyErrorKind::WrongOrganization.into());
        }
        self.paths.check(target.path(), Some(&token.organization))?;
        verification.passed = Some(Passed::TOKEN);
        Ok(())
    }
}

fn read<'m>(message: &Message<'m>) -> Result<Option<&'m str>, VerifyError> {
    match authorization::token(message, WORD)? {
        Some(token) if token.len() > LONGEST => Err(VerifyError::malformed("the token is too long")),
        token => Ok(token),
    }
}

impl Verifier for ReadTokenVerifier {
    fn challenges(&self) -> Vec<HeaderValue> {
        vec![HeaderValue::from_static(WORD)]
    }
}

impl Steps for ReadTokenVerifier {
    fn begin(
        &self,
        message: &Message<'_>,
        place: &mut Option<Verification>,
    ) -> Result<Option<Begun>, VerifyError> {
        let Some(token) = read(message)? else { return Ok(None) };
        let verification = place.insert(Verification::of_token(SCHEME, self.clock.now()));
        verification.organization = message
            .text_once(&ORGANIZATION)?
            .map(crate::credential::Organization::new)
            .transpose()
            .map_err(|error| VerifyError::with_source(VerifyErrorKind::Malformed, error))?;
        Ok(Some(self.seek(token, verification).map_or(Begun::Ready, Begun::Seeking)))
    }

    fn resume(
        &self,
        verification: &mut Verification,
        _: &Message<'_>,
        records: Records,
    ) -> Result<(), VerifyError> {
        verification.take_token(records);
        Ok(())
    }

    fn finish(
        &self,
        verification: &mut Verification,
        head: &Parts,
        target: &Uri,
    ) -> Result<Step, VerifyError> {
        let mut now = verification.arrived;
        if verification.waited {
            let message = Message::new(head, target)?;
            let token = read(&message)?.ok_or(VerifyErrorKind::Internal)?;
            if let Some(seeking) = self.seek(token, verification) {
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
        verification.take_token(records);
        self.judge(verification, target, self.clock.now())
    }

    fn flatten(self: Arc<Self>) -> Vec<Arc<dyn Verifier>> {
        vec![self]
    }
}

impl Records {
    fn read_token(&self) -> Option<&ReadToken> {
        match &self.key {
            Some(Record::ReadToken(token)) => Some(token),
            _ => None,
        }
    }
}

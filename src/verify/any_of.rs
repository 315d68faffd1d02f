//! Several ways of signing on one route.

use super::{
    Distinct, Verifier,
    steps::{Begun, Records, Step, Steps, Verification},
};
use crate::{
    error::{VerifyError, VerifyErrorKind},
    message::Message,
};
use http::{HeaderValue, Uri, request::Parts};
use std::sync::Arc;

/// Verifies a request by whichever of several verifiers it carries credentials for.
///
/// Every verifier reads the message. Exactly one must find credentials; two, or any error, is
/// [`Malformed`](VerifyErrorKind::Malformed), so that a request never falls through from one mechanism to a weaker one.
///
/// ```
/// use countersign::{
///     scheme::{Ateliere, SalesCloud},
///     store::MemoryKeyStore,
///     verify::{AnyOf, SignatureVerifier},
/// };
/// use std::sync::Arc;
///
/// let keys = Arc::new(MemoryKeyStore::new());
/// let verifier = AnyOf::new(SignatureVerifier::new(Ateliere::default(), Arc::clone(&keys)))
///     .or(SignatureVerifier::new(SalesCloud::default(), keys));
/// ```
#[derive(Debug)]
pub struct AnyOf(Vec<Arc<dyn Verifier>>);

impl AnyOf {
    /// Begins a list.
    #[must_use]
    pub fn new(verifier: impl Distinct) -> Self {
        Self(Arc::new(verifier).flatten())
    }

    /// Adds to the list. The order matters for the challenges of a 401 only.
    #[must_use]
    pub fn or(mut self, verifier: impl Distinct) -> Self {
        self.0.extend(Arc::new(verifier).flatten());
        self
    }

    /// The verifier whose credentials were found.
    fn chosen(&self, verification: &Verification) -> Result<&dyn Verifier, VerifyError> {
        Ok(&**self.0.get(verification.verifier).ok_or(VerifyErrorKind::Internal)?)
    }
}

impl Verifier for AnyOf {
    fn challenges(&self) -> Vec<HeaderValue> {
        self.0.iter().flat_map(|verifier| verifier.challenges()).collect()
    }
}

impl Steps for AnyOf {
    fn begin(
        &self,
        message: &Message<'_>,
        place: &mut Option<Verification>,
    ) -> Result<Option<Begun>, VerifyError> {
        let mut chosen = None;
        for (index, verifier) in self.0.iter().enumerate() {
            let Some(begun) = verifier.begin(message, place)? else { continue };
            if chosen.replace(begun).is_some() {
                return Err(VerifyError::malformed("credentials of two kinds"));
            }
            place.as_mut().ok_or(VerifyErrorKind::Internal)?.verifier = index;
        }
        Ok(chosen)
    }

    fn resume(
        &self,
        verification: &mut Verification,
        message: &Message<'_>,
        records: Records,
    ) -> Result<(), VerifyError> {
        self.chosen(verification)?.resume(verification, message, records)
    }

    fn finish(
        &self,
        verification: &mut Verification,
        head: &Parts,
        target: &Uri,
    ) -> Result<Step, VerifyError> {
        self.chosen(verification)?.finish(verification, head, target)
    }

    fn decide(
        &self,
        verification: &mut Verification,
        records: Records,
        target: &Uri,
    ) -> Result<(), VerifyError> {
        self.chosen(verification)?.decide(verification, records, target)
    }

    fn flatten(self: Arc<Self>) -> Vec<Arc<dyn Verifier>> {
        Arc::try_unwrap(self).map_or_else(|shared| shared.0.clone(), |list| list.0)
    }
}

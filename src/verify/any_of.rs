//! Several ways of signing on one route.

use super::{
    Verifier,
    steps::{Begun, Records, Start, Step, Steps, Verification},
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
    pub fn new(verifier: impl Verifier) -> Self {
        Self(Arc::new(verifier).flatten())
    }

    /// Adds to the list. The order matters for the challenges of a 401 only.
    #[must_use]
    pub fn or(mut self, verifier: impl Verifier) -> Self {
        self.0.extend(Arc::new(verifier).flatten());
        self
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
            let Some(mut begun) = verifier.begin(message, place)? else { continue };
            if chosen.is_some() {
                return Err(VerifyError::malformed("credentials of two kinds"));
            }
            match (&mut begun, &mut *place) {
                (Begun::Seeking(start, _), _) => start.verifier = index,
                (Begun::Ready, Some(verification)) => verification.start.verifier = index,
                (Begun::Ready, None) => return Err(VerifyErrorKind::Internal.into()),
            }
            chosen = Some(begun);
        }
        Ok(chosen)
    }

    fn resume(
        &self,
        start: Start,
        message: &Message<'_>,
        records: Records,
    ) -> Result<Verification, VerifyError> {
        let verifier = self.0.get(start.verifier).ok_or(VerifyErrorKind::Internal)?;
        verifier.resume(start, message, records)
    }

    fn finish(&self, verification: &mut Verification, head: &Parts, target: &Uri) -> Step {
        match self.0.get(verification.start.verifier) {
            Some(verifier) => verifier.finish(verification, head, target),
            None => Step::Done(Err(VerifyErrorKind::Internal.into())),
        }
    }

    fn flatten(self: Arc<Self>) -> Vec<Arc<dyn Verifier>> {
        Arc::try_unwrap(self).map_or_else(|shared| shared.0.clone(), |list| list.0)
    }
}

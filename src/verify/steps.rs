//! The steps of a verification, in the order in which the middleware takes them. Nobody else can: the trait cannot be
//! named outside the crate, so that no mechanism with an order of its own can make a [`Verified`].

use super::{Verified, Verifier};
use crate::{
    credential::{Credential, KeyId, Organization},
    error::VerifyError,
    message::Message,
    signature::{Computation, Signature},
};
use http::{Uri, request::Parts};
use std::{fmt, future::Future, pin::Pin, sync::Arc, time::SystemTime};

/// What every verifier can do.
pub trait Steps: fmt::Debug + Send + Sync + 'static {
    /// Reads the message and looks for the key. `None` if the message carries no credentials of this kind.
    ///
    /// A verification is large, so it is made in the place that is offered for it.
    fn begin(
        &self,
        message: &Message<'_>,
        place: &mut Option<Verification>,
    ) -> Result<Option<Begun>, VerifyError>;

    /// Goes on with the key that had to be waited for.
    fn resume(
        &self,
        start: Start,
        message: &Message<'_>,
        records: Records,
    ) -> Result<Verification, VerifyError>;

    /// Judges, when the body has ended.
    fn finish(&self, verification: &mut Verification, head: &Parts, target: &Uri) -> Step;

    /// This verifier as a list of verifiers that are not lists themselves.
    fn flatten(self: Arc<Self>) -> Vec<Arc<dyn Verifier>>;
}

/// Where and when a verification began.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// Which verifier of an [`AnyOf`](super::AnyOf).
    pub(super) verifier: usize,
    /// When the head of the request had arrived.
    pub(super) arrived: SystemTime,
}

/// The beginning of a verification.
#[derive(Debug)]
pub enum Begun {
    /// The key was at hand, and the verification is in its place.
    Ready,
    /// The key has to be waited for.
    Seeking(Start, Seeking),
}

/// A key on its way.
pub struct Seeking(pub(super) Pin<Box<dyn Future<Output = Result<Records, VerifyError>> + Send>>);

/// What the store said about a key.
#[derive(Debug)]
pub struct Records {
    pub(super) credential: Option<Credential>,
    pub(super) installed: bool,
}

/// The end of a verification, or what it takes to get there.
#[derive(Debug)]
pub enum Step {
    /// The body has to pass once more, for other spellings of the signature base.
    Again,
    /// The verdict.
    Done(Result<Verified, VerifyError>),
    /// The verdict, after one more look at the store.
    Pending(Verdict),
}

/// A verdict on its way.
pub struct Verdict(pub(super) Pin<Box<dyn Future<Output = Result<Verified, VerifyError>> + Send>>);

/// A verification under way: the key is known (or a dummy stands in for it), the body streams past.
pub struct Verification {
    pub(super) computation: Computation,
    pub(super) signature: Signature,
    pub(super) scheme: &'static str,
    pub(super) key_id: KeyId,
    pub(super) organization: Option<Organization>,
    pub(super) time: Option<SystemTime>,
    pub(super) records: Records,
    /// How many times other spellings were begun with.
    pub(super) rounds: usize,
    /// Whether time has passed since the records were read.
    pub(super) waited: bool,
    pub(super) start: Start,
}

impl Verification {
    /// Takes the next bytes of the body.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.computation.update(bytes);
    }

    /// How many hashes run over each byte of the body.
    pub(crate) fn lanes(&self) -> usize {
        self.computation.lanes()
    }

    /// Says that the body has to be waited for: by its end, what the store said may no longer be true.
    pub(crate) const fn wait(&mut self) {
        self.waited = true;
    }

    /// The scheme that is being verified.
    pub(crate) const fn scheme(&self) -> &'static str {
        self.scheme
    }

    /// The key id that was presented.
    pub(crate) const fn key_id(&self) -> &KeyId {
        &self.key_id
    }
}

impl fmt::Debug for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verification({} {:?})", self.scheme, self.key_id)
    }
}

impl fmt::Debug for Seeking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seeking(..)")
    }
}

impl fmt::Debug for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verdict(..)")
    }
}

impl Future for Seeking {
    type Output = Result<Records, VerifyError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl Future for Verdict {
    type Output = Result<Verified, VerifyError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

//! The steps of a verification, in the order in which the middleware takes them. Nobody else can: the trait cannot be
//! named outside the crate, so that no mechanism with an order of its own can make a [`Verified`].

use super::{Verified, Verifier};
use crate::{
    credential::{Access, Credential, KeyId, Organization, Permissions, Principal},
    error::VerifyError,
    message::Message,
    signature::{Computation, Signature},
    store::Record,
};
use http::{Uri, request::Parts};
use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::SystemTime,
};

/// What every verifier can do.
///
/// A verification is large: it is made in the place that is offered for it, and what belongs to it is made inside.
pub trait Steps: fmt::Debug + Send + Sync + 'static {
    /// Reads the message and looks for the key. `None` if the message carries no credentials of this kind.
    fn begin(
        &self,
        message: &Message<'_>,
        place: &mut Option<Verification>,
    ) -> Result<Option<Begun>, VerifyError>;

    /// Goes on with the key that had to be waited for.
    fn resume(
        &self,
        verification: &mut Verification,
        message: &Message<'_>,
        records: Records,
    ) -> Result<(), VerifyError>;

    /// Judges, when the body has ended.
    fn finish(
        &self,
        verification: &mut Verification,
        head: &Parts,
        target: &Uri,
    ) -> Result<Step, VerifyError>;

    /// Judges by what the store says now, when that had to be waited for.
    fn decide(
        &self,
        verification: &mut Verification,
        records: Records,
        target: &Uri,
    ) -> Result<(), VerifyError>;

    /// This verifier as a list of verifiers that are not lists themselves.
    fn flatten(self: Arc<Self>) -> Vec<Arc<dyn Verifier>>;
}

/// The beginning of a verification, which is in its place.
#[derive(Debug)]
pub enum Begun {
    /// The key was at hand.
    Ready,
    /// The key has to be waited for.
    Seeking(Seeking),
}

/// A key on its way.
pub struct Seeking(pub(super) Pin<Box<dyn Future<Output = Result<Records, VerifyError>> + Send>>);

/// What the store said about a key, as it came: the record is large, and is not unpacked.
#[derive(Debug, Default)]
pub struct Records {
    pub(super) key: Option<Record>,
    pub(super) installed: bool,
    /// What the token says that was verified.
    #[cfg(feature = "oauth2")]
    pub(super) claims: Option<Arc<crate::jwt::Claims>>,
}

impl Records {
    /// The key.
    pub(super) fn credential(&self) -> Option<&Credential> {
        match &self.key {
            Some(Record::Credential(credential)) => Some(credential),
            _ => None,
        }
    }

    fn owned(&self) -> Option<Owned<'_>> {
        macro_rules! owned {
            ($record:expr, $organization:expr, $access:expr) => {
                Some(Owned {
                    principal: &$record.principal,
                    organization: $organization,
                    permissions: &$record.permissions,
                    access: $access,
                })
            };
        }
        match self.key.as_ref()? {
            Record::Credential(key) => owned!(key, key.organization.as_ref(), Access::Write),
            Record::Client(client) => owned!(client, client.organization.as_ref(), Access::Write),
            Record::ReadToken(token) => owned!(token, Some(&token.organization), Access::Read),
            _ => None,
        }
    }
}

/// What a key, a client and a read token have in common.
struct Owned<'r> {
    principal: &'r Principal,
    organization: Option<&'r Organization>,
    permissions: &'r Permissions,
    access: Access,
}

/// The end of a verification, or what it takes to get there.
#[derive(Debug)]
pub enum Step {
    /// The body has to pass once more, for other spellings of the signature base.
    Again,
    /// The request is verified, and the verification knows its [caller](Verification::caller).
    Done,
    /// The store has to be looked at once more.
    Seeking(Seeking),
}

/// A verification under way: the key is known (or a dummy stands in for it), the body streams past.
pub struct Verification {
    /// Which verifier of an [`AnyOf`](super::AnyOf).
    pub(super) verifier: usize,
    /// When the head of the request had arrived.
    pub(super) arrived: SystemTime,
    pub(super) scheme: &'static str,
    /// What is known of the key: a token names it only when it has been looked at.
    pub(super) key_id: Option<KeyId>,
    pub(super) organization: Option<Organization>,
    pub(super) records: Records,
    /// The signature, where it is one that proves who calls.
    pub(super) signing: Option<Signing>,
    /// Whether time has passed since the records were read.
    pub(super) waited: bool,
    /// Set by the verdict that the request may pass, and by nothing else.
    pub(super) passed: Option<Passed>,
}

/// What the verdict says of a caller that the records do not.
#[derive(Clone, Copy)]
pub(super) struct Passed {
    pub(super) acts_for: ActsFor,
    pub(super) previous_secret: bool,
    pub(super) spelling: usize,
}

impl Passed {
    /// A token passed: it is the owner's own, and has neither older secrets nor spellings.
    pub(super) const TOKEN: Self = Self { acts_for: ActsFor::Own, previous_secret: false, spelling: 0 };
}

/// For which organization a request acts.
#[derive(Clone, Copy)]
pub(super) enum ActsFor {
    /// The key's own.
    Own,
    /// The one that the request names, if it names one.
    Named,
}

/// A signature under verification.
pub(super) struct Signing {
    pub(super) presented: Signature,
    pub(super) computation: Computation,
    pub(super) time: Option<SystemTime>,
    /// How many times other spellings were begun with.
    pub(super) rounds: usize,
    /// What the signature turned out to be made with.
    pub(super) proven: Option<Proven>,
}

/// What a right signature is made with.
#[derive(Clone, Copy)]
pub(super) struct Proven {
    /// The number of the secret.
    pub(super) secret: i64,
    /// The spelling of the signature base.
    pub(super) spelling: usize,
}

impl Verification {
    /// The verification of a token, which no body is hashed for, and whose name is still to be found.
    pub(super) fn of_token(scheme: &'static str, arrived: SystemTime) -> Self {
        Self {
            verifier: 0,
            arrived,
            scheme,
            key_id: None,
            organization: None,
            records: Records::default(),
            signing: None,
            waited: false,
            passed: None,
        }
    }

    /// Takes what the store says about a token, and with it the token's name.
    pub(super) fn take_token(&mut self, records: Records) {
        self.key_id = match &records.key {
            Some(Record::Client(client)) => Some(client.client_id.clone()),
            Some(Record::ReadToken(token)) => Some(token.id.clone()),
            _ => None,
        };
        self.records = records;
    }

    /// Takes the next bytes of the body.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        if let Some(signing) = &mut self.signing {
            signing.computation.update(bytes);
        }
    }

    /// How many hashes run over each byte of the body.
    pub(crate) fn lanes(&self) -> usize {
        self.signing.as_ref().map_or(0, |signing| signing.computation.lanes())
    }

    /// Says that the body has to be waited for: by its end, what the store said may no longer be true.
    pub(crate) const fn wait(&mut self) {
        self.waited = true;
    }

    /// The caller, once the verdict is that the request may pass. What is known of the caller is made into one piece
    /// here, where it is wanted, because it would be copied on every way there.
    pub(crate) fn caller(&self) -> Option<Verified> {
        let passed = self.passed?;
        let owned = self.records.owned()?;
        let organization = match passed.acts_for {
            ActsFor::Own => owned.organization,
            ActsFor::Named => self.organization.as_ref(),
        };
        Some(Verified {
            scheme: self.scheme,
            key_id: self.key_id.clone()?,
            principal: owned.principal.clone(),
            organization: organization.cloned(),
            permissions: owned.permissions.clone(),
            access: owned.access,
            previous_secret: passed.previous_secret,
            spelling: passed.spelling,
        })
    }

    /// Whether an operator wants to know why requests of the presented key are refused.
    pub(crate) fn is_debugged(&self) -> bool {
        match &self.records.key {
            Some(Record::Credential(key)) => key.is_debugged(self.arrived),
            Some(Record::Client(client)) => client.is_debugged(self.arrived),
            _ => false,
        }
    }

    /// The scheme that is being verified.
    pub(crate) const fn scheme(&self) -> &'static str {
        self.scheme
    }

    /// The key id that was presented, if there is such a key.
    pub(crate) fn known_key_id(&self) -> Option<&KeyId> {
        self.records.key.as_ref().and(self.key_id.as_ref())
    }

    /// The key id that was presented.
    pub(crate) const fn key_id(&self) -> Option<&KeyId> {
        self.key_id.as_ref()
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

impl Future for Seeking {
    type Output = Result<Records, VerifyError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

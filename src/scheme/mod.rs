//! Schemes: how a provider puts a signature on a request.
//!
//! A [`Scheme`] is pure: it reads what a message presents and says which bytes were signed. It knows no store, no
//! clock, no network and compares nothing, and the same code serves the server that verifies and the client that
//! signs, so that the two cannot drift apart.
//!
//! | scheme | signed | not signed | freshness |
//! |---|---|---|---|
//! | [`Ateliere`] | authority, path, query, body, organization | method, time | none |
//! | [`Corezoid`] | body, time | method, authority, path, query, organization | ±300 s by default |
//! | [`CorezoidCallback`] | body, time | method, authority, path, query, organization | ±300 s by default |
//! | [`SalesCloud`] | body, organization | method, authority, path, query, time | none |
//! | [`SalesCloudWebhook`] | method, authority, path, query, body, time | organization | ±300 s by default |
//!
//! What a scheme does not sign is closed: a verifier accepts it on the scheme's own [`Routes`] only.

mod ateliere;
mod corezoid;
mod corezoid_callback;
mod date;
mod routes;
mod salescloud;
mod salescloud_webhook;
mod spelling;
#[cfg(test)]
mod testing;

pub use self::{
    ateliere::Ateliere,
    corezoid::Corezoid,
    corezoid_callback::CorezoidCallback,
    routes::{Route, Routes},
    salescloud::SalesCloud,
    salescloud_webhook::SalesCloudWebhook,
};

use crate::{
    error::{SignError, VerifyError},
    message::Message,
    signature::{Algorithm, Signature, SignatureBase},
};
use http::request::Parts;
use std::{
    borrow::Cow,
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// A way of signing requests.
///
/// # Security contract
///
/// * [`read`](Self::read) answers `None` only if *none* of the scheme's own marks is in the message. A mark that
///   stands alone is an error, so that a request never falls through to a weaker scheme.
/// * [`signature_base`](Self::signature_base) must be injective: two different meanings never give the same bytes.
///   Where parts are joined by a delimiter, `read` refuses the delimiter inside the parts.
/// * Each of [`alternates`](Self::alternates) names the same resource and the same meaning as what arrived.
pub trait Scheme: fmt::Debug + Send + Sync + 'static {
    /// The name of the scheme in the key store, on the command line and in logs.
    fn name(&self) -> &'static str;

    /// The algorithm of every key of this scheme.
    fn algorithm(&self) -> Algorithm;

    /// What a signature covers.
    fn covers(&self) -> Covers;

    /// How the scheme speaks for an organization.
    fn tenancy(&self) -> Tenancy;

    /// How long the older secrets of a key work beside a new one, unless the operator says otherwise: a day, if the
    /// provider's document does not say.
    fn overlap(&self) -> Duration {
        Duration::from_secs(24 * 3600)
    }

    /// The methods and paths on which requests of this scheme may arrive.
    fn routes(&self) -> &Routes;

    /// The challenge for `WWW-Authenticate` (RFC 9110 §11.6.1).
    fn challenge(&self) -> &'static str;

    /// Reads what the message presents; `None` if it carries no mark of this scheme.
    ///
    /// # Errors
    ///
    /// [`VerifyErrorKind::Malformed`](crate::error::VerifyErrorKind::Malformed) if a mark is there and another is
    /// missing, doubled, or not well-formed.
    fn read<'m>(&self, message: &Message<'m>) -> Result<Option<Presented<'m>>, VerifyError>;

    /// The bytes that were signed, in the spelling that clients use most.
    fn signature_base<'m>(&self, message: &Message<'m>, parameters: &Parameters<'m>) -> SignatureBase<'m>;

    /// Other spellings that a client may have signed for this same request; tried only after the first did not match.
    ///
    /// They follow from the message and the configuration alone, and all take the body in the same form.
    fn alternates<'m>(&self, message: &Message<'m>, parameters: &Parameters<'m>) -> Vec<SignatureBase<'m>> {
        let _ = (message, parameters);
        Vec::new()
    }

    /// A moment as it stands under the signature, for a request that is being signed: Unix seconds in digits, unless
    /// the scheme has another form. Asked for only if the scheme [covers](Self::covers) a time.
    ///
    /// # Errors
    ///
    /// [`SignError`] if the moment has no such form.
    fn sign_time(&self, at: SystemTime) -> Result<SignedTime<'static>, SignError> {
        let since = at.duration_since(UNIX_EPOCH);
        let since = since.map_err(|error| SignError::with_source("the clock stands before 1970", error))?;
        Ok(SignedTime::new(since.as_secs().to_string(), at))
    }

    /// Writes the credentials into a request that is being signed, in the place of earlier ones. Called twice: to write
    /// what the signature covers, then, with the signature, to complete them.
    ///
    /// # Errors
    ///
    /// [`SignError`] if the credential lacks something the scheme needs, or if it cannot stand in the request.
    fn attach(
        &self,
        head: &mut Parts,
        parameters: &Parameters<'_>,
        signature: Option<&Signature>,
    ) -> Result<(), SignError>;
}

/// What a message presents, before anything is believed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Presented<'m> {
    /// What the signature is said to be made with.
    pub parameters: Parameters<'m>,
    /// The signature.
    pub signature: Signature,
}

impl<'m> Presented<'m> {
    /// A signature and what it is said to be made with.
    #[must_use]
    pub const fn new(parameters: Parameters<'m>, signature: Signature) -> Self {
        Self { parameters, signature }
    }
}

/// The signature parameters: what is chosen by whoever signs (RFC 9421 §2.3 calls them so for its own scheme).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Parameters<'m> {
    /// Which key.
    pub key_id: &'m str,
    /// The application's public key, where one travels beside the key id.
    pub public_key: Option<&'m str>,
    /// The organization on whose behalf.
    pub organization: Option<Cow<'m, str>>,
    /// The signed time.
    pub time: Option<SignedTime<'m>>,
}

impl<'m> Parameters<'m> {
    /// Names a key and nothing else.
    #[must_use]
    pub const fn new(key_id: &'m str) -> Self {
        Self { key_id, public_key: None, organization: None, time: None }
    }
}

/// A time as it stands under the signature.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SignedTime<'m> {
    /// The exact text that is signed.
    pub text: Cow<'m, str>,
    /// The moment it names.
    pub at: SystemTime,
}

impl<'m> SignedTime<'m> {
    /// A moment and the text that names it.
    #[must_use]
    pub fn new(text: impl Into<Cow<'m, str>>, at: SystemTime) -> Self {
        Self { text: text.into(), at }
    }
}

/// What a signature covers. A change to anything that is `true` here makes the signature wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "seven independent facts, read as a table")]
#[non_exhaustive]
pub struct Covers {
    /// The method.
    pub method: bool,
    /// Host and port.
    pub authority: bool,
    /// The path.
    pub path: bool,
    /// The query.
    pub query: bool,
    /// Every byte of the body.
    pub body: bool,
    /// The organization on whose behalf the request acts.
    pub organization: bool,
    /// A time.
    pub time: bool,
}

impl Covers {
    /// The body and nothing else.
    #[must_use]
    pub const fn body() -> Self {
        Self {
            method: false,
            authority: false,
            path: false,
            query: false,
            body: true,
            organization: false,
            time: false,
        }
    }
}

/// How a scheme speaks for an organization.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Tenancy {
    /// A request may name an organization, which must have installed the key's app.
    Installed,
    /// A request names an organization, which must be the key's own.
    Named,
    /// A request names none; it acts for the key's own.
    Own,
}

//! Verification: from a message that arrived to a caller that can be trusted.
//!
//! [`SignatureVerifier`] verifies the requests of one scheme, [`AnyOf`] those of several on one route. [`BearerVerifier`]
//! and [`ReadTokenVerifier`] verify tokens. All are [`Verifier`]s, which the middleware drives: it asks for the key,
//! streams the body past, and gets the verdict. [`Verified`] has no public constructor. Whoever holds one holds the
//! proof that a check took place.

mod any_of;
mod authorization;
#[cfg(feature = "oauth2")]
mod bearer;
mod permission;
mod read_token;
mod signature;
pub(crate) mod steps;
mod tenant;
mod tolerance;

#[cfg(feature = "oauth2")]
pub use self::bearer::{BearerStyle, BearerVerifier, Goa, Rfc6750};
pub use self::{
    any_of::AnyOf, read_token::ReadTokenVerifier, signature::SignatureVerifier, tolerance::Tolerance,
};

use crate::{
    credential::{Access, KeyId, Organization, Permissions, Principal, Standing},
    error::VerifyErrorKind,
    outcome::Outcome,
};
use http::HeaderValue;

/// Decides whether a request may pass. Sealed: a mechanism of your own implements [`Scheme`](crate::scheme::Scheme),
/// and the order of the checks stays in one place.
pub trait Verifier: steps::Steps {
    /// The challenges of a 401, in a fixed order, whatever was presented (RFC 9110 §11.6.1).
    fn challenges(&self) -> Vec<HeaderValue>;
}

/// A verifier whose credentials look like no other's, so that it may stand in an [`AnyOf`]. Sealed, like [`Verifier`].
pub trait Distinct: Verifier {}

impl Distinct for SignatureVerifier {}
impl Distinct for ReadTokenVerifier {}
#[cfg(feature = "oauth2")]
impl Distinct for BearerVerifier {}
impl Distinct for AnyOf {}

/// The caller of a verified request.
///
/// Handlers take identity and organization from here and from nowhere else. With the feature `axum` it is an extractor,
/// which answers 500 on a route without a [`VerifyLayer`](crate::middleware::VerifyLayer); elsewhere it is in the
/// request's extensions.
#[derive(Clone, Debug)]
pub struct Verified {
    scheme: &'static str,
    key_id: KeyId,
    principal: Principal,
    organization: Option<Organization>,
    permissions: Permissions,
    access: Access,
    previous_secret: bool,
    spelling: usize,
}

impl Verified {
    /// The scheme that the request was signed by; `ayyeka` for bearer tokens, `salescloud-read-token` for read tokens.
    #[must_use]
    pub const fn scheme(&self) -> &'static str {
        self.scheme
    }

    /// The key that it was signed with; the client that a bearer token was issued to; the name of a read token.
    #[must_use]
    pub const fn key_id(&self) -> &KeyId {
        &self.key_id
    }

    /// The account that owns the key, the client or the token.
    #[must_use]
    pub const fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The organization that the request acts for: verified to be one that the key may act for.
    #[must_use]
    pub const fn organization(&self) -> Option<&Organization> {
        self.organization.as_ref()
    }

    /// What the caller may do: what its key, client or token and its account both allowed when the request was verified.
    #[must_use]
    pub const fn permissions(&self) -> &Permissions {
        &self.permissions
    }

    /// Whether the caller may change anything, whatever its permissions say.
    #[must_use]
    pub const fn access(&self) -> Access {
        self.access
    }

    /// Whether the request was signed with a secret that a newer one has replaced.
    #[must_use]
    pub const fn used_previous_secret(&self) -> bool {
        self.previous_secret
    }

    /// Which spelling of the signature base matched: 0 is the scheme's first, 1 and up count its alternates.
    #[must_use]
    pub const fn spelling(&self) -> usize {
        self.spelling
    }

    /// What logs and metrics call it.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        if self.previous_secret { Outcome::OkPreviousSecret } else { Outcome::Ok }
    }
}

/// Only what is in force counts.
const fn in_force(standing: Standing) -> Result<(), VerifyErrorKind> {
    match standing {
        Standing::InForce => Ok(()),
        Standing::Disabled => Err(VerifyErrorKind::Disabled),
        Standing::Expired => Err(VerifyErrorKind::Expired),
        Standing::NotYetValid => Err(VerifyErrorKind::NotYetValid),
        Standing::Revoked => Err(VerifyErrorKind::Revoked),
    }
}

//! Verification: from a message that arrived to a caller that can be trusted.
//!
//! [`SignatureVerifier`] verifies the requests of one scheme, [`AnyOf`] those of several on one route. Both are
//! [`Verifier`]s, which the middleware drives: it asks for the key, streams the body past, and gets the verdict.
//! [`Verified`] has no public constructor. Whoever holds one holds the proof that a check took place.

mod any_of;
mod signature;
pub(crate) mod steps;
mod tolerance;

pub use self::{any_of::AnyOf, signature::SignatureVerifier, tolerance::Tolerance};

use crate::credential::{KeyId, Organization, Principal};
use http::HeaderValue;

/// Decides whether a request may pass. Sealed: a mechanism of your own implements [`Scheme`](crate::scheme::Scheme),
/// and the order of the checks stays in one place.
pub trait Verifier: steps::Steps {
    /// The challenges of a 401, in a fixed order, whatever was presented (RFC 9110 §11.6.1).
    fn challenges(&self) -> Vec<HeaderValue>;
}

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
    previous_secret: bool,
    spelling: usize,
}

impl Verified {
    /// The scheme that the request was signed by.
    #[must_use]
    pub const fn scheme(&self) -> &'static str {
        self.scheme
    }

    /// The key that it was signed with.
    #[must_use]
    pub const fn key_id(&self) -> &KeyId {
        &self.key_id
    }

    /// The account that owns the key.
    #[must_use]
    pub const fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The organization that the request acts for: verified to be one that the key may act for.
    #[must_use]
    pub const fn organization(&self) -> Option<&Organization> {
        self.organization.as_ref()
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

    /// The outcome word for logs and metrics.
    #[must_use]
    pub const fn outcome(&self) -> &'static str {
        if self.previous_secret { "ok_previous_secret" } else { "ok" }
    }
}

//! Why a request was refused, could not be signed, or a verifier could not be built.

use crate::outcome::Outcome;
use std::{error::Error, fmt};

type Source = Box<dyn Error + Send + Sync>;

/// A request was refused.
///
/// Opaque on purpose: what a program may decide on is the [`kind`](Self::kind), what an operator may read is the
/// text. Neither ever holds a secret, an expected signature or a token, and neither goes back to the caller.
#[derive(Debug)]
pub struct VerifyError {
    kind: VerifyErrorKind,
    detail: Option<&'static str>,
    source: Option<Source>,
}

/// The category of a [`VerifyError`]. Its [`outcome`](Self::outcome) is the word for logs and metrics.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum VerifyErrorKind {
    /// The signature does not match what arrived.
    BadSignature,
    /// The body is longer than the layer accepts.
    BodyTooLarge,
    /// The key, its account or its organization is switched off.
    Disabled,
    /// The key, or the last secret that could have matched, has passed its end.
    Expired,
    /// The caller proved who it is and may not do this.
    Forbidden,
    /// The signed time lies further ahead than the tolerance.
    Future,
    /// A defect on our side; never a pass.
    Internal,
    /// Credentials are present but not well-formed, incomplete, doubled, or on a route they are not for.
    Malformed,
    /// The HTTP message itself is not well-formed: no host or several, or a body that broke off.
    MalformedMessage,
    /// The request carries no credentials.
    Missing,
    /// The key is not valid yet.
    NotYetValid,
    /// Too many unverified bytes are held already.
    Overloaded,
    /// The key was revoked.
    Revoked,
    /// The signed time lies further back than the tolerance.
    Stale,
    /// The key store could not be asked.
    StoreUnavailable,
    /// The body stopped arriving.
    Timeout,
    /// No such key in this scheme.
    UnknownKey,
    /// The body has a content encoding; only what was signed can be verified.
    UnsupportedEncoding,
    /// The organization named is not one the key may act for.
    WrongOrganization,
}

impl VerifyErrorKind {
    /// What logs and metrics call it.
    #[must_use]
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::BadSignature => Outcome::BadSignature,
            Self::BodyTooLarge => Outcome::BodyTooLarge,
            Self::Disabled => Outcome::Disabled,
            Self::Expired => Outcome::Expired,
            Self::Forbidden => Outcome::Forbidden,
            Self::Future => Outcome::Future,
            Self::Internal => Outcome::Internal,
            Self::Malformed | Self::MalformedMessage => Outcome::Malformed,
            Self::Missing => Outcome::Missing,
            Self::NotYetValid => Outcome::NotYetValid,
            Self::Overloaded => Outcome::Overloaded,
            Self::Revoked => Outcome::Revoked,
            Self::Stale => Outcome::Stale,
            Self::StoreUnavailable => Outcome::StoreUnavailable,
            Self::Timeout => Outcome::Timeout,
            Self::UnknownKey => Outcome::UnknownKey,
            Self::UnsupportedEncoding => Outcome::UnsupportedEncoding,
            Self::WrongOrganization => Outcome::WrongOrganization,
        }
    }
}

impl VerifyError {
    /// Makes an error that says, to the operator, what exactly was wrong.
    #[must_use]
    pub const fn with_detail(kind: VerifyErrorKind, detail: &'static str) -> Self {
        Self { kind, detail: Some(detail), source: None }
    }

    /// Makes an error that keeps its cause.
    pub fn with_source(kind: VerifyErrorKind, source: impl Into<Source>) -> Self {
        Self { kind, detail: None, source: Some(source.into()) }
    }

    /// Credentials that are not well-formed, with what is wrong about them.
    #[must_use]
    pub const fn malformed(detail: &'static str) -> Self {
        Self::with_detail(VerifyErrorKind::Malformed, detail)
    }

    /// The category.
    #[must_use]
    pub const fn kind(&self) -> VerifyErrorKind {
        self.kind
    }
}

impl From<VerifyErrorKind> for VerifyError {
    fn from(kind: VerifyErrorKind) -> Self {
        Self { kind, detail: None, source: None }
    }
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.outcome().as_str())?;
        self.detail.map_or(Ok(()), |detail| write!(f, ": {detail}"))
    }
}

impl Error for VerifyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// A request could not be signed; it is unchanged.
#[derive(Debug)]
pub struct SignError {
    detail: &'static str,
    source: Option<Source>,
}

impl SignError {
    /// Makes an error that says what the request or the credential lacks.
    #[must_use]
    pub const fn new(detail: &'static str) -> Self {
        Self { detail, source: None }
    }

    /// Makes an error that keeps its cause.
    pub fn with_source(detail: &'static str, source: impl Into<Source>) -> Self {
        Self { detail, source: Some(source.into()) }
    }
}

impl fmt::Display for SignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot sign the request: {}", self.detail)
    }
}

impl Error for SignError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// A scheme, a verifier or a layer was configured with something that cannot work.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The id of an OAuth 2.0 client is empty or has a colon.
    ClientId {
        /// What was given.
        given: String,
    },
    /// A public URL is not `http://` or `https://` with a host and without user information or fragment.
    PublicUrl {
        /// What was given.
        given: String,
    },
    /// A route template does not start with `/`, or has an empty or unbalanced segment.
    RouteTemplate {
        /// What was given.
        given: String,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClientId { given } => {
                write!(f, "`{given}` is not the id of a client: it must not be empty, nor have a colon")
            }
            Self::PublicUrl { given } => {
                write!(f, "`{given}` is not a public URL: write it like `https://api.example.com`")
            }
            Self::RouteTemplate { given } => {
                write!(f, "`{given}` is not a route template: write it like `/{{organization}}/graphql`")
            }
        }
    }
}

impl Error for ConfigError {}

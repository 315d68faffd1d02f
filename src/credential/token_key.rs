//! The keys that sign tokens, and the set of public ones by which tokens are verified.

use super::KeyId;
use crate::secret::Secret;
use smallvec::SmallVec;
use std::{sync::Arc, time::SystemTime};

/// How a token is signed. It belongs to the stored key and is never taken from a token.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum TokenAlgorithm {
    /// Ed25519 (RFC 8037).
    EdDsa,
    /// ECDSA with P-256 and SHA-256 (RFC 7518 §3.4).
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-384 (RFC 7518 §3.3), as in Ayyeka's documented token.
    Rs384,
}

impl TokenAlgorithm {
    const TABLE: [(Self, &'static str); 3] =
        [(Self::EdDsa, "EdDSA"), (Self::Es256, "ES256"), (Self::Rs384, "RS384")];

    /// The registered name (RFC 7518 §3.1), which also stands in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::TABLE.iter().find(|row| row.0 == self).map_or("none", |row| row.1)
    }

    /// Reads the name back, letter by letter; `None` if it is none of these.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::TABLE.iter().find(|row| row.1 == name).map(|row| row.0)
    }
}

/// The public keys of every signing key that has not retired: all that it takes to verify a token.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct TokenKeys {
    /// The keys, newest first. A key that is to sign later is among them already, so that whoever keeps a copy of the
    /// set knows it by then.
    pub keys: SmallVec<[TokenKey; 2]>,
    /// Rises with every change of any key, also of one that has retired.
    pub revision: i64,
}

/// The public half of a signing key.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct TokenKey {
    /// The name of the key, which a token may carry (RFC 7515 §4.1.4).
    pub kid: KeyId,
    /// The algorithm that it signs with.
    pub algorithm: TokenAlgorithm,
    /// The public key: the DER of a `SubjectPublicKeyInfo` (RFC 5280 §4.1).
    pub public_key: Arc<[u8]>,
    /// It signs from this moment on; it verifies before.
    pub not_before: Option<SystemTime>,
    /// It neither signs nor verifies from this moment on.
    pub retires_at: Option<SystemTime>,
}

impl TokenKey {
    /// Makes a key without limits in time.
    #[must_use]
    pub fn new(kid: KeyId, algorithm: TokenAlgorithm, public_key: impl Into<Arc<[u8]>>) -> Self {
        Self { kid, algorithm, public_key: public_key.into(), not_before: None, retires_at: None }
    }

    /// Whether tokens signed with it are accepted at `now`.
    #[must_use]
    pub fn is_live(&self, now: SystemTime) -> bool {
        self.retires_at.is_none_or(|end| end > now)
    }

    /// Whether it may sign at `now`.
    #[must_use]
    pub fn may_sign(&self, now: SystemTime) -> bool {
        self.is_live(now) && self.not_before.is_none_or(|start| start <= now)
    }
}

/// The key that signs tokens now, with its private half.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SigningKey {
    /// The public half.
    pub public: TokenKey,
    /// The private key: the DER of a PKCS#8 `PrivateKeyInfo` (RFC 5208 §5, RFC 5958 §2). Sealed at rest, opened here.
    pub private_key: Secret,
    /// The revision of the set, as [`TokenKeys::revision`].
    pub revision: i64,
}

impl SigningKey {
    /// Puts the halves of a key together.
    #[must_use]
    pub const fn new(public: TokenKey, private_key: Secret) -> Self {
        Self { public, private_key, revision: 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_algorithm_reads_back_from_its_registered_name_only() {
        for (algorithm, name) in TokenAlgorithm::TABLE {
            assert_eq!(algorithm.as_str(), name);
            assert_eq!(TokenAlgorithm::parse(name), Some(algorithm));
        }
        for name in ["none", "rs384", "RS256", "HS384", ""] {
            assert_eq!(TokenAlgorithm::parse(name), None, "{name}");
        }
    }
}

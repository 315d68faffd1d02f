//! Keyed secrets: the form in which a secret waits in memory to be used.

use super::Algorithm;
use crate::secret::Secret;
use hmac::{KeyInit, block_api::HmacCore};
use sha2::Sha256;
use std::{fmt, sync::Arc};

/// A secret, made ready for its algorithm.
///
/// For an HMAC these are the two states after the key went in, 80 bytes: copying them is cheaper than keying, and the
/// secret itself need not stay in memory. A secret that stands *inside* the text must stay.
#[derive(Clone)]
pub struct MacKey(pub(super) Keyed);

#[derive(Clone)]
pub(super) enum Keyed {
    HmacSha256(HmacCore<Sha256>),
    SandwichSha1(Arc<Secret>),
}

impl MacKey {
    /// Keys `algorithm` with `secret`.
    #[must_use]
    pub fn new(algorithm: Algorithm, secret: &Secret) -> Self {
        Self(match algorithm {
            Algorithm::HmacSha256 => Keyed::HmacSha256(hmac(secret)),
            Algorithm::SandwichSha1 => Keyed::SandwichSha1(Arc::new(secret.clone())),
        })
    }

    /// The algorithm.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        match self.0 {
            Keyed::HmacSha256(_) => Algorithm::HmacSha256,
            Keyed::SandwichSha1(_) => Algorithm::SandwichSha1,
        }
    }
}

#[expect(clippy::expect_used, reason = "RFC 2104 defines HMAC for keys of every length")]
fn hmac(secret: &Secret) -> HmacCore<Sha256> {
    HmacCore::new_from_slice(secret.expose()).expect("HMAC takes a key of any length")
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MacKey({}, ..)", self.algorithm().as_str())
    }
}

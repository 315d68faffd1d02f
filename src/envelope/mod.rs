//! Secrets at rest: sealed under a key of the keyring, and bound to the row in which they stand.
//!
//! A secret that verifies an HMAC must be recoverable, so it cannot be hashed as a password is. It is sealed with
//! AES-256-GCM instead, under a key that lives in a file and never in the database.
//!
//! # Format of a record
//!
//! ```text
//! record = 0x01 | nonce (12 bytes) | ciphertext | tag (16 bytes)
//! associated data = for each of: the record's version (0x01), the id of the keyring key, the scheme, the key id,
//!                   the number of the secret version (8 bytes, big-endian):
//!                   its length in bytes (8 bytes, big-endian) | its bytes
//! ```
//!
//! The associated data is not stored: it comes from the row. A record that is copied to another row, or whose row is
//! renamed, therefore does not open. The lengths keep a boundary from moving between two fields.

mod error;
mod file;
mod keyring;

pub use self::{
    error::{CanaryError, KeyringError, OpenError, OpenErrorKind},
    keyring::Keyring,
};

use std::fmt;

/// The row in which a sealed secret stands. Part of the format: another field would be another version.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Place<'a> {
    /// The scheme's name.
    pub scheme: &'a str,
    /// The key id of the credential.
    pub key_id: &'a str,
    /// The number of the secret version.
    pub number: i64,
}

impl<'a> Place<'a> {
    /// Where the private half of a key stands that signs tokens. As no scheme has an empty name, no credential's secret
    /// stands there, and the number keeps it apart from the canary.
    #[must_use]
    pub const fn signing_key(kid: &'a str) -> Self {
        Self { scheme: "", key_id: kid, number: 1 }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scheme {
            "" if self.number == 0 => write!(f, "the {}", self.key_id),
            "" => write!(f, "the private half of signing key `{}`", self.key_id),
            scheme => write!(f, "secret {} of {scheme} key `{}`", self.number, self.key_id),
        }
    }
}

/// A sealed secret, as it stands in the database.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Sealed {
    /// The keyring key that seals it.
    pub keyring_id: String,
    /// Version, nonce, ciphertext and tag.
    pub record: Vec<u8>,
}

impl Sealed {
    /// Takes a sealed secret over from the database.
    #[must_use]
    pub const fn new(keyring_id: String, record: Vec<u8>) -> Self {
        Self { keyring_id, record }
    }
}

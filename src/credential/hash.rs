//! The only place that hashes a client secret or a read token, and the only place that compares two such hashes.

use sha2::{Digest, Sha256};
use std::fmt;
use subtle::{ConditionallySelectable, ConstantTimeEq};

/// SHA-256 of the bytes of a client secret or of a read token, as they travel: all that is kept of them.
///
/// A fast hash without salt is right for them and wrong for passwords: they are random and so long that nobody finds
/// one by trying. A store refuses the others.
///
/// Two hashes have no `==`. Whether a presented secret is one of those stored is asked by
/// [`find_in`](Self::find_in); a store may look for one in an index, since who presents secrets cannot choose what
/// their hashes begin with.
#[derive(Clone, Copy)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// Hashes a secret as it is written or presented.
    #[must_use]
    pub fn of(secret: &[u8]) -> Self {
        Self(Sha256::digest(secret).into())
    }

    /// Takes a hash over from where it is stored.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes, to be stored or looked for.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The place of this hash among others. All of them are compared, in time that depends on their number only.
    #[must_use]
    pub fn find_in(&self, stored: impl IntoIterator<Item = Self>) -> Option<usize> {
        let mut found = u32::MAX;
        for (index, other) in (0_u32..).zip(stored) {
            found.conditional_assign(&index, self.0.ct_eq(&other.0));
        }
        usize::try_from(found).ok().filter(|_| found != u32::MAX)
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_found_wherever_it_stands() {
        let stored = ["a", "b", "c"].map(|secret| SecretHash::of(secret.as_bytes()));
        for (index, secret) in ["a", "b", "c"].into_iter().enumerate() {
            assert_eq!(SecretHash::of(secret.as_bytes()).find_in(stored), Some(index));
        }
        assert_eq!(SecretHash::of(b"d").find_in(stored), None);
        assert_eq!(SecretHash::of(b"a").find_in([]), None);
    }

    #[test]
    fn a_hash_is_what_sha256sum_prints_for_the_secret() {
        let hash = SecretHash::of(b"abc");
        let printed = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hex::encode(hash.as_bytes()), printed);
        assert_eq!(format!("{hash:?}"), "SecretHash(..)");
    }
}

//! A secret on its way into a store: the rules that it must obey, whoever brings it, and its fingerprint.

use crate::{credential::KeyId, secret::Secret, signature::Algorithm};
use sha2::{Digest, Sha256};
use std::{error::Error, fmt};

/// Shortest secret that is stored without a special word, in bytes.
const SHORTEST: usize = 16;
/// Shortest client secret or read token, in characters: 22 of base64 are the least that hold 128 bits.
const SHORTEST_TOKEN: usize = 22;
/// How many characters of a secret that signs are never shown, at least.
const HIDDEN: usize = 20;
/// SHA-256 of the secrets that stand in the providers' own documents, where everybody can read them.
const PUBLISHED: [&str; 2] = [
    // SalesCloud: the value of `applicationSecretKey`.
    "288fb14dbc2309b167068baab84d45e86f097564122fe963a997dcd59859255c",
    // Ateliere Connect: `secret_key_here`.
    "6d0e5471cfcac3c22e9b6136d384684fc86adb6a4bbcf54f719e2f280aa4246e",
];

/// Checks that a secret may be stored. Blank secrets do not come this far: a [`Secret`] is never blank.
///
/// # Security
///
/// `allow_weak` lets short secrets pass, for a provider that gives out no others. Whoever sees one signed request can
/// try out short secrets at leisure. It never lets the other rules pass.
///
/// # Errors
///
/// [`SecretRefused`], whose [`hint`](SecretRefused::hint) says what to do instead.
pub fn check_secret(algorithm: Algorithm, secret: &Secret, allow_weak: bool) -> Result<(), SecretRefused> {
    let bytes = secret.expose();
    if PUBLISHED.contains(&&*hex::encode(Sha256::digest(bytes))) {
        Err(SecretRefused::Published)
    } else if algorithm == Algorithm::SandwichSha1 && bytes.iter().all(|b| b.is_ascii_digit() || *b == b'.') {
        Err(SecretRefused::DigitsOnly)
    } else if bytes.len() < SHORTEST && !allow_weak {
        Err(SecretRefused::Short { length: bytes.len() })
    } else {
        Ok(())
    }
}

/// Checks that a client secret or a read token may be stored, of which nothing but a hash is kept.
///
/// # Errors
///
/// [`SecretRefused`], whose [`hint`](SecretRefused::hint) says what to do instead.
pub fn check_token(secret: &Secret) -> Result<(), SecretRefused> {
    let bytes = secret.expose();
    if !bytes.iter().all(u8::is_ascii_graphic) {
        Err(SecretRefused::NotVisible)
    } else if bytes.len() < SHORTEST_TOKEN {
        Err(SecretRefused::ShortToken { length: bytes.len() })
    } else {
        Ok(())
    }
}

/// A secret is not one to be stored.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SecretRefused {
    /// It is made of digits (or digits and points, which a lenient time may have), and so is the time that stands before
    /// it in the text that is signed: a time and a secret could trade digits and the signature would still match.
    DigitsOnly,
    /// It travels as it is in a header, and has spaces or other characters in it than visible ASCII.
    NotVisible,
    /// It is the sample of a provider's public document.
    Published,
    /// It has fewer than 16 bytes.
    Short {
        /// Its length in bytes.
        length: usize,
    },
    /// It has fewer than 22 characters, and only its hash would be kept: somebody who reads the hash could find it by
    /// trying.
    ShortToken {
        /// Its length in characters.
        length: usize,
    },
}

impl SecretRefused {
    /// What to do instead.
    #[must_use]
    pub const fn hint(self) -> &'static str {
        match self {
            Self::DigitsOnly => "ask the provider for a secret with letters in it",
            Self::Published => "use the secret that the provider made for you, not the one in its document",
            Self::NotVisible | Self::ShortToken { .. } => "leave it out, and a random one is made",
            Self::Short { .. } => "use a longer secret, or say explicitly that a weak one is allowed",
        }
    }
}

impl fmt::Display for SecretRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DigitsOnly => f.write_str("the secret is made of digits only"),
            Self::NotVisible => f.write_str("the secret has characters other than visible ASCII"),
            Self::Published => f.write_str("the secret is printed in a public document"),
            Self::Short { length } => {
                write!(f, "the secret has {length} bytes, and {SHORTEST} are the least")
            }
            Self::ShortToken { length } => {
                write!(f, "the secret has {length} characters, and {SHORTEST_TOKEN} are the least")
            }
        }
    }
}

impl Error for SecretRefused {}

/// Eight hexadecimal digits that tell two secrets of a key apart without telling either.
///
/// They begin SHA-256 over a tag and then, each after its length (8 bytes, big-endian), the scheme, the key id and the
/// secret: one secret under two keys has two fingerprints.
#[must_use]
pub fn fingerprint(scheme: &str, key_id: &KeyId, secret: &Secret) -> String {
    let mut digest = Sha256::new_with_prefix(b"countersign secret fingerprint\0");
    for field in [scheme.as_bytes(), key_id.as_str().as_bytes(), secret.expose()] {
        digest.update((field.len() as u64).to_be_bytes());
        digest.update(field);
    }
    hex::encode(&digest.finalize()[..4])
}

/// Two ends of a read token by which its owner knows it again: the prefix that ends with the first `_`, if it has at
/// most eight characters, and the last four characters, as `rat_…9f3c`.
#[must_use]
pub fn hint(token: &Secret) -> String {
    let text = String::from_utf8_lossy(token.expose());
    let prefix = text.find('_').and_then(|at| text.get(..=at)).filter(|prefix| prefix.len() <= 8);
    let last = text.char_indices().rev().nth(3).and_then(|(at, _)| text.get(at..));
    format!("{}…{}", prefix.unwrap_or_default(), last.unwrap_or_default())
}

/// Two ends of a secret that signs, as [`hint`] shows those of a read token. Of one with fewer than 24 characters nothing
/// is shown, and of any other at least twenty are not.
#[must_use]
pub fn secret_hint(secret: &Secret) -> Option<String> {
    let text = std::str::from_utf8(secret.expose()).ok()?;
    let length = text.chars().count();
    let last = text.char_indices().rev().nth(3).and_then(|(at, _)| text.get(at..))?;
    let both = hint(secret);
    match length.checked_sub(HIDDEN)? {
        0..4 => None,
        most if both.chars().count() - 1 <= most => Some(both),
        _ => Some(format!("…{last}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(algorithm: Algorithm, text: &str, allow_weak: bool) -> Result<(), SecretRefused> {
        check_secret(algorithm, &Secret::new(text).unwrap(), allow_weak)
    }

    #[test]
    fn a_short_secret_needs_a_word_of_its_own() {
        let fifteen = "0123456789abcde";
        let short = Err(SecretRefused::Short { length: 15 });
        assert_eq!(check(Algorithm::HmacSha256, fifteen, false), short);
        assert_eq!(check(Algorithm::HmacSha256, fifteen, true), Ok(()));
        assert_eq!(check(Algorithm::HmacSha256, "0123456789abcdef", false), Ok(()));
    }

    #[test]
    fn digits_beside_the_time_are_never_a_secret() {
        for allow_weak in [false, true] {
            let digits = "12345678901234567890";
            assert_eq!(check(Algorithm::SandwichSha1, digits, allow_weak), Err(SecretRefused::DigitsOnly));
            let points = "1234567890.12345678";
            assert_eq!(check(Algorithm::SandwichSha1, points, allow_weak), Err(SecretRefused::DigitsOnly));
            assert_eq!(check(Algorithm::SandwichSha1, "1234567890123456789x", allow_weak), Ok(()));
            assert_eq!(check(Algorithm::HmacSha256, digits, allow_weak), Ok(()));
        }
    }

    #[test]
    fn the_samples_of_public_documents_are_never_a_secret() {
        for allow_weak in [false, true] {
            let sample = check(Algorithm::HmacSha256, "secret_key_here", allow_weak);
            assert_eq!(sample, Err(SecretRefused::Published));
        }
    }

    #[test]
    fn a_fingerprint_belongs_to_its_key() {
        let print = |scheme, key_id, secret: &str| {
            fingerprint(scheme, &KeyId::new(key_id).unwrap(), &Secret::new(secret).unwrap())
        };
        let ours = print("ateliere", "pk_1", "b0c1f6a2-secret");
        assert_eq!(ours.len(), 8);
        assert_eq!(ours, print("ateliere", "pk_1", "b0c1f6a2-secret"));
        for other in [
            print("corezoid", "pk_1", "b0c1f6a2-secret"),
            print("ateliere", "pk_2", "b0c1f6a2-secret"),
            print("ateliere", "pk_1", "b0c1f6a2-secreT"),
            print("ateliere", "pk_", "1b0c1f6a2-secret"),
        ] {
            assert_ne!(ours, other);
        }
    }

    #[test]
    fn what_is_kept_as_a_hash_is_long_and_visible() {
        let check = |text: &str| check_token(&Secret::new(text).unwrap());
        assert_eq!(check("0123456789abcdefghijk"), Err(SecretRefused::ShortToken { length: 21 }));
        assert_eq!(check("0123456789abcdefghijkl"), Ok(()));
        assert_eq!(check("QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo+/w=="), Ok(()));
        for text in ["0123456789abcdefghijk mn", "0123456789abcdefghijkl\n", "0123456789abcdefghijklé"] {
            assert_eq!(check(text), Err(SecretRefused::NotVisible), "{text:?}");
        }
    }

    #[test]
    fn a_hint_shows_two_ends() {
        let hint = |text: &str| hint(&Secret::new(text).unwrap());
        assert_eq!(hint("rat_0123456789abcdef"), "rat_…cdef");
        assert_eq!(hint("0123456789abcdef"), "…cdef");
        assert_eq!(hint("0123456789_abcdef"), "…cdef");
        assert_eq!(hint("abc"), "…");
    }

    #[test]
    fn of_a_secret_that_signs_twenty_characters_stay_hidden() {
        let hint = |text: &str| secret_hint(&Secret::new(text).unwrap());
        assert_eq!(hint("sk_0123456789abcdefghij"), None);
        assert_eq!(hint("sk_0123456789abcdefghijk").as_deref(), Some("…hijk"));
        assert_eq!(hint("sk_0123456789abcdefghijklm").as_deref(), Some("…jklm"));
        assert_eq!(hint("sk_0123456789abcdefghijklmn").as_deref(), Some("sk_…klmn"));
        assert_eq!(hint("0123456789abcdefghijklmn").as_deref(), Some("…klmn"));
        assert_eq!(secret_hint(&Secret::new([0xff; 32]).unwrap()), None);
    }
}

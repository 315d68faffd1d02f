//! The other computation: whether a digest is what some way of signing gives. It explains requests that were refused,
//! and no request passes by it.

use super::{Segment, SignatureBase};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::{Digest as _, Sha1};
use sha2::{Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq as _;

/// The hash of a [`Way`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Hash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

/// How the secret enters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Keying {
    /// As the key of an HMAC; places of the secret in the text are passed over.
    Hmac,
    /// As the text of an HMAC whose key is the text.
    Swapped,
    /// At its places in the text.
    Within,
    /// Before the text, its own places passed over.
    Before,
    /// Behind the text, its own places passed over.
    After,
    /// On both sides of the text, its own places passed over.
    Around,
    /// Not at all.
    Absent,
}

/// A way of signing, right or wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Way {
    pub(crate) hash: Hash,
    pub(crate) keying: Keying,
}

/// Which of the presented digests `way` gives over a text without a place for the body, if any. Each comparison takes
/// time that does not depend on the digests.
pub(crate) fn reproduced(
    way: Way,
    secret: &[u8],
    text: &SignatureBase<'_>,
    presented: &[Vec<u8>],
) -> Option<usize> {
    macro_rules! digest {
        ($hash:ty) => {
            match way.keying {
                Keying::Hmac => Hmac::<$hash>::new_from_slice(secret).ok().map(|mut mac| {
                    pieces(text, &[], |bytes| mac.update(bytes));
                    mac.finalize().into_bytes().to_vec()
                }),
                Keying::Swapped => {
                    let mut key = Vec::new();
                    pieces(text, &[], |bytes| key.extend_from_slice(bytes));
                    Hmac::<$hash>::new_from_slice(&key).ok().map(|mut mac| {
                        mac.update(secret);
                        mac.finalize().into_bytes().to_vec()
                    })
                }
                keying => {
                    let (before, within, after) = match keying {
                        Keying::Within => (&[][..], secret, &[][..]),
                        Keying::Before => (secret, &[][..], &[][..]),
                        Keying::After => (&[][..], &[][..], secret),
                        Keying::Around => (secret, &[][..], secret),
                        _ => (&[][..], &[][..], &[][..]),
                    };
                    let mut hash = <$hash>::new();
                    hash.update(before);
                    pieces(text, within, |bytes| hash.update(bytes));
                    hash.update(after);
                    Some(hash.finalize().to_vec())
                }
            }
        };
    }
    let digest = match way.hash {
        Hash::Sha1 => digest!(Sha1),
        Hash::Sha256 => digest!(Sha256),
        Hash::Sha384 => digest!(Sha384),
        Hash::Sha512 => digest!(Sha512),
    }?;
    presented.iter().position(|presented| presented.ct_eq(&digest).into())
}

/// The pieces of a text, with `secret` in the secret's places.
fn pieces(text: &SignatureBase<'_>, secret: &[u8], mut take: impl FnMut(&[u8])) {
    for segment in text.segments() {
        match segment {
            Segment::Bytes(bytes) => take(bytes),
            Segment::Secret => take(secret),
            // Texts on trial are written out.
            Segment::Body | Segment::BodyInJson | Segment::BodyReduced | Segment::InJson(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        secret::Secret,
        signature::{Algorithm, Computation, MacKey},
    };

    #[test]
    fn the_right_way_is_what_the_verifier_computes() {
        let secret = Secret::new("a secret of this test").unwrap();
        for (algorithm, way) in [
            (Algorithm::HmacSha256, Way { hash: Hash::Sha256, keying: Keying::Hmac }),
            (Algorithm::SandwichSha1, Way { hash: Hash::Sha1, keying: Keying::Within }),
        ] {
            let text = SignatureBase::default().bytes("17").secret().bytes("{}").secret();
            let key = MacKey::new(algorithm, &secret);
            let right =
                Computation::begin(std::slice::from_ref(&text), std::iter::once(&key)).sign().unwrap();
            let right = hex::decode(right.to_hex()).unwrap();
            let presented = [vec![0; right.len()], right];
            assert_eq!(reproduced(way, secret.expose(), &text, &presented), Some(1));
            assert_eq!(reproduced(way, b"another", &text, &presented), None);
        }
    }
}

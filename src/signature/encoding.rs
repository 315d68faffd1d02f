//! How a signature is written: hexadecimal or base64, in one accepted spelling.

use super::Algorithm;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use std::{error::Error, fmt};

/// Longest signature of any [`Algorithm`], in bytes.
const LONGEST: usize = 32;

/// A signature, decoded: exactly as many bytes as its algorithm gives.
///
/// There is no `==` for two of them: the time that it takes would tell how far they agree.
///
/// ```compile_fail,E0369
/// use countersign::signature::Signature;
///
/// fn same(presented: Signature, computed: Signature) -> bool {
///     presented == computed
/// }
/// ```
#[derive(Clone, Copy)]
pub struct Signature {
    bytes: [u8; LONGEST],
    algorithm: Algorithm,
}

/// Which letters hexadecimal digits may have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Case {
    /// Upper, lower and mixed.
    Any,
    /// `a` to `f` only.
    Lower,
}

/// The text is not a signature of this algorithm in this encoding.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EncodingError(());

impl Signature {
    pub(super) fn new(algorithm: Algorithm, digest: &[u8]) -> Self {
        let mut bytes = [0; LONGEST];
        bytes[..digest.len()].copy_from_slice(digest);
        Self { bytes, algorithm }
    }

    /// Reads hexadecimal digits: exactly two a byte, nothing around them.
    ///
    /// # Errors
    ///
    /// [`EncodingError`] for any other length, character or case.
    pub fn from_hex(algorithm: Algorithm, text: impl AsRef<[u8]>, case: Case) -> Result<Self, EncodingError> {
        let (text, len) = (text.as_ref(), algorithm.signature_len());
        // The decoder takes either case and skips a leading `0x`, so case and length are judged here.
        let upper = case == Case::Lower && text.iter().any(u8::is_ascii_uppercase);
        if upper || text.len() != 2 * len {
            return Err(EncodingError(()));
        }
        let mut bytes = [0; LONGEST];
        hex::decode_to_slice(text, &mut bytes[..len]).map_err(|_| EncodingError(()))?;
        Ok(Self { bytes, algorithm })
    }

    /// Reads standard base64 (RFC 4648 §4), padded, with no stray bits after the last byte.
    ///
    /// # Errors
    ///
    /// [`EncodingError`] for any other spelling or length.
    pub fn from_base64(algorithm: Algorithm, text: impl AsRef<[u8]>) -> Result<Self, EncodingError> {
        let len = algorithm.signature_len();
        // The engine asks for room for whole groups, three bytes each.
        let mut bytes = [0; LONGEST + 2];
        match BASE64_STANDARD.decode_slice(text, &mut bytes[..len.div_ceil(3) * 3]) {
            Ok(decoded) if decoded == len => Ok(Self::new(algorithm, &bytes[..len])),
            _ => Err(EncodingError(())),
        }
    }

    /// Lower-case hexadecimal digits.
    #[must_use]
    pub fn to_hex(&self) -> String {
        hex::encode(self.as_bytes())
    }

    /// Standard base64, padded.
    #[must_use]
    pub fn to_base64(&self) -> String {
        BASE64_STANDARD.encode(self.as_bytes())
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.algorithm.signature_len()]
    }

    /// All bytes in words, zero behind the signature's own.
    pub(super) fn words(&self) -> [u64; LONGEST / 8] {
        let (words, _) = self.bytes.as_chunks();
        std::array::from_fn(|at| words.get(at).copied().map_or(0, u64::from_le_bytes))
    }

    pub(super) const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

/// A signature of a request that was not accepted may still be a valid one, so it is not printed.
impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({}, ..)", self.algorithm.as_str())
    }
}

impl fmt::Display for EncodingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a signature in the expected encoding and length")
    }
}

impl Error for EncodingError {}

#[cfg(test)]
mod tests {
    use super::*;

    const HMAC: Algorithm = Algorithm::HmacSha256;
    const SHA1: Algorithm = Algorithm::SandwichSha1;

    #[test]
    fn hex_has_one_spelling() {
        let text = "c28013c2a2ffe0bd17a7ec3ab7b2f8aa8b5ccf04";
        let read = Signature::from_hex(SHA1, text, Case::Lower).unwrap();
        assert_eq!(read.to_hex(), text);
        let upper = text.to_uppercase();
        assert!(Signature::from_hex(SHA1, &upper, Case::Lower).is_err());
        assert_eq!(Signature::from_hex(SHA1, &upper, Case::Any).unwrap().to_hex(), text);
        for wrong in
            ["", &text[..38], &text[..39], &format!("{text}00"), &format!(" {text}"), &format!("0x{text}")]
        {
            assert!(Signature::from_hex(SHA1, wrong, Case::Any).is_err(), "{wrong:?}");
        }
        assert!(Signature::from_hex(SHA1, text.replace('c', "g"), Case::Any).is_err());
        assert!(Signature::from_hex(HMAC, text, Case::Any).is_err());
    }

    #[test]
    fn base64_has_one_spelling() {
        let text = "WPN0MXAsAxMxSJVPsUYnyAo6fuLdMRGv2A3975U4wbs=";
        assert_eq!(Signature::from_base64(HMAC, text).unwrap().to_base64(), text);
        let wrong = [
            String::new(),
            text.trim_end_matches('=').to_owned(),
            format!("{text}="),
            format!("{text}\n"),
            format!(" {text}"),
            text.replace('+', "-").replace('A', "_"),
            // The last symbol before the padding carries two bits that must be zero.
            text.replace("bs=", "bt="),
            text[..40].to_owned(),
            format!("AAAA{text}"),
        ];
        for wrong in wrong {
            assert!(Signature::from_base64(HMAC, &wrong).is_err(), "{wrong:?}");
        }
        assert!(Signature::from_base64(SHA1, text).is_err());
    }
}

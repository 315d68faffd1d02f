//! Ways of signing that a client may have taken instead of the scheme's, and forms in which it may have written the
//! result.

use super::cause::{Cause, Choices};
use crate::signature::{Algorithm, Hash, Keying, Way};
use base64::{
    Engine as _,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

/// The scheme's way, and others.
pub(super) fn ways(algorithm: Algorithm) -> Choices<Way> {
    use {Hash::*, Keying::*};
    let way = |hash, keying| Way { hash, keying };
    let (documented, word) = match algorithm {
        Algorithm::SandwichSha1 => (way(Sha1, Within), "SHA-1 over the text with the secret in its places"),
        _ => (way(Sha256, Hmac), "HMAC with SHA-256"),
    };
    let mut ways = Choices::new(documented);
    for (other, hypothesis, found) in [
        (way(Sha256, Hmac), "algorithm_hmac_sha256", "an HMAC with SHA-256 was sent"),
        (way(Sha1, Hmac), "algorithm_hmac_sha1", "an HMAC with SHA-1 was sent"),
        (way(Sha512, Hmac), "algorithm_hmac_sha512", "an HMAC with SHA-512 was sent"),
        (way(Sha384, Hmac), "algorithm_hmac_sha384", "an HMAC with SHA-384 was sent"),
        (documented_swapped(algorithm), "algorithm_swapped", "key and text of the HMAC were swapped"),
        (
            way(documented.hash, Before),
            "algorithm_hash_of_secret_and_text",
            "a plain hash of secret and text was sent",
        ),
        (
            way(documented.hash, After),
            "algorithm_hash_of_text_and_secret",
            "a plain hash of text and secret was sent",
        ),
        (
            way(documented.hash, Around),
            "algorithm_hash_between_secrets",
            "a plain hash of the text between two secrets was sent",
        ),
        (way(documented.hash, Absent), "algorithm_hash", "a plain hash was sent, without the secret"),
        (way(Sha256, Within), "algorithm_sha256", "SHA-256 was used"),
        (way(Sha512, Within), "algorithm_sha512", "SHA-512 was used"),
        (way(Sha512, Absent), "algorithm_hash", "a plain SHA-512 was sent, without the secret"),
        (way(Sha1, Absent), "algorithm_hash", "a plain SHA-1 was sent, without the secret"),
    ] {
        ways.or(other, Cause::new(hypothesis, found, format!("this scheme takes {word}")));
    }
    ways
}

const fn documented_swapped(algorithm: Algorithm) -> Way {
    match algorithm {
        Algorithm::SandwichSha1 => Way { hash: Hash::Sha1, keying: Keying::Swapped },
        Algorithm::HmacSha256 => Way { hash: Hash::Sha256, keying: Keying::Swapped },
    }
}

/// How a provider writes a signature.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Written {
    /// Hexadecimal digits in lower case.
    Hex,
    /// Hexadecimal digits in either case.
    AnyHex,
    /// Standard base64 with its padding.
    Base64,
}

impl Written {
    const fn words(self) -> &'static str {
        match self {
            Self::Hex => "in lower-case hexadecimal digits",
            Self::AnyHex => "in hexadecimal digits",
            Self::Base64 => "in standard base64 with its padding",
        }
    }

    /// Whether a signature that is written so is the documented form.
    fn is(self, form: Form) -> bool {
        match self {
            Self::Hex => form == Form::Hex,
            Self::AnyHex => matches!(form, Form::Hex | Form::UpperHex),
            Self::Base64 => form == Form::Base64,
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Form {
    Hex,
    UpperHex,
    Base64,
    Unpadded,
    UrlSafe,
    HexInBase64,
}

impl Form {
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Hex => ("encoding_hex", "in hexadecimal digits"),
            Self::UpperHex => ("encoding_upper_case", "in upper-case hexadecimal digits"),
            Self::Base64 => ("encoding_base64", "in base64"),
            Self::Unpadded => ("encoding_unpadded", "in base64 without its padding"),
            Self::UrlSafe => ("encoding_base64url", "in base64url"),
            Self::HexInBase64 => ("encoding_hex_in_base64", "as base64 of hexadecimal digits"),
        }
    }
}

/// The digests that a presented text may stand for, each with what is wrong about its form.
pub(super) fn digests(presented: &str, written: Written) -> Vec<(Vec<u8>, Option<Cause>)> {
    const ANY_PADDING: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let base64 = GeneralPurpose::new(&STANDARD, ANY_PADDING);
    let url_safe = GeneralPurpose::new(&URL_SAFE, ANY_PADDING);
    let mut found: Vec<(Vec<u8>, Form)> = Vec::new();
    if let Ok(digest) = hex::decode(presented) {
        let upper = presented.bytes().any(|byte| byte.is_ascii_uppercase());
        found.push((digest, if upper { Form::UpperHex } else { Form::Hex }));
    }
    let padded = presented.len().is_multiple_of(4);
    if let Ok(digest) = base64.decode(presented) {
        if let Ok(inside) = hex::decode(&digest) {
            found.push((inside, Form::HexInBase64));
        }
        found.push((digest, if padded { Form::Base64 } else { Form::Unpadded }));
    } else if let Ok(digest) = url_safe.decode(presented) {
        found.push((digest, Form::UrlSafe));
    }
    let cause = |form: Form| {
        let (hypothesis, words) = form.words();
        let (found, change) =
            (format!("the signature is written {words}"), format!("write it {}", written.words()));
        (!written.is(form)).then(|| Cause::new(hypothesis, found, change))
    };
    found.into_iter().map(|(digest, form)| (digest, cause(form))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_read_in_every_form() {
        let digest: Vec<u8> = (0..32_u8).map(|at| at.wrapping_mul(7).wrapping_add(250)).collect();
        let hex = hex::encode(&digest);
        let standard = base64::prelude::BASE64_STANDARD.encode(&digest);
        let url = base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(&digest);
        for (text, written, expected) in [
            (hex.clone(), Written::Hex, ""),
            (hex.to_uppercase(), Written::Hex, "encoding_upper_case"),
            (hex.to_uppercase(), Written::AnyHex, ""),
            (hex.clone(), Written::Base64, "encoding_hex"),
            (standard.clone(), Written::Base64, ""),
            (standard.clone(), Written::Hex, "encoding_base64"),
            (standard.trim_end_matches('=').to_owned(), Written::Base64, "encoding_unpadded"),
            (url, Written::Base64, "encoding_base64url"),
            (base64::prelude::BASE64_STANDARD.encode(&hex), Written::Base64, "encoding_hex_in_base64"),
        ] {
            let found = digests(&text, written);
            let (_, cause) = found.iter().find(|(found, _)| *found == digest).expect(&text);
            assert_eq!(cause.as_ref().map_or("", Cause::hypothesis), expected, "{text}");
        }
        assert!(digests("not a signature!", Written::Hex).is_empty());
    }
}

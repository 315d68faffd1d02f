//! Tokens: what is signed is verified, in one spelling only, and what others sign and verify agrees.

pub(crate) mod hostile;
mod oracles;

use crate::support::{
    tokens::{Ayyeka, KEY, NOW, at, claims, new_key, profile},
    vectors::read,
};
use countersign::{
    credential::TokenAlgorithm,
    error::VerifyErrorKind,
    jwt::{Claims, KeySet, PrivateKey, Profile, PublicKey},
    secret::Secret,
};
use std::time::Duration;

const ALL: [TokenAlgorithm; 3] = [TokenAlgorithm::Rs384, TokenAlgorithm::Es256, TokenAlgorithm::EdDsa];

fn kind(keys: &KeySet, token: &str, now: u64) -> Result<Claims, VerifyErrorKind> {
    keys.verify(token, &profile(), at(now)).map_err(|error| error.kind())
}

#[test]
fn what_a_key_signs_its_other_half_verifies() {
    for algorithm in ALL {
        let key = new_key(algorithm);
        let again = PrivateKey::from_pkcs8(algorithm, &key.to_pkcs8().unwrap()).unwrap();
        let public = PublicKey::from_der(algorithm, &key.public_key().to_der().unwrap()).unwrap();
        let keys = KeySet::new([public]);
        for key in [key, again] {
            assert_eq!(kind(&keys, &key.sign(&claims(), None).unwrap(), NOW), Ok(claims()), "{algorithm:?}");
        }
        let stranger =
            new_key(if algorithm == TokenAlgorithm::Rs384 { TokenAlgorithm::Es256 } else { algorithm });
        let strange = kind(&keys, &stranger.sign(&claims(), None).unwrap(), NOW);
        assert!(strange.is_err(), "{algorithm:?}");
    }
}

#[test]
fn a_token_is_written_as_in_the_document() {
    let token = KEY.sign(&claims(), None).unwrap();
    let begin = "eyJhbGciOiJSUzM4NCIsInR5cCI6IkpXVCJ9.\
                 eyJhdWQiOiIyMDkxIiwiZXhwIjoxNzAwMDAzNjAwLCJpYXQiOjE3MDAwMDAwMDAsImlzcyI6IkNsb3VkIiwic3ViIjoiNjIzNzo3MDgifQ.";
    assert!(token.starts_with(begin), "{token}");
    assert_eq!(token.len() - begin.len(), 512, "384 bytes of signature");
}

#[test]
fn the_vectors_are_judged_as_by_their_maker() {
    let Ayyeka { jwt, .. } = read("ayyeka.json");
    let keys = KeySet::new([jwt.key()]);
    for token in &jwt.tokens {
        let verdict = kind(&keys, &token.token, 1_700_000_100);
        assert_eq!(verdict.is_ok(), token.verdict == "accepted", "{}: {verdict:?}", token.case);
    }
    assert_eq!(jwt.tokens.len(), 7);
    let jwk = jwt.key().jwk().unwrap();
    assert_eq!(jwk, jwt.jwk);
}

#[test]
fn a_named_key_is_the_only_one_that_is_tried() {
    let (first, second) = (new_key(TokenAlgorithm::EdDsa), new_key(TokenAlgorithm::EdDsa));
    let named = |key: &PrivateKey, name: &str| key.public_key().clone().with_key_id(name);
    let keys = KeySet::new([named(&first, "1"), named(&second, "2"), KEY.public_key().clone()]);
    let verdict = |key: &PrivateKey, name: Option<&str>| {
        kind(&keys, &key.sign(&claims(), name).unwrap(), NOW).map(drop)
    };
    for key in [&first, &second] {
        assert_eq!(verdict(key, None), Ok(()));
    }
    assert_eq!(verdict(&first, Some("1")), Ok(()));
    assert_eq!(verdict(&second, Some("1")), Err(VerifyErrorKind::BadSignature));
    assert_eq!(verdict(&first, Some("3")), Err(VerifyErrorKind::UnknownKey));
    assert_eq!(
        kind(&KeySet::default(), &KEY.sign(&claims(), None).unwrap(), NOW),
        Err(VerifyErrorKind::UnknownKey)
    );
}

#[test]
fn times_are_judged_with_a_leeway_of_five_seconds() {
    let keys = KeySet::new([KEY.public_key().clone()]);
    let token = KEY.sign(&claims(), None).unwrap();
    assert_eq!(kind(&keys, &token, NOW - 5), Ok(claims()));
    assert_eq!(kind(&keys, &token, NOW - 6), Err(VerifyErrorKind::Future));
    assert_eq!(kind(&keys, &token, NOW + 3604), Ok(claims()));
    assert_eq!(kind(&keys, &token, NOW + 3605), Err(VerifyErrorKind::Expired));
    let exact = profile().with_leeway(Duration::ZERO);
    assert!(keys.verify(&token, &exact, at(NOW + 3599)).is_ok());
    assert!(keys.verify(&token, &exact, at(NOW + 3600)).is_err());
    let short = profile().with_longest_lifetime(Duration::from_secs(3599));
    assert!(keys.verify(&token, &short, at(NOW)).is_err());
    // Durations without measure are no reason to panic.
    let endless = profile().with_leeway(Duration::MAX).with_longest_lifetime(Duration::MAX);
    assert!(keys.verify(&token, &endless, at(NOW + 1_000_000)).is_ok());
}

#[test]
fn issuer_and_audience_are_compared_to_the_letter() {
    let keys = KeySet::new([KEY.public_key().clone()]);
    let token = KEY.sign(&claims(), None).unwrap();
    for (issuer, audience, expected) in [
        ("cloud", "2091", VerifyErrorKind::UnknownKey),
        ("Cloud", "20910", VerifyErrorKind::WrongOrganization),
        ("Cloud", "", VerifyErrorKind::WrongOrganization),
    ] {
        let refused = keys.verify(&token, &Profile::new(issuer, audience), at(NOW)).unwrap_err();
        assert_eq!(refused.kind(), expected);
    }
}

#[test]
fn a_key_is_read_in_its_own_algorithm_only() {
    for algorithm in ALL {
        let private = new_key(algorithm).to_pkcs8().unwrap();
        let public = new_key(algorithm).public_key().to_der().unwrap();
        for other in ALL.into_iter().filter(|other| *other != algorithm) {
            assert!(PrivateKey::from_pkcs8(other, &private).is_err(), "{algorithm:?} as {other:?}");
            assert!(PublicKey::from_der(other, &public).is_err(), "{algorithm:?} as {other:?}");
        }
        assert!(PrivateKey::from_pkcs8(algorithm, &Secret::new("no key").unwrap()).is_err());
    }
}

#[test]
fn a_thumbprint_is_that_of_the_standard() {
    // RFC 7638 §3.1.
    let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
    use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
    let components = aws_lc_rs::rsa::PublicKeyComponents {
        n: BASE64_URL_SAFE_NO_PAD.decode(n).unwrap(),
        e: vec![1, 0, 1],
    };
    let der = aws_lc_rs::encoding::AsDer::as_der(&components).unwrap();
    let key = PublicKey::from_der(TokenAlgorithm::Rs384, der.as_ref()).unwrap();
    assert_eq!(key.thumbprint().unwrap(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

#[test]
fn nothing_prints_a_private_key() {
    assert_eq!(format!("{:?}", *KEY), "PrivateKey(RS384, ..)");
}

//! Tokens that nobody may accept, as a table. Except where the signature is what is wrong, all of them are rightly
//! signed: it is the strictness that refuses them.

use crate::support::tokens::{
    HEADER, KEY, NOW, at, base64url, by_other_algorithm, claims, claims_with, forge, key_set, profile, sealed,
};
use countersign::error::VerifyErrorKind::{
    self, BadSignature, Expired, Future, Malformed, NotYetValid, UnknownKey, WrongOrganization,
};

/// Name, token, why it is refused.
pub(crate) fn table() -> Vec<(String, String, VerifyErrorKind)> {
    let mut table: Vec<(String, String, VerifyErrorKind)> = Vec::new();
    let mut row = |name: &str, token: String, kind| table.push((name.to_owned(), token, kind));
    let good = KEY.sign(&claims(), None).unwrap();
    let plain = claims_with("aud", r#""2091""#);
    algorithms(&mut row);
    spellings(&good, &plain, &mut row);
    headers(&plain, &mut row);
    bodies(&plain, &mut row);
    table
}

type Row<'r> = &'r mut dyn FnMut(&str, String, VerifyErrorKind);

fn algorithms(row: Row<'_>) {
    for name in ["RS256", "PS384", "HS384", "none", "None", "", "rs384", "RS384 "] {
        row(&format!("alg {name:?}"), by_other_algorithm(name), UnknownKey);
    }
    // The name of the right algorithm over another's signature.
    let swapped = by_other_algorithm("RS256");
    let (_, rest) = swapped.split_once('.').unwrap();
    row("RS256 that says RS384", format!("{}.{rest}", base64url(HEADER)), BadSignature);
}

fn spellings(good: &str, plain: &str, row: Row<'_>) {
    let (signed, signature) = good.rsplit_once('.').unwrap();
    row("empty", String::new(), Malformed);
    row("two parts", signed.to_owned(), Malformed);
    row("four parts", format!("{good}.{signature}"), Malformed);
    row("a dot behind", format!("{good}."), Malformed);
    row("no signature", format!("{signed}."), BadSignature);
    row("signature padded", format!("{good}="), Malformed);
    row("signature with a blank", format!("{good} "), Malformed);
    row("signature cut", good[..good.len() - 4].to_owned(), BadSignature);
    row("signature longer", format!("{good}AAAA"), BadSignature);
    row("signature of zeros", format!("{signed}.{}", "A".repeat(512)), BadSignature);
    row("standard base64", good.replace(['-', '_'], "+"), Malformed);
    row("claims padded", sealed(&format!("{}.{}=", base64url(HEADER), base64url(plain))), Malformed);
    row("tampered", good.replace(&base64url(plain), &base64url(plain.replace("6237", "6238"))), BadSignature);
    // A part of 3n + 1 bytes ends in a letter of which four bits say nothing; one of them is set.
    let odd = format!("{plain}{}", " ".repeat((4 - plain.len() % 3) % 3));
    let stray = base64url(&odd);
    let last = stray.chars().next_back().unwrap();
    let stray = format!("{}{}", &stray[..stray.len() - 1], char::from(last as u8 + 1));
    row("stray bits", sealed(&format!("{}.{stray}", base64url(HEADER))), Malformed);
    let long = plain.replacen('{', &format!(r#"{{"x":"{}","#, "a".repeat(4096)), 1);
    row("longer than the limit", forge(HEADER, &long), Malformed);
}

fn headers(plain: &str, row: Row<'_>) {
    for (name, field) in [
        ("crit", r#""crit":["exp"]"#),
        ("an empty crit", r#""crit":[]"#),
        ("jwk", r#""jwk":{"kty":"RSA","n":"AQAB","e":"AQAB"}"#),
        ("jku", r#""jku":"https://evil.test/keys""#),
        ("x5u", r#""x5u":"https://evil.test/keys""#),
        ("x5c", r#""x5c":["MII"]"#),
        ("zip", r#""zip":"DEF""#),
        ("b64", r#""b64":false"#),
        ("cty", r#""cty":"JWT""#),
        ("alg twice", r#""alg":"RS384""#),
        ("alg twice, escaped", r#""\u0061lg":"none""#),
        ("typ twice", r#""typ":"JWT""#),
        ("kid twice", r#""kid":"1","kid":"2""#),
        ("kid as a number", r#""kid":1"#),
        ("kid null", r#""kid":null"#),
    ] {
        row(name, forge(&HEADER.replace('}', &format!(",{field}}}")), plain), Malformed);
    }
    row("an unknown kid", forge(r#"{"alg":"RS384","typ":"JWT","kid":"x"}"#, plain), UnknownKey);
    row("another typ", forge(r#"{"alg":"RS384","typ":"JWE"}"#, plain), Malformed);
    row("no alg", forge(r#"{"typ":"JWT"}"#, plain), Malformed);
    row("alg as a list", forge(r#"{"alg":["RS384"]}"#, plain), Malformed);
    for header in ["", "{", "null", r#""RS384""#, r#"["RS384","JWT"]"#, "\u{feff}{\"alg\":\"RS384\"}"] {
        row(&format!("header {header:?}"), forge(header, plain), Malformed);
    }
    let names: String = (0..64).map(|name| format!(r#","{name}":0"#)).collect();
    row("a header of many names", forge(&HEADER.replace('}', &format!("{names}}}")), plain), Malformed);
    row("claims of many names", forge(HEADER, &plain.replace('}', &format!("{names}}}"))), Malformed);
    row("header and more", forge(&format!("{HEADER}x"), plain), Malformed);
}

fn bodies(plain: &str, row: Row<'_>) {
    for (name, value, kind) in [
        ("aud", r#""2092""#, WrongOrganization),
        ("aud", r#"["2091"]"#, Malformed),
        ("aud", "2091", Malformed),
        ("aud", "null", Malformed),
        ("iss", r#""cloud""#, UnknownKey),
        ("iss", "true", Malformed),
        ("sub", "6237", Malformed),
        ("exp", "1699999995", Malformed),
        ("exp", "1700090000", Malformed),
        ("exp", "99999999999999", Malformed),
        ("exp", "18446744073709551616", Malformed),
        ("exp", "1700003600.5", Malformed),
        ("exp", "1.7000036e9", Malformed),
        ("exp", "-1", Malformed),
        ("exp", r#""1700003600""#, Malformed),
        ("exp", "null", Malformed),
        ("iat", "1700000006", Future),
        ("nbf", "1700000006", NotYetValid),
        ("nbf", r#""0""#, Malformed),
    ] {
        row(&format!("{name} {value}"), forge(HEADER, &claims_with(name, value)), kind);
    }
    for name in ["aud", "exp", "iat", "iss", "sub"] {
        row(&format!("no {name}"), forge(HEADER, &claims_with(name, "")), Malformed);
        let value = &serde_json::from_str::<serde_json::Value>(plain).unwrap()[name];
        let twice = plain.replacen('{', &format!(r#"{{"{name}":{value},"#), 1);
        row(&format!("{name} twice"), forge(HEADER, &twice), Malformed);
    }
    row(
        "expired",
        forge(HEADER, &plain.replace("1700003600", "1699999995").replace("1700000000", "1699990000")),
        Expired,
    );
    row("a claim of others twice", forge(HEADER, &plain.replacen('{', r#"{"a":1,"a":1,"#, 1)), Malformed);
    row("claims as a list", forge(HEADER, r#"["2091",1700003600,1700000000,"Cloud","6237:708"]"#), Malformed);
    row("claims and more", forge(HEADER, &format!("{plain}{plain}")), Malformed);
    row("claims with a BOM", forge(HEADER, &format!("\u{feff}{plain}")), Malformed);
    let deep = plain.replacen('{', &format!(r#"{{"x":{}{},"#, "[".repeat(900), "]".repeat(900)), 1);
    row("claims nested deep", forge(HEADER, &deep), Malformed);
    let latin1 = [plain.replacen("Cloud", "Clo", 1).as_bytes(), b"\xff"].concat();
    row("claims not in UTF-8", sealed(&format!("{}.{}", base64url(HEADER), base64url(latin1))), Malformed);
}

#[test]
fn every_hostile_token_is_refused_for_its_reason() {
    let keys = key_set();
    let table = table();
    assert!(table.len() > 80, "{}", table.len());
    for (name, token, expected) in table {
        let refused = keys.verify(&token, &profile(), at(NOW)).err().map(|error| error.kind());
        assert_eq!(refused, Some(expected), "{name}: {token}");
    }
}

#[test]
fn what_is_only_unusual_is_accepted() {
    let keys = key_set();
    let plain = claims_with("aud", r#""2091""#);
    for (name, token) in [
        ("no typ", forge(r#"{"alg":"RS384"}"#, &plain)),
        ("typ in small letters", forge(r#"{"typ":"jwt","alg":"RS384"}"#, &plain)),
        ("white space", forge(" { \"alg\" : \"RS384\" } ", &format!("\n{plain}\n"))),
        ("claims of others", forge(HEADER, &claims_with("scope", r#"{"read":["site"]}"#))),
        ("nbf", forge(HEADER, &claims_with("nbf", "1700000005"))),
    ] {
        assert!(keys.verify(&token, &profile(), at(NOW)).is_ok(), "{name}");
    }
}

#[test]
fn no_letter_of_a_token_can_be_changed() {
    let keys = key_set();
    let good = KEY.sign(&claims(), None).unwrap();
    for at_byte in 0..good.len() {
        let mut bytes = good.clone().into_bytes();
        bytes[at_byte] = if bytes[at_byte] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert!(keys.verify(&changed, &profile(), at(NOW)).is_err(), "byte {at_byte}");
    }
}

//! `JSON.stringify`, which Ateliere's payload is made of.

use super::sign;
use crate::support::vectors::read;
use countersign::{
    secret::Secret,
    signature::{Algorithm, SignatureBase},
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Vector {
    class: String,
    utf8_hex: String,
    stringify_utf8_hex: String,
}

#[test]
fn every_string_is_written_as_node_writes_it() {
    let secret = Secret::new("any").unwrap();
    let sign = |base: SignatureBase<'_>, body: &str| {
        sign(Algorithm::HmacSha256, &secret, base, body.as_bytes()).to_hex()
    };
    let text = |hex: &str| String::from_utf8(hex::decode(hex).unwrap()).unwrap();
    let vectors = read::<Vec<Vector>>("json-stringify/vectors.json");
    assert_eq!(vectors.len(), 402);
    for Vector { class, utf8_hex, stringify_utf8_hex } in vectors {
        let (given, quoted) = (text(&utf8_hex), text(&stringify_utf8_hex));
        let inside = quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap();
        let as_text = || SignatureBase::default().in_json(&*given);
        let as_body = || SignatureBase::default().body_in_json();
        assert_eq!(as_text().display(b""), inside, "{class} {utf8_hex}");
        assert_eq!(as_body().display(given.as_bytes()), inside, "{class} {utf8_hex}");
        // What people are shown and what is signed are two ways through the code.
        let expected = sign(SignatureBase::default().bytes(inside), "");
        assert_eq!(sign(as_text(), ""), expected, "{class} {utf8_hex}");
        assert_eq!(sign(as_body(), &given), expected, "{class} {utf8_hex}");
        assert_eq!(sign(as_body().in_json(&*given), ""), expected, "{class} {utf8_hex}");
    }
}

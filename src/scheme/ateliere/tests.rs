//! What Ateliere's headers may look like.

use super::*;
use crate::scheme::testing::{MALFORMED, Seen, head, read, with};

const HEX: &str = "63ce95c86ca342b5ef592a8a1be6f8a2168e1ce80609c9bd5bcfb2689fea385a";
const HEADERS: [(&str, &str); 3] =
    [("oz-key-id", "pk_test_5e1f"), ("oz-signature", HEX), ("x-organization-slug", "acme-studios")];

#[test]
fn a_header_is_there_once_and_well_formed_or_the_request_is_malformed() {
    let (upper, long, not_hex) = (HEX.to_uppercase(), format!("{HEX}00"), HEX.replace('c', "g"));
    let (padded, base64) = (format!("{HEX} "), "Y86VyGyjQrXvWSqKG+b4ohaOHOgGCcm9W8+yaJ/qOFo=");
    let table: &[(&str, &[&str], Seen)] = &[
        ("oz-key-id", &[], MALFORMED),
        ("oz-key-id", &[""], MALFORMED),
        ("oz-key-id", &["pk_test_5e1f", "pk_test_5e1f"], MALFORMED),
        ("oz-key-id", &["pk_test_5e1f", "pk_other"], MALFORMED),
        ("oz-key-id", &["pk_tést"], MALFORMED),
        ("oz-key-id", &["pk_test_5e1f, pk_other"], Seen::Presented),
        ("oz-signature", &[], MALFORMED),
        ("oz-signature", &[""], MALFORMED),
        ("oz-signature", &[HEX, HEX], MALFORMED),
        ("oz-signature", &[HEX, &not_hex], MALFORMED),
        ("oz-signature", &[&HEX[..63]], MALFORMED),
        ("oz-signature", &[&HEX[..62]], MALFORMED),
        ("oz-signature", &[&long], MALFORMED),
        ("oz-signature", &[&upper], MALFORMED),
        ("oz-signature", &[&not_hex], MALFORMED),
        ("oz-signature", &[&padded], MALFORMED),
        ("oz-signature", &[base64], MALFORMED),
        ("x-organization-slug", &[], MALFORMED),
        ("x-organization-slug", &[""], MALFORMED),
        ("x-organization-slug", &["acme", "acme"], MALFORMED),
        ("x-organization-slug", &["acme", "other"], MALFORMED),
        ("oz-client-name", &["é", ""], Seen::Presented),
    ];
    for (name, values, expected) in table {
        let head = head("POST", "/graphql", &with(&HEADERS, name, values));
        assert_eq!(read(&Ateliere::default(), &head).0, *expected, "{name}: {values:?}");
    }
}

#[test]
fn the_organization_alone_is_nobody_s_mark() {
    for (headers, expected) in [
        (&HEADERS[..], Seen::Presented),
        (&[], Seen::Nothing),
        (&HEADERS[2..], Seen::Nothing),
        (&HEADERS[..1], MALFORMED),
        (&HEADERS[1..2], MALFORMED),
        (&HEADERS[..2], MALFORMED),
        (&HEADERS[1..], MALFORMED),
    ] {
        assert_eq!(read(&Ateliere::default(), &head("POST", "/", headers)).0, expected, "{headers:?}");
    }
}

#[test]
fn a_slug_is_utf8_or_else_latin1() {
    for (bytes, expected) in
        [("acme", "acme"), ("s\u{c3}\u{b6}ug", "söug"), ("s\u{f6}ug", "söug"), ("\u{ff}\u{fe}", "ÿþ")]
    {
        let head = head("POST", "/", &with(&HEADERS, "x-organization-slug", &[bytes]));
        let presented = read(&Ateliere::default(), &head).1.unwrap();
        assert_eq!(presented.parameters.organization.as_deref(), Some(expected), "{bytes:?}");
    }
}

#[test]
fn any_path_is_open_to_the_methods_that_are_opted_in() {
    let reads = Ateliere::default().with_method(Method::GET);
    for (method, by_default, with_get) in [
        ("POST", Seen::Presented, Seen::Presented),
        ("GET", Seen::Closed, Seen::Presented),
        ("HEAD", Seen::Closed, Seen::Closed),
        ("PUT", Seen::Closed, Seen::Closed),
        ("post", Seen::Closed, Seen::Closed),
    ] {
        for target in ["/", "/graphql?a=1", "//a/../b", "/%2F?"] {
            let head = head(method, target, &HEADERS);
            assert_eq!(read(&Ateliere::default(), &head).0, by_default, "{method} {target}");
            assert_eq!(read(&reads, &head).0, with_get, "{method} {target}");
        }
    }
}

#[test]
fn a_host_must_be_named_and_be_a_public_one_if_there_are_any() {
    let mut head = head("POST", "/", &HEADERS);
    let public = |url| Ateliere::default().with_public_url(url).unwrap();
    let foreign = Seen::Refused(VerifyErrorKind::BadSignature);
    assert_eq!(read(&public("https://api.test"), &head).0, Seen::Presented);
    assert_eq!(read(&public("https://API.test:443/graphql"), &head).0, Seen::Presented);
    assert_eq!(read(&public("http://api.test:443"), &head).0, foreign);
    assert_eq!(read(&public("https://api.test.evil.test"), &head).0, foreign);
    assert_eq!(
        read(&public("https://a.test").with_public_url("https://api.test").unwrap(), &head).0,
        Seen::Presented
    );
    head.headers.remove("host");
    head.version = http::Version::HTTP_10;
    let unnamed = Seen::Refused(VerifyErrorKind::MalformedMessage);
    assert_eq!(read(&Ateliere::default(), &head).0, unnamed);
}

#[test]
fn a_request_cannot_be_signed_without_an_organization() {
    let mut head = head("POST", "/", &[]);
    let parameters = Parameters::new("pk_test_5e1f");
    assert!(Ateliere::default().attach(&mut head, &parameters, None).is_err());
    let newline = Parameters { organization: Some("a\nb".into()), ..parameters };
    assert!(Ateliere::default().attach(&mut head, &newline, None).is_err());
}

//! What the headers of SalesCloud's webhooks may look like, and which URLs count.

use super::*;
use crate::scheme::testing::{MALFORMED, Seen, head, read, with};

const HEX: &str = "69a2199f1c97c7cf997a09c1d040d518a7e057e77d8dc274206bf4050bc4fe7b";
const HEADERS: [(&str, &str); 3] = [
    ("x-salescloud-date", "2018-09-10 15:00:22"),
    ("x-salescloud-access-key", "90f298d6"),
    ("x-salescloud-signature", HEX),
];

fn public(urls: &[&str]) -> SalesCloudWebhook {
    urls.iter().fold(SalesCloudWebhook::default(), |scheme, url| scheme.with_public_url(url).unwrap())
}

#[test]
fn a_header_is_there_once_and_well_formed_or_the_request_is_malformed() {
    let (upper, long) = (HEX.to_uppercase(), format!("{HEX}00"));
    let date = HEADERS[0].1;
    let table: &[(&str, &[&str], Seen)] = &[
        ("x-salescloud-date", &[], MALFORMED),
        ("x-salescloud-date", &[""], MALFORMED),
        ("x-salescloud-date", &[date, date], MALFORMED),
        ("x-salescloud-date", &["2018-09-10T15:00:22"], MALFORMED),
        ("x-salescloud-date", &["2018-02-30 15:00:22"], MALFORMED),
        ("x-salescloud-date", &["1536591622"], MALFORMED),
        ("x-salescloud-access-key", &[], MALFORMED),
        ("x-salescloud-access-key", &[""], MALFORMED),
        ("x-salescloud-access-key", &["90f298d6", "90f298d6"], MALFORMED),
        ("x-salescloud-access-key", &["90f298dé"], MALFORMED),
        ("x-salescloud-access-key", &["Netskrafl-Friend-Access"], Seen::Presented),
        ("x-salescloud-signature", &[], MALFORMED),
        ("x-salescloud-signature", &[""], MALFORMED),
        ("x-salescloud-signature", &[HEX, HEX], MALFORMED),
        ("x-salescloud-signature", &[&HEX[..62]], MALFORMED),
        ("x-salescloud-signature", &[&long], MALFORMED),
        ("x-salescloud-signature", &[&upper], MALFORMED),
        ("user-agent", &[], Seen::Presented),
    ];
    for (name, values, expected) in table {
        let head = head("POST", "/hook", &with(&HEADERS, name, values));
        assert_eq!(read(&SalesCloudWebhook::default(), &head).0, *expected, "{name}: {values:?}");
    }
    assert_eq!(read(&SalesCloudWebhook::default(), &head("POST", "/hook", &[])).0, Seen::Nothing);
}

#[test]
fn methods_are_opted_in_and_targets_are_those_of_urls() {
    let reads = SalesCloudWebhook::default().with_method(Method::GET);
    for (method, target, by_default, with_get) in [
        ("POST", "/hook?a=1&b=%7B", Seen::Presented, Seen::Presented),
        ("POST", "/a/../b//é;v=1", Seen::Presented, Seen::Presented),
        ("GET", "/hook", Seen::Closed, Seen::Presented),
        ("post", "/hook", Seen::Closed, Seen::Closed),
        ("POST", "/hook{", MALFORMED, MALFORMED),
        ("POST", "/hook?[", MALFORMED, MALFORMED),
        ("POST", "/hook\"a\"", MALFORMED, MALFORMED),
    ] {
        let head = head(method, target, &HEADERS);
        assert_eq!(read(&SalesCloudWebhook::default(), &head).0, by_default, "{method} {target}");
        assert_eq!(read(&reads, &head).0, with_get, "{method} {target}");
    }
}

/// The URLs that count for a request to `api.test`, in their order.
fn urls(scheme: &SalesCloudWebhook, target: &str) -> Vec<String> {
    let head = head("POST", target, &HEADERS);
    let message = Message::new(&head, &head.uri).unwrap();
    let presented = read(scheme, &head).1.unwrap();
    let first = scheme.signature_base(&message, &presented.parameters);
    let others = scheme.alternates(&message, &presented.parameters);
    let url = |base: SignatureBase<'_>| {
        let text = base.display(b"{}");
        let url = text.strip_prefix("2018-09-10 15:00:2290f298d6POST").unwrap();
        url.strip_suffix("{}").unwrap().to_owned()
    };
    std::iter::once(first).chain(others).map(url).collect()
}

#[test]
fn the_url_is_what_provably_names_what_arrived() {
    let https = SalesCloudWebhook::default();
    let exact = ["https://api.test/h", "https://api.test/h?", "https://api.test:443/h"];
    assert_eq!(urls(&https, "/h"), exact);
    let root = ["/", "", "?", "/?", ":443/"].map(|end| format!("https://api.test{end}"));
    assert_eq!(urls(&https, "/"), root);
    assert_eq!(
        urls(&https.clone().with_plain_http(), "/h?a"),
        ["http://api.test/h?a", "http://api.test:80/h?a"]
    );
    // Escapes are undone where no piece of a body could have been moved there.
    assert_eq!(urls(&https, "/%C3%A9?a")[2], "https://api.test/é?a");
    assert_eq!(urls(&https, "/h%7B%22a%22?b").len(), 2);

    assert_eq!(urls(&public(&["https://api.test"]), "/h"), exact);
    assert_eq!(urls(&public(&["http://api.test"]), "/h?a")[0], "http://api.test/h?a");
    assert_eq!(urls(&public(&["https://API.test/h?a"]), "/h?a")[2], "https://API.test/h?a");
    assert_eq!(urls(&public(&["https://other.test/h", "https://api.test"]), "/h"), exact);
    let both = urls(&public(&["http://api.test", "https://api.test"]), "/h?a");
    let expected = ["http://api.test", "http://api.test:80", "https://api.test", "https://api.test:443"];
    assert_eq!(both, expected.map(|url| format!("{url}/h?a")));
}

#[test]
fn a_host_must_be_named_and_the_url_be_a_public_one_if_there_are_any() {
    const FOREIGN: Seen = Seen::Refused(VerifyErrorKind::BadSignature);
    for (urls, target, expected) in [
        (&["https://other.test", "http://API.test:80/hook"], "/hook", Seen::Presented),
        (&["https://other.test", "http://API.test:80/hook"], "/hook?", Seen::Presented),
        (&["https://other.test", "http://API.test:80/hook"], "/hook?a", FOREIGN),
        (&["https://other.test", "http://API.test:80/hook"], "/", FOREIGN),
        (&["https://other.test", "https://other.test/hook"], "/hook", FOREIGN),
        (&["https://api.test/hook", "https://api.test"], "/other", Seen::Presented),
    ] {
        assert_eq!(read(&public(urls), &head("POST", target, &HEADERS)).0, expected, "{urls:?} {target}");
    }
    let mut head = head("POST", "/", &HEADERS);
    head.headers.remove("host");
    head.version = http::Version::HTTP_10;
    let unnamed = Seen::Refused(VerifyErrorKind::MalformedMessage);
    assert_eq!(read(&SalesCloudWebhook::default(), &head).0, unnamed);
}

#[test]
fn what_cannot_be_verified_is_not_signed() {
    let attached = |target: &str, access_key: &str, named: bool| {
        let mut head = head("POST", target, &[]);
        if !named {
            head.headers.remove("host");
        }
        let time = SalesCloudWebhook::default().sign_time(SystemTime::UNIX_EPOCH).unwrap();
        let parameters = Parameters { time: Some(time), ..Parameters::new(access_key) };
        SalesCloudWebhook::default().attach(&mut head, &parameters, None).is_ok()
    };
    assert!(attached("/hook", "90f298d6", true));
    assert!(attached("https://a.test/hook", "90f298d6", false));
    assert!(!attached("/hook", "90f298d6", false));
    assert!(!attached("/hook{a}", "90f298d6", true));
    assert!(!attached("/hook", "90f2\n98d6", true));
}

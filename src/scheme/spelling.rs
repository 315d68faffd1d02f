//! The spellings of a URL that provably name the resource that arrived.
//!
//! Each rule undoes something that clients are known to do between typing a URL and sending it. The measure is a
//! WHATWG parser: a spelling belongs here only if such a parser, given that spelling, asks for exactly the host and
//! target that arrived.

use crate::error::ConfigError;
use std::{
    fmt::Write as _,
    net::{Ipv4Addr, Ipv6Addr},
};

/// The scheme by which clients reach the server; it decides which port need not be spelled out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Web {
    Http,
    Https,
}

impl Web {
    /// What stands before the authority.
    pub(super) const fn prefix(self) -> &'static str {
        match self {
            Self::Http => "http://",
            Self::Https => "https://",
        }
    }

    /// Reads the scheme of a URL.
    pub(super) fn of(scheme: &str) -> Option<Self> {
        match scheme {
            "http" => Some(Self::Http),
            "https" => Some(Self::Https),
            _ => None,
        }
    }

    const fn default_port(self) -> &'static str {
        match self {
            Self::Http => "80",
            Self::Https => "443",
        }
    }
}

/// A URL under which clients know the server, as an operator wrote it.
#[derive(Clone, Debug)]
pub(super) struct PublicUrl {
    web: Web,
    /// Everything behind `https://`, as written.
    spelling: String,
    authority_len: usize,
}

impl PublicUrl {
    pub(super) fn parse(url: &str) -> Result<Self, ConfigError> {
        let wrong = || ConfigError::PublicUrl { given: url.to_owned() };
        let (web, spelling) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
            (Some(rest), _) => (Web::Https, rest),
            (_, Some(rest)) => (Web::Http, rest),
            _ => return Err(wrong()),
        };
        let authority_len = spelling.find(['/', '?']).unwrap_or(spelling.len());
        let authority = &spelling[..authority_len];
        let plain = authority.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b));
        if authority.is_empty() || authority.starts_with(':') || !plain || spelling.contains('#') {
            return Err(wrong());
        }
        Ok(Self { web, spelling: spelling.to_owned(), authority_len })
    }

    pub(super) const fn web(&self) -> Web {
        self.web
    }

    fn authority(&self) -> &str {
        &self.spelling[..self.authority_len]
    }

    /// Path and query as a client would ask for them.
    fn target(&self) -> String {
        let rest = &self.spelling[self.authority_len..];
        let rest = rest.strip_suffix('?').unwrap_or(rest);
        if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") }
    }

    /// Whether this URL stands for the resource at `target`: for its own if it has a path or a query, or else for any.
    pub(super) fn stands_for(&self, target: &str) -> bool {
        let bare = self.spelling.len() == self.authority_len;
        bare || self.target() == target.strip_suffix('?').unwrap_or(target)
    }

    /// Whether a request that names `authority` came to this URL's server.
    pub(super) fn serves(&self, authority: &str) -> bool {
        self.without_port(authority).eq_ignore_ascii_case(self.without_port(self.authority()))
    }

    /// The authority without the port that need not be spelled out.
    fn without_port<'a>(&self, authority: &'a str) -> &'a str {
        let host = authority.strip_suffix(self.web.default_port()).and_then(|host| host.strip_suffix(':'));
        host.unwrap_or(authority)
    }
}

/// The spellings besides `authority` + `target`, each once: at most four that follow from what arrived, and those
/// configured.
pub(super) fn alternates<'u>(
    web: Web,
    authority: &str,
    target: &str,
    public_urls: impl IntoIterator<Item = &'u PublicUrl>,
) -> Vec<String> {
    let arrived = format!("{authority}{target}");
    let mut spellings = computed(web, authority, target);
    let mut add = |spelling: String| {
        if spelling != arrived && !spellings.contains(&spelling) {
            spellings.push(spelling);
        }
    };
    for url in public_urls {
        // A public URL without path and query stands for its own authority only. One that has them names a resource,
        // and a proxy may have brought the request here under another of the server's names.
        let bare = url.spelling.len() == url.authority_len;
        let here = url.serves(authority);
        if bare && here {
            add(format!("{}{target}", url.authority()));
        }
        if url.target() == target && (here || !bare) {
            add(url.spelling.clone());
        }
    }
    spellings
}

/// What a client may have typed that asks for just this host and target. Nothing, if what arrived is not how a WHATWG
/// client writes it: with such a target, `/a/../b` for example, every other spelling leads elsewhere.
fn computed(web: Web, authority: &str, target: &str) -> Vec<String> {
    let Some((host, port)) = host_and_port(authority).filter(|_| is_fixed(target)) else { return Vec::new() };
    let mut spellings = Vec::with_capacity(4);
    match target.strip_prefix('/') {
        Some("") => spellings.extend([authority.to_owned(), format!("{authority}?")]),
        Some(rest) if rest.starts_with('?') && rest != "?" => spellings.push(format!("{authority}{rest}")),
        _ => {}
    }
    if !target.contains('?') {
        spellings.push(format!("{authority}{target}?"));
    }
    match port {
        Some(port) if port == web.default_port() => spellings.push(format!("{host}{target}")),
        Some(_) => {}
        None => spellings.push(format!("{host}:{}{target}", web.default_port())),
    }
    spellings.extend(unescape(target).map(|typed| format!("{authority}{typed}")));
    spellings
}

/// Host and port of an authority that a WHATWG parser gives back as it is, but for a default port.
fn host_and_port(authority: &str) -> Option<(&str, Option<&str>)> {
    let host_len = authority.rfind(']').map_or_else(|| authority.find(':'), |end| Some(end + 1));
    let (host, rest) = authority.split_at(host_len.unwrap_or(authority.len()));
    let canonical = |port: &str| port.parse::<u16>().is_ok_and(|number| number.to_string() == port);
    let port = match rest.strip_prefix(':') {
        Some(port) if canonical(port) => Some(port),
        None if rest.is_empty() => None,
        _ => return None,
    };
    is_fixed_host(host).then_some((host, port))
}

/// Whether a host is a name in lower case or an address in its canonical form (URL standard §3.5).
fn is_fixed_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        // The standard writes a mapped IPv4 address in hexadecimal, and the library does not.
        let canonical = |ip: Ipv6Addr| ip.to_string() == address && ip.to_ipv4_mapped().is_none();
        return address.parse().is_ok_and(canonical);
    }
    let last = host.strip_suffix('.').unwrap_or(host).rsplit('.').next().unwrap_or_default();
    let is_number = match last.strip_prefix("0x") {
        Some(digits) => digits.bytes().all(|b| b.is_ascii_hexdigit()),
        None => !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit()),
    };
    if is_number {
        return host.parse::<Ipv4Addr>().is_ok();
    }
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b);
    !host.is_empty() && host.bytes().all(plain)
}

/// Whether a WHATWG parser gives a target back as it is.
fn is_fixed(target: &str) -> bool {
    let path = target.split('?').next().unwrap_or_default();
    // `^` is sent as it is by older clients only.
    path.starts_with('/')
        && !path.contains(['\\', '^'])
        && !path.split('/').any(is_dots)
        && escape(target) == target
}

/// Whether a segment is removed from a path, with or without its predecessor.
fn is_dots(segment: &str) -> bool {
    matches!(segment.replace("%2e", ".").replace("%2E", ".").as_str(), "." | "..")
}

/// The target before a WHATWG client percent-encoded it: every escape undone that such a client adds by itself, in
/// upper-case digits as it writes them. `None` if there is none.
fn unescape(target: &str) -> Option<String> {
    let path_len = target.find('?').unwrap_or(target.len());
    let (bytes, mut typed) = (target.as_bytes(), Vec::with_capacity(target.len()));
    let mut at = 0;
    while at < bytes.len() {
        match escape_at(bytes, at) {
            Some(byte) if client_escapes(byte, at > path_len) => {
                typed.push(byte);
                at += 3;
            }
            _ => {
                typed.push(bytes[at]);
                at += 1;
            }
        }
    }
    // A character of which a client wrote only a part cannot be undone, and the end of what is typed is trimmed.
    let typed = String::from_utf8(typed).ok()?;
    (typed != target && !typed.ends_with(|last| last <= ' ')).then_some(typed)
}

/// The byte that `%XX`, in upper-case digits, stands for.
fn escape_at(bytes: &[u8], at: usize) -> Option<u8> {
    let [b'%', high, low] = bytes.get(at..at + 3)? else { return None };
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'A'..=b'F' => Some(b - b'A' + 10),
        _ => None,
    };
    Some(digit(*high)? << 4 | digit(*low)?)
}

/// The percent-encode sets of the URL standard (§1.3): of a path or, with the special schemes, a query. Left out are
/// what would end the component, control characters that a parser drops, and `^`, which older clients do not encode.
const fn client_escapes(byte: u8, in_query: bool) -> bool {
    match byte {
        b'\t' | b'\n' | b'\r' => false,
        0..=0x20 | b'"' | b'<' | b'>' | 0x7f..=0xff => true,
        b'\'' => in_query,
        b'`' | b'{' | b'}' => !in_query,
        _ => false,
    }
}

/// What a WHATWG client makes of the typed target.
fn escape(typed: &str) -> String {
    let path_len = typed.find('?').unwrap_or(typed.len());
    let mut target = String::with_capacity(typed.len());
    for (at, character) in typed.char_indices() {
        let mut utf8 = [0; 4];
        let bytes = character.encode_utf8(&mut utf8).bytes();
        if client_escapes(bytes.clone().next().unwrap_or_default(), at > path_len) {
            for byte in bytes {
                let _ = write!(target, "%{byte:02X}");
            }
        } else {
            target.push(character);
        }
    }
    target
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::uri::PathAndQuery;
    use proptest::{prelude::*, test_runner::RngSeed};
    use url::Url;

    /// Hosts as they arrive: names, addresses in every form, and what is neither.
    fn host() -> impl Strategy<Value = String> {
        prop_oneof![
            4 => "[a-z0-9_-]{1,8}(\\.[a-z0-9-]{1,4}){0,3}\\.?",
            1 => "[A-Za-z0-9._~%!$'*]{1,12}",
            1 => "(0x)?[0-9a-f]{0,4}(\\.(0x|0)?[0-9a-f]{0,3}){0,4}\\.?",
            1 => any::<Ipv4Addr>().prop_map(|ip| ip.to_string()),
            1 => any::<Ipv6Addr>().prop_map(|ip| format!("[{ip}]")),
            1 => "\\[(0{0,2}[0-9a-fA-F]?:){1,7}(:|[0-9a-f]{0,4})(:ffff:1\\.2\\.3\\.4)?\\]",
            1 => Just("xn--bcher-kva.example".to_owned()),
        ]
    }

    fn port() -> impl Strategy<Value = String> {
        prop_oneof!["", ":80", ":443", ":8080", ":[0-9]{0,6}"]
    }

    /// Targets as they arrive: pieces that some client or parser treats in its own way, in any order.
    fn target() -> impl Strategy<Value = PathAndQuery> {
        let piece = prop_oneof![
            4 => "[a-z0-9/]",
            2 => "%[0-9A-F]{2}",
            1 => "%(20|22|27|3C|3E|60|7B|7D|C3%A9|F0%9F%98%80|E2%80%A8|7F|01)",
            1 => "%(09|0A|0D|23|25|2E|2e|2F|3F|5C|5E|7C|c3%a9|C3|zz|)",
            1 => "[/.]{1,4}|\\?|\\?\\?|[&=+'(){}|^\\\\\\[\\]:@;~\"]",
            1 => "[é\u{a0}\u{2028}😀]",
        ];
        let pieces = prop::collection::vec(piece, 0..8).prop_map(|pieces| format!("/{}", pieces.concat()));
        pieces.prop_filter_map("no request target", |target| target.parse().ok())
    }

    /// Host and target that a WHATWG client asks for, given what was typed; default port and empty query left out.
    fn asked_for(web: &str, spelling: &str) -> Option<(String, String)> {
        let url = Url::parse(&format!("{web}://{spelling}")).ok()?;
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let query = url.query().filter(|query| !query.is_empty()).map(|query| format!("?{query}"));
        let host = format!("{}{port}", url.host_str()?);
        Some((host, format!("{}{}", url.path(), query.unwrap_or_default())))
    }

    #[test]
    fn alternates_undo_what_clients_do_and_nothing_else() {
        let table: &[(&str, &str, &[&str])] = &[
            ("api.test", "/", &["api.test", "api.test?", "api.test/?", "api.test:443/"]),
            ("api.test", "/?a=1", &["api.test?a=1", "api.test:443/?a=1"]),
            ("api.test:443", "/g", &["api.test:443/g?", "api.test/g"]),
            ("[::1]:8080", "/g?", &[]),
            ("api.test:80", "/g?q=%27%C3%A9%7B", &["api.test:80/g?q='é%7B"]),
            ("api.test:80", "/%7Bé", &[]),
            ("api.test:80", "/%27%60?", &["api.test:80/%27`?"]),
            ("api.test:80", "/a%c3%a9?", &[]),
            ("api.test:80", "/a%20?b%20", &[]),
            ("API.test", "/", &[]),
            ("127.1", "/", &[]),
            ("api.test:0443", "/", &[]),
            ("api.test", "/a/../b", &[]),
            ("api.test", "/a\\b", &[]),
            ("api.test", "/a^b", &[]),
        ];
        for (authority, target, expected) in table {
            assert_eq!(alternates(Web::Https, authority, target, &[]), *expected, "{authority}{target}");
        }
    }

    #[test]
    fn a_public_url_counts_where_its_own_resource_arrived() {
        let urls = ["https://API.test", "https://API.test:0443/g?a=1", "https://other.test/g"];
        let urls = urls.map(|url| PublicUrl::parse(url).unwrap());
        let added = |authority: &str, target: &str| {
            let computed = alternates(Web::Https, authority, target, &[]);
            let all = alternates(Web::Https, authority, target, &urls);
            assert_eq!(all[..computed.len()], computed);
            all[computed.len()..].to_vec()
        };
        assert_eq!(added("api.test", "/g?a=2"), ["API.test/g?a=2"]);
        assert_eq!(added("api.test:443", "/"), ["API.test/", "API.test"]);
        assert_eq!(added("other.test", "/g"), [""; 0]);
        // A resource under another of the server's names, and not that name's other resources.
        assert_eq!(added("10.0.0.5:8080", "/g"), ["other.test/g"]);
        assert_eq!(added("10.0.0.5:8080", "/h"), [""; 0]);
        assert_eq!(added("api.test:0443", "/g?a=1"), ["API.test:0443/g?a=1"]);
    }

    #[test]
    fn a_public_url_is_a_scheme_and_a_host() {
        for wrong in
            ["", "api.test", "ftp://a", "https://", "https://:80", "https://u@a", "https://a/#b", "HTTPS://a"]
        {
            assert!(PublicUrl::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 20_000,
            failure_persistence: None,
            rng_seed: RngSeed::Fixed(73),
            ..ProptestConfig::default()
        })]

        #[test]
        fn every_alternate_asks_for_what_arrived(
            host in host(), port in port(), target in target(), https in any::<bool>(),
        ) {
            let (web, name) = if https { (Web::Https, "https") } else { (Web::Http, "http") };
            let authority = format!("{host}{port}");
            let target = target.as_str();
            let default_port = format!(":{}", web.default_port());
            let arrived = (
                authority.strip_suffix(&default_port).unwrap_or(&authority).to_owned(),
                target.strip_suffix('?').filter(|path| !path.contains('?')).unwrap_or(target).to_owned(),
            );
            let spellings = alternates(web, &authority, target, &[]);
            prop_assert!(spellings.len() <= 4, "{spellings:?}");
            for (at, spelling) in spellings.iter().enumerate() {
                prop_assert_eq!(&asked_for(name, spelling).unwrap_or_default(), &arrived, "{}", spelling);
                prop_assert_ne!(spelling, &format!("{authority}{target}"));
                prop_assert!(!spellings[..at].contains(spelling), "twice: {spelling}");
            }
        }
    }
}

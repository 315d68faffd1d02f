//! The HTTP message under verification: its head as it arrived, before anything was decoded or rewritten.

use crate::error::{VerifyError, VerifyErrorKind};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version, header::HOST, request::Parts};
use std::fmt;

/// The head of a request. The body is not here: it streams past the verification.
#[derive(Clone, Copy)]
pub struct Message<'m> {
    method: &'m Method,
    target: &'m Uri,
    authority: Option<&'m str>,
    headers: &'m HeaderMap,
    /// Known of a request that is about to be sent.
    scheme: Option<&'m str>,
}

impl<'m> Message<'m> {
    /// Takes the head of a request that arrived.
    ///
    /// `target` is the request's original target: `head.uri`, unless a router has rewritten that.
    ///
    /// # Errors
    ///
    /// [`VerifyErrorKind::MalformedMessage`] if HTTP/1.1 brings no `Host` or several, if an authority is not plain
    /// `host[:port]`, if two places name different authorities, or if the target has no path (RFC 9112 §3.2, RFC 9113
    /// §8.3.1).
    pub fn new(head: &'m Parts, target: &'m Uri) -> Result<Self, VerifyError> {
        let authority = authority(head, target)?;
        // `*` and the bare authority of a CONNECT: nothing that a signature could be for.
        if !target.path().starts_with('/') {
            return Err(refuse("the target has no path"));
        }
        Ok(Self { method: &head.method, target, authority, headers: &head.headers, scheme: None })
    }

    /// Takes the head of a request that is about to be sent. Its authority is what `Host` will say on the wire: the header
    /// if there is one, or else that of the URI, without user information.
    #[must_use]
    pub fn outgoing(head: &'m Parts) -> Self {
        let named = || {
            let authority = head.uri.authority()?.as_str();
            Some(authority.rsplit_once('@').map_or(authority, |(_, host)| host))
        };
        let authority = head.headers.get(HOST).and_then(|host| host.to_str().ok()).or_else(named);
        Self {
            method: &head.method,
            target: &head.uri,
            authority,
            headers: &head.headers,
            scheme: head.uri.scheme_str(),
        }
    }

    /// `http` or `https`, of a request that is [about to be sent](Self::outgoing) and whose URI says it. A request that
    /// arrived may have come by another one to the proxy before this server, so it never tells.
    #[must_use]
    pub const fn outgoing_scheme(&self) -> Option<&'m str> {
        self.scheme
    }

    /// The method, as sent; override headers are not looked at.
    #[must_use]
    pub const fn method(&self) -> &'m Method {
        self.method
    }

    /// Path and query, undecoded and unnormalised: what stood in the request line.
    #[must_use]
    pub fn target(&self) -> &'m str {
        self.target.path_and_query().map_or("", http::uri::PathAndQuery::as_str)
    }

    /// The path of the [`target`](Self::target).
    #[must_use]
    pub fn path(&self) -> &'m str {
        self.target.path()
    }

    /// The query of the [`target`](Self::target), without its `?`; empty if there is none.
    #[must_use]
    pub fn query(&self) -> &'m str {
        self.target.query().unwrap_or_default()
    }

    /// `host[:port]`, as sent. Only HTTP/1.0 may leave it out.
    #[must_use]
    pub const fn authority(&self) -> Option<&'m str> {
        self.authority
    }

    /// The only values of these headers, each `None` if it is absent, found in one walk over the message's headers.
    /// Twice is malformed, never "the first wins".
    ///
    /// # Errors
    ///
    /// [`VerifyErrorKind::Malformed`] if one of the headers stands more than once.
    pub fn headers_once<const N: usize>(
        &self,
        names: [&HeaderName; N],
    ) -> Result<[Option<&'m HeaderValue>; N], VerifyError> {
        let mut found = [None; N];
        // As text they differ in length, mostly, which is seen at once.
        let names = names.map(HeaderName::as_str);
        for (name, value) in self.headers {
            let name = name.as_str();
            let place =
                names.iter().position(|wanted| *wanted == name).and_then(|index| found.get_mut(index));
            if place.is_some_and(|place| place.replace(value).is_some()) {
                return Err(VerifyError::malformed("a credential header stands more than once"));
            }
        }
        Ok(found)
    }

    /// The only value of a header, `None` if it is absent. Twice is malformed, never "the first wins".
    ///
    /// # Errors
    ///
    /// [`VerifyErrorKind::Malformed`] if the header stands more than once.
    pub fn header_once(&self, name: &HeaderName) -> Result<Option<&'m HeaderValue>, VerifyError> {
        self.headers_once([name]).map(|[value]| value)
    }

    /// The only value of a header as visible ASCII, `None` if it is absent.
    ///
    /// # Errors
    ///
    /// [`VerifyErrorKind::Malformed`] if the header stands more than once, is empty, or holds other characters.
    pub fn text_once(&self, name: &HeaderName) -> Result<Option<&'m str>, VerifyError> {
        self.header_once(name)?.map(text).transpose()
    }
}

/// The value of a credential header as visible ASCII, which is not empty.
pub(crate) fn text(value: &HeaderValue) -> Result<&str, VerifyError> {
    match value.to_str() {
        Ok(text) if !text.is_empty() => Ok(text),
        _ => Err(VerifyError::malformed("a credential header is empty or not visible ASCII")),
    }
}

/// Headers, and Corezoid's path, hold signatures that may be valid, so they are not printed.
impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({}, ..)", self.method)
    }
}

const fn refuse(detail: &'static str) -> VerifyError {
    VerifyError::with_detail(VerifyErrorKind::MalformedMessage, detail)
}

/// The authority that every place in the message agrees on.
fn authority<'m>(head: &'m Parts, target: &'m Uri) -> Result<Option<&'m str>, VerifyError> {
    let mut hosts = head.headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (None, _) if head.version == Version::HTTP_11 => return Err(refuse("no Host header")),
        (None, _) => None,
        (Some(host), None) => Some(host),
        _ => return Err(refuse("several Host headers")),
    };
    let host = match host.map(|host| plain(host.as_bytes())) {
        Some(None) => return Err(refuse("the Host header is not host[:port]")),
        Some(host) => host,
        None => None,
    };
    match (target.authority(), host) {
        (Some(named), Some(host)) if named.as_str() != host => Err(refuse("Host and target differ")),
        (Some(named), _) => plain(named.as_str().as_bytes())
            .map(Some)
            .ok_or_else(|| refuse("the target's authority is not host[:port]")),
        (None, host) => Ok(host),
    }
}

/// Where a byte may stand in an authority.
const NAME: u8 = 1;
const ADDRESS: u8 = 2;
const PORT: u8 = 4;
const PLACES: [u8; 256] = {
    let mut places = [0; 256];
    let mut byte = 0;
    while byte < 128 {
        let b = byte as u8;
        let marks = matches!(
            b,
            b'-' | b'.'
                | b'_'
                | b'~'
                | b'%'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
        );
        places[byte] = (if b.is_ascii_alphanumeric() || marks { NAME } else { 0 })
            | (if b.is_ascii_hexdigit() || b == b':' || b == b'.' { ADDRESS } else { 0 })
            | (if b.is_ascii_digit() { PORT } else { 0 });
        byte += 1;
    }
    places
};

/// The text, if it is a host in characters that one may have, and perhaps a port in digits (RFC 3986 §3.2.2). User
/// information is refused: `@` is not among the characters.
fn plain(bytes: &[u8]) -> Option<&str> {
    let all = |bytes: &[u8], place| bytes.iter().all(|&byte| PLACES[usize::from(byte)] & place != 0);
    let (host, port) = match bytes.iter().rposition(|&byte| byte == b':') {
        // The colons of an IPv6 address stand in brackets.
        Some(colon) if !bytes.ends_with(b"]") => (&bytes[..colon], &bytes[colon + 1..]),
        _ => (bytes, &[][..]),
    };
    let host = match host {
        [b'[', inside @ .., b']'] => !inside.is_empty() && all(inside, ADDRESS),
        _ => !host.is_empty() && all(host, NAME),
    };
    if host && all(port, PORT) { str::from_utf8(bytes).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn authority_of(request: http::request::Builder) -> Result<Option<String>, VerifyErrorKind> {
        let (head, ()) = request.body(()).unwrap().into_parts();
        Message::new(&head, &head.uri)
            .map(|message| message.authority().map(str::to_owned))
            .map_err(|error| error.kind())
    }

    #[test]
    fn exactly_one_authority_counts() {
        let post = |uri: &str| Request::post(uri);
        let bad = Err(VerifyErrorKind::MalformedMessage);
        let a = Ok(Some("a.test:8080".to_owned()));
        assert_eq!(authority_of(post("/g").header("host", "a.test:8080")), a);
        assert_eq!(authority_of(post("http://a.test:8080/g").header("host", "a.test:8080")), a);
        assert_eq!(authority_of(post("http://a.test:8080/g").version(Version::HTTP_2)), a);
        assert_eq!(authority_of(post("/g").version(Version::HTTP_10)), Ok(None));
        assert_eq!(authority_of(post("/g")), bad);
        assert_eq!(authority_of(post("/g").header("host", "a").header("host", "a")), bad);
        assert_eq!(authority_of(post("http://a/g").header("host", "b")), bad);
        assert_eq!(authority_of(post("http://a/g").header("host", "b").version(Version::HTTP_2)), bad);
        for host in [
            "", ":80", "u@a", "a/b", "a b", "a\u{e9}", "a?b", "a#b", "a:80:443", "a:b", "::1", "[::1", "[]",
            "[u@a]",
        ] {
            assert_eq!(authority_of(post("/g").header("host", host)), bad, "{host:?}");
        }
        for host in ["a", "a:", "a.test.:0443", "127.0.0.1:80", "[::1]", "[::1]:8080", "xn--e1a.test"] {
            assert_eq!(authority_of(post("/g").header("host", host)), Ok(Some(host.to_owned())));
        }
    }

    #[test]
    fn a_target_has_a_path() {
        let bad = Err(VerifyErrorKind::MalformedMessage);
        assert_eq!(authority_of(Request::post("*").header("host", "a")), bad);
        assert_eq!(authority_of(Request::post("a").header("host", "a")), bad);
        assert!(authority_of(Request::post("http://a").header("host", "a")).is_ok());
    }

    #[test]
    fn an_outgoing_request_names_what_its_host_header_will_say() {
        for (uri, host, expected) in [
            ("https://a.test:8080/g", None, Some("a.test:8080")),
            ("https://u:p@a.test/g", None, Some("a.test")),
            ("https://a.test/g", Some("b.test"), Some("b.test")),
            ("/g", Some("b.test"), Some("b.test")),
            ("/g", None, None),
        ] {
            let request = Request::post(uri);
            let request = host.into_iter().fold(request, |request, host| request.header("host", host));
            let (head, ()) = request.body(()).unwrap().into_parts();
            assert_eq!(Message::outgoing(&head).authority(), expected, "{uri} {host:?}");
        }
    }

    #[test]
    fn debug_shows_neither_headers_nor_target() {
        let request = Request::post("/sig-in-path").header("host", "a").header("authorization", "App sig");
        let (head, ()) = request.body(()).unwrap().into_parts();
        assert_eq!(format!("{:?}", Message::new(&head, &head.uri).unwrap()), "Message(POST, ..)");
    }
}

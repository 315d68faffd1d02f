//! [Corezoid](https://doc.corezoid.com/docs/authorization): keyed SHA-1 in the last three segments of the path.
//!
//! # On the wire
//!
//! ```text
//! POST /api/2/json/13000/1700000000/c28013c2a2ffe0bd17a7ec3ab7b2f8aa8b5ccf04 HTTP/1.1
//! Host: api.corezoid.com
//! Content-type: application/json; charset=utf8
//!
//! {}
//! ```
//!
//! The segments are the API login (the key id), the Unix time in seconds, and the signature in hexadecimal digits of
//! either case.
//!
//! # Signature base
//!
//! ```text
//! time + {SECRET} + body + {SECRET}
//! ```
//!
//! The time is the text of the path segment, exactly; the body is the raw bytes. A request without a body signs the
//! empty text.
//!
//! # Example
//!
//! ```
//! use countersign::{message::Message, scheme::{Corezoid, Scheme}};
//! use http::Request;
//!
//! let corezoid = Corezoid::default();
//! let uri = "/api/2/json/13000/1700000000/c28013c2a2ffe0bd17a7ec3ab7b2f8aa8b5ccf04";
//! let (head, ()) = Request::post(uri).header("host", "api.test").body(())?.into_parts();
//! let message = Message::new(&head, &head.uri)?;
//! let presented = corezoid.read(&message)?.expect("the path has the scheme's shape");
//! assert_eq!(presented.parameters.key_id, "13000");
//! let base = corezoid.signature_base(&message, &presented.parameters);
//! assert_eq!(base.display(b"{}"), "1700000000{SECRET}{}{SECRET}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Uploads
//!
//! A multipart body is signed in a reduced form, by the vendor's own clients as by the server they talk to: lines that
//! look like boundaries vanish, wherever they begin (`-+[0-9A-Za-z_]+-*\r\n`), then white space at both ends, then
//! every CRLF but that of lines that begin with `Content-`. Only a route that is opted in by
//! [`with_multipart_route`](Corezoid::with_multipart_route) takes bodies so, and only so.
//!
//! # Security
//!
//! Not covered: method, authority, path, query, organization, headers. Verifiers therefore accept `POST` on
//! `/api/1/json` and `/api/2/json` only, without a query; anything else is opted in route by route. The company that an
//! operation names stands in the body and is the caller's word: compare it with the key's own. A request can be
//! repeated while its time is within the tolerance. SHA-1 is the vendor's choice; the construction is not an
//! HMAC and has no delimiters, which is safe only because the time is all digits (a secret of digits only would undo
//! that, and is refused at import). The signature stands in the path: keep it out of access logs.
//!
//! # Where the documentation is silent
//!
//! Choices of ours: 1. the tolerance is ±300 s by default and can be switched off (the vendor's default is not public).
//! 2. The time has 1 to 19 digits; [`with_lenient_time`](Corezoid::with_lenient_time) also takes a fraction, as one
//! real client sends it. 3. Identical requests in one second are legitimate (the vendor's own tool sends them).

use super::{Covers, Parameters, Presented, Route, Routes, Scheme, SignedTime, Tenancy};
use crate::{
    error::{ConfigError, SignError, VerifyError},
    message::Message,
    signature::{Algorithm, Case, Segment, Signature, SignatureBase},
};
use http::{Method, Uri, request::Parts, uri::PathAndQuery};
use memchr::memrchr;
use std::time::{Duration, UNIX_EPOCH};

/// The three segments that a signed path ends with.
const CREDENTIALS: &str = "{login}/{time}/{signature}";

/// The Corezoid scheme.
#[derive(Clone, Debug)]
pub struct Corezoid {
    routes: Routes,
    lenient_time: bool,
    /// The routes on which the reduced form of the body is signed: before the credentials are appended, and after.
    multipart: Vec<(Route, Route)>,
}

impl Default for Corezoid {
    /// `POST` on `/api/1/json` and `/api/2/json`; whole seconds only.
    #[expect(clippy::expect_used, reason = "the templates are constant, and a test makes them")]
    fn default() -> Self {
        let post = |prefix: &str| route(Method::POST, prefix).expect("a constant template is right");
        let routes = Routes::Only(["/api/1/json", "/api/2/json"].map(post).into());
        Self { routes, lenient_time: false, multipart: Vec::new() }
    }
}

fn route(method: Method, prefix: &str) -> Result<Route, ConfigError> {
    Route::new(method, &format!("{prefix}/{CREDENTIALS}"))
}

impl Corezoid {
    /// Opts in another route: the credentials follow `prefix`, a template like `/user_downloads/{file}`.
    ///
    /// # Errors
    ///
    /// [`ConfigError::RouteTemplate`].
    ///
    /// # Security
    ///
    /// A signature made for one route is good on every other of the same verifier.
    pub fn with_route(mut self, method: Method, prefix: &str) -> Result<Self, ConfigError> {
        self.routes.push(route(method, prefix)?);
        Ok(self)
    }

    /// Opts in a route for uploads, `POST` on `prefix` and the credentials, where the *reduced* form of a multipart
    /// body is signed instead of the body: `/api/2/upload`. A body of more than 1 MiB is refused there.
    ///
    /// # Errors
    ///
    /// [`ConfigError::RouteTemplate`].
    ///
    /// # Security
    ///
    /// Weak: different bodies have the same reduced form, and a signature for one is good for all of them. Whoever
    /// captures an upload can, within the tolerance, put in or take out line ends anywhere, and with them pieces like
    /// `-5` CRLF, which changes what a part means and where it ends: `[]` and `[-5` CRLF `]` are the same. The
    /// `Content-Type`, and with it the boundary, is not signed at all. Put nothing behind this route that must not be
    /// done with an altered file, and rely on TLS.
    ///
    /// A body is held twice while it is verified, and hashed in one go at its end.
    pub fn with_multipart_route(mut self, prefix: &str) -> Result<Self, ConfigError> {
        let signed = route(Method::POST, prefix)?;
        self.multipart.push((Route::new(Method::POST, prefix)?, signed.clone()));
        self.routes.push(signed);
        Ok(self)
    }

    /// Whether the body of this message is signed in its reduced form. A path without credentials is that of a request
    /// that is being signed.
    fn is_multipart(&self, path: &str) -> bool {
        let signed = self.routes.matching(path).next().is_some();
        self.multipart.iter().any(|(bare, whole)| (if signed { whole } else { bare }).matches_path(path))
    }

    /// Also accepts a time with a fraction, `1795290492.6720548`, as the Python package `corezoid` signs and sends it.
    #[must_use]
    pub const fn with_lenient_time(mut self) -> Self {
        self.lenient_time = true;
        self
    }
}

/// The time that a text names, in whole seconds or, if that is allowed, with a fraction. Digits only, so that the
/// signed text cannot be cut at another place.
pub(super) fn time(text: &str, fractions: bool) -> Option<SignedTime<'_>> {
    let (seconds, fraction) = match text.split_once('.') {
        Some((seconds, fraction)) if fractions => (seconds, fraction),
        _ => (text, "0"),
    };
    let digits = |text: &str| (1..=19).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(seconds) || !digits(fraction) {
        return None;
    }
    let at = UNIX_EPOCH.checked_add(Duration::from_secs(seconds.parse().ok()?))?;
    Some(SignedTime::new(text, at))
}

/// What is signed, wherever the time stands.
pub(super) fn base<'m>(parameters: &Parameters<'m>, body: Segment<'m>) -> SignatureBase<'m> {
    let time = parameters.time.as_ref().map(|time| time.text.clone()).unwrap_or_default();
    SignatureBase::from([Segment::text(time), Segment::Secret, body, Segment::Secret])
}

/// Gives a request another path and query.
pub(super) fn set_target(head: &mut Parts, target: String) -> Result<(), SignError> {
    let mut uri = head.uri.clone().into_parts();
    let wrong = |error| SignError::with_source("the credentials cannot stand in a URL", error);
    uri.path_and_query = Some(PathAndQuery::try_from(target).map_err(wrong)?);
    let unusable = |error| SignError::with_source("the request has no usable URI", error);
    head.uri = Uri::from_parts(uri).map_err(unusable)?;
    Ok(())
}

/// A path as it was before this login's credentials were appended to it.
fn bare<'p>(path: &'p str, login: &str) -> &'p str {
    let signed = || {
        let (rest, signature) = split_last(path)?;
        let (rest, text) = split_last(rest)?;
        let (rest, first) = split_last(rest)?;
        let ours = first == login
            && time(text, true).is_some()
            && Signature::from_hex(Algorithm::SandwichSha1, signature, Case::Any).is_ok();
        ours.then_some(rest)
    };
    signed().unwrap_or(path).trim_end_matches('/')
}

impl Scheme for Corezoid {
    fn name(&self) -> &'static str {
        "corezoid"
    }

    fn algorithm(&self) -> Algorithm {
        Algorithm::SandwichSha1
    }

    fn covers(&self) -> Covers {
        Covers { time: true, ..Covers::body() }
    }

    fn tenancy(&self) -> Tenancy {
        Tenancy::Own
    }

    fn routes(&self) -> &Routes {
        &self.routes
    }

    fn challenge(&self) -> &'static str {
        "Corezoid"
    }

    fn read<'m>(&self, message: &Message<'m>) -> Result<Option<Presented<'m>>, VerifyError> {
        let path = message.path();
        if self.routes.matching(path).next().is_none() {
            return Ok(None);
        }
        let Some((path, signature)) = split_last(path) else { return Ok(None) };
        let Some((path, text)) = split_last(path) else { return Ok(None) };
        let Some((_, login)) = split_last(path) else { return Ok(None) };
        let time =
            time(text, self.lenient_time).ok_or(VerifyError::malformed("the time is not whole seconds"))?;
        let signature = Signature::from_hex(Algorithm::SandwichSha1, signature, Case::Any)
            .map_err(|_| VerifyError::malformed("the signature is not 40 hexadecimal digits"))?;
        let parameters = Parameters { time: Some(time), ..Parameters::new(login) };
        Ok(Some(Presented::new(parameters, signature)))
    }

    fn signature_base<'m>(&self, message: &Message<'m>, parameters: &Parameters<'m>) -> SignatureBase<'m> {
        let multipart = !self.multipart.is_empty() && self.is_multipart(message.path());
        base(parameters, if multipart { Segment::BodyReduced } else { Segment::Body })
    }

    fn attach(
        &self,
        head: &mut Parts,
        parameters: &Parameters<'_>,
        signature: Option<&Signature>,
    ) -> Result<(), SignError> {
        let Some(signature) = signature else { return Ok(()) };
        let time = parameters.time.as_ref().ok_or(SignError::new("no time was chosen"))?;
        let login = parameters.key_id;
        if login.is_empty() || login.contains(['/', '?', '#']) {
            return Err(SignError::new("the login is not one segment of a path"));
        }
        let path = bare(head.uri.path(), login);
        let query = head.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        let target = format!("{path}/{login}/{}/{}{query}", time.text, signature.to_hex());
        set_target(head, target)
    }
}

/// A path without its last segment, and that segment.
fn split_last(path: &str) -> Option<(&str, &str)> {
    let slash = memrchr(b'/', path.as_bytes())?;
    Some((&path[..slash], &path[slash + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheme::testing::{MALFORMED, Seen, head, read};

    const SHA1: &str = "c28013c2a2ffe0bd17a7ec3ab7b2f8aa8b5ccf04";

    #[test]
    fn the_path_has_the_scheme_s_shape_or_is_not_its_own() {
        let (upper, long) = (SHA1.to_uppercase(), format!("{SHA1}00"));
        let signed = |signature: &str| format!("/api/2/json/13000/1700000000/{signature}");
        let table = [
            ("POST", signed(SHA1), Seen::Presented),
            ("POST", signed(&upper), Seen::Presented),
            ("POST", signed(&upper.replacen('C', "c", 1)), Seen::Presented),
            ("POST", signed(SHA1) + "?", Seen::Presented),
            ("POST", format!("/api/1/json/13000/1700000000/{SHA1}"), Seen::Presented),
            ("POST", format!("/api/1/json/a%2Fb/1700000000/{SHA1}"), Seen::Presented),
            ("POST", signed(SHA1) + "?hash=1", Seen::Closed),
            ("GET", signed(SHA1), Seen::Closed),
            ("HEAD", signed(SHA1), Seen::Closed),
            ("POST", signed(&SHA1[..39]), MALFORMED),
            ("POST", signed(&SHA1[..38]), MALFORMED),
            ("POST", signed(&long), MALFORMED),
            ("POST", signed(&SHA1.replace('c', "g")), MALFORMED),
            ("POST", signed(&SHA1.replacen("c2", "0x", 1)), MALFORMED),
            ("POST", signed(&format!("0x{SHA1}")), MALFORMED),
            ("POST", signed("woATwqL/4L0Xp+w6t7L4qotczwQ="), Seen::Nothing),
            ("POST", signed(SHA1) + "/", Seen::Nothing),
            ("POST", signed(SHA1) + "/1", Seen::Nothing),
            ("POST", signed(""), Seen::Nothing),
            ("POST", "/".to_owned() + &signed(SHA1), Seen::Nothing),
            ("POST", "/api/2/json".to_owned(), Seen::Nothing),
            ("POST", format!("/api/2/json/1700000000/{SHA1}"), Seen::Nothing),
            ("POST", format!("/api/2/json//1700000000/{SHA1}"), Seen::Nothing),
            ("POST", format!("/api/2/json/13000//{SHA1}"), Seen::Nothing),
            ("POST", format!("/api/2//json/13000/1700000000/{SHA1}"), Seen::Nothing),
            ("POST", format!("/api/2/json/13000%2F1700000000/{SHA1}"), Seen::Nothing),
            ("POST", format!("/api/2%2Fjson/13000/1700000000/{SHA1}"), Seen::Nothing),
            ("POST", format!("/api/3/json/13000/1700000000/{SHA1}"), Seen::Nothing),
            ("POST", format!("/api/2/xml/13000/1700000000/{SHA1}"), Seen::Nothing),
            ("POST", format!("/API/2/json/13000/1700000000/{SHA1}"), Seen::Nothing),
        ];
        for (method, target, expected) in table {
            assert_eq!(
                read(&Corezoid::default(), &head(method, &target, &[])).0,
                expected,
                "{method} {target}"
            );
        }
    }

    #[test]
    fn a_time_is_digits_and_signed_as_it_is_written() {
        let (whole, lenient) = (Corezoid::default(), Corezoid::default().with_lenient_time());
        // Seconds as they are read, by default and with a fraction allowed.
        let table = [
            ("1700000000", Some(1_700_000_000), Some(1_700_000_000)),
            ("0", Some(0), Some(0)),
            ("0001700000000", Some(1_700_000_000), Some(1_700_000_000)),
            ("1700000000000", Some(1_700_000_000_000), Some(1_700_000_000_000)),
            ("9223372036854775807", Some(9_223_372_036_854_775_807), Some(9_223_372_036_854_775_807)),
            ("1795290492.6720548", None, Some(1_795_290_492)),
            ("9999999999999999999", None, None),
            ("10000000000000000000", None, None),
            ("00000000001700000000", None, None),
            ("1.00000000000000000000", None, None),
            ("-1", None, None),
            ("+1", None, None),
            ("1e9", None, None),
            ("%201", None, None),
            ("1%20", None, None),
            ("0x10", None, None),
            ("1_000", None, None),
            ("1,5", None, None),
            ("1.", None, None),
            (".5", None, None),
            ("1.2.3", None, None),
            ("1.-5", None, None),
            ("1.5e3", None, None),
            ("NaN", None, None),
            ("٣", None, None),
            ("%D9%A3", None, None),
        ];
        for (text, by_default, with_fraction) in table {
            let head = head("POST", &format!("/api/2/json/13000/{text}/{SHA1}"), &[]);
            for (scheme, expected) in [(&whole, by_default), (&lenient, with_fraction)] {
                let (seen, presented) = read(scheme, &head);
                assert_eq!(seen, if expected.is_some() { Seen::Presented } else { MALFORMED }, "{text}");
                let Some(presented) = presented else { continue };
                let time = presented.parameters.time.clone().unwrap();
                assert_eq!(time.at.duration_since(UNIX_EPOCH).ok().map(|age| age.as_secs()), expected);
                let message = Message::outgoing(&head);
                let base = scheme.signature_base(&message, &presented.parameters);
                assert_eq!(base.display(b"{}"), format!("{text}{{SECRET}}{{}}{{SECRET}}"));
            }
        }
    }

    #[test]
    fn credentials_are_appended_to_the_path() {
        let signature = Signature::from_hex(Algorithm::SandwichSha1, SHA1, Case::Lower).unwrap();
        let attached = |target: &str, login: &str| {
            let mut head = head("POST", target, &[]);
            let time = Some(SignedTime::new("17", UNIX_EPOCH));
            let parameters = Parameters { time, ..Parameters::new(login) };
            Corezoid::default().attach(&mut head, &parameters, Some(&signature)).ok()?;
            Some(head.uri.to_string())
        };
        let table = [
            ("/api/2/json", Some(format!("/api/2/json/13000/17/{SHA1}"))),
            ("/api/2/json/", Some(format!("/api/2/json/13000/17/{SHA1}"))),
            ("https://a.test/x?y=1", Some(format!("https://a.test/x/13000/17/{SHA1}?y=1"))),
            // Signed before: the old credentials make way, another login's do not.
            (&format!("/api/2/json/13000/16.5/{SHA1}?y=1"), Some(format!("/api/2/json/13000/17/{SHA1}?y=1"))),
            (&format!("/13000/16/{SHA1}"), Some(format!("/13000/17/{SHA1}"))),
            (&format!("/a/13001/16/{SHA1}"), Some(format!("/a/13001/16/{SHA1}/13000/17/{SHA1}"))),
            (
                &format!("/a/13000/16/{}", &SHA1[2..]),
                Some(format!("/a/13000/16/{}/13000/17/{SHA1}", &SHA1[2..])),
            ),
        ];
        for (target, expected) in table {
            assert_eq!(attached(target, "13000"), expected);
        }
        for login in ["", "a/b", "a?b", "a#b", "a b", "a\n"] {
            assert_eq!(attached("/api/2/json", login), None, "{login:?}");
        }
    }
}

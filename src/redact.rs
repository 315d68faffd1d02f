//! Paths, queries and headers as they may be logged: without what proves who calls.
//!
//! Corezoid's clients send their signature as the last segment of the path, and others sign in the query. Whoever logs a
//! URL as it is logs what can be sent again. [`path`] and [`query`] keep what tells a request apart and replace the rest
//! by `REDACTED`; [`span`] makes the span of a request for the `TraceLayer` of tower-http, and [`headers`] shows headers.
//!
//! ```
//! use axum::{Router, routing::post};
//! use countersign::redact;
//! use tower_http::trace::TraceLayer;
//!
//! let app: Router = Router::new()
//!     .route("/api/2/json/{login}/{time}/{signature}", post(|| async { "{}" }))
//!     .layer(TraceLayer::new_for_http().make_span_with(redact::span));
//!
//! let uri = "/api/2/json/13000/1700000000/c28013c2a2ffe0bd17a7ec3ab7b2f8aa8b5ccf04".parse()?;
//! assert_eq!(redact::path(&uri), "/api/2/json/13000/1700000000/REDACTED");
//! # Ok::<(), http::uri::InvalidUri>(())
//! ```
//!
//! # Security
//!
//! What is a credential is told by its name and its shape, on the side of caution; a scheme of your own may put one where
//! no rule expects it. Where there is a route's template, log that.

use http::{HeaderMap, HeaderName, Request, Uri};
use std::{borrow::Cow, fmt};
use tracing::Span;

/// What stands in the place of a credential, as OpenTelemetry's conventions write it.
const REDACTED: &str = "REDACTED";
/// So many hexadecimal digits in a row may be a signature or a key; a UUID's longest row has 12.
const DIGITS: usize = 32;
/// So many decimal digits may be the time before Corezoid's signature.
const TIME: usize = 9;
/// A segment or value longer than this, without a gap, may be a token.
const LONGEST: usize = 80;
/// Parts of names of headers and of parameters that hold what proves who calls.
const NAMES: [&str; 16] = [
    "accesskeyid",
    "api-key",
    "api_key",
    "apikey",
    "assertion",
    "auth",
    "cookie",
    "credential",
    "hmac",
    "jwt",
    "passwd",
    "password",
    "secret",
    "session",
    "signature",
    "token",
];

/// The path, with `REDACTED` for every segment that may be a signature or a token: what follows a time, as in
/// Corezoid's paths, and what looks like one wherever it stands.
#[must_use]
pub fn path(uri: &Uri) -> Cow<'_, str> {
    let path = uri.path();
    let mut before = "";
    let secret = |segment: &str, before: &str| {
        let time = before.len() >= TIME && before.bytes().all(|byte| byte.is_ascii_digit());
        !segment.is_empty() && (time || looks_secret(segment))
    };
    let mut found = false;
    let segments: Vec<_> = path
        .split('/')
        .map(|segment| {
            let is_secret = secret(segment, before);
            before = segment;
            found |= is_secret;
            if is_secret { REDACTED } else { segment }
        })
        .collect();
    if found { Cow::Owned(segments.join("/")) } else { Cow::Borrowed(path) }
}

/// The query, with `REDACTED` for the value of every parameter whose name or shape is that of a credential; the names
/// stay.
#[must_use]
pub fn query(uri: &Uri) -> Option<Cow<'_, str>> {
    let query = uri.query()?;
    let mut found = false;
    let parameters: Vec<_> = query
        .split('&')
        .map(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or(("", parameter));
            if value.is_empty() || !(is_secret_name(name) || looks_secret(value)) {
                return Cow::Borrowed(parameter);
            }
            found = true;
            if name.is_empty() { REDACTED.into() } else { format!("{name}={REDACTED}").into() }
        })
        .collect();
    Some(if found { Cow::Owned(parameters.join("&")) } else { Cow::Borrowed(query) })
}

/// Headers for `{:?}`, with `REDACTED` for the values of those that hold credentials.
#[must_use]
pub const fn headers(headers: &HeaderMap) -> impl fmt::Debug + '_ {
    Headers(headers)
}

/// Whether a header of this name may hold a credential: by its name, `oz-signature` and `authorization` among them.
#[must_use]
pub fn is_credential(name: &HeaderName) -> bool {
    is_secret_name(name.as_str())
}

/// A span `request` with method, redacted path and redacted query, for `TraceLayer::make_span_with` of tower-http.
pub fn span<B>(request: &Request<B>) -> Span {
    let (path, query) = (path(request.uri()), query(request.uri()));
    tracing::info_span!("request", method = %request.method(), path = &*path, query = query.as_deref())
}

struct Headers<'h>(&'h HeaderMap);

impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.iter().map(|(name, value)| match is_credential(name) {
            true => (name, Shown::Redacted),
            false => (name, Shown::Value(value)),
        });
        f.debug_map().entries(shown).finish()
    }
}

enum Shown<'v> {
    Redacted,
    Value(&'v http::HeaderValue),
}

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redacted => f.write_str(REDACTED),
            Self::Value(value) => value.fmt(f),
        }
    }
}

fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    // A name that is percent-encoded hides; nobody needs to.
    name.contains('%')
        || matches!(&*name, "sig" | "key" | "mac")
        || NAMES.iter().any(|part| name.contains(part))
}

fn looks_secret(text: &str) -> bool {
    let mut row = 0;
    let digits = text.bytes().any(|byte| {
        row = if byte.is_ascii_hexdigit() { row + 1 } else { 0 };
        row >= DIGITS
    });
    digits || text.len() > LONGEST
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        text.parse().unwrap()
    }

    #[test]
    fn signatures_in_paths_are_replaced_whatever_they_look_like() {
        let signature = "c28013c2a2ffe0bd17a7ec3ab7b2f8aa8b5ccf04";
        for wrong in [signature, &signature[1..], &signature.to_uppercase(), "x", "%63280", &"Zz-".repeat(40)]
        {
            for prefix in
                ["/api/1/json/13000", "/api/2/json/13000", "/user_downloads/a.json/13000", "/other/login"]
            {
                let uri = uri(&format!("{prefix}/1700000000/{wrong}"));
                assert_eq!(path(&uri), format!("{prefix}/1700000000/REDACTED"));
            }
        }
        // A client that got the order wrong, or a segment too many behind it.
        assert_eq!(path(&uri(&format!("/api/2/json/{signature}/13000"))), "/api/2/json/REDACTED/13000");
        assert_eq!(path(&uri(&format!("/a/1700000000/{signature}/"))), "/a/1700000000/REDACTED/");
    }

    #[test]
    fn other_paths_stay_as_they_are() {
        for path in [
            "/",
            "/graphql",
            "/acme-studios/graphql",
            "/v2.0/stream/1/sample/range",
            "/api/2/json",
            "/7b371391-1561-4cac-8f86-9b7bcba83db2/graphql",
        ] {
            let uri = uri(path);
            assert!(matches!(super::path(&uri), Cow::Borrowed(same) if same == path), "{path}");
        }
    }

    #[test]
    fn names_stay_in_queries_and_values_go() {
        for (given, shown) in [
            ("limit=2&offset=3", "limit=2&offset=3"),
            ("X-Amz-Signature=abc&limit=2", "X-Amz-Signature=REDACTED&limit=2"),
            (
                "X-Amz-Credential=a&X-Amz-Security-Token=b&AWSAccessKeyId=c",
                "X-Amz-Credential=REDACTED&X-Amz-Security-Token=REDACTED&AWSAccessKeyId=REDACTED",
            ),
            (
                "Signature=a&sig=b&X-Goog-Signature=c",
                "Signature=REDACTED&sig=REDACTED&X-Goog-Signature=REDACTED",
            ),
            ("%73ig=abc", "%73ig=REDACTED"),
            ("access_token=abc", "access_token=REDACTED"),
            ("id=c28013c2a2ffe0bd17a7ec3ab7b2f8aa8b5ccf04", "id=REDACTED"),
            ("c28013c2a2ffe0bd17a7ec3ab7b2f8aa8b5ccf04", "REDACTED"),
            ("sig=", "sig="),
        ] {
            assert_eq!(query(&uri(&format!("/?{given}"))).unwrap(), shown);
        }
        assert_eq!(query(&uri("/")), None);
    }

    #[test]
    fn headers_are_shown_without_credentials() {
        let mut map = HeaderMap::new();
        for (name, value) in [
            ("authorization", "App c2VjcmV0"),
            ("oz-signature", "c2VjcmV0"),
            ("oz-key-id", "pk_1"),
            ("oz-client-name", "invoicer"),
            ("cookie", "c2VjcmV0"),
            ("x-api-key", "c2VjcmV0"),
        ] {
            map.insert(HeaderName::from_static(name), value.parse().unwrap());
        }
        let shown = format!("{:?} {:#?}", headers(&map), headers(&map));
        assert!(!shown.contains("c2VjcmV0"), "{shown}");
        assert!(
            shown.contains("pk_1") && shown.contains("invoicer") && shown.contains("oz-signature"),
            "{shown}"
        );
    }
}

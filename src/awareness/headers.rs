//! What a client says of itself.

use super::counts::OTHER;
use http::{HeaderMap, HeaderName};

/// The longest name and the longest version, in bytes.
const LONGEST: usize = 64;

/// The headers by which clients name themselves and their versions. Of several pairs, the first one whose name is there
/// counts.
///
/// ```
/// use countersign::awareness::ClientHeaders;
/// use http::HeaderName;
///
/// let ours = ClientHeaders::none()
///     .or(HeaderName::from_static("x-client"), HeaderName::from_static("x-client-version"));
/// ```
#[derive(Clone, Debug)]
pub struct ClientHeaders(Vec<(HeaderName, HeaderName)>);

impl Default for ClientHeaders {
    /// `oz-client-name` and `-version`, as Ateliere Connect's document has them, then Apollo's
    /// `apollographql-client-name` and `-version`.
    fn default() -> Self {
        let header = HeaderName::from_static;
        Self::none()
            .or(header("oz-client-name"), header("oz-client-version"))
            .or(header("apollographql-client-name"), header("apollographql-client-version"))
    }
}

impl ClientHeaders {
    /// No headers: clients are told apart by their keys alone.
    #[must_use]
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Adds a pair behind those that are there.
    #[must_use]
    pub fn or(mut self, name: HeaderName, version: HeaderName) -> Self {
        self.0.push((name, version));
        self
    }

    /// The client and its version; empty where nothing is said. A version without a name says nothing.
    pub(super) fn read<'h>(&self, headers: &'h HeaderMap) -> (&'h str, &'h str) {
        for (name, version) in &self.0 {
            let name = said(headers, name);
            if !name.is_empty() {
                return (name, if name == OTHER { "" } else { said(headers, version) });
            }
        }
        ("", "")
    }
}

/// What a header says; [`OTHER`] if it is said twice, too long, or in characters that have no place in a table.
fn said<'h>(headers: &'h HeaderMap, name: &HeaderName) -> &'h str {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => "",
        (Some(value), None) => value.to_str().map_or(OTHER, |text| bounded(text.trim())),
        (Some(_), Some(_)) => OTHER,
    }
}

/// A text, if it may stand in a table as it is.
pub(super) fn bounded(text: &str) -> &str {
    let plain = text.len() <= LONGEST && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if plain { text } else { OTHER }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&'static str, &[u8])]) -> (String, String) {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, http::HeaderValue::from_bytes(value).unwrap());
        }
        let (name, version) = ClientHeaders::default().read(&map);
        (name.to_owned(), version.to_owned())
    }

    #[test]
    fn what_is_said_counts_and_what_is_not_has_no_name() {
        let long = [b'a'; 65];
        for (pairs, name, version) in [
            (&[][..], "", ""),
            (&[("oz-client-name", &b"invoicer"[..])], "invoicer", ""),
            (
                &[("oz-client-name", b"invoicer"), ("oz-client-version", b"1.2.3-rc.1+5")],
                "invoicer",
                "1.2.3-rc.1+5",
            ),
            (
                &[("oz-client-name", b" My client "), ("oz-client-version", b"Codename Zebra")],
                "My client",
                "Codename Zebra",
            ),
            (&[("oz-client-version", b"7")], "", ""),
            (&[("oz-client-name", b""), ("oz-client-version", b"7")], "", ""),
            (&[("apollographql-client-name", b"web"), ("apollographql-client-version", b"2")], "web", "2"),
            (&[("oz-client-name", b"a"), ("apollographql-client-name", b"b")], "a", ""),
            (&[("oz-client-name", b"a"), ("oz-client-name", b"b")], OTHER, ""),
            (&[("oz-client-name", &long[..64])], std::str::from_utf8(&long[..64]).unwrap(), ""),
            (&[("oz-client-name", &long), ("oz-client-version", b"7")], OTHER, ""),
            (&[("oz-client-name", "zoë".as_bytes())], OTHER, ""),
            (&[("oz-client-name", b"a\tb")], OTHER, ""),
            (&[("oz-client-name", b"a"), ("oz-client-version", &long)], "a", OTHER),
        ] {
            assert_eq!(read(pairs), (name.to_owned(), version.to_owned()), "{pairs:?}");
        }
    }
}

//! The spellings of a URL that provably name the resource that arrived.
//!
//! Each rule undoes something that clients are known to do between typing a URL and sending it. The measure is a
//! WHATWG parser: a spelling belongs here only if such a parser, given that spelling, asks for exactly the host and
//! target that arrived.

use crate::error::ConfigError;
use std::fmt::Write as _;

/// The scheme by which clients reach the server; it decides which port need not be spelled out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Web {
    Http,
    Https,
}

impl Web {
    const fn default_port(self) -> &'static str {
        match self {
            Self::Http => ":80",
            Self::Https => ":443",
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

    fn authority(&self) -> &str {
        &self.spelling[..self.authority_len]
    }

    /// Path and query as a client would ask for them.
    fn target(&self) -> String {
        let rest = &self.spelling[self.authority_len..];
        let rest = rest.strip_suffix('?').unwrap_or(rest);
        if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") }
    }

    /// Whether a request that names `authority` came to this URL's server.
    pub(super) fn serves(&self, authority: &str) -> bool {
        let bare = |authority: &str| -> String {
            authority.strip_suffix(self.web.default_port()).unwrap_or(authority).to_ascii_lowercase()
        };
        bare(authority) == bare(self.authority())
    }
}

/// The spellings besides `authority` + `target`, each once: at most four that follow from what arrived, and those
/// configured.
pub(super) fn alternates(web: Web, authority: &str, target: &str, public_urls: &[PublicUrl]) -> Vec<String> {
    let arrived = format!("{authority}{target}");
    let mut spellings = Vec::new();
    let mut add = |spelling: String| {
        if spelling != arrived && !spellings.contains(&spelling) {
            spellings.push(spelling);
        }
    };
    match target.strip_prefix('/') {
        Some("") => {
            add(authority.to_owned());
            add(format!("{authority}?"));
        }
        Some(rest) if rest.starts_with('?') && rest != "?" => add(format!("{authority}{rest}")),
        _ => {}
    }
    if !target.contains('?') {
        add(format!("{authority}{target}?"));
    }
    match authority.strip_suffix(web.default_port()) {
        Some(bare) => add(format!("{bare}{target}")),
        None if has_port(authority) => {}
        None => add(format!("{authority}{}{target}", web.default_port())),
    }
    if let Some(typed) = unescape(target) {
        add(format!("{authority}{typed}"));
    }
    for url in public_urls {
        if url.serves(authority) {
            // A public URL without path and query stands for its authority only.
            if url.spelling.len() == url.authority_len {
                add(format!("{}{target}", url.authority()));
            }
            if url.target() == target {
                add(url.spelling.clone());
            }
        }
    }
    spellings
}

fn has_port(authority: &str) -> bool {
    authority.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()))
}

/// The target before a WHATWG client percent-encoded it: every escape undone that such a client adds by itself, in
/// upper-case digits as it writes them. `None` if there is none, or if undoing it would not lead back here.
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
    // Half a character undone, or an escape that a client writes in other digits, leads elsewhere.
    let typed = String::from_utf8(typed).ok()?;
    let trimmed = typed.ends_with(|last| last <= ' ');
    (typed != target && !trimmed && escape(&typed) == target).then_some(typed)
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

/// The percent-encode sets of the URL standard (§1.3), without `#` and, in a path, `?`, which would end the component, and
/// without the control characters that a parser strips.
const fn client_escapes(byte: u8, in_query: bool) -> bool {
    match byte {
        b'\t' | b'\n' | b'\r' | b'#' => false,
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

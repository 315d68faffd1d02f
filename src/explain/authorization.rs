//! Tokens in `Authorization`, as they may be meant.

use super::{Cause, body::percent_decoded, json::Json};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use http::{HeaderMap, header::AUTHORIZATION};
use zeroize::Zeroizing;

/// The longest value that is looked at, in bytes.
const LONGEST: usize = 16 << 10;

/// A token, and what is wrong about how it stands there, if it is this one that is meant.
pub(super) struct Reading {
    pub(super) token: Zeroizing<String>,
    pub(super) causes: Vec<Cause>,
}

/// The token behind `word`, as it stands there and as it may be meant: the likeliest first. None if there is no
/// `Authorization`.
pub(super) fn readings(headers: &HeaderMap, word: &'static str) -> Vec<Reading> {
    let Some(value) = headers.get(AUTHORIZATION).filter(|value| value.len() <= LONGEST) else {
        return Vec::new();
    };
    let value = Zeroizing::new(String::from_utf8_lossy(value.as_bytes()).trim().to_owned());
    let mut wholes = vec![(&**value, None)];
    let unquoted = value.trim_matches(QUOTES);
    if unquoted != &**value {
        wholes.push((unquoted, Some(quoted())));
    }
    let mut readings = Vec::new();
    for (whole, quoted) in wholes {
        let (token, other_word) = behind(whole, word);
        let beside: Vec<_> = quoted.into_iter().chain(other_word).collect();
        for (token, cause) in meant(token, word) {
            let causes = beside.iter().cloned().chain(cause).collect();
            readings.push(Reading { token, causes });
        }
    }
    readings
}

const QUOTES: [char; 2] = ['"', '\''];

fn quoted() -> Cause {
    Cause::new("token_quoted", "there are quotes around the token", "the quotes are no part of it")
}

/// The token, and that another word stands before it, or none.
fn behind<'v>(value: &'v str, word: &'static str) -> (&'v str, Option<Cause>) {
    let (before, token) = value.split_once(' ').unwrap_or(("", value));
    if before.eq_ignore_ascii_case(word) {
        return (token.trim(), None);
    }
    let is_word = !before.is_empty() && before.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let found = if is_word {
        format!("`Authorization` has another word than `{word}` before the token")
    } else {
        format!("`Authorization` has no `{word}` before the token")
    };
    let cause = Cause::new("scheme_word", found, format!("send `Authorization: {word} TOKEN`"));
    (if is_word { token.trim() } else { value }, Some(cause))
}

/// A token as it stands there, and what clients are known to make of one.
fn meant(token: &str, word: &'static str) -> Vec<(Zeroizing<String>, Option<Cause>)> {
    let mut all = vec![(Zeroizing::new(token.to_owned()), None)];
    let mut or = |other: String, cause: Cause| {
        if other != token && !other.is_empty() {
            all.push((Zeroizing::new(other), Some(cause)));
        }
    };
    or(token.trim_matches(QUOTES).to_owned(), quoted());
    if let Some((first, rest)) = token.split_once(' ')
        && first.eq_ignore_ascii_case(word)
    {
        let found = format!("the word `{word}` stands twice before the token");
        or(rest.trim().to_owned(), Cause::new("token_word_twice", found, "send it once"));
    }
    if let Some(Json::Text(inside)) =
        Json::parse(token.as_bytes()).and_then(|json| json.get("access_token").cloned())
    {
        let found = "the whole answer of the token endpoint was sent";
        or(inside, Cause::new("token_json", found, "send its member `access_token` alone"));
    }
    let text =
        |bytes: Option<Vec<u8>>| bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    or(
        text(percent_decoded(token.as_bytes())),
        Cause::new("token_percent_encoded", "the token was encoded as for a URL", "send it as it was issued"),
    );
    or(
        text(BASE64_STANDARD.decode(token).ok()).trim().to_owned(),
        Cause::new("token_base64_encoded", "the token was encoded in base64", "send it as it was issued"),
    );
    or(
        token.split_ascii_whitespace().collect(),
        Cause::new("token_spaces", "there is white space inside the token", "send it in one piece"),
    );
    or(
        token.trim_end_matches(['=', ',', ';', '.']).to_owned(),
        Cause::new("token_longer", "there are characters behind the token", "send it as it was issued"),
    );
    all
}

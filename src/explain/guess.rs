//! What is likely, where nothing was proved.

use super::{Case, cause::Cause, search::Search};
use http::header::CONTENT_ENCODING;

/// How many guesses are made.
const GUESSES: usize = 3;

/// The likeliest causes: first what the request itself speaks for, then what is common.
pub(super) fn guesses(case: &Case<'_>, search: &Search<'_>) -> Vec<Cause> {
    let headers = &case.head.headers;
    let wanted = case.scheme.algorithm().signature_len();
    let lengths: Vec<_> = search.lengths().collect();
    let mut guesses = Vec::new();
    let mut guess = |speaks: bool, hypothesis, found: String, change: &'static str| {
        if speaks && guesses.len() < GUESSES {
            guesses.push(Cause::new(hypothesis, found, change));
        }
    };
    guess(
        !lengths.is_empty() && !lengths.contains(&wanted),
        "algorithm_other",
        format!(
            "the signature has {} bytes, and {wanted} are expected",
            lengths.first().copied().unwrap_or_default()
        ),
        "compare the algorithm with the scheme's",
    );
    let proxied = ["forwarded", "x-forwarded-host", "x-forwarded-for", "via"];
    guess(
        case.scheme.covers().authority && proxied.iter().any(|name| headers.contains_key(*name)),
        "proxy_other",
        "the request came through a proxy, which may have changed host or path".into(),
        "tell the server the URL that clients use (`--public-url`)",
    );
    guess(
        headers.contains_key(CONTENT_ENCODING),
        "body_encoded",
        "the body may have been signed before it was compressed".into(),
        "send it without content encoding",
    );
    guess(
        case.secrets.is_empty(),
        "secret_unknown",
        "no secret was given, so nothing could be recomputed".into(),
        "give the key's secret with `--secret-file`, or the database that holds it",
    );
    guess(
        true,
        "secret_other",
        "the client may use another secret: of another key, of another environment, or one that was rotated"
            .into(),
        "compare the secrets' fingerprints: `countersign keys show` prints the stored one's",
    );
    guess(
        true,
        "body_changed",
        "the body may have been changed behind the signature: serialised anew, or rewritten on its way"
            .into(),
        "log the exact text that the client signs, and compare it with the signature base",
    );
    guess(
        case.scheme.covers().authority,
        "url_other",
        "another URL may have been signed than was requested".into(),
        "compare the URL that the client signs with the one in the signature base",
    );
    guess(
        true,
        "request_other",
        "the signature may be that of another request".into(),
        "sign each request anew; headers are not reused",
    );
    guesses
}

//! Read tokens: why one was refused (SalesCloud's `Authorization: ReadAccessToken …`).

use super::{Cause, Explanation, authorization::readings};
use crate::credential::SecretHash;
use http::request::Parts;

const WORD: &str = "ReadAccessToken";

/// The hashes of the read tokens that a request may mean: those to look up for [`explain_read_token`].
#[must_use]
pub fn presented_read_tokens(head: &Parts) -> Vec<SecretHash> {
    let readings = readings(&head.headers, WORD);
    readings.iter().map(|reading| SecretHash::of(reading.token.as_bytes())).collect()
}

/// Explains why a read token is refused: `known` are the hashes of those that there are.
///
/// A cause is certain if, undone, it gives one of them.
#[must_use]
pub fn explain_read_token(head: &Parts, known: &[SecretHash]) -> Explanation {
    let readings = readings(&head.headers, WORD);
    let right = readings
        .iter()
        .find(|reading| SecretHash::of(reading.token.as_bytes()).find_in(known.iter().copied()).is_some());
    if let Some(right) = right {
        return Explanation { certain: true, causes: right.causes.clone(), ..Explanation::default() };
    }
    let Some(first) = readings.into_iter().next() else {
        let cause = Cause::new(
            "header_missing",
            "there is no `Authorization`",
            format!("send `Authorization: {WORD} TOKEN`"),
        );
        return Explanation { noticed: vec![cause], ..Explanation::default() };
    };
    let guess = if first.token.split('.').count() == 3 {
        Cause::new(
            "token_other",
            "the token looks like an access token, and not like a read token",
            "send access tokens behind the word `Bearer`",
        )
    } else {
        Cause::new(
            "token_unknown",
            "there may be no such token: it was cut, changed, or is another environment's",
            "see `countersign tokens list`, which shows how each token begins and ends",
        )
    };
    Explanation { noticed: first.causes, guesses: vec![guess], ..Explanation::default() }
}

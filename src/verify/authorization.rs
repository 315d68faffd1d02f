//! Credentials behind a scheme word in `Authorization` (RFC 9110 §11.4).

use crate::{error::VerifyError, message::Message};
use http::header::AUTHORIZATION;

/// The token behind this scheme word, in letters of any case; `None` if there is no `Authorization` or it has another
/// word.
///
/// # Errors
///
/// The word without a token, or with more than one, is malformed.
pub(super) fn token<'m>(message: &Message<'m>, word: &str) -> Result<Option<&'m str>, VerifyError> {
    let Some(value) = message.text_once(&AUTHORIZATION)? else { return Ok(None) };
    let (found, rest) = value.split_once(' ').unwrap_or((value, ""));
    if !found.eq_ignore_ascii_case(word) {
        return Ok(None);
    }
    let token = rest.trim_start_matches(' ');
    match token.is_empty() || token.contains([' ', '\t']) {
        true => Err(VerifyError::malformed("a scheme word without just one token")),
        false => Ok(Some(token)),
    }
}

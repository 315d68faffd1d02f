//! What is said about a refusal: what was wrong, and what to do.

use super::{Received, provider::Provide};
use crate::{error::VerifyErrorKind as Kind, message::Message, scheme::Scheme};
use http::request::Parts;

/// Why a request was refused, and for a signature that did not match the text that should have been signed.
pub(super) fn refusal(
    kind: Kind,
    scheme: Option<&dyn Scheme>,
    head: &Parts,
    body: &[u8],
) -> (String, Option<String>) {
    let message = Message::new(head, &head.uri);
    let read =
        scheme.zip(message.as_ref().ok()).map(|(scheme, message)| (scheme, message, scheme.read(message)));
    let detail = match (&message, &read) {
        (Err(error), _) | (_, Some((_, _, Err(error)))) => Some(error.to_string()),
        _ => None,
    };
    let base = match (kind, read) {
        (Kind::BadSignature, Some((scheme, message, Ok(Some(presented))))) => {
            Some(scheme.signature_base(message, &presented.parameters).display(body))
        }
        _ => None,
    };
    let cause = match detail {
        Some(detail) => format!("{detail}; {}", advice(kind)),
        None => advice(kind).to_owned(),
    };
    (cause, base)
}

/// Why nothing answered.
pub(super) fn no_route<P: Provide>(received: &Received) -> String {
    format!("there is no {} {}; the main endpoint is {}", received.method(), received.path(), P::ENDPOINT)
}

const fn advice(kind: Kind) -> &'static str {
    match kind {
        Kind::BadSignature => {
            "the signature does not match: compare what the client signs with the signature base, and the secrets"
        }
        Kind::BodyTooLarge => "the body is too long: send less at once",
        Kind::Disabled | Kind::Expired | Kind::NotYetValid | Kind::Revoked => {
            "the key or the token is not in force: ask for another token, or move the mock's clock back"
        }
        Kind::Forbidden => "the caller may not do this",
        Kind::Future | Kind::Stale => {
            "the signed time is too far from the mock's: sign anew for each attempt, with the time of now"
        }
        Kind::Malformed => "the credentials are not as the provider documents them: compare headers and path",
        Kind::MalformedMessage => "the message is not well-formed HTTP, or its body broke off",
        Kind::Missing => "there are no credentials: sign the request, and follow no redirect",
        Kind::UnknownKey => {
            "no such key: take key id and secret from this mock, and the token from its endpoint"
        }
        Kind::UnsupportedEncoding => "the body is compressed: send it as it was signed",
        Kind::WrongOrganization => "the organization is not the key's: take it from this mock's credential",
        _ => "the mock cannot answer",
    }
}

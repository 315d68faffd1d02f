//! What the schemes' tests share: a request from a few words, and what a scheme makes of it.

use super::{Presented, Scheme};
use crate::{error::VerifyErrorKind, message::Message};
use http::{Request, request::Parts};

/// What became of a message's head.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Seen {
    /// Credentials, on a method, path and query that they are for.
    Presented,
    /// Credentials where they are not accepted.
    Closed,
    /// Nothing of this scheme.
    Nothing,
    /// Something that is refused.
    Refused(VerifyErrorKind),
}

pub(super) const MALFORMED: Seen = Seen::Refused(VerifyErrorKind::Malformed);

/// A head with these headers, besides `Host`. Values are bytes, read as Latin-1.
pub(super) fn head(method: &str, target: &str, headers: &[(&str, &str)]) -> Parts {
    let request = Request::builder().method(method).uri(target).header("host", "api.test");
    let latin1 = |value: &str| value.chars().map(|c| c as u8).collect::<Vec<_>>();
    let add =
        |request: http::request::Builder, (name, value): &(&str, &str)| request.header(*name, latin1(value));
    headers.iter().fold(request, add).body(()).unwrap().into_parts().0
}

/// Changes one header of a list: other values, one line each; none removes it.
pub(super) fn with<'h>(
    headers: &[(&'h str, &'h str)],
    name: &'h str,
    values: &[&'h str],
) -> Vec<(&'h str, &'h str)> {
    let others = headers.iter().copied().filter(|header| header.0 != name);
    others.chain(values.iter().map(|value| (name, *value))).collect()
}

/// What `scheme` makes of a head, and what it read.
pub(super) fn read<'m>(scheme: &impl Scheme, head: &'m Parts) -> (Seen, Option<Presented<'m>>) {
    let message = Message::new(head, &head.uri).unwrap();
    match scheme.read(&message) {
        Err(error) => (Seen::Refused(error.kind()), None),
        Ok(None) => (Seen::Nothing, None),
        Ok(presented) if scheme.routes().allow(message.method(), message.path(), message.query()) => {
            (Seen::Presented, presented)
        }
        Ok(presented) => (Seen::Closed, presented),
    }
}

//! Texts with places for fields: how a client put together what it signed.

use super::json::{Escapes, write_inside};
use crate::signature::SignatureBase;

/// A text with places: `<name>` for a field as it is, `<"name">` for a field as the inside of a JSON string, `<secret>`
/// for the secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Template {
    text: String,
    escapes: Escapes,
}

impl Template {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), escapes: Escapes::Js }
    }

    /// Strings in JSON are escaped otherwise than `JSON.stringify` does.
    pub(super) fn with_escapes(mut self, escapes: Escapes) -> Self {
        self.escapes = escapes;
        self
    }

    /// The text, with the values of the named fields in their places.
    pub(super) fn fill(&self, names: &[&str], values: &[&[u8]]) -> SignatureBase<'static> {
        let value = |name: &str| {
            let at = names.iter().position(|known| *known == name);
            at.and_then(|at| values.get(at)).copied().unwrap_or_default()
        };
        let mut base = SignatureBase::default();
        let mut bytes = Vec::new();
        let mut rest = &*self.text;
        while let Some((before, (name, after))) =
            rest.split_once('<').and_then(|(before, rest)| Some((before, rest.split_once('>')?)))
        {
            bytes.extend_from_slice(before.as_bytes());
            match name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
                Some(name) => write_inside(&mut bytes, &String::from_utf8_lossy(value(name)), self.escapes),
                None if name == "secret" => base = base.owned(std::mem::take(&mut bytes)).secret(),
                None => bytes.extend_from_slice(value(name)),
            }
            rest = after;
        }
        bytes.extend_from_slice(rest.as_bytes());
        base.owned(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled() {
        let fill = |text: &str| Template::new(text).fill(&["a", "b"], &[b"1", b"\"2\n"]).display(b"");
        assert_eq!(fill("<a>+<b>"), "1+\"2\n");
        assert_eq!(fill(r#"{"b":"<"b">"}"#), r#"{"b":"\"2\n"}"#);
        assert_eq!(fill("<a><secret><b><secret>"), "1{SECRET}\"2\n{SECRET}");
        assert_eq!(fill("<c>"), "");
    }
}

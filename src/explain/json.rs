//! JSON as the languages write it.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt::{self, Write as _};

/// A JSON value whose members keep their order.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    /// `null`, `true`, `false` or a number, as it is written.
    Word(String),
    Text(String),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

/// Which characters of a string are escaped that need not be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Escapes {
    /// As `JSON.stringify` does: none.
    Js,
    /// As Python does: all that are not ASCII.
    Ascii,
    /// As PHP does: `/`, and all that are not ASCII.
    Php,
    /// As Go does: `<`, `>`, `&`, U+2028 and U+2029.
    Go,
}

/// How a value is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub(super) escapes: Escapes,
    /// Between an item and the next, and between a name and its value.
    pub(super) item: &'static str,
    pub(super) name: &'static str,
    /// On lines of their own, with this for each level.
    pub(super) indent: Option<&'static str>,
    pub(super) sorted: bool,
}

impl Style {
    pub(super) const COMPACT: Self =
        Self { escapes: Escapes::Js, item: ",", name: ":", indent: None, sorted: false };
    pub(super) const PYTHON: Self = Self { item: ", ", name: ": ", escapes: Escapes::Ascii, ..Self::COMPACT };

    pub(super) const fn indented(indent: &'static str) -> Self {
        Self { indent: Some(indent), name: ": ", ..Self::COMPACT }
    }

    pub(super) const fn sorted(self) -> Self {
        Self { sorted: true, ..self }
    }

    pub(super) const fn escaping(self, escapes: Escapes) -> Self {
        Self { escapes, ..self }
    }
}

impl Json {
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text).ok()
    }

    pub(super) fn write(&self, style: Style) -> String {
        let mut out = String::new();
        self.write_at(&mut out, style, 0);
        out
    }

    fn write_at(&self, out: &mut String, style: Style, depth: usize) {
        let line = |out: &mut String, depth: usize| {
            if let Some(indent) = style.indent {
                out.push('\n');
                (0..depth).for_each(|_| out.push_str(indent));
            }
        };
        match self {
            Self::Word(word) => out.push_str(word),
            Self::Text(text) => write_string(out, text, style.escapes),
            Self::List(items) if items.is_empty() => out.push_str("[]"),
            Self::Object(members) if members.is_empty() => out.push_str("{}"),
            Self::List(items) => {
                for (at, item) in items.iter().enumerate() {
                    out.push_str(if at == 0 { "[" } else { style.item });
                    line(out, depth + 1);
                    item.write_at(out, style, depth + 1);
                }
                line(out, depth);
                out.push(']');
            }
            Self::Object(members) => {
                let mut members: Vec<_> = members.iter().collect();
                if style.sorted {
                    members.sort_by(|one, other| one.0.cmp(&other.0));
                }
                for (at, (name, value)) in members.into_iter().enumerate() {
                    out.push_str(if at == 0 { "{" } else { style.item });
                    line(out, depth + 1);
                    write_string(out, name, style.escapes);
                    out.push_str(style.name);
                    value.write_at(out, style, depth + 1);
                }
                line(out, depth);
                out.push('}');
            }
        }
    }

    /// A member of an object.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.iter().find(|member| member.0 == name).map(|member| &member.1),
            _ => None,
        }
    }
}

fn write_string(out: &mut String, text: &str, escapes: Escapes) {
    out.push('"');
    let mut inside = Vec::new();
    write_inside(&mut inside, text, escapes);
    out.push_str(&String::from_utf8_lossy(&inside));
    out.push('"');
}

/// The inside of a JSON string.
pub(super) fn write_inside(out: &mut Vec<u8>, text: &str, escapes: Escapes) {
    let mut inside = String::with_capacity(text.len());
    for character in text.chars() {
        let escaped = match escapes {
            Escapes::Js => false,
            Escapes::Ascii => !character.is_ascii(),
            Escapes::Php => !character.is_ascii(),
            Escapes::Go => matches!(character, '<' | '>' | '&' | '\u{2028}' | '\u{2029}'),
        };
        match character {
            '"' => inside.push_str("\\\""),
            '\\' => inside.push_str("\\\\"),
            '\u{8}' => inside.push_str("\\b"),
            '\u{c}' => inside.push_str("\\f"),
            '\n' => inside.push_str("\\n"),
            '\r' => inside.push_str("\\r"),
            '\t' => inside.push_str("\\t"),
            '/' if escapes == Escapes::Php => inside.push_str("\\/"),
            character if escaped || character < ' ' => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    let _ = write!(inside, "\\u{unit:04x}");
                }
            }
            character => inside.push(character),
        }
    }
    out.extend_from_slice(inside.as_bytes());
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Word("null".to_owned()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Word(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Word(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Word(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        // As JavaScript does: a whole number has no point.
        Ok(Json::Word(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let mut object = Vec::new();
        while let Some(member) = members.next_entry()? {
            object.push(member);
        }
        Ok(Json::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_language_writes_in_its_own_way() {
        let json = Json::parse("{\"b\" : [1, 2.50,true,null],\n\"a\":\"é/<😀\"}".as_bytes()).unwrap();
        let table = [
            (Style::COMPACT, r#"{"b":[1,2.5,true,null],"a":"é/<😀"}"#),
            (Style::PYTHON, r#"{"b": [1, 2.5, true, null], "a": "\u00e9/<\ud83d\ude00"}"#),
            (Style::COMPACT.sorted(), r#"{"a":"é/<😀","b":[1,2.5,true,null]}"#),
            (Style::COMPACT.escaping(Escapes::Php), r#"{"b":[1,2.5,true,null],"a":"\u00e9\/<\ud83d\ude00"}"#),
            (Style::COMPACT.escaping(Escapes::Go), r#"{"b":[1,2.5,true,null],"a":"é/\u003c😀"}"#),
            (
                Style::indented("  "),
                "{\n  \"b\": [\n    1,\n    2.5,\n    true,\n    null\n  ],\n  \"a\": \"é/<😀\"\n}",
            ),
        ];
        for (style, expected) in table {
            assert_eq!(json.write(style), expected);
        }
        assert_eq!(Json::parse(b"{\"a\":}"), None);
        assert_eq!(Json::parse("[".repeat(10_000).as_bytes()), None, "too deep is no JSON");
    }
}

//! Bodies that a client may have signed instead of the one that arrived.

use super::{
    cause::{Cause, Choices},
    json::{Escapes, Json, Style},
};
use crate::urlencoded;
use base64::prelude::{BASE64_STANDARD, Engine as _};

/// What is said of every body that was written anew.
const ONCE: &str = "serialise the body once, keep that text, and sign and send the same bytes";

/// The body that arrived, and others that may have been signed instead.
pub(super) fn bodies(arrived: &[u8]) -> Choices<Vec<u8>> {
    let mut bodies = Choices::new(arrived.to_vec());
    ends(&mut bodies, arrived);
    values(&mut bodies, arrived);
    if let Some(json) = Json::parse(arrived) {
        serialisations(&mut bodies, &json);
        wrappings(&mut bodies, &json);
    }
    encodings(&mut bodies, arrived);
    parts(&mut bodies, arrived);
    bodies
}

/// What editors, shells and libraries do to the ends of lines and texts.
fn ends(bodies: &mut Choices<Vec<u8>>, arrived: &[u8]) {
    let mut or = |value: Vec<u8>, hypothesis, found: &'static str, change: &'static str| {
        bodies.or(value, Cause::new(hypothesis, found, change));
    };
    or(
        [arrived, b"\n"].concat(),
        "body_newline_added",
        "a newline was signed behind the body, and not sent",
        "sign with `printf %s`, not with `echo`: no newline belongs to the text",
    );
    or(
        [arrived, b"\r\n"].concat(),
        "body_crlf_added",
        "a line end (CRLF) was signed behind the body, and not sent",
        "sign exactly the bytes that are sent",
    );
    or(
        arrived.strip_suffix(b"\n").unwrap_or(arrived).to_vec(),
        "body_newline_dropped",
        "the newline at the end of the body was sent, and not signed",
        "send the bytes that were signed: the shell's `$(…)` and `curl --data @file` drop newlines, `echo` adds one",
    );
    or(
        arrived.trim_ascii().to_vec(),
        "body_trimmed",
        "the body was signed without the white space around it",
        "sign the body as it is sent, without trimming",
    );
    let text = String::from_utf8_lossy(arrived);
    or(
        text.replace("\r\n", "\n").into_bytes(),
        "body_lf",
        "the body was signed with LF as line ends, and sent with CRLF",
        "sign the bytes that are sent; let nothing convert line ends behind the signature",
    );
    or(
        text.replace("\r\n", "\n").replace('\n', "\r\n").into_bytes(),
        "body_crlf",
        "the body was signed with CRLF as line ends, and sent with LF",
        "sign the bytes that are sent; let nothing convert line ends behind the signature",
    );
    or(
        text.replace(['\n', '\r'], "").into_bytes(),
        "body_lines_joined",
        "the body was signed without its line ends, which `curl --data @file` drops as well",
        "send with `--data-binary`, and sign what is sent",
    );
    or(
        [b"\xef\xbb\xbf", arrived].concat(),
        "body_bom_added",
        "a byte order mark was signed before the body, and not sent",
        "write and read the text as UTF-8 without a byte order mark",
    );
    or(
        arrived.strip_prefix(b"\xef\xbb\xbf").unwrap_or(arrived).to_vec(),
        "body_bom_dropped",
        "the byte order mark before the body was sent, and not signed",
        "write the text as UTF-8 without a byte order mark",
    );
}

/// What a variable holds that nobody filled.
fn values(bodies: &mut Choices<Vec<u8>>, arrived: &[u8]) {
    for (value, hypothesis, found) in [
        ("", "body_empty", "the signature was made over no body at all"),
        ("{}", "body_empty_object", "`{}` was signed instead of the body"),
        ("[object Object]", "body_object_object", "`[object Object]` was signed instead of the body"),
        ("undefined", "body_undefined", "`undefined` was signed instead of the body"),
        ("null", "body_null", "`null` was signed instead of the body"),
    ] {
        let change = match value {
            "[object Object]" => "turn the object into text by `JSON.stringify` before signing it",
            _ if arrived.is_empty() => "a request without a body signs the empty text",
            _ => "sign the body that is sent: the variable was empty, or was filled only later",
        };
        bodies.or(value.into(), Cause::new(hypothesis, found, change));
    }
}

/// The same value, written by another library.
fn serialisations(bodies: &mut Choices<Vec<u8>>, json: &Json) {
    let compact = Style::COMPACT;
    for (style, hypothesis, found) in [
        (compact, "body_compact", "the body was signed as compact JSON, and sent in another form"),
        (Style::PYTHON, "body_python", "the body was signed as Python's `json.dumps` writes it"),
        (
            Style::PYTHON.escaping(Escapes::Js),
            "body_python_unicode",
            "the body was signed as Python's `json.dumps(…, ensure_ascii=False)` writes it",
        ),
        (
            compact.escaping(Escapes::Ascii),
            "body_ascii",
            "the body was signed as compact JSON with all but ASCII escaped",
        ),
        (compact.escaping(Escapes::Php), "body_php", "the body was signed as PHP's `json_encode` writes it"),
        (compact.escaping(Escapes::Go), "body_go", "the body was signed as Go's `json.Marshal` writes it"),
        (compact.sorted(), "body_sorted", "the body was signed with its names sorted"),
        (
            compact.escaping(Escapes::Go).sorted(),
            "body_go_sorted",
            "the body was signed as Go's `json.Marshal` writes a map",
        ),
        (
            Style::PYTHON.sorted(),
            "body_python_sorted",
            "the body was signed as Python's `json.dumps(…, sort_keys=True)` writes it",
        ),
        (Style::indented("  "), "body_pretty_2", "the body was signed indented by two spaces"),
        (Style::indented("    "), "body_pretty_4", "the body was signed indented by four spaces"),
        (
            Style::indented("    ").escaping(Escapes::Ascii),
            "body_pretty_ascii",
            "the body was signed as Python's `json.dumps(…, indent=4)` writes it",
        ),
        (
            Style::indented("    ").escaping(Escapes::Php),
            "body_pretty_php",
            "the body was signed as PHP's `JSON_PRETTY_PRINT` writes it",
        ),
        (Style::indented("\t"), "body_pretty_tab", "the body was signed indented by tabs"),
    ] {
        bodies.or(json.write(style).into_bytes(), Cause::new(hypothesis, found, ONCE));
    }
}

/// A part of the value, or more around it.
fn wrappings(bodies: &mut Choices<Vec<u8>>, json: &Json) {
    or_written(
        bodies,
        &Json::List(vec![json.clone()]),
        "body_wrapped",
        "the body was signed inside `[…]`, and sent without",
        "sign the text that is sent, with or without the list",
    );
    or_written(
        bodies,
        &Json::Text(json.write(Style::COMPACT)),
        "body_twice_serialised",
        "the body was serialised twice before it was signed: it became a JSON string",
        "call `JSON.stringify` once",
    );
    let first = match json {
        Json::List(items) => items.first(),
        _ => None,
    };
    if let Some(first) = first {
        or_written(
            bodies,
            first,
            "body_unwrapped",
            "the first item of the body was signed without the `[…]` around it",
            "sign the whole body: `[…]` belongs to it",
        );
    }
    if let Json::Text(inside) = json {
        bodies.or(
            inside.clone().into_bytes(),
            Cause::new(
                "body_sent_twice_serialised",
                "the body was serialised once more behind the signature",
                "give the HTTP library text and not an object, or sign what it sends",
            ),
        );
    }
    for name in ["query", "data", "body", "payload"] {
        let part = first.unwrap_or(json).get(name);
        if let Some(Json::Text(text)) = part {
            bodies.or(
                text.clone().into_bytes(),
                Cause::new(
                    "body_member",
                    format!("only the member `{name}` of the body was signed"),
                    "sign the whole body",
                ),
            );
        } else if let Some(part) = part {
            let found = "only one member of the body was signed";
            or_written(bodies, part, "body_member", found, "sign the whole body");
        }
    }
}

/// Adds a value as the two commonest libraries write it.
fn or_written(
    bodies: &mut Choices<Vec<u8>>,
    json: &Json,
    hypothesis: &'static str,
    found: &'static str,
    change: &'static str,
) {
    for style in [Style::COMPACT, Style::PYTHON] {
        bodies.or(json.write(style).into_bytes(), Cause::new(hypothesis, found, change));
    }
}

/// The same text in other bytes.
fn encodings(bodies: &mut Choices<Vec<u8>>, arrived: &[u8]) {
    const UTF8: &str = "sign the UTF-8 bytes that are sent";
    let mut or = |value: Vec<u8>, hypothesis, found: &'static str, change: &'static str| {
        bodies.or(value, Cause::new(hypothesis, found, change));
    };
    let text = String::from_utf8_lossy(arrived);
    or(
        text.clone().into_owned().into_bytes(),
        "body_replacement_characters",
        "the body is not UTF-8, and was signed as text, with U+FFFD for what is none",
        "sign and send the same bytes; decode nothing",
    );
    if !arrived.is_ascii() {
        let narrow = |other: fn(char) -> u8| {
            text.chars().map(|c| u8::try_from(c).unwrap_or_else(|_| other(c))).collect()
        };
        or(
            narrow(|c| u32::from(c).to_le_bytes()[0]),
            "body_latin1",
            "the body was signed in Latin-1 (Node's `binary`), and sent in UTF-8",
            UTF8,
        );
        let question = |c: char| if c.is_ascii() { u8::try_from(c).unwrap_or(b'?') } else { b'?' };
        or(
            text.chars().map(question).collect(),
            "body_question_marks",
            "the body was signed in ASCII, with `?` for other characters",
            UTF8,
        );
        let latin1: String = arrived.iter().map(|byte| char::from(*byte)).collect();
        or(
            latin1.into_bytes(),
            "body_twice_utf8",
            "the body was encoded in UTF-8 twice before it was signed",
            UTF8,
        );
    }
    or(
        text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        "body_utf16",
        "the body was signed in UTF-16, and sent in UTF-8",
        UTF8,
    );
    or(
        BASE64_STANDARD.encode(arrived).into_bytes(),
        "body_base64",
        "the base64 of the body was signed instead of the body",
        "sign the bytes of the body themselves",
    );
    if let Some(decoded) = percent_decoded(arrived) {
        or(
            decoded,
            "body_form_decoded",
            "the body was signed before it was form-encoded",
            "sign the body as it is sent",
        );
    }
}

/// One part of a multipart body.
fn parts(bodies: &mut Choices<Vec<u8>>, arrived: &[u8]) {
    let Some(line) = arrived.strip_prefix(b"--").and_then(|rest| rest.split(|byte| *byte == b'\r').next())
    else {
        return;
    };
    if line.is_empty() || line.len() > 70 {
        return;
    }
    let text = String::from_utf8_lossy(arrived);
    let boundary = format!("\r\n--{}", String::from_utf8_lossy(line));
    let whole = format!("\r\n{text}");
    for part in whole.split(&boundary).take(16) {
        if let Some((_, content)) = part.split_once("\r\n\r\n") {
            bodies.or(
                content.as_bytes().to_vec(),
                Cause::new(
                    "body_multipart_part",
                    "only one part of the multipart body was signed",
                    "sign the whole body as it is sent, boundaries included; let the library build it first",
                ),
            );
        }
    }
}

/// Undoes form encoding; `None` if there is nothing to undo, or it is not well-formed.
pub(super) fn percent_decoded(text: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = urlencoded::decode(text).filter(|decoded| **decoded != text)?;
    Some(std::mem::take(&mut *decoded))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(arrived: &str) -> Vec<(&'static str, String)> {
        let bodies = bodies(arrived.as_bytes());
        let named = |choice: &super::super::cause::Choice<Vec<u8>>| {
            let name = choice.cause.as_ref().map_or("", Cause::hypothesis);
            (name, String::from_utf8_lossy(&choice.value).into_owned())
        };
        bodies.list().iter().map(named).collect()
    }

    #[test]
    fn each_value_stands_once_and_the_arrived_one_first() {
        for arrived in ["", "{}", "[{\"query\":\"{ é }\"}]", "a=1%20b&c=d+e", "not json\r\n", "\"{}\""] {
            let all = named(arrived);
            assert_eq!(all[0], ("", arrived.to_owned()));
            for (at, (name, value)) in all.iter().enumerate() {
                assert!(all[..at].iter().all(|(_, earlier)| earlier != value), "{arrived}: {name}");
            }
            assert!(all.len() < 48, "{}", all.len());
        }
    }

    #[test]
    fn a_part_of_a_multipart_body_is_found() {
        let body = "--x\r\nContent-Disposition: form-data; name=\"operations\"\r\n\r\n{\"a\":1}\r\n--x\r\n\r\n2\r\n--x--\r\n";
        let found = named(body);
        assert!(found.contains(&("body_multipart_part", "{\"a\":1}".to_owned())), "{found:?}");
    }
}

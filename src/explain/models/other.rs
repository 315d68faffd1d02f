//! Schemes of a program's own: what they sign is asked of the scheme itself, and only body, secret and way are in doubt.

use super::Model;
use crate::{
    explain::{Case, cause::Choices, ways::Written},
    message::Message,
    signature::Segment,
};

/// Names for the parts that are given.
const PARTS: [&str; 8] = ["part0", "part1", "part2", "part3", "part4", "part5", "part6", "part7"];

pub(super) fn model(case: &Case<'_>, message: &Message<'_>) -> Option<Model> {
    let presented = case.scheme.read(message).ok()??;
    let base = case.scheme.signature_base(message, &presented.parameters);
    let (mut template, mut given) = (String::new(), Vec::new());
    for segment in base.segments() {
        let (place, value) = match segment {
            Segment::Body => ("<body>".to_owned(), None),
            Segment::BodyInJson => ("<\"body\">".to_owned(), None),
            // What a form is reduced to is no text that could be varied.
            Segment::BodyReduced => return None,
            Segment::Secret => ("<secret>".to_owned(), None),
            Segment::Bytes(bytes) => (format!("<{}>", PARTS.get(given.len())?), Some(bytes.to_vec())),
            Segment::InJson(text) => {
                (format!("<\"{}\">", PARTS.get(given.len())?), Some(text.as_bytes().to_vec()))
            }
        };
        template.push_str(&place);
        given.extend(value);
    }
    let mut model = Model::new(Some(presented.signature.to_hex()), Written::AnyHex, &template, case);
    for (name, value) in PARTS.into_iter().zip(given) {
        model.field(name, Choices::new(value));
    }
    model.key_id = Some(presented.parameters.key_id.to_owned());
    model.mistaken.push(("key id", presented.parameters.key_id.to_owned()));
    Some(model)
}

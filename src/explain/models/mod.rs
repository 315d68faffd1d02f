//! What each scheme signs, as a text with places, and what clients are known to put into them.

mod ateliere;
mod corezoid;
mod other;
mod salescloud;

use super::{
    Case, body,
    cause::{Cause, Choices},
    template::Template,
    ways::Written,
};
use crate::message::Message;
use http::{HeaderMap, HeaderName};

/// How requests of a scheme are signed, and in which ways this one may have been.
#[derive(Debug)]
pub(super) struct Model {
    /// The key that is named.
    pub(super) key_id: Option<String>,
    /// The signature as it stands in the request, if there is one, and how it should be written.
    pub(super) presented: Option<String>,
    pub(super) written: Written,
    /// What can be seen to be wrong, whatever was signed.
    pub(super) noticed: Vec<Cause>,
    /// The names of the fields, `body` first, and the values that they may have had.
    pub(super) names: Vec<&'static str>,
    pub(super) fields: Vec<Choices<Vec<u8>>>,
    pub(super) templates: Choices<Template>,
    /// Names that stand beside the secret and are mistaken for it.
    pub(super) mistaken: Vec<(&'static str, String)>,
}

impl Model {
    /// The model of a case; `None` if the request presents nothing of its scheme.
    pub(super) fn of(case: &Case<'_>, message: &Message<'_>) -> Option<Self> {
        let mut model = match case.scheme.name() {
            "ateliere" => ateliere::model(case, message),
            "corezoid" => corezoid::model(case, message)?,
            "salescloud" => salescloud::model(case, message),
            _ => other::model(case, message)?,
        };
        model.accept_as_well(case, message);
        Some(model)
    }

    fn new(presented: Option<String>, written: Written, documented: &str, case: &Case<'_>) -> Self {
        Self {
            key_id: None,
            presented,
            written,
            noticed: Vec::new(),
            names: vec!["body"],
            fields: vec![body::bodies(case.body)],
            templates: Choices::new(Template::new(documented)),
            mistaken: Vec::new(),
        }
    }

    fn field(&mut self, name: &'static str, choices: Choices<Vec<u8>>) {
        self.names.push(name);
        self.fields.push(choices);
    }

    fn template(&mut self, text: impl Into<String>, cause: Cause) {
        self.templates.or(Template::new(text), cause);
    }

    /// What the server accepts beside the documented spelling is no mistake.
    fn accept_as_well(&mut self, case: &Case<'_>, message: &Message<'_>) {
        let Ok(Some(presented)) = case.scheme.read(message) else { return };
        let accepted: Vec<String> = case
            .scheme
            .alternates(message, &presented.parameters)
            .iter()
            .map(|base| base.display(b""))
            .collect();
        let documented: Vec<Vec<u8>> = self.fields.iter().map(|field| first(field).to_vec()).collect();
        let Some(template) = self.templates.list().first() else { return };
        for at in 1..self.fields.len() {
            for choice in self.fields[at].list_mut().iter_mut().skip(1) {
                let mut values: Vec<&[u8]> = documented.iter().map(Vec::as_slice).collect();
                values[0] = b"";
                values[at] = &choice.value;
                if accepted.contains(&template.value.fill(&self.names, &values).display(b"")) {
                    choice.cause = None;
                }
            }
        }
    }
}

fn first(choices: &Choices<Vec<u8>>) -> &[u8] {
    choices.list().first().map_or(&[], |choice| &choice.value)
}

/// The value of a header, as text, white space around it kept.
fn header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// A signature without what some clients put around it, and what that was.
fn bare(presented: &str, noticed: &mut Vec<Cause>) -> String {
    let mut text = presented.trim();
    for prefix in ["sha256=", "sha1=", "sha512=", "hmac-sha256=", "v1=", "v0=", "signature="] {
        if let Some(rest) =
            text.get(prefix.len()..).filter(|_| text[..prefix.len()].eq_ignore_ascii_case(prefix))
        {
            noticed.push(Cause::new(
                "signature_prefix",
                format!("`{prefix}` stands before the signature"),
                "send the signature alone",
            ));
            text = rest;
            break;
        }
    }
    let unquoted = text.trim_matches(['"', '\'']);
    if unquoted.len() < text.len() {
        noticed.push(Cause::new(
            "signature_quoted",
            "the signature stands in quotes",
            "send the signature without quotes",
        ));
    }
    unquoted.to_owned()
}

/// A header that a scheme asks for and a request lacks.
fn missing(name: &HeaderName) -> Cause {
    Cause::new("header_missing", format!("there is no header `{name}`"), format!("send `{name}`, once"))
}

/// The orders of three names, but for the first.
const ORDERS: [[usize; 3]; 5] = [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

/// A name in other letters.
fn in_other_case(choices: &mut Choices<Vec<u8>>, hypothesis: &'static str, what: &str, text: &str) {
    for (other, letters) in [(text.to_lowercase(), "lower"), (text.to_uppercase(), "upper")] {
        choices.or(
            other.into_bytes(),
            Cause::new(
                hypothesis,
                format!("{what} was signed in {letters} case"),
                format!("sign {what} exactly as it is sent"),
            ),
        );
    }
    choices.or(
        text.trim().as_bytes().to_vec(),
        Cause::new(hypothesis, format!("{what} was signed without white space"), "sign what is sent"),
    );
}

/// What a variable holds that nobody filled.
fn unset(choices: &mut Choices<Vec<u8>>, hypothesis: &'static str, what: &str) {
    for text in ["", "undefined", "null", "None"] {
        choices.or(
            text.into(),
            Cause::new(
                hypothesis,
                format!(
                    "{} was signed in the place of {what}",
                    if text.is_empty() { "nothing" } else { text }
                ),
                format!("see that {what} is set before the request is signed"),
            ),
        );
    }
}

//! The parameters of a query: whole numbers all of them, and each at most once.

use super::failure::Failure;
use url::form_urlencoded;

/// The parameters that a request carries.
pub(super) struct Parameters(Vec<(&'static str, String)>);

impl Parameters {
    /// Reads a query. A parameter of another name is refused (ours): a misspelt one would be passed over otherwise, and
    /// the answer be taken for what was asked.
    pub(super) fn read(query: &str, known: &'static [&'static str]) -> Result<Self, Failure> {
        let mut read: Vec<(&str, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let Some(known) = known.iter().find(|known| **known == name) else {
                return Err(Failure::BadRequest(format!("unknown parameter {:?}", shorten(&name))));
            };
            if read.iter().any(|(name, _)| name == known) {
                return Err(Failure::BadRequest(format!("{known} is there twice")));
            }
            read.push((known, value.into_owned()));
        }
        Ok(Self(read))
    }

    /// A whole number that is not below `least`.
    pub(super) fn integer(&self, name: &str, least: i64) -> Result<Option<i64>, Failure> {
        let value = self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value);
        value.map(|value| integer(name, value, least)).transpose()
    }

    /// A whole number that must be there.
    pub(super) fn required(&self, name: &str, least: i64) -> Result<i64, Failure> {
        self.integer(name, least)?.ok_or_else(|| Failure::BadRequest(format!("{name} is missing")))
    }
}

/// Reads a whole number that is not below `least`.
pub(super) fn integer(name: &str, value: &str, least: i64) -> Result<i64, Failure> {
    let number = value.parse::<i64>().ok().filter(|_| value.bytes().all(|byte| byte.is_ascii_digit()));
    number
        .filter(|number| *number >= least)
        .ok_or_else(|| Failure::BadRequest(format!("{name} must be a whole number of {least} or more")))
}

/// A stranger's text, cut.
fn shorten(text: &str) -> String {
    text.chars().take(40).collect()
}

//! One operation of a package, as it was sent: its members are read here, and nowhere trusted before.

use super::refusal::Refusal;
use serde_json::{Map, Value};

/// Longest title and reference, in bytes. For references the number is documented.
pub(super) const SHORT_TEXT: usize = 255;
/// Longest description, in bytes. Ours.
pub(super) const LONG_TEXT: usize = 4_000;
/// Shortest and longest name of a company, as documented.
const COMPANY: std::ops::RangeInclusive<usize> = 3..=36;

/// One operation.
#[derive(Clone, Copy)]
pub(super) struct Op<'p>(&'p Value);

impl<'p> Op<'p> {
    /// Takes a member of `ops`. If it is not an object, it has no members.
    pub(super) const fn new(op: &'p Value) -> Self {
        Self(op)
    }

    /// What to operate on: `obj`.
    pub(super) fn object(self) -> &'p str {
        self.get("obj").and_then(Value::as_str).unwrap_or_default()
    }

    /// What to do: `type`.
    pub(super) fn action(self) -> &'p str {
        self.get("type").and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether it may write.
    pub(super) fn changes(self) -> bool {
        !matches!(self.action(), "check" | "compare" | "get" | "list" | "show")
    }

    /// The answer to this operation: its own `id` verbatim (empty if it has none), `proc`, `obj`, and `members`.
    pub(super) fn answer(self, proc: &str, members: Value) -> Value {
        let mut answer = Map::new();
        answer.insert("id".to_owned(), self.0.get("id").cloned().unwrap_or_else(|| "".into()));
        answer.insert("proc".to_owned(), proc.into());
        if !self.object().is_empty() {
            answer.insert("obj".to_owned(), self.object().into());
        }
        if let Value::Object(members) = members {
            answer.extend(members);
        }
        Value::Object(answer)
    }

    /// A member that is there and not null.
    pub(super) fn get(self, key: &str) -> Option<&'p Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    /// The company of an operation; none means the caller's personal objects.
    pub(super) fn company(self) -> Result<Option<&'p str>, Refusal> {
        let Some(value) = self.get("company_id") else { return Ok(None) };
        let company = value.as_str().filter(|company| COMPANY.contains(&company.len()));
        company.map(Some).ok_or_else(|| Refusal::not_valid("company_id", value))
    }

    /// A text of at most `longest` bytes.
    pub(super) fn text(self, key: &'static str, longest: usize) -> Result<Option<&'p str>, Refusal> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match value.as_str() {
            Some(text) if text.len() <= longest => Ok(Some(text)),
            Some(_) => Err(Refusal::too_long(key, longest)),
            None => Err(Refusal::not_valid(key, value)),
        }
    }

    /// An integer; clients also send it as text.
    pub(super) fn integer(self, key: &'static str) -> Result<Option<i64>, Refusal> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let integer = value.as_i64().or_else(|| value.as_str()?.parse().ok());
        integer.map(Some).ok_or_else(|| Refusal::not_valid(key, value))
    }

    /// The number of an object. A number that none can have is one that none has.
    pub(super) fn number(self, key: &'static str) -> Result<Option<u64>, Refusal> {
        Ok(self.integer(key)?.map(|number| u64::try_from(number).unwrap_or(u64::MAX)))
    }

    /// The number of an object that has to be named.
    pub(super) fn required_number(self, key: &'static str) -> Result<u64, Refusal> {
        self.number(key)?.ok_or_else(|| Refusal::not_valid(key, &Value::Null))
    }

    /// A short text that identifies something; clients also send a number for it.
    pub(super) fn identifier(self, key: &'static str) -> Result<Option<String>, Refusal> {
        match self.get(key) {
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            _ => Ok(self.text(key, SHORT_TEXT)?.map(str::to_owned)),
        }
    }

    /// A short text that identifies something and has to be there.
    pub(super) fn required_identifier(self, key: &'static str) -> Result<String, Refusal> {
        self.identifier(key)?.ok_or_else(|| Refusal::not_valid(key, &Value::Null))
    }

    /// One of several words, each beside what it means.
    pub(super) fn word(
        self,
        key: &'static str,
        words: &[(&str, &'static str)],
    ) -> Result<Option<&'static str>, Refusal> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let found = words.iter().find(|(word, _)| value == word);
        found.map(|(_, meaning)| Some(*meaning)).ok_or_else(|| Refusal::not_valid(key, value))
    }

    /// An object, `data` for example; empty if it is left out.
    pub(super) fn map(self, key: &'static str) -> Result<Map<String, Value>, Refusal> {
        match self.get(key) {
            Some(Value::Object(map)) => Ok(map.clone()),
            Some(other) => Err(Refusal::not_valid(key, other)),
            None => Ok(Map::new()),
        }
    }

    /// The part of a list that `limit` and `offset` ask for; all of it unless they do.
    pub(super) fn page(self, entries: impl Iterator<Item = Value>) -> Result<Vec<Value>, Refusal> {
        let size = |key| -> Result<Option<usize>, Refusal> {
            Ok(self.integer(key)?.map(|size| usize::try_from(size).unwrap_or(0)))
        };
        let entries = entries.skip(size("offset")?.unwrap_or(0));
        Ok(entries.take(size("limit")?.unwrap_or(usize::MAX)).collect())
    }
}

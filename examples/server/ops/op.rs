//! One operation of a package, as it was sent: its members are read here, and nowhere trusted before.

use super::refusal::Refusal;
use crate::caller::Caller;
use serde_json::{Map, Value};

/// Longest title and reference, in bytes. For references the number is documented.
pub(super) const SHORT_TEXT: usize = 255;
/// Longest description, in bytes. Ours.
pub(super) const LONG_TEXT: usize = 4_000;
/// Entries of a list, unless the operation says otherwise; and at most. The second is ours.
const DEFAULT_ENTRIES: i64 = 50;
const MAX_ENTRIES: i64 = 100;

/// One operation.
pub(super) struct Op<'p>(&'p Value);

impl<'p> Op<'p> {
    /// Takes a member of `ops`. If it is not an object, it has no members.
    pub(super) const fn new(op: &'p Value) -> Self {
        Self(op)
    }

    /// What to operate on: `obj`.
    pub(super) fn object(&self) -> &'p str {
        self.get("obj").and_then(Value::as_str).unwrap_or_default()
    }

    /// What to do: `type`.
    pub(super) fn action(&self) -> &'p str {
        self.get("type").and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether it may write.
    pub(super) fn changes(&self) -> bool {
        !matches!(self.action(), "list" | "show")
    }

    /// The answer to this operation: its own `id` verbatim (empty if it has none), `proc`, `obj`, and `members`.
    pub(super) fn answer(&self, proc: &str, members: Value) -> Value {
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

    /// Whether the caller may do this at all.
    pub(super) fn check_rights(&self, caller: &Caller) -> Result<(), Refusal> {
        let permission = if self.changes() { "ops:write" } else { "ops:read" };
        if caller.may(permission) { Ok(()) } else { Err(Refusal::NoRights) }
    }

    /// The company rule: an operation may leave `company_id` out, else it must name the caller's company.
    ///
    /// Corezoid takes an operation without it for one on the account's personal objects. Here a key that belongs to a
    /// company always means that company; this is ours, and lets clients of the first API version, which never name
    /// one, reach their processes.
    pub(super) fn check_company(&self, caller: &Caller) -> Result<(), Refusal> {
        let Some(named) = self.get("company_id") else { return Ok(()) };
        match named.as_str() {
            Some(company) if Some(company) == caller.organization.as_deref() => Ok(()),
            Some(company) if (3..=36).contains(&company.len()) => Err(Refusal::OtherCompany),
            _ => Err(Refusal::not_valid("company_id", named)),
        }
    }

    /// A member that is there and not null.
    pub(super) fn get(&self, key: &str) -> Option<&'p Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    /// A text of at most `longest` bytes.
    pub(super) fn text(&self, key: &'static str, longest: usize) -> Result<Option<&'p str>, Refusal> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match value.as_str() {
            Some(text) if text.len() <= longest => Ok(Some(text)),
            Some(_) => Err(Refusal::too_long(key, longest)),
            None => Err(Refusal::not_valid(key, value)),
        }
    }

    /// An integer; clients also send it as text.
    pub(super) fn integer(&self, key: &'static str) -> Result<Option<i64>, Refusal> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let integer = value.as_i64().or_else(|| value.as_str()?.parse().ok());
        integer.map(Some).ok_or_else(|| Refusal::not_valid(key, value))
    }

    /// An integer that has to be there.
    pub(super) fn required_integer(&self, key: &'static str) -> Result<i64, Refusal> {
        self.integer(key)?.ok_or_else(|| Refusal::not_valid(key, &Value::Null))
    }

    /// A short text that identifies something; clients also send a number for it.
    pub(super) fn identifier(&self, key: &'static str) -> Result<Option<String>, Refusal> {
        match self.get(key) {
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            _ => Ok(self.text(key, SHORT_TEXT)?.map(str::to_owned)),
        }
    }

    /// A short text that identifies something and has to be there.
    pub(super) fn required_identifier(&self, key: &'static str) -> Result<String, Refusal> {
        self.identifier(key)?.ok_or_else(|| Refusal::not_valid(key, &Value::Null))
    }

    /// One of several words, each beside what it means.
    pub(super) fn word(
        &self,
        key: &'static str,
        words: &[(&str, &'static str)],
    ) -> Result<Option<&'static str>, Refusal> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let found = words.iter().find(|(word, _)| value == word);
        found.map(|(_, meaning)| Some(*meaning)).ok_or_else(|| Refusal::not_valid(key, value))
    }

    /// `limit` and `offset` of a list.
    pub(super) fn page(&self) -> Result<(i64, i64), Refusal> {
        let limit = self.integer("limit")?.unwrap_or(DEFAULT_ENTRIES);
        let offset = self.integer("offset")?.unwrap_or(0);
        Ok((limit.clamp(0, MAX_ENTRIES), offset.max(0)))
    }
}

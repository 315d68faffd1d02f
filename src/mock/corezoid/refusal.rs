//! Why an operation failed, in the words of the real system. Where its words are not public, a comment says so.

use super::op::Op;
use serde_json::{Map, Value, json};

/// Longest value that an error repeats, in bytes.
const LONGEST_VALUE: usize = 255;

/// An operation failed.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The caller proved nothing that counts here: a direct URL with a wrong hash or password.
    AccessDenied,
    /// There is no such kind of object.
    BadObject,
    /// The caller may not do this.
    NoRights,
    /// The process takes no tasks: it is paused or blocked.
    NotActive,
    /// Something the operation refers to is not there.
    NotFound,
    /// Another task of the process has this reference.
    NotUnical,
    /// A member has a value that it cannot have.
    NotValid {
        /// The member.
        key: &'static str,
        /// Its value, unless that is long.
        value: Option<Value>,
        /// What is wrong, after "Value is not valid."; may be empty.
        why: String,
    },
    /// The object of the operation is not there.
    ObjIdNotFound,
    /// The object, or the operation, belongs to another company than it says or the caller does.
    OtherCompany,
    /// The object does not know how to do this.
    Undefined,
    /// The state of the object does not allow it. The texts are ours.
    WrongState(&'static str),
}

impl Refusal {
    /// A value of the wrong kind or out of range.
    pub(super) fn not_valid(key: &'static str, value: &Value) -> Self {
        let short = match value {
            Value::Array(_) | Value::Object(_) => false,
            Value::String(text) => text.len() <= LONGEST_VALUE,
            _ => true,
        };
        Self::NotValid { key, value: short.then(|| value.clone()), why: String::new() }
    }

    /// A text with too many bytes.
    pub(super) fn too_long(key: &'static str, longest: usize) -> Self {
        let why = format!("Value's byte_size is more than maximum allowed: {longest}");
        Self::NotValid { key, value: None, why }
    }

    /// A text with too few bytes.
    pub(super) fn too_short(key: &'static str, value: &str, shortest: usize) -> Self {
        let why = format!("Value's byte_size is less than minimum allowed: {shortest}");
        Self::NotValid { key, value: Some(value.into()), why }
    }

    /// The answer to the operation.
    pub(super) fn answer(self, op: Op<'_>) -> Value {
        match self {
            Self::NotValid { key, value, why } => {
                let mut members = Map::new();
                let description = format!("Value is not valid. {why}");
                members.insert("description".to_owned(), description.trim_end_matches([' ', '.']).into());
                members.insert("key".to_owned(), key.into());
                members.extend(value.map(|value| ("value".to_owned(), value)));
                op.answer("error", Value::Object(members))
            }
            Self::ObjIdNotFound => {
                let obj_id = op.get("obj_id").cloned().unwrap_or_default();
                op.answer("obj_id_not_found", json!({ "description": self.description(), "obj_id": obj_id }))
            }
            Self::NotActive => {
                op.answer("conveyor_is_not_active", json!({ "description": self.description() }))
            }
            _ => op.answer("error", json!({ "description": self.description() })),
        }
    }

    /// What a task is told of it, by parameters that begin with a name.
    pub(super) fn reason(&self, name: &str) -> Map<String, Value> {
        let tag = if matches!(self, Self::NotUnical) { "not_unical_ref" } else { "access_denied" };
        let reason = [("error", "software"), ("tag", tag)];
        let mut told: Map<_, _> = reason
            .map(|(key, value)| (format!("{name}_return_type_{key}__"), value.into()))
            .into_iter()
            .collect();
        told.insert(format!("{name}_return_description__"), self.description().into());
        told
    }

    const fn description(&self) -> &'static str {
        match self {
            Self::AccessDenied => "Access denied",
            Self::BadObject => "bad object",
            Self::NoRights => "User has no rights",
            Self::NotActive => "conveyor is not active",
            Self::NotFound | Self::ObjIdNotFound => "object not found",
            Self::NotUnical => "not unical reference",
            Self::NotValid { .. } => "Value is not valid",
            Self::OtherCompany => "Company of object do not matches companyId of request",
            Self::Undefined => "undefined request",
            Self::WrongState(description) => description,
        }
    }
}

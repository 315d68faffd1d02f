//! Why an operation failed, and how the caller is told.

use super::op::Op;
use serde_json::{Map, Value, json};

/// Longest value that an error repeats, in bytes.
const LONGEST_VALUE: usize = 255;

/// An operation failed.
#[derive(Debug)]
pub(super) enum Refusal {
    /// There is no such kind of object.
    BadObject,
    /// The database cannot be asked.
    Database(sqlx::Error),
    /// The caller may not do this.
    NoRights,
    /// Something the operation refers to is not there.
    NotFound,
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
    /// The object, or the operation, belongs to another company than the caller.
    OtherCompany,
    /// The operations before it have answered as much as one package may.
    TooMuch,
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

    /// A value that is too long. The wording follows the documented one for values that are too short.
    pub(super) fn too_long(key: &'static str, longest: usize) -> Self {
        let why = format!("Value's byte_size is more than maximum allowed: {longest}");
        Self::NotValid { key, value: None, why }
    }

    /// The answer to the operation.
    pub(super) fn answer(self, op: &Op<'_>) -> Value {
        let described = |description: &str| json!({ "description": description });
        match self {
            Self::TooMuch => op.answer("error", described("Too many requests: limit is reached")),
            Self::BadObject => op.answer("error", described("bad object")),
            Self::Database(error) => {
                tracing::error!(%error, "the database cannot be asked");
                op.answer("error", described("internal error"))
            }
            Self::NoRights => op.answer("error", described("User has no rights")),
            Self::NotFound => op.answer("error", described("object not found")),
            Self::NotValid { key, value, why } => {
                let mut members = Map::new();
                let description = format!("Value is not valid. {why}");
                members.insert("description".to_owned(), description.trim_end_matches([' ', '.']).into());
                members.insert("key".to_owned(), key.into());
                members.extend(value.map(|value| ("value".to_owned(), value)));
                op.answer("error", Value::Object(members))
            }
            Self::ObjIdNotFound => {
                let mut members = described("object not found");
                members["obj_id"] = op.get("obj_id").cloned().unwrap_or_default();
                op.answer("obj_id_not_found", members)
            }
            Self::OtherCompany => {
                op.answer("error", described("Company of object do not matches companyId of request"))
            }
            Self::Undefined => op.answer("error", described("undefined request")),
            Self::WrongState(description) => op.answer("error", described(description)),
        }
    }
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

//! The two encodings of a token, in their one accepted spelling.

use crate::error::VerifyError;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor},
};
use serde_json::Value;
use std::fmt;

/// Writes base64url without padding (RFC 7515 §2).
pub(super) fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads what [`encode`] writes, and no other spelling of the same bytes.
pub(super) fn decode(text: &str) -> Result<Vec<u8>, VerifyError> {
    BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| VerifyError::malformed("a part is not base64url"))
}

/// The most names that an object may have. A stranger's header is read before its signature is checked, and each name is
/// compared with those before it.
const MOST_NAMES: usize = 64;

/// A JSON object in which no name stands twice.
#[derive(Debug)]
pub(super) struct Object(Vec<(String, Value)>);

impl Object {
    /// Reads base64url of an object and of nothing else.
    pub(super) fn decode(part: &str) -> Result<Self, VerifyError> {
        let bytes = decode(part)?;
        serde_json::from_slice(&bytes)
            .map_err(|_| VerifyError::malformed("a part is not an object of different names"))
    }

    /// Takes a value out.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        let at = self.0.iter().position(|entry| entry.0 == name)?;
        Some(self.0.swap_remove(at).1)
    }

    /// Takes a text out.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, VerifyError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(VerifyError::malformed("a value that has to be a text is none")),
        }
    }

    /// Whether nothing is left.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Not derived: a derived reader also takes a list of values without names.
impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Names)
    }
}

struct Names;

impl<'de> Visitor<'de> for Names {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        let mut entries: Vec<(String, Value)> = Vec::with_capacity(8);
        while let Some(entry) = map.next_entry::<String, Value>()? {
            if entries.iter().any(|other| other.0 == entry.0) {
                return Err(de::Error::custom("a name stands twice"));
            }
            if entries.len() == MOST_NAMES {
                return Err(de::Error::custom("too many names"));
            }
            entries.push(entry);
        }
        Ok(Object(entries))
    }
}

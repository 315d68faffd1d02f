//! The body of a GraphQL request over HTTP, read so that it means the same to everybody.

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::{Map, Value};
use std::{collections::HashSet, error::Error, fmt, slice};

/// Longest part of a parser's message that is shown: it may quote the body.
const LONGEST_MESSAGE: usize = 200;

/// One request: a document, and which of its operations is to run with which variables.
///
/// Other members of a request, such as `extensions`, are passed over: a persisted query, which is no more than a hash in
/// them, is no request here.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Request {
    /// The document, which a [`DocumentGuard`](super::DocumentGuard) has yet to see.
    pub query: String,
    /// The name for [`Document::operation`](super::Document::operation). An empty one counts as none, as some clients
    /// mean it.
    #[serde(default, deserialize_with = "name")]
    pub operation_name: Option<String>,
    /// The variables; `null` counts as none.
    #[serde(default, deserialize_with = "variables")]
    pub variables: Map<String, Value>,
}

/// The body of a request over HTTP: one request, or a batch of them in an array.
///
/// Whoever judges a request must judge the very one that runs. So a body is read once, into a value that both see, and
/// one that two readers could read differently is refused: a name that stands twice in an object, at any depth and
/// however it is spelled; anything but objects with a text in `query`; anything behind the end. A form of several parts
/// is no JSON, and refused with the rest. Content types are not looked at, since no provider signs them.
///
/// ```
/// use countersign::graphql::{DocumentGuard, OperationKind, Requests};
///
/// let body = br#"{"query":"query Q { a } mutation M { b }","operationName":"M"}"#;
/// for request in Requests::read(body, 10)?.as_slice() {
///     let document = DocumentGuard::default().check(&request.query)?;
///     let operation = document.operation(request.operation_name.as_deref())?;
///     assert_eq!(operation.kind(), OperationKind::Mutation);
/// }
/// assert!(Requests::read(br#"{"query":"{ a }","\u0071uery":"mutation { b }"}"#, 10).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub enum Requests {
    /// An object. The answer to it is an object.
    One(Request),
    /// An array, with at least one request. The answer to it is an array, in the same order.
    Many(Vec<Request>),
}

impl Requests {
    /// Reads a body with at most `longest` requests in an array.
    ///
    /// # Errors
    ///
    /// [`RequestError`] says why the body is none.
    pub fn read(body: &[u8], longest: usize) -> Result<Self, RequestError> {
        // Nothing is kept of this first walk: whatever it lets through has one meaning.
        serde_json::from_slice::<DifferentNames>(body).map_err(RequestError)?;
        // The first character decides the shape, so that an error tells about the shape that was meant.
        let array = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
        let read = if array {
            Batch { longest }.deserialize(&mut serde_json::Deserializer::from_slice(body)).map(Self::Many)
        } else {
            serde_json::from_slice(body).map(|Object(request)| Self::One(request))
        };
        read.map_err(RequestError)
    }

    /// The requests, in their order.
    #[must_use]
    pub const fn as_slice(&self) -> &[Request] {
        match self {
            Self::One(request) => slice::from_ref(request),
            Self::Many(requests) => requests.as_slice(),
        }
    }
}

/// A body holds no request. The text may be shown to whoever sent it.
#[derive(Debug)]
pub struct RequestError(serde_json::Error);

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message: String = self.0.to_string().chars().take(LONGEST_MESSAGE).collect();
        write!(f, "the body is not a GraphQL request: {message}")
    }
}

impl Error for RequestError {}

fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|name| !name.is_empty()))
}

fn variables<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Map<String, Value>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A request in an object: a derived reader also takes a list of values without names.
struct Object(Request);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with `query`")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Object, A::Error> {
                Request::deserialize(MapAccessDeserializer::new(members)).map(Object)
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// Between one request and `longest`; reading stops at the first that is too many.
struct Batch {
    longest: usize,
}

impl<'de> DeserializeSeed<'de> for Batch {
    type Value = Vec<Request>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Batch {
    type Value = Vec<Request>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1 to {} requests", self.longest)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut requests = Vec::new();
        while let Some(Object(request)) = sequence.next_element()? {
            if requests.len() == self.longest {
                return Err(A::Error::custom(format_args!("more than {} requests", self.longest)));
            }
            requests.push(request);
        }
        match requests.is_empty() {
            true => Err(A::Error::custom("the array is empty")),
            false => Ok(requests),
        }
    }
}

/// JSON in whose objects no name stands twice.
struct DifferentNames;

impl<'de> Deserialize<'de> for DifferentNames {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for DifferentNames {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        let mut names = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if names.contains(&name) {
                return Err(A::Error::custom(format_args!("`{name}` stands twice in an object")));
            }
            names.insert(name);
            map.next_value::<Self>()?;
        }
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self, A::Error> {
        while sequence.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> String {
        match Requests::read(body.as_bytes(), 2) {
            Ok(read) => panic!("{body} was read: {read:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn requests_of_real_clients_are_read() {
        for (body, name, variables) in [
            (r#"{"query":"{ a }"}"#, None, 0),
            (r#" [ {"query":"{ a }","variables":null,"operationName":null} ] "#, None, 0),
            (r#"{"query":"{ a }","variables":{"a":1},"operationName":"Q"}"#, Some("Q"), 1),
            (r#"{"operationName":"","variables":{},"query":"{ a }","extensions":{"x":[1]}}"#, None, 0),
        ] {
            let read = Requests::read(body.as_bytes(), 2).unwrap();
            assert_eq!(matches!(read, Requests::Many(_)), body.starts_with(" ["), "{body}");
            let [request] = read.as_slice() else { panic!("{body}") };
            assert_eq!((&*request.query, request.operation_name.as_deref()), ("{ a }", name), "{body}");
            assert_eq!(request.variables.len(), variables, "{body}");
        }
    }

    #[test]
    fn a_name_stands_once_in_an_object_at_any_depth_and_in_any_spelling() {
        for body in [
            r#"{"query":"{ a }","query":"mutation { b }"}"#,
            r#"{"query":"{ a }","\u0071uery":"mutation { b }"}"#,
            r#"[{"query":"{ a }","operationName":"Q","operation\u004eame":"M"}]"#,
            r#"{"query":"{ a }","variables":{},"variables":{}}"#,
            r#"{"query":"{ a }","variables":{"a":1,"a":2}}"#,
            r#"{"query":"{ a }","variables":{"a":[{"b":{"c":1,"\u0063":2}}]}}"#,
            r#"{"query":"{ a }","extensions":1,"extensions":2}"#,
            r#"{"query":"{ a }","extensions":{"a":1,"a":1}}"#,
        ] {
            assert!(refused(body).contains("stands twice"), "{body}: {}", refused(body));
        }
        // The same name in two objects, and names that only look alike.
        let body =
            r#"[{"query":"{ a }","variables":{"a":{"a":1},"A":2,"b":[{"a":1},{"a":1}]}},{"query":"{ a }"}]"#;
        assert!(Requests::read(body.as_bytes(), 2).is_ok());
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for body in [
            "",
            "null",
            "1",
            "\"{ a }\"",
            "[]",
            "[null]",
            r#"["{ a }"]"#,
            r#"[["{ a }",{},"Q"]]"#,
            r#"{"query":null}"#,
            r#"{"query":["{ a }"]}"#,
            r#"{"Query":"{ a }"}"#,
            r#"{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"00"}}}"#,
            r#"{"query":"{ a }","variables":"{}"}"#,
            r#"{"query":"{ a }","variables":[]}"#,
            r#"{"query":"{ a }","operationName":3}"#,
            r#"{"query":"{ a }"} {"query":"{ a }"}"#,
            r#"[{"query":"{ a }"}],"#,
            r#"{"query":"{ a }",}"#,
            "\u{feff}{\"query\":\"{ a }\"}",
            "query=%7B%20a%20%7D",
            "--x\r\nContent-Disposition: form-data; name=\"operations\"\r\n\r\n{\"query\":\"{ a }\"}\r\n--x--\r\n",
            r#"{"query":"\ud800"}"#,
        ] {
            refused(body);
        }
        let one = r#"{"query":"{ a }"}"#;
        assert!(refused(&format!("[{one},{one},{one}]")).contains("more than 2 requests"));
        let deep =
            format!(r#"{{"query":"{{ a }}","variables":{{"a":{}{}}}}}"#, "[".repeat(1000), "]".repeat(1000));
        refused(&deep);
        assert!(refused(&format!(r#"{{"query":"{{ a }}","{0}":1,"{0}":2}}"#, "é".repeat(5000))).len() < 600);
    }
}

//! Reads the files of `tests/vectors`.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use http::{Request, request};
use http_body_util::Full;
use serde::{Deserialize, de::DeserializeOwned};
use std::{fs, path::Path};

/// Reads a file of vectors.
pub(crate) fn read<T: DeserializeOwned>(name: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name);
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Bytes that stand in base64.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Base64(pub(crate) Vec<u8>);

impl TryFrom<String> for Base64 {
    type Error = base64::DecodeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        BASE64_STANDARD.decode(text).map(Self)
    }
}

/// A request as it arrived.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Wire {
    #[serde(alias = "wire_method")]
    pub(crate) method: String,
    #[serde(alias = "wire_target")]
    pub(crate) target: String,
    #[serde(alias = "wire_headers")]
    pub(crate) headers: Vec<(String, String)>,
    #[serde(alias = "wire_body_b64")]
    pub(crate) body_b64: Base64,
}

impl Wire {
    /// The request, to be sent once more.
    pub(crate) fn request(&self) -> Request<Full<bytes::Bytes>> {
        let head = Request::builder().method(&*self.method).uri(&self.target);
        let add = |head: request::Builder, (name, value): &(String, String)| head.header(name, value);
        let head = self.headers.iter().fold(head, add);
        head.body(Full::from(self.body_b64.0.clone())).unwrap()
    }
}

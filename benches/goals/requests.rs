//! The requests that are measured: a scheme, a body, and how it is signed.

use bytes::Bytes;
use countersign::{
    clock::ManualClock,
    scheme::{self, Scheme as _},
    secret::Secret,
    sign::Signer,
    signature::Algorithm,
};
use http::Request;
use std::fmt;

pub const SECRET: &str = "5f2b6c9d8e1a40737bb0c1d2e3f405162738495a6b7c8d9eafb0c1d2e3f40516";
pub const ORGANIZATION: &str = "7b371391-1561-4cac-8f86-9b7bcba83db2";
pub const KEY_ID: &str = "7c9e6679-7425-40de-944b-e07fc1f90ae7";
pub const PUBLIC_KEY: &str = "849015eb35e25eee9b36b36481b55ec3a4efc4c6351873f98d33601448b80139";
pub const AUTHORITY: &str = "127.0.0.1";
/// The seconds at which every request is signed and judged.
pub const NOW: u64 = 1_700_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    SalesCloud,
    Ateliere,
    Corezoid,
}

/// A body, by its length in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Body(pub usize);

/// Whether a request is signed as it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signed {
    Rightly,
    WithAnotherSecret,
    WithAnUnknownKey,
}

impl Body {
    pub const ALL: [Self; 4] = [Self(0), Self(1 << 10), Self(64 << 10), Self(1 << 20)];

    /// A GraphQL batch of this length, with the quotation marks and escapes that such text has.
    pub fn bytes(self) -> Bytes {
        let Self(len) = self;
        if len == 0 {
            return Bytes::new();
        }
        let entry = r#"{"query":"query Titles($limit: Int!) {\n  titles(limit: $limit) {\n    id\n    name\n    synopsis\n  }\n}","variables":{"limit":10,"note":"caf\u00e9 \"noir\""}},"#;
        let mut text = String::from("[");
        while text.len() + entry.len() < len {
            text += entry;
        }
        text += "{\"query\":\"";
        while text.len() + 3 < len {
            text.push('a');
        }
        text += "\"}]";
        text.into_bytes().into()
    }
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes < 1 << 10 => write!(f, "{bytes} B"),
            bytes if bytes < 1 << 20 => write!(f, "{} KiB", bytes >> 10),
            bytes => write!(f, "{} MiB", bytes >> 20),
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Scheme {
    pub const ALL: [Self; 3] = [Self::SalesCloud, Self::Ateliere, Self::Corezoid];

    /// The scheme's name in a key store.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ateliere => "ateliere",
            Self::Corezoid => "corezoid",
            Self::SalesCloud => "salescloud",
        }
    }

    pub fn algorithm(self) -> Algorithm {
        match self {
            Self::Corezoid => scheme::Corezoid::default().algorithm(),
            _ => Algorithm::HmacSha256,
        }
    }

    fn signer(self, signed: Signed) -> Signer {
        let secret = if signed == Signed::WithAnotherSecret { "another" } else { SECRET };
        let key_id = if signed == Signed::WithAnUnknownKey { PUBLIC_KEY } else { KEY_ID };
        let secret = Secret::new(secret).unwrap();
        match self {
            Self::Ateliere => Signer::new(scheme::Ateliere::default(), key_id, &secret),
            Self::Corezoid => Signer::new(scheme::Corezoid::default(), key_id, &secret),
            Self::SalesCloud => Signer::new(scheme::SalesCloud::default(), key_id, &secret),
        }
        .with_clock(ManualClock::at(NOW))
        .with_organization(ORGANIZATION)
        .with_public_key(PUBLIC_KEY)
    }

    fn unsigned(self, body: Bytes) -> Request<Bytes> {
        let path = if self == Self::Corezoid { "/api/2/json" } else { "/" };
        let request = Request::post(format!("http://{AUTHORITY}{path}")).header("host", AUTHORITY);
        let request = request.header("content-type", "application/json").header("user-agent", "bench/1");
        request.header("accept", "*/*").header("content-length", body.len()).body(body).unwrap()
    }

    /// A signed request, as a server hands it to its service.
    pub fn request(self, body: Body, signed: Signed) -> Request<Bytes> {
        let mut request = self.unsigned(body.bytes());
        self.signer(signed).sign(&mut request).unwrap();
        *request.uri_mut() = request.uri().path().parse().unwrap();
        request
    }

    /// The same as it travels by HTTP/1.1.
    pub fn wire(self, body: Body, signed: Signed) -> Bytes {
        let request = self.request(body, signed);
        let mut bytes = format!("POST {} HTTP/1.1\r\n", request.uri()).into_bytes();
        for (name, value) in request.headers() {
            bytes.extend_from_slice(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(request.body());
        bytes.into()
    }

    /// The bytes under the signature.
    pub fn base(self, body: Body) -> Vec<u8> {
        let base = self.signer(Signed::Rightly).signature_base(&self.unsigned(body.bytes())).unwrap();
        base.replace("{SECRET}", SECRET).into_bytes()
    }
}

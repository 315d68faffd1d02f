//! The contenders: a bare handler, the handler behind the layer, and behind middleware that one would write by hand.

use axum::{
    Router,
    body::{Body as AxumBody, Bytes, to_bytes},
    extract::{DefaultBodyLimit, Request, State},
    http::StatusCode,
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::post,
};
use countersign::{
    SignatureVerifier, VerifyLayer,
    clock::ManualClock,
    credential::{Credential, KeyId, Organization, Principal, SecretVersion},
    middleware::Verify,
    scheme::{self, Scheme as _},
    secret::Secret,
    sign::Signer,
    signature::{Algorithm, MacKey},
    store::MemoryKeyStore,
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::{Digest as _, Sha1};
use sha2::Sha256;
use std::{collections::HashMap, sync::Arc};
use subtle::ConstantTimeEq as _;
use tower::Layer as _;

const SECRET: &str = "5f2b6c9d8e1a40737bb0c1d2e3f405162738495a6b7c8d9eafb0c1d2e3f40516";
const ORGANIZATION: &str = "7b371391-1561-4cac-8f86-9b7bcba83db2";
const APPLICATION: &str = "7c9e6679-7425-40de-944b-e07fc1f90ae7";
const PUBLIC_KEY: &str = "849015eb35e25eee9b36b36481b55ec3a4efc4c6351873f98d33601448b80139";
const NOW: u64 = 1_700_000_000;
const LIMIT: usize = 8 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Ateliere,
    Corezoid,
    SalesCloud,
}

#[derive(Clone, Copy, Debug)]
pub enum Body {
    Empty,
    OneKiB,
    SixtyFourKiB,
    OneMiB,
}

impl Body {
    /// A GraphQL batch of about this length, with the quotation marks and escapes that such text has.
    pub fn bytes(self) -> Vec<u8> {
        let len = match self {
            Self::Empty => return Vec::new(),
            Self::OneKiB => 1 << 10,
            Self::SixtyFourKiB => 64 << 10,
            Self::OneMiB => 1 << 20,
        };
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
        text.into_bytes()
    }
}

impl Scheme {
    const fn name(self) -> &'static str {
        match self {
            Self::Ateliere => "ateliere",
            Self::Corezoid => "corezoid",
            Self::SalesCloud => "salescloud",
        }
    }

    fn signer(self) -> Signer {
        let secret = Secret::new(SECRET).unwrap();
        match self {
            Self::Ateliere => Signer::new(scheme::Ateliere::default(), APPLICATION, &secret),
            Self::Corezoid => Signer::new(scheme::Corezoid::default(), APPLICATION, &secret),
            Self::SalesCloud => Signer::new(scheme::SalesCloud::default(), APPLICATION, &secret),
        }
        .with_clock(ManualClock::at(NOW))
        .with_organization(ORGANIZATION)
        .with_public_key(PUBLIC_KEY)
    }

    fn unsigned(self, body: &[u8]) -> http::Request<Vec<u8>> {
        let path = if self == Self::SalesCloud { "/" } else { "/api/2/json" };
        let request = http::Request::post(format!("http://127.0.0.1{path}"));
        let request = request.header("content-type", "application/json").header("user-agent", "bench/1");
        request.header("accept", "*/*").body(body.to_vec()).unwrap()
    }

    /// The bytes of a signed request.
    pub fn request(self, body: &[u8]) -> Vec<u8> {
        let mut request = self.unsigned(body);
        self.signer().sign(&mut request).unwrap();
        let mut bytes = format!("POST {} HTTP/1.1\r\nhost: 127.0.0.1\r\n", request.uri().path()).into_bytes();
        for (name, value) in request.headers() {
            bytes.extend_from_slice(format!("{name}: ").as_bytes());
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
        bytes.extend_from_slice(body);
        bytes
    }

    /// The bytes under the signature.
    pub fn base(self, body: &[u8]) -> Vec<u8> {
        self.signer().signature_base(&self.unsigned(body)).unwrap().replace("{SECRET}", SECRET).into_bytes()
    }
}

/// The hash alone.
pub fn raw(scheme: Scheme, base: Vec<u8>) -> impl FnMut(u32) {
    let keyed = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    move |count| {
        for _ in 0..count {
            let base = std::hint::black_box(&base);
            if scheme == Scheme::Corezoid {
                std::hint::black_box(Sha1::digest(base));
            } else {
                let mut mac = keyed.clone();
                mac.update(base);
                std::hint::black_box(mac.finalize().into_bytes());
            }
        }
    }
}

pub fn bare() -> Router {
    let answer = |body: Bytes| async move {
        ([("content-type", "application/json")], format!("{{\"ok\":true,\"bytes\":{}}}", body.len()))
            .into_response()
    };
    Router::new()
        .route("/", post(answer))
        .route("/api/2/json", post(answer))
        .route("/api/2/json/{login}/{time}/{signature}", post(answer))
        .layer(DefaultBodyLimit::max(LIMIT))
}

fn layer(scheme: Scheme) -> VerifyLayer {
    let store = MemoryKeyStore::new();
    for number in 0..1000 {
        store.insert(scheme.name(), &format!("{number:036}"), credential(scheme));
    }
    store.insert(scheme.name(), APPLICATION, credential(scheme));
    store.install("salescloud", &KeyId::new(APPLICATION).unwrap(), &Organization::new(ORGANIZATION).unwrap());
    let verifier = match scheme {
        Scheme::Ateliere => SignatureVerifier::new(scheme::Ateliere::default(), store),
        Scheme::Corezoid => SignatureVerifier::new(scheme::Corezoid::default(), store),
        Scheme::SalesCloud => SignatureVerifier::new(scheme::SalesCloud::default(), store),
    };
    VerifyLayer::new(verifier.with_clock(ManualClock::at(NOW))).with_body_limit(LIMIT as u64)
}

fn credential(scheme: Scheme) -> Credential {
    let algorithm = match scheme {
        Scheme::Corezoid => scheme::Corezoid::default().algorithm(),
        _ => Algorithm::HmacSha256,
    };
    let key = MacKey::new(algorithm, &Secret::new(SECRET).unwrap());
    let mut credential = Credential::new(Principal::new("bench").unwrap(), [SecretVersion::new(1, key)]);
    credential.organization = Some(Organization::new(ORGANIZATION).unwrap());
    credential.public_key = Some(PUBLIC_KEY.into());
    credential
}

/// The layer outside the router, as cheap as it gets.
pub fn around(scheme: Scheme) -> Verify<Router, AxumBody> {
    layer(scheme).with_body::<AxumBody>().layer(bare())
}

/// The layer where most will put it.
pub fn inside(scheme: Scheme) -> Router {
    bare().layer(layer(scheme).with_body::<AxumBody>())
}

/// What one writes by hand in ten minutes: collect the body, build the text, compare.
pub fn naive(scheme: Scheme) -> Router {
    let mut secrets: HashMap<String, String> =
        (0..1000).map(|number| (format!("{number:036}"), SECRET.to_owned())).collect();
    secrets.insert(APPLICATION.to_owned(), SECRET.to_owned());
    bare().layer(from_fn_with_state((scheme, Arc::new(secrets)), check))
}

async fn check(
    State((scheme, secrets)): State<(Scheme, Arc<HashMap<String, String>>)>,
    request: Request,
    next: Next,
) -> Result<Response, StatusCode> {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, LIMIT).await.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
    let header = |name: &str| {
        let value = head.headers.get(name).and_then(|value| value.to_str().ok());
        value.map(str::to_owned).ok_or(StatusCode::UNAUTHORIZED)
    };
    let text = String::from_utf8(body.to_vec()).map_err(|_| StatusCode::BAD_REQUEST)?;
    let secret = |id: &str| secrets.get(id).ok_or(StatusCode::UNAUTHORIZED);
    let hmac = |secret: &str, text: &str| {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(text.as_bytes());
        mac.finalize().into_bytes()
    };
    let (expected, presented) = match scheme {
        Scheme::Ateliere => {
            let url = format!("{}{}", header("host")?, head.uri);
            let slug = header("x-organization-slug")?;
            // In this order: the keys of a JSON object are signed as they stand.
            let text = format!(
                r#"{{"url":{},"body":{},"organization_slug":{}}}"#,
                serde_json::to_string(&url).unwrap(),
                serde_json::to_string(&text).unwrap(),
                serde_json::to_string(&slug).unwrap(),
            );
            (hex::encode(hmac(secret(&header("oz-key-id")?)?, &text)), header("oz-signature")?)
        }
        Scheme::Corezoid => {
            let path: Vec<String> = head.uri.path().rsplit('/').take(3).map(str::to_owned).collect();
            let secret = secret(&path[2])?;
            (hex::encode(Sha1::digest(format!("{}{secret}{text}{secret}", path[1]))), path[0].clone())
        }
        Scheme::SalesCloud => {
            let id = header("salescloud-application")?;
            let public_key = header("salescloud-application-public-key")?;
            let text = format!("{id}:{public_key}:{}:{text}", header("salescloud-organization")?);
            let expected =
                base64::Engine::encode(&base64::prelude::BASE64_STANDARD, hmac(secret(&id)?, &text));
            (expected, header("authorization")?.replacen("App ", "", 1))
        }
    };
    if !bool::from(expected.as_bytes().ct_eq(presented.as_bytes())) {
        return Err(StatusCode::UNAUTHORIZED);
    }
    Ok(next.run(Request::from_parts(head, AxumBody::from(body))).await)
}

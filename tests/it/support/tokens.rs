//! Tokens as an issuer makes them, and as nobody should.

use aws_lc_rs::{
    rand::SystemRandom,
    rsa,
    signature::{RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PSS_SHA384, RsaEncoding},
};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use countersign::{
    credential::TokenAlgorithm,
    jwt::{Claims, KeySet, PrivateKey, Profile, PublicKey},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use sha2::Sha384;
use std::{
    sync::{Arc, LazyLock},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

pub(crate) const NOW: u64 = 1_700_000_000;
pub(crate) const HEADER: &str = r#"{"alg":"RS384","typ":"JWT"}"#;
pub(crate) const ISSUER: &str = "Cloud";
pub(crate) const AUDIENCE: &str = "2091";
pub(crate) const SUBJECT: &str = "6237:708";

/// An RSA key, made once: it takes a while.
pub(crate) static KEY: LazyLock<Arc<PrivateKey>> = LazyLock::new(|| Arc::new(new_key(TokenAlgorithm::Rs384)));

/// Makes a key outside of any runtime.
pub(crate) fn new_key(algorithm: TokenAlgorithm) -> PrivateKey {
    let made = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(PrivateKey::generate(algorithm)).unwrap()
    });
    made.join().unwrap()
}

pub(crate) fn key_set() -> KeySet {
    KeySet::new([KEY.public_key().clone()])
}

pub(crate) fn profile() -> Profile {
    Profile::new(ISSUER, AUDIENCE)
}

pub(crate) fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

pub(crate) fn claims() -> Claims {
    Claims::issue(&profile(), SUBJECT, at(NOW), Duration::from_secs(3600))
}

/// The documented claims as JSON, with one of them replaced, or left out, or something else put in front.
pub(crate) fn claims_with(name: &str, value: &str) -> String {
    let mut object = serde_json::to_value(claims()).unwrap();
    match value {
        "" => _ = object.as_object_mut().unwrap().remove(name),
        value => object[name] = serde_json::from_str(value).unwrap(),
    }
    object.to_string()
}

pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// A token of any header and any claims, rightly signed by [`KEY`] as RS384.
pub(crate) fn forge(header: &str, claims: &str) -> String {
    sealed(&format!("{}.{}", base64url(header), base64url(claims)))
}

/// Any text, with its right signature by [`KEY`] behind it.
pub(crate) fn sealed(signed: &str) -> String {
    rsa_sealed(signed, &RSA_PKCS1_SHA384)
}

/// The documented token with another algorithm, rightly signed by it with the same key.
pub(crate) fn by_other_algorithm(name: &str) -> String {
    let signed = format!(
        "{}.{}",
        base64url(HEADER.replace("RS384", name)),
        base64url(claims_with("aud", r#""2091""#))
    );
    match name {
        "RS256" => rsa_sealed(&signed, &RSA_PKCS1_SHA256),
        "PS384" => rsa_sealed(&signed, &RSA_PSS_SHA384),
        // Key confusion: the public key, which everybody has, as the secret of an HMAC.
        "HS384" => {
            let mut mac = Hmac::<Sha384>::new_from_slice(&KEY.public_key().to_der().unwrap()).unwrap();
            mac.update(signed.as_bytes());
            format!("{signed}.{}", base64url(mac.finalize().into_bytes()))
        }
        _ => format!("{signed}."),
    }
}

fn rsa_sealed(signed: &str, encoding: &'static dyn RsaEncoding) -> String {
    static PAIR: LazyLock<rsa::KeyPair> =
        LazyLock::new(|| rsa::KeyPair::from_pkcs8(KEY.to_pkcs8().unwrap().expose()).unwrap());
    let mut signature = vec![0; PAIR.public_modulus_len()];
    PAIR.sign(encoding, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
    format!("{signed}.{}", base64url(signature))
}

/// `ayyeka.json`.
#[derive(Deserialize)]
pub(crate) struct Ayyeka {
    pub(crate) basic: Basic,
    pub(crate) jwt: Jwt,
}

#[derive(Deserialize)]
pub(crate) struct Basic {
    pub(crate) vectors: Vec<BasicVector>,
}

#[derive(Deserialize)]
pub(crate) struct BasicVector {
    pub(crate) key: String,
    pub(crate) secret: String,
    pub(crate) expected_authorization: String,
}

#[derive(Deserialize)]
pub(crate) struct Jwt {
    pub(crate) public_pem: String,
    pub(crate) jwk: serde_json::Value,
    pub(crate) tokens: Vec<Token>,
}

#[derive(Deserialize)]
pub(crate) struct Token {
    pub(crate) case: String,
    pub(crate) token: String,
    #[serde(rename = "node_jsonwebtoken_verdict_RS384_iss_Cloud_at_1700000100")]
    pub(crate) verdict: String,
}

impl Jwt {
    pub(crate) fn key(&self) -> PublicKey {
        PublicKey::from_pem(TokenAlgorithm::Rs384, &self.public_pem).unwrap()
    }
}

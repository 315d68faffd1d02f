//! The two halves of a token key, each parsed once.

use super::{Claims, strict};
use crate::{
    credential::{TokenAlgorithm, TokenKey},
    secret::Secret,
};
use aws_lc_rs::{
    encoding::AsDer as _,
    error::Unspecified,
    rand::SystemRandom,
    rsa::{self, KeySize},
    signature::{
        self, ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
        KeyPair as _, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_SHA384, VerificationAlgorithm,
    },
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::{error::Error, fmt, time::SystemTime};

fn verification(algorithm: TokenAlgorithm) -> &'static dyn VerificationAlgorithm {
    match algorithm {
        TokenAlgorithm::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
        TokenAlgorithm::Es256 => &ECDSA_P256_SHA256_FIXED,
        TokenAlgorithm::EdDsa => &signature::ED25519,
    }
}

/// The private half of a token key, parsed.
pub struct PrivateKey {
    pair: Pair,
    public: PublicKey,
}

enum Pair {
    Rsa(rsa::KeyPair),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl PrivateKey {
    /// Makes a new key; RSA has 3072 bits, which take up to a second of a processor. It is spent on a thread where
    /// blocking is allowed.
    ///
    /// The key comes from the random generator of aws-lc, which no [`Clock`](crate::clock::Clock) replaces.
    ///
    /// # Errors
    ///
    /// [`KeyError`] if the library makes none.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime.
    pub async fn generate(algorithm: TokenAlgorithm) -> Result<Self, KeyError> {
        let made = tokio::task::spawn_blocking(move || {
            let pair = match algorithm {
                TokenAlgorithm::Rs384 => Pair::Rsa(rsa::KeyPair::generate(KeySize::Rsa3072)?),
                TokenAlgorithm::Es256 => {
                    Pair::Ecdsa(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?)
                }
                TokenAlgorithm::EdDsa => Pair::Ed25519(Ed25519KeyPair::generate()?),
            };
            Ok(pair)
        });
        let pair = made.await.map_err(|error| KeyError::new("no key was made", error))?;
        Self::new(algorithm, pair.map_err(|error: Unspecified| KeyError::new("no key was made", error))?)
    }

    /// Reads a private key from PKCS #8, the DER inside a `PRIVATE KEY` file. RSA keys have at least 2048 bits.
    ///
    /// # Errors
    ///
    /// [`KeyError`] if it is none of this algorithm.
    pub fn from_pkcs8(algorithm: TokenAlgorithm, pkcs8: &Secret) -> Result<Self, KeyError> {
        let pkcs8 = pkcs8.expose();
        let pair = match algorithm {
            TokenAlgorithm::Rs384 => rsa::KeyPair::from_pkcs8(pkcs8).map(Pair::Rsa),
            TokenAlgorithm::Es256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).map(Pair::Ecdsa)
            }
            TokenAlgorithm::EdDsa => Ed25519KeyPair::from_pkcs8(pkcs8).map(Pair::Ed25519),
        };
        Self::new(
            algorithm,
            pair.map_err(|error| KeyError::new("not a private key of its algorithm", error))?,
        )
    }

    /// Writes the key in PKCS #8, to be sealed.
    ///
    /// # Errors
    ///
    /// [`KeyError`] if the library cannot write it.
    pub fn to_pkcs8(&self) -> Result<Secret, KeyError> {
        let document = match &self.pair {
            Pair::Rsa(pair) => pair.as_der().map(|der| der.as_ref().to_vec()),
            Pair::Ecdsa(pair) => pair.to_pkcs8v1().map(|der| der.as_ref().to_vec()),
            Pair::Ed25519(pair) => pair.to_pkcs8v1().map(|der| der.as_ref().to_vec()),
        };
        let document = document.map_err(|error| KeyError::new("the key cannot be written", error))?;
        Secret::new(document).map_err(|error| KeyError::new("the key cannot be written", error))
    }

    /// The public half.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Signs a token. With RSA that takes a processor about a millisecond: serve other requests on another thread.
    ///
    /// `key_id` goes into the header as `kid`; the documented token has none.
    ///
    /// # Errors
    ///
    /// [`KeyError`] if the library cannot sign.
    ///
    /// # Security
    ///
    /// Whoever holds a token is its subject. Do not print it.
    pub fn sign(&self, claims: &Claims, key_id: Option<&str>) -> Result<String, KeyError> {
        let algorithm = self.public.algorithm.as_str();
        let key_id = key_id.map_or_else(String::new, |key_id| format!(r#","kid":{}"#, Value::from(key_id)));
        let header = format!(r#"{{"alg":"{algorithm}","typ":"JWT"{key_id}}}"#);
        let claims = serde_json::to_vec(claims).map_err(|error| KeyError::new("no claims", error))?;
        let mut token = format!("{}.{}", strict::encode(header), strict::encode(claims));
        let signature = self.sign_bytes(token.as_bytes());
        let signature = signature.map_err(|error| KeyError::new("nothing was signed", error))?;
        token.push('.');
        token.push_str(&strict::encode(signature));
        Ok(token)
    }

    fn sign_bytes(&self, bytes: &[u8]) -> Result<Vec<u8>, Unspecified> {
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA384, &SystemRandom::new(), bytes, &mut signature)?;
                Ok(signature)
            }
            Pair::Ecdsa(pair) => Ok(pair.sign(&SystemRandom::new(), bytes)?.as_ref().to_vec()),
            Pair::Ed25519(pair) => Ok(pair.try_sign(bytes)?.as_ref().to_vec()),
        }
    }

    fn new(algorithm: TokenAlgorithm, pair: Pair) -> Result<Self, KeyError> {
        let public = match &pair {
            Pair::Rsa(pair) => pair.public_key().as_ref(),
            Pair::Ecdsa(pair) => pair.public_key().as_ref(),
            Pair::Ed25519(pair) => pair.public_key().as_ref(),
        };
        let public = PublicKey::from_bytes(algorithm, public)?;
        Ok(Self { pair, public })
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({}, ..)", self.public.algorithm.as_str())
    }
}

/// The public half of a token key, parsed. Cloning copies it.
#[derive(Clone, Debug)]
pub struct PublicKey {
    algorithm: TokenAlgorithm,
    key: ParsedPublicKey,
    key_id: Option<String>,
    retires_at: Option<SystemTime>,
}

impl PublicKey {
    /// Reads a public key from a `SubjectPublicKeyInfo` (RFC 5280), the DER inside a `PUBLIC KEY` file.
    ///
    /// # Errors
    ///
    /// [`KeyError`] if it is none of this algorithm.
    pub fn from_der(algorithm: TokenAlgorithm, der: &[u8]) -> Result<Self, KeyError> {
        // The library would also take a bare point.
        if der.first() != Some(&0x30) {
            return Err(KeyError { what: "not a public key of its algorithm", source: None });
        }
        Self::from_bytes(algorithm, der)
    }

    /// Reads a public key from PEM: one block `PUBLIC KEY` (RFC 7468 §13).
    ///
    /// # Errors
    ///
    /// [`KeyError`] if there is not exactly one, or if it is none of this algorithm.
    pub fn from_pem(algorithm: TokenAlgorithm, pem: &str) -> Result<Self, KeyError> {
        let inside = pem
            .trim()
            .strip_prefix("-----BEGIN PUBLIC KEY-----")
            .and_then(|rest| rest.strip_suffix("-----END PUBLIC KEY-----"))
            .ok_or(KeyError { what: "not one block `PUBLIC KEY`", source: None })?;
        let base64: String = inside.split_ascii_whitespace().collect();
        let der = BASE64_STANDARD.decode(base64).map_err(|error| KeyError::new("not base64", error))?;
        Self::from_der(algorithm, &der)
    }

    /// Gives the key a name, which tokens may carry as `kid`.
    #[must_use]
    pub fn with_key_id(mut self, key_id: &str) -> Self {
        self.key_id = Some(key_id.to_owned());
        self
    }

    /// The algorithm, the only one that the key is used with.
    #[must_use]
    pub const fn algorithm(&self) -> TokenAlgorithm {
        self.algorithm
    }

    /// The key's name.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// The moment from which on the key verifies nothing.
    #[must_use]
    pub const fn retires_at(&self) -> Option<SystemTime> {
        self.retires_at
    }

    /// Whether the key still verifies at `now`.
    #[must_use]
    pub fn is_live(&self, now: SystemTime) -> bool {
        self.retires_at.is_none_or(|end| end > now)
    }

    /// Writes the key as a `SubjectPublicKeyInfo`.
    ///
    /// # Errors
    ///
    /// [`KeyError`] if the library cannot write it.
    pub fn to_der(&self) -> Result<Vec<u8>, KeyError> {
        let der = self.key.as_der().map_err(|error| KeyError::new("the key cannot be written", error))?;
        Ok(der.as_ref().to_vec())
    }

    /// The key as a JSON Web Key (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2).
    ///
    /// # Errors
    ///
    /// [`KeyError`] if the library cannot write it.
    pub fn jwk(&self) -> Result<Value, KeyError> {
        let mut jwk = self.required_members()?;
        jwk["alg"] = self.algorithm.as_str().into();
        jwk["use"] = "sig".into();
        if let Some(key_id) = &self.key_id {
            jwk["kid"] = key_id.as_str().into();
        }
        Ok(jwk)
    }

    /// A name made from the key itself: the thumbprint of RFC 7638 with SHA-256, 43 characters of base64url.
    ///
    /// # Errors
    ///
    /// [`KeyError`] if the library cannot write the key.
    pub fn thumbprint(&self) -> Result<String, KeyError> {
        // Members stand in the order of their names, without white space (RFC 7638 §3.3); so does `Value` print them.
        Ok(strict::encode(Sha256::digest(self.required_members()?.to_string())))
    }

    fn required_members(&self) -> Result<Value, KeyError> {
        let der = self.to_der()?;
        let cut = |length: usize| der.len().checked_sub(length).map_or(&[][..], |at| &der[at..]);
        Ok(match self.algorithm {
            TokenAlgorithm::Rs384 => {
                let key = rsa::PublicKey::from_der(&der)
                    .map_err(|error| KeyError::new("the key cannot be written", error))?;
                let n = strict::encode(key.modulus().big_endian_without_leading_zero());
                let e = strict::encode(key.exponent().big_endian_without_leading_zero());
                json!({ "e": e, "kty": "RSA", "n": n })
            }
            TokenAlgorithm::Es256 => {
                let (x, y) = cut(64).split_at_checked(32).unwrap_or_default();
                json!({ "crv": "P-256", "kty": "EC", "x": strict::encode(x), "y": strict::encode(y) })
            }
            TokenAlgorithm::EdDsa => json!({ "crv": "Ed25519", "kty": "OKP", "x": strict::encode(cut(32)) }),
        })
    }

    /// Whether `signature` is this key's over `bytes`.
    pub(super) fn verify(&self, bytes: &[u8], signature: &[u8]) -> Result<(), Unspecified> {
        self.key.verify_sig(bytes, signature)
    }

    fn from_bytes(algorithm: TokenAlgorithm, bytes: &[u8]) -> Result<Self, KeyError> {
        let key = ParsedPublicKey::new(verification(algorithm), bytes)
            .map_err(|error| KeyError::new("not a public key of its algorithm", error))?;
        Ok(Self { algorithm, key, key_id: None, retires_at: None })
    }
}

impl TryFrom<&TokenKey> for PublicKey {
    type Error = KeyError;

    /// Parses a stored key, and gives it its name and its end.
    fn try_from(stored: &TokenKey) -> Result<Self, KeyError> {
        let key = Self::from_der(stored.algorithm, &stored.public_key)?;
        Ok(Self { retires_at: stored.retires_at, ..key.with_key_id(stored.kid.as_str()) })
    }
}

/// A token key cannot be read, made, written or used. The cause, if there is one, is its [`source`](Error::source); it
/// never holds key material.
#[derive(Debug)]
pub struct KeyError {
    what: &'static str,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl KeyError {
    fn new(what: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { what, source: Some(source.into()) }
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a token key: {}", self.what)
    }
}

impl Error for KeyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

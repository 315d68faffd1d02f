//! Verifying a token with any of several keys.

use super::{Claims, KeyError, Profile, PublicKey, strict, strict::Object};
use crate::error::{VerifyError, VerifyErrorKind};
use serde_json::{Value, json};
use std::time::SystemTime;

/// The longest token that is looked at, in bytes. One of RSA with 8192 bits has room for 2 kB of claims.
pub const MAX_TOKEN_LENGTH: usize = 4096;

/// The keys that an issuer's tokens may be signed with.
#[derive(Clone, Debug, Default)]
pub struct KeySet(Vec<PublicKey>);

impl KeySet {
    /// Takes the keys. A token without `kid` is tried with every key of the algorithm it names: keep them few.
    #[must_use]
    pub fn new(keys: impl IntoIterator<Item = PublicKey>) -> Self {
        Self(keys.into_iter().collect())
    }

    /// The keys.
    #[must_use]
    pub fn keys(&self) -> &[PublicKey] {
        &self.0
    }

    /// Verifies a token: form, signature, then claims.
    ///
    /// # Errors
    ///
    /// [`Malformed`](VerifyErrorKind::Malformed) if it is not a token in its one spelling,
    /// [`UnknownKey`](VerifyErrorKind::UnknownKey) if its `kid` or `alg` is none of the keys' that have not retired,
    /// [`BadSignature`](VerifyErrorKind::BadSignature), and what [`Profile::check`] finds.
    pub fn verify(&self, token: &str, profile: &Profile, now: SystemTime) -> Result<Claims, VerifyError> {
        let (claims, _) = self.open(token, now)?;
        profile.check(&claims, now)?;
        Ok(claims)
    }

    /// The claims of a token that one of the keys signed, and the key.
    pub(crate) fn open(&self, token: &str, now: SystemTime) -> Result<(Claims, &PublicKey), VerifyError> {
        let parts = Parts::split(token)?;
        let header = Header::read(parts.header)?;
        let signature = strict::decode(parts.signature)?;
        let mut unknown = true;
        for key in &self.0 {
            if !header.may_be(key) || !key.is_live(now) {
                continue;
            }
            unknown = false;
            if key.verify(parts.signed.as_bytes(), &signature).is_ok() {
                return Ok((Claims::read(Object::decode(parts.claims)?)?, key));
            }
        }
        Err(if unknown { VerifyErrorKind::UnknownKey } else { VerifyErrorKind::BadSignature }.into())
    }

    /// The keys as a JSON Web Key Set (RFC 7517 §5).
    ///
    /// # Errors
    ///
    /// [`KeyError`] if a key cannot be written.
    pub fn jwks(&self) -> Result<Value, KeyError> {
        let keys: Vec<_> = self.0.iter().map(PublicKey::jwk).collect::<Result<_, _>>()?;
        Ok(json!({ "keys": keys }))
    }
}

/// A token, cut.
struct Parts<'t> {
    header: &'t str,
    claims: &'t str,
    signature: &'t str,
    /// Header and claims, with the dot between them.
    signed: &'t str,
}

impl<'t> Parts<'t> {
    fn split(token: &'t str) -> Result<Self, VerifyError> {
        if token.len() > MAX_TOKEN_LENGTH {
            return Err(VerifyError::malformed("the token is too long"));
        }
        let cut = || {
            let (signed, signature) = token.rsplit_once('.')?;
            let (header, claims) = signed.split_once('.')?;
            (!claims.contains('.')).then_some(Self { header, claims, signature, signed })
        };
        cut().ok_or_else(|| VerifyError::malformed("a token has three parts"))
    }
}

/// The header of a token: it says which key to try, and never how.
struct Header {
    algorithm: String,
    key_id: Option<String>,
}

impl Header {
    fn read(part: &str) -> Result<Self, VerifyError> {
        let mut object = Object::decode(part)?;
        let algorithm = object.text("alg")?.ok_or_else(|| VerifyError::malformed("no algorithm"))?;
        let kind = object.text("typ")?;
        let key_id = object.text("kid")?;
        if !kind.is_none_or(|kind| kind.eq_ignore_ascii_case("JWT")) {
            return Err(VerifyError::malformed("a token of another type"));
        }
        if !object.is_empty() {
            return Err(VerifyError::malformed("a header field that is not allowed"));
        }
        Ok(Self { algorithm, key_id })
    }

    fn may_be(&self, key: &PublicKey) -> bool {
        let named = self.key_id.as_deref().is_none_or(|named| key.key_id() == Some(named));
        named && self.algorithm == key.algorithm().as_str()
    }
}

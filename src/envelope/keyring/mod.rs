//! The keyring: the keys that seal secrets, of which the first is active.

use super::{CanaryError, KeyringError, OpenError, OpenErrorKind, Place, Sealed};
use crate::secret::Secret;
use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{Aead, Payload},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use std::fmt;
use zeroize::Zeroizing;

/// The version of the records that are written.
const VERSION: u8 = 1;
/// Length of an AES-GCM nonce in bytes.
const NONCE: usize = 12;
/// Longest id of a keyring key, in bytes.
const LONGEST_ID: usize = 64;
/// What the canary says.
const CANARY_TEXT: &[u8] = b"this keyring belongs to this database";

/// Keys that seal secrets: the first seals what is written, all of them open what is read.
///
/// As text, a keyring has one key a line, as `id/base64` of 32 random bytes. The first key is the active one. Blank
/// lines and lines that begin with `#` are passed over. To replace a key, put the new one above it; the old one stays
/// until no secret is sealed with it any more.
///
/// ```
/// use countersign::{
///     envelope::{Keyring, Place},
///     secret::Secret,
/// };
///
/// let keyring = Keyring::parse(
///     "# made for this example\n\
///      2026-01/AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=\n",
/// )?;
/// let place = Place { scheme: "ateliere", key_id: "pk_1", number: 1 };
/// let sealed = keyring.seal(place, &Secret::new("b0c1f6a2-secret")?, [0; 12]);
/// assert_eq!(sealed.keyring_id, "2026-01");
/// assert_eq!(keyring.open(place, &sealed)?.expose(), b"b0c1f6a2-secret");
///
/// let elsewhere = Place { key_id: "pk_2", ..place };
/// assert!(keyring.open(elsewhere, &sealed).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Keyring {
    active: KeyringKey,
    older: Vec<KeyringKey>,
}

struct KeyringKey {
    id: String,
    cipher: Aes256Gcm,
}

impl Keyring {
    /// Reads a keyring from its text.
    ///
    /// # Errors
    ///
    /// [`KeyringError::Malformed`], [`KeyringError::Duplicate`] or [`KeyringError::Empty`].
    pub fn parse(text: &str) -> Result<Self, KeyringError> {
        let mut keys = Vec::<KeyringKey>::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let key = KeyringKey::parse(line).ok_or(KeyringError::Malformed { line: number })?;
            if keys.iter().any(|earlier| earlier.id == key.id) {
                return Err(KeyringError::Duplicate { line: number });
            }
            keys.push(key);
        }
        let mut keys = keys.into_iter();
        let active = keys.next().ok_or(KeyringError::Empty)?;
        Ok(Self { active, older: keys.collect() })
    }

    /// Makes a keyring of one key, named after a digest of it. `random` are 32 bytes from
    /// [`Clock::fill`](crate::clock::Clock::fill).
    #[must_use]
    pub fn generate(random: [u8; 32]) -> Self {
        let random = Zeroizing::new(random);
        Self { active: KeyringKey::new(&id_of(&random), &random), older: Vec::new() }
    }

    /// Lets the key of this id seal what is written; `None` if there is none.
    #[must_use]
    pub fn with_active(mut self, id: &str) -> Option<Self> {
        if self.active.id != id {
            let older = self.older.iter_mut().find(|key| key.id == id)?;
            std::mem::swap(&mut self.active, older);
        }
        Some(self)
    }

    /// The id of the key that seals what is written.
    #[must_use]
    pub fn active_id(&self) -> &str {
        &self.active.id
    }

    /// The ids of all keys, the active one first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys().map(|key| key.id.as_str())
    }

    /// Seals a secret for one place, with the active key.
    ///
    /// # Security
    ///
    /// `nonce` must be fresh from [`Clock::fill`](crate::clock::Clock::fill): two secrets sealed under one key with
    /// the same nonce give each other away.
    #[must_use]
    pub fn seal(&self, place: Place<'_>, secret: &Secret, nonce: [u8; NONCE]) -> Sealed {
        self.active.seal(place, secret.expose(), nonce)
    }

    /// Opens a secret that was sealed for this place.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if the keyring lacks the key, or the record was altered or sealed for another place.
    pub fn open(&self, place: Place<'_>, sealed: &Sealed) -> Result<Secret, OpenError> {
        let Sealed { keyring_id, record } = sealed;
        let failed = |kind| OpenError::new(kind, place, keyring_id);
        let key = self.keys().find(|key| key.id == *keyring_id);
        key.ok_or(OpenErrorKind::UnknownKey).and_then(|key| key.open(place, record)).map_err(failed)
    }

    /// Seals the canary: a known text that a database keeps for every key that seals something in it.
    #[must_use]
    pub fn seal_canary(&self, nonce: [u8; NONCE]) -> Sealed {
        self.active.seal(Place::CANARY, CANARY_TEXT, nonce)
    }

    /// Checks that the keyring holds the key that sealed a canary, so that a database is refused when it is opened
    /// and not at its first request.
    ///
    /// # Errors
    ///
    /// [`CanaryError`] if the key is missing or another one.
    pub fn check_canary(&self, sealed: &Sealed) -> Result<(), CanaryError> {
        self.open(Place::CANARY, sealed).map(drop).map_err(CanaryError)
    }

    fn keys(&self) -> impl Iterator<Item = &KeyringKey> {
        std::iter::once(&self.active).chain(&self.older)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring({:?}, ..)", self.active.id)
    }
}

impl KeyringKey {
    fn new(id: &str, key: &[u8; 32]) -> Self {
        Self { id: id.to_owned(), cipher: Aes256Gcm::new(key.into()) }
    }

    /// Reads a line; `None` if it is not `id/base64`, or if the key is nothing but zero bytes.
    fn parse(line: &str) -> Option<Self> {
        let (id, key) = line.split_once('/')?;
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let key = Zeroizing::new(STANDARD.decode(key).ok()?);
        let key = <&[u8; 32]>::try_from(key.as_slice()).ok()?;
        let usable = (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(known) && *key != [0; 32];
        usable.then(|| Self::new(id, key))
    }

    #[expect(clippy::expect_used, reason = "the only limit of AES-GCM is 64 GiB of plaintext")]
    fn seal(&self, place: Place<'_>, secret: &[u8], nonce: [u8; NONCE]) -> Sealed {
        let payload = Payload { msg: secret, aad: &self.associated_data(place) };
        let ciphertext =
            self.cipher.encrypt(&nonce.into(), payload).expect("a secret is shorter than 64 GiB");
        Sealed::new(self.id.clone(), [&[VERSION], &nonce[..], &ciphertext].concat())
    }

    fn open(&self, place: Place<'_>, record: &[u8]) -> Result<Secret, OpenErrorKind> {
        let (version, rest) = record.split_first().ok_or(OpenErrorKind::Refused)?;
        if *version != VERSION {
            return Err(OpenErrorKind::UnknownFormat);
        }
        let (nonce, msg) = rest.split_first_chunk::<NONCE>().ok_or(OpenErrorKind::Refused)?;
        let payload = Payload { msg, aad: &self.associated_data(place) };
        let opened = self.cipher.decrypt(nonce.into(), payload).map_err(|_| OpenErrorKind::Refused)?;
        Secret::new(opened).map_err(|_| OpenErrorKind::Refused)
    }

    fn associated_data(&self, place: Place<'_>) -> Vec<u8> {
        let number = place.number.to_be_bytes();
        let fields: [&[u8]; 5] =
            [&[VERSION], self.id.as_bytes(), place.scheme.as_bytes(), place.key_id.as_bytes(), &number];
        fields.iter().flat_map(|field| [&(field.len() as u64).to_be_bytes(), *field].concat()).collect()
    }
}

/// The id of a generated key: eight digits of a digest, which say nothing about 32 random bytes.
pub(super) fn id_of(key: &[u8; 32]) -> String {
    let digest = Sha256::new().chain_update(b"countersign keyring id\0").chain_update(key).finalize();
    hex::encode(&digest[..4])
}

/// The line of a generated key.
pub(super) fn line(key: &[u8; 32]) -> Zeroizing<String> {
    let encoded = Zeroizing::new(STANDARD.encode(key));
    Zeroizing::new(format!("{}/{}\n", id_of(key), *encoded))
}

#[cfg(test)]
mod tests;

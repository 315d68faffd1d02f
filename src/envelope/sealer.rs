//! What a key store needs of whatever seals its secrets.

use super::{CanaryError, Keyring, OpenError, Place, Sealed};
use crate::secret::Secret;
use std::fmt;

/// Seals the secrets of a key store and opens them again. A [`Keyring`] does it with keys from a file.
///
/// A key management service fits behind it as well: it unwraps the keys once, when the sealer is made, so that sealing
/// and opening need not wait for it.
///
/// # Security contract
///
/// * What is sealed for one [`Place`] opens for no other, and nothing opens that was altered.
/// * Sealing needs a fresh nonce each time; the store takes it from its [`Clock`](crate::clock::Clock).
/// * A sealed secret says by which key it was sealed, and that key stays until no secret is sealed with it any more.
pub trait Sealer: fmt::Debug + Send + Sync + 'static {
    /// The id of the key that seals what is written.
    fn active_id(&self) -> &str;

    /// Seals a secret for one place, with the active key. `nonce` is fresh from
    /// [`Clock::fill`](crate::clock::Clock::fill).
    fn seal(&self, place: Place<'_>, secret: &Secret, nonce: [u8; 12]) -> Sealed;

    /// Opens a secret that was sealed for this place.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if there is no such key, or the record was altered or sealed for another place.
    fn open(&self, place: Place<'_>, sealed: &Sealed) -> Result<Secret, OpenError>;

    /// Seals the canary, any text that is not blank, for [`Place::CANARY`]: a database keeps one for every key that
    /// seals something in it.
    fn seal_canary(&self, nonce: [u8; 12]) -> Sealed;

    /// Checks that the key is at hand that sealed a canary, so that a database is refused when it is opened and not at
    /// its first request.
    ///
    /// # Errors
    ///
    /// [`CanaryError`] if the key is missing or another one.
    fn check_canary(&self, sealed: &Sealed) -> Result<(), CanaryError> {
        self.open(Place::CANARY, sealed).map(drop).map_err(CanaryError)
    }
}

impl Sealer for Keyring {
    fn active_id(&self) -> &str {
        self.active_id()
    }

    fn seal(&self, place: Place<'_>, secret: &Secret, nonce: [u8; 12]) -> Sealed {
        self.seal(place, secret, nonce)
    }

    fn open(&self, place: Place<'_>, sealed: &Sealed) -> Result<Secret, OpenError> {
        self.open(place, sealed)
    }

    fn seal_canary(&self, nonce: [u8; 12]) -> Sealed {
        self.seal_canary(nonce)
    }
}

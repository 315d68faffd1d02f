//! Secret bytes that never print and are wiped when dropped.

use std::{error::Error, fmt};
use zeroize::Zeroizing;

/// The key material of a credential, exactly as the provider hands it out.
///
/// A `Secret` is never empty and never blank: `HMAC("")` would be a key that everybody knows. Providers print their
/// secrets as text (SalesCloud's are 512 hexadecimal digits) and sign with the bytes of that *text*, so nothing here
/// decodes, trims or normalises.
///
/// ```
/// use countersign::secret::Secret;
///
/// let secret = Secret::new("b0c1f6a2-secret")?;
/// assert_eq!(format!("{secret:?}"), "Secret(..)");
/// assert!(Secret::new("").is_err());
/// assert!(Secret::new(" \n").is_err());
/// # Ok::<(), countersign::secret::SecretError>(())
/// ```
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Wraps the bytes of a secret.
    ///
    /// # Errors
    ///
    /// [`SecretError`] if there is nothing but white space, or nothing but zero bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, SecretError> {
        let bytes = Zeroizing::new(bytes.into());
        if bytes.iter().all(|b| b.is_ascii_whitespace() || *b == 0) {
            return Err(SecretError(()));
        }
        Ok(Self(bytes))
    }

    /// Makes the secret of a new credential: 64 lower-case hexadecimal digits, used as text.
    #[must_use]
    pub fn from_random(bytes: [u8; 32]) -> Self {
        let bytes = Zeroizing::new(bytes);
        Self(Zeroizing::new(hex::encode(&bytes[..]).into_bytes()))
    }

    /// The bytes themselves.
    ///
    /// # Security
    ///
    /// The one way out. Outside this crate only a program that shows a new secret to its owner, once, needs it.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The secret offered is empty, or nothing but white space or zero bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SecretError(());

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret cannot be empty or blank")
    }
}

impl Error for SecretError {}

//! Verifying the tokens of one set of keys, and knowing again those that were verified before.

use super::{Claims, KeySet, Profile};
use crate::error::VerifyError;
use sha2::{Digest as _, Sha256};
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};
use subtle::ConstantTimeEq as _;

/// How many tokens are known again, unless something else is chosen.
const REMEMBERED: usize = 1024;

/// Verifies tokens against one profile with one set of keys.
///
/// A token that was verified is known again by its SHA-256 until it ends, without another check of its signature. Only
/// good tokens are remembered, in a fixed number of places that they share by their hash: nobody can make the memory
/// grow, and a token that loses its place is verified once more. What must be asked anew for each request, such as
/// whether the client is still in force, is not in a token and not here. When a key is withdrawn, drop the verifier and
/// make a new one: it remembers nothing.
///
/// ```
/// use countersign::{credential::TokenAlgorithm, jwt::{Claims, KeySet, PrivateKey, Profile, TokenVerifier}};
/// use std::time::{Duration, SystemTime};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let key = PrivateKey::generate(TokenAlgorithm::EdDsa).await?;
/// let profile = Profile::new("Cloud", "2091");
/// let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
/// let token = key.sign(&Claims::issue(&profile, "6237:708", now, Duration::from_secs(3600)), None)?;
///
/// let verifier = TokenVerifier::new(KeySet::new([key.public_key().clone()]), profile);
/// assert_eq!(verifier.verify(&token, now)?.subject, "6237:708");
/// assert!(verifier.verify(&token, now + Duration::from_secs(3605)).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TokenVerifier {
    keys: KeySet,
    profile: Profile,
    seen: Box<[Mutex<Option<Seen>>]>,
}

/// A token that was verified.
struct Seen {
    digest: [u8; 32],
    claims: Arc<Claims>,
    /// The earlier of its own end and that of the key that signed it.
    until: SystemTime,
}

impl TokenVerifier {
    /// Makes a verifier that remembers 1024 tokens.
    #[must_use]
    pub fn new(keys: KeySet, profile: Profile) -> Self {
        Self::remembering(REMEMBERED, keys, profile)
    }

    /// Makes a verifier that remembers so many tokens; with 0 it verifies each of them every time.
    #[must_use]
    pub fn remembering(tokens: usize, keys: KeySet, profile: Profile) -> Self {
        let seen = std::iter::repeat_with(Mutex::default).take(tokens).collect();
        Self { keys, profile, seen }
    }

    /// Verifies a token.
    ///
    /// # Errors
    ///
    /// As [`KeySet::verify`].
    pub fn verify(&self, token: &str, now: SystemTime) -> Result<Arc<Claims>, VerifyError> {
        let digest: [u8; 32] = Sha256::digest(token).into();
        if let Some(claims) = self.known(&digest, now) {
            return Ok(claims);
        }
        let (claims, key) = self.keys.open(token, now)?;
        self.profile.check(&claims, now)?;
        let until = key.retires_at().into_iter().fold(claims.end(), SystemTime::min);
        let claims = Arc::new(claims);
        if let Some(place) = self.place(&digest) {
            let seen = Seen { digest, claims: Arc::clone(&claims), until };
            *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        }
        Ok(claims)
    }

    fn known(&self, digest: &[u8; 32], now: SystemTime) -> Option<Arc<Claims>> {
        let place = self.place(digest)?.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = place.as_ref().filter(|seen| bool::from(seen.digest.ct_eq(digest)))?;
        (now < seen.until).then(|| Arc::clone(&seen.claims))
    }

    fn place(&self, digest: &[u8; 32]) -> Option<&Mutex<Option<Seen>>> {
        let (first, _) = digest.split_first_chunk::<8>()?;
        let places = u64::try_from(self.seen.len()).ok()?;
        let index = u64::from_le_bytes(*first).checked_rem(places)?;
        self.seen.get(usize::try_from(index).ok()?)
    }
}

impl fmt::Debug for TokenVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { keys, profile, .. } = self;
        f.debug_struct("TokenVerifier").field("keys", keys).field("profile", profile).finish_non_exhaustive()
    }
}

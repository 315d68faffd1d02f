//! The life of a key after it was made: rotated, switched off and on, limited in time, revoked; by whom, and why.
//!
//! ```text
//! key     pending → active → expired        by its times
//!         active ↔ disabled                 by an operator
//!         anything → revoked                for ever
//! secret  current → retiring → retired      by rotation
//! ```
//!
//! A key that was revoked stays in the store, so that its id is never given to another.

use super::{AdminError, import};
use crate::{
    credential::{CredentialState, KeyId},
    secret::Secret,
    signature::Algorithm,
};
use async_trait::async_trait;
use std::{
    error::Error,
    fmt,
    time::{Duration, SystemTime},
};

/// How many secrets of one key live at a time, at most.
const MOST_LIVE: usize = 3;

/// For how long refused requests of a key are explained, at most: a day, and a minute for clocks that differ.
pub(super) const LONGEST_DEBUG: Duration = Duration::from_secs(86_460);

/// Changes keys that are stored.
///
/// Every store obeys the same rules, and a database holds them as well against whoever changes it by hand. Asking for
/// what is so already is no error, and changes nothing.
#[async_trait]
pub trait KeyLifecycle: fmt::Debug + Send + Sync + 'static {
    /// Gives a key a new secret, under the next number. The older secrets retire after the overlap, if they do not
    /// earlier by themselves.
    ///
    /// # Errors
    ///
    /// [`AdminErrorKind::NotFound`](super::AdminErrorKind::NotFound);
    /// [`AdminErrorKind::Invalid`](super::AdminErrorKind::Invalid) with a [`ChangeRefused`] or a
    /// [`SecretRefused`](super::SecretRefused) as its source.
    async fn rotate(
        &self,
        scheme: &str,
        key_id: &KeyId,
        rotation: &Rotation,
        by: &By,
    ) -> Result<Rotated, AdminError>;

    /// Says what a key is to be: active, disabled or revoked. Revoked is for ever, and wins against whatever happens at
    /// the same time.
    ///
    /// # Errors
    ///
    /// [`AdminErrorKind::NotFound`](super::AdminErrorKind::NotFound);
    /// [`AdminErrorKind::Invalid`](super::AdminErrorKind::Invalid) with [`ChangeRefused::Revoked`] as its source.
    async fn set_state(
        &self,
        scheme: &str,
        key_id: &KeyId,
        state: CredentialState,
        by: &By,
    ) -> Result<(), AdminError>;

    /// Sets one of the limits in time of a key, or takes it away. Times are whole seconds; what is finer is dropped.
    ///
    /// # Errors
    ///
    /// As [`set_state`](Self::set_state), [`ChangeRefused::EndBeforeBeginning`] and [`ChangeRefused::LongDebug`].
    async fn set_limit(&self, scheme: &str, key_id: &KeyId, limit: Limit, by: &By) -> Result<(), AdminError>;

    /// Switches a key off.
    ///
    /// # Errors
    ///
    /// As [`set_state`](Self::set_state).
    async fn disable(&self, scheme: &str, key_id: &KeyId, by: &By) -> Result<(), AdminError> {
        self.set_state(scheme, key_id, CredentialState::Disabled, by).await
    }

    /// Switches a key on again.
    ///
    /// # Errors
    ///
    /// As [`set_state`](Self::set_state).
    async fn enable(&self, scheme: &str, key_id: &KeyId, by: &By) -> Result<(), AdminError> {
        self.set_state(scheme, key_id, CredentialState::Active, by).await
    }

    /// Withdraws a key for ever.
    ///
    /// # Errors
    ///
    /// As [`set_state`](Self::set_state), but revoking twice is no error.
    async fn revoke(&self, scheme: &str, key_id: &KeyId, by: &By) -> Result<(), AdminError> {
        self.set_state(scheme, key_id, CredentialState::Revoked, by).await
    }
}

/// Who changes something, and why: for the audit log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct By {
    actor: String,
    reason: Option<String>,
}

impl By {
    /// Names who acts: a person, a program, a session.
    #[must_use]
    pub fn new(actor: impl Into<String>) -> Self {
        Self { actor: actor.into(), reason: None }
    }

    /// Says why.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Who acts.
    #[must_use]
    pub fn actor(&self) -> &str {
        &self.actor
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}

/// One of the limits in time of a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Limit {
    /// It works from this moment on.
    NotBefore(Option<SystemTime>),
    /// It does not work from this moment on.
    ExpiresAt(Option<SystemTime>),
    /// Its refused requests are explained to the operator until this moment, which lies a day ahead at most.
    DebugUntil(Option<SystemTime>),
}

/// A new secret for a key.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Rotation {
    /// The secret.
    pub secret: Secret,
    /// How long the older secrets work.
    pub overlap: Overlap,
    /// Whether a secret of fewer than 16 bytes may be stored; [`check_secret`](super::check_secret) says what that
    /// costs.
    pub allow_weak: bool,
}

impl Rotation {
    /// A new secret, and how long the older ones still work.
    #[must_use]
    pub const fn new(secret: Secret, overlap: Overlap) -> Self {
        Self { secret, overlap, allow_weak: false }
    }

    /// Checks the secret as a store does before it takes it in.
    ///
    /// # Errors
    ///
    /// [`AdminErrorKind::Invalid`](super::AdminErrorKind::Invalid), with a
    /// [`SecretRefused`](super::SecretRefused) as its source.
    pub fn check(&self, algorithm: Algorithm) -> Result<(), AdminError> {
        import::check_secret(algorithm, &self.secret, self.allow_weak)
            .map_err(|refused| AdminError::invalid("this secret", refused))
    }
}

/// How long the older secrets of a key work beside a new one, so that clients can change over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Overlap(Duration);

impl Overlap {
    /// The older secrets stop at once: one of them has leaked.
    pub const NONE: Self = Self(Duration::ZERO);
    /// The longest overlap that needs no special word.
    pub const LONGEST: Self = Self(Duration::from_secs(7 * 24 * 3600));

    /// An overlap of at most seven days.
    ///
    /// # Errors
    ///
    /// [`ChangeRefused::LongOverlap`].
    pub fn lasting(length: Duration) -> Result<Self, ChangeRefused> {
        if length > Self::LONGEST.0 { Err(ChangeRefused::LongOverlap) } else { Ok(Self(length)) }
    }

    /// An overlap of any length.
    ///
    /// # Security
    ///
    /// As long as it lasts, a secret that has been replaced still opens the door, whoever has it.
    #[must_use]
    pub const fn forced(length: Duration) -> Self {
        Self(length)
    }

    /// Its length.
    #[must_use]
    pub const fn length(self) -> Duration {
        self.0
    }
}

/// What came of a rotation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Rotated {
    /// The number of the new secret.
    pub number: i64,
    /// When the older secrets stop working, those at the latest that do not stop before.
    pub older_retire_at: SystemTime,
}

impl Rotated {
    /// Finds the place of the next secret among those that a key has, as `(number, end)`.
    pub(super) fn plan(
        secrets: &[(i64, Option<SystemTime>)],
        now: SystemTime,
        overlap: Overlap,
    ) -> Result<Self, ChangeRefused> {
        let older_retire_at = now.checked_add(overlap.0).ok_or(ChangeRefused::LongOverlap)?;
        let number = secrets.iter().map(|secret| secret.0).max().unwrap_or(0) + 1;
        let live = |end: &Option<SystemTime>| end.is_none_or(|end| end > now);
        let mut ends: Vec<_> = secrets.iter().map(|secret| secret.1).filter(live).collect();
        if overlap == Overlap::NONE || ends.len() < MOST_LIVE {
            return Ok(Self { number, older_retire_at });
        }
        // The next one has a place as soon as all but two of these have ended; one without an end comes last.
        ends.sort_by_key(|end| (end.is_none(), *end));
        Err(ChangeRefused::ManySecrets { possible_at: ends[ends.len() - MOST_LIVE] })
    }
}

/// A change breaks a rule of the life of a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ChangeRefused {
    /// The key would end before it begins.
    EndBeforeBeginning,
    /// Its refused requests would be explained for longer than a day.
    LongDebug,
    /// The older secrets would work for longer than seven days, and nobody said that they may.
    LongOverlap,
    /// Three secrets of the key live already.
    ManySecrets {
        /// When there is room for another; never by itself, if this is `None`.
        possible_at: Option<SystemTime>,
    },
    /// The key is revoked, and stays so.
    Revoked,
}

impl fmt::Display for ChangeRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EndBeforeBeginning => "the key would end before it begins",
            Self::LongDebug => "refused requests would be explained for longer than a day",
            Self::LongOverlap => "the older secrets would work for longer than seven days",
            Self::ManySecrets { .. } => "three secrets of the key work already",
            Self::Revoked => "the key is revoked, and that is for ever",
        })
    }
}

impl Error for ChangeRefused {}

impl From<ChangeRefused> for AdminError {
    fn from(refused: ChangeRefused) -> Self {
        Self::invalid("this change", refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn the_date_is_told_when_the_next_secret_has_a_place() {
        let day = Overlap::forced(Duration::from_secs(86_400));
        let plan = |secrets: &[(i64, Option<u64>)], overlap| {
            let secrets: Vec<_> = secrets.iter().map(|(number, end)| (*number, end.map(at))).collect();
            Rotated::plan(&secrets, at(100), overlap)
        };
        let done = |number, end| Ok(Rotated { number, older_retire_at: at(end) });
        assert_eq!(plan(&[], day), done(1, 86_500));
        assert_eq!(plan(&[(1, None)], Overlap::NONE), done(2, 100));
        assert_eq!(plan(&[(4, Some(100)), (7, Some(101)), (8, None)], day), done(9, 86_500), "4 has retired");
        let many = |end: Option<u64>| Err(ChangeRefused::ManySecrets { possible_at: end.map(at) });
        let three = [(1, Some(300)), (2, Some(200)), (3, None)];
        assert_eq!(plan(&three, day), many(Some(200)));
        assert_eq!(plan(&three, Overlap::NONE), done(4, 100));
        assert_eq!(plan(&[(1, Some(400)), (2, Some(200)), (3, Some(300)), (4, None)], day), many(Some(300)));
        assert_eq!(plan(&[(1, None), (2, None), (3, None)], day), many(None));
    }

    #[test]
    fn more_than_a_week_needs_a_word_of_its_own() {
        let week = Duration::from_secs(604_800);
        assert_eq!(Overlap::lasting(week), Ok(Overlap::LONGEST));
        let longer = week + Duration::from_secs(1);
        assert_eq!(Overlap::lasting(longer), Err(ChangeRefused::LongOverlap));
        assert_eq!(Overlap::forced(longer).length(), longer);
        assert!(Rotated::plan(&[], at(0), Overlap::forced(Duration::MAX)).is_err());
    }
}

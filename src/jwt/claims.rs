//! What a token says, and what it must say to be accepted.

use super::strict::Object;
use crate::error::{VerifyError, VerifyErrorKind};
use serde::Serialize;
use serde_json::Value;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The last second of the year 9999: what comes after it is a mistake, or meant to overflow.
const LAST_SECOND: u64 = 253_402_300_799;

/// The claims of a token, as in Ayyeka's document: all five must be there, and are written in this order.
///
/// Other claims are neither written nor read, but for `nbf`, which is honoured.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Claims {
    /// `aud`: for whom the token was issued.
    #[serde(rename = "aud")]
    pub audience: String,
    /// `exp`: the token ends at this second after the Unix epoch.
    #[serde(rename = "exp")]
    pub expires_at: u64,
    /// `iat`: it was issued at this one.
    #[serde(rename = "iat")]
    pub issued_at: u64,
    /// `iss`: who issued it.
    #[serde(rename = "iss")]
    pub issuer: String,
    /// `sub`: about whom.
    #[serde(rename = "sub")]
    pub subject: String,
    /// `nbf`: it begins at this second.
    #[serde(rename = "nbf", skip_serializing_if = "Option::is_none")]
    pub not_before: Option<u64>,
}

impl Claims {
    /// The claims of a token that is issued now, for `lifetime` in whole seconds.
    #[must_use]
    pub fn issue(profile: &Profile, subject: &str, now: SystemTime, lifetime: Duration) -> Self {
        let issued_at = seconds(now);
        Self {
            audience: profile.audience.clone(),
            expires_at: issued_at.saturating_add(lifetime.as_secs()),
            issued_at,
            issuer: profile.issuer.clone(),
            subject: subject.to_owned(),
            not_before: None,
        }
    }

    /// The moment at which the token ends.
    #[must_use]
    pub fn end(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.expires_at.min(LAST_SECOND))
    }

    pub(super) fn read(mut object: Object) -> Result<Self, VerifyError> {
        let missing = || VerifyError::malformed("a claim is missing");
        let mut text = |name| object.text(name)?.ok_or_else(missing);
        let (audience, issuer, subject) = (text("aud")?, text("iss")?, text("sub")?);
        let mut time = |name| object.take(name).map(numeric_date).transpose();
        Ok(Self {
            audience,
            issuer,
            subject,
            expires_at: time("exp")?.ok_or_else(missing)?,
            issued_at: time("iat")?.ok_or_else(missing)?,
            not_before: time("nbf")?,
        })
    }
}

/// Whole seconds: RFC 7519 §2 would also allow fractions, which nobody sends.
#[expect(clippy::needless_pass_by_value, reason = "it comes out of an object")]
fn numeric_date(value: Value) -> Result<u64, VerifyError> {
    value
        .as_u64()
        .filter(|seconds| *seconds <= LAST_SECOND)
        .ok_or_else(|| VerifyError::malformed("a time is not in whole seconds before the year 10000"))
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// What a token must say: from whom, for whom, and how its times lie.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Profile {
    issuer: String,
    audience: String,
    leeway: Duration,
    longest: Duration,
}

impl Profile {
    /// Exactly this `iss` and this `aud`; times with a leeway of 5 s; tokens that live for at most a day. The two
    /// durations are our choice.
    #[must_use]
    pub fn new(issuer: &str, audience: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            leeway: Duration::from_secs(5),
            longest: Duration::from_secs(24 * 60 * 60),
        }
    }

    /// Sets how far the clocks of issuer and verifier may lie apart, in whole seconds.
    ///
    /// # Security
    ///
    /// A token lives longer by this much.
    #[must_use]
    pub const fn with_leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Sets how long a token may live from `iat` to `exp`, in whole seconds.
    #[must_use]
    pub const fn with_longest_lifetime(mut self, longest: Duration) -> Self {
        self.longest = longest;
        self
    }

    /// From whom a token must be: `iss`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// For whom a token must be: `aud`.
    #[must_use]
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// How far the clocks of issuer and verifier may lie apart.
    #[must_use]
    pub const fn leeway(&self) -> Duration {
        self.leeway
    }

    /// How long a token may live.
    #[must_use]
    pub const fn longest_lifetime(&self) -> Duration {
        self.longest
    }

    /// Judges claims that are known to come from a key of the issuer.
    ///
    /// # Errors
    ///
    /// [`UnknownKey`](VerifyErrorKind::UnknownKey) for another issuer,
    /// [`WrongOrganization`](VerifyErrorKind::WrongOrganization) for another audience,
    /// [`Expired`](VerifyErrorKind::Expired), [`NotYetValid`](VerifyErrorKind::NotYetValid) before `nbf`,
    /// [`Future`](VerifyErrorKind::Future) before `iat`, and [`Malformed`](VerifyErrorKind::Malformed) if the token
    /// would live for too long, or end before it was issued.
    pub fn check(&self, claims: &Claims, now: SystemTime) -> Result<(), VerifyError> {
        let refuse = |kind, detail| Err(VerifyError::with_detail(kind, detail));
        if claims.issuer != self.issuer {
            return refuse(VerifyErrorKind::UnknownKey, "the token is another issuer's");
        }
        if claims.audience != self.audience {
            return refuse(VerifyErrorKind::WrongOrganization, "the token is for another audience");
        }
        match claims.expires_at.checked_sub(claims.issued_at) {
            None => return refuse(VerifyErrorKind::Malformed, "the token ends before it was issued"),
            Some(life) if life > self.longest.as_secs() => {
                return refuse(VerifyErrorKind::Malformed, "the token lives for too long");
            }
            Some(_) => {}
        }
        let (now, leeway) = (seconds(now), self.leeway.as_secs());
        if claims.expires_at.saturating_add(leeway) <= now {
            return refuse(VerifyErrorKind::Expired, "the token has expired");
        }
        let latest = now.saturating_add(leeway);
        if claims.not_before.is_some_and(|second| second > latest) {
            return refuse(VerifyErrorKind::NotYetValid, "the token is not valid yet");
        }
        if claims.issued_at > latest {
            return refuse(VerifyErrorKind::Future, "the token was issued in the future");
        }
        Ok(())
    }
}

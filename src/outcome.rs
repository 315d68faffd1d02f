//! What became of a verification, in one word: the closed set that logs, metrics and scripts rely on.

use std::fmt;

macro_rules! outcomes {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)+) => {
        /// What became of a verification. There is one a request, and [`Forbidden`](Self::Forbidden) may follow one that
        /// passed: what stands behind the layer asked for more than the caller has.
        ///
        /// The words are stable: an event's field `outcome` holds one, and so does `countersign verify`.
        ///
        /// ```
        /// use countersign::{Outcome, error::VerifyErrorKind};
        ///
        /// assert_eq!(VerifyErrorKind::BadSignature.outcome(), Outcome::BadSignature);
        /// assert_eq!(Outcome::BadSignature.as_str(), "bad_signature");
        /// assert!(Outcome::OkPreviousSecret.is_ok());
        /// ```
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[non_exhaustive]
        pub enum Outcome {
            $($(#[$doc])* $name,)+
        }

        impl Outcome {
            /// Every outcome there is, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The word: lower case, with `_` between its parts.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)+
                }
            }
        }
    };
}

outcomes! {
    /// The request passed.
    Ok = "ok",
    /// The request passed, signed with a secret that a newer one has replaced.
    OkPreviousSecret = "ok_previous_secret",
    /// The request carries no credentials.
    Missing = "missing",
    /// The credentials, or the HTTP message itself, are not well-formed.
    Malformed = "malformed",
    /// There is no such key.
    UnknownKey = "unknown_key",
    /// The key, its account or its organization is switched off.
    Disabled = "disabled",
    /// The key, or the last secret that could have matched, has passed its end.
    Expired = "expired",
    /// The key was revoked.
    Revoked = "revoked",
    /// The key is not valid yet.
    NotYetValid = "not_yet_valid",
    /// The signature does not match what arrived.
    BadSignature = "bad_signature",
    /// The signed time lies too far back.
    Stale = "stale",
    /// The signed time lies too far ahead.
    Future = "future",
    /// The same request has been seen before. Kept for replay guards; nothing gives it yet.
    Replayed = "replayed",
    /// More requests wait to be remembered than a replay guard can hold. Kept for replay guards; nothing gives it yet.
    ReplayCapped = "replay_capped",
    /// The organization named is not one the key may act for.
    WrongOrganization = "wrong_organization",
    /// The caller proved who it is and may not do this.
    Forbidden = "forbidden",
    /// The body is longer than the server accepts.
    BodyTooLarge = "body_too_large",
    /// The body has a content encoding.
    UnsupportedEncoding = "unsupported_encoding",
    /// The body stopped arriving.
    Timeout = "timeout",
    /// Too many unverified bytes are held already.
    Overloaded = "overloaded",
    /// The key store could not be asked.
    StoreUnavailable = "store_unavailable",
    /// A defect on the server's side.
    Internal = "internal",
}

impl Outcome {
    /// Whether the request passed.
    #[must_use]
    pub const fn is_ok(self) -> bool {
        matches!(self, Self::Ok | Self::OkPreviousSecret)
    }

    /// Reads a word back; `None` if there is no such outcome.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|outcome| outcome.as_str() == word)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_what_scripts_rely_on() {
        let words: Vec<_> = Outcome::ALL.iter().map(|outcome| outcome.as_str()).collect();
        assert_eq!(
            words.join(" "),
            "ok ok_previous_secret missing malformed unknown_key disabled expired revoked not_yet_valid \
             bad_signature stale future replayed replay_capped wrong_organization forbidden body_too_large \
             unsupported_encoding timeout overloaded store_unavailable internal"
        );
        for outcome in Outcome::ALL {
            assert_eq!(Outcome::parse(outcome.as_str()), Some(*outcome));
        }
        assert_eq!(Outcome::parse("OK"), None);
    }
}

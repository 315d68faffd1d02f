//! The accepted age of a signed time.

use crate::error::VerifyErrorKind;
use std::time::{Duration, SystemTime};

/// How far a signed time may lie from the moment the request arrived. Both edges are still accepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Tolerance(Option<Window>);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Window {
    past: Duration,
    future: Duration,
}

impl Default for Tolerance {
    /// 300 s to either side.
    fn default() -> Self {
        Self::within(Duration::from_secs(300))
    }
}

impl Tolerance {
    /// As far to the past as to the future.
    #[must_use]
    pub const fn within(either: Duration) -> Self {
        Self(Some(Window { past: either, future: either }))
    }

    /// Different distances: clocks that run ahead are rarer than requests that are late.
    #[must_use]
    pub const fn between(past: Duration, future: Duration) -> Self {
        Self(Some(Window { past, future }))
    }

    /// Any time passes.
    ///
    /// # Security
    ///
    /// A captured request can then be repeated for ever.
    #[must_use]
    pub const fn off() -> Self {
        Self(None)
    }

    /// Judges a signed time.
    pub(super) fn check(self, signed: SystemTime, arrived: SystemTime) -> Result<(), VerifyErrorKind> {
        let Some(window) = self.0 else { return Ok(()) };
        match arrived.duration_since(signed) {
            Ok(age) if age > window.past => Err(VerifyErrorKind::Stale),
            Err(ahead) if ahead.duration() > window.future => Err(VerifyErrorKind::Future),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    #[test]
    fn both_edges_are_accepted_and_a_second_more_is_not() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let check = |tolerance: Tolerance, signed| tolerance.check(at(signed), at(1_000_000));
        let even = Tolerance::default();
        assert_eq!(check(even, 999_700), Ok(()));
        assert_eq!(check(even, 1_000_300), Ok(()));
        assert_eq!(check(even, 999_699), Err(VerifyErrorKind::Stale));
        assert_eq!(check(even, 1_000_301), Err(VerifyErrorKind::Future));
        let uneven = Tolerance::between(Duration::from_secs(100), Duration::from_secs(2));
        assert_eq!(check(uneven, 999_900), Ok(()));
        assert_eq!(check(uneven, 999_899), Err(VerifyErrorKind::Stale));
        assert_eq!(check(uneven, 1_000_003), Err(VerifyErrorKind::Future));
        for extreme in [0, 1 << 62] {
            assert!(check(even, extreme).is_err());
            assert_eq!(check(Tolerance::off(), extreme), Ok(()));
        }
    }
}

//! Why a key or a secret is refused, with the rule's own advice.

use crate::failure::{Exit, Failure};
use countersign::store::{AdminError, SecretRefused};
use std::error::Error as _;

/// What breaks a rule, with the rule's own advice.
pub fn invalid(error: &AdminError) -> Failure {
    match error.source().and_then(|source| source.downcast_ref::<SecretRefused>()) {
        Some(reason) => refused(reason),
        None => {
            let hint = "add `--help` to see what can be typed";
            Failure::new(Exit::Failure, "invalid", "the key is refused", hint).because(error)
        }
    }
}

/// A secret that breaks a rule.
pub fn refused(reason: &SecretRefused) -> Failure {
    let (code, hint) = match reason {
        SecretRefused::Short { .. } => {
            ("weak_secret", "use a longer secret, or `--allow-weak` if the provider makes no longer ones")
        }
        other => ("bad_secret", other.hint()),
    };
    Failure::new(Exit::Failure, code, "the secret is refused", hint).because(reason)
}

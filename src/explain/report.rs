//! What is told about a refused request: the outcome, and why.

use super::Explanation;
use crate::outcome::Outcome;
use serde::{Serialize, Serializer};

/// An explained request, for a terminal, a log or a program. The names of the fields are stable.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// `valid`, `mismatch` where the signature is wrong, or `refused` where something else is.
    pub verdict: &'static str,
    /// What the server made of the request.
    #[serde(serialize_with = "word")]
    pub outcome: Outcome,
    /// The scheme's name.
    pub scheme: String,
    /// The key that was presented.
    pub key_id: Option<String>,
    /// The first of the causes, or of what was noticed, by its stable name.
    pub hypothesis: Option<&'static str>,
    /// What was found out.
    #[serde(flatten)]
    pub explanation: Explanation,
    /// What the server said besides, in its own words.
    pub reason: Option<String>,
    /// What to do about it.
    pub help: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn word<S: Serializer>(outcome: &Outcome, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(outcome.as_str())
}

impl Report {
    /// Puts an outcome and an explanation together.
    #[must_use]
    pub fn new(outcome: Outcome, scheme: &str, key_id: Option<&str>, explanation: Explanation) -> Self {
        let seen = explanation.causes().iter().chain(explanation.noticed());
        let hypothesis = seen.clone().map(super::Cause::hypothesis).next();
        let mut help: Vec<_> = seen.map(|cause| cause.change().to_owned()).collect();
        if explanation.is_right() || help.is_empty() {
            help.extend(advice(outcome).map(str::to_owned));
        }
        let verdict = match outcome {
            outcome if outcome.is_ok() => "valid",
            Outcome::BadSignature => "mismatch",
            _ => "refused",
        };
        let key_id = key_id.map(str::to_owned);
        Self {
            verdict,
            outcome,
            scheme: scheme.to_owned(),
            key_id,
            hypothesis,
            explanation,
            reason: None,
            help,
        }
    }

    /// What the outcome means, in a few words.
    #[must_use]
    pub const fn headline(&self) -> &'static str {
        match self.outcome {
            Outcome::Ok => "the request is valid",
            Outcome::OkPreviousSecret => {
                "the request is valid, signed with a secret that a newer one has replaced"
            }
            Outcome::Missing => "the request carries no credentials of this scheme",
            Outcome::Malformed => "the credentials are not well-formed",
            Outcome::UnknownKey => "there is no such key",
            Outcome::Disabled => "the key, its account or its organization is switched off",
            Outcome::Expired => "the key, or the secret that was used, has passed its end",
            Outcome::Revoked => "the key was revoked",
            Outcome::NotYetValid => "the key is not valid yet",
            Outcome::BadSignature => "the signature does not match",
            Outcome::Stale => "the signed time lies too far back",
            Outcome::Future => "the signed time lies too far ahead",
            Outcome::Replayed => "the same request was seen before",
            Outcome::ReplayCapped => "too many requests wait to be remembered",
            Outcome::WrongOrganization => "the organization is not one that the key may act for",
            Outcome::Forbidden => "the caller may not do this",
            Outcome::BodyTooLarge => "the body is longer than the server accepts",
            Outcome::UnsupportedEncoding => "the body has a content encoding",
            Outcome::Timeout => "the body stopped arriving",
            Outcome::Overloaded => "the server holds too many unverified bytes",
            Outcome::StoreUnavailable => "the key store could not be asked",
            Outcome::Internal => "the server failed to verify the request",
        }
    }
}

/// What to do about an outcome, where the signature has nothing to do with it.
const fn advice(outcome: Outcome) -> Option<&'static str> {
    Some(match outcome {
        Outcome::Ok => return None,
        Outcome::OkPreviousSecret => "give the client the newest secret before the older one retires",
        Outcome::Missing => "is it the right scheme, and the right path? Proxies may drop headers",
        Outcome::Malformed => {
            "compare with the scheme's documentation; another method or path is opened by `--route`"
        }
        Outcome::UnknownKey => {
            "see `countersign keys list`, or create or import the key; a key belongs to one scheme"
        }
        Outcome::Disabled => {
            "see `countersign keys show`, `accounts show` and `orgs list`, and switch on what is off"
        }
        Outcome::Expired => {
            "see `countersign keys show`; move the end with `keys expire`, or rotate the secret"
        }
        Outcome::Revoked => "a revoked key stays revoked: create another",
        Outcome::NotYetValid => "see `countersign keys show` for the moment from which it is valid",
        Outcome::BadSignature => "compare the signature base with what the client signs",
        Outcome::Stale | Outcome::Future => {
            "compare the client's clock with the server's; `--now` and `--tolerance` judge a recorded request"
        }
        Outcome::WrongOrganization => {
            "see `countersign keys show` for the key's organization, and `orgs install` for apps"
        }
        Outcome::Forbidden => "see `countersign accounts show` and `keys show` for what they allow",
        Outcome::BodyTooLarge => "the layer takes 2 MiB unless it is told otherwise",
        Outcome::UnsupportedEncoding => "signed bodies are accepted without content encoding only",
        Outcome::StoreUnavailable => "check the database and the keyring: `countersign doctor`",
        _ => "see what the server logs for the same request",
    })
}

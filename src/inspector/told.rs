//! What is told of a refused request: of one that is signed, and of one with a read token.

use super::{READ_TOKEN, WORK};
use crate::{
    credential::KeyId,
    explain::{Case, Explanation, Report, explain_read_token, presented_read_tokens},
    middleware::Refused,
    outcome::Outcome,
    scheme::Scheme,
    store::{Found, KeyStore, Lookup, OpenedSecret},
};

pub(super) async fn of_read_token(keys: &dyn KeyStore, refused: &Refused) -> Report {
    let mut known = Vec::new();
    for hash in presented_read_tokens(&refused.head) {
        let found = match keys.find(Lookup::ReadToken { hash: &hash }) {
            Found::Ready(record) => record,
            Found::Pending(record) => record.await.ok().flatten(),
        };
        known.extend(found.map(|_| hash));
    }
    let key_id = refused.key_id.as_ref().map(KeyId::as_str);
    Report::new(refused.outcome, READ_TOKEN, key_id, explain_read_token(&refused.head, &known))
}

/// The key that a request names, by a scheme.
pub(super) fn named_key(scheme: &dyn Scheme, refused: &Refused) -> Option<KeyId> {
    let named = Case::new(scheme, &refused.head, b"").with_target(&refused.target).named_key()?;
    KeyId::new(&named).ok()
}

/// What is told of a signed request.
pub(super) fn report(
    scheme: &dyn Scheme,
    refused: &Refused,
    named: Option<&KeyId>,
    opened: Vec<OpenedSecret>,
    public_urls: &[String],
) -> Report {
    let body = refused.body.concat();
    let mut case = Case::new(scheme, &refused.head, &body).with_target(&refused.target).with_work(WORK);
    for url in public_urls {
        case = case.with_public_url(url);
    }
    for secret in opened {
        if let Some(named) = named {
            case = case.with_opened(named, secret);
        }
    }
    // Without a body that has arrived nothing can be proved, and what is said of it would mislead.
    let explanation = match is_whole(refused.outcome) {
        true => case.explain(),
        false => Explanation::default(),
    };
    Report::new(refused.outcome, scheme.name(), named.map(KeyId::as_str), explanation)
}

/// Whether a request was refused when all of it had arrived.
const fn is_whole(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::BadSignature
            | Outcome::UnknownKey
            | Outcome::Disabled
            | Outcome::Expired
            | Outcome::Revoked
            | Outcome::NotYetValid
            | Outcome::Stale
            | Outcome::Future
            | Outcome::WrongOrganization
    )
}

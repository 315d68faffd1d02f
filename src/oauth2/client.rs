//! Who a client is: the one comparison of a presented secret, and the same work for everybody.

use super::form::Presented;
use crate::{
    credential::{ClientSecret, OAuthClient, SecretHash, Standing},
    outcome::Outcome,
    store::{Found, KeyStore, Lookup, Record, StoreError},
};
use std::{iter::repeat_n, sync::Arc, time::SystemTime};

/// A client that proved who it is.
#[derive(Debug)]
pub(super) struct Authenticated {
    pub(super) client: Arc<OAuthClient>,
    /// Whether it used a secret that a newer one has replaced.
    pub(super) previous_secret: bool,
    pub(super) secret: i64,
}

/// Why nobody did, and of which client there is one.
pub(super) type Stranger = (Outcome, Option<Arc<OAuthClient>>);

/// How many secrets a client has at most, but for those that are written by hand.
const MOST_SECRETS: usize = 3;
/// Stands in for the secrets that a client lacks, also one that does not exist.
const NOBODY: SecretHash = SecretHash::from_bytes([0; 32]);

/// Finds the client whose secret was presented, unless it is nobody's or the client is not in force.
///
/// Each reading costs a look into the store, a hash and three comparisons, whether there is such a client or not, and
/// however many secrets it has.
pub(super) async fn authenticate(
    keys: &dyn KeyStore,
    readings: &[Presented],
    now: SystemTime,
) -> Result<Result<Authenticated, Stranger>, StoreError> {
    let mut verdict = Err((Outcome::UnknownKey, None));
    for reading in readings {
        let client = find(keys, &reading.client_id).await?;
        let secrets = client.as_ref().map_or(&[][..], |client| &client.secrets);
        let missing = repeat_n(NOBODY, MOST_SECRETS.saturating_sub(secrets.len()));
        let hashes = secrets.iter().map(|secret| secret.hash).chain(missing);
        let matched = SecretHash::of(reading.secret.expose()).find_in(hashes);
        let matched = matched.and_then(|index| secrets.get(index)).copied();
        let Some(client) = client else { continue };
        let judged = match matched {
            Some(secret) => judge(client, &secret, now),
            None => Err((Outcome::BadSignature, Some(client))),
        };
        // One reading is right at most; of those that are not, the one that got further says why.
        let got_further = !matches!(judged, Err((Outcome::BadSignature, _)));
        if verdict.is_err() && (got_further || matches!(verdict, Err((Outcome::UnknownKey, _)))) {
            verdict = judged;
        }
    }
    Ok(verdict)
}

async fn find(keys: &dyn KeyStore, client_id: &str) -> Result<Option<Arc<OAuthClient>>, StoreError> {
    // What cannot be a name is nobody's, and is looked up all the same.
    let record = match keys.find(Lookup::Client { client_id }) {
        Found::Ready(record) => record,
        Found::Pending(record) => record.await?,
    };
    Ok(match record {
        Some(Record::Client(client)) => Some(client),
        _ => None,
    })
}

fn judge(
    client: Arc<OAuthClient>,
    secret: &ClientSecret,
    now: SystemTime,
) -> Result<Authenticated, Stranger> {
    let outcome = match client.standing(now) {
        Standing::InForce if secret.is_live(now) => {
            let newest = client.secrets.iter().map(|secret| secret.number).max();
            let previous_secret = newest.is_some_and(|newest| secret.number < newest);
            return Ok(Authenticated { previous_secret, secret: secret.number, client });
        }
        Standing::InForce | Standing::Expired => Outcome::Expired,
        Standing::Disabled => Outcome::Disabled,
        Standing::NotYetValid => Outcome::NotYetValid,
        Standing::Revoked => Outcome::Revoked,
    };
    Err((outcome, Some(client)))
}

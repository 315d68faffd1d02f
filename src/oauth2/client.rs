//! Who a client is: the one comparison of a presented secret, and the same work for everybody.

use super::form::Presented;
use crate::{
    credential::{ClientSecret, OAuthClient, SecretHash, Standing},
    outcome::Outcome,
    store::{Found, KeyStore, Lookup, Record, StoreError},
};
use std::{sync::Arc, time::SystemTime};

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

/// Stands in for the secrets of a client that does not exist.
const NOBODY: [ClientSecret; 1] = [ClientSecret::new(0, SecretHash::from_bytes([0; 32]))];

/// Finds the client whose secret was presented, unless it is nobody's or the client is not in force.
///
/// Each reading costs a look into the store, a hash and a comparison, whether there is such a client or not.
pub(super) async fn authenticate(
    keys: &dyn KeyStore,
    readings: &[Presented],
    now: SystemTime,
) -> Result<Result<Authenticated, Stranger>, StoreError> {
    let mut verdict = Err((Outcome::UnknownKey, None));
    for reading in readings {
        let client = find(keys, &reading.client_id).await?;
        let hash = SecretHash::of(reading.secret.expose());
        let secrets = client.as_ref().map_or(&NOBODY[..], |client| &client.secrets);
        let matched = hash.find_in(secrets.iter().map(|secret| secret.hash)).map(|index| secrets[index]);
        let Some(client) = client else { continue };
        let judged = match matched {
            Some(secret) => judge(client, &secret, now),
            None => Err((Outcome::BadSignature, Some(client))),
        };
        // One reading is right at most; of those that are not, the one that got further says why.
        let got_further = !matches!(judged, Err((Outcome::BadSignature, _)));
        if got_further || matches!(verdict, Err((Outcome::UnknownKey, _))) {
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

//! OAuth clients, read tokens, and the keys that sign tokens.

use super::*;
use countersign::{
    credential::{OAuthClient, ReadToken, SecretHash, SigningKey, TokenAlgorithm, TokenKey, TokenKeys},
    store::{NewClient, NewReadToken, NewSigningKey, SecretRefused, Switch},
};
use std::{error::Error, sync::Arc};

pub(super) const FIRST: &str = "cfb4a1f1e2d34b0a9e8d7c6b5a493827";
const SECOND: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
const THIRD: &str = "11223344556677889900aabbccddeeff";
pub(super) const TOKEN: &str = "rat_5f3a9c0e7b1d2846a0c4e8f25b7d9136";

pub(super) fn new_client(client_id: &str) -> NewClient {
    NewClient::new(id(client_id), principal("ops"), secret(FIRST))
}

pub(super) fn new_token(name: &str, text: &str) -> NewReadToken {
    NewReadToken::new(id(name), principal("ops"), organization("acme"), secret(text))
}

/// A signing key whose halves are no keys: a store does not look into them.
pub(super) fn new_signing_key(kid: &str) -> NewSigningKey {
    let public = TokenKey::new(id(kid), TokenAlgorithm::Es256, kid.as_bytes());
    NewSigningKey::new(public, secret(&format!("the private half of {kid}")))
}

/// The account `ops` and the organization `acme`.
pub(super) async fn store_owners(store: &impl KeyAdmin) {
    store.create_organization(&organization("acme"), None).await.unwrap();
    store.create_account(&principal("ops"), Some(&organization("acme"))).await.unwrap();
}

pub(super) async fn find_client(store: &impl KeyStore, client_id: &str) -> Option<OAuthClient> {
    match ask(store, Lookup::Client { client_id }).await.unwrap() {
        Some(Record::Client(client)) => Some(Arc::unwrap_or_clone(client)),
        Some(other) => panic!("asked for a client, found {other:?}"),
        None => None,
    }
}

pub(super) async fn find_token(store: &impl KeyStore, text: &str) -> Option<ReadToken> {
    let hash = SecretHash::of(text.as_bytes());
    match ask(store, Lookup::ReadToken { hash: &hash }).await.unwrap() {
        Some(Record::ReadToken(token)) => Some(Arc::unwrap_or_clone(token)),
        Some(other) => panic!("asked for a read token, found {other:?}"),
        None => None,
    }
}

pub(super) async fn token_keys(store: &impl KeyStore) -> Option<TokenKeys> {
    match ask(store, Lookup::TokenKeys).await.unwrap() {
        Some(Record::TokenKeys(keys)) => Some(Arc::unwrap_or_clone(keys)),
        Some(other) => panic!("asked for public keys, found {other:?}"),
        None => None,
    }
}

pub(super) async fn signing_key(store: &impl KeyStore) -> Option<SigningKey> {
    match ask(store, Lookup::SigningKey).await.unwrap() {
        Some(Record::SigningKey(key)) => Some(Arc::unwrap_or_clone(key)),
        Some(other) => panic!("asked for a signing key, found {other:?}"),
        None => None,
    }
}

/// The number of the secret that a client knows a text by.
fn number(client: &OAuthClient, text: &str) -> Option<i64> {
    client.secret(&SecretHash::of(text.as_bytes())).map(|found| found.number)
}

pub(super) async fn a_client_is_found_as_it_was_stored(bench: &impl Bench) {
    let store = bench.store();
    store_owners(store).await;
    let mut new = new_client("5B0F4C");
    new.organization = Some(organization("acme"));
    new.permissions = Some(permissions("sites:read"));
    new.expires_at = Some(at(NOW + 10));
    new.comment = Some("the meters in the north".to_owned());
    store.create_client(&new).await.unwrap();

    let found = find_client(store, "5B0F4C").await.unwrap();
    assert_eq!(found.client_id, id("5B0F4C"));
    assert_eq!((&found.principal, &found.organization), (&new.principal, &new.organization));
    assert_eq!(found.permissions, permissions("sites:read"));
    assert_eq!(found.standing(at(NOW + 9)), Standing::InForce);
    assert_eq!(found.standing(at(NOW + 10)), Standing::Expired);
    assert_eq!((number(&found, FIRST), number(&found, SECOND)), (Some(1), None));
    for other in ["5b0f4c", "5B0F4C ", "", "*", "' OR '1'='1", "5B0F4C\0", &"x".repeat(10_000)] {
        assert!(find_client(store, other).await.is_none(), "{other:?}");
    }

    let held = found.revision;
    store.set_client_permissions(&id("5B0F4C"), None).await.unwrap();
    let found = find_client(store, "5B0F4C").await.unwrap();
    assert!(found.permissions == Permissions::all() && found.revision > held);
    store.set_client_permissions(&id("5B0F4C"), new.permissions.as_ref()).await.unwrap();
    assert_eq!(find_client(store, "5B0F4C").await.unwrap().permissions, permissions("sites:read"));

    let shown = store.client(&id("5B0F4C")).await.unwrap();
    assert_eq!((&shown.principal, &shown.organization), (&new.principal, &new.organization));
    assert_eq!((&shown.permissions, &shown.comment), (&new.permissions, &new.comment));
    assert_eq!((shown.state, shown.demo), (CredentialState::Active, false));
    assert_eq!((shown.expires_at, shown.created_at), (new.expires_at, at(NOW)));
    assert_eq!(shown.secrets.len(), 1);
    let hash = SecretHash::of(FIRST.as_bytes());
    assert_eq!(shown.secrets[0].fingerprint, hex::encode(&hash.as_bytes()[..4]));
    assert_eq!((shown.secrets[0].number, shown.secrets[0].created_at), (1, at(NOW)));
    let listed = store.clients().await.unwrap();
    assert!(!format!("{found:?} {listed:?} {new:?}").contains(FIRST));
}

pub(super) async fn a_client_that_breaks_a_rule_is_refused(bench: &impl Bench) {
    let store = bench.store();
    store_owners(store).await;
    for (text, expected) in [
        ("only-twenty-one-of-it", SecretRefused::ShortToken { length: 21 }),
        ("twenty-three letters it", SecretRefused::NotVisible),
    ] {
        let mut new = new_client("a");
        new.secret = secret(text);
        let error = store.create_client(&new).await.unwrap_err();
        assert_eq!(error.kind(), AdminErrorKind::Invalid);
        assert_eq!(error.source().unwrap().downcast_ref(), Some(&expected));
        let error = store.create_read_token(&new_token("a", text)).await.unwrap_err();
        assert_eq!(error.source().unwrap().downcast_ref(), Some(&expected));
    }
    for client_id in ["a:b", "a b", "ä"] {
        assert_eq!(kind(store.create_client(&new_client(client_id)).await), AdminErrorKind::Invalid);
    }
    let mut key = new_signing_key("k");
    (key.public.not_before, key.public.retires_at) = (Some(at(NOW)), Some(at(NOW)));
    assert_eq!(kind(store.add_signing_key(&key).await), AdminErrorKind::Invalid);
    assert!(store.clients().await.unwrap().is_empty());
    assert!(store.read_tokens().await.unwrap().is_empty());
    assert!(store.signing_keys().await.unwrap().is_empty());
}

pub(super) async fn a_client_keeps_its_older_secrets_for_a_while(bench: &impl Bench) {
    let store = bench.store();
    store_owners(store).await;
    store.create_client(&new_client("a")).await.unwrap();
    let rotate = async |text: &str, seconds| {
        store.rotate_client(&id("a"), &secret(text), Duration::from_secs(seconds)).await
    };
    assert_eq!(rotate(SECOND, 100).await.unwrap(), 2);
    let found = find_client(store, "a").await.unwrap();
    assert_eq!((number(&found, FIRST), number(&found, SECOND)), (Some(1), Some(2)));
    let ends: Vec<_> = found.secrets.iter().map(|one| (one.number, one.retires_at)).collect();
    assert_eq!(ends, [(2, None), (1, Some(at(NOW + 100)))], "newest first");

    assert_eq!(rotate(THIRD, 200).await.unwrap(), 3);
    let shown = store.client(&id("a")).await.unwrap();
    let ends: Vec<_> = shown.secrets.iter().map(|one| one.retires_at).collect();
    assert_eq!(ends, [None, Some(at(NOW + 200)), Some(at(NOW + 100))], "none is put off");
    assert_eq!(kind(rotate("one more than three secrets", 1).await), AdminErrorKind::Invalid);
    assert_eq!(kind(rotate("too short", 1).await), AdminErrorKind::Invalid);

    let last = "nobody else knows this secret".replace(' ', "-");
    assert_eq!(rotate(&last, 0).await.unwrap(), 4, "at once, after a leak");
    let found = find_client(store, "a").await.unwrap();
    assert_eq!(found.secrets.len(), 1);
    assert_eq!((number(&found, THIRD), number(&found, &last)), (None, Some(4)));
    assert_eq!(store.client(&id("a")).await.unwrap().secrets.len(), 4, "the list keeps them all");
}

pub(super) async fn a_revoked_client_stays_revoked(bench: &impl Bench) {
    let store = bench.store();
    store_owners(store).await;
    store.create_client(&new_client("a")).await.unwrap();
    let standing = async || find_client(store, "a").await.unwrap().standing(at(NOW));
    for (state, expected) in [
        (CredentialState::Disabled, Standing::Disabled),
        (CredentialState::Active, Standing::InForce),
        (CredentialState::Revoked, Standing::Revoked),
        (CredentialState::Revoked, Standing::Revoked),
    ] {
        store.set_client_state(&id("a"), state).await.unwrap();
        assert_eq!(standing().await, expected);
    }
    for state in [CredentialState::Disabled, CredentialState::Active] {
        assert_eq!(kind(store.set_client_state(&id("a"), state).await), AdminErrorKind::Invalid);
    }
    let rotated = store.rotate_client(&id("a"), &secret(SECOND), Duration::ZERO).await;
    assert_eq!(kind(rotated), AdminErrorKind::Invalid);
    assert_eq!(standing().await, Standing::Revoked);
    assert_eq!(kind(store.create_client(&new_client("a")).await), AdminErrorKind::Exists);
}

pub(super) async fn a_read_token_is_found_by_its_hash_alone(bench: &impl Bench) {
    let store = bench.store();
    store_owners(store).await;
    let mut new = new_token("reports", TOKEN);
    new.permissions = Some(permissions("titles:*"));
    new.expires_at = Some(at(NOW + 10));
    new.comment = Some("for the monthly report".to_owned());
    store.create_read_token(&new).await.unwrap();

    let found = find_token(store, TOKEN).await.unwrap();
    assert_eq!((&found.id, &found.principal), (&id("reports"), &principal("ops")));
    assert_eq!(found.organization, organization("acme"));
    assert_eq!(found.permissions, permissions("titles:*"));
    assert_eq!(found.standing(at(NOW)), Standing::InForce);
    assert_eq!(found.standing(at(NOW + 10)), Standing::Expired);
    assert!(find_token(store, "reports").await.is_none());
    assert!(find_token(store, &TOKEN.to_uppercase()).await.is_none());

    let listed = store.read_tokens().await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0].id, &*listed[0].hint), (&new.id, "rat_…9136"));
    assert_eq!((&listed[0].permissions, &listed[0].comment), (&new.permissions, &new.comment));
    assert_eq!((listed[0].expires_at, listed[0].created_at), (new.expires_at, at(NOW)));
    assert!(!format!("{found:?} {listed:?} {new:?}").contains(TOKEN));

    let before = found.revision;
    for _ in 0..2 {
        store.revoke_read_token(&id("reports")).await.unwrap();
        let found = find_token(store, TOKEN).await.unwrap();
        assert_eq!(found.standing(at(NOW)), Standing::Revoked);
        assert!(found.revision > before);
    }
    assert_eq!(store.read_tokens().await.unwrap()[0].state, CredentialState::Revoked);
}

pub(super) async fn owners_limit_clients_and_read_tokens(bench: &impl Bench) {
    let store = bench.store();
    store_owners(store).await;
    store.create_client(&new_client("a")).await.unwrap();
    store.create_read_token(&new_token("reports", TOKEN)).await.unwrap();
    let both = async || {
        let (client, token) =
            (find_client(store, "a").await.unwrap(), find_token(store, TOKEN).await.unwrap());
        let revisions = client.revision + token.revision;
        assert_eq!(client.permissions, token.permissions);
        assert_eq!(client.standing(at(NOW)), token.standing(at(NOW)));
        (client.permissions.to_string(), client.standing(at(NOW)), revisions)
    };
    let (_, _, mut last) = both().await;
    let mut after = async |words: &str, standing: Standing| {
        let (permissions, stands, now) = both().await;
        assert_eq!((&*permissions, stands), (words, standing));
        assert!(now > last + 1, "both revisions rise");
        last = now;
    };
    store.set_permissions(&principal("ops"), &permissions("titles:read")).await.unwrap();
    after("titles:read", Standing::InForce).await;
    store.switch_account(&principal("ops"), Switch::Off).await.unwrap();
    after("titles:read", Standing::Disabled).await;
    store.switch_account(&principal("ops"), Switch::On).await.unwrap();
    after("titles:read", Standing::InForce).await;
    store.switch_organization(&organization("acme"), Switch::Off).await.unwrap();
    after("titles:read", Standing::Disabled).await;
}

pub(super) async fn of_the_keys_that_may_sign_the_newest_does(bench: &impl Bench) {
    let store = bench.store();
    assert!(token_keys(store).await.is_none() && signing_key(store).await.is_none());
    store.add_signing_key(&new_signing_key("one")).await.unwrap();
    let found = signing_key(store).await.unwrap();
    assert_eq!(found.public.kid, id("one"));
    assert_eq!(found.public.algorithm, TokenAlgorithm::Es256);
    assert_eq!(&*found.public.public_key, b"one");
    assert_eq!(found.private_key.expose(), b"the private half of one");
    assert!(!format!("{found:?}").contains("private half of one"));

    // A key that signs later is published before.
    let mut later = new_signing_key("later");
    later.public.not_before = Some(at(NOW + 10));
    store.add_signing_key(&later).await.unwrap();
    assert_eq!(signing_key(store).await.unwrap().public.kid, id("one"));
    let known = token_keys(store).await.unwrap();
    assert_eq!(known.revision, signing_key(store).await.unwrap().revision);
    let kids: Vec<_> = known.keys.iter().map(|key| key.kid.as_str()).collect();
    assert_eq!(kids, ["later", "one"]);
    assert!(known.keys[0].is_live(at(NOW)) && !known.keys[0].may_sign(at(NOW)));

    store.add_signing_key(&new_signing_key("two")).await.unwrap();
    assert_eq!(signing_key(store).await.unwrap().public.kid, id("two"));
    assert!(token_keys(store).await.unwrap().revision > known.revision);
    let listed = store.signing_keys().await.unwrap();
    let kids: Vec<_> = listed.iter().map(|key| key.public.kid.as_str()).collect();
    assert_eq!(kids, ["two", "later", "one"]);
    assert_eq!(listed[1].public.not_before, Some(at(NOW + 10)));
    assert_eq!(listed[0].created_at, at(NOW));
}

pub(super) async fn a_signing_key_retires_and_stays_so(bench: &impl Bench) {
    let store = bench.store();
    store.add_signing_key(&new_signing_key("one")).await.unwrap();
    store.add_signing_key(&new_signing_key("two")).await.unwrap();
    let before = token_keys(store).await.unwrap().revision;

    store.retire_signing_key(&id("two"), at(NOW + 10)).await.unwrap();
    let known = token_keys(store).await.unwrap();
    assert_eq!(known.keys[0].retires_at, Some(at(NOW + 10)));
    assert!(known.revision > before);
    assert_eq!(signing_key(store).await.unwrap().public.kid, id("two"), "until then it signs");
    let put_off = store.retire_signing_key(&id("two"), at(NOW + 11)).await;
    assert_eq!(kind(put_off), AdminErrorKind::Invalid);

    store.retire_signing_key(&id("two"), at(NOW)).await.unwrap();
    assert_eq!(signing_key(store).await.unwrap().public.kid, id("one"));
    let after = token_keys(store).await.unwrap();
    assert_eq!(after.keys.len(), 1);
    assert!(after.revision > known.revision, "the set changes with a key that is gone from it");
    store.retire_signing_key(&id("one"), at(NOW)).await.unwrap();
    assert!(token_keys(store).await.is_none() && signing_key(store).await.is_none());
    assert_eq!(kind(store.add_signing_key(&new_signing_key("one")).await), AdminErrorKind::Exists);
}

pub(super) async fn a_token_of_nobody_is_named(bench: &impl Bench) {
    let store = bench.store();
    let missing = |result: Result<(), AdminError>, what: &str| {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), AdminErrorKind::NotFound);
        assert_eq!(error.to_string(), format!("there is no such {what}"));
    };
    missing(store.create_client(&new_client("a")).await, "account");
    missing(store.create_read_token(&new_token("a", TOKEN)).await, "organization");
    store.create_organization(&organization("acme"), None).await.unwrap();
    missing(store.create_read_token(&new_token("a", TOKEN)).await, "account");
    store.create_account(&principal("ops"), None).await.unwrap();
    let mut new = new_client("a");
    new.organization = Some(organization("nowhere"));
    missing(store.create_client(&new).await, "organization");
    missing(store.client(&id("a")).await.map(drop), "client");
    missing(store.set_client_state(&id("a"), CredentialState::Revoked).await, "client");
    missing(store.set_client_permissions(&id("a"), None).await, "client");
    missing(store.rotate_client(&id("a"), &secret(FIRST), Duration::ZERO).await.map(drop), "client");
    missing(store.revoke_read_token(&id("a")).await, "read token");
    missing(store.retire_signing_key(&id("a"), at(NOW)).await, "signing key");
    assert!(find_client(store, "a").await.is_none() && find_token(store, TOKEN).await.is_none());
}

pub(super) async fn no_client_or_token_is_made_again(bench: &impl Bench) {
    let store = bench.store();
    store_owners(store).await;
    store.create_client(&new_client("a")).await.unwrap();
    let mut again = new_client("a");
    again.secret = secret(SECOND);
    assert_eq!(kind(store.create_client(&again).await), AdminErrorKind::Exists);
    assert_eq!(number(&find_client(store, "a").await.unwrap(), FIRST), Some(1));

    store.create_read_token(&new_token("reports", TOKEN)).await.unwrap();
    for (name, text) in [("reports", SECOND), ("other", TOKEN)] {
        assert_eq!(kind(store.create_read_token(&new_token(name, text)).await), AdminErrorKind::Exists);
    }
    for name in ["b", "B", "é"] {
        store.create_client(&new_client(&name.replace('é', "a-"))).await.unwrap();
        let text = format!("{TOKEN}{}", hex::encode(name));
        store.create_read_token(&new_token(name, &text)).await.unwrap();
    }
    let names: Vec<_> = store.read_tokens().await.unwrap().into_iter().map(|row| row.id).collect();
    assert_eq!(names, [id("B"), id("b"), id("reports"), id("é")]);
    let names: Vec<_> = store.clients().await.unwrap().into_iter().map(|row| row.client_id).collect();
    assert_eq!(names, [id("B"), id("a"), id("a-"), id("b")]);

    store.add_signing_key(&new_signing_key("one")).await.unwrap();
    assert_eq!(kind(store.add_signing_key(&new_signing_key("one")).await), AdminErrorKind::Exists);
    assert_eq!(store.signing_keys().await.unwrap().len(), 1);
}

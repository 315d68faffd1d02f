//! What becomes of a key after it was made: every state, every way from one to another, and those that are closed.

use super::*;
use countersign::store::{
    AdminError, AdminErrorKind, By, ChangeRefused, Limit, Overlap, Rotation, SecretRefused, Use,
};
use std::error::Error as _;

const SECOND: &str = "the second secret of the key";
const THIRD: &str = "the third secret of the key";
const DAY: u64 = 86_400;

pub(super) fn by() -> By {
    By::new("ada").because("a test")
}

pub(super) fn rotation(text: &str, overlap: Overlap) -> Rotation {
    Rotation::new(secret(text), overlap)
}

fn day() -> Overlap {
    Overlap::lasting(Duration::from_secs(DAY)).unwrap()
}

/// Why a change was refused.
#[track_caller]
fn reason<T: fmt::Debug>(result: Result<T, AdminError>) -> ChangeRefused {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), AdminErrorKind::Invalid, "{error:?}");
    *error.source().unwrap().downcast_ref().unwrap()
}

async fn standing(store: &impl KeyStore, seconds: u64) -> Standing {
    find(store, "ateliere", "pk_1").await.unwrap().standing(at(seconds))
}

pub(super) async fn a_new_secret_works_beside_the_old_one_for_a_while(bench: &impl Bench) {
    let store = bench.store();
    store_key(store, "ateliere", "pk_1").await;
    let before = find(store, "ateliere", "pk_1").await.unwrap().revision;
    let rotated = store.rotate("ateliere", &id("pk_1"), &rotation(SECOND, day()), &by()).await.unwrap();
    assert_eq!((rotated.number, rotated.older_retire_at), (2, at(NOW + DAY)));

    let found = find(store, "ateliere", "pk_1").await.unwrap();
    assert!(found.revision > before);
    assert_eq!(marks(&found), [mark_of(SECOND), mark_of(SECRET)], "newest first");
    let ends: Vec<_> = found.secrets.iter().map(|version| version.retires_at).collect();
    assert_eq!(ends, [None, Some(at(NOW + DAY))]);
    let shown = store.credential("ateliere", &id("pk_1")).await.unwrap();
    let print = |text| countersign::store::fingerprint("ateliere", &id("pk_1"), &secret(text));
    let prints: Vec<_> = shown.secrets.iter().map(|secret| secret.fingerprint.clone()).collect();
    assert_eq!(prints, [print(SECOND), print(SECRET)]);

    // An end that comes earlier stays.
    let week = rotation(THIRD, Overlap::LONGEST);
    assert_eq!(store.rotate("ateliere", &id("pk_1"), &week, &by()).await.unwrap().number, 3);
    let found = find(store, "ateliere", "pk_1").await.unwrap();
    let ends: Vec<_> = found.secrets.iter().map(|version| version.retires_at).collect();
    assert_eq!(ends, [None, Some(at(NOW + 7 * DAY)), Some(at(NOW + DAY))]);
}

pub(super) async fn a_leaked_secret_stops_at_once(bench: &impl Bench) {
    let store = bench.store();
    store_key(store, "ateliere", "pk_1").await;
    for (text, overlap) in [(SECOND, day()), (THIRD, Overlap::NONE)] {
        store.rotate("ateliere", &id("pk_1"), &rotation(text, overlap), &by()).await.unwrap();
    }
    assert_eq!(marks(&find(store, "ateliere", "pk_1").await.unwrap()), [mark_of(THIRD)]);
    let shown = store.credential("ateliere", &id("pk_1")).await.unwrap();
    assert_eq!(shown.secrets.len(), 3, "the list keeps what has retired");
}

pub(super) async fn no_more_than_three_secrets_live_at_a_time(bench: &impl Bench) {
    let store = bench.store();
    store_key(store, "ateliere", "pk_1").await;
    for text in [SECOND, THIRD] {
        store.rotate("ateliere", &id("pk_1"), &rotation(text, day()), &by()).await.unwrap();
    }
    let fourth = rotation("the fourth secret of the key", day());
    let refused = store.rotate("ateliere", &id("pk_1"), &fourth, &by()).await;
    assert_eq!(reason(refused), ChangeRefused::ManySecrets { possible_at: Some(at(NOW + DAY)) });
    assert_eq!(marks(&find(store, "ateliere", "pk_1").await.unwrap()).len(), 3, "nothing was changed");

    let at_once = rotation("the fourth secret of the key", Overlap::NONE);
    assert_eq!(store.rotate("ateliere", &id("pk_1"), &at_once, &by()).await.unwrap().number, 4);
    assert_eq!(marks(&find(store, "ateliere", "pk_1").await.unwrap()).len(), 1);
}

pub(super) async fn a_rotation_obeys_the_rules_for_secrets(bench: &impl Bench) {
    let store = bench.store();
    store_key(store, "ateliere", "pk_1").await;
    let missing = store.rotate("ateliere", &id("pk_2"), &rotation(SECOND, day()), &by()).await;
    assert_eq!(missing.unwrap_err().to_string(), "there is no such key");
    let mut weak = rotation("short", day());
    let refused = store.rotate("ateliere", &id("pk_1"), &weak, &by()).await.unwrap_err();
    let short = SecretRefused::Short { length: 5 };
    assert_eq!(refused.source().unwrap().downcast_ref::<SecretRefused>(), Some(&short));
    weak.allow_weak = true;
    store.rotate("ateliere", &id("pk_1"), &weak, &by()).await.unwrap();
    assert_eq!(Overlap::lasting(Duration::from_secs(7 * DAY + 1)), Err(ChangeRefused::LongOverlap));
}

pub(super) async fn a_key_is_switched_off_and_on(bench: &impl Bench) {
    let (store, key) = (bench.store(), id("pk_1"));
    store_key(store, "ateliere", "pk_1").await;
    for _ in 0..2 {
        store.disable("ateliere", &key, &by()).await.unwrap();
        assert_eq!(standing(store, NOW).await, Standing::Disabled);
    }
    // A key that is off can still be given a new secret.
    store.rotate("ateliere", &key, &rotation(SECOND, day()), &by()).await.unwrap();
    for _ in 0..2 {
        store.enable("ateliere", &key, &by()).await.unwrap();
        assert_eq!(standing(store, NOW).await, Standing::InForce);
    }
    for change in [
        store.disable("ateliere", &id("pk_2"), &by()).await,
        store.enable("corezoid", &key, &by()).await,
        store.revoke("ateliere", &id("pk_2"), &by()).await,
        store.set_limit("ateliere", &id("pk_2"), Limit::ExpiresAt(None), &by()).await,
    ] {
        assert_eq!(change.unwrap_err().to_string(), "there is no such key");
    }
}

pub(super) async fn revoked_is_for_ever(bench: &impl Bench) {
    let (store, key) = (bench.store(), id("pk_1"));
    for from in [CredentialState::Active, CredentialState::Disabled] {
        let key = id(&format!("pk_{}", from.as_str()));
        store_key(store, "ateliere", key.as_str()).await;
        store.set_state("ateliere", &key, from, &by()).await.unwrap();
        store.revoke("ateliere", &key, &by()).await.unwrap();
    }
    store_key(store, "ateliere", "pk_1").await;
    for _ in 0..2 {
        store.revoke("ateliere", &key, &by()).await.unwrap();
        assert_eq!(standing(store, NOW).await, Standing::Revoked);
    }
    for change in [
        store.enable("ateliere", &key, &by()).await,
        store.disable("ateliere", &key, &by()).await,
        store.set_limit("ateliere", &key, Limit::ExpiresAt(None), &by()).await,
        store.set_limit("ateliere", &key, Limit::NotBefore(None), &by()).await,
        store.rotate("ateliere", &key, &rotation(SECOND, Overlap::NONE), &by()).await.map(drop),
    ] {
        assert_eq!(reason(change), ChangeRefused::Revoked);
    }
    assert_eq!(standing(store, NOW).await, Standing::Revoked);
    let again = store.create_credential(&new_key("ateliere", "pk_1")).await.unwrap_err();
    assert_eq!(again.kind(), AdminErrorKind::Exists, "its id is never given to another");
    assert_eq!(store.credential("ateliere", &key).await.unwrap().state, CredentialState::Revoked);
}

pub(super) async fn a_key_has_limits_in_time(bench: &impl Bench) {
    let (store, key) = (bench.store(), id("pk_1"));
    store_key(store, "ateliere", "pk_1").await;
    let set = async |limit| store.set_limit("ateliere", &key, limit, &by()).await;
    set(Limit::ExpiresAt(Some(at(NOW + 20)))).await.unwrap();
    set(Limit::NotBefore(Some(at(NOW + 10)))).await.unwrap();
    for (seconds, expected) in [(9, Standing::NotYetValid), (10, Standing::InForce), (20, Standing::Expired)]
    {
        assert_eq!(standing(store, NOW + seconds).await, expected);
    }
    let backwards = [Limit::ExpiresAt(Some(at(NOW + 10))), Limit::NotBefore(Some(at(NOW + 20)))];
    for limit in backwards {
        assert_eq!(reason(set(limit).await), ChangeRefused::EndBeforeBeginning);
    }
    set(Limit::NotBefore(None)).await.unwrap();
    set(Limit::ExpiresAt(None)).await.unwrap();
    for seconds in [0, NOW, NOW + 1_000_000] {
        assert_eq!(standing(store, seconds).await, Standing::InForce);
    }
    // What has expired can be given more time: nobody said that it is over.
    set(Limit::ExpiresAt(Some(at(NOW - 1)))).await.unwrap();
    assert_eq!(standing(store, NOW).await, Standing::Expired);
    set(Limit::ExpiresAt(Some(at(NOW + 1)))).await.unwrap();
    assert_eq!(standing(store, NOW).await, Standing::InForce);
}

pub(super) async fn the_last_use_of_each_secret_is_known(bench: &impl Bench) {
    let (store, key) = (bench.store(), id("pk_1"));
    store_key(store, "ateliere", "pk_1").await;
    let unused = store.credential("ateliere", &key).await.unwrap();
    assert_eq!((unused.last_used_at, unused.secrets[0].last_used_at), (None, None));
    store.rotate("ateliere", &key, &rotation(SECOND, day()), &by()).await.unwrap();
    let before = find(store, "ateliere", "pk_1").await.unwrap().revision;
    let used = |key_id: &str, number, seconds| Use::new("ateliere", id(key_id), number, at(seconds));
    let uses =
        [used("pk_1", 1, NOW + 60), used("pk_1", 2, NOW + 30), used("pk_1", 9, NOW), used("pk_9", 1, NOW)];
    store.note_uses(&uses).await.unwrap();
    store.note_uses(&[used("pk_1", 1, NOW + 59)]).await.unwrap();
    let shown = store.credential("ateliere", &key).await.unwrap();
    let last: Vec<_> = shown.secrets.iter().map(|secret| secret.last_used_at).collect();
    assert_eq!(last, [Some(at(NOW + 30)), Some(at(NOW + 60))], "the later one stays");
    assert_eq!(shown.last_used_at, Some(at(NOW + 60)));
    assert_eq!(find(store, "ateliere", "pk_1").await.unwrap().revision, before, "use is no change");
}

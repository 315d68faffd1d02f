//! What holds in a database whoever writes to it: states, times, revisions, and secrets that stay in their rows.

use super::*;
use countersign::{
    envelope::{Keyring, Place, Sealed},
    store::{AuditLog, KeyCensus, RefusalLog, StoreError, Upkeep, UsageLog},
};
use std::{error::Error, sync::Arc};

/// A store in a database, with the door that an operator has beside it: plain SQL.
pub(super) trait SqlBench:
    Bench<Store: AuditLog + KeyCensus + RefusalLog + Upkeep + UsageLog>
{
    fn clock(&self) -> &ManualClock;

    /// Opens a store over the same database with another keyring.
    async fn open_with(&self, keyring: Keyring) -> Result<Self::Store, StoreError>;

    /// Executes a statement and says how many rows it touched.
    async fn execute(&self, sql: &str) -> Result<u64, sqlx::Error>;

    /// Executes several statements.
    async fn execute_all(&self, sql: &str);

    /// The record of secret 1 of a key.
    async fn record(&self, key_id: &str) -> Vec<u8>;

    /// Puts another record in the place of secret 1 of a key.
    async fn set_record(&self, key_id: &str, record: &[u8]);

    /// Adds a secret version to a key of `ateliere`.
    async fn add_secret(&self, key_id: &str, number: i64, sealed: Sealed, retires_at: Option<i64>);
}

/// The keyring that a store under test is opened with.
pub(super) fn keyring() -> Keyring {
    Keyring::generate([7; 32])
}

/// An error and all its causes, as a person would read them.
pub(super) fn chain(error: &StoreError) -> String {
    let causes = iter::successors(Some(error as &dyn Error), |&cause| cause.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

async fn standing(bench: &impl SqlBench) -> Standing {
    find(bench.store(), "ateliere", "pk_1").await.unwrap().standing(at(NOW))
}

/// A key of an organization, owned by an account of another.
async fn store_owned_key(bench: &impl SqlBench) {
    let store = bench.store();
    for name in ["acme", "globex"] {
        store.create_organization(&organization(name), None).await.unwrap();
    }
    store.create_account(&principal("ops"), Some(&organization("globex"))).await.unwrap();
    let mut new = new_key("ateliere", "pk_1");
    new.organization = Some(organization("acme"));
    store.create_credential(&new).await.unwrap();
}

pub(super) async fn what_an_operator_switches_off_is_off(bench: &impl SqlBench) {
    store_owned_key(bench).await;
    for place in [
        "credentials SET state = '{}' WHERE scheme = 'ateliere' AND key_id = 'pk_1'",
        "accounts SET state = '{}' WHERE id = 'ops'",
        "organizations SET state = '{}' WHERE id = 'acme'",
        "organizations SET state = '{}' WHERE id = 'globex'",
    ] {
        let update = |state| format!("UPDATE {}", place.replace("{}", state));
        assert_eq!(standing(bench).await, Standing::InForce);
        assert_eq!(bench.execute(&update("disabled")).await.unwrap(), 1);
        assert_eq!(standing(bench).await, Standing::Disabled, "{place}");
        let found = find(bench.store(), "ateliere", "pk_1").await.unwrap();
        assert_eq!(marks(&found), [mark_of(SECRET)], "its signatures still tell who asks");
        assert_eq!(bench.execute(&update("active")).await.unwrap(), 1);
    }
    bench.execute("UPDATE organizations SET state = 'disabled' WHERE id = 'acme'").await.unwrap();
    bench.execute("UPDATE accounts SET state = 'disabled'").await.unwrap();
    let listed = bench.store().organizations().await.unwrap();
    assert_eq!(listed.iter().map(|row| row.disabled).collect::<Vec<_>>(), [true, false]);
    assert!(bench.store().accounts().await.unwrap()[0].disabled);
    let shown = bench.store().credential("ateliere", &id("pk_1")).await.unwrap();
    assert_eq!(shown.state, CredentialState::Active, "the list tells what was said about the key itself");
}

pub(super) async fn a_disabled_organization_has_no_installations(bench: &impl SqlBench) {
    store_owned_key(bench).await;
    bench.store().install("ateliere", &id("pk_1"), &organization("globex")).await.unwrap();
    assert!(find_installation(bench.store(), "ateliere", "pk_1", "globex").await.is_some());
    bench.execute("UPDATE organizations SET state = 'disabled' WHERE id = 'globex'").await.unwrap();
    assert!(find_installation(bench.store(), "ateliere", "pk_1", "globex").await.is_none());
}

pub(super) async fn a_revoked_credential_stays_revoked(bench: &impl SqlBench) {
    store_owned_key(bench).await;
    bench.execute("UPDATE credentials SET state = 'revoked'").await.unwrap();
    assert_eq!(standing(bench).await, Standing::Revoked);
    for state in ["active", "disabled"] {
        let update = format!("UPDATE credentials SET state = '{state}'");
        let refused = bench.execute(&update).await.unwrap_err();
        assert!(refused.to_string().contains("stays revoked"), "{refused}");
    }
    // It says so whatever else is off.
    bench.execute("UPDATE accounts SET state = 'disabled'").await.unwrap();
    assert_eq!(standing(bench).await, Standing::Revoked);
}

pub(super) async fn names_are_never_given_out_again(bench: &impl SqlBench) {
    store_owned_key(bench).await;
    for statement in [
        "DELETE FROM credentials",
        "DELETE FROM accounts",
        "DELETE FROM organizations",
        "DELETE FROM secret_versions",
        "UPDATE credentials SET key_id = 'pk_2'",
        "UPDATE credentials SET scheme = 'corezoid'",
        "UPDATE credentials SET algorithm = 'sandwich-sha1'",
        "UPDATE accounts SET id = 'root'",
        "UPDATE organizations SET id = 'initech' WHERE id = 'acme'",
        "UPDATE secret_versions SET key_id = 'pk_2'",
        "UPDATE secret_versions SET number = 2",
    ] {
        assert!(bench.execute(statement).await.is_err(), "{statement}");
    }
    bench.execute("UPDATE credentials SET state = 'revoked'").await.unwrap();
    let again = bench.store().create_credential(&new_key("ateliere", "pk_1")).await.unwrap_err();
    assert_eq!(again.to_string(), "there is already such a key id");
}

pub(super) async fn every_change_raises_the_revision(bench: &impl SqlBench) {
    store_owned_key(bench).await;
    let revision = async || find(bench.store(), "ateliere", "pk_1").await.unwrap().revision;
    let mut last = revision().await;
    for change in [
        "UPDATE credentials SET expires_at = 1800000000",
        "UPDATE credentials SET not_before = 1600000000",
        "UPDATE credentials SET organization = 'globex'",
        "UPDATE credentials SET public_key = '849015eb'",
        "UPDATE credentials SET permissions = 'sites:*'",
        "UPDATE credentials SET state = 'disabled'",
        "UPDATE credentials SET state = 'active', revision = revision + 5",
        "UPDATE accounts SET state = 'disabled'",
        "UPDATE accounts SET organization = 'acme'",
        "UPDATE accounts SET permissions = 'sites:read'",
        "UPDATE organizations SET state = 'disabled' WHERE id = 'acme'",
        "UPDATE organizations SET state = 'disabled' WHERE id = 'globex'",
        "UPDATE secret_versions SET retires_at = 1700000001",
    ] {
        bench.execute(change).await.unwrap();
        let now = revision().await;
        assert!(now > last, "{change}: {now} after {last}");
        last = now;
    }
    bench.execute("UPDATE credentials SET last_used_at = 1700000000").await.unwrap();
    assert_eq!(revision().await, last, "use is no change");
    for lower in ["UPDATE credentials SET revision = 1", "UPDATE credentials SET revision = revision"] {
        assert!(bench.execute(lower).await.is_err(), "{lower}");
    }
}

pub(super) async fn a_retired_secret_is_not_loaded(bench: &impl SqlBench) {
    let store = bench.store();
    store_key(store, "ateliere", "pk_1").await;
    bench.execute("UPDATE secret_versions SET retires_at = 1700000010").await.unwrap();
    let add = async |number: i64, text: &str, retires_at| {
        let place = Place { scheme: "ateliere", key_id: "pk_1", number };
        let sealed = keyring().seal(place, &secret(text), [0x40; 12]);
        bench.add_secret("pk_1", number, sealed, retires_at).await;
    };
    add(2, "the second secret", Some(1_700_000_000)).await;
    add(3, "the third secret", Some(1_700_000_020)).await;
    add(10, "the tenth secret", None).await;

    let numbers = async || -> Vec<i64> {
        let found = find(store, "ateliere", "pk_1").await.unwrap();
        found.secrets.iter().map(|version| version.number).collect()
    };
    assert_eq!(numbers().await, [10, 3, 1], "newest first, and without the second");
    let found = find(store, "ateliere", "pk_1").await.unwrap();
    assert_eq!(marks(&found), [mark_of("the tenth secret"), mark_of("the third secret"), mark_of(SECRET)]);
    assert_eq!(found.secrets[1].retires_at, Some(at(NOW + 20)));

    bench.clock().set(NOW + 10);
    assert_eq!(numbers().await, [10, 3]);
    bench.clock().set(NOW + 20);
    assert_eq!(numbers().await, [10]);
    let shown = store.credential("ateliere", &id("pk_1")).await.unwrap();
    let numbers: Vec<_> = shown.secrets.iter().map(|version| version.number).collect();
    assert_eq!(numbers, [10, 3, 2, 1], "the list keeps them all");

    bench.execute("UPDATE secret_versions SET retires_at = 1700000020").await.unwrap();
    let found = find(store, "ateliere", "pk_1").await.unwrap();
    assert!(found.secrets.is_empty(), "a key without a live secret is still known");
}

pub(super) async fn a_changed_record_is_an_error_and_never_a_pass(bench: &impl SqlBench) {
    let store = bench.store();
    store_key(store, "ateliere", "pk_1").await;
    store_key(store, "ateliere", "pk_2").await;
    let (ours, theirs) = (bench.record("pk_1").await, bench.record("pk_2").await);
    let refused = async |record: &[u8], what: &str| {
        bench.set_record("pk_1", record).await;
        let error = try_find(store, "ateliere", "pk_1").await.expect_err(what);
        assert!(chain(&error).contains("secret 1 of ateliere key `pk_1`"), "{what}: {}", chain(&error));
        assert!(find(store, "ateliere", "pk_2").await.is_some(), "{what}: the other key still works");
    };
    refused(&theirs, "moved from another row").await;
    refused(&ours[..ours.len() - 1], "cut off").await;
    refused(&[&ours[..], &[0]].concat(), "lengthened").await;
    refused(&[&[2], &ours[1..]].concat(), "of another version").await;
    for place in [1, 13, ours.len() - 1] {
        let mut flipped = ours.clone();
        flipped[place] ^= 1;
        refused(&flipped, "flipped in one bit").await;
    }
    bench.set_record("pk_1", &ours).await;
    assert!(find(store, "ateliere", "pk_1").await.is_some());
}

pub(super) async fn a_row_that_cannot_be_read_is_an_error(bench: &impl SqlBench) {
    let store = bench.store();
    store_key(store, "ateliere", "pk_1").await;
    bench
        .execute(
            "INSERT INTO credentials (scheme, key_id, algorithm, account)
             VALUES ('ateliere', 'pk_later', 'hmac-of-the-future', 'ops')",
        )
        .await
        .unwrap();
    assert!(try_find(store, "ateliere", "pk_later").await.is_err());
    assert!(find(store, "ateliere", "pk_1").await.is_some());

    bench.execute("DROP TABLE secret_versions").await.unwrap();
    let error = try_find(store, "ateliere", "pk_1").await.unwrap_err();
    assert_eq!(error.to_string(), "the key store cannot be asked");
    assert!(error.source().is_some());
}

pub(super) async fn a_wrong_keyring_is_refused_at_once(bench: &impl SqlBench) {
    // There is no secret in the database yet.
    let error = bench.open_with(Keyring::generate([8; 32])).await.unwrap_err();
    let text = chain(&error);
    assert!(text.contains("use the keyring file that the database was made with"), "{text}");
    assert!(text.contains(keyring().active_id()), "{text}");

    bench.open_with(keyring()).await.unwrap();
    store_key(bench.store(), "ateliere", "pk_1").await;
    assert!(bench.open_with(Keyring::generate([8; 32])).await.is_err());
    let same_name = format!("{}/{}", keyring().active_id(), "CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=");
    assert!(bench.open_with(Keyring::parse(&same_name).unwrap()).await.is_err());
    bench.open_with(keyring()).await.unwrap();
}

pub(super) async fn another_active_key_seals_what_is_new(bench: &impl SqlBench) {
    store_key(bench.store(), "ateliere", "pk_1").await;
    let new_above_old = format!(
        "2026/CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=\n\
         {}/BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=",
        keyring().active_id()
    );
    let store = bench.open_with(Keyring::parse(&new_above_old).unwrap()).await.unwrap();
    store_key(&store, "ateliere", "pk_2").await;
    for key_id in ["pk_1", "pk_2"] {
        assert_eq!(marks(&find(&store, "ateliere", key_id).await.unwrap()), [mark_of(SECRET)]);
    }
    let listed = store.credentials().await.unwrap();
    let sealed_with: Vec<_> = listed.iter().map(|row| row.secrets[0].keyring_id.as_str()).collect();
    assert_eq!(sealed_with, [keyring().active_id(), "2026"]);

    assert!(bench.open_with(keyring()).await.is_err(), "the new key seals a secret now");
    assert!(
        try_find(bench.store(), "ateliere", "pk_2").await.is_err(),
        "who has the old keyring sees an error"
    );
}

pub(super) async fn rows_that_make_no_sense_are_refused(bench: &impl SqlBench) {
    store_owned_key(bench).await;
    let long = "k".repeat(256);
    for statement in [
        "UPDATE credentials SET state = 'activ'",
        "UPDATE credentials SET state = NULL",
        "UPDATE accounts SET state = 'revoked'",
        "UPDATE organizations SET state = ''",
        "UPDATE credentials SET expires_at = 1700000000000", // milliseconds
        "UPDATE credentials SET not_before = -1",
        "UPDATE credentials SET not_before = 1700000000, expires_at = 1700000000",
        "UPDATE credentials SET account = 'nobody'",
        "UPDATE credentials SET organization = 'nowhere'",
        "UPDATE credentials SET public_key = ''",
        "UPDATE secret_versions SET keyring_id = 'unknown'",
        "UPDATE secret_versions SET fingerprint = 'SECRET!!'",
        "INSERT INTO accounts (id) VALUES ('')",
        "INSERT INTO accounts (id) VALUES (NULL)",
        "INSERT INTO organizations (id) VALUES ('a\nb')",
        "INSERT INTO organizations (id) VALUES ('a\u{7f}b')",
        "INSERT INTO organizations (id) VALUES ('a\u{85}b')",
        &format!("INSERT INTO organizations (id) VALUES ('{long}')"),
        "INSERT INTO credentials (scheme, key_id, algorithm, account) VALUES ('', 'k', 'hmac-sha256', 'ops')",
        "INSERT INTO credentials (scheme, key_id, algorithm, account) VALUES ('A b', 'k', 'hmac-sha256', 'ops')",
        "INSERT INTO credentials (scheme, key_id, algorithm, account) VALUES ('ateliere', '', 'hmac-sha256', 'ops')",
    ] {
        assert!(bench.execute(statement).await.is_err(), "{statement}");
    }
    assert_eq!(standing(bench).await, Standing::InForce);
}

/// Keeps the clock that a store shares with its test.
pub(super) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(NOW))
}

//! What a database holds by itself about the life of a key, what it notes about changes, and how secrets are sealed
//! again.

use super::{
    lifecycle::{by, rotation},
    sql::{SqlBench, keyring},
    tokens::{new_client, new_signing_key, new_token},
    *,
};
use countersign::{
    envelope::{Keyring, Place},
    store::{
        AdminErrorKind, AuditEntry, AuditLog as _, AuditQuery, By, Limit, Overlap, Upkeep as _, Use,
        secret_hint,
    },
};

/// Seals with the keyring key that a test adds, and opens with the one from before.
fn newer_keyring() -> Keyring {
    let old = format!("{}/BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=", keyring().active_id());
    Keyring::parse(&format!("2026/CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=\n{old}")).unwrap()
}

async fn add_secret(bench: &impl SqlBench, number: i64, retires_at: Option<i64>) -> Result<u64, sqlx::Error> {
    let place = Place { scheme: "ateliere", key_id: "pk_1", number };
    let sealed = keyring().seal(place, &secret("another secret of the key"), [0x40; 12]);
    let end = retires_at.map_or_else(|| "NULL".to_owned(), |end| format!("unixepoch() + {end}"));
    let (keyring_id, record) = (sealed.keyring_id, hex::encode(&sealed.record));
    let insert = format!(
        "INSERT INTO secret_versions (scheme, key_id, number, keyring_id, sealed, fingerprint, retires_at)
         VALUES ('ateliere', 'pk_1', {number}, '{keyring_id}', unhex('{record}'), '00000000', {end})"
    );
    bench.execute(&insert).await
}

pub(super) async fn the_rules_for_secrets_hold_for_plain_sql(bench: &impl SqlBench) {
    store_key(bench.store(), "ateliere", "pk_1").await;
    let refused = |result: Result<u64, sqlx::Error>, reason: &str| {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    };
    refused(add_secret(bench, 2, None).await, "one secret of a key alone has no end");
    bench.execute("UPDATE secret_versions SET retires_at = unixepoch() + 3600").await.unwrap();
    // A number that is there is refused by the table's own key as well, and an engine may name either.
    refused(add_secret(bench, 1, Some(3600)).await, "secret");
    add_secret(bench, 3, Some(3600)).await.unwrap();
    refused(add_secret(bench, 2, Some(3600)).await, "a higher number");
    add_secret(bench, 4, None).await.unwrap();
    refused(add_secret(bench, 5, Some(3600)).await, "no more than three secrets");

    refused(bench.execute("DELETE FROM secret_versions WHERE number = 4").await, "only a retired secret");
    refused(bench.execute("DELETE FROM secret_versions WHERE number = 1").await, "only a retired secret");
    bench.execute("UPDATE secret_versions SET retires_at = unixepoch() WHERE number = 1").await.unwrap();
    for later in ["NULL", "unixepoch() + 3600"] {
        let update = format!("UPDATE secret_versions SET retires_at = {later} WHERE number = 1");
        // Of several rules, an engine may name any.
        refused(bench.execute(&update).await, if later == "NULL" { "secret" } else { "stays retired" });
    }
    add_secret(bench, 5, Some(3600)).await.unwrap();
    assert_eq!(bench.execute("DELETE FROM secret_versions WHERE number = 1").await.unwrap(), 1);
    refused(add_secret(bench, 1, Some(0)).await, "a higher number");

    bench.execute("UPDATE secret_versions SET retires_at = unixepoch()").await.unwrap();
    refused(bench.execute("DELETE FROM secret_versions WHERE number = 5").await, "never the last one");
    bench.execute("UPDATE credentials SET state = 'revoked'").await.unwrap();
    refused(add_secret(bench, 6, None).await, "a revoked credential gets no secret");
}

/// The latest entries, oldest first.
async fn audited(bench: &impl SqlBench, count: u32) -> Vec<AuditEntry> {
    let mut entries = bench.store().audit(&AuditQuery::latest(count)).await.unwrap();
    entries.reverse();
    entries
}

pub(super) async fn who_changes_what_is_noted(bench: &impl SqlBench) {
    let (store, key) = (bench.store(), id("pk_1"));
    store.create_organization(&organization("acme"), None).await.unwrap();
    store_key(store, "ateliere", "pk_1").await;
    store.install("ateliere", &key, &organization("acme")).await.unwrap();
    store.rotate("ateliere", &key, &rotation("the second secret", Overlap::NONE), &by()).await.unwrap();
    store.disable("ateliere", &key, &By::new("bob")).await.unwrap();
    store.disable("ateliere", &key, &By::new("bob again")).await.unwrap();
    store.set_limit("ateliere", &key, Limit::ExpiresAt(Some(at(NOW + 5))), &by()).await.unwrap();
    store.note_uses(&[Use::new("ateliere", id("pk_1"), 2, at(NOW))]).await.unwrap();
    store.uninstall("ateliere", &key, &organization("acme")).await.unwrap();
    bench.execute("UPDATE credentials SET state = 'revoked'").await.unwrap();
    bench.execute("UPDATE accounts SET state = 'disabled'").await.unwrap();

    let entries = audited(bench, 100).await;
    let told: Vec<_> = entries.iter().map(|entry| format!("{} {}", entry.verb, entry.subject)).collect();
    assert_eq!(
        told,
        [
            "create keyring key",
            "create organization",
            "create account",
            "create key",
            "create secret",
            "create installation",
            "change secret",
            "create secret",
            "disable key",
            "change key",
            "delete installation",
            "revoke key",
            "disable account",
        ]
    );
    let json = |text: &Option<String>| -> serde_json::Value {
        text.as_deref().map_or(serde_json::Value::Null, |text| serde_json::from_str(text).unwrap())
    };
    let retired = &entries[6];
    assert_eq!((retired.actor.as_str(), retired.reason.as_deref()), ("ada", Some("a test")));
    assert_eq!((retired.scheme.as_deref(), &retired.key_id), (Some("ateliere"), &Some(key.clone())));
    assert_eq!(json(&retired.was)["retires_at"], serde_json::Value::Null);
    assert_eq!(json(&retired.became)["retires_at"], NOW);
    assert_eq!(json(&entries[7].became)["number"], 2);
    let disabled = &entries[8];
    assert_eq!((disabled.actor.as_str(), &disabled.reason), ("bob", &None));
    assert_eq!(
        (&json(&disabled.was)["state"], &json(&disabled.became)["demo"]),
        (&"active".into(), &false.into())
    );
    assert_eq!(entries[10].name.as_deref(), Some("acme"));
    let by_hand = &entries[11];
    assert!(by_hand.actor == "sql" || by_hand.actor == "postgres", "{by_hand:?}");
    assert_eq!(by_hand.reason, None, "who acted before does not act any more");
    assert!(entries.windows(2).all(|pair| pair[0].id < pair[1].id));
    let text = format!("{entries:?}");
    assert!(!text.contains("sealed") && !text.contains("canary"), "{text}");

    let mut query = AuditQuery::latest(2);
    query.key_id = Some(key);
    query.actor = Some("ada".into());
    let page = bench.store().audit(&query).await.unwrap();
    assert_eq!(page.iter().map(|entry| entry.id).collect::<Vec<_>>(), [entries[9].id, entries[7].id]);
    query.before = Some(entries[7].id);
    let page = bench.store().audit(&query).await.unwrap();
    assert_eq!(page.iter().map(|entry| entry.id).collect::<Vec<_>>(), [entries[6].id]);
}

pub(super) async fn tokens_are_noted_without_what_tells_them(bench: &impl SqlBench) {
    let store = bench.store();
    store.create_organization(&organization("acme"), None).await.unwrap();
    store.create_account(&principal("ops"), None).await.unwrap();
    store.create_client(&new_client("client-1")).await.unwrap();
    store.create_read_token(&new_token("tok_1", "rat_0f1e2d3c4b5a69788796a5b4c3d2e1f0")).await.unwrap();
    store.add_signing_key(&new_signing_key("kid-1")).await.unwrap();
    store.set_client_state(&id("client-1"), CredentialState::Revoked).await.unwrap();
    let entries = audited(bench, 5).await;
    let told: Vec<_> = entries
        .iter()
        .map(|entry| {
            format!("{} {} {}", entry.verb, entry.subject, entry.name.as_deref().unwrap_or_default())
        })
        .collect();
    assert_eq!(
        told,
        [
            "create client client-1",
            "create client secret client-1",
            "create read token tok_1",
            "create signing key kid-1",
            "revoke client client-1",
        ]
    );
    let text = format!("{entries:?}");
    assert!(!text.contains("hash") && !text.contains("sealed") && !text.contains("public_key"), "{text}");
}

pub(super) async fn a_hand_may_say_whose_it_is(bench: &impl SqlBench) {
    store_key(bench.store(), "ateliere", "pk_1").await;
    bench
        .execute_all(
            "BEGIN; INSERT INTO acting (actor, reason) VALUES ('eve', 'by hand');
             UPDATE credentials SET state = 'disabled'; DELETE FROM acting; COMMIT",
        )
        .await;
    let entry = audited(bench, 1).await.remove(0);
    assert_eq!((entry.actor.as_str(), entry.reason.as_deref()), ("eve", Some("by hand")));
}

pub(super) async fn the_audit_log_is_only_added_to(bench: &impl SqlBench) {
    store_key(bench.store(), "ateliere", "pk_1").await;
    let before = audited(bench, 100).await;
    for statement in
        ["UPDATE audit_log SET actor = 'nobody'", "DELETE FROM audit_log", "UPDATE audit_log SET id = id + 1"]
    {
        assert!(bench.execute(statement).await.is_err(), "{statement}");
    }
    assert_eq!(audited(bench, 100).await, before);
}

pub(super) async fn secrets_are_sealed_again(bench: &impl SqlBench) {
    for number in 1..=7 {
        store_key(bench.store(), "ateliere", &format!("pk_{number}")).await;
    }
    bench.store().add_signing_key(&new_signing_key("kid-1")).await.unwrap();
    let broken = bench.record("pk_3").await;
    bench.set_record("pk_3", &broken[..broken.len() - 1]).await;
    let store = bench.open_with(newer_keyring()).await.unwrap();
    let old = keyring().active_id().to_owned();
    let counts = async || -> Vec<(String, i64, bool)> {
        let keys = store.keyring_use().await.unwrap();
        keys.into_iter().map(|key| (key.id, key.secrets, key.active)).collect()
    };
    assert_eq!(counts().await, [("2026".into(), 0, true), (old.clone(), 8, false)]);
    assert!(store.forget_keyring_key(&old, &by()).await.is_err());

    // The first run is interrupted after one batch; the second one goes on.
    let first = store.reseal(None, 2, &by()).await.unwrap();
    assert_eq!((first.count, first.unopened.len()), (1, 0), "keys that sign tokens come first");
    let (mut after, mut count, mut unopened) = (None, 0, Vec::new());
    loop {
        let done = store.reseal(after.as_ref(), 2, &by()).await.unwrap();
        count += done.count;
        unopened.extend(done.unopened);
        let Some(last) = done.last else { break };
        after = Some(last);
    }
    assert_eq!(count, 6);
    let [error] = &unopened[..] else { panic!("{unopened:?}") };
    assert!(error.to_string().contains("secret 1 of ateliere key `pk_3`"), "{error}");
    assert_eq!(counts().await, [("2026".into(), 7, true), (old.clone(), 1, false)]);
    for key_id in ["pk_1", "pk_7"] {
        assert_eq!(marks(&find(&store, "ateliere", key_id).await.unwrap()), [mark_of(SECRET)]);
    }

    // What is broken keeps its key from being dropped, until it is mended or deleted.
    let refused = store.forget_keyring_key(&old, &by()).await.unwrap_err();
    assert_eq!(refused.kind(), AdminErrorKind::Invalid);
    bench.set_record("pk_3", &broken).await;
    assert_eq!(store.reseal(None, 100, &by()).await.unwrap().count, 1);
    let only_new = || Keyring::parse("2026/CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=").unwrap();
    assert!(bench.open_with(only_new()).await.is_err(), "a key is not dropped unnoticed");
    store.forget_keyring_key(&old, &by()).await.unwrap();
    let again = store.forget_keyring_key(&old, &by()).await.unwrap_err();
    assert_eq!(again.kind(), AdminErrorKind::NotFound);
    let store = bench.open_with(only_new()).await.unwrap();
    assert_eq!(marks(&find(&store, "ateliere", "pk_3").await.unwrap()), [mark_of(SECRET)]);
    assert!(ask(&store, Lookup::SigningKey).await.unwrap().is_some());
}

pub(super) async fn many_keys_come_at_once_or_none_does(bench: &impl SqlBench) {
    let store = bench.store();
    let keys = |range: std::ops::Range<u32>| -> Vec<_> {
        range.map(|number| new_key("ateliere", &format!("pk_{number:04}"))).collect()
    };
    assert!(store.create_credentials(&keys(0..3)).await.is_err(), "there is no account");
    bench.store().create_account(&principal("ops"), None).await.unwrap();
    store.create_credentials(&keys(0..1203)).await.unwrap();
    assert_eq!(bench.store().credentials().await.unwrap().len(), 1203);
    assert_eq!(marks(&find(bench.store(), "ateliere", "pk_1202").await.unwrap()), [mark_of(SECRET)]);
    assert!(store.create_credentials(&keys(1202..1300)).await.is_err());
    assert!(find(bench.store(), "ateliere", "pk_1299").await.is_none());
    store.create_credentials(&[]).await.unwrap();
    let mut limited = keys(1300..1301);
    limited[0].permissions = Some(permissions("titles:read"));
    store.create_credentials(&limited).await.unwrap();
    let found = find(bench.store(), "ateliere", "pk_1300").await.unwrap();
    assert_eq!(found.permissions, permissions("titles:read"));
}

pub(super) async fn a_long_secret_shows_its_ends(bench: &impl SqlBench) {
    let store = bench.store();
    store_key(store, "ateliere", "pk_1").await;
    store_key(store, "ateliere", "pk_2").await;
    let mut short = new_key("ateliere", "pk_3");
    short.secret = secret("0123456789abcdef");
    store.create_credential(&short).await.unwrap();
    let look = async |key_id: &str| {
        let key_id = id(key_id);
        let found = store.secret_hints(Some(("ateliere", &key_id))).await.unwrap();
        let [hint] = found.try_into().unwrap();
        assert_eq!((&*hint.scheme, &*hint.key_id, hint.number), ("ateliere", key_id.as_str(), 1));
        hint.hint
    };
    let ends = secret_hint(&secret(SECRET));
    assert!(ends.is_some());
    assert_eq!(look("pk_1").await.unwrap(), ends);
    assert_eq!(look("pk_3").await.unwrap(), None);
    bench.set_record("pk_2", &bench.record("pk_1").await).await;
    look("pk_2").await.unwrap_err();
    assert_eq!(store.secret_hints(None).await.unwrap().len(), 3);
    assert!(store.secret_hints(Some(("corezoid", &id("pk_1")))).await.unwrap().is_empty());
}

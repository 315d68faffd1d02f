//! Every kind of row that decides over a request: what an operator changes there by plain SQL ends what was kept.

use super::{
    database::{Bench, OnPostgres, OnSqlite, add_key, fill, hash},
    *,
};
use countersign::{
    credential::{KeyId, Organization, Principal, SecretHash},
    secret::Secret,
    store::{NewReadToken, TokenAdmin as _},
};

const KEY: Lookup<'_> = Lookup::Key { scheme: "ateliere", key_id: "pk" };
const CLIENT: Lookup<'_> = Lookup::Client { client_id: "c" };
const INSTALLATION: Lookup<'_> =
    Lookup::Installation { scheme: "ateliere", key_id: "pk", organization: "globex" };

async fn every_change_is_effective(bench: &impl Bench) {
    fill(&bench.store().await).await;
    let cache = live(bench.store().await).await;
    let hash = hash();
    let token = Lookup::ReadToken { hash: &hash };
    let (keys, signing) = (Lookup::TokenKeys, Lookup::SigningKey);
    let changes: &[(&str, &[Lookup<'_>])] = &[
        ("UPDATE accounts SET state = 'disabled' WHERE id = 'ops'", &[KEY, CLIENT, token]),
        ("UPDATE accounts SET state = 'active' WHERE id = 'ops'", &[KEY, CLIENT, token]),
        ("UPDATE accounts SET permissions = 'a:read' WHERE id = 'ops'", &[KEY, CLIENT, token]),
        ("UPDATE organizations SET state = 'disabled' WHERE id = 'acme'", &[KEY, CLIENT, token]),
        ("UPDATE organizations SET state = 'active' WHERE id = 'acme'", &[KEY, CLIENT, token]),
        ("UPDATE organizations SET state = 'disabled' WHERE id = 'globex'", &[INSTALLATION]),
        ("UPDATE organizations SET state = 'active' WHERE id = 'globex'", &[INSTALLATION]),
        ("DELETE FROM app_installations", &[INSTALLATION]),
        (
            "INSERT INTO app_installations (scheme, key_id, organization) VALUES ('ateliere', 'pk', 'globex')",
            &[INSTALLATION],
        ),
        ("UPDATE accounts SET organization = 'globex' WHERE id = 'ops'", &[KEY, CLIENT, token]),
        ("UPDATE credentials SET state = 'disabled' WHERE key_id = 'pk'", &[KEY]),
        ("UPDATE credentials SET state = 'active' WHERE key_id = 'pk'", &[KEY]),
        ("UPDATE credentials SET expires_at = 1 WHERE key_id = 'pk'", &[KEY]),
        ("UPDATE credentials SET expires_at = NULL WHERE key_id = 'pk'", &[KEY]),
        ("UPDATE credentials SET permissions = '' WHERE key_id = 'pk'", &[KEY]),
        ("UPDATE credentials SET public_key = 'p' WHERE key_id = 'pk'", &[KEY]),
        ("UPDATE secret_versions SET retires_at = 1 WHERE key_id = 'pk'", &[KEY]),
        ("UPDATE credentials SET state = 'revoked' WHERE key_id = 'pk'", &[KEY]),
        ("UPDATE oauth_clients SET state = 'disabled'", &[CLIENT]),
        ("UPDATE client_secrets SET retires_at = 1", &[CLIENT]),
        ("UPDATE oauth_clients SET state = 'revoked'", &[CLIENT]),
        ("UPDATE read_tokens SET expires_at = 1", &[token]),
        ("UPDATE read_tokens SET state = 'revoked'", &[token]),
        ("UPDATE token_keys SET retires_at = 1", &[keys, signing]),
    ];
    for (change, lookups) in changes {
        let mut before = Vec::new();
        for lookup in *lookups {
            before.push(told(&cache, *lookup).await);
        }
        bench.execute(change).await;
        for (lookup, before) in lookups.iter().zip(&before) {
            let what = format!("{change}: {lookup:?} is no longer {before}");
            until(SOON, &what, async || told(&cache, *lookup).await != *before).await;
        }
    }
}

async fn what_is_made_is_found_although_it_was_tried_before(bench: &impl Bench) {
    let store = bench.store().await;
    fill(&store).await;
    let cache = live(bench.store().await).await;
    let lookup = Lookup::Key { scheme: "ateliere", key_id: "late" };
    for _ in 0..3 {
        assert_eq!(told(&cache, lookup).await, "None");
    }
    add_key(&store, "late").await;
    until(SOON, "the key is found", async || told(&cache, lookup).await != "None").await;
}

async fn many_are_loaded_at_once_and_each_is_itself(bench: &impl Bench) {
    let store = bench.store().await;
    fill(&store).await;
    let names: Vec<_> = (0..30).map(|n| format!("pk_{n}'\"ö")).collect();
    for name in &names {
        add_key(&store, name).await;
    }
    let nonsense = "00".repeat(40);
    bench
        .execute(&format!(
            "UPDATE secret_versions SET sealed = unhex('{nonsense}') WHERE key_id LIKE 'pk_7''%'"
        ))
        .await;
    let cache = live(bench.store().await).await;
    assert_eq!(cache.preload(|_| ()).await.unwrap(), 30);
    assert_eq!(cache.len(), 30);
    drop(cache);

    let cache = live(bench.store().await).await;
    let hash = hash();
    let found: Vec<_> =
        names.iter().map(|key_id| cache.find(Lookup::Key { scheme: "ateliere", key_id })).collect();
    let others =
        [INSTALLATION, CLIENT, Lookup::ReadToken { hash: &hash }, Lookup::TokenKeys, Lookup::SigningKey];
    let others: Vec<_> = others.map(|lookup| cache.find(lookup)).into();
    for (name, found) in names.iter().zip(found) {
        let Found::Pending(found) = found else { panic!("{name} is kept") };
        match found.await {
            Ok(Some(Record::Credential(credential))) => assert_eq!(credential.secrets.len(), 1, "{name}"),
            Err(_) => assert!(name.starts_with("pk_7"), "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
    for found in others {
        let Found::Pending(found) = found else { panic!("kept") };
        assert!(found.await.unwrap().is_some());
    }
}

async fn nothing_stays_that_is_not_there(bench: &impl Bench) {
    let store = bench.store().await;
    fill(&store).await;
    let cache = live(bench.store().await).await;
    let hash = SecretHash::of(b"another");
    for lookup in [
        Lookup::Key { scheme: "ateliere", key_id: "PK" },
        Lookup::Key { scheme: "corezoid", key_id: "pk" },
        Lookup::Installation { scheme: "ateliere", key_id: "pk", organization: "acme" },
        Lookup::Client { client_id: "C" },
        Lookup::ReadToken { hash: &hash },
        Lookup::Key { scheme: "ateliere", key_id: "' OR 1=1 --" },
        Lookup::Key { scheme: "[\"", key_id: "\"]" },
    ] {
        assert_eq!(told(&cache, lookup).await, "None", "{lookup:?}");
    }
    let token = NewReadToken::new(
        KeyId::new("late").unwrap(),
        Principal::new("ops").unwrap(),
        Organization::new("acme").unwrap(),
        Secret::new(&b"rat_late-late-late-late-late"[..]).unwrap(),
    );
    let hash = SecretHash::of(b"rat_late-late-late-late-late");
    let lookup = Lookup::ReadToken { hash: &hash };
    assert_eq!(told(&cache, lookup).await, "None");
    store.create_read_token(&token).await.unwrap();
    until(SOON, "the token is found", async || told(&cache, lookup).await != "None").await;
}

macro_rules! over_both {
    ($($test:ident)+) => {
        mod postgres {
            $(#[tokio::test]
            async fn $test() {
                super::$test(&<super::OnPostgres as super::Bench>::open().await).await;
            })+
        }

        mod sqlite {
            $(#[tokio::test]
            async fn $test() {
                super::$test(&<super::OnSqlite as super::Bench>::open().await).await;
            })+
        }
    };
}

over_both! {
    every_change_is_effective
    many_are_loaded_at_once_and_each_is_itself
    nothing_stays_that_is_not_there
    what_is_made_is_found_although_it_was_tried_before
}

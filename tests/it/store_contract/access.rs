//! What accounts and keys may do, and switching their owners off and on.

use super::*;
use countersign::store::Switch;

async fn rights(bench: &impl Bench) -> Permissions {
    find(bench.store(), "ateliere", "pk_1").await.unwrap().permissions.clone()
}

pub(super) async fn an_account_is_made_within_limits(bench: &impl Bench) {
    let store = bench.store();
    let (ops, acme) = (principal("ops"), organization("acme"));
    let made = store.create_account_with(&ops, Some(&acme), &Permissions::none()).await;
    assert_eq!(made.unwrap_err().to_string(), "there is no such organization");
    store.create_organization(&acme, None).await.unwrap();
    let limits = permissions("titles:* -titles:delete");
    store.create_account_with(&ops, Some(&acme), &limits).await.unwrap();
    let again = store.create_account_with(&ops, None, &Permissions::all()).await;
    assert_eq!(kind(again), AdminErrorKind::Exists);

    let listed = store.accounts().await.unwrap();
    assert_eq!(listed[0].permissions, limits);
    assert_eq!(listed[0].organization, Some(acme));
    store_key(store, "ateliere", "pk_1").await;
    assert_eq!(rights(bench).await, limits);
}

pub(super) async fn a_key_may_do_what_it_and_its_account_may(bench: &impl Bench) {
    let store = bench.store();
    store_key(store, "ateliere", "pk_1").await;
    assert_eq!(rights(bench).await, Permissions::all(), "an account may do everything at first");

    let (ops, key_id) = (principal("ops"), id("pk_1"));
    store.set_permissions(&ops, &permissions("titles:* sites:read")).await.unwrap();
    store.set_key_permissions("ateliere", &key_id, Some(&permissions("*:read"))).await.unwrap();
    let both = rights(bench).await;
    for (word, allowed) in [("titles:read", true), ("sites:read", true), ("titles:write", false)] {
        assert_eq!(both.allows(word), allowed, "{word}");
    }
    let shown = store.credential("ateliere", &key_id).await.unwrap();
    assert_eq!(shown.permissions, Some(permissions("*:read")), "the list tells what the key's own are");

    store.set_key_permissions("ateliere", &key_id, None).await.unwrap();
    assert_eq!(rights(bench).await, permissions("titles:* sites:read"));
    store.set_key_permissions("ateliere", &key_id, Some(&Permissions::all())).await.unwrap();
    assert_eq!(store.credential("ateliere", &key_id).await.unwrap().permissions, None);
    store.set_permissions(&ops, &Permissions::none()).await.unwrap();
    assert_eq!(rights(bench).await, Permissions::none());

    let mut new = new_key("ateliere", "pk_2");
    new.permissions = Some(permissions("sites:write"));
    store.create_credential(&new).await.unwrap();
    store.set_permissions(&ops, &Permissions::all()).await.unwrap();
    let found = find(store, "ateliere", "pk_2").await.unwrap();
    assert_eq!(found.permissions, permissions("sites:write"));
}

pub(super) async fn a_grant_adds_to_what_is_there(bench: &impl Bench) {
    let store = bench.store();
    store_key(store, "ateliere", "pk_1").await;
    let ops = principal("ops");
    store.set_permissions(&ops, &permissions("titles:read")).await.unwrap();
    for (words, expected) in [
        ("sites:*", "titles:read sites:*"),
        ("-sites:write", "titles:read sites:* -sites:write"),
        ("sites:write -titles:read", "sites:* sites:write -titles:read"),
    ] {
        let granted = store.grant(&ops, &permissions(words)).await.unwrap();
        assert_eq!(granted, permissions(expected));
        assert_eq!(rights(bench).await, granted);
    }
    let many: Vec<_> = (0..500).map(|number| format!("word:{number}")).collect();
    store.grant(&ops, &permissions(&many[..300].join(" "))).await.unwrap();
    let before = rights(bench).await;
    let more = store.grant(&ops, &permissions(&many[300..].join(" "))).await;
    assert_eq!(kind(more), AdminErrorKind::Invalid);
    assert_eq!(rights(bench).await, before, "too many change nothing");
}

pub(super) async fn permissions_that_are_none_are_refused(bench: &impl Bench) {
    let store = bench.store();
    store_key(store, "ateliere", "pk_1").await;
    let of_two_lists = permissions("a").and(&permissions("b"));
    let (ops, key_id) = (principal("ops"), id("pk_1"));
    assert_eq!(kind(store.grant(&ops, &of_two_lists).await), AdminErrorKind::Invalid);
    assert_eq!(kind(store.set_permissions(&ops, &of_two_lists).await), AdminErrorKind::Invalid);
    let of_key = store.set_key_permissions("ateliere", &key_id, Some(&of_two_lists)).await;
    assert_eq!(kind(of_key), AdminErrorKind::Invalid);
    let made = store.create_account_with(&principal("new"), None, &of_two_lists).await;
    assert_eq!(kind(made), AdminErrorKind::Invalid);
    let mut new = new_key("ateliere", "pk_2");
    new.permissions = Some(of_two_lists);
    assert_eq!(kind(store.create_credential(&new).await), AdminErrorKind::Invalid);
    assert_eq!(rights(bench).await, Permissions::all());

    let (nobody, nothing) = (principal("nobody"), Permissions::none());
    assert_eq!(kind(store.grant(&nobody, &nothing).await), AdminErrorKind::NotFound);
    assert_eq!(kind(store.set_permissions(&nobody, &nothing).await), AdminErrorKind::NotFound);
    let of_key = store.set_key_permissions("corezoid", &key_id, None).await;
    assert_eq!(kind(of_key), AdminErrorKind::NotFound);
    assert_eq!(kind(store.switch_account(&nobody, Switch::Off).await), AdminErrorKind::NotFound);
    let off = store.switch_organization(&organization("nowhere"), Switch::Off).await;
    assert_eq!(kind(off), AdminErrorKind::NotFound);
}

pub(super) async fn what_is_switched_off_is_off_until_it_is_on_again(bench: &impl Bench) {
    let store = bench.store();
    for name in ["acme", "globex"] {
        store.create_organization(&organization(name), None).await.unwrap();
    }
    store.create_account(&principal("ops"), Some(&organization("globex"))).await.unwrap();
    let mut new = new_key("ateliere", "pk_1");
    new.organization = Some(organization("acme"));
    store.create_credential(&new).await.unwrap();
    store.install("ateliere", &id("pk_1"), &organization("acme")).await.unwrap();

    let standing = async || find(store, "ateliere", "pk_1").await.unwrap().standing(at(NOW));
    for name in ["acme", "globex"] {
        store.switch_organization(&organization(name), Switch::Off).await.unwrap();
        assert_eq!(standing().await, Standing::Disabled, "{name}");
        let installed = find_installation(store, "ateliere", "pk_1", "acme").await;
        assert_eq!(installed.is_none(), name == "acme");
        let listed = store.organizations().await.unwrap();
        assert!(listed.iter().any(|row| row.disabled && row.organization == *name));
        store.switch_organization(&organization(name), Switch::On).await.unwrap();
        assert_eq!(standing().await, Standing::InForce);
    }
    store.switch_account(&principal("ops"), Switch::Off).await.unwrap();
    assert_eq!(standing().await, Standing::Disabled);
    assert!(store.accounts().await.unwrap()[0].disabled);
    store.switch_account(&principal("ops"), Switch::On).await.unwrap();
    assert_eq!(standing().await, Standing::InForce);
}

pub(super) async fn every_change_of_rights_raises_the_revision(bench: &impl Bench) {
    let store = bench.store();
    store.create_organization(&organization("acme"), None).await.unwrap();
    store.create_account(&principal("ops"), Some(&organization("acme"))).await.unwrap();
    store.create_credential(&new_key("ateliere", "pk_1")).await.unwrap();
    let (ops, acme, words) = (principal("ops"), organization("acme"), permissions("sites:*"));
    let mut last = 0;
    let mut risen = async |what: &str| {
        let now = find(store, "ateliere", "pk_1").await.unwrap().revision;
        assert!(now > last, "{what}: {now} after {last}");
        last = now;
    };
    risen("made").await;
    store.grant(&ops, &words).await.unwrap();
    risen("granted").await;
    store.set_permissions(&ops, &words).await.unwrap();
    risen("set").await;
    store.set_key_permissions("ateliere", &id("pk_1"), Some(&words)).await.unwrap();
    risen("limited").await;
    store.switch_account(&ops, Switch::Off).await.unwrap();
    risen("account switched off").await;
    store.switch_organization(&acme, Switch::Off).await.unwrap();
    risen("organization switched off").await;
}

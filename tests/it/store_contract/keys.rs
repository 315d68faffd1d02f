//! What a verification finds, and what it does not find.

use super::*;

pub(super) async fn a_key_is_found_as_it_was_stored(bench: &impl Bench) {
    let store = bench.store();
    store.create_organization(&organization("acme"), None).await.unwrap();
    store.create_account(&principal("ops"), None).await.unwrap();
    let mut new = new_key("salescloud", "9f0c");
    new.organization = Some(organization("acme"));
    new.public_key = Some("849015eb".into());
    store.create_credential(&new).await.unwrap();

    let found = find(store, "salescloud", "9f0c").await.unwrap();
    assert_eq!(found.principal, principal("ops"));
    assert_eq!(found.organization, Some(organization("acme")));
    assert_eq!(found.public_key.as_deref(), Some("849015eb"));
    assert_eq!(found.state, CredentialState::Active);
    assert_eq!(found.standing(at(NOW)), Standing::InForce);
    assert_eq!(found.secrets.len(), 1);
    assert_eq!(found.secrets[0].number, 1);
    assert_eq!(marks(&found), [mark_of(SECRET)]);
    assert!(!format!("{found:?}").contains(SECRET));
}

pub(super) async fn a_key_belongs_to_its_scheme(bench: &impl Bench) {
    let store = bench.store();
    store_key(store, "ateliere", "13000").await;
    assert!(find(store, "corezoid", "13000").await.is_none());
    assert!(find(store, "", "13000").await.is_none());

    let mut other = new_key("corezoid", "13000");
    other.secret = secret("the secret of the other scheme");
    store.create_credential(&other).await.unwrap();
    assert_eq!(marks(&find(store, "ateliere", "13000").await.unwrap()), [mark_of(SECRET)]);
    let other = find(store, "corezoid", "13000").await.unwrap();
    assert_eq!(marks(&other), [mark_of("the secret of the other scheme")]);
}

pub(super) async fn a_key_made_later_is_found_at_once(bench: &impl Bench) {
    let store = bench.store();
    assert!(find(store, "ateliere", "pk_1").await.is_none());
    store_key(store, "ateliere", "pk_1").await;
    assert!(find(store, "ateliere", "pk_1").await.is_some());
}

pub(super) async fn an_id_is_compared_byte_for_byte(bench: &impl Bench) {
    let store = bench.store();
    store_key(store, "ateliere", "Pk_söug").await;
    assert!(find(store, "ateliere", "Pk_söug").await.is_some());
    for other in [
        "pk_söug",
        "PK_SÖUG",
        "Pk_SöUG",
        "Pk_so\u{308}ug", // the same letter, decomposed
        "Pk_söug ",
        " Pk_söug",
        "Pk_söu",
        "Pk_söug\0",
        "Pk%",
        "Pk_____",
        "*",
    ] {
        assert!(find(store, "ateliere", other).await.is_none(), "{other:?}");
    }
}

pub(super) async fn hostile_text_is_found_nowhere(bench: &impl Bench) {
    let store = bench.store();
    store_key(store, "ateliere", "pk_1").await;
    store.create_organization(&organization("acme"), None).await.unwrap();
    store.install("ateliere", &id("pk_1"), &organization("acme")).await.unwrap();

    let long = "k".repeat(10_000);
    for text in [
        "",
        "' OR '1'='1",
        "pk_1' --",
        "pk_1'; DROP TABLE credentials; --",
        "pk_1\" OR \"\"=\"",
        "$1",
        "?1",
        "\\",
        "\0",
        "pk_1\0' OR 1=1",
        "\u{202e}pk_1",
        "\u{feff}pk_1",
        "\u{10ffff}",
        "💥",
        &long,
    ] {
        assert!(find(store, "ateliere", text).await.is_none(), "key {text:?}");
        let elsewhere = find_installation(store, "ateliere", "pk_1", text).await;
        assert!(elsewhere.is_none(), "organization {text:?}");
        let other_app = find_installation(store, "ateliere", text, "acme").await;
        assert!(other_app.is_none(), "app {text:?}");
    }
    assert!(find(store, "ateliere", "pk_1").await.is_some(), "the key survived");
}

pub(super) async fn limits_in_time_are_handed_on(bench: &impl Bench) {
    let store = bench.store();
    store.create_account(&principal("ops"), None).await.unwrap();
    let mut new = new_key("ateliere", "pk_1");
    new.not_before = Some(at(NOW + 10));
    new.expires_at = Some(at(NOW + 20));
    store.create_credential(&new).await.unwrap();

    let found = find(store, "ateliere", "pk_1").await.unwrap();
    for (seconds, expected) in [
        (0, Standing::NotYetValid),
        (9, Standing::NotYetValid),
        (10, Standing::InForce),
        (19, Standing::InForce),
        (20, Standing::Expired),
    ] {
        assert_eq!(found.standing(at(NOW + seconds)), expected, "after {seconds} s");
    }
}

pub(super) async fn an_installation_is_found_while_it_lasts(bench: &impl Bench) {
    let store = bench.store();
    store_key(store, "salescloud", "9f0c").await;
    store_key(store, "salescloud", "77aa").await;
    for name in ["acme", "globex"] {
        store.create_organization(&organization(name), None).await.unwrap();
    }
    assert!(find_installation(store, "salescloud", "9f0c", "acme").await.is_none());

    store.install("salescloud", &id("9f0c"), &organization("acme")).await.unwrap();
    let found = find_installation(store, "salescloud", "9f0c", "acme").await.unwrap();
    assert_eq!(found.organization, organization("acme"));
    for (scheme, app, name) in [
        ("salescloud", "9f0c", "globex"),
        ("salescloud", "9f0c", "ACME"),
        ("salescloud", "9f0c", "initech"),
        ("salescloud", "77aa", "acme"),
        ("ateliere", "9f0c", "acme"),
    ] {
        assert!(find_installation(store, scheme, app, name).await.is_none(), "{scheme} {app} {name}");
    }

    store.uninstall("salescloud", &id("9f0c"), &organization("acme")).await.unwrap();
    assert!(find_installation(store, "salescloud", "9f0c", "acme").await.is_none());
}

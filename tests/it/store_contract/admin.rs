//! What an operator may do, what is refused, and in which order things are listed.

use super::*;
use countersign::store::{SecretRefused, fingerprint};
use std::error::Error;

pub(super) async fn what_exists_is_not_made_again(bench: &impl Bench) {
    let store = bench.store();
    store.create_organization(&organization("acme"), Some("Acme")).await.unwrap();
    let again = store.create_organization(&organization("acme"), None).await;
    assert_eq!(kind(again), AdminErrorKind::Exists);
    assert_eq!(store.organizations().await.unwrap()[0].name.as_deref(), Some("Acme"));

    store.create_account(&principal("ops"), None).await.unwrap();
    assert_eq!(kind(store.create_account(&principal("ops"), None).await), AdminErrorKind::Exists);

    store.create_credential(&new_key("ateliere", "pk_1")).await.unwrap();
    let mut again = new_key("ateliere", "pk_1");
    again.secret = secret("another secret altogether");
    let again = store.create_credential(&again).await.unwrap_err();
    assert_eq!(again.kind(), AdminErrorKind::Exists);
    assert_eq!(again.to_string(), "there is already such a key id");
    assert_eq!(marks(&find(store, "ateliere", "pk_1").await.unwrap()), [mark_of(SECRET)]);
}

pub(super) async fn what_does_not_exist_is_named(bench: &impl Bench) {
    let store = bench.store();
    let missing = |result: Result<(), AdminError>, what: &str| {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), AdminErrorKind::NotFound);
        assert_eq!(error.to_string(), format!("there is no such {what}"));
    };
    let (acme, app) = (organization("acme"), id("9f0c"));
    missing(store.create_account(&principal("ops"), Some(&acme)).await, "organization");
    missing(store.create_credential(&new_key("ateliere", "pk_1")).await, "account");
    missing(store.credential("ateliere", &id("pk_1")).await.map(drop), "key");

    store_key(store, "ateliere", "pk_1").await;
    let mut new = new_key("ateliere", "pk_2");
    new.organization = Some(acme.clone());
    missing(store.create_credential(&new).await, "organization");
    assert!(find(store, "ateliere", "pk_2").await.is_none());
    missing(store.credential("corezoid", &id("pk_1")).await.map(drop), "key");

    missing(store.install("salescloud", &app, &acme).await, "organization");
    store.create_organization(&acme, None).await.unwrap();
    missing(store.install("salescloud", &app, &acme).await, "app");
    missing(store.uninstall("salescloud", &app, &acme).await, "installation");
}

/// The secret that everybody can read in SalesCloud's document.
fn published() -> String {
    let vectors = include_str!("../../vectors/salescloud.json");
    let vectors: serde_json::Value = serde_json::from_str(vectors).unwrap();
    vectors["app_scheme"]["vectors"][0]["secret"].as_str().unwrap().to_owned()
}

pub(super) async fn a_secret_that_breaks_a_rule_is_refused(bench: &impl Bench) {
    let store = bench.store();
    store.create_account(&principal("ops"), None).await.unwrap();
    for (algorithm, text, expected) in [
        (Algorithm::HmacSha256, "fifteen letters", SecretRefused::Short { length: 15 }),
        (Algorithm::HmacSha256, "secret_key_here", SecretRefused::Published),
        (Algorithm::HmacSha256, &published(), SecretRefused::Published),
        (Algorithm::SandwichSha1, "12345678901234567890", SecretRefused::DigitsOnly),
    ] {
        let mut new = new_key("ateliere", "pk_1");
        new.algorithm = algorithm;
        new.secret = secret(text);
        let error = store.create_credential(&new).await.unwrap_err();
        assert_eq!(error.kind(), AdminErrorKind::Invalid);
        let reason = error.source().unwrap().downcast_ref::<SecretRefused>();
        assert_eq!(reason, Some(&expected));
        assert!(!format!("{error:?} {error} {}", expected).contains(text));
    }
    assert!(find(store, "ateliere", "pk_1").await.is_none());

    let mut weak = new_key("ateliere", "pk_1");
    weak.secret = secret("short");
    weak.allow_weak = true;
    store.create_credential(&weak).await.unwrap();
    assert_eq!(marks(&find(store, "ateliere", "pk_1").await.unwrap()), [mark_of("short")]);
}

pub(super) async fn an_end_before_the_beginning_is_refused(bench: &impl Bench) {
    let store = bench.store();
    store.create_account(&principal("ops"), None).await.unwrap();
    for end in [NOW, NOW - 1] {
        let mut new = new_key("ateliere", "pk_1");
        new.not_before = Some(at(NOW));
        new.expires_at = Some(at(end));
        assert_eq!(kind(store.create_credential(&new).await), AdminErrorKind::Invalid);
    }
    assert!(store.credentials().await.unwrap().is_empty());
}

pub(super) async fn a_summary_tells_everything_but_the_secret(bench: &impl Bench) {
    let store = bench.store();
    store.create_organization(&organization("acme"), None).await.unwrap();
    store.create_account(&principal("ops"), Some(&organization("acme"))).await.unwrap();
    let mut new = new_key("salescloud", "9f0c");
    new.organization = Some(organization("acme"));
    new.public_key = Some("849015eb".into());
    new.permissions = Some(permissions("sites:*"));
    new.not_before = Some(at(NOW + 10));
    new.expires_at = Some(at(NOW + 20));
    new.demo = true;
    store.create_credential(&new).await.unwrap();

    let shown = store.credential("salescloud", &id("9f0c")).await.unwrap();
    assert_eq!(shown.scheme, "salescloud");
    assert_eq!(shown.key_id, id("9f0c"));
    assert_eq!(shown.principal, principal("ops"));
    assert_eq!(shown.organization, new.organization);
    assert_eq!(shown.public_key, new.public_key);
    assert_eq!(shown.permissions, new.permissions);
    assert_eq!(shown.state, CredentialState::Active);
    assert_eq!((shown.not_before, shown.expires_at), (new.not_before, new.expires_at));
    assert_eq!(shown.created_at, at(NOW));
    assert!(shown.demo);
    assert_eq!(shown.secrets.len(), 1);
    assert_eq!(shown.secrets[0].number, 1);
    assert_eq!(shown.secrets[0].fingerprint, fingerprint("salescloud", &id("9f0c"), &secret(SECRET)));
    assert_eq!(shown.secrets[0].created_at, at(NOW));
    assert_eq!(shown.secrets[0].retires_at, None);

    let accounts = store.accounts().await.unwrap();
    assert_eq!(accounts[0].account, principal("ops"));
    assert_eq!(accounts[0].organization, Some(organization("acme")));
    assert_eq!(accounts[0].permissions, Permissions::all());
    assert!(!accounts[0].disabled);
    assert!(!store.organizations().await.unwrap()[0].disabled);
}

pub(super) async fn apps_are_installed_and_uninstalled(bench: &impl Bench) {
    let store = bench.store();
    store_key(store, "salescloud", "9f0c").await;
    store_key(store, "salescloud", "77aa").await;
    let acme = organization("acme");
    store.create_organization(&acme, None).await.unwrap();
    for app in ["9f0c", "77aa", "9f0c"] {
        store.install("salescloud", &id(app), &acme).await.unwrap();
    }
    let app = |key_id| ("salescloud".to_owned(), id(key_id));
    assert_eq!(store.organizations().await.unwrap()[0].apps, [app("77aa"), app("9f0c")]);

    store.uninstall("salescloud", &id("9f0c"), &acme).await.unwrap();
    assert_eq!(store.organizations().await.unwrap()[0].apps, [app("77aa")]);
    let again = store.uninstall("salescloud", &id("9f0c"), &acme).await;
    assert_eq!(kind(again), AdminErrorKind::NotFound);
}

pub(super) async fn lists_are_in_the_order_of_their_names(bench: &impl Bench) {
    let store = bench.store();
    for name in ["b", "a", "B", "é", "a-b", "aa"] {
        store.create_organization(&organization(name), None).await.unwrap();
        store.create_account(&principal(name), None).await.unwrap();
    }
    for (scheme, key_id) in [("corezoid", "1"), ("ateliere", "b"), ("ateliere", "B"), ("ateliere", "a")] {
        store_key(store, scheme, key_id).await;
    }
    let organizations = store.organizations().await.unwrap();
    let names: Vec<_> = organizations.iter().map(|row| row.organization.as_str()).collect();
    assert_eq!(names, ["B", "a", "a-b", "aa", "b", "é"]);

    let accounts = store.accounts().await.unwrap();
    let names: Vec<_> = accounts.iter().map(|row| row.account.as_str()).collect();
    assert_eq!(names, ["B", "a", "a-b", "aa", "b", "ops", "é"]);

    let credentials = store.credentials().await.unwrap();
    let keys: Vec<_> = credentials.iter().map(|row| (row.scheme.as_str(), row.key_id.as_str())).collect();
    assert_eq!(keys, [("ateliere", "B"), ("ateliere", "a"), ("ateliere", "b"), ("corezoid", "1")]);
    assert!(credentials.iter().all(|row| row.secrets.len() == 1));
}

//! What `Debug` shows of whatever holds a secret: a table of all such types that are public, each in both forms.

use crate::support::{
    planted::{plant, search},
    printed::panics,
};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use countersign::{
    VerifyLayer,
    client::TokenClient,
    clock::SystemClock,
    credential::{
        ClientSecret, Credential, KeyId, OAuthClient, Organization, Principal, ReadToken, SecretHash,
        SecretVersion, SigningKey, TokenAlgorithm, TokenKey,
    },
    envelope::Keyring,
    explain::Case,
    inspector::{Inspector, RefusalSample},
    jwt::{PrivateKey, Profile},
    oauth2::TokenEndpoint,
    scheme::Corezoid,
    secret::Secret,
    sign::Signer,
    signature::{Algorithm, MacKey},
    store::{
        MemoryKeyStore, NewClient, NewCredential, NewReadToken, NewSigningKey, OpenedSecret, Overlap,
        Rotation, SqliteKeyStore,
    },
    verify::{BearerVerifier, ReadTokenVerifier},
};
use http::Request;
use std::{fmt, sync::Arc};

/// Of this test alone, so that nothing else may have printed it.
const SECRET: &str = "c2VjcmV0LW9mLXRoZS1kZWJ1Zy10YWJsZS1hbG9uZQ";

fn id() -> KeyId {
    KeyId::new("pk_debug").unwrap()
}

fn owner() -> Principal {
    Principal::new("ada").unwrap()
}

#[tokio::test]
async fn debug_of_whatever_holds_a_secret_shows_none() {
    plant(SECRET);
    let secret = || Secret::new(SECRET).unwrap();
    let ring = format!("k1/{}", BASE64_STANDARD.encode([7; 32]));
    plant(ring.split_once('/').unwrap().1);
    let keyring = Keyring::parse(&ring).unwrap();
    let private = PrivateKey::generate(TokenAlgorithm::Es256).await.unwrap();
    let pkcs8 = private.to_pkcs8().unwrap();
    plant(&hex::encode(pkcs8.expose()));
    plant(&BASE64_STANDARD.encode(pkcs8.expose()));
    let public = TokenKey::new(id(), TokenAlgorithm::Es256, private.public_key().to_der().unwrap());
    let mac = || MacKey::new(Algorithm::HmacSha256, &secret());
    let memory = Arc::new(MemoryKeyStore::new());
    let client = OAuthClient::new(id(), owner(), [ClientSecret::new(1, SecretHash::of(SECRET.as_bytes()))]);
    memory.insert_client(client.clone());
    memory.insert_signing_key(SigningKey::new(public.clone(), pkcs8.clone()));
    memory.insert("corezoid", "pk_debug", Credential::new(owner(), [SecretVersion::new(1, mac())]));
    let file = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", file.path().join("keys.db").display());
    let sqlite =
        Arc::new(SqliteKeyStore::open(&url, Keyring::parse(&ring).unwrap(), SystemClock).await.unwrap());
    let scheme = Corezoid::default();
    let (head, ()) = Request::post("/api/2/json/13000/1/00")
        .header("authorization", format!("ReadAccessToken {SECRET}"))
        .body(())
        .unwrap()
        .into_parts();
    let case = Case::new(&scheme, &head, b"").with_secret(secret()).with_secret_of("other", secret());
    let url = "http://127.0.0.1/auth/token".parse().unwrap();
    let tokens = TokenClient::new(reqwest::Client::new(), url, "13000", secret()).unwrap();
    let signer = Signer::new(Corezoid::default(), "13000", &secret());
    let profile = || Profile::new("Cloud", "2091");
    let table: Vec<(&str, Box<dyn fmt::Debug>)> = vec![
        ("Secret", Box::new(secret())),
        ("MacKey", Box::new(mac())),
        ("SecretVersion", Box::new(SecretVersion::new(1, mac()))),
        ("Credential", Box::new(Credential::new(owner(), [SecretVersion::new(1, mac())]))),
        ("ClientSecret", Box::new(ClientSecret::new(1, SecretHash::of(SECRET.as_bytes())))),
        ("OAuthClient", Box::new(client)),
        ("ReadToken", Box::new(ReadToken::new(id(), owner(), Organization::new("acme").unwrap()))),
        ("SigningKey", Box::new(SigningKey::new(public.clone(), pkcs8.clone()))),
        ("PrivateKey", Box::new(private)),
        ("Keyring", Box::new(keyring)),
        (
            "NewCredential",
            Box::new(NewCredential::new("corezoid", id(), Algorithm::HmacSha256, owner(), secret())),
        ),
        ("NewClient", Box::new(NewClient::new(id(), owner(), secret()))),
        (
            "NewReadToken",
            Box::new(NewReadToken::new(id(), owner(), Organization::new("acme").unwrap(), secret())),
        ),
        ("NewSigningKey", Box::new(NewSigningKey::new(public, pkcs8))),
        ("Rotation", Box::new(Rotation::new(secret(), Overlap::NONE))),
        ("OpenedSecret", Box::new(OpenedSecret::new(id(), 1, true, secret()))),
        ("MemoryKeyStore", Box::new(Arc::clone(&memory))),
        ("SqliteKeyStore", Box::new(Arc::clone(&sqlite))),
        ("Signer", Box::new(signer)),
        ("TokenClient", Box::new(tokens)),
        ("Case", Box::new(format!("{case:?}"))),
        ("TokenEndpoint", Box::new(TokenEndpoint::new(Arc::clone(&memory), profile()))),
        ("BearerVerifier", Box::new(BearerVerifier::new(Arc::clone(&memory), profile()))),
        ("ReadTokenVerifier", Box::new(ReadTokenVerifier::new(Arc::clone(&memory)))),
        ("VerifyLayer", Box::new(VerifyLayer::new(ReadTokenVerifier::new(Arc::clone(&memory))))),
        ("Inspector", Box::new(Inspector::new(sqlite).with_tokens(memory, profile()))),
        ("RefusalSample", Box::new(RefusalSample::default())),
    ];
    for (name, shown) in &table {
        let text = format!("{shown:?} {shown:#?}");
        assert!(text.len() > 4, "{name} shows nothing");
        search(&format!("Debug of {name}"), &text);
    }
}

#[test]
fn a_panic_that_prints_a_secret_is_found() {
    plant(SECRET);
    let marker = "a panic of the test that looks for panics";
    assert!(std::panic::catch_unwind(|| panic!("{marker}")).is_err());
    assert!(panics().contains(marker), "panics are heard");
    search("what panics have said", "");
}

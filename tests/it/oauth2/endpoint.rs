//! What a client is answered that does everything right.

use super::{
    ACCOUNT, AUDIENCE, CLIENT, CLIENT_SECRET, GRANT, ISSUER, Issuer, basic, client, json, send, stored,
};
use crate::support::{
    tokens::{Ayyeka, NOW, at, key_set, new_key, profile},
    vectors::read,
};
use countersign::{
    credential::TokenAlgorithm,
    jwt::{KeySet, PublicKey},
    oauth2::TokenType,
};
use http::StatusCode;
use http_body_util::Full;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

#[tokio::test]
async fn the_document_is_answered_as_it_says() {
    let issuer = Issuer::start().await;
    // Its request, line by line; the printed `Host` holds a URL, and is the server's own here.
    let body = "grant_type= client_credentials";
    let text = format!(
        "POST /auth/token HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Authorization: {}\r\nCache-Control: no-cache \r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        issuer.address,
        basic(CLIENT, CLIENT_SECRET),
        body.len(),
    );
    let mut stream = TcpStream::connect(issuer.address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    for line in
        ["cache-control: no-store", "content-type: application/json; charset=utf-8", "pragma: no-cache"]
    {
        assert!(head.lines().any(|found| found == line), "{line}: {head}");
    }
    let begin = r#"{"access_token":"eyJhbGciOiJSUzM4NCIsInR5cCI6IkpXVCJ9."#;
    assert!(
        body.starts_with(begin) && body.ends_with(r#"","token_type":"JWT","expires_in":3600}"#),
        "{body}"
    );

    let token = body.split('"').nth(3).unwrap();
    let claims = key_set().verify(token, &profile(), at(NOW)).unwrap();
    assert_eq!(claims.subject, format!("{ACCOUNT}:{CLIENT}"));
    assert_eq!((&*claims.issuer, &*claims.audience), (ISSUER, AUDIENCE));
    assert_eq!((claims.issued_at, claims.expires_at), (NOW, NOW + 3600));

    let answer = issuer.call("/v2.0/site", &format!("Bearer {token}")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.text(), format!("ayyeka {CLIENT} {ACCOUNT} {AUDIENCE} write [sites:*] 0"));
}

#[tokio::test]
async fn credentials_are_taken_as_clients_send_them() {
    let issuer = Issuer::start().await;
    let secret = "s3/cr+t=%41 &:value-of-random-letters";
    issuer.keys.insert_client(client("key-1", &[secret]));
    for (name, authorization, form) in [
        ("raw", basic("key-1", secret), ""),
        ("openid-client", basic("key%2D1", "s3%2Fcr%2Bt%3D%2541+%26%3Avalue-of-random-letters"), ""),
        ("simple-oauth2", basic("key-1", "s3%2Fcr%2Bt%3D%2541+%26%3Avalue-of-random-letters"), ""),
        ("no padding", basic("key-1", secret).trim_end_matches('=').to_owned(), ""),
        (
            "in the form",
            String::new(),
            "&client_id=key-1&client_secret=s3%2Fcr%2Bt%3D%2541+%26%3Avalue-of-random-letters",
        ),
    ] {
        let answer = issuer.ask(&authorization, &format!("{GRANT}{form}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{name}: {}", answer.text());
    }
    // In the form there is nothing to guess: it is decoded once.
    let raw = "&client_id=key-1&client_secret=s3/cr+t=%41 %26:value-of-random-letters";
    assert_eq!(issuer.ask("", &format!("{GRANT}{raw}")).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_vectors_headers_are_read() {
    let Ayyeka { basic: vectors, .. } = read("ayyeka.json");
    let issuer = Issuer::start().await;
    for vector in &vectors.vectors {
        assert_eq!(basic(&vector.key, &vector.secret), vector.expected_authorization);
        issuer.keys.insert_client(client(&vector.key, &[&vector.secret]));
        let answer = issuer.ask(&vector.expected_authorization, GRANT).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", vector.key);
    }
    assert_eq!(vectors.vectors.len(), 3);
}

#[tokio::test]
async fn lifetime_type_and_key_id_can_be_chosen() {
    let issuer = Issuer::with(|endpoint| {
        endpoint.with_token_type(TokenType::Bearer).with_key_id().with_lifetime(Duration::from_secs(60))
    })
    .await;
    let answer = json(&issuer.ask(&basic(CLIENT, CLIENT_SECRET), GRANT).await);
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(answer["expires_in"], 60);
    let named = KeySet::new([key_set().keys()[0].clone().with_key_id("rsa-1")]);
    let other = KeySet::new([key_set().keys()[0].clone().with_key_id("rsa-2")]);
    let token = answer["access_token"].as_str().unwrap();
    assert!(named.verify(token, &profile(), at(NOW)).is_ok());
    assert!(other.verify(token, &profile(), at(NOW)).is_err());
    assert!(issuer.call("/v2.0/site", &format!("Bearer {token}")).await.status.is_success());
}

#[tokio::test]
async fn a_secret_works_until_it_retires_and_the_new_one_at_once() {
    let issuer = Issuer::start().await;
    let new = "a-new-secret-of-random-letters";
    let mut rotated = client(CLIENT, &[new, CLIENT_SECRET]);
    rotated.secrets[1].retires_at = Some(at(NOW + 60));
    issuer.keys.insert_client(rotated);
    for secret in [new, CLIENT_SECRET] {
        assert_eq!(issuer.ask(&basic(CLIENT, secret), GRANT).await.status, StatusCode::OK);
    }
    issuer.clock.set(NOW + 60);
    assert_eq!(issuer.ask(&basic(CLIENT, CLIENT_SECRET), GRANT).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(issuer.ask(&basic(CLIENT, new), GRANT).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_newest_key_signs_and_all_live_ones_are_published() {
    let issuer = Issuer::start().await;
    let rsa = issuer.token().await;
    let newer = new_key(TokenAlgorithm::Es256);
    let mut later = stored(&newer, "ec-2");
    later.public.not_before = Some(at(NOW + 60));
    issuer.keys.insert_signing_key(later);
    let still_rsa = issuer.token().await;
    assert_eq!(still_rsa.len(), rsa.len());
    issuer.clock.set(NOW + 60);
    let elliptic = issuer.token().await;
    assert!(KeySet::new([newer.public_key().clone()]).verify(&elliptic, &profile(), at(NOW + 60)).is_ok());
    for token in [rsa, elliptic] {
        assert!(issuer.call("/v2.0/site", &format!("Bearer {token}")).await.status.is_success());
    }
    let request = issuer.request().uri("/.well-known/jwks.json").body(Full::default()).unwrap();
    let answer = send(issuer.address, request).await;
    assert_eq!(answer.headers["content-type"], "application/jwk-set+json");
    let jwks = json(&answer);
    let names: Vec<_> =
        jwks["keys"].as_array().unwrap().iter().map(|key| (&key["kid"], &key["alg"])).collect();
    assert_eq!(names.len(), 2);
    assert_eq!(jwks["keys"][0]["kid"], "ec-2");
    assert_eq!(jwks["keys"][1]["kid"], "rsa-1");
    assert_eq!(jwks["keys"][1]["use"], "sig");
    for secret in ["d", "p", "q", "dp", "dq", "qi", "k"] {
        assert!(jwks["keys"].as_array().unwrap().iter().all(|key| key.get(secret).is_none()), "{secret}");
    }
    let mine: PublicKey = key_set().keys()[0].clone().with_key_id("rsa-1");
    assert_eq!(jwks["keys"][1], mine.jwk().unwrap());
    let request =
        issuer.request().method("POST").uri("/.well-known/jwks.json").body(Full::default()).unwrap();
    assert_eq!(send(issuer.address, request).await.status, StatusCode::METHOD_NOT_ALLOWED);
}

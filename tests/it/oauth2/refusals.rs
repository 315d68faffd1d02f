//! What a client is answered that does something wrong: RFC 6749 §5.2, and nothing that tells strangers more.

use super::{CLIENT, CLIENT_SECRET, GRANT, Issuer, basic, client, json, send};
use crate::support::{
    http::{Answer, Script, Step, store_by},
    tokens::{NOW, at, profile},
};
use countersign::{
    credential::CredentialState,
    oauth2::TokenEndpoint,
    store::{Found, StoreError},
};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::Full;
use tower::ServiceExt as _;

fn assert_refused(answer: &Answer, status: u16, error: &str, what: &str) {
    assert_eq!((answer.status.as_u16(), &json(answer)["error"]), (status, &error.into()), "{what}");
    assert_eq!(answer.headers["cache-control"], "no-store", "{what}");
    assert_eq!(answer.headers["pragma"], "no-cache", "{what}");
    assert_eq!(answer.headers["content-type"], "application/json; charset=utf-8", "{what}");
    assert_eq!(answer.headers.contains_key("www-authenticate"), status == 401, "{what}");
    let description = json(answer)["error_description"].as_str().unwrap().to_owned();
    // RFC 6749 §5.2: the characters that a description may have.
    assert!(description.bytes().all(|b| matches!(b, 0x20..=0x7e) && b != b'"' && b != b'\\'), "{what}");
}

#[tokio::test]
async fn whoever_is_not_let_in_is_told_the_same() {
    let issuer = Issuer::start().await;
    let mut clients = ["disabled", "revoked", "expired"].map(|id| client(id, &[CLIENT_SECRET]));
    clients[0].state = CredentialState::Disabled;
    clients[1].state = CredentialState::Revoked;
    clients[2].expires_at = Some(at(NOW));
    for client in clients {
        issuer.keys.insert_client(client);
    }
    let same = |answer: Answer| {
        let mut headers: HeaderMap = answer.headers.clone();
        headers.remove("date");
        let id = headers.remove("x-request-id").unwrap();
        assert_eq!(id.len(), 16);
        (answer.status, headers, answer.body)
    };
    let mut answers = Vec::new();
    for (what, authorization, form) in [
        ("a wrong secret", basic(CLIENT, "another secret of random letters"), ""),
        ("a prefix of the secret", basic(CLIENT, &CLIENT_SECRET[..CLIENT_SECRET.len() - 1]), ""),
        ("a longer secret", basic(CLIENT, &format!("{CLIENT_SECRET}=")), ""),
        ("an unknown client", basic("nobody", CLIENT_SECRET), ""),
        ("a client in small letters", basic(&CLIENT.to_lowercase(), CLIENT_SECRET), ""),
        ("an empty secret", basic(CLIENT, ""), ""),
        ("an empty client", basic("", CLIENT_SECRET), ""),
        ("a client that is no name", basic(&"k".repeat(300), CLIENT_SECRET), ""),
        ("a client with a zero byte", basic("a\0b", CLIENT_SECRET), ""),
        ("disabled", basic("disabled", CLIENT_SECRET), ""),
        ("revoked", basic("revoked", CLIENT_SECRET), ""),
        ("expired", basic("expired", CLIENT_SECRET), ""),
        ("no credentials", String::new(), ""),
        ("a client id alone", String::new(), "&client_id=K"),
        ("a wrong secret in the form", String::new(), "&client_id=K&client_secret=S"),
        ("another scheme", "Bearer abc".to_owned(), ""),
    ] {
        let answer = issuer.ask(&authorization, &format!("{GRANT}{form}")).await;
        assert_refused(&answer, 401, "invalid_client", what);
        assert_eq!(answer.headers["www-authenticate"], "Basic realm=\"token\"");
        answers.push(same(answer));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
}

#[tokio::test]
async fn a_request_that_is_not_well_formed_is_told_why() {
    let issuer = Issuer::start().await;
    let good = basic(CLIENT, CLIENT_SECRET);
    for (body, error) in [
        ("", "invalid_request"),
        ("grant_type=", "invalid_request"),
        ("grant_type=password", "unsupported_grant_type"),
        ("grant_type=client_credentials&grant_type=client_credentials", "invalid_request"),
        ("grant_type=client_credentials&grant_type=password", "invalid_request"),
        ("grant_type=client_credentials&client_id=K", "invalid_request"),
        ("grant_type=client_credentials&client_secret=S", "invalid_request"),
        ("grant_type=client_credentials&scope=everything", "invalid_scope"),
        ("grant_type=client_credentials&a=%zz", "invalid_request"),
        (r#"{"grant_type":"client_credentials"}"#, "invalid_request"),
    ] {
        assert_refused(&issuer.ask(&good, body).await, 400, error, body);
    }
    for authorization in ["Basic", "Basic !", "Basic SzpT=", "Basic SzpTUx==", "Basic bm9jb2xvbg=="] {
        let answer = issuer.ask(authorization, GRANT).await;
        let expected =
            if authorization == "Basic" { (401, "invalid_client") } else { (400, "invalid_request") };
        assert_refused(&answer, expected.0, expected.1, authorization);
    }
    let with = |name: &'static str, value: &'static str| {
        let request = issuer.request().method("POST").uri("/auth/token").header("authorization", &good);
        let form = ("content-type", "application/x-www-form-urlencoded");
        let request = match name {
            "content-type" if value.is_empty() => request,
            "content-type" => request.header(name, value),
            _ => request.header(form.0, form.1).header(name, value),
        };
        send(issuer.address, request.body(Full::from(GRANT)).unwrap())
    };
    for (name, value) in [
        ("content-type", ""),
        ("content-type", "application/json"),
        ("content-type", "multipart/form-data; boundary=x"),
        ("content-type", "application/x-www-form-urlencodedx"),
        ("content-encoding", "gzip"),
        ("authorization", "Basic SzpT"),
    ] {
        assert_refused(&with(name, value).await, 400, "invalid_request", &format!("{name}: {value}"));
    }
    let charset = with("content-type", "Application/x-www-form-urlencoded; charset=UTF-8").await;
    assert_eq!(charset.status, StatusCode::OK);
}

#[tokio::test]
async fn other_methods_and_long_bodies_are_refused() {
    let issuer = Issuer::start().await;
    for method in ["GET", "PUT", "DELETE", "OPTIONS"] {
        let request = issuer.request().method(method).uri("/auth/token").body(Full::from(GRANT)).unwrap();
        let answer = send(issuer.address, request).await;
        assert_refused(&answer, 405, "invalid_request", method);
        assert_eq!(answer.headers["allow"], "POST");
    }
    let long = format!("{GRANT}&x={}", "a".repeat(8192));
    let answer = issuer.ask(&basic(CLIENT, CLIENT_SECRET), &long).await;
    assert_refused(&answer, 413, "invalid_request", "a long body");
}

#[tokio::test]
async fn nothing_is_issued_that_cannot_be_vouched_for() {
    let post = |body: Script| {
        Request::post("/auth/token")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("authorization", basic(CLIENT, CLIENT_SECRET))
            .body(body)
            .unwrap()
    };
    let down = store_by(|_| Found::Pending(Box::pin(async { Err(StoreError::new("down")) })));
    let answer =
        TokenEndpoint::new(down, profile()).oneshot(post(Script::whole(GRANT.into()))).await.unwrap();
    let answer = Answer::read(answer).await;
    assert_refused(&answer, 503, "temporarily_unavailable", "the store is down");
    assert_eq!(answer.headers["retry-after"], "1");
    // A store that has the client, and no key.
    let keys = countersign::store::MemoryKeyStore::new();
    keys.insert_client(client(CLIENT, &[CLIENT_SECRET]));
    let answer =
        TokenEndpoint::new(keys, profile()).oneshot(post(Script::whole(GRANT.into()))).await.unwrap();
    assert_refused(&Answer::read(answer).await, 503, "temporarily_unavailable", "no key");
    let broken = Script::new([Step::Data("grant".into()), Step::Error]);
    let keys = countersign::store::MemoryKeyStore::new();
    let answer = TokenEndpoint::new(keys, profile()).oneshot(post(broken)).await.unwrap();
    assert_refused(&Answer::read(answer).await, 400, "invalid_request", "a body that breaks off");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_does_not_arrive_is_given_up() {
    let request =
        Request::post("/auth/token").body(Script::new([Step::Data("grant".into()), Step::Never])).unwrap();
    let keys = countersign::store::MemoryKeyStore::new();
    let answer = TokenEndpoint::new(keys, profile()).oneshot(request).await.unwrap();
    assert_refused(&Answer::read(answer).await, 408, "invalid_request", "never");
    let silent = store_by(|_| Found::Pending(Box::pin(std::future::pending())));
    let request = Request::post("/auth/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("authorization", basic(CLIENT, CLIENT_SECRET))
        .body(Script::whole(GRANT.into()))
        .unwrap();
    let answer = TokenEndpoint::new(silent, profile()).oneshot(request).await.unwrap();
    assert_refused(&Answer::read(answer).await, 503, "temporarily_unavailable", "silent");
}

//! No event, no answer and no `Debug` prints a client secret, a token or a private key.

use super::{CLIENT, CLIENT_SECRET, GRANT, basic, client, json, stored};
use crate::support::{
    http::{Answer, Script},
    printed::Printed,
    tokens::{KEY, NOW, profile},
};
use axum::body::Body;
use countersign::{
    VerifyLayer,
    clock::ManualClock,
    middleware::VerifiedBody,
    oauth2::TokenEndpoint,
    store::MemoryKeyStore,
    verify::{BearerVerifier, ReadTokenVerifier},
};
use http::{Request, Response};
use std::{convert::Infallible, sync::Arc};
use tower::{Layer as _, ServiceExt as _};

#[tokio::test]
async fn tokens_and_secrets_are_not_printed_and_what_happened_is() {
    let keys = Arc::new(MemoryKeyStore::with_clock(ManualClock::at(NOW)));
    keys.insert_client(client(CLIENT, &["a-newer-secret-of-random-letters", CLIENT_SECRET]));
    keys.insert_signing_key(stored(&KEY, "rsa-1"));
    let endpoint = TokenEndpoint::new(Arc::clone(&keys), profile()).with_clock(ManualClock::at(NOW));
    let bearer = BearerVerifier::new(Arc::clone(&keys), profile()).with_clock(ManualClock::at(NOW));
    let printed = Printed::default();
    let listening = printed.listen();
    let ask = |secret: &str| {
        let request = Request::post("/auth/token")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("authorization", basic(CLIENT, secret))
            .body(Script::whole(GRANT.into()))
            .unwrap();
        endpoint.clone().oneshot(request)
    };
    let issued = json(&Answer::read(ask(CLIENT_SECRET).await.unwrap()).await);
    let token = issued["access_token"].as_str().unwrap().to_owned();
    let wrong = "a-wrong-secret-of-random-letters";
    Answer::read(ask(wrong).await.unwrap()).await;
    let debug = format!("{endpoint:?} {bearer:?} {keys:?} {:?}", ReadTokenVerifier::new(Arc::clone(&keys)));
    let layer = VerifyLayer::new(bearer);
    for token in [token.clone(), format!("{token}AAAA"), "opaque-token-of-letters".to_owned()] {
        let handler = tower::service_fn(async |request: Request<VerifiedBody>| {
            Ok::<_, Infallible>(Response::new(Body::new(request.into_body())))
        });
        let request =
            Request::get("/").header("host", "a").header("authorization", format!("Bearer {token}"));
        let request = request.body(Script::default()).unwrap();
        drop(layer.layer(handler).oneshot(request).await.unwrap());
    }
    drop(listening);
    let text = printed.text();
    let signature = token.rsplit_once('.').unwrap().1;
    for unprintable in
        [CLIENT_SECRET, wrong, signature, "opaque-token-of-letters", &basic(CLIENT, wrong)[6..]]
    {
        assert!(!text.contains(unprintable) && !debug.contains(unprintable), "{unprintable}");
    }
    let events: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> = events.iter().map(|event| event["fields"]["outcome"].as_str().unwrap()).collect();
    assert_eq!(told, ["ok_previous_secret", "bad_signature", "ok", "bad_signature", "malformed"]);
    assert_eq!(events[0]["fields"]["client_id"], CLIENT);
    assert_eq!(events[0]["fields"]["secret"], 1);
    assert_eq!(events[1]["fields"]["oauth.error"], "invalid_client");
    assert_eq!(events[2]["fields"]["key_id"], CLIENT);
}

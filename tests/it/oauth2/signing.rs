//! Where tokens are signed, which is not where requests are answered; and when they are not.

use super::{CLIENT, CLIENT_SECRET, GRANT, basic, client, stored};
use crate::support::{
    http::{Provider, echo, layer, poll_once, store_by},
    tokens::{KEY, NOW, at, profile},
};
use bytes::Bytes;
use countersign::{
    clock::ManualClock,
    oauth2::TokenEndpoint,
    store::{Found, KeyStore as _, Lookup, MemoryKeyStore, Record},
};
use http::{Request, StatusCode};
use http_body_util::Full;
use std::{
    pin::pin,
    sync::{Arc, mpsc},
};
use tokio::{runtime::Builder, task::spawn_blocking};
use tower::ServiceExt as _;

fn request() -> Request<Full<Bytes>> {
    let request = Request::post("/auth/token").header("content-type", "application/x-www-form-urlencoded");
    let request = request.header("authorization", basic(CLIENT, CLIENT_SECRET));
    request.body(Full::new(Bytes::from(GRANT))).unwrap()
}

#[test]
fn a_token_that_is_being_signed_delays_nobody() {
    let runtime = Builder::new_current_thread().max_blocking_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let clock = Arc::new(ManualClock::at(NOW));
        let keys = MemoryKeyStore::with_clock(Arc::clone(&clock));
        keys.insert_client(client(CLIENT, &[CLIENT_SECRET]));
        keys.insert_signing_key(stored(&KEY, "rsa-1"));
        let endpoint = TokenEndpoint::new(keys, profile()).with_clock(clock);
        let request = request();
        // The only thread on which anything may take its time is taken.
        let (release, released) = mpsc::channel::<()>();
        let busy = spawn_blocking(move || released.recv());
        let mut token = pin!(endpoint.oneshot(request));
        let app = echo(&layer(Provider::Corezoid));
        for _ in 0..100 {
            assert!(poll_once(&mut token).await.is_pending(), "the token is signed by whoever answers");
            let request = Provider::Corezoid.signed("{}").map(Full::new);
            assert_eq!(app.clone().oneshot(request).await.unwrap().status(), StatusCode::OK);
        }
        release.send(()).unwrap();
        busy.await.unwrap().unwrap();
        assert_eq!(token.await.unwrap().status(), StatusCode::OK);
    });
}

#[tokio::test]
async fn a_key_that_has_retired_or_does_not_sign_yet_signs_nothing() {
    for (not_before, retires_at, status) in [
        (None, None, StatusCode::OK),
        (Some(NOW), Some(NOW + 1), StatusCode::OK),
        (None, Some(NOW), StatusCode::SERVICE_UNAVAILABLE),
        (Some(NOW + 1), None, StatusCode::SERVICE_UNAVAILABLE),
    ] {
        let clients = MemoryKeyStore::new();
        clients.insert_client(client(CLIENT, &[CLIENT_SECRET]));
        let mut key = stored(&KEY, "rsa-1");
        key.public.not_before = not_before.map(at);
        key.public.retires_at = retires_at.map(at);
        // A store that still knows what was so a while ago.
        let store = store_by(move |lookup| match lookup {
            Lookup::SigningKey => Found::Ready(Some(Record::SigningKey(key.clone().into()))),
            other => clients.find(other),
        });
        let endpoint = TokenEndpoint::new(store, profile()).with_clock(ManualClock::at(NOW));
        let answer = endpoint.oneshot(request()).await.unwrap();
        assert_eq!(answer.status(), status, "{not_before:?} {retires_at:?}");
    }
}

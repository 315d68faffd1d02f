//! Where tokens are signed: not where requests are answered.

use super::{CLIENT, CLIENT_SECRET, GRANT, basic, client, stored};
use crate::support::{
    http::{Provider, echo, layer, poll_once},
    tokens::{KEY, NOW, profile},
};
use bytes::Bytes;
use countersign::{clock::ManualClock, oauth2::TokenEndpoint, store::MemoryKeyStore};
use http::{Request, StatusCode};
use http_body_util::Full;
use std::{
    pin::pin,
    sync::{Arc, mpsc},
};
use tokio::{runtime::Builder, task::spawn_blocking};
use tower::ServiceExt as _;

#[test]
fn a_token_that_is_being_signed_delays_nobody() {
    let runtime = Builder::new_current_thread().max_blocking_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let clock = Arc::new(ManualClock::at(NOW));
        let keys = MemoryKeyStore::with_clock(Arc::clone(&clock));
        keys.insert_client(client(CLIENT, &[CLIENT_SECRET]));
        keys.insert_signing_key(stored(&KEY, "rsa-1"));
        let endpoint = TokenEndpoint::new(keys, profile()).with_clock(clock);
        let request = Request::post("/auth/token")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("authorization", basic(CLIENT, CLIENT_SECRET))
            .body(Full::new(Bytes::from(GRANT)))
            .unwrap();
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

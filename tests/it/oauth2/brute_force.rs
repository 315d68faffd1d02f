//! Guessing: strangers are slowed down, and the owner of the right secret never is.

use super::{CLIENT, CLIENT_SECRET, GRANT, Issuer, basic};
use crate::support::tokens::NOW;
use http::StatusCode;

#[tokio::test]
async fn failures_are_limited_and_the_right_secret_never_is() {
    let issuer = Issuer::start().await;
    issuer.clock.set(NOW - NOW % 60);
    let guess = |id: &'static str| async { issuer.ask(&basic(id, "guess-of-random-letters"), GRANT).await };
    for _ in 0..10 {
        assert_eq!(guess(CLIENT).await.status, StatusCode::UNAUTHORIZED);
    }
    for second in [0, 30, 59] {
        issuer.clock.set(NOW - NOW % 60 + second);
        let answer = guess(CLIENT).await;
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer.headers["retry-after"], (60 - second).to_string());
        let right = issuer.ask(&basic(CLIENT, CLIENT_SECRET), GRANT).await;
        assert_eq!(right.status, StatusCode::OK, "the right secret is let in");
    }
    assert_eq!(guess("another").await.status, StatusCode::UNAUTHORIZED);
    issuer.clock.set(NOW - NOW % 60 + 60);
    assert_eq!(guess(CLIENT).await.status, StatusCode::UNAUTHORIZED);
}

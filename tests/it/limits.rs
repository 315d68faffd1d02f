//! What a request may cost before it is verified: bytes, time, and turns on a thread that others share.

use crate::support::http::{
    Answer, App, Provider, SECRET, Script, Slow, Step, echo, keys, layer, poll_once, send, store_by, upload,
};
use bytes::Bytes;
use countersign::{
    SignatureVerifier, VerifyLayer,
    credential::SecretVersion,
    error::VerifyErrorKind as Kind,
    scheme::Ateliere,
    store::{Found, KeyStore, MemoryKeyStore},
};
use http::{
    HeaderValue, Request, StatusCode,
    header::{CONTENT_ENCODING, HOST},
};
use std::{
    future::pending,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake},
    time::Duration,
};
use tokio::time::{Instant, advance};
use tower::{Layer as _, ServiceExt as _};
use tower_http::{body::Limited, limit::RequestBodyLimitLayer};

const CLIENT: Provider = Provider::Corezoid;

async fn ask<B>(app: App<B>, request: Request<B>) -> Answer {
    Answer::read(app.oneshot(request).await.unwrap()).await
}

/// A signed request whose body arrives in these steps.
fn arriving(body: impl Into<Bytes>, steps: impl IntoIterator<Item = Step>) -> Request<Script> {
    CLIENT.signed(body).map(|_| Script::new(steps))
}

#[tokio::test]
async fn a_body_is_as_long_as_the_limit_and_no_longer() {
    let data = |len: usize| Step::Data(vec![b'a'; len].into());
    let script = |announced, steps: &[Step]| Script::announcing(announced, steps.iter().cloned());
    for (body, steps, expected) in [
        (100, script(0, &[data(100)]), None),
        (100, script(100, &[data(40), Step::Later, data(60)]), None),
        (101, script(0, &[data(101), Step::Untouchable]), Some(Kind::BodyTooLarge)),
        (120, script(0, &[data(60), Step::Later, data(60), Step::Untouchable]), Some(Kind::BodyTooLarge)),
        // Longer than it may be, by its own word: not a byte of it is read.
        (101, script(101, &[Step::Untouchable]), Some(Kind::BodyTooLarge)),
        (0, script(u64::MAX, &[Step::Untouchable]), Some(Kind::BodyTooLarge)),
    ] {
        let app = echo(&layer(CLIENT).with_body_limit(100));
        let answer = ask(app, CLIENT.signed(vec![b'a'; body]).map(|_| steps)).await;
        assert_eq!(answer.kind, expected, "{body}");
        let status = if expected.is_some() { StatusCode::PAYLOAD_TOO_LARGE } else { StatusCode::OK };
        assert_eq!(answer.status, status, "{body}");
    }
}

#[tokio::test]
async fn an_encoded_body_is_refused_unread() {
    for (encodings, accepted) in [
        (&["gzip"][..], false),
        (&["br"], false),
        (&["identity, gzip"], false),
        (&["identity", "gzip"], false),
        (&["identity, identity"], false),
        (&[""], false),
        (&["\u{e9}"], false),
        (&["identity"], true),
        (&["Identity"], true),
        (&["identity", "identity"], true),
        (&[], true),
    ] {
        let mut request = CLIENT.signed("{}");
        for encoding in encodings {
            request.headers_mut().append(CONTENT_ENCODING, HeaderValue::from_str(encoding).unwrap());
        }
        let steps = if accepted { Step::Data("{}".into()) } else { Step::Untouchable };
        let answer = ask(echo(&layer(CLIENT)), request.map(|_| Script::new([steps]))).await;
        assert_eq!(answer.kind, (!accepted).then_some(Kind::UnsupportedEncoding), "{encodings:?}");
        assert_eq!(answer.status.as_u16(), if accepted { 200 } else { 415 }, "{encodings:?}");
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_malformed_and_left_alone() {
    for steps in [vec![Step::Error], vec![Step::Data("{}".into()), Step::Later, Step::Error]] {
        let answer = ask(echo(&layer(CLIENT)), arriving("{}", steps)).await;
        assert_eq!((answer.status, answer.kind), (StatusCode::BAD_REQUEST, Some(Kind::MalformedMessage)));
    }
}

#[tokio::test]
async fn a_body_that_somebody_further_out_finds_too_long_is_too_long() {
    let app = RequestBodyLimitLayer::new(100).layer(echo::<Limited<Script>>(&layer(CLIENT)));
    let steps = [Step::Data("a".repeat(60).into()), Step::Later, Step::Data("a".repeat(60).into())];
    let answer = app.oneshot(arriving("a".repeat(120), steps)).await.unwrap();
    let answer = Answer::read(answer).await;
    assert_eq!((answer.status, answer.kind), (StatusCode::PAYLOAD_TOO_LARGE, Some(Kind::BodyTooLarge)));
}

#[tokio::test(start_paused = true)]
async fn a_body_may_pause_for_less_than_the_idle_timeout() {
    let begin = Instant::now();
    let (sender, body) = upload();
    let answer = tokio::spawn(ask(echo(&layer(CLIENT)), CLIENT.signed("abcdef").map(|_| body)));
    for byte in ["a", "b", "c", "d", "e", "f"] {
        tokio::time::sleep(Duration::from_secs(9)).await;
        sender.send(byte.into()).unwrap();
    }
    drop(sender);
    let answer = answer.await.unwrap();
    assert_eq!((answer.text(), begin.elapsed().as_secs()), ("abcdef", 54));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stops_arriving_is_timed_out() {
    for steps in [vec![Step::Never], vec![Step::Data("{}".into()), Step::Later, Step::Never]] {
        let begin = Instant::now();
        let app = echo(&layer(CLIENT).with_idle_timeout(Duration::from_secs(7)));
        let answer = ask(app, arriving("{}", steps)).await;
        assert_eq!((answer.status, answer.kind), (StatusCode::REQUEST_TIMEOUT, Some(Kind::Timeout)));
        assert_eq!(begin.elapsed().as_secs(), 7);
    }
}

#[tokio::test(start_paused = true)]
async fn frames_without_data_are_a_pause_too() {
    let endless = arriving("{}", [Step::Data("{}".into()), Step::EmptyForEver]);
    let answer = tokio::spawn(ask(echo(&layer(CLIENT)), endless));
    // The task is never idle, so that time stands still unless it is moved.
    tokio::task::yield_now().await;
    advance(Duration::from_secs(9)).await;
    assert!(!answer.is_finished());
    advance(Duration::from_secs(2)).await;
    assert_eq!(answer.await.unwrap().kind, Some(Kind::Timeout));
}

#[tokio::test(start_paused = true)]
async fn our_own_backlog_is_not_a_pause() {
    let body = vec![b'a'; 1 << 20];
    let layer = layer(CLIENT).with_idle_timeout(Duration::from_secs(1));
    let mut answer = Box::pin(ask(echo(&layer), CLIENT.signed(body).map(Script::whole)));
    let answer = loop {
        match poll_once(&mut answer).await {
            Poll::Ready(answer) => break answer,
            // As if other tasks had the thread for an hour between any two of its turns.
            Poll::Pending => advance(Duration::from_secs(3600)).await,
        }
    };
    assert_eq!(answer.status, StatusCode::OK);
}

/// A store that answers at once, but for the second question never.
fn silent_when_asked_again() -> impl KeyStore {
    let (keys, asked) = (keys(), AtomicUsize::new(0));
    store_by(move |lookup| match asked.fetch_add(1, Ordering::Relaxed) {
        1 => Found::Pending(Box::pin(pending())),
        _ => keys.find(lookup),
    })
}

#[tokio::test(start_paused = true)]
async fn the_store_may_take_its_time_but_not_for_ever() {
    let begin = Instant::now();
    let silent = store_by(|_| Found::Pending(Box::pin(pending())));
    let layer = VerifyLayer::new(CLIENT.verifier(silent)).with_store_timeout(Duration::from_secs(3));
    let answer = ask(echo(&layer), arriving("{}", [Step::Untouchable])).await;
    assert_eq!((answer.status.as_u16(), answer.kind), (503, Some(Kind::StoreUnavailable)));
    assert_eq!(begin.elapsed().as_secs(), 3);

    // Silent only when it is asked once more, after the body.
    let layer = VerifyLayer::new(CLIENT.verifier(silent_when_asked_again()));
    let begin = Instant::now();
    let answer = ask(echo(&layer), arriving("{}", [Step::Later, Step::Data("{}".into())])).await;
    assert_eq!((answer.status.as_u16(), answer.kind), (503, Some(Kind::StoreUnavailable)));
    assert_eq!(begin.elapsed().as_secs(), 5);
}

#[tokio::test]
async fn only_the_request_too_many_is_turned_away() {
    let layer = layer(CLIENT).with_held_limit(1000);
    let begin = |first: usize| {
        let (sender, body) = upload();
        let request = CLIENT.signed(vec![b'a'; 800]).map(|_| body);
        sender.send(vec![b'a'; first].into()).unwrap();
        (sender, Box::pin(ask(echo(&layer), request)))
    };
    let (early, mut first) = begin(700);
    assert!(poll_once(&mut first).await.is_pending());
    let (_late, mut second) = begin(400);
    let Poll::Ready(refused) = poll_once(&mut second).await else { panic!("over the limit") };
    assert_eq!((refused.status.as_u16(), refused.kind), (503, Some(Kind::Overloaded)));
    assert_eq!(refused.headers["retry-after"], "1");
    // Who holds bytes already goes on undisturbed, and takes what is free.
    assert!(poll_once(&mut first).await.is_pending());
    early.send(vec![b'a'; 100].into()).unwrap();
    drop(early);
    assert_eq!(first.await.status, StatusCode::OK);
    // Everything is free again.
    let (late, mut third) = begin(800);
    assert!(poll_once(&mut third).await.is_pending());
    drop(late);
    assert_eq!(third.await.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn held_bytes_are_released_however_a_request_ends() {
    let thousand = || Step::Data(vec![b'a'; 1000].into());
    let ends: [(&str, Vec<Step>); 6] = [
        ("dropped", vec![thousand(), Step::Never]),
        ("timed out", vec![thousand(), Step::Never]),
        ("broken off", vec![thousand(), Step::Later, Step::Error]),
        ("too large", vec![thousand(), Step::Later, Step::Data(vec![b'a'; 4000].into())]),
        ("wrong", vec![thousand(), Step::Later]),
        ("passed", vec![thousand(), Step::Later, Step::Data("b".into())]),
    ];
    let layer = layer(CLIENT).with_held_limit(1001).with_body_limit(4096);
    let body = [vec![b'a'; 1000], vec![b'b']].concat();
    for (end, steps) in ends {
        let mut answer = Box::pin(ask(echo(&layer), arriving(body.clone(), steps)));
        assert!(poll_once(&mut answer).await.is_pending(), "{end}");
        if end == "dropped" {
            drop(answer);
        } else {
            assert_eq!(answer.await.status == StatusCode::OK, end == "passed", "{end}");
        }
        let whole = arriving(body.clone(), [Step::Data(body.clone().into()), Step::Later]);
        assert_eq!(ask(echo(&layer), whole).await.status, StatusCode::OK, "after: {end}");
    }
    // Dropped while the store is asked once more.
    let layer = VerifyLayer::new(CLIENT.verifier(silent_when_asked_again())).with_held_limit(1001);
    let steps = || [thousand(), Step::Later, Step::Data("b".into())];
    let mut deciding = Box::pin(ask(echo(&layer), arriving(body.clone(), steps())));
    for _ in 0..3 {
        assert!(poll_once(&mut deciding).await.is_pending());
    }
    drop(deciding);
    assert_eq!(ask(echo(&layer), arriving(body, steps())).await.status, StatusCode::OK);
}

/// A waker that remembers.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// How many turns a request takes; after each one its task must have been woken.
fn turns(layer: &VerifyLayer, request: Request<Script>) -> (usize, StatusCode) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _guard = runtime.enter();
    let mut answer = pin!(ask(echo(layer), request));
    let woken = Arc::new(Woken::default());
    for turn in 1.. {
        let before = woken.0.load(Ordering::Relaxed);
        match answer.as_mut().poll(&mut Context::from_waker(&Arc::clone(&woken).into())) {
            Poll::Ready(answer) => return (turn, answer.status),
            Poll::Pending => assert!(woken.0.load(Ordering::Relaxed) > before, "nobody would poll again"),
        }
    }
    unreachable!()
}

#[test]
fn a_turn_hashes_sixteen_kibibytes_whatever_the_frames() {
    const TURN: usize = 16 << 10;
    let whole = |len: usize| CLIENT.signed(vec![b'a'; len]).map(Script::whole);
    let single = layer(CLIENT).with_body_limit(4 << 20);
    let keys = |secrets: i64| {
        let keys = MemoryKeyStore::new();
        let mut credential = CLIENT.credential();
        credential.secrets = (1..=secrets).map(|n| SecretVersion::new(n, CLIENT.mac_key(SECRET))).collect();
        keys.insert(CLIENT.name(), CLIENT.key_id(), credential);
        VerifyLayer::new(CLIENT.verifier(keys)).with_body_limit(4 << 20)
    };
    assert_eq!(turns(&single, whole(0)), (1, StatusCode::OK));
    assert_eq!(turns(&single, whole(TURN - 64)), (1, StatusCode::OK));
    // A body that does not say where it ends is asked once more, in the next turn.
    assert_eq!(turns(&single, whole(TURN)), (2, StatusCode::OK));
    assert_eq!(turns(&single, whole(2 << 20)), (129, StatusCode::OK));
    assert_eq!(turns(&keys(2), whole(1 << 20)), (129, StatusCode::OK), "two secrets share a turn");
    // However many secrets there are, a turn gets somewhere.
    assert_eq!(turns(&keys(300), whole(0)), (2, StatusCode::OK));
    // Tiny frames count as 64 bytes.
    let bytes = vec![Step::Data("a".into()); 4096];
    assert_eq!(turns(&single, arriving(vec![b'a'; 4096], bytes)), (17, StatusCode::OK));
    // Other spellings of what Ateliere signs take turns as well: 64 for the first, then 128 for each two. An unknown key
    // takes as many.
    let layer = layer(Provider::Ateliere);
    for (key_id, secret) in
        [(Provider::Ateliere.key_id(), "wrong"), (Provider::Ateliere.unknown_key_id(), SECRET)]
    {
        let request = Provider::Ateliere.signed_with(key_id, secret, vec![b'a'; 1 << 20]);
        assert_eq!(
            turns(&layer, request.map(Script::whole)),
            (64 + 128, StatusCode::UNAUTHORIZED),
            "{key_id}"
        );
    }
}

/// The dearest request of a stranger: as many spellings as there can be, all of them wrong. Whatever is hashed is paid in
/// turns of 16 KiB, so that these say how much it was.
#[test]
fn a_wrong_signature_has_the_body_hashed_four_times_more() {
    const BODY: usize = 1 << 20;
    let scheme = Ateliere::default().with_public_url("https://127.0.0.1").unwrap();
    let layer = VerifyLayer::new(SignatureVerifier::new(scheme, keys())).with_body_limit(BODY as u64);
    for (key_id, secret) in
        [(Provider::Ateliere.key_id(), "wrong"), (Provider::Ateliere.unknown_key_id(), SECRET)]
    {
        let mut request = Provider::Ateliere.signed_with(key_id, secret, vec![b'a'; BODY]);
        // Without the slash, with a question mark, without either, and with the port.
        *request.uri_mut() = "/".parse().unwrap();
        request.headers_mut().insert(HOST, HeaderValue::from_static("127.0.0.1"));
        let (turns, status) = turns(&layer, request.map(Script::whole));
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        // Where the first two spellings end and the next two begin, one poll takes two turns.
        assert_eq!((turns + 1) * (16 << 10), (1 + 4) * BODY, "{key_id}");
    }
}

#[tokio::test]
async fn a_trickle_of_tiny_frames_arrives_whole() {
    let body: Vec<u8> = (0..100_000_u32).map(|n| b'a' + u8::try_from(n % 26).unwrap_or_default()).collect();
    // Each byte is cut from a buffer of its own.
    let trickle = body.iter().flat_map(|byte| {
        let buffer = Bytes::from(vec![*byte; 512]);
        [Step::Data(buffer.slice(7..8)), Step::Later]
    });
    for store in ["ready", "slow"] {
        let verifier = match store {
            "ready" => CLIENT.verifier(keys()),
            _ => CLIENT.verifier(Slow(keys())),
        };
        let app = echo(&VerifyLayer::new(verifier));
        let answer = ask(app, arriving(body.clone(), trickle.clone())).await;
        assert_eq!(answer.body, body, "{store}");
    }
    assert_eq!(send(echo(&layer(CLIENT)), CLIENT.signed(body.clone())).await.body, body);
}

//! Signed requests get through to our own verifiers, over real sockets: by hand over hyper, behind the layer, and with
//! `reqwest`.

use crate::support::http::{NOW, Provider, SECRET, keys};
use axum::{Router, body::Body};
use bytes::Bytes;
use countersign::{
    SignatureVerifier, Verified, VerifyLayer,
    client::{ClientError, ClientErrorKind},
    clock::ManualClock,
    error::SignError,
    scheme::{Ateliere, Corezoid, SalesCloudWebhook},
    secret::Secret,
    sign::{SignLayer, Signer},
};
use http::{HeaderValue, Request, StatusCode, Uri, Version, header::HOST};
use http_body::Frame;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use reqwest::{Client, multipart::Form};
use sha2::{Digest as _, Sha256};
use std::{
    collections::VecDeque,
    convert::Infallible,
    error::Error,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::net::{TcpListener, TcpStream};
use tower::{Layer as _, Service as _, ServiceExt as _, service_fn};

type BoxError = Box<dyn Error + Send + Sync>;

/// A server that knows a key of every scheme, and a clock that it shares with its clients.
struct Server {
    provider: Provider,
    address: SocketAddr,
    clock: Arc<ManualClock>,
}

impl Server {
    async fn start(provider: Provider) -> Self {
        let clock = Arc::new(ManualClock::at(NOW));
        let verifier = match provider {
            Provider::Ateliere => SignatureVerifier::new(Ateliere::default().with_plain_http(), keys()),
            Provider::SalesCloudWebhook => {
                SignatureVerifier::new(SalesCloudWebhook::default().with_plain_http(), keys())
            }
            _ => provider.verifier(keys()),
        };
        let layer = VerifyLayer::new(verifier.with_clock(Arc::clone(&clock)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().fallback(receipt).layer(layer);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { provider, address, clock }
    }

    fn signer(&self) -> Signer {
        self.provider.signer(self.provider.key_id(), SECRET).with_clock(Arc::clone(&self.clock))
    }

    fn request(&self, target: &str, body: &Bytes) -> Request<Bytes> {
        Request::post(format!("http://{}{target}", self.address)).body(body.clone()).unwrap()
    }

    /// Whether a scheme of this server signs a time.
    fn is_timed(&self) -> bool {
        !matches!(self.provider, Provider::Ateliere | Provider::SalesCloud)
    }
}

/// Says who sent what.
async fn receipt(caller: Verified, body: Bytes) -> String {
    receipt_of(caller.scheme(), &body)
}

fn receipt_of(scheme: &str, body: &[u8]) -> String {
    format!("{scheme} {}", hex::encode(Sha256::digest(body)))
}

/// Sends a request as clients of hyper do: the target without its authority, which goes into `Host`.
async fn hyper(mut request: Request<Full<Bytes>>) -> Result<(StatusCode, String), BoxError> {
    let authority = request.uri().authority().unwrap().clone();
    let target = request.uri().path_and_query().unwrap().clone();
    request.headers_mut().entry(HOST).or_insert(HeaderValue::from_str(authority.as_str())?);
    *request.uri_mut() = Uri::from(target);
    *request.version_mut() = Version::HTTP_11;
    let stream = TcpStream::connect(authority.as_str()).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let (head, body) = sender.send_request(request).await?.into_parts();
    Ok((head.status, String::from_utf8(body.collect().await?.to_bytes().into())?))
}

async fn read(answer: Result<reqwest::Response, ClientError>) -> (StatusCode, String) {
    let answer = answer.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

/// Where requests of a provider's may go, as they are typed; the last ones only into a client that knows URLs.
fn targets(provider: Provider) -> (&'static [&'static str], &'static [&'static str]) {
    match provider {
        Provider::Ateliere | Provider::SalesCloudWebhook => (
            &[
                "/",
                "",
                "/?",
                "/graphql?a=1&b=%7B%22%7D&&c",
                "/a/../b//c/./",
                "/%2F%c3%a9/~!$&'()*+,;=:@",
                "/graphql?",
                "/?a?b/c",
            ],
            &["/grÄph/é?q=ü 'x'", "/a b#fragment", "/a/../b/%2e%2e/c", "?q", "/\u{1F600}", "\\graphql"],
        ),
        Provider::Corezoid => (&["/api/2/json", "/api/1/json", "/api/2/json/"], &["/api/./2/x/../json#f"]),
        Provider::CorezoidCallback | Provider::SalesCloud => (&["/", ""], &["/#fragment", "/a/.."]),
    }
}

/// Nothing, ASCII, text, much, and what is no text.
fn bodies() -> [Bytes; 5] {
    let text = r#"{"n":"Þórður 😀 \u2028\"","b":"</>"}"#;
    [
        "".into(),
        "{}".into(),
        text.into(),
        text.repeat(20_000).into(),
        vec![0xff, 0, 0xc3, b'\r', b'\n'].into(),
    ]
}

#[tokio::test]
async fn what_is_signed_is_accepted_however_it_is_sent() {
    for provider in Provider::ALL {
        let server = Server::start(provider).await;
        let signer = server.signer();
        let mut layered = SignLayer::new(signer.clone()).layer(service_fn(hyper));
        let http = Client::builder().no_proxy().build().unwrap();
        let (plain, typed) = targets(provider);
        let mut count = 0;
        // Ateliere signs text only.
        let bodies = bodies()
            .into_iter()
            .filter(|body| provider != Provider::Ateliere || std::str::from_utf8(body).is_ok());
        for body in bodies {
            let expected = (StatusCode::OK, receipt_of(provider.name(), &body));
            for target in plain {
                let mut request = server.request(target, &body);
                signer.sign(&mut request).unwrap();
                let by_hand = hyper(request.map(Full::new)).await.unwrap();
                assert_eq!(by_hand, expected, "{provider:?} {target} by hand");
                let layered = layered.ready().await.unwrap();
                let request = server.request(target, &body).map(Full::new);
                assert_eq!(layered.call(request).await.unwrap(), expected, "{provider:?} {target} layered");
            }
            for target in plain.iter().chain(typed) {
                let request = http.post(format!("http://{}{target}", server.address));
                let answer = read(signer.send(request.body(body.clone())).await).await;
                assert_eq!(answer, expected, "{provider:?} {target} by reqwest");
                count += 1;
            }
        }
        let kinds = if provider == Provider::Ateliere { 4 } else { 5 };
        assert_eq!(count, kinds * (plain.len() + typed.len()));
        // No body is the empty body.
        let none = read(signer.send(http.post(format!("http://{}{}", server.address, plain[0]))).await).await;
        assert_eq!(none, (StatusCode::OK, receipt_of(provider.name(), b"")), "{provider:?}");
    }
}

#[tokio::test]
async fn every_attempt_is_signed_anew() {
    for provider in Provider::ALL {
        let server = Server::start(provider).await;
        let body = Bytes::from("{}");
        let signer = server.signer();
        let mut layered = SignLayer::new(signer.clone()).layer(service_fn(hyper));
        let request = server.request(provider.path(), &body).map(Full::new);
        let mut first = server.request(provider.path(), &body);
        signer.sign(&mut first).unwrap();
        let http = Client::builder().no_proxy().build().unwrap();
        let mut by_reqwest = http.post(format!("http://{}{}", server.address, provider.path())).body("{}");
        for _ in 0..3 {
            let layered = layered.ready().await.unwrap();
            assert_eq!(layered.call(request.clone()).await.unwrap().0, StatusCode::OK, "{provider:?}");

            // Signed on top of what was signed before.
            let mut again = first.clone();
            signer.sign(&mut again).unwrap();
            assert_eq!(again.headers().len(), first.headers().len());
            assert_eq!(again.uri().to_string().len(), first.uri().to_string().len());
            assert_eq!(hyper(again.map(Full::new)).await.unwrap().0, StatusCode::OK, "{provider:?}");

            let mut again = by_reqwest.build().unwrap();
            signer.sign_reqwest(&mut again).unwrap();
            let answer = http.execute(again.try_clone().unwrap()).await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK, "{provider:?}");
            by_reqwest = reqwest::RequestBuilder::from_parts(http.clone(), again);

            server.clock.advance(Duration::from_secs(400));
        }
        // What was signed at first is too old, where a time is signed.
        let status = hyper(first.map(Full::new)).await.unwrap().0;
        assert_eq!(status == StatusCode::UNAUTHORIZED, server.is_timed(), "{provider:?}");
    }
}

#[tokio::test]
async fn another_host_in_the_header_is_the_one_that_is_signed() {
    for provider in [Provider::Ateliere, Provider::SalesCloudWebhook] {
        let server = Server::start(provider).await;
        let mut request = server.request("/graphql", &"{}".into());
        request.headers_mut().insert(HOST, HeaderValue::from_static("api.example.test"));
        server.signer().sign(&mut request).unwrap();
        assert_eq!(hyper(request.map(Full::new)).await.unwrap().0, StatusCode::OK, "{provider:?}");
        let http = Client::builder().no_proxy().build().unwrap();
        let request =
            http.post(format!("http://{}/graphql", server.address)).header(HOST, "api.example.test");
        assert_eq!(read(server.signer().send(request).await).await.0, StatusCode::OK, "{provider:?}");
    }
}

#[tokio::test]
async fn a_request_that_cannot_be_signed_stays_as_it_is_and_is_not_sent() {
    let ateliere = || Provider::Ateliere.signer("pk_test_5e1f", SECRET);
    let callback = |key_id: &str| Provider::CorezoidCallback.signer(key_id, SECRET);
    let secret = Secret::new(SECRET).unwrap();
    let table: [(Signer, &str, &[u8]); 8] = [
        (ateliere(), "http://a.test/", b"\xff"),
        (ateliere().with_organization("a\nb"), "http://a.test/", b"{}"),
        (Signer::new(Ateliere::default(), "pk", &secret), "http://a.test/", b"{}"),
        (Provider::Corezoid.signer("a/b", SECRET), "http://a.test/api/2/json", b"{}"),
        (Provider::SalesCloud.signer("a\nb", SECRET), "http://a.test/", b"{}"),
        (callback("/other"), "http://a.test/", b"{}"),
        (Provider::SalesCloudWebhook.signer("k", SECRET), "http://a.test/?a={}", b"{}"),
        (Provider::SalesCloudWebhook.signer("é\n", SECRET), "http://a.test/", b"{}"),
    ];
    for (signer, url, body) in table {
        let unsigned = Request::post(url).header("x-kept", "1").body(Bytes::copy_from_slice(body)).unwrap();
        let mut request = unsigned.clone();
        signer.sign(&mut request).unwrap_err();
        assert_eq!(request.uri(), unsigned.uri());
        assert_eq!(request.headers(), unsigned.headers());

        let mut request = Client::new().post(url).header("x-kept", "1").body(body.to_vec()).build().unwrap();
        signer.sign_reqwest(&mut request).unwrap_err();
        assert_eq!((request.url().as_str(), request.headers()), (url, unsigned.headers()));

        let sent = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&sent);
        let client = service_fn(move |_: Request<Full<Bytes>>| {
            count.fetch_add(1, Ordering::Relaxed);
            async { Ok::<_, Infallible>(()) }
        });
        let error = SignLayer::new(signer).layer(client).oneshot(unsigned.map(Full::new)).await.unwrap_err();
        assert!(error.is::<SignError>() && sent.load(Ordering::Relaxed) == 0, "{error}");
    }
    // A login that a URL would swallow.
    let mut request = Client::new().post("http://a.test/api/2/json").build().unwrap();
    Provider::Corezoid.signer("..", SECRET).sign_reqwest(&mut request).unwrap_err();
    assert_eq!(request.url().as_str(), "http://a.test/api/2/json");
}

#[tokio::test]
async fn a_stream_is_refused_by_reqwest_and_collected_by_the_layer() {
    let server = Server::start(Provider::SalesCloudWebhook).await;
    let url = format!("http://{}/hook", server.address);
    let form = Client::new().post(&url).multipart(Form::new().text("a", "b"));
    let error = server.signer().send(form).await.unwrap_err();
    assert_eq!(error.kind(), ClientErrorKind::Sign);
    let cause = error.source().unwrap().to_string();
    assert!(cause.contains("stream"), "{cause}");

    let send = service_fn(async |request: Request<Body>| {
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        hyper(Request::from_parts(head, Full::new(body))).await
    });
    let client = SignLayer::new(server.signer()).with_body_limit(20).layer(send);
    let data = |text: &'static str| Ok(Frame::data(Bytes::from_static(text.as_bytes())));
    let trailers = || Ok(Frame::trailers(http::HeaderMap::new()));
    let broken = || Err(io::Error::other("disk on fire"));
    for (frames, expected) in [
        (vec![data("{\"a\""), data(""), data(":1}")], Ok("{\"a\":1}")),
        (vec![], Ok("")),
        (vec![data("01234567890123456789")], Ok("01234567890123456789")),
        (vec![data("0123456789"), data("01234567890")], Err("longer")),
        (vec![data("{}"), trailers()], Err("trailers")),
        (vec![data("{}"), broken()], Err("broke off")),
    ] {
        let body = Body::new(Frames(frames.into()));
        let answer = client.clone().oneshot(Request::post(&url).body(body).unwrap()).await;
        match expected {
            Ok(body) => assert_eq!(
                answer.unwrap(),
                (StatusCode::OK, receipt_of("salescloud-webhook", body.as_bytes()))
            ),
            Err(word) => {
                let error = answer.unwrap_err();
                assert!(error.is::<SignError>() && error.to_string().contains(word), "{error}");
            }
        }
    }
}

/// Frames that are there at once.
struct Frames(VecDeque<io::Result<Frame<Bytes>>>);

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Poll::Ready(self.0.pop_front())
    }
}

#[tokio::test]
async fn no_error_holds_a_signature_or_the_url_that_holds_one() {
    for provider in [Provider::Corezoid, Provider::CorezoidCallback] {
        let request = Client::new().post(format!("http://127.0.0.1:1{}", provider.path()));
        let error = provider.signer(provider.key_id(), SECRET).send(request).await.unwrap_err();
        assert_eq!(error.kind(), ClientErrorKind::Transport);
        let mut text = format!("{error:?} {error}");
        let mut next = error.source();
        while let Some(source) = next {
            text += &format!(" {source:?} {source}");
            next = source.source();
        }
        let signed = provider.signed("");
        let signature = signed.uri().to_string();
        let signature = signature.split(['/', '=', '&']).find(|part| part.len() == 40).unwrap();
        assert!(!text.contains(signature) && !text.contains("1700000000"), "{text}");
    }
}

/// A multipart form is signed in its reduced form, where both sides know the route.
#[tokio::test]
async fn an_upload_is_signed_in_its_reduced_form() {
    let scheme = || Corezoid::default().with_multipart_route("/api/2/upload").unwrap();
    let verifier = SignatureVerifier::new(scheme(), keys()).with_clock(ManualClock::at(NOW));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new().fallback(receipt).layer(VerifyLayer::new(verifier));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let signer = |scheme: Corezoid| {
        let secret = Secret::new(SECRET).unwrap();
        Signer::new(scheme, Provider::Corezoid.key_id(), &secret).with_clock(ManualClock::at(NOW))
    };
    let form = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n[\r\n1]\r\n--b--\r\n";
    for (path, known, expected) in [
        ("/api/2/upload", scheme(), StatusCode::OK),
        ("/api/2/json", scheme(), StatusCode::OK),
        ("/api/2/upload", Corezoid::default(), StatusCode::UNAUTHORIZED),
    ] {
        let request = Client::new().post(format!("http://{address}{path}")).body(form);
        let request = request.header("content-type", "multipart/form-data; boundary=b");
        let mut again = request.try_clone().unwrap().build().unwrap();
        let (status, text) = read(signer(known.clone()).send(request).await).await;
        assert_eq!(status, expected, "{path}");
        if status == StatusCode::OK {
            assert_eq!(text, receipt_of("corezoid", form.as_bytes()));
        }
        signer(known.clone()).sign_reqwest(&mut again).unwrap();
        let first = again.url().clone();
        signer(known).sign_reqwest(&mut again).unwrap();
        assert_eq!(*again.url(), first, "signed twice");
    }
    let long = vec![b'a'; (1 << 20) + 1];
    let request = Client::new().post(format!("http://{address}/api/2/upload")).body(long.clone());
    assert_eq!(signer(scheme()).send(request).await.unwrap_err().kind(), ClientErrorKind::Sign);
    // Signed over the raw body, it is still too long for the route.
    let request = Client::new().post(format!("http://{address}/api/2/upload")).body(long);
    let (status, _) = read(signer(Corezoid::default()).send(request).await).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
}

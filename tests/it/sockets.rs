//! Over real sockets: what HTTP/1.1 and HTTP/2 make of a request before the layer sees it, and after it was refused.

use crate::support::http::{Answer, HOST, Provider, Script, Step, keys};
use bytes::Bytes;
use countersign::{VerifyLayer, middleware::VerifiedBody};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use std::{convert::Infallible, net::SocketAddr};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};
use tower::Layer as _;

const LIMIT: u64 = 8 << 20;

/// What the handler answers: how long the body was, a sum over its bytes in order, and what else came.
fn receipt(body: &[u8]) -> String {
    let sum = body.iter().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
    format!("{} {sum}", body.len())
}

async fn handle(request: Request<VerifiedBody>) -> Result<Response<Full<Bytes>>, Infallible> {
    let collected = request.into_body().collect().await?;
    let trailers = if collected.trailers().is_some() { " and trailers" } else { "" };
    Ok(Response::new(Full::from(receipt(&collected.to_bytes()) + trailers)))
}

/// A server of hyper alone, for HTTP/1.1 and HTTP/2, that verifies one provider's requests.
async fn serve(provider: Provider) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let layer = VerifyLayer::new(provider.verifier(keys())).with_body_limit(LIMIT);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(layer.layer(tower::service_fn(handle)));
            tokio::spawn(async move {
                let builder = auto::Builder::new(TokioExecutor::new());
                builder.serve_connection(TokioIo::new(stream), service).await
            });
        }
    });
    address
}

/// A request as HTTP/1.1 text.
fn wire(request: &Request<Bytes>) -> String {
    let mut text = format!("{} {} HTTP/1.1\r\n", request.method(), request.uri());
    for (name, value) in request.headers() {
        text += &format!("{name}: {}\r\n", value.to_str().unwrap());
    }
    let body = std::str::from_utf8(request.body()).unwrap();
    text + &format!("content-length: {}\r\n\r\n{body}", body.len())
}

/// An HTTP/1.1 connection, spoken by hand.
struct Wire(BufReader<TcpStream>);

impl Wire {
    async fn open(address: SocketAddr) -> Self {
        Self(BufReader::new(TcpStream::connect(address).await.unwrap()))
    }

    async fn send(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).await.unwrap();
    }

    /// The next response: its status and body; `None` if the server has closed the connection.
    async fn answer(&mut self) -> Option<(u16, String)> {
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            if self.0.read_line(&mut head).await.unwrap_or(0) == 0 {
                return None;
            }
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        for line in head.lines() {
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                length = value.parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.unwrap();
        Some((status, String::from_utf8(body).unwrap()))
    }

    /// Sends one request and returns the status and the code of the refusal, or the receipt.
    async fn ask(address: SocketAddr, text: &str) -> (u16, String) {
        let mut wire = Self::open(address).await;
        wire.send(text).await;
        let (status, body) = wire.answer().await.expect("an answer");
        let code = serde_json::from_str::<serde_json::Value>(&body).ok();
        let code = code.and_then(|body| body["code"].as_str().map(str::to_owned));
        (status, code.unwrap_or(body))
    }
}

#[tokio::test]
async fn the_head_of_an_http_1_request() {
    let address = serve(Provider::Ateliere).await;
    let good = wire(&Provider::Ateliere.signed("{}"));
    let host = format!("host: {HOST}\r\n");
    let with = |from: &str, to: &str| {
        assert!(good.contains(from));
        good.replacen(from, to, 1)
    };
    let again = |line: &str| {
        let line = good.lines().find(|found| found.starts_with(line)).unwrap();
        with(line, &format!("{line}\r\n{line}"))
    };
    let absolute = |authority: &str| with("POST /", &format!("POST http://{authority}/"));
    let bad = (400, "malformed_message");
    let (malformed, wrong) = ((401, "malformed_credentials"), (401, "unauthorized"));
    let ok = (200, &*receipt(b"{}"));
    for (case, text, expected) in [
        ("as it should be", good.clone(), ok),
        ("two hosts", again("host"), bad),
        ("two different hosts", with(&host, &format!("{host}host: other.test\r\n")), bad),
        ("no host", with(&host, ""), bad),
        ("an empty host", with(&host, "host: \r\n"), bad),
        ("a user in the host", with(&host, &format!("host: me@{HOST}\r\n")), bad),
        ("a path in the host", with(&host, &format!("host: {HOST}/a\r\n")), bad),
        ("another host", with(&host, "host: other.test\r\n"), wrong),
        ("a host in upper case", with(&host, "host: API.example.test\r\n"), wrong),
        ("another port", with(&host, &format!("host: {HOST}:8443\r\n")), wrong),
        ("absolute form", absolute(HOST), ok),
        ("absolute form, another host", absolute("other.test"), bad),
        ("absolute form, with a user", absolute(&format!("me@{HOST}")), bad),
        ("no path", with("POST /graphql", &format!("POST {HOST}")), bad),
        ("two key ids", again("oz-key-id"), malformed),
        ("two signatures", again("oz-signature"), malformed),
        ("two organizations", again("x-organization-slug"), malformed),
        ("another method", with("POST", "PUT"), malformed),
        ("a method put in a header", with(&host, &format!("{host}x-http-method-override: DELETE\r\n")), ok),
        ("a proxy's word for the host", with(&host, &format!("{host}x-forwarded-host: other.test\r\n")), ok),
        ("a proxy's word for the path", with(&host, &format!("{host}x-original-url: /admin\r\n")), ok),
        ("a query", with("/graphql", "/graphql?a=1"), wrong),
        ("a dot segment", with("/graphql", "/./graphql"), wrong),
        ("an escape", with("/graphql", "/%67raphql"), wrong),
        ("two slashes", with("/graphql", "//graphql"), wrong),
        ("64 KiB of key id", with("oz-key-id: ", &format!("oz-key-id: {}", "k".repeat(64 << 10))), malformed),
    ] {
        let (status, body) = Wire::ask(address, &text).await;
        assert_eq!((status, &*body), expected, "{case}");
    }
    // What hyper answers by itself.
    let length = "content-length: 2\r\n";
    for (case, text) in [
        ("two lengths", with(length, "content-length: 2\r\ncontent-length: 3\r\n")),
        ("a space before the colon", with("oz-key-id:", "oz-key-id :")),
        ("a folded line", with("oz-key-id: ", "oz-key-id: \r\n ")),
    ] {
        assert_eq!(Wire::ask(address, &text).await.0, 400, "{case}");
    }
}

#[tokio::test]
async fn a_method_without_a_body_is_refused_without_one() {
    let address = serve(Provider::Ateliere).await;
    for method in ["GET", "HEAD"] {
        let text = wire(&Provider::Ateliere.signed("")).replacen("POST", method, 1);
        let mut connection = Wire::open(address).await;
        connection.send(&text.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n")).await;
        let mut answer = String::new();
        connection.0.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
        assert_eq!(answer.ends_with("\r\n\r\n"), method == "HEAD", "{answer}");
    }
}

#[tokio::test]
async fn http_1_0_needs_no_host_where_none_is_signed() {
    let address = serve(Provider::Corezoid).await;
    let text = wire(&Provider::Corezoid.signed("{}")).replacen("HTTP/1.1", "HTTP/1.0", 1);
    let text = text.replacen(&format!("host: {HOST}\r\n"), "", 1);
    assert_eq!(Wire::ask(address, &text).await, (200, receipt(b"{}")));
    let address = serve(Provider::Ateliere).await;
    let text = wire(&Provider::Ateliere.signed("{}")).replacen("HTTP/1.1", "HTTP/1.0", 1);
    let text = text.replacen(&format!("host: {HOST}\r\n"), "", 1);
    assert_eq!(Wire::ask(address, &text).await, (400, "malformed_message".to_owned()));
}

#[tokio::test]
async fn chunks_arrive_and_trailers_do_not() {
    let address = serve(Provider::SalesCloud).await;
    let text = wire(&Provider::SalesCloud.signed("abcdef"));
    let (head, _) = text.split_once("content-length").unwrap();
    let head = format!("{head}transfer-encoding: chunked\r\ntrailer: x-checksum\r\n\r\n");
    let text = format!(
        "{head}3\r\nabc\r\n2;extension=1\r\nde\r\n1\r\nf\r\n0\r\nx-checksum: 1\r\nauthorization: x\r\n\r\n"
    );
    assert_eq!(Wire::ask(address, &text).await, (200, receipt(b"abcdef")));
    // One chunk is missing, and the connection ends.
    let mut connection = Wire::open(address).await;
    connection.send(&format!("{head}3\r\nabc\r\n")).await;
    connection.0.get_mut().shutdown().await.unwrap();
    let answer = connection.answer().await;
    assert!(answer.is_none_or(|(status, _)| status == 400));
}

#[tokio::test]
async fn a_refused_request_is_not_asked_for_its_body() {
    let address = serve(Provider::Ateliere).await;
    let expecting = |request: &Request<Bytes>, length: u64| {
        let text = wire(request);
        let (head, _) = text.split_once("content-length").unwrap();
        format!("{head}content-length: {length}\r\nexpect: 100-continue\r\n\r\n")
    };
    for (case, head, expected) in [
        ("unsigned", expecting(&Provider::Ateliere.unsigned("{}"), 2), 401),
        ("too long", expecting(&Provider::Ateliere.signed("{}"), LIMIT + 1), 413),
    ] {
        let mut connection = Wire::open(address).await;
        connection.send(&head).await;
        assert_eq!(connection.answer().await.unwrap().0, expected, "{case}");
    }
    let mut connection = Wire::open(address).await;
    connection.send(&expecting(&Provider::Ateliere.signed("{}"), 2)).await;
    assert_eq!(connection.answer().await, Some((100, String::new())));
    connection.send("{}").await;
    assert_eq!(connection.answer().await, Some((200, receipt(b"{}"))));
}

#[tokio::test]
async fn what_follows_a_refused_request_is_answered_for_itself() {
    let address = serve(Provider::Ateliere).await;
    let good = wire(&Provider::Ateliere.signed("{}"));
    // Refused after its body was read: the connection goes on.
    let tampered = good.replace("{}", "[]");
    let mut connection = Wire::open(address).await;
    connection.send(&format!("{tampered}{good}{tampered}{good}")).await;
    for expected in [401, 200, 401, 200] {
        assert_eq!(connection.answer().await.unwrap().0, expected);
    }
    // Refused without a look at its body, which is a request of its own: that one is never answered.
    for length in [good.len(), 1 << 20] {
        let body = good.clone() + &" ".repeat(length - good.len());
        let unsigned = wire(&Provider::Ateliere.unsigned(body));
        let mut connection = Wire::open(address).await;
        let (mut reader, mut writer) = connection.0.into_inner().into_split();
        let last = good.replace("{}", "[]").replacen("\r\n", "\r\nconnection: close\r\n", 1);
        let both = unsigned + &last;
        let sending = tokio::spawn(async move { writer.write_all(both.as_bytes()).await.is_ok() });
        let mut answers = Vec::new();
        // The server may close a connection with bytes unread, which a client can see as a reset.
        let _ = reader.read_to_end(&mut answers).await;
        let answers = String::from_utf8(answers).unwrap();
        assert!(!answers.contains("HTTP/1.1 200"), "{length}: {answers}");
        // What is short is read and dropped, and the connection goes on; otherwise it ends.
        let count = answers.matches("HTTP/1.1 401").count();
        assert!(if length == good.len() { count == 2 } else { count <= 1 }, "{length}: {answers}");
        sending.await.unwrap();
        connection = Wire::open(address).await;
        connection.send(&good).await;
        assert_eq!(connection.answer().await.unwrap().0, 200);
    }
}

/// A body in chunks of this length, which does not say how long it will be.
fn chunked(request: Request<Bytes>, length: usize) -> Request<Script> {
    request.map(|body| {
        let chunk = |at| Step::Data(body.slice(at..body.len().min(at + length)));
        Script::new((0..body.len()).step_by(length).map(chunk))
    })
}

async fn connect_2(address: SocketAddr) -> http2::SendRequest<Script> {
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// Asks over HTTP/2: the target becomes absolute, and its authority `:authority`.
async fn ask_2(
    sender: &mut http2::SendRequest<Script>,
    mut request: Request<Script>,
    authority: &str,
) -> Answer {
    *request.uri_mut() = format!("http://{authority}{}", request.uri()).parse().unwrap();
    Answer::read(sender.send_request(request).await.unwrap()).await
}

#[tokio::test]
async fn the_head_of_an_http_2_request() {
    let mut sender = connect_2(serve(Provider::Ateliere).await).await;
    let good = Provider::Ateliere.signed("{}");
    let hosts = |hosts: &[&str]| {
        let mut request = good.clone();
        request.headers_mut().remove("host");
        for host in hosts {
            request.headers_mut().append("host", host.parse().unwrap());
        }
        request
    };
    for (case, request, authority, expected) in [
        ("no host", hosts(&[]), HOST, 200),
        ("the same host", hosts(&[HOST]), HOST, 200),
        ("another host", hosts(&["other.test"]), HOST, 400),
        ("two hosts", hosts(&[HOST, HOST]), HOST, 400),
        ("another authority", hosts(&[]), "other.test", 401),
        ("another authority, the signed host", hosts(&[HOST]), "other.test", 400),
        ("another port", hosts(&[]), "api.example.test:8443", 401),
    ] {
        let answer = ask_2(&mut sender, chunked(request, 1), authority).await;
        assert_eq!(answer.status.as_u16(), expected, "{case}");
    }
    let mut twice = hosts(&[]);
    let signature = twice.headers()["oz-signature"].clone();
    twice.headers_mut().append("oz-signature", signature);
    let answer = ask_2(&mut sender, chunked(twice, 1), HOST).await;
    assert!(answer.text().contains("malformed_credentials"));
}

#[tokio::test]
async fn bodies_of_every_size_arrive_as_they_were_signed() {
    for provider in Provider::ALL {
        let address = serve(provider).await;
        let mut sender = connect_2(address).await;
        for length in [0, 1024, 1 << 20, 8 << 20] {
            // Something that Ateliere has to escape now and then.
            let body: Bytes =
                (0..length).map(|at| if at % 61 == 0 { b'"' } else { b'a' + (at % 26) as u8 }).collect();
            let expected = receipt(&body);
            let request = provider.signed(body.clone());
            assert_eq!(
                Wire::ask(address, &wire(&request)).await,
                (200, expected.clone()),
                "{provider:?} {length}"
            );
            let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
            let (mut sender_1, connection) = http1::handshake(stream).await.unwrap();
            tokio::spawn(connection);
            let answer = sender_1.send_request(chunked(request.clone(), 10_000)).await.unwrap();
            assert_eq!(Answer::read(answer).await.text(), expected, "chunked, {provider:?} {length}");
            let mut request = chunked(request, 20_000);
            request.headers_mut().remove("host");
            assert_eq!(
                ask_2(&mut sender, request, HOST).await.text(),
                expected,
                "HTTP/2, {provider:?} {length}"
            );
        }
    }
}

#[tokio::test]
async fn a_refused_stream_leaves_the_others_alone() {
    let mut sender = connect_2(serve(Provider::Corezoid).await).await;
    let good = || {
        let mut request = Provider::Corezoid.signed("{}");
        request.headers_mut().remove("host");
        chunked(request, 1)
    };
    for _ in 0..3 {
        // More than a window of flow control of a body that nobody reads.
        let mut large = Provider::Corezoid.signed(vec![b'a'; 9 << 20]);
        large.headers_mut().remove("host");
        let mut encoded = large.clone();
        encoded.headers_mut().insert("content-encoding", "gzip".parse().unwrap());
        assert_eq!(ask_2(&mut sender, chunked(encoded, 16 << 10), HOST).await.status.as_u16(), 415);
        assert_eq!(ask_2(&mut sender, chunked(large, 16 << 10), HOST).await.status.as_u16(), 413);
        assert_eq!(ask_2(&mut sender, good(), HOST).await.text(), receipt(b"{}"));
    }
}

//! Sends bytes over a socket and reads what comes back, within a bounded time.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    time::timeout,
};

/// Far more than any answer takes; what lasts longer hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// Sends a request over a connection of its own and returns the answer; `None` if the server ends the connection
/// without one. `ends` says whether the client says that nothing more will come.
pub(super) async fn http1(address: SocketAddr, request: &[u8], ends: bool) -> Option<Response<Bytes>> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // A server that has seen enough may close before it has read all.
        drop(stream.write_all(request).await);
        if ends {
            drop(stream.shutdown().await);
        }
        let mut stream = BufReader::new(stream);
        loop {
            let answer = answer(&mut stream, request.starts_with(b"HEAD ")).await?;
            if !answer.status().is_informational() {
                return Some(answer);
            }
        }
    };
    timeout(PATIENCE, exchange).await.expect("an answer over HTTP/1.1 before long")
}

async fn answer(stream: &mut BufReader<TcpStream>, without_body: bool) -> Option<Response<Bytes>> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await.unwrap_or(0) == 0 {
            return None;
        }
    }
    let mut lines = head.trim_end().split("\r\n");
    let mut response = Response::builder().status(lines.next().unwrap().split(' ').nth(1).unwrap());
    let mut length = 0;
    for (name, value) in lines.map(|line| line.split_once(": ").unwrap()) {
        response = response.header(name, value);
        if name == "content-length" && !without_body {
            length = value.parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    Some(response.body(body.into()).unwrap())
}

/// The same over HTTP/2.
pub(super) async fn http2(address: SocketAddr, request: Request<Full<Bytes>>) -> Option<Response<Bytes>> {
    let exchange = async {
        let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
        let connection = tokio::spawn(connection);
        let answer = sender.send_request(request).await.ok();
        let answer = match answer {
            Some(answer) => {
                let (head, body) = answer.into_parts();
                Some(Response::from_parts(head, body.collect().await.unwrap().to_bytes()))
            }
            None => None,
        };
        connection.abort();
        answer
    };
    timeout(PATIENCE, exchange).await.expect("an answer over HTTP/2 before long")
}

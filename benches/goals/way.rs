//! The ways in which a request reaches a service: HTTP/1.1 over a pipe in memory, or a call in the process.

use super::{
    contest::Work,
    requests::{Body, Scheme, Signed},
};
use axum::{body::Body as AxumBody, response::Response};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use std::convert::Infallible;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, duplex},
    runtime::{Builder, Runtime},
};
use tower::{Service, ServiceExt};

/// A service that can be reached in every way.
pub trait App:
    Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send>
    + Service<Request<AxumBody>, Response = Response, Error = Infallible, Future: Send>
    + Clone
    + Send
    + 'static
{
}

impl<S> App for S where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send>
        + Service<Request<AxumBody>, Response = Response, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static
{
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Pipe,
    Call,
}

impl Way {
    pub const ALL: [Self; 2] = [Self::Pipe, Self::Call];

    pub const fn title(self) -> &'static str {
        match self {
            Self::Pipe => "over a pipe",
            Self::Call => "in the process",
        }
    }

    /// Sends the same request over and over, each after the last was answered.
    pub fn drive(self, app: impl App, scheme: Scheme, body: Body, signed: Signed) -> Work {
        let status = match signed {
            Signed::Rightly => StatusCode::OK,
            _ => StatusCode::UNAUTHORIZED,
        };
        match self {
            Self::Pipe => pipe(app, scheme.wire(body, signed), status),
            Self::Call => call(app, scheme.request(body, signed), status),
        }
    }
}

/// Client, hyper and service on one thread.
fn pipe(app: impl App, request: Bytes, status: StatusCode) -> Work {
    let runtime = runtime();
    let (mut client, server) = duplex(4 << 20);
    runtime.spawn(serve(app, server));
    let mut response = vec![0; runtime.block_on(first_response(&mut client, &request, status))];
    let begin = format!("HTTP/1.1 {}", status.as_str());
    Box::new(move |count| {
        runtime.block_on(async {
            for _ in 0..count {
                client.write_all(&request).await.unwrap();
                client.read_exact(&mut response).await.unwrap();
            }
        });
        assert!(response.starts_with(begin.as_bytes()), "{}", String::from_utf8_lossy(&response));
    })
}

fn call(mut app: impl App, request: Request<Bytes>, status: StatusCode) -> Work {
    let runtime = runtime();
    Box::new(move |count| {
        runtime.block_on(async {
            for _ in 0..count {
                let request = request.clone().map(AxumBody::from);
                let app = ServiceExt::<Request<AxumBody>>::ready(&mut app).await.unwrap();
                let response = app.call(request).await.unwrap();
                assert_eq!(response.status(), status);
                response.into_body().collect().await.unwrap();
            }
        });
    })
}

pub fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Serves one connection to its end.
pub async fn serve(app: impl App, connection: impl AsyncRead + AsyncWrite + Unpin + Send) {
    let service = TowerToHyperService::new(app);
    // A client that has gone is no error of the server's.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(connection), service).await;
}

/// Sends the request once, to learn how long the response is.
pub async fn first_response(
    connection: &mut (impl AsyncRead + AsyncWrite + Unpin),
    request: &[u8],
    status: StatusCode,
) -> usize {
    connection.write_all(request).await.unwrap();
    let mut response = vec![0; 4096];
    let mut len = 0;
    loop {
        len += connection.read(&mut response[len..]).await.unwrap();
        let text = str::from_utf8(&response[..len]).unwrap().to_lowercase();
        assert!(text.starts_with(&format!("http/1.1 {}", status.as_str())), "{text}");
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        if body.len() == length.parse::<usize>().unwrap() {
            return len;
        }
    }
}

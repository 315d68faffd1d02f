//! An HTTP/1.1 connection over an in-memory pipe: client, hyper and application on one thread.

use axum::response::Response;
use http::Request;
use hyper::body::Incoming;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use std::convert::Infallible;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    runtime::{Builder, Runtime},
};
use tower::Service;

/// A client that sends the same request over and over.
pub fn driver<S>(service: S, request: &[u8]) -> impl FnMut(u32) + use<S>
where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let (mut client, server) = duplex(4 << 20);
    let http = hyper::server::conn::http1::Builder::new();
    runtime.spawn(async move {
        http.serve_connection(TokioIo::new(server), TowerToHyperService::new(service)).await.unwrap();
    });
    let request = request.to_vec();
    let mut response = vec![0; first_response(&runtime, &mut client, &request)];
    move |count| {
        runtime.block_on(async {
            for _ in 0..count {
                client.write_all(&request).await.unwrap();
                client.read_exact(&mut response).await.unwrap();
            }
        });
        assert!(response.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&response));
    }
}

/// Sends the request once, to learn how long the response is.
fn first_response(runtime: &Runtime, client: &mut DuplexStream, request: &[u8]) -> usize {
    runtime.block_on(async {
        client.write_all(request).await.unwrap();
        let mut response = vec![0; 4096];
        let mut len = 0;
        loop {
            len += client.read(&mut response[len..]).await.unwrap();
            let text = std::str::from_utf8(&response[..len]).unwrap();
            assert!(text.starts_with("HTTP/1.1 200"), "{text}");
            let Some(head) = text.find("\r\n\r\n") else { continue };
            let length = text.to_lowercase();
            let length =
                length.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap().to_owned();
            if len == head + 4 + length.parse::<usize>().unwrap() {
                return len;
            }
        }
    })
}

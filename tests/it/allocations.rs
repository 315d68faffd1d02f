//! What a request costs in allocations and bytes, over what the bare service costs.

use crate::support::http::{Provider, SECRET, Script, Step, keys};
use allocation_counter::{AllocationInfo, measure};
use axum::{Router, body::Body, routing::post};
use bytes::Bytes;
use countersign::{VerifyLayer, credential::Principal};
use http::{Request, Response, StatusCode};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use std::{
    convert::Infallible,
    pin::pin,
    task::{Context, Poll, Waker},
};
use tower::{Layer as _, Service, ServiceBuilder};

/// Stands for what a bare service would tell its handler about the caller, as the layer does in a `Verified`.
#[derive(Clone)]
#[expect(dead_code, reason = "only its size counts")]
struct Caller([Principal; 4]);

/// Reads the body frame by frame and keeps nothing of it.
async fn read(mut body: Body) -> &'static str {
    while let Some(frame) = body.frame().await {
        drop(frame);
    }
    "read"
}

fn router(provider: Provider) -> Router {
    Router::new().route(provider.path(), post(read))
}

fn layer(provider: Provider) -> VerifyLayer {
    VerifyLayer::new(provider.verifier(keys())).with_body_limit(4 << 20)
}

/// What one request allocates on its way through a service that has served others before.
fn cost<S>(mut service: S, status: StatusCode, request: impl Fn() -> Request<Script>) -> AllocationInfo
where
    S: Service<Request<Script>, Response = Response<Body>, Error = Infallible>,
{
    let mut cx = Context::from_waker(Waker::noop());
    let mut cost = AllocationInfo::default();
    for _ in 0..3 {
        let request = request();
        cost = measure(|| {
            assert!(service.poll_ready(&mut cx).is_ready());
            let mut future = pin!(service.call(request));
            let response = loop {
                if let Poll::Ready(Ok(response)) = future.as_mut().poll(&mut cx) {
                    break response;
                }
            };
            assert_eq!(response.status(), status);
            let mut body = pin!(response.into_body());
            while let Poll::Ready(Some(_)) = body.as_mut().poll_frame(&mut cx) {}
        });
    }
    cost
}

/// Allocations over the bare router for an empty body, for 1 KiB in one frame, and for 1 MiB in eight.
///
/// The layer itself needs one for the caller, one for a body that is not empty and one for a list of more than one
/// frame; it saves the one that a router needs to box the body that arrived. Around a router it makes the map of
/// extensions with room for the caller and the three entries that axum makes, so that the map does not grow: a bare
/// router that is told its caller has one for the caller and one more for that. In `Router::layer` axum has made its map.
#[test]
fn accepting_a_request_costs_hardly_an_allocation() {
    const BODIES: [(usize, usize); 3] = [(0, 0), (1, 1 << 10), (8, 128 << 10)];
    for provider in [Provider::Ateliere, Provider::SalesCloud] {
        let over = |base: usize, position: usize| {
            BODIES.map(|(frames, length)| {
                let request = provider.signed(vec![b'a'; frames * length]);
                let frame = |n: usize| Step::Data(request.body().slice(n * length..(n + 1) * length));
                let arriving = || request.clone().map(|_| Script::new((0..frames).map(frame)));
                let count = |position| {
                    let (bare, layer, ok) = (router(provider), layer(provider), StatusCode::OK);
                    let caller = Caller([(); 4].map(|()| Principal::new("caller").unwrap()));
                    let tell = move |mut request: Request<Script>| {
                        request.extensions_mut().insert(caller.clone());
                        request
                    };
                    match position {
                        0 => cost(bare, ok, arriving),
                        1 => cost(ServiceBuilder::new().map_request(tell).service(bare), ok, arriving),
                        2 => cost(layer.with_body::<Body>().layer(bare), ok, arriving),
                        3 => cost(layer.layer(bare), ok, arriving),
                        4 => cost(bare.layer(layer.with_body::<Body>()), ok, arriving),
                        _ => cost(bare.layer(layer), ok, arriving),
                    }
                };
                let (base, layered) = (count(base), count(position));
                (
                    i64::try_from(layered.count_total).unwrap() - i64::try_from(base.count_total).unwrap(),
                    i64::try_from(layered.bytes_total).unwrap() - i64::try_from(base.bytes_total).unwrap(),
                )
            })
        };
        let allocations = |costs: [(i64, i64); 3]| costs.map(|(count, _)| count);
        assert_eq!(allocations(over(0, 2)), [0, 1, 2], "around the router, with axum's body");
        let told = over(1, 2);
        assert_eq!(allocations(told), [-2, -1, 0], "the same, over a router that is told the caller");
        assert!(told.iter().zip([0, 0, 512]).all(|((_, bytes), most)| *bytes <= most), "{told:?}");
        assert_eq!(allocations(over(0, 3)), [1, 1, 2], "around the router");
        assert_eq!(allocations(over(0, 4)), [6, 7, 8], "Router::layer, which boxes, with axum's body");
        assert_eq!(allocations(over(0, 5)), [7, 7, 8], "Router::layer");
    }
}

/// However a body is cut, and whatever becomes of the request: not more than its own bytes and 64 KiB.
#[test]
fn a_request_costs_its_own_bytes() {
    for provider in [Provider::Ateliere, Provider::Corezoid] {
        let router = || Router::new().fallback(read);
        for (length, of, frames) in [
            (1, 8 << 10, 40_000),
            (100, 8 << 10, 4000),
            (1 << 10, 8 << 10, 1024),
            ((8 << 10) - 1, 8 << 10, 128),
            (8 << 10, 8 << 10, 128),
            (16 << 10, 16 << 10, 64),
            (1 << 20, 1 << 20, 1),
        ] {
            let body = Bytes::from(vec![b'a'; length * frames]);
            for (secret, status) in [(SECRET, StatusCode::OK), ("wrong", StatusCode::UNAUTHORIZED)] {
                let request = provider.signed_with(provider.key_id(), secret, body.clone());
                let arriving = || request.clone().map(|_| Script::new(vec![Step::Cut(length, of); frames]));
                let cost = cost(layer(provider).layer(router()), status, arriving);
                let most = u64::try_from(body.len()).unwrap() + (64 << 10);
                assert!(cost.bytes_max <= most, "{frames} of {length}, {status}: {cost:?}");
            }
        }
    }
}

//! Where the layer may stand, and that the inner service then reads exactly the verified bytes.

use crate::support::http::{Answer, App, HOST, Provider, SECRET, Script, Step, echo, layer, send};
use axum::{Router, body::Body, routing::post};
use bytes::Bytes;
use countersign::{Verified, error::VerifyErrorKind, middleware::VerifiedBody};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use proptest::prelude::*;
use std::convert::Infallible;
use tower::{Layer as _, Service, ServiceBuilder, ServiceExt as _};

async fn whoami(caller: Verified, body: Bytes) -> String {
    format!("{} sent {} bytes", caller.principal(), body.len())
}

/// Every place in which the layer may stand, by name; all of them serve the paths of every provider.
fn positions(provider: Provider) -> Vec<(&'static str, App)> {
    let path = match provider {
        Provider::Corezoid => "/api/2/json/{login}/{time}/{signature}",
        _ => provider.path(),
    };
    let routes = || Router::new().route(path, post(whoami));
    let boxed = |router: Router| App::new(router);
    let mut positions = vec![
        ("Router::layer", boxed(routes().layer(layer(provider)))),
        ("Router::layer with axum's body", boxed(routes().layer(layer(provider).with_body::<Body>()))),
        ("Router::route_layer", boxed(routes().route_layer(layer(provider)))),
        ("around a router", App::new(layer(provider).layer(routes()))),
        ("around with axum's body", App::new(layer(provider).with_body::<Body>().layer(routes()))),
        ("ServiceBuilder", App::new(ServiceBuilder::new().layer(layer(provider)).service(routes()))),
        (
            "Router::layer of a ServiceBuilder",
            boxed(routes().layer(ServiceBuilder::new().layer(layer(provider)))),
        ),
    ];
    if let Some((prefix, rest)) =
        path.rsplit_once("/json").map(|(prefix, rest)| (prefix, format!("/json{rest}")))
    {
        let inner = || Router::new().route(&rest, post(whoami)).layer(layer(provider));
        positions.push(("nest", boxed(Router::new().nest(prefix, inner()))));
        positions.push(("nest_service", boxed(Router::new().nest_service(prefix, inner()))));
        let outer = Router::new().nest("/2", inner());
        positions.push(("nest in nest", boxed(Router::new().nest("/api", outer))));
    }
    positions
}

#[tokio::test]
async fn the_layer_stands_anywhere() {
    for provider in Provider::ALL {
        for (position, app) in positions(provider) {
            let answer = send(app.clone(), provider.signed("{}")).await;
            assert_eq!(answer.text(), format!("{} sent 2 bytes", provider.name()), "{position}");
            let tampered = provider.signed("{}").map(|_| "[]".into());
            let answer = send(app.clone(), tampered).await;
            assert_eq!(answer.kind, Some(VerifyErrorKind::BadSignature), "{position}");
            let answer = send(app, provider.unsigned("{}")).await;
            let open = provider == Provider::Corezoid && answer.status == StatusCode::NOT_FOUND;
            assert!(open || answer.kind == Some(VerifyErrorKind::Missing), "{position}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn behind_a_nest_the_original_uri_counts() {
    let inner = || Router::new().route("/graphql", post(whoami)).layer(layer(Provider::Ateliere));
    let signer = Provider::Ateliere.signer(Provider::Ateliere.key_id(), SECRET);
    for (router, name) in [
        (Router::new().nest("/v1", inner()), "nest"),
        (Router::new().nest_service("/v1", inner()), "nest_service"),
    ] {
        let mut request = Request::post("/v1/graphql").header("host", HOST).body(Bytes::from("{}")).unwrap();
        signer.sign(&mut request).unwrap();
        assert_eq!(send(router.clone(), request).await.status, StatusCode::OK, "{name}");
        // Signed for the path that the inner router sees.
        let mut request = Provider::Ateliere.signed("{}");
        *request.uri_mut() = "/v1/graphql".parse().unwrap();
        assert_eq!(send(router, request).await.kind, Some(VerifyErrorKind::BadSignature), "{name}");
    }
}

#[tokio::test]
async fn a_service_of_tower_alone_needs_no_axum() {
    let plain = tower::service_fn(async |request: Request<VerifiedBody>| {
        let caller = request.extensions().get::<Verified>().unwrap().clone();
        let body = request.into_body().into_single().unwrap();
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(format!("{}: {body:?}", caller.key_id())))))
    });
    let service = layer(Provider::Corezoid).layer(plain);
    let request = Provider::Corezoid.signed("{}").map(Full::new);
    let answer = Answer::read(service.oneshot(request).await.unwrap()).await;
    assert_eq!(answer.text(), r#"13000: b"{}""#);
}

/// Sends requests that overlap, good and bad ones, over one service, which panics if it is called without being ready.
async fn overlap<S>(service: S)
where
    S: Service<
            Request<Script>,
            Response = Response<Full<Bytes>>,
            Error: std::fmt::Debug + Send,
            Future: Send,
        > + Clone
        + Send
        + 'static,
{
    let mut answers = tokio::task::JoinSet::new();
    for round in 0..12 {
        let request = Provider::Corezoid.signed("{}").map(|body| {
            let data = Step::Data(if round % 3 == 0 { "[]".into() } else { body });
            Script::new([Step::Later, data, Step::Later])
        });
        answers.spawn(service.clone().oneshot(request));
    }
    let answers = answers.join_all().await;
    let passed = answers.into_iter().filter(|answer| answer.as_ref().unwrap().status() == StatusCode::OK);
    assert_eq!(passed.count(), 8);
}

#[tokio::test]
async fn the_service_that_was_ready_is_the_one_called() {
    let inner = || {
        tower::service_fn(async |_: Request<VerifiedBody>| {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        })
    };
    let layer = layer(Provider::Corezoid);
    overlap(ServiceBuilder::new().layer(layer.clone()).concurrency_limit(1).service(inner())).await;
    overlap(ServiceBuilder::new().layer(layer.clone()).buffer(2).service(inner())).await;
    overlap(
        ServiceBuilder::new()
            .concurrency_limit(2)
            .layer(layer)
            .buffer(1)
            .concurrency_limit(1)
            .service(inner()),
    )
    .await;
}

#[tokio::test]
async fn a_handler_on_an_open_route_gets_no_caller() {
    let app = Router::new().route("/graphql", post(whoami));
    let answer = send(app, Provider::Ateliere.signed("{}")).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
}

/// A body cut into frames: lengths, with pauses, empty frames and trailers between them.
fn frames() -> impl Strategy<Value = Vec<Step>> {
    let length = prop_oneof![0..4_usize, 500..2000_usize, 8100..8300_usize, 15_000..40_000_usize];
    let data = (length, prop_oneof![Just(b'"'), any::<u8>()])
        .prop_map(|(length, byte)| Step::Data(vec![byte; length].into()));
    let step = prop_oneof![8 => data, 2 => Just(Step::Later), 1 => Just(Step::Trailers)];
    prop::collection::vec(step, 0..24)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_inner_service_reads_exactly_the_verified_bytes(steps in frames()) {
        let data = |step: &Step| match step {
            Step::Data(data) => Some(data.clone()),
            _ => None,
        };
        let sent: Vec<Bytes> = steps.iter().filter_map(data).filter(|data| !data.is_empty()).collect();
        let body: Bytes = sent.concat().into();
        // Ateliere signs text only.
        let text = body.is_ascii();
        for provider in Provider::ALL.into_iter().filter(|provider| text || *provider != Provider::Ateliere) {
            let request = provider.signed(body.clone()).map(|_| Script::new(steps.clone()));
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let frames = runtime.block_on(async {
                let mut body = echo(&layer(provider)).oneshot(request).await.unwrap().into_body();
                let mut frames = Vec::new();
                while let Some(frame) = body.frame().await {
                    frames.push(frame.unwrap().into_data().expect("no trailers"));
                }
                frames
            });
            prop_assert_eq!(frames.concat(), &*body);
            // What is long is handed on where it lies, neither copied nor joined.
            let place = |frame: &Bytes| (frame.as_ptr(), frame.len());
            let places: Vec<_> = frames.iter().map(place).collect();
            for frame in sent.iter().filter(|frame| frame.len() >= 8 << 10) {
                prop_assert!(places.contains(&place(frame)));
            }
        }
    }
}

//! First light.
use axum::{Router, body::Body, routing::post};
use countersign::{
    SignatureVerifier, Verified, VerifyLayer, clock::ManualClock, credential::*, scheme::*, secret::Secret,
    signature::*, store::MemoryKeyStore,
};
use http::{Request, StatusCode};
use tower::ServiceExt as _;

#[tokio::test]
async fn corezoid_passes_and_a_changed_byte_does_not() {
    let secret = Secret::new("Iw5N12MYleOULxdfMH43SK9ZAmjPyFKtdhToiL38xIBz6ecdZxW").unwrap();
    let key = MacKey::new(Algorithm::SandwichSha1, &secret);
    let store = MemoryKeyStore::new();
    store.insert(
        "corezoid",
        "13000",
        Credential::new(Principal::new("ops").unwrap(), [SecretVersion::new(1, key)]),
    );
    let verifier =
        SignatureVerifier::new(Corezoid::default(), store).with_clock(ManualClock::at(1_700_000_000));
    let app: Router = Router::new()
        .route(
            "/api/2/json/{login}/{time}/{signature}",
            post(|caller: Verified, body: String| async move { format!("{} {body}", caller.principal()) }),
        )
        .layer(VerifyLayer::new(verifier));
    let send = |body: &'static str| {
        let app = app.clone();
        async move {
            let r = Request::post("/api/2/json/13000/1700000000/c28013c2a2ffe0bd17a7ec3ab7b2f8aa8b5ccf04")
                .header("host", "h")
                .body(Body::from(body))
                .unwrap();
            let r = app.oneshot(r).await.unwrap();
            (
                r.status(),
                String::from_utf8(
                    http_body_util::BodyExt::collect(r.into_body()).await.unwrap().to_bytes().to_vec(),
                )
                .unwrap(),
            )
        }
    };
    assert_eq!(send("{}").await, (StatusCode::OK, "ops {}".to_owned()));
    let (s, b) = send("{ }").await;
    assert_eq!(s, StatusCode::UNAUTHORIZED);
    println!("{b}");
}

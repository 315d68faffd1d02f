//! Whatever arrives, in whatever disorder, is refused with an answer and never with a panic.

use super::{NOW, config, run};
use crate::support::{
    guard::{Key, credential, send},
    pieces::Pieces,
};
use countersign::{
    SignatureVerifier, VerifyLayer,
    clock::ManualClock,
    scheme::{Ateliere, Corezoid, CorezoidCallback, SalesCloud, SalesCloudWebhook, Scheme},
    store::MemoryKeyStore,
    verify::AnyOf,
};
use http::{HeaderValue, Method, Request, Uri, Version};
use proptest::prelude::*;
use std::sync::Arc;

const KEY: Key<'_> = Key {
    id: "edadd893-9472-4324-a4db-b1707c563184",
    secret: "s3cr3t-s3cr3t",
    public_key: None,
    organization: Some("7b371391-1561-4cac-8f86-9b7bcba83db2"),
};
const HEX: &str = "63ce95c86ca342b5ef592a8a1be6f8a2168e1ce80609c9bd5bcfb2689fea385a";
const BASE64: &str = "WPN0MXAsAxMxSJVPsUYnyAo6fuLdMRGv2A3975U4wbs=";

/// Every scheme on one route, each opened as far as it can be.
fn layer() -> VerifyLayer {
    let store = Arc::new(MemoryKeyStore::new());
    let clock = Arc::new(ManualClock::at(NOW));
    fn verifier(
        scheme: impl Scheme,
        store: &Arc<MemoryKeyStore>,
        clock: &Arc<ManualClock>,
    ) -> SignatureVerifier {
        store.insert(scheme.name(), KEY.id, credential(&scheme, KEY));
        SignatureVerifier::new(scheme, Arc::clone(store)).with_clock(Arc::clone(clock))
    }
    let ateliere = Ateliere::default().with_method(Method::GET);
    let corezoid = Corezoid::default().with_lenient_time().with_route(Method::GET, "/{any}").unwrap();
    let salescloud = SalesCloud::default().with_route(Method::POST, "/{organization}/graphql").unwrap();
    let all = AnyOf::new(verifier(ateliere, &store, &clock));
    let all = all.or(verifier(corezoid, &store, &clock));
    let all = all.or(verifier(salescloud, &store, &clock));
    let callback = CorezoidCallback::default().with_route(Method::POST, "/{any}").unwrap();
    let all = all.or(verifier(callback, &store, &clock));
    let webhook = SalesCloudWebhook::default().with_method(Method::GET);
    VerifyLayer::new(all.or(verifier(webhook, &store, &clock)))
}

/// A name that some part of the layer looks at, and a value that is right, nearly right, or anything.
fn header() -> impl Strategy<Value = (&'static str, Vec<u8>)> {
    const NAMES: [&str; 14] = [
        "authorization",
        "content-encoding",
        "content-length",
        "host",
        "oz-key-id",
        "oz-signature",
        "salescloud-application",
        "salescloud-application-public-key",
        "salescloud-organization",
        "x-auth-user",
        "x-organization-slug",
        "x-salescloud-access-key",
        "x-salescloud-date",
        "x-salescloud-signature",
    ];
    let app = format!("App {BASE64}");
    let organization = "7b371391-1561-4cac-8f86-9b7bcba83db2";
    let date = "2023-11-14 22:13:20";
    let values: Vec<String> =
        ["a.test", "identity", "gzip", "849015eb", KEY.id, organization, HEX, &app, date]
            .map(str::to_owned)
            .into();
    let value = prop_oneof![
        6 => prop::sample::select(values).prop_map(String::into_bytes),
        1 => "[ -~]{0,40}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ];
    (prop::sample::select(&NAMES[..]), value)
}

fn target() -> impl Strategy<Value = Uri> {
    let segment = prop_oneof![
        "api|1|2|json|graphql|13000|1700000000|1700000000\\.5|99999999999999999999|\\.\\.|",
        "[a-f0-9]{38,42}",
        "[!-~é]{0,12}",
        "%[0-9A-Fa-f]{2}",
    ];
    let segments =
        prop::collection::vec(segment, 0..8).prop_map(|segments| format!("/{}", segments.join("/")));
    let callback = "/[a-z]{0,2}\\?(conv_(signature|time|id)(=([a-f0-9]{40}|1700000000|[!-~]{0,4}))?&?){0,4}";
    let target = prop_oneof![8 => segments, 2 => callback, 1 => "\\PC{0,30}", 1 => "https?://[!-~]{0,20}", 1 => Just("*".to_owned())];
    target.prop_filter_map("no request target", |target| target.parse().ok())
}

fn method() -> impl Strategy<Value = Method> {
    prop_oneof![8 => Just(Method::POST), 2 => Just(Method::GET), 1 => Just(Method::CONNECT), 1 => Just(Method::HEAD)]
}

proptest! {
    #![proptest_config(config(4_000))]

    #[test]
    fn anything_is_answered(
        (method, target) in (method(), target()),
        version in prop::sample::select(&[Version::HTTP_10, Version::HTTP_11, Version::HTTP_2][..]),
        headers in prop::collection::vec(header(), 0..12),
        body in prop::collection::vec(any::<u8>(), 0..200),
        lengths in prop::collection::vec(0..20_usize, 0..6),
    ) {
        let mut request = Request::new(Pieces::new(&body, &lengths, true));
        *request.method_mut() = method;
        *request.uri_mut() = target;
        *request.version_mut() = version;
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                request.headers_mut().append(name, value);
            }
        }
        // `send` holds the status against the kind; with no right signature around, nothing may pass.
        prop_assert!(run(send(&layer(), request)).is_err());
    }
}

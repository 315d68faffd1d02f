//! Nothing prints a secret, a signature that may be valid, or a credential header: no event at any level, no `Debug` of
//! anything public, no response. And what an operator needs to know is there.

use crate::support::{
    http::{Answer, HOST, Provider, SECRET, Script, echo, keys, layer, send, store_by},
    printed::Printed,
};
use axum::body::Body;
use bytes::Bytes;
use countersign::{
    Verified, VerifyLayer,
    credential::{KeyId, Principal},
    error::VerifyError,
    message::Message,
    middleware::VerifiedBody,
    scheme::{Ateliere, Corezoid, CorezoidCallback, SalesCloud, SalesCloudWebhook, Scheme},
    secret::Secret,
    signature::Algorithm,
    store::{Found, KeyStore as _, Lookup, NewCredential, StoreError},
    verify::AnyOf,
};
use http::{Request, Response};
use std::{
    convert::Infallible,
    fmt::{self, Write as _},
    sync::Arc,
};
use tower::{Layer as _, Service as _};

/// What must not be printed about a request: the secret, its bytes as a list, and the right signature in every spelling.
fn unprintable(provider: Provider, request: &Request<Bytes>) -> Vec<String> {
    let mut signed = provider.unsigned(request.body().clone());
    let signature = provider.signer(provider.key_id(), SECRET).sign(&mut signed).unwrap();
    let list = |bytes: &[u8]| format!("{bytes:?}").trim_matches(['[', ']']).to_owned();
    let mut texts = vec![SECRET.to_owned(), list(SECRET.as_bytes()), hex::encode(SECRET)];
    texts.extend([signature.to_hex(), signature.to_hex().to_uppercase(), signature.to_base64()]);
    texts.push(list(&hex::decode(signature.to_hex()).unwrap()));
    // The presented one, right or wrong, where it stands in a header or in the path.
    texts.extend(
        ["authorization", "oz-signature", "x-salescloud-signature"]
            .iter()
            .filter_map(|name| request.headers().get(*name).map(|value| value.to_str().unwrap().to_owned())),
    );
    if provider == Provider::Corezoid {
        texts.extend(request.uri().path().rsplit('/').next().map(str::to_owned));
    }
    if let (Provider::CorezoidCallback, Some(query)) = (provider, request.uri().query()) {
        texts.extend(query.split(['=', '&']).nth(1).map(str::to_owned));
    }
    texts
}

/// Good and bad requests of every provider, and whether they pass.
fn requests() -> Vec<(Provider, Request<Bytes>, bool)> {
    let mut requests = Vec::new();
    for provider in Provider::ALL {
        let id = provider.key_id();
        requests.push((provider, provider.signed("{}"), true));
        requests.push((provider, provider.signed("{}").map(|_| "[]".into()), false));
        requests.push((provider, provider.signed_with(id, "a wrong secret", "{}"), false));
        requests.push((provider, provider.signed_with(provider.unknown_key_id(), SECRET, "{}"), false));
        let mut encoded = provider.signed("{}");
        encoded.headers_mut().insert("content-encoding", "gzip".parse().unwrap());
        requests.push((provider, encoded, false));
        let mut twice = provider.signed("{}");
        twice.headers_mut().append("host", HOST.parse().unwrap());
        requests.push((provider, twice, false));
    }
    requests
}

/// The middle of a text that is printed, for a failing test to show.
fn assert_absent(text: &str, needles: &[String], what: &dyn fmt::Debug) {
    for needle in needles {
        assert!(needle.len() > 16, "too short to be searched for: {needle}");
        if let Some(at) = text.find(&**needle) {
            panic!("{what:?} prints {:?}", &text[at.saturating_sub(80)..at + needle.len()]);
        }
    }
}

#[tokio::test]
async fn events_and_responses_hold_no_secret_and_one_event_tells_of_each_request() {
    for (provider, request, passes) in requests() {
        let needles = unprintable(provider, &request);
        let printed = Printed::default();
        let listening = printed.listen();
        let answer = send(echo(&layer(provider)), request).await;
        drop(listening);
        let text = printed.text();
        assert_absent(&text, &needles, &provider);
        assert_absent(&format!("{answer:?}"), &needles, &provider);
        assert_eq!(answer.kind.is_none(), passes);
        let events: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let [event] = &events[..] else { panic!("{events:#?}") };
        assert!(event["target"].as_str().unwrap().starts_with("countersign::"));
        let fields = &event["fields"];
        let outcome = answer.kind.map_or("ok", |kind| kind.outcome().as_str());
        assert_eq!(fields["outcome"], outcome);
        if !passes {
            assert_eq!(fields["request_id"], answer.headers["x-request-id"].to_str().unwrap());
        }
        if ["ok", "bad_signature", "unknown_key"].contains(&outcome) {
            assert_eq!(fields["scheme"], provider.name());
            let key_id = if outcome == "unknown_key" { provider.unknown_key_id() } else { provider.key_id() };
            assert_eq!(fields["key_id"], key_id);
        }
    }
}

#[tokio::test]
async fn an_operator_reads_why_the_store_cannot_be_asked() {
    #[derive(Debug)]
    struct Cause(Option<Box<Self>>, &'static str);
    impl fmt::Display for Cause {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.1)
        }
    }
    impl std::error::Error for Cause {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            self.0.as_deref().map(|cause| cause as _)
        }
    }
    let down = store_by(|_| {
        let cause = Cause(Some(Box::new(Cause(None, "no route to host"))), "connection failed");
        Found::Pending(Box::pin(async { Err(StoreError::new(cause)) }))
    });
    let printed = Printed::default();
    let listening = printed.listen();
    let app = echo(&VerifyLayer::new(Provider::Corezoid.verifier(down)));
    let answer = send(app, Provider::Corezoid.signed("{}")).await;
    drop(listening);
    let event: serde_json::Value = serde_json::from_str(&printed.text()).unwrap();
    assert_eq!(event["level"], "ERROR");
    assert_eq!(event["fields"]["outcome"], "store_unavailable");
    assert_eq!(
        event["fields"]["cause"],
        "the key store cannot be asked: connection failed: no route to host"
    );
    assert!(!answer.text().contains("route"));
}

#[tokio::test]
async fn debug_of_anything_public_holds_no_secret() {
    let schemes: [(Provider, Box<dyn Scheme>); 5] = [
        (Provider::Ateliere, Box::new(Ateliere::default())),
        (Provider::Corezoid, Box::new(Corezoid::default())),
        (Provider::CorezoidCallback, Box::new(CorezoidCallback::default())),
        (Provider::SalesCloud, Box::new(SalesCloud::default())),
        (Provider::SalesCloudWebhook, Box::new(SalesCloudWebhook::default())),
    ];
    for (provider, scheme) in schemes {
        let request = provider.signed("{}");
        let needles = unprintable(provider, &request);
        let (head, body) = request.clone().into_parts();
        let message = Message::new(&head, &head.uri).unwrap();
        let presented = scheme.read(&message).unwrap().unwrap();
        let base = scheme.signature_base(&message, &presented.parameters);
        let keys = keys();
        let Found::Ready(record) =
            keys.find(Lookup::Key { scheme: provider.name(), key_id: provider.key_id() })
        else {
            panic!("the memory store answers at once")
        };
        let credential = provider.credential();
        let new = NewCredential::new(
            provider.name(),
            KeyId::new(provider.key_id()).unwrap(),
            provider.algorithm(),
            Principal::new("ada").unwrap(),
            Secret::new(SECRET).unwrap(),
        );
        let layer = VerifyLayer::new(AnyOf::new(provider.verifier(Arc::clone(&keys))));
        let service = layer.layer("the inner service");
        let tell = async |request: Request<VerifiedBody>| {
            let verified = request.extensions().get::<Verified>();
            let shown = format!("{verified:?} {:?}", request.body());
            Ok::<_, Infallible>(Response::new(Body::from(shown)))
        };
        let mut app = layer.layer(tower::service_fn(tell));
        let future = app.call(request.map(Script::whole));
        let mut text = format!("{future:?}");
        text += Answer::read(future.await.unwrap()).await.text();
        let shown: [&dyn fmt::Debug; 13] = [
            &message,
            &presented,
            &base,
            &record,
            &credential,
            &new,
            &layer,
            &service,
            &keys,
            &scheme,
            &provider.signer(provider.key_id(), SECRET),
            &Secret::new(SECRET).unwrap(),
            &provider.mac_key(SECRET),
        ];
        for shown in shown {
            write!(text, "{shown:?} {shown:#?} ").unwrap();
        }
        write!(text, "{:?} {}", VerifyError::malformed("detail"), base.display(&body)).unwrap();
        assert_absent(&text, &needles, &provider);
        // The search finds something where there is something to be found.
        assert!(
            text.contains(provider.key_id())
                && text.contains("{SECRET}") == (provider.algorithm() == Algorithm::SandwichSha1)
        );
    }
}

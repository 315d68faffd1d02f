//! Who the caller is: nobody but the layer says so, and path and key must agree with it.

use crate::support::http::{HOST, NOW, ORGANIZATION, Provider, SECRET, SLUG, Slow, keys, layer, send};
use axum::{Extension, Router, body::Body, routing::post};
use bytes::Bytes;
use countersign::{
    SignatureVerifier, Verified, VerifyLayer,
    clock::ManualClock,
    credential::{Credential, Organization, Principal, SecretVersion},
    error::{SignError, VerifyError, VerifyErrorKind},
    message::Message,
    middleware::{StripIdentityLayer, VerifiedBody},
    scheme::{Ateliere, Corezoid, Covers, Parameters, Presented, Routes, SalesCloud, Scheme, Tenancy},
    secret::Secret,
    sign::Signer,
    signature::{Algorithm, Case, Signature, SignatureBase},
    store::MemoryKeyStore,
};
use http::{HeaderMap, Method, Request, Response, StatusCode, request::Parts};
use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};
use tower::Layer as _;

/// Answers with the headers that arrived, and who the caller is.
async fn tell(caller: Option<Extension<Verified>>, headers: HeaderMap) -> (HeaderMap, String) {
    let caller = caller.map(|caller| caller.principal().to_string());
    (headers, caller.unwrap_or_default())
}

#[tokio::test]
async fn nobody_brings_an_identity_along() {
    // A `Verified` and headers that claim one, from another request.
    let stolen = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&stolen);
    let thief = tower::service_fn(move |request: Request<VerifiedBody>| {
        *keep.lock().unwrap() = request.extensions().get::<Verified>().cloned();
        async { Ok::<_, Infallible>(Response::new(Body::empty())) }
    });
    send(layer(Provider::Corezoid).layer(thief), Provider::Corezoid.signed("{}")).await;
    let stolen = stolen.lock().unwrap().clone().unwrap();
    assert_eq!(stolen.principal().as_str(), "corezoid");

    let claim = |mut request: Request<Bytes>| {
        for name in ["x-countersign-key", "x-auth-user", "x-consumer-id", "x-real-ip"] {
            request.headers_mut().insert(name, "admin".parse().unwrap());
            request.headers_mut().append(name, "root".parse().unwrap());
        }
        request.extensions_mut().insert(stolen.clone());
        request
    };
    let guarded = Router::new().route("/graphql", post(tell)).layer(layer(Provider::Ateliere));
    let open = Router::new().route("/open", post(tell)).layer(StripIdentityLayer::new());
    let app = guarded.merge(open);
    let mut opened = Provider::Ateliere.unsigned("");
    *opened.uri_mut() = "/open".parse().unwrap();
    for (request, caller) in [(Provider::Ateliere.signed("{}"), "ateliere"), (opened, "")] {
        let answer = send(app.clone(), claim(request)).await;
        assert_eq!((answer.status, answer.text()), (StatusCode::OK, caller));
        let claimed = |name: &&str| answer.headers.contains_key(*name);
        let left: Vec<_> = ["x-countersign-key", "x-auth-user", "x-consumer-id", "x-real-ip"]
            .into_iter()
            .filter(claimed)
            .collect();
        assert_eq!(left, ["x-real-ip"]);
    }
    let chosen = Router::new()
        .route("/graphql", post(tell))
        .layer(layer(Provider::Ateliere).with_stripped_headers(["X-Real-"]));
    let answer = send(chosen, claim(Provider::Ateliere.signed("{}"))).await;
    assert!(answer.headers.contains_key("x-auth-user") && !answer.headers.contains_key("x-real-ip"));
}

/// A scheme whose own headers look like an identity, with an alternate that clients use.
#[derive(Debug)]
struct Homemade(Routes);

impl Scheme for Homemade {
    fn name(&self) -> &'static str {
        "homemade"
    }

    fn algorithm(&self) -> Algorithm {
        Algorithm::HmacSha256
    }

    fn covers(&self) -> Covers {
        Covers::body()
    }

    fn tenancy(&self) -> Tenancy {
        Tenancy::Own
    }

    fn routes(&self) -> &Routes {
        &self.0
    }

    fn challenge(&self) -> &'static str {
        "Homemade"
    }

    fn read<'m>(&self, message: &Message<'m>) -> Result<Option<Presented<'m>>, VerifyError> {
        let key_id = message.text_once(&"x-auth-key".parse().unwrap())?;
        let signature = message.text_once(&"x-auth-signature".parse().unwrap())?;
        let (Some(key_id), Some(signature)) = (key_id, signature) else { return Ok(None) };
        let signature = Signature::from_hex(Algorithm::HmacSha256, signature, Case::Lower);
        let signature = signature.map_err(|_| VerifyError::malformed("not a signature"))?;
        Ok(Some(Presented::new(Parameters::new(key_id), signature)))
    }

    fn signature_base<'m>(&self, _: &Message<'m>, _: &Parameters<'m>) -> SignatureBase<'m> {
        SignatureBase::default().bytes("v1:").body()
    }

    fn alternates<'m>(&self, _: &Message<'m>, _: &Parameters<'m>) -> Vec<SignatureBase<'m>> {
        vec![SignatureBase::default().body()]
    }

    fn attach(
        &self,
        head: &mut Parts,
        parameters: &Parameters<'_>,
        signature: Option<&Signature>,
    ) -> Result<(), SignError> {
        head.headers.insert("x-auth-key", parameters.key_id.parse().unwrap());
        let Some(signature) = signature else { return Ok(()) };
        head.headers.insert("x-auth-signature", signature.to_hex().parse().unwrap());
        Ok(())
    }
}

#[tokio::test]
async fn a_scheme_may_use_headers_that_are_stripped() {
    let homemade = || Homemade(Routes::AnyPath(vec![Method::POST]));
    let keys = Arc::new(MemoryKeyStore::new());
    let secret = SecretVersion::new(1, Provider::Ateliere.mac_key(SECRET));
    keys.insert("homemade", "k", Credential::new(Principal::new("maker").unwrap(), [secret]));
    let signer = Signer::new(homemade(), "k", &Secret::new(SECRET).unwrap());
    let verifiers = [
        SignatureVerifier::new(homemade(), Arc::clone(&keys)),
        SignatureVerifier::new(homemade(), Slow(keys)),
    ];
    for verifier in verifiers {
        let app = Router::new().route("/graphql", post(tell)).layer(VerifyLayer::new(verifier));
        let mut first = Provider::Ateliere.unsigned("{}");
        signer.sign(&mut first).unwrap();
        // The alternate spells `v1:{}` as the body itself.
        let mut other = first.clone();
        signer.sign(&mut other).unwrap();
        *other.body_mut() = "v1:{}".into();
        for request in [first, other] {
            let answer = send(app.clone(), request).await;
            assert_eq!((answer.status, answer.text()), (StatusCode::OK, "maker"));
            assert!(!answer.headers.contains_key("x-auth-key"));
        }
    }
}

/// A guarded service that answers anything, whatever the path.
async fn ask(verifier: SignatureVerifier, uri: &str, provider: Provider) -> Option<VerifyErrorKind> {
    let mut request = Request::post(uri).header("host", HOST).body(Bytes::from("{}")).unwrap();
    provider.signer(provider.key_id(), SECRET).sign(&mut request).unwrap();
    let app = Router::new()
        .fallback(async || "in")
        .layer(VerifyLayer::new(verifier.with_clock(ManualClock::at(NOW))));
    let answer = send(app, request).await;
    assert_eq!(answer.status == StatusCode::OK, answer.kind.is_none());
    answer.kind
}

#[tokio::test]
async fn an_organization_in_the_path_is_the_verified_one() {
    const ELSEWHERE: Option<VerifyErrorKind> = Some(VerifyErrorKind::WrongOrganization);
    let graphql = "/{organization}/graphql";
    // Named by the request, in a path that the signature covers.
    let ateliere = || {
        let verifier = SignatureVerifier::new(Ateliere::default(), keys());
        verifier
            .with_organization_path(graphql)
            .unwrap()
            .with_organization_path("/{organization}/{_}/{_}")
            .unwrap()
    };
    for (path, expected) in [
        (format!("/{SLUG}/graphql"), None),
        ("/graphql".to_owned(), None),
        ("/other/graphql".to_owned(), ELSEWHERE),
        // The same to a router that decodes, but not what was verified.
        ("/acme%2Dstudios/graphql".to_owned(), ELSEWHERE),
        ("/ACME-studios/graphql".to_owned(), ELSEWHERE),
        (format!("/{}/graphql", "o".repeat(300)), ELSEWHERE),
        ("/other/a/b".to_owned(), ELSEWHERE),
    ] {
        assert_eq!(ask(ateliere(), &path, Provider::Ateliere).await, expected, "{path}");
    }
    // Named by the request; the templates are the scheme's own routes.
    let salescloud = || {
        let scheme = SalesCloud::default().with_route(Method::POST, graphql).unwrap();
        SignatureVerifier::new(scheme, keys())
    };
    let own = format!("/{ORGANIZATION}/graphql");
    assert_eq!(ask(salescloud(), &own, Provider::SalesCloud).await, None);
    assert_eq!(ask(salescloud(), "/other/graphql", Provider::SalesCloud).await, ELSEWHERE);
    // Not named by the request: the key's own.
    let corezoid = |company: Option<&str>| {
        let keys = keys();
        let mut credential = Provider::Corezoid.credential();
        credential.organization = company.map(|company| Organization::new(company).unwrap());
        keys.insert("corezoid", "13000", credential);
        let scheme = Corezoid::default().with_route(Method::POST, "/of/{organization}").unwrap();
        SignatureVerifier::new(scheme, keys)
    };
    assert_eq!(ask(corezoid(Some("i100")), "/of/i100", Provider::Corezoid).await, None);
    assert_eq!(ask(corezoid(Some("i100")), "/of/i200", Provider::Corezoid).await, ELSEWHERE);
    assert_eq!(ask(corezoid(None), "/of/i100", Provider::Corezoid).await, ELSEWHERE);
    // Two templates that read two different organizations out of one path.
    let twice = ateliere().with_organization_path("/{_}/{organization}").unwrap();
    assert_eq!(ask(twice, &format!("/{SLUG}/graphql"), Provider::Ateliere).await, ELSEWHERE);
}

#[tokio::test]
async fn a_public_key_is_the_one_stored_beside_the_key_id() {
    for (stored, expected) in [
        (Some("849015eb6c1d"), None),
        (None, Some(VerifyErrorKind::UnknownKey)),
        (Some("849015eb6c1e"), Some(VerifyErrorKind::UnknownKey)),
    ] {
        let keys = keys();
        let mut credential = Provider::SalesCloud.credential();
        credential.public_key = stored.map(Into::into);
        keys.insert("salescloud", Provider::SalesCloud.key_id(), credential);
        let slow = Slow(Arc::clone(&keys));
        assert_eq!(
            ask(SignatureVerifier::new(SalesCloud::default(), keys), "/", Provider::SalesCloud).await,
            expected
        );
        assert_eq!(
            ask(SignatureVerifier::new(SalesCloud::default(), slow), "/", Provider::SalesCloud).await,
            expected
        );
    }
}

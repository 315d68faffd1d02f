//! The routes: who is asked for what, and where a request goes that asks for what anybody may know.

use super::{SalesCloudMock, schema::PUBLIC, webhooks};
use crate::{
    middleware::{GraphQlErrors, VerifyLayer},
    mock::{
        graphql::{self, Caller},
        provider::Kit,
        stub::Stubbed,
    },
    scheme::SalesCloud,
    verify::{AnyOf, ReadTokenVerifier, SignatureVerifier, Verified},
};
use axum::{
    Extension, Json, Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    response::{IntoResponse as _, Response},
    routing::post,
};
use http::{HeaderMap, StatusCode, header::AUTHORIZATION};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{borrow::Cow, sync::Arc};
use tower_service::Service as _;

type Mock = State<Arc<SalesCloudMock>>;

/// The routes, each behind what guards it.
pub(super) fn of(mock: &Arc<SalesCloudMock>, kit: &Kit) -> Router {
    let apps = SignatureVerifier::new(SalesCloud::default(), kit.keys()).with_clock(kit.clock());
    let readers = ReadTokenVerifier::new(kit.keys()).with_clock(kit.clock());
    let layer = VerifyLayer::new(AnyOf::new(apps).or(readers)).with_rejection(GraphQlErrors::default());
    let guarded = Router::new().route("/", post(answer)).with_state(Arc::clone(mock));
    let guarded = kit.guard::<SalesCloudMock>(guarded, layer);
    let open = Router::new().route("/", post(answer_anybody)).with_state(Arc::clone(mock));
    let open = kit.open::<SalesCloudMock>(open);
    let graph = post(move |request| fork(request, open.clone(), guarded.clone(), is_for_anybody));

    let verifier = SignatureVerifier::new(webhooks(), kit.keys()).with_clock(kit.clock());
    let layer = VerifyLayer::new(verifier).with_rejection(GraphQlErrors::default());
    let called = Router::new().route("/webhooks/{*name}", post(called));
    let called = kit.guard::<SalesCloudMock>(called, layer);
    let hooks = post(move |request| called_either_way(request, called.clone()));

    let control = Router::new()
        .route("/mock/webhook", post(send))
        .route("/mock/install", post(install))
        .route("/mock/uninstall", post(uninstall))
        .with_state(Arc::clone(mock));
    Router::new()
        .route("/", graph)
        .route("/webhooks/{*name}", hooks)
        .merge(kit.open::<SalesCloudMock>(control))
}

async fn answer(mock: Mock, stubbed: Extension<Stubbed>, caller: Verified, body: Bytes) -> Response {
    mock.endpoint.answer(&Caller(Some(caller)), &stubbed, &meant(&body)).await
}

async fn answer_anybody(mock: Mock, stubbed: Extension<Stubbed>, body: Bytes) -> Response {
    mock.endpoint.answer(&Caller(None), &stubbed, &meant(&body)).await
}

/// Sends a request to one of two routers, by its head and body.
async fn fork(
    request: Request,
    mut first: Router,
    mut second: Router,
    takes_first: impl Fn(&HeaderMap, &[u8]) -> bool,
) -> Response {
    let (head, body) = request.into_parts();
    // It is in memory already. What broke off is the guard's to refuse.
    let Ok(body) = to_bytes(body, usize::MAX).await else { return StatusCode::BAD_REQUEST.into_response() };
    let router = if takes_first(&head.headers, &body) { &mut first } else { &mut second };
    match router.call(Request::from_parts(head, Body::from(body))).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// Whether a request has no credentials and asks for nothing that would need some.
fn is_for_anybody(headers: &HeaderMap, body: &[u8]) -> bool {
    let presents = headers.contains_key(AUTHORIZATION)
        || headers.keys().any(|name| name.as_str().starts_with("salescloud-"));
    let fields = graphql::fields(&meant(body));
    !presents && fields.is_some_and(|fields| fields.iter().all(|field| PUBLIC.contains(&field.as_str())))
}

/// A body as it is meant. The document's first sample, `{ "query": { systemTimeInMillis } }`, is no JSON: what stands
/// behind the colon is taken for the query.
pub(super) fn meant(body: &[u8]) -> Cow<'_, [u8]> {
    let sample = || {
        let text = std::str::from_utf8(body).ok()?.trim();
        let rest = text.strip_prefix('{')?.trim_start().strip_prefix("\"query\"")?.trim_start();
        let query = rest.strip_prefix(':')?.trim_start().strip_suffix('}')?.trim_end();
        query.starts_with('{').then(|| json!({ "query": query }).to_string().into_bytes())
    };
    match serde_json::from_slice::<serde::de::IgnoredAny>(body) {
        Ok(_) => body.into(),
        Err(_) => sample().map_or_else(|| body.into(), Cow::Owned),
    }
}

async fn called() -> Json<Value> {
    Json(json!({ "success": true }))
}

/// A call to SalesCloud's webhooks whose signature leaves the body out is taken as well: a client in production makes
/// such.
async fn called_either_way(request: Request, router: Router) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else { return StatusCode::BAD_REQUEST.into_response() };
    let call = |body: Body| {
        let (mut router, request) = (router.clone(), Request::from_parts(head.clone(), body));
        async move {
            match router.call(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        }
    };
    let empty = body.is_empty();
    let answered = call(Body::from(body)).await;
    if answered.status() != StatusCode::UNAUTHORIZED || empty {
        return answered;
    }
    let without = call(Body::empty()).await;
    if without.status() == StatusCode::UNAUTHORIZED { answered } else { without }
}

#[derive(Deserialize)]
struct Webhook {
    url: String,
    body: Value,
}

async fn send(mock: Mock, webhook: Bytes) -> Response {
    let webhook: Webhook = match serde_json::from_slice(&webhook) {
        Ok(webhook) => webhook,
        Err(error) => return misread(&error),
    };
    match mock.send_webhook(&webhook.url, &webhook.body).await {
        Ok(answer) => {
            let body = String::from_utf8_lossy(answer.body()).into_owned();
            Json(json!({ "status": answer.status().as_u16(), "body": body })).into_response()
        }
        Err(error) => (StatusCode::BAD_GATEWAY, Json(json!({ "error": error.to_string() }))).into_response(),
    }
}

#[derive(Deserialize)]
struct Installation {
    application: String,
    organization: String,
    label: Option<String>,
}

async fn install(mock: Mock, body: Bytes) -> Response {
    change(&mock, &body, true)
}

async fn uninstall(mock: Mock, body: Bytes) -> Response {
    change(&mock, &body, false)
}

fn change(mock: &SalesCloudMock, body: &[u8], installed: bool) -> Response {
    match serde_json::from_slice::<Installation>(body) {
        Ok(Installation { application, organization, label }) => {
            mock.change(application, &organization, label.as_deref(), installed);
            Json(json!({ "success": true })).into_response()
        }
        Err(error) => misread(&error),
    }
}

fn misread(error: &serde_json::Error) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": error.to_string() }))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_s_first_sample_is_taken_as_it_is_meant() {
        let text = |body: &str| String::from_utf8(meant(body.as_bytes()).into_owned()).unwrap();
        assert_eq!(text(r#"{ "query": { systemTimeInMillis } }"#), r#"{"query":"{ systemTimeInMillis }"}"#);
        for same in
            [r#"{"query":"{ a }"}"#, "", "{", r#"{"query":}"#, r#"{"query": a }"#, r#"{"a":{ b } }"#, "[]"]
        {
            assert_eq!(text(same), same);
        }
    }

    #[test]
    fn anybody_may_ask_for_little() {
        let asks = |headers: &HeaderMap, query: &str| {
            is_for_anybody(headers, json!({ "query": query }).to_string().as_bytes())
        };
        let nobody = HeaderMap::new();
        let mut somebody = HeaderMap::new();
        somebody.insert("salescloud-application", "a".parse().unwrap());
        let items = r#"query { itemsList(organization: "u") { title } }"#;
        assert!(asks(&nobody, items));
        assert!(!asks(&somebody, items));
        assert!(asks(&nobody, "{ systemTimeInMillis }"));
        assert!(!asks(&nobody, "{ itemsList: appOrganizations { uuid } }"));
        assert!(!asks(&nobody, "{ ...a } fragment a on Query { appOrganizations { uuid } }"));
        assert!(!asks(&nobody, "mutation { createLog(log: { msg: \"a\" }) }"));
        assert!(!asks(&nobody, "not GraphQL"));
        assert!(!is_for_anybody(&nobody, b""));
    }
}

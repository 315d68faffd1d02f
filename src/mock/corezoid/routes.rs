//! The routes: from a request to the state and back.

use super::{
    Caller, CorezoidMock, Package, direct, flow, package::Answer, scheme::content_type, session::Session,
    upload,
};
use crate::{
    credential::{Access, Organization},
    middleware::{OpsErrors, VerifyLayer},
    mock::{
        provider::{Kit, Operation},
        received::Denied,
        stub::Stubbed,
    },
    verify::{SignatureVerifier, Verified},
};
use axum::{
    Extension, Json, Router,
    body::Bytes,
    extract::{OriginalUri, Path, Request, State},
    response::{Html, IntoResponse as _, Response},
    routing::{MethodFilter, MethodRouter, get, on, post},
};
use http::{
    HeaderMap, StatusCode, Uri,
    header::{AUTHORIZATION, CONTENT_TYPE},
    request::Parts,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tower_service::Service as _;

/// The largest body, in bytes: the provider's.
const BODY_LIMIT: u64 = 16 << 20;
/// How long the synchronous API waits that is not told how long, as documented.
const PATIENCE: Duration = Duration::from_secs(60);
/// And at most, whatever it is told. Ours.
const LONGEST_PATIENCE: u64 = 600;

type Mock = State<Arc<CorezoidMock>>;

/// The routes that ask for a signature.
const SIGNED: [(MethodFilter, &str); 11] = [
    (MethodFilter::POST, "/api/1/json/{login}/{time}/{signature}"),
    (MethodFilter::POST, "/api/2/json/{login}/{time}/{signature}"),
    (MethodFilter::POST, "/api/2/compare/{login}/{time}/{signature}"),
    (MethodFilter::POST, "/api/2/copy/{login}/{time}/{signature}"),
    (MethodFilter::POST, "/api/2/download/{login}/{time}/{signature}"),
    (MethodFilter::POST, "/api/2/merge/{login}/{time}/{signature}"),
    (MethodFilter::POST, "/sync/api/1/json/{login}/{time}/{signature}"),
    (MethodFilter::POST, "/sync/api/2/json/{login}/{time}/{signature}"),
    (MethodFilter::POST, UPLOAD),
    (MethodFilter::GET, INFO),
    (MethodFilter::GET, DOWNLOAD),
];
const UPLOAD: &str = "/api/2/upload/{login}/{time}/{signature}";
/// Where the result of an upload is asked for.
const INFO: &str = "/api/2/upload/info/{login}/{time}/{signature}";
const DOWNLOAD: &str = "/user_downloads/{file}/{login}/{time}/{signature}";

/// The routes, those that ask for a signature behind their guard. A method that a route does not have is answered before
/// it.
pub(super) fn of(mock: &Arc<CorezoidMock>, kit: &Kit) -> Router {
    let direct = ["/api/1/json", "/api/2/json", "/api/1/nvp", "/api/2/nvp"];
    let open = direct.into_iter().fold(Router::new(), |open, format| {
        open.route(&format!("{format}/public/{{conv}}/{{hash}}"), post(public).fallback(not_allowed))
    });
    let open = open
        .route("/system/conf", get(conf).fallback(not_allowed))
        .route("/api/1/plugins/callback/{request}", post(replied).fallback(not_allowed))
        .route("/api/1/json", post(session_only).fallback(not_allowed))
        .route("/api/2/json", post(session_only).fallback(not_allowed))
        .route("/mock/process", post(add_process))
        .route("/mock/callback", post(send_callback))
        .with_state(Arc::clone(mock));
    let open = kit.open::<CorezoidMock>(open);
    let Some(scheme) = super::scheme() else { return open };
    let verifier = SignatureVerifier::new(scheme, kit.keys()).with_clock(kit.clock());
    let layer = VerifyLayer::new(verifier).with_rejection(OpsErrors::default()).with_body_limit(BODY_LIMIT);
    let signed = SIGNED.into_iter().fold(Router::new(), |signed, (_, path)| {
        signed.route(
            path,
            match path {
                UPLOAD => post(uploaded),
                INFO => get(info),
                DOWNLOAD => get(download),
                _ => package_route(path.starts_with("/sync/")),
            },
        )
    });
    let signed = kit.guard::<CorezoidMock>(signed.with_state(Arc::clone(mock)), layer);
    SIGNED.into_iter().fold(open, |open, (method, path)| {
        let signed = signed.clone();
        let forward = move |request| pass(request, signed.clone(), path == INFO);
        open.route(path, on(method, forward).fallback(not_allowed))
    })
}

fn package_route(sync: bool) -> MethodRouter<Arc<CorezoidMock>> {
    post(move |mock: Mock, stubbed: Extension<Stubbed>, caller: Verified, body: Bytes| async move {
        perform(mock.0, &stubbed, &caller, &body, sync).await
    })
}

/// What a request asks for.
pub(super) fn operations(head: &Parts, body: &[u8]) -> Vec<Operation> {
    let path = head.uri.path();
    let named = |name: &str| vec![Operation::named([name])];
    if path.starts_with("/api/2/upload/info/") {
        return named("upload info");
    }
    if path.starts_with("/api/2/upload/") {
        return vec![upload::operation(body)];
    }
    if path.starts_with("/user_downloads/") {
        return named("user download");
    }
    if path.starts_with("/api/1/plugins/callback/") {
        return named("callback");
    }
    if path.contains("/public/") {
        return vec![Operation::named(["direct url", "create task", "task"])];
    }
    match Package::read(body) {
        Ok(package) => package.ops.iter().map(operation).collect(),
        Err(_) => Vec::new(),
    }
}

fn operation(op: &Value) -> Operation {
    let (action, object) = (op["type"].as_str().unwrap_or_default(), op["obj"].as_str().unwrap_or_default());
    // A copy is the one operation without a type.
    if action.is_empty() {
        Operation::named([object])
    } else {
        Operation::named([&format!("{action} {object}"), object])
    }
}

impl Caller {
    fn of(verified: &Verified) -> Self {
        Self {
            login: verified.key_id().to_string(),
            company: verified.organization().map(Organization::to_string),
            only_reads: verified.access() != Access::Write,
        }
    }
}

async fn perform(
    mock: Arc<CorezoidMock>,
    stubbed: &Stubbed,
    verified: &Verified,
    body: &Bytes,
    sync: bool,
) -> Response {
    let mut package = match Package::read(body) {
        Ok(package) => package,
        Err(answer) => return answer.into_response(),
    };
    let caller = Caller::of(verified);
    let stub = |index| stubbed.reply(index).cloned();
    if !sync && package.timeout.is_none() {
        let answers = mock.with(&caller, |session| package.perform(session, stub));
        return package.answer(answers).into_response();
    }
    let patience = package.timeout.map(|seconds| Duration::from_secs(seconds.min(LONGEST_PATIENCE)));
    let (requests, mut answers) = mock.with(&caller, |session| {
        let requests = package.ask_for_replies(session);
        (requests, package.perform(session, stub))
    });
    let waiting = requests.iter().zip(&mut answers).enumerate();
    let waiting =
        waiting.filter(|(index, (_, answer))| answer["proc"] == "ok" && stubbed.reply(*index).is_none());
    let mut waiting: Vec<_> =
        waiting.filter_map(|(_, (request, answer))| Some((request.as_ref()?, answer))).collect();
    let all = mock.wait(&mut waiting, patience.unwrap_or(PATIENCE)).await;
    if !all && patience.is_none() {
        return (StatusCode::GATEWAY_TIMEOUT, Html("Gateway Time-out")).into_response();
    }
    package.answer(answers).into_response()
}

impl CorezoidMock {
    /// Waits until all requests have their replies, and puts these into their answers. Whether all came in time.
    async fn wait(&self, waiting: &mut Vec<(&String, &mut Value)>, patience: Duration) -> bool {
        let until = tokio::time::sleep(patience);
        tokio::pin!(until);
        loop {
            let replied = self.replied.notified();
            tokio::pin!(replied);
            // From here on no reply is missed.
            replied.as_mut().enable();
            waiting.retain_mut(|(request, answer)| {
                let reply = super::lock(&self.state).replies.remove(*request);
                if let Some(reply) = &reply {
                    **answer = json!({ "id": answer["id"], "proc": "ok", "obj": "task", "data": reply });
                }
                reply.is_none()
            });
            if waiting.is_empty() {
                return true;
            }
            tokio::select! {
                () = &mut replied => {}
                () = &mut until => {
                    for (_, answer) in waiting {
                        let description = "Timeout for create task";
                        **answer = json!({ "id": answer["id"], "proc": "error", "description": description });
                    }
                    return false;
                }
            }
        }
    }
}

async fn uploaded(mock: Mock, stubbed: Extension<Stubbed>, verified: Verified, body: Bytes) -> Response {
    if let Some(reply) = stubbed.reply(0) {
        return Json(json!({ "request_proc": "ok", "ops": [reply] })).into_response();
    }
    let caller = Caller::of(&verified);
    Json(mock.with(&caller, |session| upload::answer(session, &body))).into_response()
}

/// The query of a request that was verified without it.
#[derive(Clone)]
struct Query(String);

/// Passes a request on to the routes that verify; where it may have a query, without that, which is not signed and would
/// be refused.
async fn pass(request: Request, mut signed: Router, has_query: bool) -> Response {
    let (mut head, body) = request.into_parts();
    if has_query && let Ok(path) = head.uri.path().parse::<Uri>() {
        head.extensions.insert(Query(head.uri.query().unwrap_or_default().to_owned()));
        head.extensions.insert(OriginalUri(path.clone()));
        head.uri = path;
    }
    match signed.call(Request::from_parts(head, body)).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

async fn info(mock: Mock, verified: Verified, Extension(Query(query)): Extension<Query>) -> Response {
    let pairs = query.split('&');
    let hash = pairs.filter_map(|pair| pair.strip_prefix("hash=")).next().unwrap_or_default().to_owned();
    let caller = Caller::of(&verified);
    Json(mock.with(&caller, |session| upload::info(session.state, &hash))).into_response()
}

/// Corezoid's answers for files are not public; that to a file that is not there is ours.
async fn download(mock: Mock, verified: Verified, uri: Uri) -> Response {
    let caller = Caller::of(&verified);
    let file = uri.path().split('/').nth(2).unwrap_or_default();
    let content = mock.with(&caller, |session| session.state.files.get(file).cloned());
    match content {
        Some(content) => ([(CONTENT_TYPE, content_type(file))], content).into_response(),
        None => {
            let body = json!({ "request_proc": "error", "ops": [{ "proc": "error", "description": "object not found" }] });
            (StatusCode::NOT_FOUND, Json(body)).into_response()
        }
    }
}

async fn public(
    mock: Mock,
    stubbed: Extension<Stubbed>,
    Path((conv, hash)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Some(reply) = stubbed.reply(0) {
        return Json(json!({ "request_proc": "ok", "ops": reply })).into_response();
    }
    let authorization = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let caller = Caller { login: "public".to_owned(), ..Caller::default() };
    let answer = mock.with(&caller, |session| {
        flow::pass_time(session);
        direct::answer(session, &conv, &hash, authorization, &body)
    });
    let denied = answer["ops"]["description"] == "Access denied";
    let mut response = Json(answer).into_response();
    if denied {
        let cause = "the hash in the URL is not the process's, or its user and password are not presented";
        response.extensions_mut().insert(Denied(cause.to_owned()));
    }
    response
}

/// The reply to a synchronous request. Who sends it proves nothing but that it knows the URL.
async fn replied(mock: Mock, Path(request): Path<String>, body: Bytes) -> Response {
    let reply = serde_json::from_slice(&body).unwrap_or_default();
    mock.with(&Caller::default(), |session: &mut Session<'_>| session.state.replies.insert(request, reply));
    Json(json!({ "request_proc": "ok", "ops": [] })).into_response()
}

/// The answer to a request without the three segments: browsers come so, with a session that the mock has not.
async fn session_only() -> Response {
    let op = json!({ "id": "", "proc": "error", "description": "cookie or headers are not valid" });
    let mut response = Json(json!({ "request_proc": "ok", "ops": [op] })).into_response();
    let cause =
        "the path lacks login, time and signature, and a session is not accepted: sign with an API key";
    response.extensions_mut().insert(Denied(cause.to_owned()));
    response
}

/// The answer to a method that a route does not have, as Corezoid words it.
async fn not_allowed() -> Response {
    let text = "The specified method is not allowed against this resource";
    (StatusCode::METHOD_NOT_ALLOWED, Html(text)).into_response()
}

async fn conf(mock: Mock) -> Response {
    let host = mock.base_url.trim_start_matches("http://");
    Json(json!({
        "result": "ok",
        "box_solution": true,
        "type_logins": ["api"],
        "auth_providers": [],
        "web_settings": {
            "env": "mock",
            "host": { "site": host, "doc": "doc.corezoid.com", "ws": host, "webhook": host, "auth": host },
            "path": {
                "api": "/api/2/json", "upload": "/api/2/upload", "download": "/api/2/download",
                "webhook": "/api/2/", "compare": "/api/2/compare", "merge": "/api/2/merge",
            },
            "ui": { "company": true, "default_company": "My Corezoid" },
        },
        "auth_single_account": false,
        "multitenancy": false,
        "components": [],
    }))
    .into_response()
}

#[derive(Deserialize)]
struct Process {
    number: u64,
}

async fn add_process(mock: Mock, body: Bytes) -> Response {
    match serde_json::from_slice::<Process>(&body) {
        Ok(Process { number }) => {
            mock.add_process(number);
            Json(json!({ "success": true })).into_response()
        }
        Err(error) => misread(&error),
    }
}

#[derive(Deserialize)]
struct Callback {
    url: String,
    conv_id: u64,
    secret: String,
    body: Value,
}

async fn send_callback(mock: Mock, body: Bytes) -> Response {
    let callback: Callback = match serde_json::from_slice(&body) {
        Ok(callback) => callback,
        Err(error) => return misread(&error),
    };
    let Callback { url, conv_id, secret, body } = callback;
    match mock.send_callback(&url, conv_id, &secret, &body).await {
        Ok(answer) => {
            let body = String::from_utf8_lossy(answer.body()).into_owned();
            Json(json!({ "status": answer.status().as_u16(), "body": body })).into_response()
        }
        Err(error) => (StatusCode::BAD_GATEWAY, Json(json!({ "error": error.to_string() }))).into_response(),
    }
}

fn misread(error: &serde_json::Error) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": error.to_string() }))).into_response()
}

impl Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        (status, Json(self.body)).into_response()
    }
}

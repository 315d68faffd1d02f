//! Corezoid: packages of operations on processes, nodes, tasks and what is around them, signed in the path.

mod call;
mod conv;
mod direct;
mod flow;
mod group;
mod node;
mod object;
mod op;
mod package;
mod refusal;
mod routes;
mod scheme;
mod session;
mod state;
mod task;
#[cfg(test)]
mod tests;
mod upload;
mod value;
mod zip;

use self::{
    package::Package,
    session::{Call, Caller, Effect, Session},
    state::{Kind, State},
};
use super::{
    MockBuilder, MockCredential, MockProvider,
    keys::{MockClock, MockKeys},
    provider::{Kit, Operation, Provide, lock},
    send::{self, SendError},
};
use crate::{
    clock::Clock as _,
    scheme::{Corezoid, CorezoidCallback, Scheme},
    sign::Signer,
    signature::Algorithm,
};
use axum::{Router, body::Bytes};
use http::{HeaderName, Method, Request, Response, StatusCode, header::CONTENT_TYPE, request::Parts};
use serde_json::{Value, json};
use std::{
    fmt,
    sync::{Arc, Mutex},
    time::UNIX_EPOCH,
};
use tokio::sync::Notify;

/// The mock of Corezoid; see [`MockProvider::corezoid`].
///
/// # What it stands in for
///
/// | route | what it is |
/// |---|---|
/// | `POST /api/{1,2}/json/{login}/{time}/{signature}` | packages of operations; with `timeout` in the body synchronous |
/// | `POST /sync/api/{1,2}/json/…` | the same as the host of the synchronous API serves it: always synchronous |
/// | `POST /api/2/{download,copy,compare,merge}/…` | packages too |
/// | `POST /api/2/upload/…`, `GET /api/2/upload/info/…?hash=` | forms: schemes as JSON, tasks as tables |
/// | `GET /user_downloads/{file}/{login}/{time}/{signature}` | files that exports made |
/// | `POST /api/{1,2}/{json,nvp}/public/{process}/{hash}` | direct URLs, with a password where one was set |
/// | `POST /api/1/plugins/callback/{request}` | the reply to a synchronous request (`__callback_url`) |
/// | `GET /system/conf` | settings, without credentials |
/// | `POST /mock/process` | adds a process: `{"number"}`; for tests in other languages |
/// | `POST /mock/callback` | sends a callback: `{"url","conv_id","secret","body"}` |
///
/// Operations: `alias`, `callback_hash`, `commit`, `company`, `company_users`, `conv`, `conv_auth`, `conv_params`,
/// `dashboard`, `env_var`, `folder`, `group`, `node`, `obj_copy`, `obj_scheme`, `project`, `stage`, `stat`, `task`, `user`
/// and the lists of several of them, with shapes and error texts of the vendor's OpenAPI document and pages.
///
/// A process that is `active` moves its tasks by itself (`flow.rs` says by which rules), and its API Calls really call:
/// signed with `conv_signature`, `conv_time` and `conv_id` where the node has a secret.
///
/// # What it does not
///
/// Code, databases and git in nodes do nothing. XML is not read, nor are archives. Versions take effect before they are
/// confirmed. Limits on requests and the rights of single users are not kept: a stub or a fault plays them. A browser's
/// session (`Authorization: Simulator` or `Bearer`) is refused with the real system's text. Without companies of its own
/// the mock takes any well-formed `company_id`.
///
/// Ours, because it is not public: the answer to a wrong signature (401, `request_proc: "fail"`), the ±300 s that a signed
/// time is good for, and what the comments beside the code call ours.
pub struct CorezoidMock {
    state: Mutex<State>,
    keys: MockKeys,
    clock: MockClock,
    base_url: String,
    /// A reply to a synchronous request came.
    replied: Notify,
}

impl MockProvider<CorezoidMock> {
    /// A mock of Corezoid.
    pub fn corezoid() -> MockBuilder<CorezoidMock> {
        MockBuilder::new()
    }

    /// Makes a process of this number, with a start node that leads to a final one, unless there is one: for clients that
    /// have the number of their process in their settings.
    pub fn add_process(&self, number: u64) {
        self.provider().add_process(number);
    }

    /// Names the companies that there are. Any other is refused from now on, with the documented text.
    pub fn set_companies<'c>(&self, companies: impl IntoIterator<Item = &'c str>) {
        let companies = companies.into_iter().map(|company| (company.to_owned(), company.to_owned()));
        lock(&self.provider().state).companies = companies.collect();
    }

    /// The URL of the synchronous API, without a slash at its end: the mock has one host where Corezoid has two.
    #[must_use]
    pub fn sync_url(&self) -> String {
        format!("{}/sync", self.base_url())
    }

    /// Sends a JSON body to the client under test as a process's API Call does: a `POST` with `conv_signature`,
    /// `conv_time` and `conv_id` in its query, signed with the node's secret.
    ///
    /// # Errors
    ///
    /// [`SendError`] if the secret or the URL is none, or nobody answers.
    pub async fn send_callback(
        &self,
        url: &str,
        conv_id: u64,
        secret: &str,
        body: &Value,
    ) -> Result<Response<Bytes>, SendError> {
        self.provider().send_callback(url, conv_id, secret, body).await
    }
}

impl fmt::Debug for CorezoidMock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CorezoidMock(..)")
    }
}

/// The scheme, on all routes of the mock, with times as real clients write them.
fn scheme() -> Option<Corezoid> {
    let routes = [
        (Method::POST, "/sync/api/1/json"),
        (Method::POST, "/sync/api/2/json"),
        (Method::POST, "/api/2/download"),
        (Method::GET, "/api/2/upload/info"),
        (Method::POST, "/api/2/copy"),
        (Method::POST, "/api/2/compare"),
        (Method::POST, "/api/2/merge"),
        (Method::GET, "/user_downloads/{file}"),
    ];
    let scheme = Corezoid::default().with_lenient_time().with_multipart_route("/api/2/upload").ok()?;
    routes.into_iter().try_fold(scheme, |scheme, (method, prefix)| scheme.with_route(method, prefix).ok())
}

impl CorezoidMock {
    /// Works on the state, and does afterwards what the work asks for.
    fn with<T>(self: &Arc<Self>, caller: &Caller, work: impl FnOnce(&mut Session<'_>) -> T) -> T {
        let now = self.clock.now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        let mut state = lock(&self.state);
        let mut session = Session::new(&mut state, caller, &self.base_url, now);
        let done = work(&mut session);
        let effects = session.effects;
        drop(state);
        for effect in effects {
            self.effect(caller, effect);
        }
        self.replied.notify_waiters();
        done
    }

    fn add_process(self: &Arc<Self>, number: u64) {
        self.with(&Caller::default(), |session| {
            if session.state.objects.contains_key(&number) {
                return;
            }
            let mut conv = session.object(Kind::Conv, 0, "New object", None);
            conv.members.insert("conv_type".to_owned(), "process".into());
            conv.members.insert("status".to_owned(), "active".into());
            let hash = session.state.hash(number);
            conv.members.insert("hash".to_owned(), hash.into());
            session.state.objects.insert(number, conv);
            conv::insert_start_and_final(session, number);
        });
    }

    async fn send_callback(
        &self,
        url: &str,
        conv_id: u64,
        secret: &str,
        body: &Value,
    ) -> Result<Response<Bytes>, SendError> {
        let mut request = send::json(Method::POST, url, body)?;
        self.sign(&mut request, conv_id, secret)?;
        send::send(request).await
    }

    fn effect(self: &Arc<Self>, caller: &Caller, effect: Effect) {
        match effect {
            Effect::Key { login, secret } => {
                let mut credential = MockCredential::new(login, secret);
                if let Some(company) = &caller.company {
                    credential = credential.with_organization(company);
                }
                Self::admit(&self.keys, &credential);
            }
            Effect::Call(call) => {
                let (mock, caller) = (Arc::clone(self), caller.clone());
                // Outside of a runtime nobody sends, and the task goes on waiting.
                if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                    runtime.spawn(async move { mock.call(&caller, &call).await });
                }
            }
        }
    }

    /// Makes a process's call, and lets its task go on with the answer.
    async fn call(self: Arc<Self>, caller: &Caller, call: &Call) {
        let answer = match self.request(call) {
            Ok(request) => send::send(request).await,
            Err(error) => Err(error),
        };
        let answer = match answer {
            Ok(answer) => call::Answer::Of(answer.status().as_u16(), answer.into_body().into()),
            Err(error) => {
                tracing::info!(%error, conv = call.conv, "a process's call was not answered");
                call::Answer::None
            }
        };
        self.with(caller, |session| call::resume(session, call, &answer));
    }

    fn request(&self, call: &Call) -> Result<Request<Bytes>, SendError> {
        let mut request = Request::builder().method(&*call.method).uri(&call.url);
        if !call.body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let mut request = request.body(Bytes::from(call.body.clone())).map_err(SendError::new)?;
        for (name, value) in &call.headers {
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse()) {
                request.headers_mut().insert(name, value);
            }
        }
        if let Some(secret) = &call.secret {
            self.sign(&mut request, call.conv, secret)?;
        }
        Ok(request)
    }

    fn sign(&self, request: &mut Request<Bytes>, conv: u64, secret: &str) -> Result<(), SendError> {
        send::sign(request, secret, |secret| {
            Signer::new(CorezoidCallback::default(), &conv.to_string(), secret).with_clock(self.clock.clone())
        })
    }
}

impl Provide for CorezoidMock {
    const NAME: &'static str = "corezoid";
    const ENDPOINT: &'static str = "/api/2/json";
    const PACKAGES: bool = true;

    fn new(kit: &Kit) -> Self {
        Self {
            state: Mutex::default(),
            keys: kit.keys(),
            clock: kit.clock(),
            base_url: kit.base_url().to_owned(),
            replied: Notify::new(),
        }
    }

    /// A login of five digits and a secret of letters and digits, as the vendor's look.
    fn issue(clock: &MockClock) -> MockCredential {
        let mut random = [0; 28];
        clock.fill(&mut random);
        let (login, secret) = random.split_at(4);
        let login = login.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
        // Letters too: a secret of digits only would make the signed text ambiguous.
        MockCredential::new((10_000 + login % 90_000).to_string(), format!("k{}", hex::encode(secret)))
    }

    fn admit(keys: &MockKeys, credential: &MockCredential) {
        keys.admit_key(Self::NAME, Algorithm::SandwichSha1, credential);
    }

    fn scheme() -> Option<Box<dyn Scheme>> {
        scheme().map(|scheme| Box::new(scheme) as Box<dyn Scheme>)
    }

    fn routes(self: &Arc<Self>, kit: &Kit) -> Router {
        routes::of(self, kit)
    }

    fn operations(head: &Parts, body: &[u8]) -> Vec<Operation> {
        routes::operations(head, body)
    }

    fn trouble(status: StatusCode) -> Value {
        let description = status.canonical_reason().unwrap_or("Error");
        json!({ "request_proc": "error", "ops": [{ "id": "", "proc": "error", "description": description }] })
    }

    fn details(&self) -> Vec<(&'static str, String)> {
        vec![("sync_url", format!("{}/sync", self.base_url))]
    }

    fn state(&self) -> Value {
        serde_json::to_value(&*lock(&self.state)).unwrap_or_default()
    }

    fn restore(&self, state: Value) -> Result<(), serde_json::Error> {
        let state: State = serde_json::from_value(state)?;
        for user in state.objects.values().filter(|object| object.kind == Kind::User && !object.deleted) {
            let login = &user.members["logins"][0];
            if let (Some(number), Some(secret)) = (login["obj_id"].as_u64(), login["key"].as_str()) {
                Self::admit(&self.keys, &MockCredential::new(number.to_string(), secret));
            }
        }
        *lock(&self.state) = state;
        Ok(())
    }
}

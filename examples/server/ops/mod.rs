//! The ops endpoint: a package of operations on processes, nodes, tasks and folders, as Corezoid's clients send them.
//!
//! A package is answered as a whole with 200 as soon as it can be read; each operation in it succeeds or fails on its
//! own, and the others go on. An operation runs in one transaction. Whose objects it may touch is decided by the
//! verified caller: a `company_id` in the operation can only confirm that.
//!
//! Shapes and error texts are the documented ones. Where Corezoid's behaviour is not public, the choice is this
//! example's and a comment says so.

mod conv;
mod export;
mod folder;
mod node;
mod op;
mod refusal;
mod session;
mod task;
mod trash;

use self::{op::Op, refusal::Refusal, session::Session};
use crate::{caller::Caller, db};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use countersign::{
    Verified, VerifyLayer, awareness::ClientUsage, clock::Clock, middleware::RequirePermissionLayer,
};
use serde_json::{Value, json};
use sqlx::AnyPool;
use std::{convert::Infallible, sync::Arc, time::UNIX_EPOCH};

/// Operations in one package. Corezoid has such a limit; its number is not public, this one is ours.
const OPS_LIMIT: usize = 100;

/// Bytes of answers in one package, after which the operations that follow are refused: a short package of lists could
/// otherwise ask for more than the server's memory holds. Ours as well.
const ANSWER_LIMIT: usize = 4 << 20;

/// The endpoint's state.
#[derive(Clone)]
pub(crate) struct OpsEndpoint {
    pool: AnyPool,
    clock: Arc<dyn Clock>,
    public_url: Arc<str>,
}

/// The routes of the endpoint behind their guard, which has checked the last three segments of each.
///
/// A method that a route does not have is answered before the guard: Corezoid's clients know that answer, and no handler
/// stands behind it.
pub(crate) fn ops_routes(endpoint: OpsEndpoint, guard: VerifyLayer, usage: &ClientUsage) -> Router {
    let perform = |State(endpoint): State<OpsEndpoint>, verified: Verified, body: Bytes| async move {
        endpoint.answer(&Caller::from(&verified), &body).await
    };
    let download = |State(endpoint): State<OpsEndpoint>, verified: Verified, path: Path<[String; 4]>| async move {
        endpoint.download(&Caller::from(&verified), &path[0]).await
    };
    let perform = post(perform)
        .layer::<_, Infallible>(usage.layer())
        .layer::<_, Infallible>(guard.clone())
        .layer(usage.layer())
        .fallback(method_not_allowed);
    let download = get(download)
        .layer::<_, Infallible>(RequirePermissionLayer::new("ops:read"))
        .layer::<_, Infallible>(usage.layer())
        .layer::<_, Infallible>(guard)
        .layer(usage.layer())
        .fallback(method_not_allowed);
    Router::new()
        .route("/api/1/json/{login}/{time}/{signature}", perform.clone())
        .route("/api/2/json/{login}/{time}/{signature}", perform)
        .route("/user_downloads/{file}/{login}/{time}/{signature}", download)
        // The guard has its own limit, which counts for all routes alike.
        .layer(DefaultBodyLimit::disable())
        .with_state(endpoint)
}

/// The answer to a method that a route does not have, as Corezoid words it.
pub(crate) async fn method_not_allowed() -> Response {
    let text = "The specified method is not allowed against this resource";
    (StatusCode::METHOD_NOT_ALLOWED, Html(text)).into_response()
}

impl OpsEndpoint {
    /// An endpoint over the example's tables. Addresses of downloads start with `public_url`.
    pub(crate) fn new(pool: AnyPool, clock: Arc<dyn Clock>, public_url: &str) -> Self {
        Self { pool, clock, public_url: public_url.trim_end_matches('/').into() }
    }

    /// Answers the body of a verified request. If `ops` is a single operation instead of an array, so is the answer's.
    pub(crate) async fn answer(&self, caller: &Caller, body: &[u8]) -> Answer {
        let package = match Package::read(body) {
            Ok(package) => package,
            Err(description) => return Answer::unusable(&description),
        };
        let ops = match &package {
            Package::One(op) => self.perform(caller, &Op::new(op)).await,
            Package::Many(ops) => {
                let mut answers = Vec::with_capacity(ops.len());
                let mut room = ANSWER_LIMIT;
                // In order: a later operation may build on an earlier one.
                for op in ops {
                    let op = Op::new(op);
                    let answer = match room {
                        0 => Refusal::TooMuch.answer(&op),
                        _ => self.perform(caller, &op).await,
                    };
                    room = room.saturating_sub(answer.to_string().len());
                    answers.push(answer);
                }
                Value::Array(answers)
            }
        };
        Answer { status: StatusCode::OK, body: json!({ "request_proc": "ok", "ops": ops }) }
    }

    /// Answers a verified request for a file that an export made.
    pub(crate) async fn download(&self, caller: &Caller, file: &str) -> Response {
        match export::read(&self.pool, &caller.workspace(), file).await {
            Ok(Some(content)) => ([(CONTENT_TYPE, "application/json")], content).into_response(),
            // Corezoid's answers for files are not public; these two are ours.
            Ok(None) => (StatusCode::NOT_FOUND, Answer::failed("object not found")).into_response(),
            Err(error) => {
                tracing::error!(%error, "an export cannot be read");
                (StatusCode::INTERNAL_SERVER_ERROR, Answer::failed("internal error")).into_response()
            }
        }
    }

    async fn perform(&self, caller: &Caller, op: &Op<'_>) -> Value {
        match self.transact(caller, op).await {
            Ok(answer) => op.answer("ok", answer),
            Err(refusal) => refusal.answer(op),
        }
    }

    /// An operation that is refused leaves nothing behind: its transaction is dropped, and so rolled back.
    async fn transact(&self, caller: &Caller, op: &Op<'_>) -> Result<Value, Refusal> {
        op.check_rights(caller)?;
        op.check_company(caller)?;
        let mut transaction =
            if op.changes() { db::begin_change(&self.pool).await? } else { self.pool.begin().await? };
        let since_epoch = self.clock.now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut session = Session {
            db: &mut transaction,
            caller,
            workspace: caller.workspace(),
            clock: &*self.clock,
            now: i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX),
        };
        let answer = match op.object() {
            "company" => session::list_companies(caller, op),
            "conv" => conv::perform(&mut session, op).await,
            "folder" => folder::perform(&mut session, op).await,
            "node" => node::perform(&mut session, op).await,
            "obj_scheme" => export::perform(&mut session, op, &self.public_url).await,
            "task" => task::perform(&mut session, op).await,
            _ => Err(Refusal::BadObject),
        }?;
        transaction.commit().await?;
        Ok(answer)
    }
}

/// What is sent back.
#[derive(Debug)]
pub(crate) struct Answer {
    /// 200, or 400 for a body that is no package.
    pub status: StatusCode,
    /// The answer itself.
    pub body: Value,
}

impl Answer {
    fn unusable(description: &str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, body: Self::failed(description).0 }
    }

    fn failed(description: &str) -> Json<Value> {
        Json(json!({ "request_proc": "error", "ops": [{ "proc": "error", "description": description }] }))
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        (self.status, Json(self.body)).into_response()
    }
}

enum Package {
    One(Value),
    Many(Vec<Value>),
}

impl Package {
    /// Reads a body, whatever its content type says. The error is the description to answer with.
    fn read(body: &[u8]) -> Result<Self, String> {
        let package = serde_json::from_slice::<Value>(body).map_err(|error| {
            // The parser stops at 128 levels; that it does so for this reason, only its message tells.
            match error.to_string().starts_with("recursion limit") {
                true => "Incorrect body: it is nested deeper than 128 levels".to_owned(),
                false => "Incorrect body".to_owned(),
            }
        })?;
        match package {
            Value::Object(mut members) => match members.remove("ops") {
                Some(Value::Array(ops)) if ops.len() > OPS_LIMIT => {
                    Err(format!("Incorrect body: it holds more than {OPS_LIMIT} operations"))
                }
                Some(Value::Array(ops)) => Ok(Self::Many(ops)),
                Some(op @ Value::Object(_)) => Ok(Self::One(op)),
                _ => Err("Incorrect body".to_owned()),
            },
            _ => Err("Incorrect body".to_owned()),
        }
    }
}

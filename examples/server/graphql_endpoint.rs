//! The GraphQL endpoint: from the bytes of a verified body to an answer.
//!
//! It reads the body once, whatever its content type says, since no provider signs that header. A body holds one
//! request, or an array of them, as Ateliere's sample sends it; the answer has the same shape. What a document's text
//! could do to the executor's parser is bounded by a [`DocumentGuard`], for signed requests too; what it may cost, by
//! the limits of the [`schema`](crate::schema).
//!
//! Run the server on threads with 16 MiB of stack (`thread_stack_size` of tokio's runtime builder): should a document
//! ever get past the guard, the executor's parser survives it there.

use crate::{
    caller::Caller,
    read_only,
    schema::{self, Schema, apps::Apps, usage::Selected},
};
use async_graphql::{Pos, Response, ServerError, Variables};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response as HttpResponse},
    routing::post,
};
use countersign::{
    Verified,
    awareness::ClientUsage,
    clock::Clock,
    credential::Access,
    graphql::{DocumentError, DocumentGuard, Request, Requests},
};
use serde::Serialize;
use sqlx::AnyPool;
use std::sync::Arc;

/// Requests in one body.
const BATCH_LIMIT: usize = 10;
/// Fields that the operations of one document may select, fragments written out.
const SELECTION_LIMIT: usize = 2_000;

/// The endpoint's state.
#[derive(Clone)]
pub(crate) struct GraphqlEndpoint {
    schema: Schema,
    guard: DocumentGuard,
    usage: ClientUsage,
}

/// The routes of the endpoint, to be put behind a [`VerifyLayer`](countersign::VerifyLayer). An organization in the
/// path has been checked there: it must be the one that the request is verified for.
pub(crate) fn graphql_routes(endpoint: GraphqlEndpoint) -> Router {
    let answer = |State(endpoint): State<GraphqlEndpoint>,
                  verified: Verified,
                  headers: HeaderMap,
                  body: Bytes| async move {
        let client = Some(endpoint.usage.caller(&verified, &headers));
        endpoint.answer(&Caller { client, ..Caller::from(&verified) }, &body).await
    };
    Router::new()
        .route("/", post(answer))
        .route("/graphql", post(answer))
        .route("/{organization}/graphql", post(answer))
        // The layer has its own limit, which counts for all routes alike.
        .layer(DefaultBodyLimit::disable())
        .with_state(endpoint)
}

impl GraphqlEndpoint {
    /// An endpoint over the example's tables.
    pub(crate) fn new(pool: AnyPool, apps: Arc<dyn Apps>, clock: Arc<dyn Clock>) -> Self {
        let guard = DocumentGuard::default().with_selection_limit(SELECTION_LIMIT);
        Self { schema: schema::build(pool, apps, clock), guard, usage: ClientUsage::default() }
    }

    /// Counts which operations and fields clients use.
    pub(crate) fn with_usage(mut self, usage: &ClientUsage) -> Self {
        self.usage = usage.clone();
        self
    }

    /// Answers the body of a verified request: 400 if it holds no GraphQL request, else 200 with data or errors.
    pub(crate) async fn answer(&self, caller: &Caller, body: &[u8]) -> Answer {
        match Requests::read(body, BATCH_LIMIT) {
            Ok(Requests::One(request)) => Answer::One(Box::new(self.execute(caller, request).await)),
            Ok(Requests::Many(requests)) => {
                let mut answers = Vec::with_capacity(requests.len());
                // One after the other: a batch is no way to get more of the server than single requests would.
                for request in requests {
                    answers.push(self.execute(caller, request).await);
                }
                Answer::Many(answers)
            }
            Err(error) => Answer::Unusable(Box::new(refusal(ServerError::new(error.to_string(), None)))),
        }
    }

    async fn execute(&self, caller: &Caller, request: Request) -> Response {
        let document = match self.guard.check(&request.query) {
            Ok(document) => document,
            Err(error) => return refusal(ServerError::new(error.to_string(), place(&error))),
        };
        let variables = Variables::from_json(request.variables.into());
        let mut execution =
            async_graphql::Request::new(document.text()).variables(variables).data(caller.clone());
        execution.operation_name = request.operation_name;
        if caller.access != Access::Write
            && let Err(error) = read_only::check(&document, &mut execution)
        {
            return refusal(error);
        }
        let Some(client) = &caller.client else { return self.schema.execute(execution).await };
        let operation = document.operation(execution.operation_name.as_deref());
        let operation = operation.ok().and_then(|operation| operation.name()).map(str::to_owned);
        let selected = Selected::default();
        let response = self.schema.execute(execution.data(selected.clone())).await;
        let fields = selected.fields();
        let fields = fields.iter().map(|field| &**field);
        self.usage.count_operation(client, operation.as_deref(), response.is_err(), fields);
        response
    }
}

/// What is sent back.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Answer {
    /// To a single request.
    One(Box<Response>),
    /// To a batch, in its order.
    Many(Vec<Response>),
    /// To a body that is not a GraphQL request.
    Unusable(Box<Response>),
}

impl IntoResponse for Answer {
    fn into_response(self) -> HttpResponse {
        let status = match self {
            Self::One(_) | Self::Many(_) => StatusCode::OK,
            Self::Unusable(_) => StatusCode::BAD_REQUEST,
        };
        (status, Json(self)).into_response()
    }
}

fn refusal(error: ServerError) -> Response {
    Response::from_errors(vec![error])
}

fn place(error: &DocumentError) -> Option<Pos> {
    match error {
        DocumentError::Syntax { line, column, .. } => Some(Pos { line: *line, column: *column }),
        _ => None,
    }
}

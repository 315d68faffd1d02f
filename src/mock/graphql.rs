//! GraphQL over POST, as the mocks of Ateliere and SalesCloud answer it: single requests and arrays, the guard before
//! the executor, and stubs by the name of an operation or of one of its fields.

use super::{provider::Operation, stub::Stubbed};
use crate::{
    credential::Access,
    graphql::{DocumentGuard, OperationKind, Request, Requests},
    verify::Verified,
};
use async_graphql::{
    EmptySubscription, ObjectType, Schema, ServerError, Variables,
    parser::{
        parse_query,
        types::{ExecutableDocument, Selection},
    },
};
use axum::{
    Json,
    response::{IntoResponse as _, Response},
};
use http::StatusCode;
use serde_json::{Value, json};

/// Requests in one body.
const BATCH_LIMIT: usize = 100;

/// Who calls, as resolvers see it; nobody on a route without verification.
#[derive(Clone, Debug)]
pub(super) struct Caller(pub(super) Option<Verified>);

/// An executor and the guard before it.
pub(super) struct Endpoint<Q, M> {
    schema: Schema<Q, M, EmptySubscription>,
    guard: DocumentGuard,
}

/// What the requests of a body ask for: each by the operation's name and the names of its fields.
pub(super) fn operations(body: &[u8]) -> Vec<Operation> {
    let Ok(requests) = Requests::read(body, BATCH_LIMIT) else { return Vec::new() };
    requests.as_slice().iter().map(names).collect()
}

/// The fields at the top of all operations in a body, by their own names; `None` if not all are plain to see.
pub(super) fn fields(body: &[u8]) -> Option<Vec<String>> {
    let requests = Requests::read(body, BATCH_LIMIT).ok()?;
    let mut fields = Vec::new();
    for request in requests.as_slice() {
        let document = DocumentGuard::default().check(&request.query).ok()?;
        let document = parse_query(document.text()).ok()?;
        for (_, operation) in document.operations.iter() {
            for selection in &operation.node.selection_set.node.items {
                let Selection::Field(field) = &selection.node else { return None };
                fields.push(field.node.name.node.to_string());
            }
        }
    }
    Some(fields)
}

fn names(request: &Request) -> Operation {
    let document = DocumentGuard::default().check(&request.query).ok();
    let document = document.and_then(|document| parse_query(document.text()).ok());
    let mut names: Vec<_> = request.operation_name.iter().cloned().collect();
    if let Some(document) = document {
        names_in(&document, &mut names);
    }
    names.dedup();
    Operation(names)
}

fn names_in(document: &ExecutableDocument, names: &mut Vec<String>) {
    let chosen = names.first().cloned();
    for (name, operation) in document.operations.iter() {
        let name = name.map(|name| name.to_string());
        if chosen.is_some() && chosen != name {
            continue;
        }
        names.extend(name);
        for selection in &operation.node.selection_set.node.items {
            if let Selection::Field(field) = &selection.node {
                names.push(field.node.name.node.to_string());
            }
        }
    }
}

impl<Q: ObjectType + 'static, M: ObjectType + 'static> Endpoint<Q, M> {
    pub(super) fn new(schema: Schema<Q, M, EmptySubscription>) -> Self {
        Self { schema, guard: DocumentGuard::default() }
    }

    /// Answers a body: 400 if it holds no GraphQL request, else 200 with data or errors.
    pub(super) async fn answer(&self, caller: &Caller, stubbed: &Stubbed, body: &[u8]) -> Response {
        let requests = match Requests::read(body, BATCH_LIMIT) {
            Ok(requests) => requests,
            Err(error) => return unusable(&error.to_string()),
        };
        let mut answers = Vec::with_capacity(requests.as_slice().len());
        for (index, request) in requests.as_slice().iter().enumerate() {
            answers.push(match stubbed.reply(index) {
                Some(reply) => reply.clone(),
                None => self.execute(caller, request).await,
            });
        }
        match requests {
            Requests::One(_) => Json(answers.pop()).into_response(),
            Requests::Many(_) => Json(answers).into_response(),
        }
    }

    async fn execute(&self, caller: &Caller, request: &Request) -> Value {
        let document = match self.guard.check(&request.query) {
            Ok(document) => document,
            Err(error) => return refusal(&error.to_string()),
        };
        let name = request.operation_name.as_deref();
        if caller.0.as_ref().is_some_and(|caller| caller.access() != Access::Write) {
            match document.operation(name) {
                Ok(operation) if operation.kind() == OperationKind::Query => {}
                Ok(_) => return refusal("a read token only reads"),
                Err(error) => return refusal(&error.to_string()),
            }
        }
        let variables = Variables::from_json(request.variables.clone().into());
        let mut execution =
            async_graphql::Request::new(document.text()).variables(variables).data(caller.clone());
        execution.operation_name = name.map(str::to_owned);
        let response = self.schema.execute(execution).await;
        serde_json::to_value(response).unwrap_or_else(|error| refusal(&error.to_string()))
    }
}

fn refusal(message: &str) -> Value {
    let error = ServerError::new(message, None);
    json!({ "data": null, "errors": [error] })
}

fn unusable(message: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(refusal(message))).into_response()
}

/// The body of an error that has nothing to do with the request, in the shape of GraphQL servers (ours: neither
/// provider documents any).
pub(super) fn trouble(status: StatusCode) -> Value {
    let code = match status {
        StatusCode::TOO_MANY_REQUESTS => "TOO_MANY_REQUESTS",
        StatusCode::SERVICE_UNAVAILABLE => "UNAVAILABLE",
        _ => "INTERNAL_SERVER_ERROR",
    };
    let message = status.canonical_reason().unwrap_or("Error");
    json!({ "errors": [{ "message": message, "extensions": { "code": code } }] })
}

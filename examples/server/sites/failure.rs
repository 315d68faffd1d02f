//! What is answered when there is nothing to show, in the shape and the words of the vendor's API description.

use axum::{
    Json,
    extract::Request,
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};
use countersign::middleware::RequestId;
use serde_json::json;

/// A request failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The request makes no sense, for this reason.
    BadRequest(String),
    /// The database cannot be asked.
    Database(sqlx::Error),
    /// There is nothing of this kind that the caller may see.
    NotFound(&'static str),
    /// The route lacks its guard: a mistake of the server's.
    NotGuarded,
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

/// What is said about a failure, on its way from the handler to [`shape`].
#[derive(Clone)]
struct Message(String);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, message) = match self {
            // The words before the colon are the documented ones.
            Self::BadRequest(why) => (StatusCode::BAD_REQUEST, format!("Bad request: {why}")),
            Self::NotFound(what) => (StatusCode::NOT_FOUND, format!("{what} not found")),
            Self::Database(error) => {
                tracing::error!(%error, "the database cannot be asked");
                (StatusCode::INTERNAL_SERVER_ERROR, "System error".to_owned())
            }
            Self::NotGuarded => {
                tracing::error!("a route of the sites API has no guard");
                (StatusCode::INTERNAL_SERVER_ERROR, "System error".to_owned())
            }
        };
        let mut response = status.into_response();
        response.extensions_mut().insert(Message(message));
        response
    }
}

/// Gives every error its body: `message`, and as `request_id` the one that is in the answer's header and in the log.
pub(super) async fn shape(request: Request, next: Next) -> Response {
    let id = request.extensions().get::<RequestId>().cloned();
    let mut response = next.run(request).await;
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let message = match response.extensions_mut().remove::<Message>() {
        Some(Message(message)) => message,
        // The router's own, like a method that a route does not have.
        None => status.canonical_reason().unwrap_or_default().to_owned(),
    };
    let id = id.as_ref().map(RequestId::as_str).unwrap_or_default();
    let (mut head, _) = response.into_parts();
    head.headers.remove("content-length");
    head.headers.remove("content-type");
    (head, Json(json!({ "message": message, "request_id": id }))).into_response()
}

//! Refusals: the one place that chooses a status, and the shapes in which providers expect to be refused.
//!
//! To a stranger every refusal of a key looks alike: unknown, wrong signature, disabled, expired, revoked and foreign
//! organization are the same 401, byte for byte but for the request id. A caller is told apart only by what it knows
//! already (no or broken credentials, too long a body) or has earned by a right signature (a stale time).

use crate::error::VerifyErrorKind as Kind;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use serde::Serialize;
use std::fmt;

/// A refusal, as the caller may see it.
#[derive(Debug)]
pub struct Refusal<'r> {
    kind: Kind,
    request_id: &'r str,
}

impl<'r> Refusal<'r> {
    pub(super) const fn new(kind: Kind, request_id: &'r str) -> Self {
        Self { kind, request_id }
    }

    /// The status (RFC 9110 §15).
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self.kind {
            Kind::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Kind::Forbidden => StatusCode::FORBIDDEN,
            Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Kind::MalformedMessage => StatusCode::BAD_REQUEST,
            Kind::Overloaded | Kind::StoreUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Kind::Timeout => StatusCode::REQUEST_TIMEOUT,
            Kind::UnsupportedEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Kind::BadSignature
            | Kind::Disabled
            | Kind::Expired
            | Kind::Future
            | Kind::Malformed
            | Kind::Missing
            | Kind::NotYetValid
            | Kind::Revoked
            | Kind::Stale
            | Kind::UnknownKey
            | Kind::WrongOrganization => StatusCode::UNAUTHORIZED,
        }
    }

    /// A word for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.words().0
    }

    /// A sentence for people.
    #[must_use]
    pub const fn message(&self) -> &'static str {
        self.words().1
    }

    /// Ties the answer to what the operator sees; 16 hexadecimal digits.
    #[must_use]
    pub const fn request_id(&self) -> &str {
        self.request_id
    }

    const fn words(&self) -> (&'static str, &'static str) {
        match self.kind {
            Kind::BodyTooLarge => ("body_too_large", "The body is longer than this server accepts."),
            Kind::Forbidden => ("forbidden", "The caller may not do this."),
            Kind::Future | Kind::Stale => (
                "clock_skew",
                "The signed time is too far from the server's; compare it with the Date header.",
            ),
            Kind::Internal => ("internal", "The server failed to verify the request."),
            Kind::Malformed => {
                ("malformed_credentials", "The credentials are incomplete or not well-formed.")
            }
            Kind::MalformedMessage => ("malformed_message", "The HTTP message is not well-formed."),
            Kind::Missing => ("missing_credentials", "The request carries no credentials."),
            Kind::Overloaded | Kind::StoreUnavailable => {
                ("unavailable", "The server cannot verify requests at the moment; try again later.")
            }
            Kind::Timeout => ("timeout", "The body stopped arriving."),
            Kind::UnsupportedEncoding => {
                ("unsupported_encoding", "Signed bodies are accepted without content encoding only.")
            }
            Kind::BadSignature
            | Kind::Disabled
            | Kind::Expired
            | Kind::NotYetValid
            | Kind::Revoked
            | Kind::UnknownKey
            | Kind::WrongOrganization => ("unauthorized", "The request could not be verified."),
        }
    }

    /// A response of this refusal's status with a JSON body; an empty one, if `body` cannot be written as JSON.
    #[must_use]
    pub fn json(&self, content_type: &'static str, body: &impl Serialize) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from(serde_json::to_vec(body).unwrap_or_default()));
        *response.status_mut() = self.status();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        response
    }
}

/// Shapes the answer to a request that is refused. Closures of this signature are rejections.
///
/// Whatever it returns, the layer adds `WWW-Authenticate` to a 401, `Retry-After` to a 503, the request id, and
/// `Cache-Control: no-store`.
pub trait Rejection: Send + Sync + 'static {
    /// Makes the response.
    fn respond(&self, refusal: &Refusal<'_>) -> Response<Bytes>;
}

impl<F> Rejection for F
where
    F: Fn(&Refusal<'_>) -> Response<Bytes> + Send + Sync + 'static,
{
    fn respond(&self, refusal: &Refusal<'_>) -> Response<Bytes> {
        self(refusal)
    }
}

impl fmt::Debug for dyn Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rejection(..)")
    }
}

/// Problem details (RFC 9457): `{"type","title","status","code","request_id"}`.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Problem;

/// Written out at once: strangers choose how many are.
#[derive(Serialize)]
struct Details<'r> {
    code: &'static str,
    request_id: &'r str,
    status: u16,
    title: &'static str,
    r#type: &'static str,
}

impl Rejection for Problem {
    fn respond(&self, refusal: &Refusal<'_>) -> Response<Bytes> {
        let details = Details {
            code: refusal.code(),
            request_id: refusal.request_id(),
            status: refusal.status().as_u16(),
            title: refusal.message(),
            r#type: "about:blank",
        };
        refusal.json("application/problem+json", &details)
    }
}

/// GraphQL's shape: `{"errors":[{"message","extensions":{"code","request_id"}}]}`.
///
/// The providers do not document what they answer; status and codes are our choice.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct GraphQlErrors;

impl Rejection for GraphQlErrors {
    fn respond(&self, refusal: &Refusal<'_>) -> Response<Bytes> {
        let code = match refusal.status() {
            StatusCode::UNAUTHORIZED => "UNAUTHENTICATED".to_owned(),
            _ => refusal.code().to_ascii_uppercase(),
        };
        let body = serde_json::json!({
            "errors": [{
                "message": refusal.message(),
                "extensions": {
                    "code": code,
                    "reason": refusal.code(),
                    "request_id": refusal.request_id(),
                },
            }],
        });
        refusal.json("application/json", &body)
    }
}

/// Corezoid's shape: `{"request_proc":"fail","ops":[…]}`.
///
/// The vendor does not document what a wrong signature gets; status and text are our choice.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct OpsErrors;

impl Rejection for OpsErrors {
    fn respond(&self, refusal: &Refusal<'_>) -> Response<Bytes> {
        let body = serde_json::json!({
            "request_proc": "fail",
            "ops": [{
                "id": "",
                "proc": "error",
                "description": refusal.message(),
                "code": refusal.code(),
                "request_id": refusal.request_id(),
            }],
        });
        refusal.json("application/json", &body)
    }
}

/// Ayyeka's shape: `{"message","request_id"}`.
///
/// The messages are those of the vendor's API description; for what it does not know, ours.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct MessageErrors;

impl Rejection for MessageErrors {
    fn respond(&self, refusal: &Refusal<'_>) -> Response<Bytes> {
        let message = match refusal.status() {
            StatusCode::BAD_REQUEST => "Bad request",
            StatusCode::UNAUTHORIZED => "incorrect credentials",
            StatusCode::FORBIDDEN => "Forbidden",
            StatusCode::INTERNAL_SERVER_ERROR => "System error",
            StatusCode::SERVICE_UNAVAILABLE => "Unavailable",
            _ => refusal.message(),
        };
        let body = serde_json::json!({
            "message": message,
            "request_id": refusal.request_id(),
        });
        refusal.json("application/json", &body)
    }
}

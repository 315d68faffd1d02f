//! What a token endpoint answers (RFC 6749 §5).

use super::{ClientError, ClientErrorKind as Kind};
use http::{HeaderValue, StatusCode, header::RETRY_AFTER};
use reqwest::Response;
use serde::Deserialize;
use std::{sync::Arc, time::Duration};

/// Longest answer that is read, in bytes. Tokens have some hundred to some thousand.
const LONGEST: usize = 64 << 10;
/// Longest wait that an endpoint may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// A token, and how long it works if the endpoint says so.
pub(super) struct Granted {
    pub(super) authorization: HeaderValue,
    pub(super) lifetime: Option<Duration>,
}

/// There is no token, and for so long it is pointless to ask again, if the endpoint says so.
pub(super) struct Denied {
    pub(super) error: ClientError,
    pub(super) wait: Option<Duration>,
}

impl From<ClientError> for Denied {
    fn from(error: ClientError) -> Self {
        Self { error, wait: None }
    }
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
    token_type: String,
    expires_in: Option<Seconds>,
}

/// A number, which some endpoints write as a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(u64),
    Text(String),
}

#[derive(Default, Deserialize)]
struct Refusal {
    error: Option<String>,
}

/// Reads an answer to its end and says what it grants.
pub(super) async fn read(response: Response) -> Result<Granted, Denied> {
    let status = response.status();
    let wait = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let wait = wait.map(|seconds| Duration::from_secs(seconds).min(LONGEST_WAIT));
    let body = collect(response).await?;
    if status.is_success() {
        return Ok(grant(&body).map_err(|error| error.with_status(status, None))?);
    }
    let code = serde_json::from_slice::<Refusal>(&body).unwrap_or_default().error;
    let code = code.filter(|code| is_code(code)).map(Arc::from);
    Err(Denied { error: denied(status).with_status(status, code), wait })
}

async fn collect(mut response: Response) -> Result<Vec<u8>, ClientError> {
    let broken =
        |cause| ClientError::with_cause(Kind::TokenUnavailable, "the token endpoint broke off", cause);
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        if body.len() + chunk.len() > LONGEST {
            return Err(malformed("the token endpoint's answer is too long"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn denied(status: StatusCode) -> ClientError {
    if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
        ClientError::new(Kind::TokenUnavailable, "the token endpoint gives no tokens at the moment")
    } else if status.is_client_error() {
        ClientError::new(Kind::TokenRefused, "the token endpoint refuses the client")
    } else {
        malformed("the token endpoint gives neither token nor error")
    }
}

fn grant(body: &[u8]) -> Result<Granted, ClientError> {
    // What serde says could quote the token.
    let token: Token =
        serde_json::from_slice(body).map_err(|_| malformed("the answer is not that of a token endpoint"))?;
    // Ayyeka's documented word, and the standard's (RFC 6750 §4), which has no case (RFC 6749 §7.1).
    if !["bearer", "jwt"].contains(&&*token.token_type.to_ascii_lowercase()) {
        return Err(malformed("the token is of an unknown type"));
    }
    let visible = !token.access_token.is_empty() && token.access_token.bytes().all(|b| b.is_ascii_graphic());
    let authorization = HeaderValue::try_from(format!("Bearer {}", token.access_token));
    let (true, Ok(mut authorization)) = (visible, authorization) else {
        return Err(malformed("the token cannot stand in a header"));
    };
    authorization.set_sensitive(true);
    let lifetime = match token.expires_in {
        None => None,
        Some(Seconds::Number(seconds)) => Some(seconds),
        Some(Seconds::Text(text)) => {
            Some(text.parse().map_err(|_| malformed("the token's lifetime is not a number"))?)
        }
    };
    Ok(Granted { authorization, lifetime: lifetime.map(Duration::from_secs) })
}

const fn malformed(detail: &'static str) -> ClientError {
    ClientError::new(Kind::TokenMalformed, detail)
}

/// Whether a text is an error code, and nothing that an endpoint should not have written there.
fn is_code(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_of_a_known_type_and_fits_into_a_header() {
        let granted = |body: &str| {
            let granted = grant(body.as_bytes()).ok()?;
            let seconds = granted.lifetime.map(|lifetime| lifetime.as_secs());
            Some((granted.authorization.to_str().unwrap().to_owned(), seconds))
        };
        let bearer = |seconds| Some(("Bearer t".to_owned(), seconds));
        for (body, expected) in [
            (r#"{"access_token":"t","token_type":"JWT","expires_in":3600}"#, bearer(Some(3600))),
            (
                r#"{"access_token":"t","token_type":"Bearer","expires_in":"3600","scope":"a"}"#,
                bearer(Some(3600)),
            ),
            (r#"{"access_token":"t","token_type":"bearer"}"#, bearer(None)),
            (r#"{"access_token":"t","token_type":"bearer","expires_in":null}"#, bearer(None)),
            (r#"{"access_token":"t","token_type":"mac","expires_in":3600}"#, None),
            (r#"{"access_token":"t","expires_in":3600}"#, None),
            (r#"{"access_token":"","token_type":"JWT"}"#, None),
            (r#"{"access_token":"t t","token_type":"JWT"}"#, None),
            (r#"{"access_token":"t\n","token_type":"JWT"}"#, None),
            (r#"{"access_token":"é","token_type":"JWT"}"#, None),
            (r#"{"access_token":"t","token_type":"JWT","expires_in":-1}"#, None),
            (r#"{"access_token":"t","token_type":"JWT","expires_in":"soon"}"#, None),
            (r#"["t"]"#, None),
            ("", None),
        ] {
            assert_eq!(granted(body), expected, "{body}");
        }
    }

    #[test]
    fn only_a_code_is_taken_for_one() {
        assert!(is_code("invalid_client"));
        for text in ["", "Invalid", "a b", "sk-123", &"a".repeat(65)] {
            assert!(!is_code(text), "{text}");
        }
    }
}

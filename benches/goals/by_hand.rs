//! What one writes by hand in ten minutes: collect the body, build the text, compare.

use super::{
    apps::{LIMIT, bare},
    requests::{KEY_ID, SECRET, Scheme},
};
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    middleware::{Next, from_fn_with_state},
    response::Response,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::{Digest as _, Sha1};
use sha2::Sha256;
use std::{collections::HashMap, sync::Arc};
use subtle::ConstantTimeEq as _;

type Secrets = Arc<HashMap<String, String>>;

/// The bare handler behind hand-written middleware.
pub fn by_hand(scheme: Scheme) -> Router {
    let others = (0..1000).map(|number| format!("{number:036}"));
    let ids = others.chain([KEY_ID.to_owned()]);
    let secrets: Secrets = Arc::new(ids.map(|id| (id, SECRET.to_owned())).collect());
    bare().layer(from_fn_with_state((scheme, secrets), check))
}

async fn check(
    State((scheme, secrets)): State<(Scheme, Secrets)>,
    request: Request,
    next: Next,
) -> Result<Response, StatusCode> {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, LIMIT).await.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
    let text = String::from_utf8(body.to_vec()).map_err(|_| StatusCode::BAD_REQUEST)?;
    let secret = |id: &str| secrets.get(id).ok_or(StatusCode::UNAUTHORIZED);
    let (expected, presented) = match scheme {
        Scheme::Ateliere => {
            let url = format!("{}{}", header(&head.headers, "host")?, head.uri);
            let slug = header(&head.headers, "x-organization-slug")?;
            // In this order: the keys of a JSON object are signed as they stand.
            let text = format!(
                r#"{{"url":{},"body":{},"organization_slug":{}}}"#,
                serde_json::to_string(&url).unwrap(),
                serde_json::to_string(&text).unwrap(),
                serde_json::to_string(&slug).unwrap(),
            );
            let secret = secret(&header(&head.headers, "oz-key-id")?)?;
            (hex::encode(hmac(secret, &text)), header(&head.headers, "oz-signature")?)
        }
        Scheme::Corezoid => {
            let path: Vec<String> = head.uri.path().rsplit('/').take(3).map(str::to_owned).collect();
            let secret = secret(&path[2])?;
            (hex::encode(Sha1::digest(format!("{}{secret}{text}{secret}", path[1]))), path[0].clone())
        }
        Scheme::SalesCloud => {
            let id = header(&head.headers, "salescloud-application")?;
            let public_key = header(&head.headers, "salescloud-application-public-key")?;
            let organization = header(&head.headers, "salescloud-organization")?;
            let text = format!("{id}:{public_key}:{organization}:{text}");
            let expected = BASE64_STANDARD.encode(hmac(secret(&id)?, &text));
            (expected, header(&head.headers, "authorization")?.replacen("App ", "", 1))
        }
    };
    if !bool::from(expected.as_bytes().ct_eq(presented.as_bytes())) {
        return Err(StatusCode::UNAUTHORIZED);
    }
    Ok(next.run(Request::from_parts(head, Body::from(body))).await)
}

fn header(headers: &HeaderMap, name: &str) -> Result<String, StatusCode> {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.map(str::to_owned).ok_or(StatusCode::UNAUTHORIZED)
}

fn hmac(secret: &str, text: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

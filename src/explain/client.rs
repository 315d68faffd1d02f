//! Client credentials: why a request for a token was refused (RFC 6749 §4.4, RFC 7617).

use super::{Explanation, body::percent_decoded, cause::Cause, json::Json};
use crate::credential::SecretHash;
use base64::prelude::{
    BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD, Engine as _,
};
use http::{
    HeaderMap, Method,
    header::{AUTHORIZATION, CONTENT_TYPE},
    request::Parts,
};
use zeroize::Zeroizing;

/// Id and secret, as they may be meant.
struct Reading {
    client_id: String,
    secret: Zeroizing<Vec<u8>>,
}

/// The clients that a request for a token may name: those to look up for [`explain_client`].
#[must_use]
pub fn presented_clients(head: &Parts, body: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    for Reading { client_id, secret } in
        readings(&head.headers, body).map(|found| found.0).unwrap_or_default()
    {
        names.extend(meant(&client_id, &secret).into_iter().map(|(id, ..)| id));
    }
    // What was swapped with a secret may be one, and is looked up like any other name.
    names.dedup();
    names.retain(|name| !name.is_empty());
    names
}

/// Explains why a client gets no token: `known` are the clients that there are, with the hashes of the secrets that they
/// may use.
///
/// A cause is certain if, undone, it gives one of the secrets.
#[must_use]
pub fn explain_client(head: &Parts, body: &[u8], known: &[(String, Vec<SecretHash>)]) -> Explanation {
    let hashes = |id: &str| {
        let known = known.iter().find(|(known, _)| known == id);
        known.map(|(_, hashes)| hashes.clone()).unwrap_or_default()
    };
    let mut noticed = form(head, body);
    let Some((readings, mut found)) = readings(&head.headers, body) else {
        noticed.push(Cause::new(
            "header_missing",
            "there are no client credentials",
            "send `Authorization: Basic base64(client_id:client_secret)`",
        ));
        return Explanation { noticed, ..Explanation::default() };
    };
    noticed.append(&mut found);
    for Reading { client_id, secret } in &readings {
        for (id, secret, cause) in meant(client_id, secret) {
            let right = hashes(&id);
            if SecretHash::of(&secret).find_in(right.iter().copied()).is_some() {
                noticed.extend(cause);
                return Explanation { certain: true, causes: noticed, ..Explanation::default() };
            }
        }
    }
    let known = readings.iter().any(|reading| !hashes(&reading.client_id).is_empty());
    let guess = if known {
        Cause::new(
            "secret_other",
            "the client may use another secret: of another client, of another environment, or one that was rotated",
            "give the client the secret that `countersign clients rotate` prints",
        )
    } else {
        Cause::new(
            "client_unknown",
            "there may be no such client",
            "see `countersign clients list`: the id is compared character for character",
        )
    };
    Explanation { noticed, guesses: vec![guess], ..Explanation::default() }
}

/// What the endpoint refuses whatever the credentials are.
fn form(head: &Parts, body: &[u8]) -> Vec<Cause> {
    let mut noticed = Vec::new();
    if head.method != Method::POST {
        noticed.push(Cause::new(
            "method",
            format!("the method is {}", head.method),
            "ask for a token by POST",
        ));
    }
    const FORM: &str = "application/x-www-form-urlencoded";
    let kind = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("none");
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(FORM) {
        noticed.push(Cause::new(
            "content_type",
            format!("the content type is `{}`", kind.chars().take(80).collect::<String>()),
            format!("send a form: `{FORM}`"),
        ));
    }
    let grant = fields(body).into_iter().find(|field| field.0 == "grant_type").map(|field| field.1);
    match grant.as_deref().map(str::trim) {
        Some("client_credentials") => {}
        Some(_) => noticed.push(Cause::new(
            "grant_type",
            "another grant is asked for than `client_credentials`",
            "send `grant_type=client_credentials`",
        )),
        None => noticed.push(Cause::new(
            "grant_type",
            "`grant_type` is missing from the form",
            "send `grant_type=client_credentials` in the body",
        )),
    }
    if fields(body).iter().any(|field| field.0 == "scope" && !field.1.is_empty()) {
        noticed.push(Cause::new("scope", "a scope is asked for, and there are none", "leave `scope` out"));
    }
    noticed
}

/// The fields of a form.
fn fields(body: &[u8]) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| {
        let decoded = percent_decoded(bytes).unwrap_or_else(|| bytes.to_vec());
        String::from_utf8_lossy(&decoded).into_owned()
    };
    body.split(|byte| *byte == b'&')
        .filter_map(|pair| {
            let at = pair.iter().position(|byte| *byte == b'=')?;
            Some((text(&pair[..at]), text(&pair[at + 1..])))
        })
        .collect()
}

/// The credentials, wherever they stand, and what is wrong with their place and form.
fn readings(headers: &HeaderMap, body: &[u8]) -> Option<(Vec<Reading>, Vec<Cause>)> {
    if let Some(value) = headers.get(AUTHORIZATION) {
        return Some(basic(&String::from_utf8_lossy(value.as_bytes())));
    }
    let member = |json: &Json, name: &str| match json.get(name) {
        Some(Json::Text(text)) => Some(text.clone()),
        _ => None,
    };
    if let Some(json) = Json::parse(body) {
        let reading = Reading {
            client_id: member(&json, "client_id")?,
            secret: Zeroizing::new(member(&json, "client_secret")?.into()),
        };
        let cause = Cause::new(
            "body_json",
            "the credentials stand in JSON",
            "send them in a form, or better in `Authorization`",
        );
        return Some((vec![reading], vec![cause]));
    }
    let fields = fields(body);
    let field = |name: &str| fields.iter().find(|field| field.0 == name).map(|field| field.1.clone());
    let reading =
        Reading { client_id: field("client_id")?, secret: Zeroizing::new(field("client_secret")?.into()) };
    Some((vec![reading], Vec::new()))
}

fn basic(value: &str) -> (Vec<Reading>, Vec<Cause>) {
    let mut noticed = Vec::new();
    let (word, token) = value.trim().split_once(' ').unwrap_or(("", value));
    if !word.eq_ignore_ascii_case("Basic") {
        noticed.push(Cause::new(
            "scheme_word",
            "`Authorization` has another scheme word than `Basic`",
            "send `Authorization: Basic base64(client_id:client_secret)`",
        ));
    }
    let token = token.trim();
    let decoded = BASE64_STANDARD.decode(token).or_else(|_| BASE64_STANDARD_NO_PAD.decode(token));
    let pair = match decoded {
        Ok(pair) => pair,
        Err(_) => match BASE64_URL_SAFE.decode(token).or_else(|_| BASE64_URL_SAFE_NO_PAD.decode(token)) {
            Ok(pair) if pair.contains(&b':') => {
                noticed.push(Cause::new(
                    "encoding_base64url",
                    "the credentials are written in base64url",
                    "use standard base64, with `+` and `/`",
                ));
                pair
            }
            _ => {
                noticed.push(Cause::new(
                    "not_base64",
                    "the credentials are not encoded in base64",
                    "encode `client_id:client_secret` in base64",
                ));
                token.as_bytes().to_vec()
            }
        },
    };
    let mut pair = Zeroizing::new(pair);
    if !pair.contains(&b':') {
        match BASE64_STANDARD.decode(pair.trim_ascii()) {
            Ok(inside) if inside.contains(&b':') => {
                noticed.push(Cause::new(
                    "twice_base64",
                    "the credentials are encoded twice",
                    "encode them once",
                ));
                *pair = inside;
            }
            _ => noticed.push(Cause::new(
                "no_colon",
                "there is no colon between client id and secret",
                "encode `client_id:client_secret`",
            )),
        }
    }
    let at = pair.iter().position(|byte| *byte == b':').unwrap_or(pair.len());
    let client_id = String::from_utf8_lossy(&pair[..at]).into_owned();
    let secret = Zeroizing::new(pair.get(at + 1..).unwrap_or_default().to_vec());
    (vec![Reading { client_id, secret }], noticed)
}

/// What may be meant by an id and a secret, and what is wrong if it is.
fn meant(client_id: &str, secret: &[u8]) -> Vec<(String, Zeroizing<Vec<u8>>, Option<Cause>)> {
    let mut all: Vec<(String, Zeroizing<Vec<u8>>, Option<Cause>)> = Vec::new();
    let mut or = |id: &str, secret: Vec<u8>, cause: Option<(&'static str, &'static str, &'static str)>| {
        let cause = cause.map(|(hypothesis, found, change)| Cause::new(hypothesis, found, change));
        all.push((id.to_owned(), Zeroizing::new(secret), cause));
    };
    or(client_id, secret.to_vec(), None);
    let decoded_id = percent_decoded(client_id.as_bytes()).and_then(|id| String::from_utf8(id).ok());
    if let Some(decoded) = percent_decoded(secret) {
        // The endpoint reads them so, too (RFC 6749 §2.3.1).
        or(decoded_id.as_deref().unwrap_or(client_id), decoded, None);
    }
    const NEWLINE: &str = "encode with `printf %s`, not with `echo`: no newline belongs to the secret";
    if secret.ends_with(b"\n") {
        let found = "a newline was encoded behind the secret";
        or(client_id, secret.trim_ascii_end().to_vec(), Some(("basic_newline", found, NEWLINE)));
    }
    let found = "there is white space around id or secret";
    or(
        client_id.trim(),
        secret.trim_ascii().to_vec(),
        Some(("basic_space", found, "encode them without white space")),
    );
    let unquoted = String::from_utf8_lossy(secret).trim_matches(['"', '\'']).to_owned();
    or(
        client_id.trim_matches(['"', '\'']),
        unquoted.into_bytes(),
        Some(("basic_quoted", "there are quotes around id or secret", "the quotes are no part of them")),
    );
    let swapped = String::from_utf8_lossy(secret).into_owned();
    or(
        &swapped,
        client_id.as_bytes().to_vec(),
        Some(("basic_swapped", "client id and secret are swapped", "encode `client_id:client_secret`")),
    );
    if let Ok(decoded) = BASE64_STANDARD.decode(secret) {
        or(
            client_id,
            decoded,
            Some((
                "secret_base64_encoded",
                "the secret was encoded in base64 by itself",
                "encode id and secret together, once",
            )),
        );
    }
    all
}

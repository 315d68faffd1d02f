//! Access tokens: why one was refused (RFC 6750 §2.1, RFC 7515, RFC 7519).

use super::{Cause, Explanation, authorization::readings};
use crate::{
    credential::TokenKey,
    jwt::{KeySet, Profile, PublicKey},
};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use http::request::Parts;
use serde_json::Value;
use std::time::{SystemTime, UNIX_EPOCH};

const WORD: &str = "Bearer";
const AS_ISSUED: &str = "send the `access_token` of the token endpoint's answer, whole and unchanged";
const ANEW: &str = "ask this server's token endpoint for a new token";

/// The client that a token names, whether or not the token is a good one: for finding out whether an operator wants to
/// know why its requests are refused, and for nothing else.
#[must_use]
pub fn named_by_token(head: &Parts) -> Option<String> {
    readings(&head.headers, WORD).iter().find_map(|reading| {
        let claims = object(reading.token.split('.').nth(1)?)?;
        let (_, client_id) = claims["sub"].as_str()?.rsplit_once(':')?;
        (1..=255).contains(&client_id.len()).then(|| client_id.to_owned())
    })
}

/// Explains why an access token is refused: `keys` are those that the server verifies with.
///
/// What is said is certain if one of the keys has signed the token, or what clients are known to make of it. What stands
/// in a token that nobody can vouch for is told as noticed.
#[must_use]
pub fn explain_token(head: &Parts, keys: &[TokenKey], profile: &Profile, now: SystemTime) -> Explanation {
    let parsed = KeySet::new(keys.iter().filter_map(|key| PublicKey::try_from(key).ok()));
    let readings = readings(&head.headers, WORD);
    for reading in &readings {
        if let Ok((claims, _)) = parsed.open(&reading.token, now) {
            let claims = serde_json::to_value(&claims).unwrap_or_default();
            let causes = reading.causes.iter().cloned().chain(of_claims(&claims, profile, now)).collect();
            return Explanation { certain: true, causes, ..Explanation::default() };
        }
    }
    let Some(first) = readings.into_iter().next() else {
        return Explanation { noticed: vec![absent(head)], ..Explanation::default() };
    };
    let mut noticed = first.causes;
    let mut guesses = Vec::new();
    match parts(&first.token) {
        Err(cause) => noticed.push(cause),
        Ok((header, claims)) => {
            let of_header = of_header(&header, keys, now);
            if of_header.is_empty() {
                guesses.push(Cause::new(
                    "token_signature",
                    "no key of this server has signed the token: it is another server's or environment's, or was \
                     changed or cut on its way",
                    AS_ISSUED,
                ));
            }
            noticed.extend(of_header);
            noticed.extend(of_claims(&claims, profile, now));
        }
    }
    Explanation { noticed, guesses, ..Explanation::default() }
}

/// Where there is no `Authorization`.
fn absent(head: &Parts) -> Cause {
    let query = head.uri.query().unwrap_or_default();
    let found = match query.split('&').any(|pair| pair.starts_with("access_token=")) {
        true => "the token stands in the query",
        false => "there is no `Authorization`",
    };
    Cause::new("header_missing", found, format!("send `Authorization: {WORD} TOKEN`"))
}

/// Header and claims of a token, read as leniently as can be.
fn parts(token: &str) -> Result<(Value, Value), Cause> {
    let mut parts = token.split('.');
    let (Some(header), Some(claims), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        let found = match token.split('.').count() {
            1 => "what was sent is no access token: it has no parts with points between them".to_owned(),
            count => format!("the token has {count} parts, and not three"),
        };
        return Err(Cause::new("token_parts", found, AS_ISSUED));
    };
    let unreadable =
        |what: &str| Cause::new("token_encoding", format!("the token's {what} cannot be read"), AS_ISSUED);
    let header = object(header).ok_or_else(|| unreadable("header"))?;
    Ok((header, object(claims).ok_or_else(|| unreadable("claims"))?))
}

fn object(part: &str) -> Option<Value> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&bytes).ok().filter(Value::is_object)
}

/// What a header has that no token of this server has.
fn of_header(header: &Value, keys: &[TokenKey], now: SystemTime) -> Vec<Cause> {
    let mut causes = Vec::new();
    let live: Vec<_> = keys.iter().filter(|key| key.is_live(now)).collect();
    let algorithm = header["alg"].as_str().unwrap_or_default();
    if live.is_empty() {
        let change = "make a key: `countersign tokens signing-keys`, or start the server once";
        causes.push(Cause::new("token_no_keys", "the server has no key to verify tokens with", change));
    } else if live.iter().all(|key| key.algorithm.as_str() != algorithm) {
        let known: Vec<_> = live.iter().map(|key| key.algorithm.as_str()).collect();
        let found = format!(
            "the token names the algorithm {}, and the server's keys are for {}",
            told(&header["alg"]),
            known.join(", ")
        );
        causes.push(Cause::new("token_algorithm", found, ANEW));
    }
    let of_name = |name: &str| keys.iter().find(|key| key.kid.as_str() == name);
    match header["kid"].as_str() {
        Some(name) if of_name(name).is_none() => {
            let found = format!(
                "the token names the key {}, which the server has not, or no more",
                told(&header["kid"])
            );
            causes.push(Cause::new("token_key_unknown", found, ANEW));
        }
        Some(name) if of_name(name).is_some_and(|key| !key.is_live(now)) => {
            let found = format!("the token names the key {}, which has retired", told(&header["kid"]));
            causes.push(Cause::new("token_key_retired", found, ANEW));
        }
        _ => {}
    }
    let is_kind = header["typ"].as_str().is_none_or(|kind| kind.eq_ignore_ascii_case("JWT"));
    let names = header.as_object().into_iter().flat_map(serde_json::Map::keys);
    if !is_kind || names.clone().any(|name| !["alg", "kid", "typ"].contains(&&**name)) {
        let found = "the token's header has a type or a field that no token of this server has";
        causes.push(Cause::new("token_header", found, ANEW));
    }
    causes
}

/// What claims have that is refused.
fn of_claims(claims: &Value, profile: &Profile, now: SystemTime) -> Vec<Cause> {
    let mut causes = Vec::new();
    let mut or = |hypothesis, found: String, change: &'static str| {
        causes.push(Cause::new(hypothesis, found, change));
    };
    let (issuer, audience) = (profile.issuer(), profile.audience());
    if claims["iss"] != *issuer {
        let found = format!(
            "the token was issued by {}, and the server takes those of `{issuer}`",
            told(&claims["iss"])
        );
        or("token_issuer", found, "ask the right server for a token, or name the issuer alike on both");
    }
    if claims["aud"] != *audience {
        let found =
            format!("the token is for {}, and the server takes those for `{audience}`", told(&claims["aud"]));
        or("token_audience", found, "ask for a token for this API, or name the audience alike on both");
    }
    let now = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let leeway = profile.leeway().as_secs();
    let time = |name: &str| claims[name].as_u64();
    let (Some(end), Some(issued)) = (time("exp"), time("iat")) else {
        or("token_claims", "the token says no `exp` or no `iat` in whole seconds".to_owned(), ANEW);
        return causes;
    };
    if end.saturating_add(leeway) <= now {
        let found = format!("the token expired {} s ago", now - end);
        or("token_expired", found, "ask for a new token in time: `expires_in` says how long one lives");
    }
    if let Some(start) = time("nbf").filter(|start| *start > now.saturating_add(leeway)) {
        or("token_not_yet_valid", format!("the token is valid in {} s", start - now), "compare the clocks");
    }
    if issued > now.saturating_add(leeway) {
        let found = format!("the token says that it is issued in {} s", issued - now);
        or("token_future", found, "compare the clocks of issuer and server");
    }
    if end.checked_sub(issued).is_none_or(|life| life > profile.longest_lifetime().as_secs()) {
        or(
            "token_lifetime",
            "the token would live for too long, or ends before it was issued".to_owned(),
            ANEW,
        );
    }
    causes
}

/// A value from a token, short and in one line.
fn told(value: &Value) -> String {
    match value {
        Value::Null => "nobody".to_owned(),
        Value::String(text) => {
            let text: String = text.chars().filter(|char| !char.is_control()).take(80).collect();
            format!("`{text}`")
        }
        _ => "what is no text".to_owned(),
    }
}

//! What is signed cannot be changed by a single byte.

use super::{
    Case, NOW, ateliere, body, config, corezoid, corezoid_callback, run, salescloud, salescloud_webhook, text,
};
use crate::support::guard::{guard, send};
use bytes::Bytes;
use countersign::{
    error::VerifyErrorKind,
    scheme::{Ateliere, Corezoid, CorezoidCallback, SalesCloud, SalesCloudWebhook, Scheme},
};
use http::{HeaderValue, Request, Uri, uri::PathAndQuery};
use http_body_util::Full;
use proptest::prelude::*;

/// Another byte that may stand where this one stood, never the same letter in another case.
const fn other(byte: u8) -> u8 {
    match byte {
        b'9' => b'0',
        b'z' => b'a',
        b'Z' => b'A',
        b'0'..=b'8' | b'a'..=b'y' | b'A'..=b'Y' => byte + 1,
        _ => b'x',
    }
}

/// The text with one byte changed, for each of its bytes from `start` on.
fn changed(text: &[u8], start: usize) -> impl Iterator<Item = Vec<u8>> {
    (start..text.len()).map(|at| {
        let mut text = text.to_vec();
        text[at] = other(text[at]);
        text
    })
}

/// Every request that differs by one byte: in one of these headers, in the target from `start` on, or in the body,
/// which also gets longer and shorter.
fn changes(request: &Request<Vec<u8>>, headers: &[&'static str], start: usize) -> Vec<Request<Vec<u8>>> {
    let mut all = Vec::new();
    for &name in headers {
        let Some(value) = request.headers().get(name) else { continue };
        for value in changed(value.as_bytes(), 0).filter_map(|value| HeaderValue::from_bytes(&value).ok()) {
            let mut request = request.clone();
            request.headers_mut().insert(name, value);
            all.push(request);
        }
    }
    let target = request.uri().to_string();
    for target in changed(target.as_bytes(), start).filter_map(|target| PathAndQuery::try_from(target).ok()) {
        let mut request = request.clone();
        *request.uri_mut() = Uri::from(target);
        all.push(request);
    }
    let body = request.body();
    let flipped = (0..body.len()).map(|at| [&body[..at], &[body[at] ^ 1], &body[at + 1..]].concat());
    let (longer, behind) = ([body, &b"\n"[..]].concat(), [&b"\xef\xbb\xbf"[..], body].concat());
    let shorter = body.split_last().map(|(_, rest)| rest.to_vec());
    for body in flipped.chain([longer, behind]).chain(shorter) {
        all.push(request.clone().map(|_| body));
    }
    all
}

/// Signs, and sends every changed request; none may pass.
fn holds<S: Scheme + Default>(
    case: &Case,
    headers: &[&'static str],
    start: usize,
) -> Result<(), TestCaseError> {
    let request = case.signed(S::default()).ok_or_else(|| TestCaseError::fail("not signed"))?;
    let layer = guard(S::default(), case.key(), NOW);
    run(async {
        let answer = send(&layer, request.clone().map(Full::<Bytes>::from)).await;
        prop_assert!(answer.is_ok(), "unchanged: {answer:?}");
        let changes = changes(&request, headers, start);
        prop_assert!(changes.len() > 40);
        for changed in changes {
            let kind = send(&layer, changed.clone().map(Full::<Bytes>::from)).await.err();
            let refused = matches!(
                kind,
                Some(
                    VerifyErrorKind::BadSignature
                        | VerifyErrorKind::Malformed
                        // A changed host may no longer be one.
                        | VerifyErrorKind::MalformedMessage
                        | VerifyErrorKind::Missing
                        | VerifyErrorKind::UnknownKey
                )
            );
            prop_assert!(refused, "{kind:?}: {changed:?}");
        }
        Ok(())
    })
}

proptest! {
    #![proptest_config(config(100))]

    #[test]
    fn ateliere_holds(case in ateliere(text(80))) {
        holds::<Ateliere>(&case, &["host", "oz-key-id", "oz-signature", "x-organization-slug"], 1)?;
    }

    #[test]
    fn corezoid_holds(case in corezoid(body(80))) {
        holds::<Corezoid>(&case, &[], case.target.len())?;
    }

    #[test]
    fn corezoid_callback_holds(case in corezoid_callback(body(80))) {
        holds::<CorezoidCallback>(&case, &[], 1)?;
    }

    #[test]
    fn salescloud_webhook_holds(case in salescloud_webhook(body(80))) {
        let headers =
            ["host", "x-salescloud-access-key", "x-salescloud-date", "x-salescloud-signature"];
        holds::<SalesCloudWebhook>(&case, &headers, 1)?;
    }

    #[test]
    fn salescloud_holds(case in salescloud(body(80))) {
        let headers = [
            "authorization",
            "salescloud-application",
            "salescloud-application-public-key",
            "salescloud-organization",
        ];
        holds::<SalesCloud>(&case, &headers, 1)?;
    }
}

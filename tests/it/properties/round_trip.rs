//! What a client signs, the server accepts: any body in any pieces, any names, and the secret before the last.

use super::{
    Case, NOW, ateliere, body, config, corezoid, corezoid_callback, run, salescloud, salescloud_webhook, text,
};
use crate::support::{
    guard::{credential, guard, outcome, send},
    pieces::Pieces,
};
use bytes::Bytes;
use countersign::{
    SignatureVerifier, VerifyLayer,
    clock::ManualClock,
    credential::SecretVersion,
    error::VerifyErrorKind,
    scheme::{Ateliere, Corezoid, CorezoidCallback, SalesCloud, SalesCloudWebhook, Scheme},
    secret::Secret,
    signature::{Algorithm, Computation, MacKey, SignatureBase},
    store::MemoryKeyStore,
};
use http::{HeaderValue, Request, Uri};
use http_body_util::Full;
use proptest::prelude::*;
use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

/// Longest body: more than is hashed in one poll.
const LONGEST: usize = 40_000;

/// How a body is cut: into nothings, single bytes, and frames on both sides of what is worth keeping apart.
fn cuts() -> impl Strategy<Value = (Vec<usize>, bool)> {
    let length = prop_oneof![Just(0), Just(1), 2..64_usize, 1000..1050_usize, 1000..20_000_usize];
    (prop::collection::vec(length, 0..40), any::<bool>())
}

/// Signs, cuts, sends, and looks at what the handler gets.
fn passes<S: Scheme + Default>(case: &Case, lengths: &[usize], pauses: bool) -> Result<(), TestCaseError> {
    let request = case.signed(S::default()).ok_or_else(|| TestCaseError::fail("not signed"))?;
    let layer = guard(S::default(), case.key(), NOW);
    let answer = run(send(&layer, request.map(|body| Pieces::new(&body, lengths, pauses))));
    let (caller, read) = answer.map_err(|kind| TestCaseError::fail(kind.outcome().as_str()))?;
    prop_assert_eq!(caller.scheme(), S::default().name());
    prop_assert_eq!(caller.key_id().as_str(), &case.key_id);
    prop_assert_eq!(caller.organization().map(|name| name.as_str()), case.organization.as_deref());
    prop_assert_eq!((caller.spelling(), caller.used_previous_secret()), (0, false));
    prop_assert_eq!(read, &case.body);
    Ok(())
}

/// Signs with the newest secret, with the one before it, and with neither, until the older one retires.
fn rotates<S: Scheme + Default>(case: &Case, pauses: bool) -> Result<(), TestCaseError> {
    let (newest, older) = (case.clone(), Case { secret: case.secret.clone() + "1", ..case.clone() });
    let stranger = Case { secret: case.secret.clone() + "2", ..case.clone() };
    let clock = Arc::new(ManualClock::at(NOW));
    let scheme = S::default();
    let mut stored = credential(&scheme, case.key());
    let mac_key = |case: &Case| MacKey::new(scheme.algorithm(), &Secret::new(&*case.secret).unwrap());
    let mut retiring = SecretVersion::new(1, mac_key(&older));
    retiring.retires_at = Some(UNIX_EPOCH + Duration::from_secs(NOW + 60));
    stored.secrets = [SecretVersion::new(2, mac_key(&newest)), retiring].into_iter().collect();
    let store = MemoryKeyStore::new();
    store.insert(scheme.name(), &case.key_id, stored);
    let layer = VerifyLayer::new(SignatureVerifier::new(S::default(), store).with_clock(Arc::clone(&clock)));
    for (now, expected) in [
        (NOW, ["ok", "ok_previous_secret", "bad_signature"]),
        (NOW + 59, ["ok", "ok_previous_secret", "bad_signature"]),
        (NOW + 60, ["ok", "bad_signature", "bad_signature"]),
    ] {
        clock.set(now);
        for (case, word) in [&newest, &older, &stranger].into_iter().zip(expected) {
            let request = case.signed(S::default()).ok_or_else(|| TestCaseError::fail("not signed"))?;
            let answer = run(send(&layer, request.map(|body| Pieces::new(&body, &[1], pauses))));
            prop_assert_eq!(outcome(&answer), word);
            if let Ok((caller, _)) = &answer {
                prop_assert_eq!(caller.used_previous_secret(), word == "ok_previous_secret");
            }
        }
    }
    Ok(())
}

/// A place: host and target.
type At = (&'static str, &'static str);

/// What was typed, where it arrived, and the spelling that tells.
const SPELLINGS: [(At, At, Option<usize>); 6] = [
    (("a.test", "/g"), ("a.test", "/g"), Some(0)),
    (("a.test", "/g?"), ("a.test", "/g"), Some(1)),
    (("a.test:443", "/g"), ("a.test", "/g"), Some(2)),
    (("a.test", "/é"), ("a.test", "/%C3%A9"), Some(3)),
    (("a.test", "/h"), ("a.test", "/g"), None),
    (("a.test", "/h"), ("a.test", "/%C3%A9"), None),
];

proptest! {
    #![proptest_config(config(200))]

    #[test]
    fn ateliere_passes(case in ateliere(text(LONGEST)), (lengths, pauses) in cuts()) {
        passes::<Ateliere>(&case, &lengths, pauses)?;
    }

    #[test]
    fn corezoid_passes(case in corezoid(body(LONGEST)), (lengths, pauses) in cuts()) {
        passes::<Corezoid>(&case, &lengths, pauses)?;
    }

    #[test]
    fn salescloud_passes(case in salescloud(body(LONGEST)), (lengths, pauses) in cuts()) {
        passes::<SalesCloud>(&case, &lengths, pauses)?;
    }

    #[test]
    fn corezoid_callback_passes(case in corezoid_callback(body(LONGEST)), (lengths, pauses) in cuts()) {
        passes::<CorezoidCallback>(&case, &lengths, pauses)?;
    }

    #[test]
    fn salescloud_webhook_passes(case in salescloud_webhook(body(LONGEST)), (lengths, pauses) in cuts()) {
        passes::<SalesCloudWebhook>(&case, &lengths, pauses)?;
    }

    /// The body passes once more for each two other spellings, from the frames that were kept.
    #[test]
    fn ateliere_tries_other_spellings(
        case in ateliere(text(LONGEST)),
        (typed, arrives, spelling) in prop::sample::select(&SPELLINGS[..]),
        (lengths, pauses) in cuts(),
    ) {
        let (authority, target) = typed;
        let case = Case { authority: authority.to_owned(), target: target.to_owned(), ..case };
        let (mut head, body) = case.signed(Ateliere::default()).unwrap().into_parts();
        head.headers.insert("host", HeaderValue::from_static(arrives.0));
        head.uri = Uri::from_static(arrives.1);
        let layer = guard(Ateliere::default(), case.key(), NOW);
        let answer = run(send(&layer, Request::from_parts(head, Pieces::new(&body, &lengths, pauses))));
        prop_assert_eq!(answer.as_ref().ok().map(|(caller, _)| caller.spelling()), spelling);
        if let Ok((_, read)) = answer {
            prop_assert_eq!(read, body);
        }
    }

    #[test]
    fn ateliere_rotates(case in ateliere(text(200)), pauses in any::<bool>()) {
        rotates::<Ateliere>(&case, pauses)?;
    }

    #[test]
    fn corezoid_rotates(case in corezoid(body(200)), pauses in any::<bool>()) {
        rotates::<Corezoid>(&case, pauses)?;
    }

    #[test]
    fn salescloud_rotates(case in salescloud(body(200)), pauses in any::<bool>()) {
        rotates::<SalesCloud>(&Case { organization: None, ..case }, pauses)?;
    }

    /// A client that works on bytes could sign what is no text. No JavaScript client can, and a signature over a
    /// replacement character would stand for many bodies: neither side does.
    #[test]
    fn ateliere_signs_text_only(
        case in ateliere(prop::collection::vec(0x80_u8.., 1..80)), (lengths, pauses) in cuts(),
    ) {
        prop_assume!(std::str::from_utf8(&case.body).is_err());
        prop_assert!(case.signed(Ateliere::default()).is_none());
        let url = format!("{}{}", case.authority, case.target);
        let slug = case.organization.clone().unwrap();
        let body = case.body.clone();
        let base = SignatureBase::default().bytes(r#"{"url":""#).in_json(&*url);
        let base = base.bytes(r#"","body":""#).bytes(&body).bytes(r#"","organization_slug":""#);
        let key = MacKey::new(Algorithm::HmacSha256, &Secret::new(&*case.secret).unwrap());
        let computation = Computation::begin(&[base.in_json(&*slug).bytes(r#""}"#)], std::iter::once(&key));
        let signature = computation.sign().unwrap().to_hex();
        let request = Case { body: Vec::new(), ..case.clone() }.signed(Ateliere::default()).unwrap();
        let (mut head, _) = request.into_parts();
        head.headers.insert("oz-signature", signature.parse().unwrap());
        let layer = guard(Ateliere::default(), case.key(), NOW);
        for body in [body.clone(), String::from_utf8_lossy(&body).into_owned().into_bytes()] {
            let request = Request::from_parts(head.clone(), Pieces::new(&body, &lengths, pauses));
            prop_assert_eq!(run(send(&layer, request)).unwrap_err(), VerifyErrorKind::BadSignature);
        }
    }
}

/// What the property above computes by hand is right: the same formula over text passes.
#[tokio::test]
async fn the_formula_over_text_passes() {
    let case = Case {
        key_id: "pk".to_owned(),
        secret: "s".to_owned(),
        public_key: None,
        organization: Some("acme".to_owned()),
        authority: "api.test".to_owned(),
        target: "/g".to_owned(),
        body: "é".into(),
    };
    let text = r#"{"url":"api.test/g","body":"é","organization_slug":"acme"}"#;
    let key = MacKey::new(Algorithm::HmacSha256, &Secret::new("s").unwrap());
    let computation = Computation::begin(&[SignatureBase::default().bytes(text)], std::iter::once(&key));
    let signature = computation.sign().unwrap().to_hex();
    let request = case.signed(Ateliere::default()).unwrap();
    assert_eq!(request.headers()["oz-signature"], signature);
    let layer = guard(Ateliere::default(), case.key(), NOW);
    assert_eq!(outcome(&send(&layer, request.map(Full::<Bytes>::from)).await), "ok");
}

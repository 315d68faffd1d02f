//! Why tokens are refused: what clients are known to do to them, and what is proved.

use super::{ACCOUNT, CLIENT, stored};
use crate::support::tokens::{HEADER, KEY, NOW, at, claims_with, forge, new_key, profile};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use countersign::{
    credential::{SecretHash, TokenAlgorithm, TokenKey},
    explain::{Cause, Explanation, explain_read_token, explain_token, named_by_token, presented_read_tokens},
};
use http::{Request, request::Parts};

fn head(authorization: &str) -> Parts {
    let request = Request::get("/v2.0/site").header("host", "a");
    let request = match authorization {
        "" => request,
        value => request.header("authorization", value),
    };
    request.body(()).unwrap().into_parts().0
}

fn keys() -> Vec<TokenKey> {
    vec![stored(&KEY, "rsa-1").public]
}

fn explained(authorization: &str) -> Explanation {
    explain_token(&head(authorization), &keys(), &profile(), at(NOW))
}

fn names(causes: &[Cause]) -> Vec<&str> {
    causes.iter().map(Cause::hypothesis).collect()
}

fn token() -> String {
    forge(HEADER, &claims_with("sub", &format!("\"{ACCOUNT}:{CLIENT}\"")))
}

#[test]
fn what_was_done_to_a_token_is_proved() {
    let token = token();
    assert!(explained(&format!("Bearer {token}")).is_right());
    let json = format!(r#"{{"access_token":"{token}","token_type":"JWT","expires_in":3600}}"#);
    let (one, two) = token.split_at(40);
    for (authorization, cause) in [
        (token.clone(), "scheme_word"),
        (format!("JWT {token}"), "scheme_word"),
        (format!("Bearer \"{token}\""), "token_quoted"),
        (format!("\"Bearer {token}\""), "token_quoted"),
        (format!("Bearer Bearer {token}"), "token_word_twice"),
        (format!("Bearer {json}"), "token_json"),
        (format!("Bearer {}", token.replace('.', "%2E")), "token_percent_encoded"),
        (format!("Bearer {}", BASE64_STANDARD.encode(&token)), "token_base64_encoded"),
        (format!("Bearer {one} {two}"), "token_spaces"),
        (format!("Bearer {token}=="), "token_longer"),
        (format!("Bearer {token},"), "token_longer"),
    ] {
        let explanation = explained(&authorization);
        assert!(explanation.is_certain(), "{cause}: {explanation:?}");
        assert_eq!(names(explanation.causes()), [cause]);
        assert_eq!(named_by_token(&head(&authorization)).as_deref(), Some(CLIENT), "{cause}");
        assert!(!format!("{explanation:?}").contains(&token[token.len() - 40..]), "{cause}");
    }
}

#[test]
fn what_a_good_signature_vouches_for_is_proved() {
    let with = |name: &str, value: &str| forge(HEADER, &claims_with(name, value));
    for (token, cause) in [
        (with("exp", &format!("{}", NOW - 5)), "token_expired"),
        (with("aud", "\"another\""), "token_audience"),
        (with("iss", "\"another\""), "token_issuer"),
        (with("nbf", &format!("{}", NOW + 60)), "token_not_yet_valid"),
        (with("iat", &format!("{}", NOW + 60)), "token_future"),
        (with("exp", &format!("{}", NOW + 90_000)), "token_lifetime"),
    ] {
        let explanation = explained(&format!("Bearer {token}"));
        assert!(explanation.is_certain(), "{cause}: {explanation:?}");
        assert!(names(explanation.causes()).contains(&cause), "{cause}: {explanation:?}");
    }
    let both = explained(&format!("Bearer \"{}\"", with("exp", &format!("{}", NOW - 5))));
    assert!(names(both.causes()).starts_with(&["token_quoted", "token_expired"]), "{both:?}");
}

#[test]
fn what_nobody_vouches_for_is_noticed_or_a_guess() {
    let good = token();
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let claims = claims_with("aud", "\"another\"");
    let other = new_key(TokenAlgorithm::Es256).sign(&crate::support::tokens::claims(), None).unwrap();
    let mut retired = stored(&KEY, "rsa-0").public;
    retired.retires_at = Some(at(NOW));
    let named = forge(r#"{"alg":"RS384","typ":"JWT","kid":"rsa-9"}"#, &claims);
    let by_retired = forge(r#"{"alg":"RS384","typ":"JWT","kid":"rsa-0"}"#, &claims);
    for (authorization, noticed, guessed) in [
        (String::new(), &["header_missing"][..], &[][..]),
        ("Bearer c2VjcmV0".to_owned(), &["token_parts"], &[]),
        (format!("Bearer {signed}"), &["token_parts"], &[]),
        ("Bearer a.b.c".to_owned(), &["token_encoding"], &[]),
        (format!("Bearer {signed}.{}", &signature[4..]), &[], &["token_signature"]),
        (format!("Bearer {other}"), &["token_algorithm"], &[]),
        (
            format!("Bearer {}", forge(r#"{"alg":"none"}"#, &claims)),
            &["token_algorithm", "token_audience"],
            &[],
        ),
        (format!("Bearer {named}"), &["token_key_unknown", "token_audience"], &[]),
        (format!("Bearer {by_retired}"), &["token_key_retired", "token_audience"], &[]),
        (
            format!("Bearer {}", forge(r#"{"alg":"RS384","jku":"x"}"#, &claims)),
            &["token_header", "token_audience"],
            &[],
        ),
    ] {
        let keys = [stored(&KEY, "rsa-1").public, retired.clone()];
        let explanation = explain_token(&head(&authorization), &keys, &profile(), at(NOW));
        assert!(!explanation.is_certain(), "{authorization}: {explanation:?}");
        assert_eq!(names(explanation.noticed()), noticed, "{authorization}");
        assert_eq!(names(explanation.guesses()), guessed, "{authorization}");
        for part in authorization.split(['.', ' ']).filter(|part| part.len() > 20) {
            assert!(!format!("{explanation:?}").contains(part), "{authorization}");
        }
    }
    let none = explain_token(&head(&format!("Bearer {good}")), &[], &profile(), at(NOW));
    assert_eq!(names(none.noticed()), ["token_no_keys"]);
    let mut queried = head("");
    queried.uri = "/v2.0/site?access_token=x".parse().unwrap();
    let explanation = explain_token(&queried, &keys(), &profile(), at(NOW));
    assert_eq!(explanation.noticed()[0].found(), "the token stands in the query");
}

#[test]
fn a_read_token_is_found_again_by_its_hash() {
    let token = "rat_c2VjcmV0LXZhbHVlLW9mLXJhbmRvbS1ieXRlcw";
    let known = [SecretHash::of(token.as_bytes())];
    let explained = |authorization: &str| {
        let head = head(authorization);
        let known: Vec<_> = presented_read_tokens(&head)
            .into_iter()
            .filter(|hash| hash.find_in(known.iter().copied()).is_some())
            .collect();
        explain_read_token(&head, &known)
    };
    assert!(explained(&format!("ReadAccessToken {token}")).is_right());
    for (authorization, cause) in [
        (format!("Bearer {token}"), "scheme_word"),
        (token.to_owned(), "scheme_word"),
        (format!("ReadAccessToken '{token}'"), "token_quoted"),
        (format!("ReadAccessToken {}", token.replace('_', "%5F")), "token_percent_encoded"),
        (format!("ReadAccessToken {}", BASE64_STANDARD.encode(token)), "token_base64_encoded"),
        (format!("ReadAccessToken ReadAccessToken {token}"), "token_word_twice"),
    ] {
        let explanation = explained(&authorization);
        assert!(explanation.is_certain(), "{cause}: {explanation:?}");
        assert_eq!(names(explanation.causes()), [cause]);
        assert!(!format!("{explanation:?}").contains(token));
    }
    let unknown = explained(&format!("ReadAccessToken {}", &token[..20]));
    assert!(!unknown.is_certain());
    assert_eq!(names(unknown.guesses()), ["token_unknown"]);
    assert_eq!(names(explained("ReadAccessToken a.b.c").guesses()), ["token_other"]);
    assert_eq!(names(explained("").noticed()), ["header_missing"]);
}

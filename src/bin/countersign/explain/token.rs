//! `explain` for tokens in `Authorization`: access tokens and read tokens.

use super::{JudgeArgs, print};
use crate::{
    config::Store,
    failure::{Exit, Failure},
    output::Output,
    probe::{self, Verdict},
    verify, wire,
};
use countersign::{
    clock::ManualClock,
    explain::{Report, explain_read_token, explain_token, named_by_token, presented_read_tokens},
    jwt::Profile,
    store::{Lookup, Record},
    verify::{BearerVerifier, ReadTokenVerifier},
};
use http::{header::AUTHORIZATION, request::Parts};

/// What a request carries instead of a signature.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Access,
    Read,
}

/// The kind of token that a request carries, if it is one: at the token endpoint there is none.
pub(super) fn kind(head: &Parts, read: bool) -> Option<Kind> {
    let value = head.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let word = value.split(' ').next().unwrap_or_default();
    let is = |other: &str| word.eq_ignore_ascii_case(other);
    match read {
        true => is("ReadAccessToken").then_some(Kind::Read),
        false => (is("Bearer") || named_by_token(head).is_some()).then_some(Kind::Access),
    }
}

/// Explains a token.
pub(super) async fn explain(
    args: &JudgeArgs,
    (kind, profile): (Kind, Profile),
    recorded: wire::Recorded,
    request: &str,
    output: &Output,
) -> Result<Exit, Failure> {
    let Err(store) = args.keys(output).await? else {
        let hint = "leave the secret out, and name the database: `--database-url`";
        return Err(Failure::usage("a token is no secret's, and is explained by the database", hint));
    };
    let clock = ManualClock::at(args.moment());
    let (head, _) = recorded.request.clone().into_parts();
    let verdict = match kind {
        Kind::Access => {
            let verifier = BearerVerifier::new(store.keys(), profile.clone()).with_clock(clock);
            probe::verify(verifier, recorded.request).await
        }
        Kind::Read => {
            probe::verify(ReadTokenVerifier::new(store.keys()).with_clock(clock), recorded.request).await
        }
    };
    let (outcome, key_id) = match &verdict {
        Verdict::Valid(verified) => (verified.outcome(), Some(verified.key_id().to_string())),
        Verdict::Invalid(kind, _) => (kind.outcome(), None),
    };
    let (scheme, explanation) = match kind {
        Kind::Access => {
            let keys = match store.find(Lookup::TokenKeys).await? {
                Some(Record::TokenKeys(keys)) => keys.keys.to_vec(),
                _ => Vec::new(),
            };
            ("ayyeka", explain_token(&head, &keys, &profile, args.time()))
        }
        Kind::Read => ("salescloud-read-token", explain_read_token(&head, &known(&store, &head).await?)),
    };
    let report = Report::new(outcome, scheme, key_id.as_deref(), explanation);
    print(&report, &recorded.notes, request, output)?;
    verify::exit(&verdict)
}

/// The hashes of the read tokens that there are, of those that a request may mean.
async fn known(store: &Store, head: &Parts) -> Result<Vec<countersign::credential::SecretHash>, Failure> {
    let mut known = Vec::new();
    for hash in presented_read_tokens(head) {
        if store.find(Lookup::ReadToken { hash: &hash }).await?.is_some() {
            known.push(hash);
        }
    }
    Ok(known)
}

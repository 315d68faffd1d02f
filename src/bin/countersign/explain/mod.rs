//! `explain`: says why a recorded request would be refused, and proves it where it can.

mod token;

use crate::{
    config::Store,
    failure::{Exit, Failure},
    judge::{JudgeArgs, Judged},
    kept,
    output::{Output, visible},
    probe::Verdict,
    schemes::SchemeName,
    verify,
    wire::Recorded,
};
use clap::{Args, ValueEnum};
use countersign::{
    Outcome,
    credential::{KeyId, SecretHash, Standing},
    explain::{Case, Explanation, Report, explain_client, presented_clients},
    jwt::Profile,
    store::{Lookup, Record},
};
use serde::Serialize;
use std::time::SystemTime;

const EXAMPLES: &str = "\
Examples:
  countersign explain --scheme ateliere --request request.http
  countersign explain --scheme corezoid --request request.http \\
      --secret-file secret --now 1700000000
  countersign explain 4f1c09a2b7d3e856 --server http://127.0.0.1:9464

The request is one HTTP/1.1 message as it travelled, as for `verify`. Its signature
is recomputed under everything that clients are known to do otherwise; what
reproduces the signature that was sent is certain, everything else is a guess.

Of tokens, the database tells: with `--scheme ayyeka` access tokens and requests for
them, with `--scheme salescloud` also `ReadAccessToken`.

With the id of a refusal, a running server is asked for what it found out: for keys
under `keys debug` and clients under `clients debug`, on its admin listener.

Exit code 0: the request would pass; 3: it would not.";

/// What `explain` needs to know.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ExplainArgs {
    /// The id of a refusal, from the answer's `x-request-id` or from the log
    #[arg(value_name = "REQUEST_ID", requires = "server", conflicts_with_all = ["scheme", "request"])]
    request_id: Option<String>,

    /// The admin listener of a running server
    #[arg(long, value_name = "URL", env = "COUNTERSIGN_ADMIN_URL")]
    server: Option<String>,

    /// How the provider signs
    #[arg(long, value_enum, required_unless_present = "request_id")]
    scheme: Option<Explained>,

    /// The recorded request: a file, or `-` for stdin
    #[arg(long, value_name = "FILE", required_unless_present = "request_id")]
    request: Option<String>,

    /// Who issues the access tokens that the server takes
    #[arg(long, value_name = "TEXT", env = "COUNTERSIGN_TOKEN_ISSUER", default_value = "Cloud")]
    token_issuer: String,

    /// For whom they have to be
    #[arg(long, value_name = "TEXT", env = "COUNTERSIGN_TOKEN_AUDIENCE", default_value = "2091")]
    token_audience: String,

    #[command(flatten)]
    judge: JudgeArgs,
}

/// What can be explained: the schemes that sign, tokens, and requests for them.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Explained {
    /// Hexadecimal HMAC-SHA-256 over URL, body and organization.
    Ateliere,
    /// Access tokens, and client credentials that ask for one.
    Ayyeka,
    /// Keyed SHA-1 in the last three segments of the path.
    Corezoid,
    /// HMAC-SHA-256 in base64 behind the word `App`.
    #[value(name = "salescloud")]
    SalesCloud,
}

impl Explained {
    const fn signed(self) -> Option<SchemeName> {
        match self {
            Self::Ateliere => Some(SchemeName::Ateliere),
            Self::Corezoid => Some(SchemeName::Corezoid),
            Self::SalesCloud => Some(SchemeName::SalesCloud),
            Self::Ayyeka => None,
        }
    }
}

/// Explains, and answers with the exit code of the verdict.
pub async fn run(args: ExplainArgs, output: &Output) -> Result<Exit, Failure> {
    if let (Some(id), Some(server)) = (&args.request_id, &args.server) {
        return kept::show(id, server, output).await;
    }
    let (Some(scheme), Some(request)) = (args.scheme, &args.request) else {
        return Err(Failure::usage("there is nothing to explain", "name `--scheme` and `--request`"));
    };
    let recorded = args.judge.record(request)?;
    let read = matches!(scheme, Explained::SalesCloud);
    if let (true, Some(kind)) =
        (read || scheme.signed().is_none(), token::kind(&recorded.request.clone().into_parts().0, read))
    {
        let profile = Profile::new(&args.token_issuer, &args.token_audience);
        return token::explain(&args.judge, (kind, profile), recorded, request, output).await;
    }
    match scheme.signed() {
        Some(scheme) => signed(args.judge, scheme, recorded, request, output).await,
        None => client(args.judge, recorded, request, output).await,
    }
}

/// What is told. The field names are stable.
#[derive(Debug, Serialize)]
struct Document<'d> {
    #[serde(flatten)]
    report: &'d Report,
    canonical: Option<&'d str>,
    notes: &'d [String],
}

async fn signed(
    args: JudgeArgs,
    scheme: SchemeName,
    recorded: Recorded,
    request: &str,
    output: &Output,
) -> Result<Exit, Failure> {
    let judged = args.judge(scheme, |_| Ok(recorded), output).await?;
    let outcome = match &judged.verdict {
        Verdict::Valid(verified) => verified.outcome(),
        Verdict::Invalid(kind, _) => kind.outcome(),
    };
    let explanation = explanation(&judged).await?;
    let presented = judged.presented();
    let key_id =
        presented.as_ref().ok().and_then(Option::as_ref).map(|presented| presented.parameters.key_id);
    let mut report = Report::new(outcome, judged.known.scheme().name(), key_id, explanation);
    report.reason = match &presented {
        Err(error) => Some(error.to_string()),
        Ok(Some(_)) if outcome == Outcome::Malformed => Some(verify::ELSEWHERE.to_owned()),
        Ok(_) => None,
    };
    print(&report, &judged.notes, request, output)?;
    verify::exit(&judged.verdict)
}

async fn explanation(judged: &Judged) -> Result<Explanation, Failure> {
    let scheme = judged.known.scheme();
    let mut case = Case::new(scheme, &judged.head, &judged.body);
    for url in &judged.public_urls {
        case = case.with_public_url(url);
    }
    let presented = judged.presented().ok().flatten();
    let store = match &judged.keys {
        Ok(secret) => return Ok(case.with_secret(secret.clone()).explain()),
        Err(store) => store,
    };
    // Malformed credentials may still name their key.
    let named =
        presented.map(|presented| presented.parameters.key_id.to_owned()).or_else(|| case.named_key());
    let Some(key_id) = named.and_then(|name| KeyId::new(&name).ok()) else { return Ok(case.explain()) };
    let unusable = |error| Failure::admin(&error, "key", "see `countersign keys list`");
    let own = store.admin().credential(scheme.name(), &key_id).await.ok();
    if let Some(organization) = own.and_then(|key| key.organization) {
        case = case.with_organization(organization.as_str());
    }
    for opened in store.all().open_secrets(scheme.name(), &key_id).await.map_err(unusable)? {
        case = case.with_opened(&key_id, opened);
    }
    Ok(case.explain())
}

/// A request for a token.
async fn client(
    args: JudgeArgs,
    recorded: Recorded,
    request: &str,
    output: &Output,
) -> Result<Exit, Failure> {
    let keys = args.keys(output).await?;
    let (head, body) = recorded.request.into_parts();
    let named = presented_clients(&head, &body);
    let now = args.time();
    let (mut known, mut standing) = (Vec::new(), Standing::InForce);
    for client_id in &named {
        match &keys {
            Ok(secret) => known.push((client_id.clone(), vec![SecretHash::of(secret.expose())])),
            Err(store) => {
                if let Some((hashes, stands)) = stored(store, client_id, now).await? {
                    known.push((client_id.clone(), hashes));
                    standing = stands;
                }
            }
        }
    }
    let explanation = explain_client(&head, &body, &known);
    let outcome = match standing {
        _ if named.is_empty() => Outcome::Missing,
        _ if known.is_empty() => Outcome::UnknownKey,
        Standing::InForce if explanation.is_right() => Outcome::Ok,
        _ if !explanation.is_right() => Outcome::BadSignature,
        Standing::Disabled => Outcome::Disabled,
        Standing::Expired => Outcome::Expired,
        Standing::NotYetValid => Outcome::NotYetValid,
        _ => Outcome::Revoked,
    };
    // What stands in the id's place may be the secret.
    let is_secret = |(id, hashes): &&(String, Vec<SecretHash>)| {
        SecretHash::of(id.as_bytes()).find_in(hashes.iter().copied()).is_some()
    };
    let key_id = known.iter().find(|client| !is_secret(client)).map(|(id, _)| &**id);
    let report = Report::new(outcome, "ayyeka", key_id, explanation);
    print(&report, &recorded.notes, request, output)?;
    Ok(if outcome.is_ok() { Exit::Success } else { Exit::Invalid })
}

/// The hashes of a client's live secrets, and how the client stands.
async fn stored(
    store: &Store,
    client_id: &str,
    now: SystemTime,
) -> Result<Option<(Vec<SecretHash>, Standing)>, Failure> {
    let Some(Record::Client(client)) = store.find(Lookup::Client { client_id }).await? else {
        return Ok(None);
    };
    let live = client.secrets.iter().filter(|secret| secret.is_live(now)).map(|secret| secret.hash);
    Ok(Some((live.collect(), client.standing(now))))
}

fn print(report: &Report, notes: &[String], request: &str, output: &Output) -> Result<(), Failure> {
    let canonical = report.explanation.expected();
    if output.is_json() {
        return output.document(&Document { report, canonical, notes });
    }
    notes.iter().for_each(|note| output.note(note));
    output.print(visible(&report.told(request)).as_bytes())
}

//! `verify`: says whether a recorded request would pass, by letting the crate's own layer decide.

use crate::{
    failure::{Exit, Failure},
    judge::{JudgeArgs, Judged},
    output::{Output, or_dash, visible},
    probe::Verdict,
    schemes::{KnownScheme, SchemeName},
    times,
};
use clap::Args;
use countersign::{VerifyError, error::VerifyErrorKind, message::Message, scheme::Presented};
use http::{StatusCode, request::Parts};
use serde::Serialize;

const EXAMPLES: &str = "\
Examples:
  countersign verify --scheme ateliere --request request.http
  countersign verify --scheme corezoid --request request.http \\
      --secret-file secret --now 1700000000

The request is one HTTP/1.1 message as it travelled: request line, headers, an
empty line, body. Lines of the head may end in CRLF or LF. The body is taken byte
for byte: as long as Content-Length or chunks say, or else to the end.

With a secret, the key id and what travels beside it are taken from the request;
without one, the key store is asked. Exit code 0: it would pass; 3: it would not.";

/// Why credentials that are well-formed are refused as if they were not.
pub const ELSEWHERE: &str = "credentials on a method, path or query that they are not for";

/// What `verify` needs to know.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct VerifyArgs {
    /// How the provider signs
    #[arg(long, value_enum)]
    scheme: SchemeName,

    /// The recorded request: a file, or `-` for stdin
    #[arg(long, value_name = "FILE")]
    request: String,

    #[command(flatten)]
    judge: JudgeArgs,
}

/// Verifies, and answers with the exit code of the verdict.
pub async fn run(args: VerifyArgs, output: &Output) -> Result<Exit, Failure> {
    let recorded = |judge: &JudgeArgs| judge.record(&args.request);
    let judged = args.judge.judge(args.scheme, recorded, output).await?;
    let Judged { known, head, body, verdict, .. } = &judged;
    let mut report = Report::new(known, judged.presented(), verdict, judged.notes.clone());
    report.canonical = canonical(known, head, body, verdict);
    report.account = match verdict {
        Verdict::Valid(verified) if judged.keys.is_err() => Some(verified.principal().to_string()),
        _ => None,
    };
    report.print(output)?;
    exit(verdict)
}

/// The text that was signed, in the spelling that matched, or else in the one that clients use most.
fn canonical(known: &KnownScheme, head: &Parts, body: &[u8], verdict: &Verdict) -> Option<String> {
    let message = Message::new(head, &head.uri).ok()?;
    let presented = known.scheme().read(&message).ok()??;
    let base = match verdict {
        Verdict::Valid(verified) if verified.spelling() > 0 => {
            let alternates = known.scheme().alternates(&message, &presented.parameters);
            alternates.into_iter().nth(verified.spelling() - 1)?
        }
        _ => known.scheme().signature_base(&message, &presented.parameters),
    };
    Some(base.display(body))
}

/// What is told about a verification. The field names are stable.
#[derive(Debug, Serialize)]
struct Report {
    valid: bool,
    outcome: &'static str,
    status: Option<u16>,
    scheme: &'static str,
    key_id: Option<String>,
    organization: Option<String>,
    account: Option<String>,
    signed_at: Option<String>,
    canonical: Option<String>,
    reason: Option<String>,
    hint: Option<&'static str>,
    notes: Vec<String>,
}

impl Report {
    fn new(
        known: &KnownScheme,
        presented: Result<Option<Presented<'_>>, VerifyError>,
        verdict: &Verdict,
        notes: Vec<String>,
    ) -> Self {
        let (outcome, refusal) = match verdict {
            Verdict::Valid(verified) => (verified.outcome().as_str(), None),
            Verdict::Invalid(kind, status) => (kind.outcome().as_str(), Some((*kind, *status))),
        };
        let reason = match (&presented, verdict) {
            (Err(error), _) => Some(error.to_string()),
            (Ok(Some(_)), Verdict::Invalid(VerifyErrorKind::Malformed, _)) => Some(ELSEWHERE.to_owned()),
            _ => None,
        };
        let parameters = presented.ok().flatten().map(|presented| presented.parameters);
        let parameters = parameters.as_ref();
        Self {
            valid: refusal.is_none(),
            outcome,
            status: refusal.map(|(_, status): (_, StatusCode)| status.as_u16()),
            scheme: known.scheme().name(),
            key_id: parameters.map(|parameters| parameters.key_id.to_owned()),
            organization: parameters
                .and_then(|parameters| parameters.organization.as_deref().map(str::to_owned)),
            account: None,
            signed_at: parameters.and_then(|parameters| Some(times::format(parameters.time.as_ref()?.at))),
            canonical: None,
            hint: refusal.map(|(kind, _)| hint(kind)),
            reason,
            notes,
        }
    }

    fn print(&self, output: &Output) -> Result<(), Failure> {
        if output.is_json() {
            return output.document(self);
        }
        self.notes.iter().for_each(|note| output.note(note));
        let verdict = if self.valid { "valid" } else { "invalid" };
        let mut fields = vec![(verdict, self.outcome.to_owned()), ("scheme", self.scheme.to_owned())];
        fields.push(("key id", or_dash(self.key_id.as_ref())));
        fields.push(("organization", or_dash(self.organization.as_ref())));
        let rest = [("account", &self.account), ("signed at", &self.signed_at)];
        fields.extend(rest.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
        output.record(&fields, self)?;
        if let Some(canonical) = &self.canonical {
            // On lines of its own, so that it can be compared with what the client printed.
            output.print(format!("signature base:\n{}\n", visible(canonical)).as_bytes())?;
        }
        if let Some(reason) = &self.reason {
            output.note(reason);
        }
        if let Some(hint) = self.hint {
            output.hint(hint);
        }
        Ok(())
    }
}

/// A refusal is a verdict; a server that cannot judge is a failure.
pub fn exit(verdict: &Verdict) -> Result<Exit, Failure> {
    match verdict {
        Verdict::Valid(_) => Ok(Exit::Success),
        Verdict::Invalid(VerifyErrorKind::StoreUnavailable, _) => Ok(Exit::Unreachable),
        Verdict::Invalid(VerifyErrorKind::Internal | VerifyErrorKind::Overloaded, _) => Ok(Exit::Failure),
        Verdict::Invalid(..) => Ok(Exit::Invalid),
    }
}

/// What to look at next.
const fn hint(kind: VerifyErrorKind) -> &'static str {
    use VerifyErrorKind as Kind;
    match kind {
        Kind::BadSignature => {
            "compare the signature base with what the client signs, and the secret with the client's"
        }
        Kind::BodyTooLarge => "the layer takes 2 MiB unless it is told otherwise",
        Kind::Disabled | Kind::Expired | Kind::NotYetValid | Kind::Revoked => {
            "the signature is right, the key is not in force: see `countersign keys show`"
        }
        Kind::Future | Kind::Stale => {
            "the signature is right, the time is not: compare clocks, or use `--now` or `--tolerance`"
        }
        Kind::Malformed | Kind::MalformedMessage => {
            "compare with the scheme's documentation; another method or path is opened by `--route`"
        }
        Kind::Missing => {
            "the request carries no credentials of this scheme: is it the right one, and the right path?"
        }
        Kind::StoreUnavailable => "check the database and the keyring: `countersign migrate --status`",
        Kind::UnknownKey => "see `countersign keys list`, or create or import the key",
        Kind::UnsupportedEncoding => "signed bodies are accepted without content encoding only",
        Kind::WrongOrganization => {
            "the signature is right, the organization is not the key's: see `keys show`, and `orgs install` for apps"
        }
        _ => "see what the server logs for the same request",
    }
}

//! Mistakes that clients make, in their own languages, and that each is named for certain; and that nothing is, where
//! nothing is proved.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use countersign::{
    Outcome,
    clock::ManualClock,
    credential::SecretHash,
    explain::{Case, Cause, Explanation, Report, explain_client, presented_clients},
    scheme::{Ateliere, Corezoid, SalesCloud, Scheme},
    secret::Secret,
    sign::Signer,
};
use http::{Request, request::Parts};
use serde_json::Value;
use std::{collections::HashSet, path::Path, process::Command};

const SECRET: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
const NOW: u64 = 1_700_000_000;
const ATELIERE: &str = "pk_test_5e1f";
const SLUG: &str = "acme-studios";
const COREZOID: &str = "13000";
const SALESCLOUD: &str = "edadd893-9472-4324-a4db-b1707c563184";
const PUBLIC_KEY: &str = "849015eb6c1d";
const ORGANIZATION: &str = "7b371391-1561-4cac-8f86-9b7bcba83db2";
/// A client id whose credentials need characters in which base64 and base64url differ.
const CLIENT: &str = "key-1";

/// A wrongly signed request, and what is wrong.
#[derive(Debug)]
struct Mistake {
    causes: String,
    scheme: String,
    head: Parts,
    body: Bytes,
}

fn scheme(name: &str) -> Box<dyn Scheme> {
    match name {
        "ateliere" => Box::new(Ateliere::default()),
        "corezoid" => Box::new(Corezoid::default()),
        _ => Box::new(SalesCloud::default()),
    }
}

/// Runs the clients of one language.
fn run(program: &str, file: &str) -> Vec<Mistake> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    let settings = [
        ("SECRET", SECRET),
        ("NOW", "1700000000"),
        ("ATELIERE", ATELIERE),
        ("SLUG", SLUG),
        ("COREZOID", COREZOID),
        ("SALESCLOUD", SALESCLOUD),
        ("PUBLIC_KEY", PUBLIC_KEY),
        ("ORGANIZATION", ORGANIZATION),
        ("CLIENT", CLIENT),
    ];
    let ran = Command::new(program).arg(folder.join(file)).envs(settings).output().unwrap();
    assert!(ran.status.success(), "{file}: {}", String::from_utf8_lossy(&ran.stderr));
    let text = String::from_utf8(ran.stdout).unwrap();
    text.lines().map(mistake).collect()
}

fn mistake(line: &str) -> Mistake {
    let line: Value = serde_json::from_str(line).unwrap();
    let text = |name: &str| line[name].as_str().unwrap().to_owned();
    let wire = BASE64_STANDARD.decode(text("request")).unwrap();
    let end = wire.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(wire[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap().split(' ');
    let mut request = Request::builder().method(first.next().unwrap()).uri(first.next().unwrap());
    for header in lines {
        let (name, value) = header.split_once(": ").unwrap();
        request = request.header(name, value);
    }
    let (head, ()) = request.body(()).unwrap().into_parts();
    Mistake { causes: text("causes"), scheme: text("scheme"), head, body: wire[end + 4..].to_vec().into() }
}

fn mistakes() -> Vec<Mistake> {
    let mut all = run("node", "mistakes.mjs");
    all.extend(run("python3", "mistakes.py"));
    all.extend(run("sh", "mistakes.sh"));
    all
}

impl Mistake {
    fn explain(&self, secret: &str) -> Explanation {
        if self.scheme == "ayyeka" {
            let hashes = vec![SecretHash::of(secret.as_bytes())];
            let known = presented_clients(&self.head, &self.body).into_iter().map(|id| (id, hashes.clone()));
            return explain_client(&self.head, &self.body, &known.collect::<Vec<_>>());
        }
        let scheme = scheme(&self.scheme);
        Case::new(&*scheme, &self.head, &self.body).with_secret(Secret::new(secret).unwrap()).explain()
    }

    /// What nothing may print: the secret and the right signature, in every spelling.
    fn unprintable(&self) -> Vec<String> {
        let secret = Secret::new(SECRET).unwrap();
        let signer = |signer: Signer| signer.with_clock(ManualClock::at(NOW));
        let host = self.head.headers["host"].to_str().unwrap();
        let target = self.head.uri.to_string();
        let (signer, target) = match &*self.scheme {
            "ateliere" => {
                (signer(Signer::new(Ateliere::default(), ATELIERE, &secret).with_organization(SLUG)), target)
            }
            "corezoid" => {
                (signer(Signer::new(Corezoid::default(), COREZOID, &secret)), "/api/2/json".to_owned())
            }
            "salescloud" => {
                let app = Signer::new(SalesCloud::default(), SALESCLOUD, &secret).with_public_key(PUBLIC_KEY);
                (signer(app.with_organization(ORGANIZATION)), target)
            }
            _ => return vec![SECRET.to_owned(), BASE64_STANDARD.encode(SECRET)],
        };
        let mut request = Request::post(target).header("host", host).body(self.body.clone()).unwrap();
        let right = signer.sign(&mut request).unwrap();
        vec![
            SECRET.to_owned(),
            hex::encode(SECRET),
            right.to_hex(),
            right.to_hex().to_uppercase(),
            right.to_base64(),
        ]
    }
}

fn names(causes: &[Cause]) -> String {
    causes.iter().map(Cause::hypothesis).collect::<Vec<_>>().join("+")
}

#[test]
fn each_mistake_is_named_for_certain_and_nothing_secret_is() {
    let mistakes = mistakes();
    let mut wrong = Vec::new();
    for mistake in &mistakes {
        let explanation = mistake.explain(SECRET);
        let named = names(explanation.causes());
        let mut sorted: Vec<_> = named.split('+').collect();
        let mut expected: Vec<_> = mistake.causes.split('+').collect();
        sorted.sort_unstable();
        expected.sort_unstable();
        if !explanation.is_certain() || sorted != expected {
            wrong.push(format!("{} {}: {named}", mistake.scheme, mistake.causes));
        }
        let report = Report::new(Outcome::BadSignature, &mistake.scheme, None, explanation);
        let shown = format!("{report:?} {}", serde_json::to_string(&report).unwrap());
        for unprintable in mistake.unprintable() {
            assert!(!shown.contains(&unprintable), "{}: {shown}", mistake.causes);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let different: HashSet<_> = mistakes.iter().map(|mistake| (&mistake.scheme, &mistake.causes)).collect();
    let schemes: HashSet<_> = mistakes.iter().map(|mistake| &mistake.scheme).collect();
    assert!(different.len() >= 70 && schemes.len() == 4, "{} {}", different.len(), schemes.len());
}

#[test]
fn where_nothing_is_proved_nothing_is_certain() {
    for mistake in mistakes() {
        // A plain hash, or a secret that everybody knows, is proved without the secret.
        if ["algorithm_hash", "secret_unset", "secret_is_name", "secret_left_out"].contains(&&*mistake.causes)
        {
            continue;
        }
        let explanation = mistake.explain("another secret than the client has, of 48 bytes.");
        assert!(!explanation.is_certain(), "{}: {:?}", mistake.causes, explanation.causes());
        assert!(explanation.causes().is_empty() && explanation.got().is_none());
        assert!((1..=3).contains(&explanation.guesses().len()), "{:?}", explanation.guesses());
    }
}

#[test]
fn work_is_bounded_whatever_arrives() {
    let body = Bytes::from(vec![b'a'; 2 << 20]);
    let uri = format!("/api/2/json/{COREZOID}/{NOW}/{}", "00".repeat(20));
    let (head, ()) = Request::post(uri).header("host", "a").body(()).unwrap().into_parts();
    let scheme = Corezoid::default();
    let case = Case::new(&scheme, &head, &body).with_secret(Secret::new(SECRET).unwrap());
    let explanation = case.with_work(8 << 20).explain();
    assert!(!explanation.is_certain());
    assert!(explanation.expected().unwrap().len() <= (4 << 10) + 8);
}

#[test]
fn other_secrets_of_the_operator_are_recognised() {
    let secret = |text: &str| Secret::new(text).unwrap();
    let signer = Signer::new(Corezoid::default(), COREZOID, &secret(SECRET)).with_clock(ManualClock::at(NOW));
    let mut request = Request::post("/api/2/json").header("host", "a").body("{}").unwrap();
    signer.sign(&mut request).unwrap();
    let (head, body) = request.into_parts();
    let scheme = Corezoid::default();
    let case =
        || Case::new(&scheme, &head, body.as_bytes()).with_secret(secret("the newest secret, of 32 bytes."));
    let causes = |case: Case<'_>| names(case.explain().causes());
    assert_eq!(causes(case().with_retired_secret(secret(SECRET))), "secret_retired");
    assert_eq!(causes(case().with_secret_of("13001", secret(SECRET))), "secret_of_other_key");
    let right = case().with_secret(secret(SECRET)).explain();
    assert!(right.is_right());
}

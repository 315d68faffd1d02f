//! Nothing malformed gets through or hurts: tables of requests, sent over real sockets, each with what must become of it.
//!
//! The tables are `tests/vectors/bad-input/*.txt`; numbers in the names of cases are those of the project's list of
//! attacks. After each case the server must still answer a good request, and nothing may have panicked, hung, or kept
//! bytes.
//!
//! Defects that were found in other crates of this kind, and what shows that this one does not have them:
//!
//! | defect | shown by |
//! |---|---|
//! | an empty secret verifies | `keys` here; `Secret`'s own documentation: it cannot be made |
//! | a panic on a body that is not UTF-8 | `bodies-content` here; `properties` |
//! | a binary body is refused where it need not be | `bodies-content` here |
//! | overflow on an extreme time | `times` here |
//! | a window open to the future | `times` here; `covers` |
//! | signatures compared as text | `Signature`'s own documentation: there is no `==` |
//! | a busy loop on a body that never says it has ended | `limits`, whose bodies never say so; `middleware` |
//! | a body held without limit | `limits`; `bodies-framing` here |
//! | a clone called that is not ready | `middleware::the_service_that_was_ready_is_the_one_called` |
//! | a layer that cannot stand under a router | `middleware::the_layer_stands_anywhere` |
//! | an unreachable store lets requests pass | `refusals::a_store_that_fails_is_never_a_pass` |
//! | `Debug` prints a secret | `leaks::debug_of_anything_public_holds_no_secret` |
//! | a name for a key that gives its secret away | `store::import`, beside the code |
//! | an expected signature in a log, or in an answer | `leaks`; every refusal here |
//! | a handler that forgets to ask is open | `methods` here: routes, fallbacks, wrong methods |
//! | unknown key and wrong signature told apart | `refusals`; every refusal here |

mod arrivals;
mod request;
mod server;
mod table;
mod wire;

use self::{
    request::Prepared,
    server::{LIMIT, Server},
    table::Case,
};
use crate::support::http::{HOST, NOW};
use bytes::Bytes;
use http::Response;
use std::collections::HashSet;

/// How many cases each table holds, and how many of them are sent over HTTP/1.1 and over HTTP/2, lest one be skipped.
const TOPICS: [(&str, usize, usize, usize); 11] = [
    ("bodies-content", 65, 65, 65),
    ("bodies-framing", 43, 40, 5),
    ("headers", 71, 71, 56),
    ("hosts", 74, 64, 39),
    ("keys", 60, 60, 60),
    ("methods", 45, 45, 37),
    ("organizations", 46, 46, 46),
    ("schemes-mixed", 37, 37, 37),
    ("signatures", 70, 70, 69),
    ("targets", 90, 90, 77),
    ("times", 45, 45, 44),
];
/// Outcomes of which a caller must not learn which it was.
const STRANGERS: [&str; 7] =
    ["bad_signature", "disabled", "expired", "not_yet_valid", "revoked", "unknown_key", "wrong_organization"];

/// A run over all tables.
struct Run {
    server: Server,
    /// A request that passes and holds all the bytes that may be held.
    good: Vec<u8>,
    /// What strangers were told.
    told: HashSet<String>,
    /// What is wrong.
    wrong: Vec<String>,
}

impl Run {
    /// Sends a case each way that it names, and returns which these were.
    async fn replay(&mut self, topic: &str, case: &Case) -> [bool; 2] {
        let prepared = Prepared::new(case);
        let address = self.server.address(case.setting("guard").as_deref());
        let now = case.setting("clock").map_or(NOW, |clock| clock.parse().unwrap());
        let expected = ["http1", "http2"].map(|way| case.setting(way));
        for (way, expected) in ["HTTP/1.1", "HTTP/2"].into_iter().zip(&expected) {
            let Some(expected) = expected else { continue };
            self.server.clock.set(now);
            let answer = if way == "HTTP/2" {
                wire::http2(address, prepared.request(case.setting("authority"))).await
            } else {
                wire::http1(address, &prepared.wire(), case.setting("then").as_deref() == Some("end")).await
            };
            let mut wrong = self.judge(case, &prepared, answer.as_ref(), expected);
            self.server.clock.set(NOW);
            let after = wire::http1(address, &self.good, false).await;
            if !after.is_some_and(|answer| answer.status().is_success()) {
                wrong = Some("a good request is refused afterwards".to_owned());
            }
            if self.server.panics() > 0 {
                wrong = Some("a connection has panicked, here or before".to_owned());
            }
            self.wrong.extend(wrong.map(|wrong| format!("{topic}, {}, {way}: {wrong}", case.name)));
        }
        expected.map(|expected| expected.is_some())
    }

    /// What is wrong with an answer.
    fn judge(
        &mut self,
        case: &Case,
        prepared: &Prepared,
        answer: Option<&Response<Bytes>>,
        expected: &str,
    ) -> Option<String> {
        let header = |name| {
            let value = answer.and_then(|answer| answer.headers().get(name));
            value.map_or("-", |value| value.to_str().unwrap())
        };
        let seen = answer.map(|answer| format!("{} {}", answer.status().as_u16(), header("outcome")));
        let seen = seen.as_deref().unwrap_or("closed");
        if seen != expected {
            return Some(format!("{seen} instead of {expected}"));
        }
        let answer = answer?;
        if answer.status().is_success() {
            let hidden = case.setting("hides").unwrap_or_default();
            let shown =
                header("names").split(' ').find(|name| hidden.split(' ').any(|hidden| hidden == *name));
            let read = answer.body() == prepared.signed();
            return shown
                .map(|name| format!("the handler saw {name}"))
                .or_else(|| (!read).then(|| format!("the handler read {:?}", answer.body())));
        }
        let told = told(answer);
        if STRANGERS.contains(&header("outcome")) {
            self.told.insert(told.clone());
        }
        prepared.leaks(&told).then(|| format!("a right signature, or the secret, is given away: {told}"))
    }
}

/// What the caller is told, but for what differs from one request to the next and what only the test is told.
fn told(answer: &Response<Bytes>) -> String {
    let id = answer.headers().get("x-request-id").map_or("-", |id| id.to_str().unwrap());
    let mut headers: Vec<_> = answer
        .headers()
        .iter()
        .filter(|(name, _)| !["connection", "date", "outcome", "x-request-id"].contains(&name.as_str()))
        .map(|(name, value)| format!("{name}: {value:?}"))
        .collect();
    headers.sort();
    format!("{} {headers:?} {}", answer.status(), String::from_utf8_lossy(answer.body()).replace(id, "ID"))
}

#[tokio::test]
async fn every_case_ends_as_its_table_says() {
    assert_eq!(table::topics(), TOPICS.map(|topic| topic.0));
    let body = "a".repeat(LIMIT);
    let good = format!(
        "POST /graphql HTTP/1.1\r\nhost: {HOST}\r\noz-key-id: pk_test_5e1f\r\noz-signature: {}\r\n\
         x-organization-slug: acme-studios\r\ncontent-length: {LIMIT}\r\n\r\n{body}",
        request::ateliere(&format!("{HOST}/graphql"), &body),
    );
    let server = Server::start().await;
    let mut run = Run { server, good: good.into(), told: HashSet::new(), wrong: Vec::new() };
    for topic in TOPICS {
        let (mut http1, mut http2) = (0, 0);
        let cases = table::read(topic.0);
        for case in &cases {
            let sent = run.replay(topic.0, case).await;
            assert_ne!(sent, [false, false], "{}", case.name);
            http1 += usize::from(sent[0]);
            http2 += usize::from(sent[1]);
        }
        let counted = (topic.0, cases.len(), http1, http2);
        if counted != topic {
            run.wrong.push(format!("counted {counted:?}"));
        }
    }
    assert!(run.wrong.is_empty(), "{} are wrong:\n{}", run.wrong.len(), run.wrong.join("\n"));
    assert_eq!(run.told.len(), 1, "strangers are told apart: {:#?}", run.told);
}

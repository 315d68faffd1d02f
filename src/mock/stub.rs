//! Replies that a test puts in place of the provider's own, and how often it expects to be asked.

use super::{
    Received,
    provider::{Operation, lock},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::Value;
use std::{
    fmt,
    ops::{Range, RangeFrom, RangeInclusive, RangeToInclusive},
    sync::{Arc, Mutex},
};

/// What a mock does about one operation; made by [`MockProvider::stub`](super::MockProvider::stub), and in force from
/// then on.
///
/// Of several for an operation, the first that has a reply left answers. One without a reply only counts.
#[derive(Clone)]
pub struct Stub(Arc<Entry>);

struct Entry {
    operation: String,
    rule: Mutex<Rule>,
}

#[derive(Default)]
struct Rule {
    reply: Option<Reply>,
    left: Option<u64>,
    expected: Option<Times>,
    calls: u64,
}

/// A reply of a stub.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

impl Default for Reply {
    fn default() -> Self {
        Self { status: StatusCode::OK, headers: HeaderMap::new(), body: Value::Null }
    }
}

#[expect(clippy::must_use_candidate, reason = "each call takes effect, wherever its chain ends")]
impl Stub {
    /// Answers with this body. Where one request holds several operations, it is the answer to this one: a GraphQL
    /// response, an entry of Corezoid's `ops`.
    pub fn reply(&self, body: impl Into<Value>) -> &Self {
        self.change(|rule| rule.reply.get_or_insert_default().body = body.into())
    }

    /// Answers with this status, which ends the whole request, whatever else it holds.
    ///
    /// # Panics
    ///
    /// If it is no status of HTTP.
    pub fn status(&self, status: u16) -> &Self {
        let status = StatusCode::from_u16(status).unwrap_or_else(|_| panic!("{status} is no status"));
        self.change(|rule| rule.reply.get_or_insert_default().status = status)
    }

    /// Adds a header to the answer, where the stub answers the whole request.
    ///
    /// # Panics
    ///
    /// If it cannot be a header.
    pub fn header(&self, name: &str, value: &str) -> &Self {
        let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) else {
            panic!("{name}: {value} is no header");
        };
        self.change(|rule| {
            rule.reply.get_or_insert_default().headers.append(name, value);
        })
    }

    /// Answers so many times, and then leaves it to the next stub or to the provider.
    pub fn times(&self, times: u64) -> &Self {
        self.change(|rule| rule.left = Some(times))
    }

    /// Answers once.
    pub fn once(&self) -> &Self {
        self.times(1)
    }

    /// Expects so many calls, as [`verify`](super::MockProvider::verify) checks: a number or a range. A call is counted
    /// when it gets through verification, whoever answers it.
    pub fn expect(&self, times: impl Into<Times>) -> &Self {
        self.change(|rule| rule.expected = Some(times.into()))
    }

    /// How many calls there were.
    #[must_use]
    pub fn calls(&self) -> u64 {
        lock(&self.0.rule).calls
    }

    fn change(&self, change: impl FnOnce(&mut Rule)) -> &Self {
        change(&mut lock(&self.0.rule));
        self
    }
}

impl fmt::Debug for Stub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stub").field("operation", &self.0.operation).finish_non_exhaustive()
    }
}

/// How often something is expected: a number or a range.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Times {
    least: u64,
    most: Option<u64>,
}

impl From<u64> for Times {
    fn from(times: u64) -> Self {
        Self { least: times, most: Some(times) }
    }
}

impl From<RangeInclusive<u64>> for Times {
    fn from(range: RangeInclusive<u64>) -> Self {
        Self { least: *range.start(), most: Some(*range.end()) }
    }
}

impl From<Range<u64>> for Times {
    fn from(range: Range<u64>) -> Self {
        Self { least: range.start, most: Some(range.end.saturating_sub(1)) }
    }
}

impl From<RangeFrom<u64>> for Times {
    fn from(range: RangeFrom<u64>) -> Self {
        Self { least: range.start, most: None }
    }
}

impl From<RangeToInclusive<u64>> for Times {
    fn from(range: RangeToInclusive<u64>) -> Self {
        Self { least: 0, most: Some(range.end) }
    }
}

impl Times {
    fn hold(self, calls: u64) -> bool {
        calls >= self.least && self.most.is_none_or(|most| calls <= most)
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.least, self.most) {
            (least, Some(most)) if least == most => write!(f, "{least}"),
            (least, Some(most)) => write!(f, "{least} to {most}"),
            (least, None) => write!(f, "at least {least}"),
        }
    }
}

/// The stubs of a mock.
#[derive(Default)]
pub(super) struct Stubs(Mutex<Vec<Stub>>);

impl Stubs {
    pub(super) fn add(&self, operation: String) -> Stub {
        let stub = Stub(Arc::new(Entry { operation, rule: Mutex::default() }));
        lock(&self.0).push(stub.clone());
        stub
    }

    pub(super) fn clear(&self) {
        lock(&self.0).clear();
    }

    /// Counts the operations of a request, and takes the replies to them.
    pub(super) fn meet(&self, operations: &[Operation]) -> Stubbed {
        let stubs = lock(&self.0);
        let reply = |operation: &Operation| {
            let mut found = None;
            for stub in stubs.iter().filter(|stub| operation.is(&stub.0.operation)) {
                let mut rule = lock(&stub.0.rule);
                rule.calls += 1;
                if found.is_none() && rule.reply.is_some() && rule.left != Some(0) {
                    rule.left = rule.left.map(|left| left - 1);
                    found.clone_from(&rule.reply);
                }
            }
            found
        };
        Stubbed(operations.iter().map(reply).collect())
    }

    /// What was expected and did not happen, in words; `None` if all is well.
    pub(super) fn unmet(&self, log: &[Arc<Received>]) -> Option<String> {
        let stubs = lock(&self.0);
        let unmet = stubs.iter().filter_map(|stub| {
            let rule = lock(&stub.0.rule);
            let expected = rule.expected.filter(|expected| !expected.hold(rule.calls))?;
            Some(format!("`{}`: expected {expected}, got {}", stub.0.operation, rule.calls))
        });
        let unmet: Vec<_> = unmet.collect();
        if unmet.is_empty() {
            return None;
        }
        let received: Vec<_> = log.iter().map(|received| format!("\n  {received}")).collect();
        let received = if received.is_empty() { "\n  nothing".to_owned() } else { received.concat() };
        Some(format!("calls that were expected:\n  {}\nreceived:{received}", unmet.join("\n  ")))
    }
}

/// What the stubs reply to the operations of a request, in its order.
#[derive(Clone, Debug)]
pub(super) struct Stubbed(Vec<Option<Reply>>);

impl Stubbed {
    /// The reply to the operation at this index, to be put in the place of the provider's own.
    pub(super) fn reply(&self, index: usize) -> Option<&Value> {
        self.0.get(index)?.as_ref().map(|reply| &reply.body)
    }

    /// The reply that answers the whole request: one with a status of its own, or else `any`.
    pub(super) fn whole(&self, any: bool) -> Option<&Reply> {
        self.0.iter().flatten().find(|reply| any || reply.status != StatusCode::OK)
    }
}

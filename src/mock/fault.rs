//! Faults on demand: for each request, for the next few, or for a share of them that is the same in every run.

use super::provider::Operation;
use std::{error::Error, fmt, str::FromStr, time::Duration};

/// A fault, and whom it meets: every request, unless it is told otherwise.
///
/// It can be written as on the command line: the kind, and behind commas `times=N`, `rate=N%` and `on=OPERATION`.
///
/// ```
/// use countersign::mock::{Fault, FaultKind};
/// use std::time::Duration;
///
/// let fault: Fault = "429=5,rate=10%".parse()?;
/// assert_eq!(fault.kind(), FaultKind::TooManyRequests { retry_after: 5 });
/// let slow: Fault = "latency=250ms,on=Titles".parse()?;
/// assert_eq!(slow.kind(), FaultKind::Latency(Duration::from_millis(250)));
/// # Ok::<(), countersign::mock::FaultSpecError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    kind: FaultKind,
    left: Option<u64>,
    rate: Option<f64>,
    operation: Option<String>,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum FaultKind {
    /// `dropped`: the connection ends before the answer, and nothing was done.
    Dropped,
    /// `expired`: the key, or the client behind the token, has passed its end. A token endpoint still gives tokens.
    Expired,
    /// `half-sent`: all was done, and the connection ends in the middle of the answer.
    HalfSent,
    /// `500`.
    InternalError,
    /// `latency=250ms`: so long before anything happens. Goes together with other faults.
    Latency(Duration),
    /// `malformed-json`: all was done, and the answer is cut off, at a length that says it is complete.
    MalformedJson,
    /// `skew=-400s`: the provider's clock is ahead by so much, or behind.
    Skew {
        /// Seconds ahead; negative is behind.
        seconds: i64,
    },
    /// `429=5`: too many requests, come again in so many seconds.
    TooManyRequests {
        /// The value of `Retry-After`, in seconds.
        retry_after: u64,
    },
    /// `503`.
    Unavailable,
    /// `wrong-secret`: the provider knows another secret than the client, or other token keys.
    WrongSecret,
}

impl Fault {
    /// A fault of this kind for every request.
    #[must_use]
    pub const fn new(kind: FaultKind) -> Self {
        Self { kind, left: None, rate: None, operation: None }
    }

    /// The connection ends before the answer, and nothing was done.
    #[must_use]
    pub const fn dropped() -> Self {
        Self::new(FaultKind::Dropped)
    }

    /// The key, or the client behind the token, has passed its end.
    #[must_use]
    pub const fn expired() -> Self {
        Self::new(FaultKind::Expired)
    }

    /// All was done, and the connection ends in the middle of the answer.
    #[must_use]
    pub const fn half_sent() -> Self {
        Self::new(FaultKind::HalfSent)
    }

    /// 500.
    #[must_use]
    pub const fn internal_error() -> Self {
        Self::new(FaultKind::InternalError)
    }

    /// So long before anything happens.
    #[must_use]
    pub const fn latency(by: Duration) -> Self {
        Self::new(FaultKind::Latency(by))
    }

    /// The answer is cut off, at a length that says it is complete.
    #[must_use]
    pub const fn malformed_json() -> Self {
        Self::new(FaultKind::MalformedJson)
    }

    /// The provider's clock is ahead by so many seconds, or behind.
    #[must_use]
    pub const fn skew(seconds: i64) -> Self {
        Self::new(FaultKind::Skew { seconds })
    }

    /// 429, to come again in so many seconds.
    #[must_use]
    pub const fn too_many_requests(retry_after: u64) -> Self {
        Self::new(FaultKind::TooManyRequests { retry_after })
    }

    /// 503.
    #[must_use]
    pub const fn unavailable() -> Self {
        Self::new(FaultKind::Unavailable)
    }

    /// The provider knows another secret than the client.
    #[must_use]
    pub const fn wrong_secret() -> Self {
        Self::new(FaultKind::WrongSecret)
    }

    /// Meets only the next so many requests.
    #[must_use]
    pub const fn times(mut self, times: u64) -> Self {
        self.left = Some(times);
        self
    }

    /// Meets this share of the requests, between 0 and 1. Which ones follows from the mock's seed and their order.
    #[must_use]
    pub const fn rate(mut self, rate: f64) -> Self {
        self.rate = Some(rate);
        self
    }

    /// Meets only requests that ask for this operation.
    #[must_use]
    pub fn on(mut self, operation: impl Into<String>) -> Self {
        self.operation = Some(operation.into());
        self
    }

    /// What goes wrong.
    #[must_use]
    pub const fn kind(&self) -> FaultKind {
        self.kind
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dropped => f.write_str("dropped"),
            Self::Expired => f.write_str("expired"),
            Self::HalfSent => f.write_str("half-sent"),
            Self::InternalError => f.write_str("500"),
            Self::Latency(by) => write!(f, "latency={}ms", by.as_millis()),
            Self::MalformedJson => f.write_str("malformed-json"),
            Self::Skew { seconds } => write!(f, "skew={seconds}s"),
            Self::TooManyRequests { retry_after } => write!(f, "429={retry_after}"),
            Self::Unavailable => f.write_str("503"),
            Self::WrongSecret => f.write_str("wrong-secret"),
        }
    }
}

/// A text names no fault.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FaultSpecError(String);

impl fmt::Display for FaultSpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` names no fault: write latency=250ms, 429=5, 500, 503, dropped, half-sent, malformed-json, \
             skew=-400s, wrong-secret or expired, and behind commas times=3, rate=10% or on=OPERATION",
            self.0
        )
    }
}

impl Error for FaultSpecError {}

impl FromStr for Fault {
    type Err = FaultSpecError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || FaultSpecError(text.to_owned());
        let mut parts = text.split(',').map(|part| part.split_once('=').unwrap_or((part, "")));
        let (word, value) = parts.next().ok_or_else(error)?;
        let mut fault = Self::new(kind(word, value).ok_or_else(error)?);
        for (word, value) in parts {
            match word {
                "times" => fault.left = Some(value.parse().map_err(|_| error())?),
                "rate" => fault.rate = Some(share(value).ok_or_else(error)?),
                "on" if !value.is_empty() => fault.operation = Some(value.to_owned()),
                _ => return Err(error()),
            }
        }
        Ok(fault)
    }
}

fn kind(word: &str, value: &str) -> Option<FaultKind> {
    Some(match (word, value) {
        ("latency", value) => FaultKind::Latency(Duration::from_millis(millis(value)?)),
        ("429", "") => FaultKind::TooManyRequests { retry_after: 1 },
        ("429", value) => FaultKind::TooManyRequests { retry_after: value.parse().ok()? },
        ("skew", value) => {
            let (sign, size) = value.strip_prefix('-').map_or((1, value), |size| (-1, size));
            FaultKind::Skew { seconds: sign * i64::try_from(millis(size)? / 1000).ok()? }
        }
        ("500", "") => FaultKind::InternalError,
        ("503", "") => FaultKind::Unavailable,
        ("dropped", "") => FaultKind::Dropped,
        ("half-sent", "") => FaultKind::HalfSent,
        ("malformed-json", "") => FaultKind::MalformedJson,
        ("wrong-secret", "") => FaultKind::WrongSecret,
        ("expired", "") => FaultKind::Expired,
        _ => return None,
    })
}

/// Reads `250ms`, `2s`, `10m` or `1h`.
fn millis(text: &str) -> Option<u64> {
    let unit = text.find(|character: char| !character.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit);
    let unit = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

/// Reads `10%` or `0.1`.
fn share(text: &str) -> Option<f64> {
    let share = match text.strip_suffix('%') {
        Some(percent) => percent.parse::<f64>().ok()? / 100.0,
        None => text.parse().ok()?,
    };
    (0.0..=1.0).contains(&share).then_some(share)
}

/// The faults of a mock, and the dice that they are drawn with.
#[derive(Debug)]
pub(super) struct Faults {
    pub(super) list: Vec<Fault>,
    dice: fastrand::Rng,
}

/// What a request meets.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Drawn {
    pub(super) latency: Duration,
    pub(super) kind: Option<FaultKind>,
}

impl Faults {
    pub(super) fn new(list: Vec<Fault>, seed: u64) -> Self {
        Self { list, dice: fastrand::Rng::with_seed(seed) }
    }

    /// Draws for one request. The dice are thrown for every fault with a rate, whatever the others do: so the run
    /// depends on the seed and on the order of requests alone.
    pub(super) fn draw(&mut self, operations: &[Operation]) -> Drawn {
        let mut drawn = Drawn::default();
        for fault in &mut self.list {
            let thrown = fault.rate.is_none_or(|rate| self.dice.f64() < rate);
            let meant = fault.operation.as_ref().is_none_or(|name| operations.iter().any(|it| it.is(name)));
            let latency = matches!(fault.kind, FaultKind::Latency(_));
            if !thrown || !meant || fault.left == Some(0) || (!latency && drawn.kind.is_some()) {
                continue;
            }
            fault.left = fault.left.map(|left| left - 1);
            match fault.kind {
                FaultKind::Latency(by) => drawn.latency += by,
                kind => drawn.kind = Some(kind),
            }
        }
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        for text in [
            "dropped",
            "expired",
            "half-sent",
            "500",
            "latency=250ms",
            "malformed-json",
            "skew=-400s",
            "429=5",
            "503",
            "wrong-secret",
        ] {
            assert_eq!(text.parse::<Fault>().unwrap().kind().to_string(), text);
        }
        let fault: Fault = "latency=2s,times=3,rate=10%,on=create task".parse().unwrap();
        let expected = Fault::latency(Duration::from_secs(2)).times(3).rate(0.1).on("create task");
        assert_eq!(fault, expected);
        for text in [
            "",
            "502",
            "latency",
            "latency=5",
            "skew=x",
            "503=1",
            "503,rate=2",
            "503,times=x",
            "503,on=",
            "503,",
        ] {
            assert!(text.parse::<Fault>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_seed_repeats_a_run() {
        let run = |seed| {
            let mut faults =
                Faults::new(vec![Fault::unavailable().rate(0.3), Fault::dropped().rate(0.3)], seed);
            (0..200).map(|_| faults.draw(&[]).kind).collect::<Vec<_>>()
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
        let met = run(1).iter().filter(|kind| **kind == Some(FaultKind::Unavailable)).count();
        assert!((30..90).contains(&met), "{met}");
    }

    #[test]
    fn a_fault_ends_after_its_times_and_meets_whom_it_names() {
        let mut faults = Faults::new(vec![Fault::unavailable().times(1).on("a")], 0);
        let named = |name: &str| [Operation::named([name])];
        assert_eq!(faults.draw(&named("b")).kind, None);
        assert_eq!(faults.draw(&named("a")).kind, Some(FaultKind::Unavailable));
        assert_eq!(faults.draw(&named("a")).kind, None);
    }
}

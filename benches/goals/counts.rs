//! What each contender allocates a request. Counted by a program of its own, `allocations`: a counting allocator takes
//! time at every allocation, which would be measured along with the rest.

use super::{
    apps::Contender,
    report::{Goal, Report},
    requests::{Body, Scheme},
    way::Way,
};
use serde::{Deserialize, Serialize};
use std::process::{Command, Stdio};

/// What a request costs in allocations, over all its way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Count {
    pub allocations: u64,
    pub bytes: u64,
}

/// One count for each way, scheme, body and contender.
pub struct Counts(Vec<Count>);

/// Every combination, in the order in which they are counted.
pub fn all() -> impl Iterator<Item = (Way, Scheme, Body, Contender)> {
    Way::ALL.into_iter().flat_map(|way| {
        Scheme::ALL.into_iter().flat_map(move |scheme| {
            Body::ALL.into_iter().flat_map(move |body| {
                Contender::ALL.into_iter().map(move |contender| (way, scheme, body, contender))
            })
        })
    })
}

impl Counts {
    /// Runs the program that counts.
    pub fn take() -> Self {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["bench", "--quiet", "--bench", "allocations"]).stderr(Stdio::inherit());
        let output = cargo.output().unwrap();
        assert!(output.status.success(), "{cargo:?}: {}", output.status);
        Self(serde_json::from_slice(&output.stdout).unwrap())
    }

    pub fn of(&self, way: Way, scheme: Scheme, body: Body, contender: Contender) -> Option<Count> {
        let at = all().position(|it| it == (way, scheme, body, contender))?;
        self.0.get(at).cloned()
    }

    /// P5, of the scheme that does worst.
    pub fn judge(&self, report: &mut Report) {
        for (body, most) in [(Body(0), 0.0), (Body(1 << 10), 1.0), (Body(1 << 20), 2.0)] {
            let over = |contender, what: fn(Count) -> u64| {
                let over = Scheme::ALL.map(|scheme| {
                    let count = |contender| self.of(Way::Pipe, scheme, body, contender).map_or(0, what);
                    count(contender) as f64 - count(Contender::Bare) as f64
                });
                over.into_iter().fold(f64::MIN, f64::max)
            };
            for (title, most, what) in [
                ("allocations", most, (|count| count.allocations) as fn(Count) -> u64),
                ("bytes allocated", 256.0, |count| count.bytes),
            ] {
                let goal = Goal::at_most(
                    "P5",
                    format!("{body}: {title} over bare"),
                    most,
                    over(Contender::Around, what),
                );
                report.goal(goal.by_hand(over(Contender::ByHand, what)));
            }
        }
    }
}

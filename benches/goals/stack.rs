//! The layer in front of a handler, against the handler alone and the middleware that one would write by hand: every
//! scheme, body and way. P1 to P4 are read from what passes over the pipe.

use super::{
    Only,
    apps::Contender,
    contest::{Contest, Outcome},
    counts::Counts,
    report::{Goal, Report},
    requests::{Body, Scheme},
    way::Way,
};

pub fn run(report: &mut Report, only: &Only, rounds: usize) {
    let wanted = |way, scheme, body| only.wants(name(way, scheme, body)) || only.wants(way_name(way));
    let cases: Vec<_> = Way::ALL
        .into_iter()
        .flat_map(|way| Body::ALL.map(|body| Scheme::ALL.map(|scheme| (way, scheme, body))))
        .flatten()
        .filter(|&(way, scheme, body)| wanted(way, scheme, body))
        .collect();
    if cases.is_empty() && !only.wants("p5") {
        return;
    }
    let counts = Counts::take();
    if only.wants("p5") {
        counts.judge(report);
    }
    for (way, scheme, body) in cases {
        let mut contest = Contest::default();
        for contender in Contender::ALL {
            contest.add(contender.title(), contender.work(way, scheme, body));
        }
        let outcome = contest.run(rounds);
        let counts = Contender::ALL.map(|contender| counts.of(way, scheme, body, contender));
        report.table(format!("{scheme}, {body}, {}", way.title()), "ns", &outcome, &counts);
        if way == Way::Pipe {
            judge(report, scheme, body, &outcome);
        }
    }
}

const fn way_name(way: Way) -> &'static str {
    match way {
        Way::Pipe => "pipe",
        Way::Call => "process",
    }
}

/// The goal that a comparison is for; a hyphen if it is shown only.
fn name(way: Way, scheme: Scheme, body: Body) -> &'static str {
    match (way, scheme, body) {
        (Way::Pipe, Scheme::Ateliere, Body(0x1_0000)) => "P3",
        (Way::Pipe, Scheme::SalesCloud | Scheme::Corezoid, Body(0)) => "P4",
        (Way::Pipe, Scheme::SalesCloud | Scheme::Corezoid, Body(0x400)) => "P1",
        (Way::Pipe, Scheme::SalesCloud | Scheme::Corezoid, _) => "P2",
        _ => "-",
    }
}

fn judge(report: &mut Report, scheme: Scheme, body: Body, outcome: &Outcome) {
    let [bare, raw, around, _, by_hand] = [0, 1, 2, 3, 4];
    let over = |row| (outcome.ratio(row, bare) - 1.0) / outcome.ratio(raw, bare);
    let whole = |row| outcome.ratio(row, bare) / (1.0 + outcome.ratio(raw, bare));
    let alone = |row| outcome.ratio(row, bare);
    let (limit, title, layer, hand) = match name(Way::Pipe, scheme, body) {
        "P1" => (1.30, "(layer - bare) / raw MAC", over(around), over(by_hand)),
        "P2" => (1.03, "layer / (bare + raw MAC)", whole(around), whole(by_hand)),
        "P3" => (1.85, "(layer - bare) / raw MAC of the escaped text", over(around), over(by_hand)),
        "P4" => (1.15, "layer / bare", alone(around), alone(by_hand)),
        _ => return,
    };
    let name = name(Way::Pipe, scheme, body);
    report.goal(Goal::at_most(name, format!("{scheme}, {body}: {title}"), limit, layer).by_hand(hand));
}

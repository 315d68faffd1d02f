//! What verification costs, as ratios measured in one run; `./x bench` prints them beside the goals.
//!
//! The whole server stack (hyper, axum, the layer) runs over an in-memory pipe, without the kernel, and what is counted
//! is the thread's own processor time: neighbours on the machine disturb neither. Contenders take turns in short slices,
//! in rotating order, and the median of the per-round ratios is reported.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up shall stop")]

mod apps;
mod contest;
mod pipe;
mod report;

use apps::{Body, Scheme};
use contest::Contest;
use report::Goal;

fn main() {
    if std::env::var("PROF").is_ok() {
        let b = Body::OneKiB.bytes();
        let scheme = Scheme::SalesCloud;
        let mut d = pipe::driver(apps::around(scheme), &scheme.request(&b));
        d(2000);
        return;
    }
    let rounds = std::env::var("BENCH_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(21);
    let mut goals = Vec::new();
    for body in [Body::Empty, Body::OneKiB, Body::SixtyFourKiB, Body::OneMiB] {
        for scheme in [Scheme::SalesCloud, Scheme::Ateliere, Scheme::Corezoid] {
            goals.extend(pipe(scheme, body, rounds));
        }
    }
    report::print_goals(&goals);
}

/// The layer in front of a handler, against the handler alone and the middleware that one would write by hand.
fn pipe(scheme: Scheme, body: Body, rounds: usize) -> Vec<Goal> {
    let request = scheme.request(&body.bytes());
    let base = scheme.base(&body.bytes());
    let mut contest = Contest::new(rounds);
    let bare = contest.add("bare", pipe::driver(apps::bare(), &request));
    let raw = contest.add("raw MAC of the base", apps::raw(scheme, base));
    let around = contest.add("layer around the router", pipe::driver(apps::around(scheme), &request));
    let inside = contest.add("layer in Router::layer", pipe::driver(apps::inside(scheme), &request));
    let naive = contest.add("written by hand", pipe::driver(apps::naive(scheme), &request));
    let result = contest.run();
    report::print_table(&format!("{scheme:?}, {body:?}"), &result);
    let over = |row| (result.ratio(row, bare) - 1.0) / result.ratio(raw, bare);
    let whole = |row| result.ratio(row, bare) / (1.0 + result.ratio(raw, bare));
    match (scheme, body) {
        (Scheme::Ateliere, Body::SixtyFourKiB) => {
            vec![Goal::new(
                "P3",
                "Ateliere 64 KiB: (layer - bare) / raw MAC of the escaped text",
                1.85,
                over(around),
                over(naive),
            )]
        }
        (Scheme::Ateliere, _) => Vec::new(),
        (_, Body::Empty) => {
            let title = format!("{scheme:?} 0 B: layer / bare");
            vec![Goal::new("P4", &title, 1.15, result.ratio(around, bare), result.ratio(naive, bare))]
        }
        (_, Body::OneKiB) => {
            let title = format!("{scheme:?} 1 KiB: (layer - bare) / raw MAC");
            vec![Goal::new("P1", &title, 1.30, over(around), over(naive))]
        }
        _ => {
            let title = format!("{scheme:?} {body:?}: layer / (bare + raw MAC)");
            vec![Goal::new("P2", &title, 1.03, whole(around), whole(naive))]
        }
    }
    .into_iter()
    .inspect(|_| _ = inside)
    .collect()
}

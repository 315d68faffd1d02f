//! P15: small requests beside large uploads that never pause, on a server of one thread. Without a bound on what is
//! hashed in one turn the small ones would wait for whole uploads.

use super::{
    apps::{around, bare},
    by_hand::by_hand,
    contest::Outcome,
    cores,
    report::{Goal, Report},
    requests::{Body, Scheme, Signed},
    sockets::{Clients, Server},
};
use http::StatusCode;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

const SCHEME: Scheme = Scheme::SalesCloud;
const SMALL: Body = Body(1 << 10);
const LARGE: Body = Body(8_000_000);
const SMALL_CONNECTIONS: usize = 4;
const LARGE_CONNECTIONS: usize = 2;
const SLICE: Duration = Duration::from_millis(1500);

pub fn run(report: &mut Report, rounds: usize) {
    let servers = cores::on(0, || {
        [Server::start(bare()), Server::start(around(SCHEME)), Server::start(by_hand(SCHEME))]
    });
    let names = ["bare handler", "layer around the router", "written by hand"].map(str::to_owned).to_vec();
    let (mut slowest, mut uploads) = (vec![Vec::new(); 3], vec![Vec::new(); 3]);
    let half = cores::on(1, || {
        Outcome::of(names.clone(), rounds, |row| {
            let slice = Slice::of(&servers[row]);
            slowest[row].push(slice.p99);
            uploads[row].push(slice.upload);
            slice.p50
        })
    });
    let slowest = Outcome { names: names.clone(), costs: slowest };
    let uploads = Outcome { names, costs: uploads };
    for (what, outcome) in [
        ("small requests, p50", &half),
        ("small requests, p99", &slowest),
        ("time between uploads", &uploads),
    ] {
        report.table(format!("{SMALL} beside uploads of 8 MB, one thread: {what}"), "ns", outcome, &[]);
    }
    for (what, outcome) in [("p50", &half), ("p99", &slowest)] {
        let title = format!("{SMALL} beside uploads of 8 MB: {what}, layer / bare");
        report.goal(Goal::at_most("P15", title, 1.0, outcome.ratio(1, 0)).by_hand(outcome.ratio(2, 0)));
    }
}

/// One contender's slice of a round, in nanoseconds.
struct Slice {
    p50: f64,
    p99: f64,
    /// Time an upload, over all that upload.
    upload: f64,
}

impl Slice {
    fn of(server: &Server) -> Self {
        let clients = |number, body| {
            Clients::connect(server.address, number, &SCHEME.wire(body, Signed::Rightly), StatusCode::OK)
        };
        let (mut small, mut large) = (clients(SMALL_CONNECTIONS, SMALL), clients(LARGE_CONNECTIONS, LARGE));
        let over = Arc::new(AtomicBool::new(false));
        let go_on = Arc::clone(&over);
        let begin = Instant::now();
        let uploading = thread::spawn(move || large.all(move |_| !go_on.load(Ordering::Relaxed)).len());
        let mut times = small.all(move |_| begin.elapsed() < SLICE);
        over.store(true, Ordering::Relaxed);
        let uploads = uploading.join().unwrap();
        let upload = begin.elapsed().as_secs_f64() * 1e9 / uploads as f64;
        times.sort();
        let quantile = |percent: usize| times[times.len() * percent / 100].as_secs_f64() * 1e9;
        Self { p50: quantile(50), p99: quantile(99), upload }
    }
}

//! P17: what it costs to measure and to know the clients. The layer with an exporter and with its clients counted, on
//! both sides, against the layer alone, for accepted requests over real sockets.

use super::{
    apps::{around, bare, layer},
    contest::Outcome,
    report::{Goal, Report},
    requests::{Body, Scheme, Signed},
    sockets::{Clients, REQUESTS, Server},
    way::App,
};
use axum::body::Body as AxumBody;
use bytes::Bytes;
use countersign::awareness::ClientUsage;
use http::StatusCode;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tower::Layer as _;

const CONNECTIONS: usize = 16;
const BODY: Body = Body(1 << 10);
const NAMES: [&str; 4] = ["layer", "counted", "measured", "measured and counted"];

type Pair = (Server, Clients);

pub fn run(report: &mut Report, rounds: usize) {
    // What a layer measures with is made with its first request: those before the recorder measure nothing.
    let unmeasured =
        Scheme::ALL.map(|scheme| [connect(around(scheme), scheme), connect(counted(scheme), scheme)]);
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).unwrap();
    for (scheme, [alone, clients]) in Scheme::ALL.into_iter().zip(unmeasured) {
        let measured = connect(around(scheme), scheme);
        let both = connect(counted(scheme), scheme);
        compare(report, scheme, [alone, clients, measured, both], rounds, &handle);
    }
}

/// The layer, and who counts clients on both sides of it.
fn counted(scheme: Scheme) -> impl App {
    let usage = ClientUsage::default();
    usage.layer().layer(layer(scheme).with_body::<AxumBody>().layer(usage.layer().layer(bare())))
}

fn compare(
    report: &mut Report,
    scheme: Scheme,
    mut pairs: [Pair; NAMES.len()],
    rounds: usize,
    handle: &PrometheusHandle,
) {
    let names = NAMES.map(str::to_owned).to_vec();
    let mut walls = vec![Vec::new(); pairs.len()];
    let processor = Outcome::of(names.clone(), rounds, |row| {
        let (server, clients) = &mut pairs[row];
        let before = server.time();
        walls[row].push(clients.run(REQUESTS).as_secs_f64() * 1e9 / f64::from(REQUESTS));
        let took = server.time() - before;
        // In a server, another thread does this.
        handle.run_upkeep();
        took.as_secs_f64() * 1e9 / f64::from(REQUESTS)
    });
    let wall = Outcome { names, costs: walls };
    report.table(format!("{scheme}, {BODY}, sockets, processor time of the server"), "ns", &processor, &[]);
    report.table(format!("{scheme}, {BODY}, sockets, time between responses"), "ns", &wall, &[]);
    let what = format!("{scheme}, {BODY}, sockets: requests a second, both / layer");
    report.goal(Goal::at_least("P17", what, 0.97, 1.0 / wall.ratio(3, 0)));
}

fn connect(app: impl App, scheme: Scheme) -> Pair {
    let server = Server::start(app);
    let clients = Clients::connect(server.address, CONNECTIONS, &request(scheme), StatusCode::OK);
    (server, clients)
}

/// A signed request of a client that says what it is.
fn request(scheme: Scheme) -> Bytes {
    let wire = scheme.wire(BODY, Signed::Rightly);
    let line = wire.windows(2).position(|bytes| bytes == b"\r\n").unwrap() + 2;
    let said = b"oz-client-name: invoicer\r\noz-client-version: 2.14.3\r\n";
    [&wire[..line], said, &wire[line..]].concat().into()
}

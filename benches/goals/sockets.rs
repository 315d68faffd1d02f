//! P6 and P16: over real sockets, a server of one thread and a client of another that keeps every connection busy. What
//! a request costs is the processor time of the server's thread, the kernel's work for it included.

use super::{
    apps::{around, bare},
    by_hand::by_hand,
    contest::Outcome,
    report::{Goal, Report},
    requests::{Body, Scheme, Signed},
    way::{App, first_response, runtime, serve},
};
use bytes::Bytes;
use cpu_time::ThreadTime;
use http::StatusCode;
use std::{
    net::{self, SocketAddr},
    thread,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    sync::{mpsc, oneshot},
    task::JoinSet,
};

const CONNECTIONS: usize = 16;
/// Requests a slice.
pub const REQUESTS: u32 = 3200;
const BODY: Body = Body(1 << 10);

pub fn run(report: &mut Report, rounds: usize) {
    for scheme in Scheme::ALL {
        let ok = scheme.wire(BODY, Signed::Rightly);
        let refused = |signed| (around_server(scheme), scheme.wire(BODY, signed), StatusCode::UNAUTHORIZED);
        let mut rows = vec![
            ("bare handler", (Server::start(bare()), ok.clone(), StatusCode::OK)),
            ("layer around the router", (around_server(scheme), ok.clone(), StatusCode::OK)),
            ("written by hand", (Server::start(by_hand(scheme)), ok, StatusCode::OK)),
        ];
        // Ateliere's refusals are the worst, and measured apart.
        if scheme != Scheme::Ateliere {
            rows.push(("wrong signature", refused(Signed::WithAnotherSecret)));
            rows.push(("unknown key", refused(Signed::WithAnUnknownKey)));
        }
        let names: Vec<String> = rows.iter().map(|(name, _)| (*name).to_owned()).collect();
        let mut pairs: Vec<_> = rows
            .into_iter()
            .map(|(_, (server, request, status))| {
                let clients = Clients::connect(server.address, CONNECTIONS, &request, status);
                (server, clients)
            })
            .collect();
        let mut walls = vec![Vec::new(); pairs.len()];
        let processor = Outcome::of(names.clone(), rounds, |row| {
            let (server, clients) = &mut pairs[row];
            let before = server.time();
            walls[row].push(clients.run(REQUESTS).as_secs_f64() * 1e9 / f64::from(REQUESTS));
            (server.time() - before).as_secs_f64() * 1e9 / f64::from(REQUESTS)
        });
        let wall = Outcome { names, costs: walls };
        report.table(
            format!("{scheme}, {BODY}, sockets, processor time of the server"),
            "ns",
            &processor,
            &[],
        );
        report.table(format!("{scheme}, {BODY}, sockets, time between responses"), "ns", &wall, &[]);
        judge(report, scheme, &processor, &wall);
    }
}

fn judge(report: &mut Report, scheme: Scheme, processor: &Outcome, wall: &Outcome) {
    let title = |what: &str| format!("{scheme}, {BODY}, sockets: {what}");
    let cpu = |row| processor.ratio(row, 0);
    let rate = |row| 1.0 / wall.ratio(row, 0);
    report.goal(Goal::at_most("P6", title("processor time, layer / bare"), 1.20, cpu(1)).by_hand(cpu(2)));
    report
        .goal(Goal::at_least("P6", title("requests a second, layer / bare"), 0.84, rate(1)).by_hand(rate(2)));
    for (row, name) in processor.names.iter().enumerate().skip(3) {
        report.goal(Goal::at_most("P16", title(&format!("{name} / bare")), 1.10, cpu(row)));
    }
}

fn around_server(scheme: Scheme) -> Server {
    Server::start(around(scheme))
}

/// A server on a thread of its own; it ends when this is dropped.
pub struct Server {
    pub address: SocketAddr,
    asks: mpsc::UnboundedSender<oneshot::Sender<Duration>>,
}

impl Server {
    pub fn start(app: impl App) -> Self {
        let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (asks, mut asked) = mpsc::unbounded_channel::<oneshot::Sender<Duration>>();
        thread::spawn(move || {
            runtime().block_on(async move {
                tokio::spawn(accept(TcpListener::from_std(listener).unwrap(), app));
                let start = ThreadTime::now();
                while let Some(ask) = asked.recv().await {
                    ask.send(start.elapsed()).unwrap();
                }
            });
        });
        Self { address, asks }
    }

    /// Processor time that the server's thread has used.
    pub fn time(&self) -> Duration {
        let (ask, answer) = oneshot::channel();
        self.asks.send(ask).unwrap();
        answer.blocking_recv().unwrap()
    }
}

async fn accept(listener: TcpListener, app: impl App) {
    loop {
        let (connection, _) = listener.accept().await.unwrap();
        connection.set_nodelay(true).unwrap();
        tokio::spawn(serve(app.clone(), connection));
    }
}

/// Connections that send the same request, each after the last was answered.
pub struct Clients {
    runtime: Runtime,
    clients: Vec<Client>,
}

struct Client {
    connection: TcpStream,
    request: Bytes,
    response: Vec<u8>,
}

impl Clients {
    pub fn connect(address: SocketAddr, number: usize, request: &Bytes, status: StatusCode) -> Self {
        let runtime = runtime();
        let connect = || async {
            let mut connection = TcpStream::connect(address).await.unwrap();
            connection.set_nodelay(true).unwrap();
            let length = first_response(&mut connection, request, status).await;
            Client { connection, request: request.clone(), response: vec![0; length] }
        };
        let clients = (0..number).map(|_| runtime.block_on(connect())).collect();
        Self { runtime, clients }
    }

    /// How long this many requests take, over all connections together.
    pub fn run(&mut self, count: u32) -> Duration {
        let each = count as usize / self.clients.len();
        let start = Instant::now();
        self.all(move |sent| sent < each);
        start.elapsed()
    }

    /// Sends on every connection while the number of its requests so far pleases, and says how long each took.
    pub fn all(&mut self, more: impl Fn(usize) -> bool + Clone + Send + 'static) -> Vec<Duration> {
        let clients = std::mem::take(&mut self.clients);
        let (clients, times): (Vec<_>, Vec<_>) = self
            .runtime
            .block_on(async {
                let tasks = clients.into_iter().map(|client| client.run(more.clone()));
                tasks.collect::<JoinSet<_>>().join_all().await
            })
            .into_iter()
            .unzip();
        self.clients = clients;
        times.into_iter().flatten().collect()
    }
}

impl Client {
    async fn run(mut self, more: impl Fn(usize) -> bool) -> (Self, Vec<Duration>) {
        let mut times = Vec::new();
        while more(times.len()) {
            let start = Instant::now();
            self.connection.write_all(&self.request).await.unwrap();
            self.connection.read_exact(&mut self.response).await.unwrap();
            times.push(start.elapsed());
        }
        (self, times)
    }
}

//! A proxy before a Postgres server that kills the program behind it at one message.

use super::point::{Point, to_the_end};
use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};
use url::Url;

/// The database of a test, as a program reaches it that may be killed.
pub(super) struct Wire {
    url: Url,
    folder: Option<PathBuf>,
}

/// A run of a program.
struct Run {
    child: Option<Child>,
    at: Option<Point>,
    sent: u64,
    killed: bool,
}

impl Wire {
    pub(super) fn to(url: &str) -> Self {
        let url = Url::parse(url).unwrap();
        let folder =
            url.query_pairs().find(|(name, _)| name == "host").map(|(_, folder)| folder.into_owned());
        Self { url, folder: folder.map(PathBuf::from) }
    }

    /// The points of a program, found by running it to its end.
    pub(super) fn points(&self, program: Command) -> Vec<Point> {
        let (sent, _) = self.run(program, None);
        let both = |number| [false, true].map(|arrives| Point::Message { number, arrives });
        (1..=sent).flat_map(both).collect()
    }

    /// Runs a program, which is killed at a point; says whether it came so far. When this returns, the server has done
    /// all that it was told.
    pub(super) fn kill(&self, program: Command, at: Point) -> bool {
        self.run(program, Some(at)).1
    }

    fn run(&self, mut program: Command, at: Option<Point>) -> (u64, bool) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut url = self.url.clone();
        url.set_query(Some("sslmode=disable"));
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(address.port())).unwrap();
        program.env("DATABASE_URL", url.as_str()).stdout(Stdio::piped()).stderr(Stdio::null());
        let run = Mutex::new(Run { child: None, at, sent: 0, killed: false });
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let (run, over) = (&run, &over);
            scope.spawn(move || {
                while let Ok((client, _)) = listener.accept()
                    && !over.load(Ordering::SeqCst)
                {
                    let (server, to_client) = (self.connect(), client.try_clone().unwrap());
                    let from_server = server.reader();
                    scope.spawn(move || forward(client, &server, run));
                    scope.spawn(move || answer(from_server, to_client, run));
                }
            });
            // No message is counted before the program that sends it is known.
            let mut starting = run.lock().unwrap();
            let mut child = program.spawn().unwrap();
            let stdout = child.stdout.take().unwrap();
            starting.child = Some(child);
            drop(starting);
            to_the_end(stdout, || run.lock().unwrap().kill());
            run.lock().unwrap().child.as_mut().unwrap().wait().unwrap();
            over.store(true, Ordering::SeqCst);
            drop(TcpStream::connect(address));
        });
        let run = run.into_inner().unwrap();
        (run.sent, run.killed)
    }

    fn connect(&self) -> Server {
        match &self.folder {
            Some(folder) => Server::Unix(UnixStream::connect(folder.join(".s.PGSQL.5432")).unwrap()),
            None => {
                let (host, port) = (self.url.host_str().unwrap(), self.url.port().unwrap_or(5432));
                Server::Tcp(TcpStream::connect((host, port)).unwrap())
            }
        }
    }
}

impl Run {
    fn kill(&mut self) {
        let child = self.child.as_mut().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        self.killed = true;
    }
}

/// Sends on what the program sends, message by message, to the one at which it is killed.
fn forward(mut client: TcpStream, server: &Server, run: &Mutex<Run>) {
    let mut to_server = server.writer();
    let mut first = true;
    while let Ok(message) = read_message(&mut client, first) {
        first = false;
        let mut run = run.lock().unwrap();
        if run.killed {
            break;
        }
        run.sent += 1;
        let arrives = match run.at {
            Some(Point::Message { number, arrives }) if number == run.sent => {
                run.kill();
                arrives
            }
            _ => true,
        };
        if !arrives || to_server.write_all(&message).is_err() {
            break;
        }
    }
    server.end();
}

/// Sends back what the server answers, while there is somebody to hear it. It ends when the server has.
fn answer(mut from_server: impl Read, mut to_client: impl Write, run: &Mutex<Run>) {
    let mut buffer = [0; 16 << 10];
    while let Ok(length) = from_server.read(&mut buffer)
        && length > 0
    {
        if !run.lock().unwrap().killed {
            // It may have gone by itself.
            let _ = to_client.write_all(&buffer[..length]);
        }
    }
}

/// A message of the protocol: its kind, which the first one of a connection has not, its length, and the rest.
fn read_message(from: &mut impl Read, first: bool) -> io::Result<Vec<u8>> {
    let head = if first { 4 } else { 5 };
    let mut message = vec![0; head];
    from.read_exact(&mut message)?;
    let length = u32::from_be_bytes(message[head - 4..].try_into().unwrap());
    message.resize(head - 4 + length as usize, 0);
    from.read_exact(&mut message[head..])?;
    Ok(message)
}

/// A connection to the server.
enum Server {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Server {
    fn reader(&self) -> Box<dyn Read + Send> {
        match self {
            Self::Tcp(stream) => Box::new(stream.try_clone().unwrap()),
            Self::Unix(stream) => Box::new(stream.try_clone().unwrap()),
        }
    }

    fn writer(&self) -> Box<dyn Write + Send> {
        match self {
            Self::Tcp(stream) => Box::new(stream.try_clone().unwrap()),
            Self::Unix(stream) => Box::new(stream.try_clone().unwrap()),
        }
    }

    /// Says that nothing more comes.
    fn end(&self) {
        // The server may have ended first.
        let _ = match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
        };
    }
}

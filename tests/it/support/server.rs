//! The reference server as a process of its own, and the command line beside it.

use super::planted::{plant, search};
use http::Request;
use std::{
    env,
    fmt::Write as _,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread::{self, JoinHandle},
};
use tempfile::TempDir;

/// What a server writes to stderr.
const LOG: &str = "server.log";
/// How much it writes there: more than an operator would want to read, so that it can be searched for secrets.
const LEVELS: &str = "info,countersign=debug,server=debug,tower_http=debug";

/// A running reference server with a folder of its own; both end when it is dropped.
pub(crate) struct Server {
    process: Child,
    folder: TempDir,
    database_url: Option<String>,
    /// `http://host:port`.
    pub(crate) url: String,
    /// What it printed after that, to the end of the demonstration lines.
    pub(crate) printed: String,
    /// What it prints to stdout after that.
    rest: Option<JoinHandle<String>>,
}

impl Server {
    /// Starts the server that was built with this test, in a new folder on a free port.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), None, arguments)
    }

    /// Starts the server over a database that is new, but for the tables and the keyring that an operator makes.
    pub(crate) fn start_on(database_url: &str) -> Self {
        Self::start_on_with(database_url, &[])
    }

    /// The same, with arguments.
    pub(crate) fn start_on_with(database_url: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        countersign(folder.path(), Some(database_url), &["migrate"]);
        Self::start_in(folder, Some(database_url), arguments)
    }

    /// Starts one more server over the same database, with the same keyring.
    pub(crate) fn start_another(&self) -> Self {
        match &self.database_url {
            Some(url) => self.start_another_on(url, &[]),
            None => self.another(&["--no-demo"]),
        }
    }

    /// Starts one more server that reaches the same database elsewhere.
    pub(crate) fn start_another_on(&self, database_url: &str, arguments: &[&str]) -> Self {
        let keyring = self.folder().join("data/keyring");
        let arguments = [&["--keyring-file", keyring.to_str().unwrap()], arguments].concat();
        Self::start_in(tempfile::tempdir().unwrap(), Some(database_url), &arguments)
    }

    /// Starts the server in a folder.
    pub(crate) fn start_in(folder: TempDir, database_url: Option<&str>, arguments: &[&str]) -> Self {
        let mut process = Command::new(built("examples/server"))
            .args(["--listen", "127.0.0.1:0"])
            .args(if arguments.contains(&"--admin-listen") {
                &[][..]
            } else {
                &["--admin-listen", "127.0.0.1:0"]
            })
            .args(arguments)
            .current_dir(folder.path())
            .env_remove("DATABASE_URL")
            .envs(database_url.map(|url| ("DATABASE_URL", url)))
            .env("RUST_LOG", LEVELS)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(folder.path().join(LOG)).unwrap())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("{line:?}")).to_owned();
        let mut printed = String::new();
        output.read_line(&mut printed).unwrap();
        let without = |argument: &&str| matches!(*argument, "--no-demo" | "--public-url");
        let demo = database_url.is_none() && !arguments.iter().any(without);
        while demo && !printed.ends_with("/v2.0/site)\n") {
            assert!(output.read_line(&mut printed).unwrap() > 0, "the server ended: {printed}");
        }
        // Somebody has to read on, or the server would wait for it.
        let rest = thread::spawn(move || {
            let mut rest = String::new();
            output.read_to_string(&mut rest).map(|_| rest).unwrap_or_default()
        });
        let database_url = database_url.map(str::to_owned);
        let server = Self { process, folder, database_url, url, printed, rest: Some(rest) };
        server.plant_demo();
        server
    }

    /// The secrets of the demonstration file, if there is one.
    fn plant_demo(&self) {
        let text = fs::read_to_string(self.folder().join("data/demo.env")).unwrap_or_default();
        for line in text.lines() {
            match line.split_once('=') {
                Some((name, secret)) if name.ends_with("_SECRET") || name.ends_with("_TOKEN") => {
                    plant(secret);
                }
                _ => {}
            }
        }
    }

    /// Ends the server as a crash does.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// The server's folder.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it has told its operator.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder().join(LOG)).unwrap()
    }

    /// Sends a request on a connection of its own, and returns status, head and body of the answer.
    pub(crate) fn send(&self, request: &Request<String>) -> (u16, String, String) {
        let address = self.url.trim_start_matches("http://");
        let (method, path) = (request.method(), request.uri().path());
        let mut text = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
        for (name, value) in request.headers() {
            write!(text, "{name}: {}\r\n", value.to_str().unwrap()).unwrap();
        }
        write!(text, "content-length: {}\r\n\r\n{}", request.body().len(), request.body()).unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), head.to_ascii_lowercase(), body.to_owned())
    }

    /// A value of the demonstration file.
    pub(crate) fn demo(&self, name: &str) -> String {
        let text = fs::read_to_string(self.folder().join("data/demo.env")).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.unwrap_or_else(|| panic!("no {name}")).to_owned()
    }

    /// Starts another server over the same database and keyring.
    pub(crate) fn another(&self, arguments: &[&str]) -> Self {
        let data = self.folder().join("data");
        let database = format!("sqlite://{}", data.join("countersign.db").display());
        let keyring = data.join("keyring");
        let place = ["--database-url", &database, "--keyring-file", keyring.to_str().unwrap()];
        Self::start(&[arguments, &place].concat())
    }

    /// `http://host:port` of the listener for operators.
    pub(crate) fn operators(&self) -> &str {
        let line = self.printed.lines().find_map(|line| line.strip_prefix("operators: "));
        line.unwrap_or_else(|| panic!("no listener for operators: {}", self.printed))
    }

    /// Runs the command line in the server's folder, and returns its exit code and what it printed.
    pub(crate) fn ask(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let ran = command(self.folder(), self.database_url.as_deref(), arguments);
        (ran.status.code(), String::from_utf8(ran.stdout).unwrap())
    }

    /// Runs the command line in the server's folder and returns what it printed; it must succeed.
    pub(crate) fn countersign(&self, arguments: &[&str]) -> String {
        countersign(self.folder(), self.database_url.as_deref(), arguments)
    }

    /// Runs a line in a shell, in the server's folder, and returns what it printed.
    pub(crate) fn shell(&self, line: &str) -> String {
        let ran = Command::new("sh").args(["-euc", line]).current_dir(self.folder()).output().unwrap();
        assert!(ran.status.success(), "{line}: {}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap()
    }

    /// Asks the server to end and returns whether it did so in good order.
    pub(crate) fn stop(&mut self) -> bool {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.process.wait().unwrap().success()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
        if thread::panicking() {
            return;
        }
        let rest = self.rest.take().map(|rest| rest.join().unwrap()).unwrap_or_default();
        search("the server's stdout, behind the demonstration lines,", &rest);
        search("the server's log", &self.log());
    }
}

/// Whether a command prints a secret, once.
pub(crate) fn prints_secret(arguments: &[&str]) -> bool {
    matches!(arguments, ["keys" | "clients" | "tokens", "create" | "import" | "rotate", ..])
}

/// Plants the secret that such a command has printed: a member of the document, or all there is.
pub(crate) fn plant_printed(stdout: &str) {
    let document = serde_json::from_str::<serde_json::Value>(stdout).unwrap_or_default();
    let members = ["secret", "client_secret", "token"].map(|name| document[name].as_str());
    let whole = Some(stdout.trim()).filter(|text| !text.contains(char::is_whitespace));
    let secrets = members.into_iter().flatten().chain(whole);
    secrets.filter(|secret| secret.len() >= 32 && !secret.starts_with('{')).for_each(plant);
}

fn countersign(folder: &Path, database_url: Option<&str>, arguments: &[&str]) -> String {
    let ran = command(folder, database_url, arguments);
    assert!(ran.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
    let stdout = String::from_utf8(ran.stdout).unwrap();
    if prints_secret(arguments) {
        plant_printed(&stdout);
    } else {
        search(&format!("{arguments:?}"), &stdout);
    }
    search(&format!("stderr of {arguments:?}"), &String::from_utf8_lossy(&ran.stderr));
    stdout.trim_end().to_owned()
}

fn command(folder: &Path, database_url: Option<&str>, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("DATABASE_URL")
        .envs(database_url.map(|url| ("DATABASE_URL", url)))
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Something that cargo built beside this test.
pub(crate) fn built(name: &str) -> PathBuf {
    let path = env::current_exe().unwrap().ancestors().nth(2).unwrap().join(name);
    assert!(path.exists(), "{} is not built; run the tests by `./x test`", path.display());
    path
}

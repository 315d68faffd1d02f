//! What README.md shows is run: a newcomer's first lines must work.
//!
//! How a fenced block is treated follows from the word behind its fence:
//!
//! * `sh` is run by `sh -eu`, block after block, in a scratch folder where `x` is a link to the script and `countersign`
//!   is on the path. What one block leaves behind (`./data`), the next finds. Two lines are special: `./x serve` starts
//!   the server on a free port, waits until it listens, and stops it after the last block; `./x test` is what runs this
//!   test and is left out. The address `127.0.0.1:8080` stands for the server's own.
//! * `rust` is a documentation test, see the end of `src/lib.rs`.
//! * `text` is only shown. Any other word fails the test, so that nothing stays unrun by mistake.

use crate::support::markdown::blocks;
use countersign::scheme::{
    Ateliere, Corezoid, CorezoidCallback, Covers, SalesCloud, SalesCloudWebhook, Scheme,
};
use std::{
    env,
    fs::{self, File},
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

const README: &str = include_str!("../../README.md");
const ADDRESS: &str = "127.0.0.1:8080";

#[test]
fn every_command_works() {
    let scratch = scratch();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let (mut server, mut mock) = (None, None);
    for (_, commands) in blocks(README).into_iter().filter(|(language, _)| *language == "sh") {
        let mut script = String::new();
        for line in commands.lines() {
            match line.trim() {
                "./x serve" => server = Some(Server::start(&scratch, &address)),
                "./x test" => {}
                line if line.starts_with("countersign mock") => {
                    mock = Some(Background::start(shell(&scratch).args(["-c", &format!("exec {line}")])));
                }
                line => script += &format!("{}\n", line.replace(ADDRESS, &address)),
            }
        }
        let ran = shell(&scratch).args(["-eu", "-c", &script]).output().unwrap();
        let told = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{}\n{script}\n{told}", ran.status);
    }
    assert!(server.is_some(), "README.md does not start the server");
    assert!(mock.is_some(), "README.md does not start a mock");
}

#[test]
fn every_block_is_run_or_said_to_be_shown_only() {
    let blocks = blocks(README);
    let count = |wanted: &str| {
        blocks.iter().filter(|(language, _)| language.split(',').next() == Some(wanted)).count()
    };
    assert_eq!(count("sh") + count("rust") + count("text"), blocks.len());
    assert!(count("sh") >= 3 && count("rust") >= 1);
}

#[test]
fn the_table_says_what_each_scheme_signs() {
    let schemes: [&dyn Scheme; 5] = [
        &Ateliere::default(),
        &Corezoid::default(),
        &CorezoidCallback::default(),
        &SalesCloud::default(),
        &SalesCloudWebhook::default(),
    ];
    for scheme in schemes {
        let start = format!("| `{}` |", scheme.name());
        let row = README.lines().find_map(|line| line.strip_prefix(&start)).expect("a row for the scheme");
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        assert_eq!(cells[0], words(scheme.covers()).join(", "), "{}", scheme.name());
        assert_eq!(cells[1] == "none", !scheme.covers().time, "{}", scheme.name());
        assert_eq!(cells[2] == "for ever", !scheme.covers().time, "{}", scheme.name());
    }
}

fn words(covers: Covers) -> Vec<&'static str> {
    let Covers { method, authority, path, query, body, organization, time, .. } = covers;
    [
        (method, "method"),
        (authority, "authority"),
        (path, "path"),
        (query, "query"),
        (body, "body"),
        (organization, "organization"),
        (time, "time"),
    ]
    .into_iter()
    .filter_map(|(covered, word)| covered.then_some(word))
    .collect()
}

/// A new folder inside the repository, so that cargo finds the package from it, with a link to the script.
fn scratch() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let scratch = root.join("target/tmp/readme");
    drop(fs::remove_dir_all(&scratch));
    fs::create_dir_all(&scratch).unwrap();
    std::os::unix::fs::symlink(root.join("x"), scratch.join("x")).unwrap();
    scratch
}

/// A shell in the scratch folder that finds the command line this test was built with.
fn shell(scratch: &Path) -> Command {
    let test = env::current_exe().unwrap();
    let built = test.ancestors().nth(2).unwrap().to_owned();
    let path = env::var_os("PATH").unwrap_or_default();
    let mut shell = Command::new("sh");
    shell
        .current_dir(scratch)
        .env("PATH", env::join_paths([built].into_iter().chain(env::split_paths(&path))).unwrap())
        .stdin(Stdio::null());
    shell
}

/// A command that goes on; stopped when dropped.
struct Background(Child);

impl Background {
    /// Starts it, and waits until it says something.
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "it ended before it said anything: {command:?}");
        Self(child)
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The example server; stopped when dropped.
struct Server(Child);

impl Server {
    /// Starts the server as a newcomer does, but in the profile that is built already, and waits until it listens.
    fn start(scratch: &Path, address: &str) -> Self {
        let log = scratch.join("serve.log");
        let output = File::create(&log).unwrap();
        let child = shell(scratch)
            .args(["-c", "exec ./x serve"])
            .env("X_PROFILE", "dev")
            .env("COUNTERSIGN_LISTEN", address)
            .stderr(output.try_clone().unwrap())
            .stdout(output)
            .spawn()
            .unwrap();
        let mut server = Self(child);
        let patience = Instant::now() + Duration::from_secs(300);
        loop {
            let told = fs::read_to_string(&log).unwrap();
            if told.contains("listening on") {
                return server;
            }
            assert!(server.0.try_wait().unwrap().is_none(), "the server ended:\n{told}");
            assert!(Instant::now() < patience, "the server does not listen:\n{told}");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

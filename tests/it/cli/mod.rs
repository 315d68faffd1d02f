//! The command line, driven as scripts drive it: words in, exit code and two streams out.

// Rights, OAuth clients and read tokens.
mod access;
// Whether everything is well.
mod doctor;
// Why a request would be refused.
mod explain;
// Organizations, accounts and keys in a database.
mod keys;
// What becomes of a key later.
mod lifecycle;
// Keys that change through SQL migrations alone.
mod migrations;
// Everything once on a Postgres server.
mod postgres;
// Signing, and verifying what was signed.
mod requests;
// What a person and a script see when something is wrong.
mod trouble;
// Requests of the providers' real clients.
mod wire;

use crate::support::{
    planted::search,
    server::{plant_printed, prints_secret},
};
use serde_json::Value;
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};
use tempfile::TempDir;

/// A folder to work in, where nothing is yet.
struct Folder {
    folder: TempDir,
    database_url: Option<String>,
}

impl Folder {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), database_url: None }
    }

    /// A folder whose keys are in a database elsewhere.
    fn with_database(url: &str) -> Self {
        Self { database_url: Some(url.to_owned()), ..Self::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), content).unwrap();
    }

    /// A file that its owner alone can read.
    fn write_secret(&self, name: &str, content: impl AsRef<[u8]>) {
        self.write(name, content);
        set_mode(&self.path(name), 0o600);
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command
            .args(line.split_whitespace())
            .current_dir(self.folder.path())
            .env_remove("DATABASE_URL")
            .envs(self.database_url.as_ref().map(|url| ("DATABASE_URL", url)))
            .env_remove("COUNTERSIGN_ACTOR")
            .env_remove("COUNTERSIGN_KEYRING")
            .env_remove("COUNTERSIGN_KEYRING_FILE")
            .env("RUST_BACKTRACE", "1")
            .stdin(Stdio::null());
        command
    }

    /// Runs a command line; no word of it has white space.
    fn run(&self, line: &str) -> Ran {
        Ran::new(line, self.command(line).output().unwrap())
    }

    fn run_with_stdin(&self, line: &str, stdin: impl AsRef<[u8]>) -> Ran {
        let mut command = self.command(line);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(stdin.as_ref()).unwrap();
        Ran::new(line, child.wait_with_output().unwrap())
    }

    /// Runs a command line that must succeed, and gives its document.
    fn json(&self, line: &str) -> Value {
        self.run(&format!("{line} -o json")).exits(0).json()
    }
}

/// What came of a command line.
struct Ran {
    line: String,
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ran {
    fn new(line: &str, output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let code = output.status.code().unwrap();
        let ran =
            Self { line: line.to_owned(), code, stdout: text(output.stdout), stderr: text(output.stderr) };
        ran.hold_secrets();
        assert!(!ran.stderr.contains("panicked") && !ran.stderr.contains("backtrace"), "{}", ran.told());
        ran
    }

    /// Plants what a command prints once, and sees that no other prints it.
    fn hold_secrets(&self) {
        let words: Vec<_> = self.line.split_whitespace().collect();
        if prints_secret(&words) {
            plant_printed(&self.stdout);
        } else {
            search(&self.line, &self.stdout);
        }
        search(&format!("stderr of {}", self.line), &self.stderr);
    }

    fn told(&self) -> String {
        let Self { line, code, stdout, stderr } = self;
        format!("`{line}` exits with {code}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
    }

    #[track_caller]
    fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}", self.told());
        self
    }

    /// The one document on stdout.
    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.told()))
    }

    /// The error in the one document on stderr.
    #[track_caller]
    fn error(&self) -> Value {
        let document: Value =
            serde_json::from_str(&self.stderr).unwrap_or_else(|error| panic!("{error}: {}", self.told()));
        assert!(document["error"]["message"].is_string() && document["error"]["hint"].is_string());
        document["error"].clone()
    }

    /// Whether a line on stderr begins so.
    fn says(&self, start: &str) -> bool {
        self.stderr.lines().any(|line| line.starts_with(start))
    }

    fn contains(&self, text: &str) -> bool {
        self.stdout.contains(text) || self.stderr.contains(text)
    }
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

//! `countersign mock`, and the examples in Node and Python that are tested against it.

use super::http;
use serde_json::Value;
use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_countersign");

/// A command that runs, and what it said first; killed when dropped.
struct Mock {
    process: Child,
    items: Vec<Value>,
}

impl Mock {
    fn start(folder: &TempDir, line: &str) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args(line.split_whitespace()).args(["-o", "json"]).current_dir(folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut introduction = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut introduction).unwrap();
        let document: Value = serde_json::from_str(&introduction).unwrap_or_else(|_| {
            let mut told = String::new();
            process.stderr.take().unwrap().read_to_string(&mut told).unwrap();
            panic!("{line}: {introduction}{told}");
        });
        let items = document["items"].as_array().unwrap().clone();
        Self { process, items }
    }

    fn text(&self, field: &str) -> &str {
        self.items[0][field].as_str().unwrap_or_else(|| panic!("no {field} in {:?}", self.items))
    }

    /// Ends it as a service manager does, and gives the requests that it told of.
    fn stop(mut self, signal: &str) -> Vec<Value> {
        let sent = Command::new("kill").arg(format!("-{signal}")).arg(self.process.id().to_string()).status();
        assert!(sent.unwrap().success());
        let mut told = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut told).unwrap();
        assert!(self.process.wait().unwrap().success(), "{told}");
        told.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{told}"))).collect()
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn signed(folder: &TempDir, mock: &Mock, body: &str) -> reqwest::RequestBuilder {
    fs::write(folder.path().join("body"), body).unwrap();
    let line = format!(
        "sign --scheme ateliere --key-id {} --organization {} --url {} --body body --secret-stdin --as json",
        mock.text("key_id"),
        mock.text("organization"),
        mock.text("endpoint"),
    );
    let mut command = Command::new(PROGRAM);
    command.args(line.split_whitespace()).current_dir(folder.path());
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let secret = fs::read_to_string(folder.path().join("secret")).unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), secret.as_bytes()).unwrap();
    let signed: Value = serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap();
    let mut request = http().post(signed["url"].as_str().unwrap()).body(body.to_owned());
    for (name, value) in signed["headers"].as_object().unwrap() {
        request = request.header(name, value.as_str().unwrap());
    }
    request
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

const CREATE: &str = r#"{"query":"mutation Create { createTitle(title: { name: \"Mirror\" }) { id } }"}"#;

#[tokio::test]
async fn what_is_received_is_told_recorded_and_remembered() {
    let folder = folder();
    let line = "mock ateliere --record got.http --state state.json --fault 503,times=1";
    let mock = Mock::start(&folder, line);
    fs::write(folder.path().join("secret"), mock.text("secret")).unwrap();
    let create = signed(&folder, &mock, CREATE);
    assert_eq!(create.try_clone().unwrap().send().await.unwrap().status(), 503);
    assert_eq!(create.send().await.unwrap().status(), 200);
    let forged = signed(&folder, &mock, CREATE).body("{}");
    assert_eq!(forged.send().await.unwrap().status(), 401);
    let endpoint = mock.text("endpoint").to_owned();
    let told = mock.stop("TERM");
    let outcomes: Vec<_> = told.iter().map(|request| request["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["fault", "accepted", "bad_signature"]);
    assert_eq!((&told[0]["fault"], &told[1]["operations"]), (&"503".into(), &serde_json::json!(["Create"])));
    assert!(
        told[2]["cause"].is_string() && told[2]["canonical"].as_str().unwrap().contains("\"body\":\"{}\"")
    );

    // The first that was recorded, as `verify` reads it.
    let line = format!(
        "verify --scheme ateliere --request got.http --secret-file secret -o json --public-url {endpoint}"
    );
    let verified =
        Command::new(PROGRAM).args(line.split_whitespace()).current_dir(folder.path()).output().unwrap();
    let verdict: Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!((verified.status.code(), &verdict["outcome"]), (Some(0), &"ok".into()), "{verdict}");

    // The next run knows the title, and another key.
    let mock = Mock::start(&folder, "mock ateliere --state state.json");
    fs::write(folder.path().join("secret"), mock.text("secret")).unwrap();
    let titles = signed(&folder, &mock, r#"{"query":"{ titles { name } }"}"#).send().await.unwrap();
    let titles: Value = titles.json().await.unwrap();
    assert_eq!(titles["data"]["titles"][0]["name"], "Mirror");
    assert_eq!(mock.stop("INT").len(), 1);
}

#[test]
fn a_key_can_be_brought_along() {
    let folder = folder();
    fs::write(folder.path().join("secret"), "a-secret-of-the-test").unwrap();
    let mock =
        Mock::start(&folder, "mock ateliere --key-id pk_mine --secret-file secret --organization studio");
    assert_eq!((mock.text("key_id"), mock.text("organization")), ("pk_mine", "studio"));
    assert!(mock.items[0]["secret"].is_null());
    for (line, code, says) in [
        ("mock ateliere --key-id pk_mine", 2, "a key id and its secret go together"),
        ("mock all --key-id pk_mine --secret-file secret", 2, "one key cannot be a key of every provider"),
        ("mock ateliere --fault 502", 2, "names no fault"),
        ("mock ateliere --state secret", 1, "holds no state of mocks"),
    ] {
        let ran =
            Command::new(PROGRAM).args(line.split_whitespace()).current_dir(folder.path()).output().unwrap();
        let told = String::from_utf8(ran.stderr).unwrap();
        assert_eq!(ran.status.code(), Some(code), "{line}: {told}");
        assert!(told.contains(says), "{line}: {told}");
    }
}

#[tokio::test]
async fn all_of_them_start_at_once() {
    let folder = folder();
    let mock = Mock::start(&folder, "mock all");
    let names: Vec<_> = mock.items.iter().map(|item| item["provider"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, ["ateliere", "salescloud", "corezoid", "ayyeka"]);
    for item in &mock.items {
        let sent = http().post(item["endpoint"].as_str().unwrap()).body("{}").send().await.unwrap();
        // Corezoid answers 200 to all that it can read, and says in the body that nobody is logged in.
        let refuses = sent.status().is_client_error() || item["provider"] == "corezoid";
        assert!(refuses && !sent.text().await.unwrap().contains(r#""proc":"ok""#), "{item}");
    }
    let told = mock.stop("TERM");
    let asked: Vec<_> = told.iter().map(|request| request["provider"].as_str().unwrap().to_owned()).collect();
    assert_eq!(asked, names);
}

/// Runs an example that starts the command itself.
fn example(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ran = Command::new(program)
        .args(arguments)
        .current_dir(root.join("examples/mock"))
        .env("COUNTERSIGN", PROGRAM)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let told = [ran.stdout, ran.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(ran.status.success(), "{told}");
    assert!(told.contains("ok") || told.contains("OK") || told.contains("pass"), "{told}");
}

#[test]
fn the_example_in_node_is_tested_against_it() {
    example("node", &["--test", "catalogue.test.mjs"]);
}

#[test]
fn the_example_in_python_is_tested_against_it() {
    example("python3", &["-m", "unittest", "test_fleet.py"]);
}

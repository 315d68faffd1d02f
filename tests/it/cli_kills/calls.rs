//! Kills a program before one of its system calls, by strace.

use super::point::{Point, kill_children, to_the_end};
use std::{
    collections::HashMap,
    fs,
    os::unix::process::ExitStatusExt as _,
    process::{Command, Stdio},
};
use tempfile::NamedTempFile;

/// What changes files. Of memory that is shared through a file the kernel hears nothing; SQLite makes what it keeps in
/// such memory again from the files.
const CALLS: [&str; 7] = ["fdatasync", "fsync", "ftruncate", "pwrite64", "rename", "unlink", "write"];
const SIGKILL: i32 = 9;

/// The points of a program, found by running it to its end.
pub(super) fn points(program: &Command) -> Vec<Point> {
    let told = NamedTempFile::new().unwrap();
    let told = told.path().to_str().unwrap();
    let killed = run(program, &["-o", told, "-e", &format!("trace={}", CALLS.join(","))]);
    assert!(!killed, "a program ends by itself that is only watched");
    let text = fs::read_to_string(told).unwrap();
    let mut counts = HashMap::new();
    for line in text.lines().filter(|line| !line.contains("resumed>")) {
        let (thread, call) = line.split_once(char::is_whitespace).unwrap();
        let name = call.trim_start().split('(').next().unwrap();
        if let Some(name) = CALLS.iter().find(|call| **call == name) {
            *counts.entry((*name, thread)).or_insert(0) += 1;
        }
    }
    // Each thread is counted by itself: the first that comes so far ends all.
    let most = |name| counts.iter().filter(|((call, _), _)| *call == name).map(|(_, count)| *count).max();
    let points = |name| (1..=most(name).unwrap_or(0)).map(move |number| Point::Call { name, number });
    CALLS.into_iter().flat_map(points).collect()
}

/// Runs a program, which is killed at a point; says whether it came so far.
pub(super) fn kill(program: &Command, at: Point) -> bool {
    let Point::Call { name, number } = at else { panic!("{at:?} is no system call") };
    let inject = format!("inject={name}:signal=KILL:when={number}");
    run(program, &["-o", "/dev/null", "-e", &format!("trace={name}"), "-e", &inject])
}

/// Runs a program under strace; says whether it was killed before its own end.
fn run(program: &Command, arguments: &[&str]) -> bool {
    let mut traced = Command::new("strace");
    traced.args(["-f", "-qq"]).args(arguments).arg(program.get_program()).args(program.get_args());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => traced.env(name, value),
            None => traced.env_remove(name),
        };
    }
    traced.current_dir(program.get_current_dir().unwrap());
    traced.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut traced =
        traced.spawn().expect("strace is missing: run `./x test`, which installs it where it may");
    let stdout = traced.stdout.take().unwrap();
    let mut listened = false;
    to_the_end(stdout, || {
        kill_children(&traced);
        listened = true;
    });
    let status = traced.wait().unwrap();
    status.signal() == Some(SIGKILL) && !listened
}

//! Where exactly a program is killed, and what becomes of it.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Child, ChildStdout, Command},
};

/// A moment in a program's run, told by what it says to its database or asks of the kernel. What is stored can differ
/// before and after these, and nowhere else.
#[derive(Clone, Copy, Debug)]
pub(super) enum Point {
    /// At the message of this number, from one on, of those that it sends to Postgres: before it arrives, or when it
    /// has arrived and nothing has come back.
    Message { number: u64, arrives: bool },
    /// Before the call of this number, from one on, of those that a thread makes to this system call.
    Call { name: &'static str, number: usize },
}

/// Reads what a program prints, to its end. A server has none: it is killed when it listens.
pub(super) fn to_the_end(stdout: ChildStdout, kill: impl FnOnce()) {
    let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
    if lines.any(|line| line.starts_with("listening on ")) {
        kill();
        lines.for_each(drop);
    }
}

/// Kills what a program has started, which is not ours to kill.
pub(super) fn kill_children(of: &Child) {
    let id = of.id();
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
    let killed = Command::new("kill").arg("-9").args(children.split_whitespace()).status().unwrap();
    assert!(killed.success(), "{children}");
}

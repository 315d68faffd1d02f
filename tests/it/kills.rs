//! A test program that is killed leaves no Postgres server and no folder behind, whatever it was just doing.
//!
//! `./x soak kills` does the same two hundred times. `KILLS` is the number of kills, `KILLS_SEED` chooses the moments.

use crate::support::random::random;
use std::{
    env, fs,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// The tests that are under way when the program is killed.
const TESTS: &str = "store_contract::postgres";
/// The latest moment of a kill; before it the server is made, started, and used.
const LATEST: u64 = 2000;
/// How long the last server may take to go away, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn nothing_is_left_behind() {
    if env::var_os("TEST_DATABASE_URL").is_some() {
        eprintln!("TEST_DATABASE_URL names a server that these tests neither start nor stop");
        return;
    }
    let number = |name, default| env::var(name).map_or(default, |text| text.parse().unwrap());
    let (kills, mut seed) = (number("KILLS", 6), number("KILLS_SEED", 1));
    let folder = tempfile::tempdir().unwrap();
    // The server's account works here as well.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o1777)).unwrap();

    let mut in_the_act = 0;
    for kill in 0..kills {
        let mut program = Command::new(env::current_exe().unwrap());
        program.args([TESTS, "--test-threads=2"]).env("TMPDIR", folder.path()).process_group(0);
        let mut program = program.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        thread::sleep(Duration::from_millis(random(&mut seed) % LATEST));
        in_the_act += u64::from(program.try_wait().unwrap().is_none());
        // As a debugger or the kernel does, as a terminal does on Ctrl-C, and as a CI runner does.
        match kill % 3 {
            0 => program.kill().unwrap(),
            1 => signal("INT", &program),
            _ => signal("TERM", &program),
        }
        program.wait().unwrap();
    }
    assert!(in_the_act > kills / 2, "the tests end before they are killed");

    let patience = Instant::now() + PATIENCE;
    loop {
        let left = left_behind(folder.path());
        if left.is_empty() {
            break;
        }
        assert!(Instant::now() < patience, "after {kills} kills: {left:#?}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Sends a signal to a program and all that it started in its own group.
fn signal(name: &str, program: &Child) {
    let kill = format!("kill -s {name} -- -{}", program.id());
    // It fails if the program has ended by itself.
    let _ = Command::new("sh").args(["-c", &kill]).stderr(Stdio::null()).status().unwrap();
}

/// The entries of the folder, and the processes that were started with its name.
fn left_behind(folder: &Path) -> Vec<String> {
    let name = folder.to_str().unwrap();
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path().display().to_string());
    let processes = fs::read_dir("/proc").into_iter().flatten().filter_map(|entry| {
        let line = fs::read(entry.ok()?.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        line.contains(name).then_some(line)
    });
    entries.chain(processes).collect()
}

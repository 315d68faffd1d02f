//! A Postgres server for one test program, made from the binaries of the system and gone with the program.

use std::{
    env, fs,
    io::Read,
    os::unix::{fs::MetadataExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};

/// What to do where there is no Postgres.
const ADVICE: &str = "no Postgres server binaries are found; run `./x test`, which installs them where it may, or \
                      `sudo apt-get install --yes --no-install-recommends postgresql`, or name the folder of \
                      `initdb` in PG_BIN_DIR, or a server in TEST_DATABASE_URL";
/// Nothing here need survive a crash, and nobody is let in but through the socket in the folder.
const SETTINGS: &str = "-c listen_addresses= -c fsync=off -c synchronous_commit=off -c full_page_writes=off \
                        -c autovacuum=off -c wal_level=minimal -c max_wal_senders=0 -c max_connections=300";
/// Longest path of a socket, in bytes.
const LONGEST_PATH: usize = 107;

/// A running server. Its guard holds the other end of the pipe.
pub(crate) struct Cluster {
    folder: String,
    binaries: PathBuf,
    _guard: Child,
    _pipe: ChildStdin,
}

impl Cluster {
    /// Starts a server below the folder of temporary files.
    pub(crate) fn start() -> Result<Self, String> {
        let binaries = binaries().ok_or(ADVICE)?;
        let parent = env::temp_dir();
        let socket = parent.join("countersign-pg.XXXXXX/.s.PGSQL.5432");
        if socket.as_os_str().len() > LONGEST_PATH {
            return Err(format!("{} is too long for a socket: set TMPDIR", parent.display()));
        }
        let mut guard = Self::guard(&binaries, &parent).spawn().map_err(|error| error.to_string())?;
        let pipe = guard.stdin.take().ok_or("no pipe")?;
        let mut told = String::new();
        let mut stdout = guard.stdout.take().ok_or("no pipe")?;
        stdout.read_to_string(&mut told).map_err(|error| error.to_string())?;
        let Some(folder) = told.strip_prefix("ready ") else {
            return Err(format!("Postgres from {} does not start: {told}", binaries.display()));
        };
        Ok(Self { folder: folder.trim_end().to_owned(), binaries, _guard: guard, _pipe: pipe })
    }

    fn guard(binaries: &Path, parent: &Path) -> Command {
        let mut guard = Command::new("/bin/sh");
        guard
            .args(["-c", include_str!("guard.sh"), "guard"])
            .arg(binaries)
            .arg(parent)
            .arg(SETTINGS)
            .current_dir("/")
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LC_ALL", "C")
            .env("TZ", "UTC")
            // Ctrl-C is for the tests; the guard follows them.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        // Postgres does not run as root.
        if let Some((user, group)) = somebody_else() {
            guard.uid(user).gid(group);
        }
        guard
    }

    /// Stops the server, cutting its connections, and starts it again.
    pub(crate) fn restart(&self) {
        let mut control = Command::new(self.binaries.join("pg_ctl"));
        control.args(["-D", "data", "-l", "log", "-m", "fast", "-w", "-t", "120", "restart"]);
        control.current_dir(&self.folder).stdin(Stdio::null()).stdout(Stdio::null());
        if let Some((user, group)) = somebody_else() {
            control.uid(user).gid(group);
        }
        assert!(control.status().unwrap().success());
    }

    /// The URL of the database that every server has.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@localhost/postgres?host={}", self.folder)
    }
}

/// The folder with the binaries of the newest server.
fn binaries() -> Option<PathBuf> {
    let of_debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> = of_debian
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort();
    let named = env::var_os("PG_BIN_DIR").map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    named
        .into_iter()
        .chain(versions.into_iter().rev().map(|(_, folder)| folder))
        .chain(env::split_paths(&path))
        .find(|folder| ["initdb", "pg_ctl"].iter().all(|name| folder.join(name).exists()))
        // A folder of links will not do: the server looks for its files beside its own.
        .and_then(|folder| Some(fs::canonicalize(folder.join("initdb")).ok()?.parent()?.to_owned()))
}

/// The account that runs the server, if this is root.
pub(crate) fn somebody_else() -> Option<(u32, u32)> {
    let root = fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0);
    let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let find = |name: &str| {
        let line = accounts.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut numbers = line.split(':').skip(2).map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    };
    root.then(|| find("postgres").or_else(|| find("nobody")).unwrap_or((65534, 65534)))
}

//! A program that is killed leaves a store in which everything still holds, whatever it was just doing.
//!
//! The points are exact. On Postgres they are its messages: each is kept from the server, or reaches it and is not
//! answered. On SQLite they are its system calls that change files. A test takes a few of them, which `KILLS_SEED`
//! chooses; `KILL_POINTS` is their number for each command and engine, and `all` takes all of a command's and a hundred
//! of a server's, as `./x soak kills` does.

// Kills at a system call.
mod calls;
// Kills at a message to Postgres.
mod messages;
// Where a program is killed.
mod point;

use crate::support::{postgres::Database, random::random, server::Server, server::built};
use countersign::{
    clock::SystemClock,
    credential::KeyId,
    envelope::Keyring,
    secret::Secret,
    store::{
        AuditLog, AuditQuery, CredentialSummary, Found, KeyAdmin, KeyStore, Lookup, PostgresKeyStore,
        SqliteKeyStore, TokenAdmin, Upkeep, fingerprint,
    },
};
use messages::Wire;
use point::Point;
use serde_json::Value;
use std::{
    env, fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output, Stdio},
};
use tempfile::TempDir;

#[tokio::test]
async fn a_key_is_created_with_its_secret_or_not_at_all() {
    for on_postgres in [false, true] {
        create(Place::new(on_postgres).await).await;
    }
}

#[tokio::test]
async fn a_key_is_rotated_or_as_before() {
    for on_postgres in [false, true] {
        rotate(Place::new(on_postgres).await).await;
    }
}

#[tokio::test]
async fn every_secret_opens_whoever_sealed_it() {
    for on_postgres in [false, true] {
        rewrap(Place::new(on_postgres).await).await;
    }
}

#[tokio::test]
async fn a_server_starts_after_one_that_was_killed_while_it_started() {
    for on_postgres in [false, true] {
        let watched = Place::empty(on_postgres).await;
        let points = watched.count(watched.server());
        for point in Choice::new(3, 100).of(points) {
            let place = Place::empty(on_postgres).await;
            place.kill(place.server(), point);
            place.starts(point);
        }
    }
}

/// A key is there with its secret, or not at all.
async fn create(place: Place) {
    place.runs("accounts create ops");
    let line =
        |n| format!("keys create --scheme corezoid --key-id {n} --account ops --secret-out created_{n}");
    let (points, whole) = place.points(&line(0)).await;
    for (n, point) in (1..).zip(place.choice.of(points)) {
        let before = place.look().await;
        place.kill(place.command(&line(n)), point);
        let after = place.look().await;
        let noted = after.noted_since(&before);
        match after.key(&n.to_string()) {
            None => assert_eq!(noted, &[] as &[Note], "{point:?}"),
            Some(key) => {
                assert_eq!(noted, whole, "{point:?}");
                assert_eq!(prints(key), [place.print_of(key, &format!("created_{n}"))], "{point:?}");
            }
        }
        let again = place.run(&format!("keys create --scheme corezoid --key-id {n}"));
        assert_eq!(again.status.success(), noted.is_empty(), "{point:?}: {again:?}");
        assert!(place.look().await.key(&n.to_string()).is_some(), "{point:?}");
    }
}

/// A key has its new secret and an end of the older one, or neither.
async fn rotate(place: Place) {
    let key = |n| format!("--scheme corezoid --key-id {n}");
    let make = |n| place.runs(&format!("keys create {} --secret-out older_{n}", key(n)));
    let line = |n| format!("keys rotate {} --secret-out newer_{n}", key(n));
    make(0);
    let (points, whole) = place.points(&line(0)).await;
    for (n, point) in (1..).zip(place.choice.of(points)) {
        make(n);
        let before = place.look().await;
        place.kill(place.command(&line(n)), point);
        let after = place.look().await;
        let noted = after.noted_since(&before);
        let key_is = after.key(&n.to_string()).unwrap();
        let print_of = |name: &str| place.print_of(key_is, &format!("{name}_{n}"));
        let older = key_is.secrets.last().unwrap();
        if key_is.secrets.len() == 1 {
            assert_eq!(noted, &[] as &[Note], "{point:?}");
            assert_eq!((prints(key_is), older.retires_at), (vec![print_of("older")], None), "{point:?}");
        } else {
            assert_eq!(noted, whole, "{point:?}");
            assert_eq!(prints(key_is), [print_of("newer"), print_of("older")], "{point:?}");
            assert!(older.retires_at.is_some(), "{point:?}");
        }
        place.runs(&format!("keys rotate {}", key(n)));
    }
}

/// A batch of secrets is sealed again together, or not at all; the next run goes on.
async fn rewrap(place: Place) {
    place.runs("tokens rotate-signing-key --algorithm ES256");
    for n in 0..20 {
        place.runs(&format!("keys create --scheme corezoid --key-id {n}"));
    }
    place.set_keyring(1);
    let (points, whole) = place.points("keys rewrap").await;
    // The signing key is a batch by itself.
    let possible = [0, 1, whole.len()];
    assert_eq!(whole.len(), 21);
    for (n, point) in (0..).zip(place.choice.of(points)) {
        place.set_keyring(n % 2);
        let before = place.look().await;
        place.kill(place.command("keys rewrap"), point);
        let after = place.look().await;
        let noted = after.noted_since(&before).len();
        assert!(possible.contains(&noted), "{point:?}: {noted}");
        let now = place.json("keys rewrap --plan");
        assert_eq!(now["pending"], whole.len() - noted, "{point:?}: {now}");
        place.runs("keys rewrap");
        assert_eq!(place.json("keys rewrap --plan")["pending"], 0, "{point:?}");
        place.look().await;
    }
}

/// The two keys of the keyring; the first line is the active one.
const KEYRINGS: [&str; 2] = [
    "2027/BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n2026/CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=\n",
    "2026/CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=\n2027/BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n",
];

/// Which of many points are taken.
struct Choice {
    most: Option<usize>,
    seed: u64,
}

impl Choice {
    /// So many; and when all are asked for, at most so many.
    fn new(few: usize, most: impl Into<Option<usize>>) -> Self {
        let most = match env::var("KILL_POINTS") {
            Err(_) => Some(few),
            Ok(all) if all == "all" => most.into(),
            Ok(number) => Some(number.parse().unwrap()),
        };
        Self { most, seed: env::var("KILLS_SEED").map_or(1, |text| text.parse().unwrap()) }
    }

    fn of(&self, mut points: Vec<Point>) -> Vec<Point> {
        assert!(!points.is_empty(), "a program that changes something has points");
        let mut seed = self.seed;
        while self.most.is_some_and(|most| points.len() > most) {
            points.swap_remove(usize::try_from(random(&mut seed)).unwrap() % points.len());
        }
        points
    }
}

/// A folder with a keyring of two keys, and a database.
struct Place {
    folder: TempDir,
    /// On Postgres; without it, SQLite.
    database: Option<Database>,
    choice: Choice,
}

/// A line of the audit log: what was changed, and how.
type Note = (String, String);

/// What is in a store. All of it opens, or it could not be seen.
struct Seen {
    keys: Vec<CredentialSummary>,
    /// The latest lines of the audit log with their numbers, newest first: more than one command writes.
    notes: Vec<(i64, Note)>,
}

impl Seen {
    fn key(&self, key_id: &str) -> Option<&CredentialSummary> {
        self.keys.iter().find(|key| key.key_id.as_str() == key_id)
    }

    /// What was noted since, in its order.
    fn noted_since(&self, before: &Self) -> Vec<Note> {
        let last = before.notes.first().map_or(0, |(id, _)| *id);
        let since = self.notes.iter().rev().filter(|(id, _)| *id > last);
        since.map(|(_, note)| note.clone()).collect()
    }
}

fn prints(key: &CredentialSummary) -> Vec<String> {
    key.secrets.iter().map(|secret| secret.fingerprint.clone()).collect()
}

/// A store that is looked into.
trait Store: AuditLog + KeyAdmin + KeyStore + TokenAdmin + Upkeep {}

impl<S: AuditLog + KeyAdmin + KeyStore + TokenAdmin + Upkeep> Store for S {}

impl Place {
    async fn new(on_postgres: bool) -> Self {
        let place = Self::empty(on_postgres).await;
        // Both are known to the database from the beginning.
        for keyring in [1, 0] {
            place.set_keyring(keyring);
            place.runs("migrate");
        }
        place
    }

    /// Where no program was before.
    async fn empty(on_postgres: bool) -> Self {
        let database = if on_postgres { Some(Database::empty().await) } else { None };
        let place = Self { folder: tempfile::tempdir().unwrap(), database, choice: Choice::new(6, None) };
        if on_postgres {
            // A server makes a keyring for an embedded database only.
            place.set_keyring(0);
        }
        place
    }

    /// Where the database is, unless it is in the folder.
    fn url(&self) -> Option<&str> {
        self.database.as_ref().map(Database::url)
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn set_keyring(&self, number: usize) {
        fs::create_dir_all(self.path().join("data")).unwrap();
        let path = self.path().join("data/keyring");
        fs::write(&path, KEYRINGS[number]).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn command(&self, line: &str) -> Command {
        let mut command = self.program(Path::new(env!("CARGO_BIN_EXE_countersign")));
        command.args(line.split_whitespace());
        command
    }

    fn server(&self) -> Command {
        let mut server = self.program(&built("examples/server"));
        server.args(["--listen", "127.0.0.1:0"]);
        server
    }

    fn program(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.path()).stdin(Stdio::null());
        for name in ["DATABASE_URL", "COUNTERSIGN_KEYRING", "COUNTERSIGN_KEYRING_FILE"] {
            command.env_remove(name);
        }
        command.envs(self.url().map(|url| ("DATABASE_URL", url)));
        command
    }

    fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    /// Runs a command, which must succeed.
    #[track_caller]
    fn runs(&self, line: &str) -> Vec<u8> {
        let output = self.run(line);
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    #[track_caller]
    fn json(&self, line: &str) -> Value {
        serde_json::from_slice(&self.runs(&format!("{line} -o json"))).unwrap()
    }

    /// The points of a command, and what it notes when it is not killed.
    async fn points(&self, line: &str) -> (Vec<Point>, Vec<Note>) {
        let before = self.look().await;
        let points = self.count(self.command(line));
        let noted = self.look().await.noted_since(&before);
        assert!(!noted.is_empty(), "{line} changes something");
        (points, noted)
    }

    /// The points of a program, which runs to its end.
    fn count(&self, program: Command) -> Vec<Point> {
        match self.url() {
            Some(url) => Wire::to(url).points(program),
            None => calls::points(&program),
        }
    }

    /// Kills a program. What its threads do differs a little from run to run, so that it may end before.
    fn kill(&self, program: Command, at: Point) {
        match self.url() {
            Some(url) => Wire::to(url).kill(program, at),
            None => calls::kill(&program, at),
        };
    }

    /// Opens the store, and every secret in it.
    async fn look(&self) -> Seen {
        let keyring = Keyring::load(&self.path().join("data/keyring")).unwrap();
        let store: Box<dyn Store> = match self.url() {
            Some(url) => Box::new(PostgresKeyStore::open(url, keyring, SystemClock).await.unwrap()),
            None => {
                let url = format!("sqlite://{}", self.path().join("data/countersign.db").display());
                Box::new(SqliteKeyStore::open(&url, keyring, SystemClock).await.unwrap())
            }
        };
        let keys = store.credentials().await.unwrap();
        for secret in store.secret_hints(None).await.unwrap() {
            secret.hint.unwrap();
        }
        if let Found::Pending(signing_key) = store.find(Lookup::SigningKey) {
            signing_key.await.unwrap();
        }
        let notes = store.audit(&AuditQuery::latest(100)).await.unwrap();
        let notes = notes.into_iter().map(|note| (note.id, (note.subject, note.verb))).collect();
        Seen { keys, notes }
    }

    /// The fingerprint of the secret in a file.
    fn print_of(&self, key: &CredentialSummary, file: &str) -> String {
        let secret = Secret::new(fs::read(self.path().join(file)).unwrap()).unwrap();
        fingerprint(&key.scheme, &key.key_id, &secret)
    }

    /// A server starts here, and can do what servers do.
    fn starts(self, after: Point) {
        let server = Server::start_in(self.folder, self.database.as_ref().map(Database::url), &[]);
        let keys = server.shell(&format!("curl --silent --fail {}/.well-known/jwks.json", server.url));
        assert!(keys.contains("RS384"), "{after:?}: {keys}");
        server.countersign(&["keys", "rewrap", "--plan"]);
        if self.database.is_none() {
            let key_id = KeyId::new(&server.demo("COREZOID_KEY_ID")).unwrap();
            let secret = Secret::new(server.demo("COREZOID_SECRET")).unwrap();
            let listed = server.countersign(&["keys", "list", "-o", "json"]);
            assert!(listed.contains(&fingerprint("corezoid", &key_id, &secret)), "{after:?}: {listed}");
        }
    }
}

//! A command line that is killed leaves a store in which everything still holds, whatever it was just doing.
//!
//! Each command is killed at moments spread over the time that it takes. `KILLS` is their number for each command and
//! engine, `KILLS_SEED` chooses them; `./x soak kills` takes two hundred.

use crate::support::{postgres::Database, random::random};
use serde_json::Value;
use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

#[test]
fn nothing_is_left_half_done_on_sqlite() {
    Kills::new(None).run();
}

#[tokio::test]
async fn nothing_is_left_half_done_on_postgres() {
    let database = Database::empty().await;
    Kills::new(Some(database.url().to_owned())).run();
}

/// Kills of commands over one database.
struct Kills {
    folder: tempfile::TempDir,
    database_url: Option<String>,
    seed: u64,
    kills: u32,
    in_the_act: u32,
}

/// The two keys of the keyring; the first line is the active one.
const KEYRINGS: [&str; 2] = [
    "2027/BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n2026/CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=\n",
    "2026/CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=\n2027/BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n",
];

impl Kills {
    fn new(database_url: Option<String>) -> Self {
        let number = |name, default: u32| env::var(name).map_or(default, |text| text.parse().unwrap());
        let (kills, seed) = (number("KILLS", 8), number("KILLS_SEED", 1).into());
        Self { folder: tempfile::tempdir().unwrap(), database_url, seed, kills, in_the_act: 0 }
    }

    fn run(mut self) {
        for keyring in KEYRINGS {
            self.set_keyring(keyring);
            self.json("migrate");
        }
        self.json("orgs create acme");
        for number in 0..20 {
            self.json(&format!("keys create --scheme ateliere --key-id many_{number} --organization acme"));
        }
        for kill in 0..self.kills {
            self.create(kill);
            self.rotate(kill);
            self.rewrap(kill);
        }
        assert!(self.in_the_act > self.kills, "the commands end before they are killed: {}", self.in_the_act);
    }

    /// A key is there with its secret, or not at all.
    fn create(&mut self, kill: u32) {
        let key_id = kill.to_string();
        let key = format!("--scheme corezoid --key-id {key_id}");
        self.kill(&format!("keys create {key} --secret-out created_{kill}"));
        let stored = self.keys().into_iter().find(|listed| listed["key_id"] == *key_id);
        if let Some(stored) = stored {
            assert_eq!(stored["secrets"].as_array().unwrap().len(), 1, "{stored}");
            // Its secret was in the file before it was in the store.
            assert!(self.verifies(&key, &format!("created_{kill}")));
        }
        // What was not done can be done now.
        drop(self.command(&format!("keys create {key}")).output().unwrap());
        assert!(self.keys().iter().any(|listed| listed["key_id"] == *key_id));
    }

    /// A key has its new secret and an end of the older one, or neither.
    fn rotate(&mut self, kill: u32) {
        let key = format!("--scheme corezoid --key-id rotated_{kill}");
        self.json(&format!("keys create {key} --secret-out older_{kill}"));
        self.kill(&format!("keys rotate {key} --secret-out newer_{kill}"));
        let shown = self.json(&format!("keys show {key}"));
        let secrets = shown["secrets"].as_array().unwrap();
        assert!(self.verifies(&key, &format!("older_{kill}")), "{shown}");
        let older = secrets.last().unwrap();
        assert_eq!(secrets.len() == 2, older["retires_at"].is_string(), "{shown}");
        if secrets.len() == 2 {
            assert!(self.verifies(&key, &format!("newer_{kill}")), "{shown}");
        }
    }

    /// Every secret opens with the keyring, whichever of its keys seals it; the next run ends the work.
    fn rewrap(&mut self, kill: u32) {
        self.set_keyring(KEYRINGS[kill as usize % 2]);
        self.kill("keys rewrap");
        let opened = |kills: &Self| {
            let sign = "sign --scheme ateliere --url https://a.test/ --organization acme --key-id";
            (0..20).step_by(7).for_each(|number| drop(kills.prints(&format!("{sign} many_{number}"))));
        };
        opened(self);
        self.json("keys rewrap");
        assert_eq!(self.json("keys rewrap --plan")["pending"], 0);
        opened(self);
    }

    fn keys(&self) -> Vec<Value> {
        self.json("keys list --scheme corezoid")["items"].as_array().unwrap().clone()
    }

    fn verifies(&self, key: &str, secret: &str) -> bool {
        let sign = format!("sign {key} --url https://a.test/api/2/json --as http --secret-file {secret}");
        fs::write(self.path().join("request"), self.prints(&sign)).unwrap();
        let verify = self.command("verify --scheme corezoid --request request").output().unwrap();
        verify.status.success()
    }

    fn set_keyring(&self, text: &str) {
        use std::os::unix::fs::PermissionsExt as _;

        fs::create_dir_all(self.path().join("data")).unwrap();
        let path = self.path().join("data/keyring");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command
            .args(line.split_whitespace())
            .current_dir(self.path())
            .env_remove("DATABASE_URL")
            .envs(self.database_url.as_ref().map(|url| ("DATABASE_URL", url)))
            .env_remove("COUNTERSIGN_KEYRING")
            .env_remove("COUNTERSIGN_KEYRING_FILE")
            .stdin(Stdio::null());
        command
    }

    /// Kills a command while it runs.
    fn kill(&mut self, line: &str) {
        // As long as a command takes that does nothing but open the database, and half as long again.
        let start = Instant::now();
        self.prints("keys list");
        let latest = (start.elapsed() * 3 / 2).as_micros();
        let moment = u128::from(random(&mut self.seed)) % latest;
        let mut running = self.command(line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        thread::sleep(Duration::from_micros(u64::try_from(moment).unwrap()));
        self.in_the_act += u32::from(running.try_wait().unwrap().is_none());
        running.kill().unwrap();
        running.wait().unwrap();
    }

    /// What a command prints, which must succeed.
    #[track_caller]
    fn prints(&self, line: &str) -> Vec<u8> {
        let output = self.command(line).output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    #[track_caller]
    fn json(&self, line: &str) -> Value {
        serde_json::from_slice(&self.prints(&format!("{line} -o json"))).unwrap()
    }
}

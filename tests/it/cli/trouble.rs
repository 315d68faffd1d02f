//! What goes wrong ends with the right exit code, one line of error and one of advice; and nothing tells a secret.

use super::{Folder, Ran, set_mode};
use serde_json::json;
use std::fs;

const SECRET: &str = "Iw5N12MYleOULxdfMH43SK9ZAmjPyFKt";

/// An error for people: exactly one line, and one of advice.
#[track_caller]
fn is_told(ran: &Ran) {
    let lines = |start: &str| ran.stderr.lines().filter(|line| line.starts_with(start)).count();
    assert_eq!((lines("error: "), lines("hint: ")), (1, 1), "{}", ran.told());
    assert!(ran.stdout.is_empty(), "{}", ran.told());
}

#[test]
fn help_teaches_and_never_asks_for_a_secret() {
    let folder = Folder::new();
    for command in [
        "",
        "accounts create",
        "accounts list",
        "audit list",
        "completions",
        "keys create",
        "keys disable",
        "keys enable",
        "keys expire",
        "keys import",
        "keys rotate",
        "keys list",
        "keys revoke",
        "keys rewrap",
        "keys show",
        "keys usage",
        "migrate",
        "orgs create",
        "orgs install",
        "orgs list",
        "orgs uninstall",
        "sign",
        "verify",
    ] {
        let ran = folder.run(&format!("{command} --help")).exits(0);
        assert!(ran.stdout.contains("Example"), "{}", ran.told());
        assert!(!ran.stdout.contains("--secret <"), "{}", ran.told());
        let longest = ran.stdout.lines().map(|line| line.chars().count()).max();
        assert!(longest <= Some(110), "{}", ran.told());
    }
    assert!(folder.run("--version").exits(0).stdout.starts_with("countersign "));
    // A database URL may hold a password.
    let mut command = folder.command("keys list --help");
    let ran =
        Ran::new("help", command.env("DATABASE_URL", "postgres://me:hunter2@db/keys").output().unwrap());
    assert!(!ran.contains("hunter2"));
}

#[test]
fn wrong_usage_is_2() {
    let folder = Folder::new();
    folder.write("body", "{}");
    for line in [
        "",
        "nonsense",
        "keys create",
        "keys create --scheme nonsense",
        "keys create --scheme corezoid --expires-at tomorrow",
        "keys create --scheme corezoid --dir migrations",
        "keys rotate --scheme corezoid --key-id 1 --number 2",
        "keys rotate --scheme corezoid --key-id 1 --now --force",
        "keys rewrap --plan --forget",
        "audit list --limit 0",
        "keys rotate --as sql --scheme corezoid --key-id 1 --number 1",
        "keys rotate --as sql --scheme corezoid --key-id 1 --now --overlap 1h",
        "keys import --scheme corezoid --key-id 1 --secret-file a --secret-stdin",
        "keys import --scheme corezoid --key-id 1 --secret topsecret",
        "verify --scheme corezoid --request a --tolerance never",
        "verify --scheme corezoid --request a --now 18446744073709551615",
        "sign --scheme corezoid --key-id 1 --url nowhere --as smoke",
    ] {
        let ran = folder.run(line).exits(2);
        assert!(ran.stdout.is_empty(), "{}", ran.told());
    }
    for line in [
        "keys create --scheme ateliere",
        "keys create --scheme corezoid --key-id a/b",
        "keys create --scheme salescloud --key-id not-a-uuid",
        "keys create --scheme salescloud --public-key with:colon",
        "keys import --scheme corezoid --key-id 1",
        "keys list --database-url mysql://localhost/keys",
        "keys list --database-url postgres://localhost:port/keys",
        "sign --scheme corezoid --key-id 1 --url /api/2/json --secret-file body",
        "sign --scheme corezoid --key-id 1 --url https://a/ --secret-stdin --body -",
        "sign --scheme ateliere --key-id 1 --url https://a/ --secret-file body",
        "verify --scheme corezoid --request - --secret-stdin",
        "verify --scheme corezoid --request body --secret-file body --route nowhere",
    ] {
        is_told(&folder.run(line).exits(2));
        assert!(folder.run(&format!("{line} -o json")).exits(2).error()["code"].is_string());
    }
    assert_eq!(folder.run("keys create -o json").exits(2).error()["code"], "usage");
    assert!(!folder.path("data").exists(), "wrong usage leaves no trace");
}

#[test]
fn what_does_not_exist_is_4() {
    let folder = Folder::new();
    folder.run("migrate").exits(0);
    for line in [
        "keys show --scheme corezoid --key-id 1",
        "sign --scheme corezoid --key-id 1 --url https://a/api/2/json",
        "keys create --scheme ateliere --organization nobody",
        "keys create --scheme corezoid --account nobody",
        "accounts create me --organization nobody",
        "orgs install nobody --key-id 1",
        "orgs uninstall nobody --key-id 1",
    ] {
        is_told(&folder.run(line).exits(4));
        let code = folder.run(&format!("{line} -o json")).exits(4).error()["code"].clone();
        assert!(["not_found", "key_not_found"].contains(&code.as_str().unwrap()), "{line}: {code}");
    }
}

#[test]
fn what_exists_already_is_1() {
    let folder = Folder::new();
    for line in ["orgs create acme", "accounts create ops", "keys create --scheme corezoid --key-id 1"] {
        folder.run(line).exits(0);
        is_told(&folder.run(line).exits(1));
        assert_eq!(folder.run(&format!("{line} -o json")).exits(1).error()["code"], "exists");
    }
}

#[test]
fn a_store_that_cannot_be_reached_is_5() {
    let folder = Folder::new();
    for line in [
        "keys list",
        "orgs list",
        "accounts list",
        "migrate --status",
        "keys show --scheme corezoid --key-id 1",
    ] {
        is_told(&folder.run(line).exits(5));
        assert_eq!(folder.run(&format!("{line} -o json")).exits(5).error()["code"], "store_unreachable");
    }
    assert!(!folder.path("data").exists(), "looking leaves no trace");

    folder.write(
        "text",
        "this is no database, but a text that is long enough to be taken for one\n".repeat(99),
    );
    folder.run("migrate --database-url sqlite:text").exits(5);
    folder.write("file", "");
    is_told(&folder.run("migrate --database-url sqlite:file/keys.db").exits(5));
}

#[test]
fn a_keyring_that_is_missing_wrong_or_open_is_5() {
    let folder = Folder::new();
    folder.run("migrate").exits(0);
    is_told(&folder.run("keys list --keyring-file elsewhere").exits(5));
    is_told(&folder.run("orgs create acme --keyring-file elsewhere").exits(5));
    assert!(!folder.path("elsewhere").exists(), "a keyring that the database refuses does not stay");

    set_mode(&folder.path("data/keyring"), 0o644);
    let ran = folder.run("keys list -o json").exits(5);
    assert_eq!(ran.error()["code"], "keyring_unusable");
    assert!(ran.error()["message"].as_str().unwrap().contains("chmod 600"), "{}", ran.told());
    let keyring = fs::read_to_string(folder.path("data/keyring")).unwrap();
    assert!(!ran.contains(keyring.trim()));
}

#[test]
fn options_come_before_the_environment_and_that_before_the_defaults() {
    let folder = Folder::new();
    let with = |line: &str| {
        let mut command = folder.command(line);
        command.env("DATABASE_URL", "sqlite:env/keys.db").env("COUNTERSIGN_KEYRING_FILE", "env/ring");
        Ran::new(line, command.output().unwrap()).exits(0)
    };
    with("migrate");
    assert!(folder.path("env/keys.db").exists() && folder.path("env/ring").exists());
    with("migrate --database-url sqlite://flag/keys.db --keyring-file flag/ring");
    assert!(folder.path("flag/keys.db").exists() && folder.path("flag/ring").exists());
    assert!(!folder.path("data").exists());
}

#[test]
fn a_request_that_is_none_is_1() {
    let folder = Folder::new();
    folder.write_secret("secret", SECRET);
    for content in [
        "",
        "{}",
        "POST / HTTP/1.1\r\nHost: a\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{}",
    ] {
        folder.write("request", content);
        let line = "verify --scheme corezoid --request request --secret-file secret";
        is_told(&folder.run(line).exits(1));
        assert_eq!(folder.run(&format!("{line} -o json")).exits(1).error()["code"], "no_request");
    }
    is_told(&folder.run("verify --scheme corezoid --request nowhere --secret-file secret").exits(1));
    is_told(&folder.run("verify --scheme corezoid --request request --secret-file nowhere").exits(1));
}

#[test]
fn a_request_without_credentials_is_3() {
    let folder = Folder::new();
    folder.write_secret("secret", SECRET);
    folder.write("request", "POST / HTTP/1.1\r\nHost: a\r\n\r\n");
    for scheme in ["ateliere", "corezoid", "corezoid-callback", "salescloud", "salescloud-webhook"] {
        let ran =
            folder.run(&format!("verify --scheme {scheme} --request request --secret-file secret -o json"));
        assert_eq!(ran.exits(3).json()["outcome"], "missing");
    }
    folder.write("request", "POST / HTTP/1.1\r\n\r\n");
    let ran = folder.run("verify --scheme ateliere --request request --secret-file secret -o json").exits(3);
    assert_eq!((&ran.json()["outcome"], &ran.json()["status"]), (&json!("malformed"), &json!(400)));
    assert!(ran.json()["reason"].as_str().unwrap().contains("Host"), "{}", ran.told());
}

#[cfg(unix)]
#[test]
fn a_secret_file_that_others_can_read_is_warned_of() {
    let folder = Folder::new();
    folder.write_secret("secret", SECRET);
    let line = "sign --scheme corezoid --key-id 1 --url https://a/api/2/json --secret-file secret";
    assert!(!folder.run(line).exits(0).says("warning"));
    set_mode(&folder.path("secret"), 0o644);
    assert!(folder.run(line).exits(0).says("warning: secret is open to others (mode 644)"));
    // In JSON the warning waits, so that stderr has the error document alone.
    let ran = folder.run(&format!("{line} -o json")).exits(0);
    assert!(ran.says("warning: ") && ran.json()["signature"].is_string(), "{}", ran.told());
    let ran = folder.run(&format!("{} -o json", line.replace("https://a", ""))).exits(2);
    assert!(ran.error()["code"] == "usage", "{}", ran.told());
}

#[test]
fn text_of_strangers_cannot_steer_the_terminal() {
    let folder = Folder::new();
    folder.write_secret("secret", SECRET);
    folder.write("body", "\u{1b}]0;owned\u{7}\u{9b}31m");
    let line =
        "sign --scheme corezoid --key-id 1 --url https://a/api/2/json --body body --secret-file secret";
    folder.write("request", folder.run(&format!("{line} --as http")).exits(0).stdout);
    let ran = folder.run("verify --scheme corezoid --request request --secret-file secret").exits(0);
    let steering = |text: &str| text.chars().any(|c| c.is_control() && c != '\n');
    assert!(!steering(&ran.stdout) && ran.stdout.contains("\\u{1b}]0;owned"), "{}", ran.told());
}

#[cfg(target_os = "linux")]
#[test]
fn a_secret_that_could_not_be_printed_is_said_to_be_lost() {
    let folder = Folder::new();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = folder.command("keys create --scheme corezoid --key-id 1 -o json");
    let ran = Ran::new("keys create", command.stdout(full).output().unwrap()).exits(1);
    assert_eq!(ran.error()["code"], "secret_lost");
}

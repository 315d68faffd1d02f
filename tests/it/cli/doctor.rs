//! What `doctor` finds, on both engines.

use super::{Folder, migrations::on_both_engines};
use crate::support::postgres::Database;

on_both_engines! {
    a_database_that_is_well_passes_every_check
    a_database_without_a_keyring_of_its_own_is_told
}

fn a_database_that_is_well_passes_every_check(folder: &Folder) {
    folder.run("migrate").exits(0);
    let found = folder.json("doctor");
    let checks: Vec<_> = found["items"].as_array().unwrap().iter().map(|row| &row["check"]).collect();
    assert_eq!(
        checks,
        ["keyring", "database", "migrations", "canary", "clock", "listening", "servers"],
        "{found}"
    );
    assert!(found["items"].as_array().unwrap().iter().all(|row| row["ok"] == true), "{found}");
    // Nothing is heard where nobody is.
    let nowhere = folder.run("doctor --listen-database-url postgres://127.0.0.1:1/none -o json");
    if folder.database_url.is_some() {
        let rows = nowhere.exits(1).json();
        let bad: Vec<_> = rows["items"].as_array().unwrap().iter().filter(|row| row["ok"] == false).collect();
        assert_eq!((bad.len(), &bad[0]["check"]), (1, &"listening".into()), "{rows}");
        assert!(bad[0]["hint"].as_str().unwrap().contains("LISTEN_DATABASE_URL"), "{rows}");
    } else {
        nowhere.exits(0);
    }
}

fn a_database_without_a_keyring_of_its_own_is_told(folder: &Folder) {
    let ran = folder.run("doctor -o json").exits(5);
    assert_eq!(ran.error()["code"], "keyring_unusable", "{}", ran.told());
    folder.run("migrate").exits(0);
    folder.write_secret("data/keyring", format!("other/{}o=\n", "q".repeat(42)));
    let ran = folder.run("doctor -o json").exits(5);
    assert_eq!(ran.error()["code"], "store_unreachable", "{}", ran.told());
}

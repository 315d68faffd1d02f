//! Foreign clients: `tests/clients/README.md` says how they are spoken to; `./x test` installs what they import.

use std::{path::Path, process::Command};

/// Runs a client and reads the line that it prints.
pub(crate) fn run(file: &str, settings: &[(&str, &str)], secret: &str, tamper: &str) -> (u64, String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let installed = root.join("target/clients");
    assert!(installed.join("stamp").exists(), "the clients are not installed; run the tests by `./x test`");
    let program = match file.rsplit_once('.').map(|name| name.1) {
        Some("py") => installed.join("venv/bin/python"),
        Some("sh") => "sh".into(),
        _ => "node".into(),
    };
    let ran = Command::new(program)
        .arg(root.join("tests/clients").join(file))
        .envs(settings.iter().filter(|setting| !setting.1.is_empty()).copied())
        .env("SECRET", secret)
        .env("TAMPER", tamper)
        .env("NODE_PATH", installed.join("node_modules"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    assert!(ran.status.success(), "{file}: {}", String::from_utf8_lossy(&ran.stderr));
    let answer: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    (answer["status"].as_u64().unwrap(), answer["body"].as_str().unwrap().to_owned())
}

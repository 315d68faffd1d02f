//! Secrets that go out: told once, on stdout or into a new file, and never again.

use crate::{
    failure::{Exit, Failure},
    output::Output,
};
use clap::Args;
use countersign::secret::Secret;
use serde::Serialize;
use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Where a new secret goes.
#[derive(Debug, Args)]
pub struct SecretOutArgs {
    /// Write the secret to this new file, readable by its owner alone, instead of stdout
    #[arg(long, value_name = "FILE")]
    secret_out: Option<PathBuf>,
}

/// Where a secret went, as a part of a document; nowhere, if it came from the provider.
#[derive(Debug, Default, Serialize)]
pub struct Told {
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_file: Option<String>,
}

impl SecretOutArgs {
    /// Does what makes the secret one of a key.
    pub async fn around<T>(
        &self,
        secret: &Secret,
        making: impl Future<Output = Result<T, Failure>>,
    ) -> Result<(T, Told), Failure> {
        let Some(path) = &self.secret_out else {
            let secret = String::from_utf8_lossy(secret.expose()).into_owned();
            return Ok((making.await?, Told { secret: Some(secret), secret_file: None }));
        };
        // The file comes first: a secret that cannot be written must not become a key.
        write_new(path, secret.expose())?;
        let made = making.await;
        if made.is_err() {
            // Better no file than one that no key belongs to; the failure is what is worth telling.
            let _ = fs::remove_file(path);
        }
        Ok((made?, Told { secret: None, secret_file: Some(path.display().to_string()) }))
    }
}

impl Told {
    /// Prints the document, or for people what `say` says and then the secret. `what` was done, in case that fails.
    pub fn print(
        &self,
        document: &impl Serialize,
        say: impl FnOnce(),
        what: &str,
        output: &Output,
    ) -> Result<(), Failure> {
        let lost = |error: io::Error| {
            let message = format!("{what}, but its secret could not be printed and is lost");
            Failure::new(Exit::Failure, "secret_lost", message, "make another, and do not use this one")
                .because(&error)
        };
        if output.is_json() {
            let text = serde_json::to_string(document).map_err(|error| lost(error.into()))? + "\n";
            return output.print_once(text.as_bytes()).map_err(lost);
        }
        say();
        if let Some(path) = &self.secret_file {
            output.say_plainly(format!("the secret is in {path}"));
        }
        let Some(secret) = &self.secret else { return Ok(()) };
        output.note("the secret is printed this once and cannot be shown again");
        output.print_once(format!("{secret}\n").as_bytes()).map_err(lost)
    }
}

/// Writes a file that must not exist yet, with mode 0600.
fn write_new(path: &Path, secret: &[u8]) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(path).and_then(|mut file| {
        file.write_all(secret)?;
        file.sync_all()
    });
    written.map_err(|error| {
        let message = format!("the secret cannot be written to {}", path.display());
        let hint = "name a file that does not exist yet, in a folder that you may write to";
        Failure::new(Exit::Failure, "io", message, hint).because(&error)
    })
}

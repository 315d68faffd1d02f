//! Secrets that come in: from a file or from stdin, never from the command line, which every user of a machine can read.

use crate::{
    failure::{Exit, Failure},
    output::Output,
};
use clap::Args;
use countersign::secret::Secret;
use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// No provider hands out longer secrets.
const LONGEST: u64 = 64 * 1024;

/// Where a secret comes from.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct SecretArgs {
    /// Read the secret from this file: its bytes are the secret, but for one line end behind them
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,

    /// Read the secret from stdin
    #[arg(long)]
    pub secret_stdin: bool,
}

impl SecretArgs {
    /// Reads the secret; `None` if none was offered.
    pub fn read(&self, output: &Output) -> Result<Option<Secret>, Failure> {
        let (bytes, place) = match &self.secret_file {
            Some(path) => (from_file(path, output)?, path.display().to_string()),
            None if self.secret_stdin => (up_to_longest(io::stdin().lock(), "stdin")?, "stdin".to_owned()),
            None => return Ok(None),
        };
        verbatim(&bytes, &place, output).map(Some)
    }
}

fn from_file(path: &Path, output: &Output) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let place = path.display().to_string();
    let file = File::open(path).map_err(|error| unreadable(&place, &error))?;
    warn_if_open_to_others(&file, &place, output);
    up_to_longest(file, &place)
}

fn up_to_longest(from: impl Read, place: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut bytes = Zeroizing::new(Vec::new());
    from.take(LONGEST + 1).read_to_end(&mut bytes).map_err(|error| unreadable(place, &error))?;
    if bytes.len() as u64 > LONGEST {
        let message = format!("{place} has more than 64 KiB, which is no secret");
        return Err(Failure::new(
            Exit::Failure,
            "bad_secret",
            message,
            "name the file that holds the secret alone",
        ));
    }
    Ok(bytes)
}

fn unreadable(place: &str, error: &io::Error) -> Failure {
    let message = format!("the secret cannot be read from {place}");
    Failure::new(Exit::Failure, "io", message, "check the path and the rights of the file").because(error)
}

/// Takes the bytes as they are. Editors and `echo` put a line end behind them that no provider means.
fn verbatim(bytes: &[u8], place: &str, output: &Output) -> Result<Secret, Failure> {
    let trimmed = bytes.strip_suffix(b"\n").map(|rest| rest.strip_suffix(b"\r").unwrap_or(rest));
    if trimmed.is_some() {
        output.note(format!("the line end behind the secret in {place} is not taken for part of it"));
    }
    let secret = trimmed.unwrap_or(bytes);
    let edges = [secret.first(), secret.last()];
    if edges.into_iter().flatten().any(u8::is_ascii_whitespace) {
        output.warn(format!(
            "the secret in {place} begins or ends with white space, which is taken for part of it"
        ));
    }
    Secret::new(secret).map_err(|error| {
        let message = format!("{place} holds no secret");
        let hint = "put the secret there exactly as the provider shows it";
        Failure::new(Exit::Failure, "bad_secret", message, hint).because(&error)
    })
}

#[cfg(unix)]
fn warn_if_open_to_others(file: &File, place: &str, output: &Output) {
    use std::os::unix::fs::PermissionsExt;

    let Ok(metadata) = file.metadata() else { return };
    let mode = metadata.permissions().mode() & 0o777;
    // A pipe from a shell, `<(…)`, is nobody else's business whatever its mode says.
    if metadata.is_file() && mode & 0o077 != 0 {
        output.warn(format!("{place} is open to others (mode {mode:03o}): run `chmod 600 {place}`"));
    }
}

#[cfg(not(unix))]
fn warn_if_open_to_others(_: &File, _: &str, _: &Output) {}

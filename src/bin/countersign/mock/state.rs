//! `--state`: what the mocks remember, from one run to the next.

use super::{Running, record::cannot_write};
use crate::failure::{Exit, Failure};
use serde_json::{Map, Value};
use std::{
    fs::{self, File},
    io::{self, ErrorKind, Write as _},
    path::{Path, PathBuf},
};

/// One JSON object with a member a provider; members of others are kept.
#[derive(Debug)]
pub(super) struct StateFile {
    path: Option<PathBuf>,
    kept: Map<String, Value>,
}

impl StateFile {
    /// Reads the file, if there is one.
    pub(super) fn open(path: Option<PathBuf>) -> Result<Self, Failure> {
        let kept = path.as_deref().map(read).transpose()?.unwrap_or_default();
        Ok(Self { path, kept })
    }

    /// What a provider remembered.
    pub(super) fn of(&self, provider: &str) -> Option<Value> {
        self.kept.get(provider).cloned()
    }

    /// Writes what the mocks remember now, if that is something else. The file is whole at every moment: another one
    /// takes its place.
    pub(super) fn keep(&mut self, running: &[Running]) -> Result<(), Failure> {
        let Some(path) = &self.path else { return Ok(()) };
        let mut changed = false;
        for mock in running {
            let state = (mock.state)();
            if self.kept.get(mock.name) != Some(&state) {
                self.kept.insert(mock.name.to_owned(), state);
                changed = true;
            }
        }
        if changed {
            replace(path, &self.kept).map_err(|error| cannot_write(path, &error))?;
        }
        Ok(())
    }
}

fn read(path: &Path) -> Result<Map<String, Value>, Failure> {
    let unusable = |message: &str| {
        let message = format!("{} {message}", path.display());
        Failure::new(Exit::Failure, "bad_state", message, "name another file, or remove this one")
    };
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|error| unusable("holds no state of mocks").because(&error)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Map::new()),
        Err(error) => Err(unusable("cannot be read").because(&error)),
    }
}

fn replace(path: &Path, state: &Map<String, Value>) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let mut file = File::create(&new)?;
    file.write_all(&serde_json::to_vec_pretty(state)?)?;
    file.sync_all()?;
    fs::rename(new, path)
}

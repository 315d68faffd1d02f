//! `--record`: what a mock received, as HTTP/1.1 writes it, for `verify --request`.

use crate::failure::{Exit, Failure};
use countersign::mock::Received;
use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// Where requests are written to. Others cannot read it: tokens and signatures are in there.
pub(super) enum Recorder {
    /// One behind the other. `verify` reads the first.
    File { path: PathBuf, file: File },
    /// Each to a file of its own: `0001-ateliere.http`.
    Folder { path: PathBuf, count: u32 },
}

impl Recorder {
    /// Begins anew: what stands in the file is gone. Files in a folder are replaced one by one.
    pub(super) fn open(path: PathBuf) -> Result<Self, Failure> {
        if path.is_dir() {
            return Ok(Self::Folder { path, count: 0 });
        }
        let file = create(&path).map_err(|error| cannot_write(&path, &error))?;
        Ok(Self::File { path, file })
    }

    pub(super) fn write(&mut self, provider: &str, received: &Received) -> Result<(), Failure> {
        match self {
            Self::File { path, file } => {
                file.write_all(&received.to_http()).map_err(|error| cannot_write(path, &error))
            }
            Self::Folder { path, count } => {
                *count += 1;
                let path = path.join(format!("{count:04}-{provider}.http"));
                let written = create(&path).and_then(|mut file| file.write_all(&received.to_http()));
                written.map_err(|error| cannot_write(&path, &error))
            }
        }
    }
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// The failure of a file that cannot be written.
pub(super) fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    let message = format!("{} cannot be written", path.display());
    Failure::new(Exit::Failure, "io", message, "check the path and the rights of its folder").because(error)
}

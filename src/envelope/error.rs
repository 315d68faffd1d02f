//! Why a keyring cannot be used, or a sealed secret does not open.

use super::Place;
use std::{error::Error, fmt, io, path::PathBuf};

/// A keyring cannot be read or written. No text of the file is ever part of the error.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyringError {
    /// Two lines have the same id.
    Duplicate {
        /// The number of the second line, from 1.
        line: usize,
    },
    /// There is no key in it.
    Empty,
    /// The file cannot be read or written.
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// A line is not `id/base64` with 32 bytes of key.
    Malformed {
        /// The number of the line, from 1.
        line: usize,
    },
    /// Others than the owner may read or write the file.
    Permissions {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
}

impl KeyringError {
    /// Whether there is no such file, so that a new keyring may be made in its place.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::File { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

impl fmt::Display for KeyringError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicate { line } => {
                write!(f, "line {line} of the keyring has the id of an earlier line: every key needs its own")
            }
            Self::Empty => f.write_str("the keyring has no key: it needs a line `id/base64`"),
            Self::File { path, .. } => write!(f, "cannot use the keyring file {}", path.display()),
            Self::Malformed { line } => write!(
                f,
                "line {line} of the keyring is not `id/base64`: an id of at most 64 letters, digits, `.`, `_` or \
                 `-`, and 32 random bytes in base64"
            ),
            Self::Permissions { path, mode } => write!(
                f,
                "the keyring file {path} is open to others (mode {mode:03o}): run `chmod 600 {path}`",
                path = path.display()
            ),
        }
    }
}

impl Error for KeyringError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::File { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// A sealed secret does not open.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OpenError {
    kind: OpenErrorKind,
    place: String,
    keyring_id: String,
}

/// The category of an [`OpenError`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum OpenErrorKind {
    /// The record was altered, cut off or moved from another row, or the key of this id is not the one that sealed it.
    Refused,
    /// The record has a version that this program does not know.
    UnknownFormat,
    /// The keyring has no key of this id.
    UnknownKey,
}

impl OpenError {
    /// A secret at this place does not open with the key of this id.
    #[must_use]
    pub fn new(kind: OpenErrorKind, place: Place<'_>, keyring_id: &str) -> Self {
        Self { kind, place: place.to_string(), keyring_id: keyring_id.to_owned() }
    }

    /// The category.
    #[must_use]
    pub const fn kind(&self) -> OpenErrorKind {
        self.kind
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, place, keyring_id } = self;
        match kind {
            OpenErrorKind::Refused => write!(
                f,
                "{place} does not open with keyring key `{keyring_id}`: it was altered or moved, or sealed with \
                 another key of that id"
            ),
            OpenErrorKind::UnknownFormat => write!(f, "{place} is sealed in a format of a later version"),
            OpenErrorKind::UnknownKey => {
                write!(
                    f,
                    "{place} is sealed with keyring key `{keyring_id}`, which the keyring does not have"
                )
            }
        }
    }
}

impl Error for OpenError {}

/// The keyring is not the one that a database was sealed with. The [`source`](Error::source) says which key it is
/// about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CanaryError(pub(super) OpenError);

impl fmt::Display for CanaryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the keyring does not belong to this database: use the keyring file that the database was made with, \
             and leave every key in it that still seals a secret",
        )
    }
}

impl Error for CanaryError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

//! Where a keyring comes from: a file, readable by its owner alone and never overwritten, or the environment.

use super::{Keyring, KeyringError, keyring};
use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::Path,
};
use zeroize::Zeroizing;

impl Keyring {
    /// Reads a keyring from its file.
    ///
    /// # Errors
    ///
    /// [`KeyringError`] if the file cannot be read, if (on Unix) its group or others have any right to it, or if its
    /// text is no keyring. [`KeyringError::is_missing`] tells whether there is none.
    pub fn load(path: &Path) -> Result<Self, KeyringError> {
        let failed = |source| KeyringError::File { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(failed)?;
        // The open file is asked, not the path, which may name another file by now.
        refuse_open_to_others(&file, path)?;
        let mut text = Zeroizing::new(String::new());
        file.read_to_string(&mut text).map_err(failed)?;
        Self::parse(&text)
    }

    /// Reads a keyring from a variable of the environment, for where there is no place for a file; `None` if there is no
    /// such variable.
    ///
    /// # Security
    ///
    /// Programs hand their environment on to the programs that they start, and write it into reports of a crash.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn from_env(variable: &str) -> Result<Option<Self>, KeyringError> {
        let Some(text) = std::env::var_os(variable) else { return Ok(None) };
        let text = Zeroizing::new(text.into_string().map_err(|_| KeyringError::Malformed { line: 1 })?);
        Self::parse(&text).map(Some)
    }

    /// Makes a keyring of one key and writes it to a new file with mode 0600. `random` are 32 bytes from
    /// [`Clock::fill`](crate::clock::Clock::fill).
    ///
    /// The file is complete when it appears, so of two programs that start together one creates it and the other
    /// is told that it exists.
    ///
    /// # Errors
    ///
    /// [`KeyringError::File`] if the file exists already or cannot be written.
    pub fn create(path: &Path, random: [u8; 32]) -> Result<Self, KeyringError> {
        let random = Zeroizing::new(random);
        let text = keyring::line(&random);
        let written = write_new(path, &keyring::id_of(&random), text.as_bytes());
        written.map_err(|source| KeyringError::File { path: path.to_owned(), source })?;
        Self::parse(&text)
    }
}

#[cfg(unix)]
fn refuse_open_to_others(file: &File, path: &Path) -> Result<(), KeyringError> {
    use std::os::unix::fs::PermissionsExt;

    let metadata = file.metadata();
    let mode = metadata.map_err(|source| KeyringError::File { path: path.to_owned(), source })?;
    match mode.permissions().mode() & 0o777 {
        mode if mode & 0o077 != 0 => Err(KeyringError::Permissions { path: path.to_owned(), mode }),
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
fn refuse_open_to_others(_: &File, _: &Path) -> Result<(), KeyringError> {
    Ok(())
}

/// Writes a file under a name of its own and then links it to `path`: unlike a rename, a link never replaces a file.
fn write_new(path: &Path, suffix: &str, content: &[u8]) -> io::Result<()> {
    let mut draft = OsString::from(path);
    draft.push(".");
    draft.push(suffix);
    let linked = write_draft(draft.as_ref(), content).and_then(|()| fs::hard_link(&draft, path));
    let removed = fs::remove_file(&draft);
    linked.and(removed)?;
    sync_directory_of(path)
}

fn write_draft(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// A database must not outlive, in a power failure, the only key that opens it.
fn sync_directory_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        _ if cfg!(not(unix)) => Ok(()),
        Some(directory) if directory.as_os_str().is_empty() => File::open(".")?.sync_all(),
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_keyring_reads_back_and_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keyring");
        assert!(Keyring::load(&path).unwrap_err().is_missing());

        let made = Keyring::create(&path, [7; 32]).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(Keyring::load(&path).unwrap().active_id(), made.active_id());

        let again = Keyring::create(&path, [8; 32]).unwrap_err();
        assert!(matches!(&again, KeyringError::File { source, .. }
            if source.kind() == io::ErrorKind::AlreadyExists));
        assert!(!again.is_missing());
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left behind");
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_have_rights_to_the_file() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keyring");
        Keyring::create(&path, [7; 32]).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        for mode in [0o640, 0o604, 0o620, 0o601, 0o666] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let refused = Keyring::load(&path).unwrap_err();
            assert!(matches!(refused, KeyringError::Permissions { mode: found, .. } if found == mode));
            assert!(refused.to_string().contains("chmod 600"), "{refused}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        Keyring::load(&path).unwrap();
    }
}

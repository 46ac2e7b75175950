//! Files of the state folder, written whole or not at all.

use std::{
    fs::{self, DirBuilder, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum FileError {
    #[error("cannot use {}: {error}", .path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("other users can read {0} (mode {mode:04o}): run `chmod 600 {0}`", .path.display())]
    TooOpen { path: PathBuf, mode: u32 },
}

pub(crate) fn make_folder(folder: &Path) -> Result<(), FileError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| failed(folder, error))
}

pub(crate) fn read(path: &Path) -> Result<String, FileError> {
    fs::read_to_string(path).map_err(|error| failed(path, error))
}

/// Puts a file in place of another in one step.
pub(crate) fn write(path: &Path, text: &str, mode: u32) -> Result<(), FileError> {
    let temporary = path.with_extension(format!("new-{}", std::process::id()));
    let written = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(mode)
            .open(&temporary)?;
        // The mode above counts only for a file that did not exist, and less than the umask says.
        file.set_permissions(Permissions::from_mode(mode))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    written().map_err(|error| failed(path, error))
}

pub(crate) fn refuse_if_open(path: &Path) -> Result<(), FileError> {
    let mode = fs::metadata(path).map_err(|error| failed(path, error))?.mode() & 0o7777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(FileError::TooOpen {
        path: path.to_owned(),
        mode,
    })
}

fn failed(path: &Path, error: io::Error) -> FileError {
    FileError::Io {
        path: path.to_owned(),
        error,
    }
}

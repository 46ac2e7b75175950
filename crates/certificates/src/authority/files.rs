//! Files that are written whole or not at all.

use std::{
    fs::{self, DirBuilder, OpenOptions, Permissions},
    io::Write,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

use super::AuthorityError;

pub(super) fn make_folder(folder: &Path) -> Result<(), AuthorityError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| failed(folder, error))
}

pub(super) fn read(path: &Path) -> Result<String, AuthorityError> {
    fs::read_to_string(path).map_err(|error| failed(path, error))
}

/// Puts a file in place of another in one step.
pub(super) fn write(path: &Path, text: &str, mode: u32) -> Result<(), AuthorityError> {
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

pub(super) fn refuse_if_open(path: &Path) -> Result<(), AuthorityError> {
    let mode = fs::metadata(path).map_err(|error| failed(path, error))?.mode() & 0o7777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(AuthorityError::TooOpen {
        path: path.to_owned(),
        mode,
    })
}

fn failed(path: &Path, error: std::io::Error) -> AuthorityError {
    AuthorityError::Io {
        path: path.to_owned(),
        error,
    }
}

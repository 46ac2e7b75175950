//! The state folder: secrets minted at the first run and kept from then on.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

/// Name of the file in the state folder.
pub(crate) const FILE: &str = "secrets.toml";

/// Name of the file in the state folder that holds revoked usernames.
pub(crate) const REVOKED: &str = "revoked.jsonl";

const HEADING: &str = "\
# Minted by watari at its first run. Whoever reads this can use the relay and mint credentials.
# Delete the file and start again to make all of them void.
";

/// What the parts of the suite share and nobody else may know.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Secrets {
    /// Time-limited TURN credentials are made from it.
    pub(crate) turn_secret: String,
    /// Opens `/turn` and `/ice`.
    pub(crate) api_key: String,
}

/// Why the state folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StateError {
    #[error("no folder for state: neither HOME nor XDG_STATE_HOME is set; give one with --state")]
    NoFolder,
    #[error("{path} is open to other users (mode {mode:04o}): run `chmod {wanted} {path}`")]
    TooOpen {
        path: String,
        mode: u32,
        wanted: &'static str,
    },
    #[error("cannot use {path}: {error}; choose another folder with --state")]
    Io { path: String, error: io::Error },
    #[error(
        "{path} does not hold what watari wrote there: {error}; restore it, or delete it to mint new secrets"
    )]
    Damaged { path: String, error: String },
    #[error(
        "there are no secrets in {path} yet: start `watari up` once, or name another folder with --state"
    )]
    Absent { path: String },
}

/// The state folder: `chosen`, else what the XDG base directories say; root keeps it in `/var/lib`.
pub(crate) fn folder(chosen: Option<&Path>) -> Result<PathBuf, StateError> {
    if let Some(chosen) = chosen {
        return Ok(chosen.to_owned());
    }
    let absolute = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    if let Some(state) = absolute("XDG_STATE_HOME") {
        return Ok(state.join("watari"));
    }
    if runs_as_root() {
        return Ok(PathBuf::from("/var/lib/watari"));
    }
    absolute("HOME")
        .map(|home| home.join(".local/state/watari"))
        .ok_or(StateError::NoFolder)
}

/// Reads the secrets, minting them first when there are none.
pub(crate) fn load_or_mint(folder: &Path) -> Result<Secrets, StateError> {
    match load(folder) {
        Err(StateError::Absent { .. }) => {
            make_folder(folder)?;
            write_new(folder, &Secrets::mint()?)?;
            // Another process may have been faster; then its secrets count.
            load(folder)
        }
        done => done,
    }
}

/// Reads the secrets that are there.
pub(crate) fn load(folder: &Path) -> Result<Secrets, StateError> {
    let path = folder.join(FILE);
    let shown = || path.display().to_string();
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(StateError::Absent {
                path: folder.display().to_string(),
            });
        }
        Err(error) => return Err(StateError::Io { path: shown(), error }),
    };
    let failed = |error| StateError::Io { path: shown(), error };
    refuse_if_open(folder, &fs::metadata(folder).map_err(failed)?, 0o022, "700")?;
    refuse_if_open(&path, &file.metadata().map_err(failed)?, 0o077, "600")?;
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(failed)?;
    // The parser's own message would quote the line, and with it a secret.
    let damaged = |error: toml::de::Error| StateError::Damaged {
        path: shown(),
        error: error.message().into(),
    };
    toml::from_str(&text).map_err(damaged)
}

impl Secrets {
    fn mint() -> Result<Self, StateError> {
        Ok(Self {
            turn_secret: random()?,
            api_key: random()?,
        })
    }
}

/// 256 random bits as text that needs no quoting anywhere.
fn random() -> Result<String, StateError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| StateError::Io {
        path: "the system's random source".to_owned(),
        error: io::Error::other(error.to_string()),
    })?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

fn make_folder(folder: &Path) -> Result<(), StateError> {
    let failed = |error| StateError::Io {
        path: folder.display().to_string(),
        error,
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(failed)?;
    refuse_if_open(folder, &fs::metadata(folder).map_err(failed)?, 0o022, "700")
}

/// Writes the file whole or not at all, and never over one that is there.
fn write_new(folder: &Path, secrets: &Secrets) -> Result<(), StateError> {
    let path = folder.join(FILE);
    let failed = |error| StateError::Io {
        path: path.display().to_string(),
        error,
    };
    let values = toml::to_string(secrets).map_err(|error| failed(io::Error::other(error)))?;
    let temporary = folder.join(format!(".{FILE}.{}", std::process::id()));
    let written = write_temporary(&temporary, &format!("{HEADING}{values}"));
    // Unlike a rename, a link does not replace what another process has put there meanwhile.
    let linked = written.and_then(|()| fs::hard_link(&temporary, &path));
    let done = match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // File systems without links are rare, and two first runs at once on one rarer still.
        Err(_) if temporary.exists() => fs::rename(&temporary, &path),
        done => done,
    };
    // After the rename there is nothing left to remove.
    let _ = fs::remove_file(&temporary);
    done.and_then(|()| File::open(folder)?.sync_all()).map_err(failed)
}

fn write_temporary(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    // The mode above counts only for a file that did not exist.
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn refuse_if_open(
    path: &Path,
    metadata: &fs::Metadata,
    forbidden: u32,
    wanted: &'static str,
) -> Result<(), StateError> {
    let mode = metadata.mode() & 0o7777;
    if mode & forbidden == 0 {
        return Ok(());
    }
    Err(StateError::TooOpen {
        path: path.display().to_string(),
        mode,
        wanted,
    })
}

/// Tells by the owner of what this process opens, as the standard library has no word for it.
fn runs_as_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
        || std::env::var_os("USER").is_some_and(|user| user == "root")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new_folder() -> (tempfile::TempDir, PathBuf) {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("deep/watari");
        (parent, folder)
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn the_first_run_mints_and_later_runs_keep() {
        let (_parent, folder) = new_folder();
        assert!(matches!(load(&folder), Err(StateError::Absent { .. })));
        let first = load_or_mint(&folder).unwrap_or_else(|error| panic!("{error}"));
        let second = load_or_mint(&folder).unwrap_or_else(|error| panic!("{error}"));
        assert!(first == second);
        assert_eq!(first.turn_secret.len(), 43);
        assert_ne!(first.turn_secret, first.api_key);
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&folder.join(FILE)), 0o600);
        assert_eq!(
            fs::read_dir(&folder).unwrap().count(),
            1,
            "the temporary file is gone"
        );
    }

    #[test]
    fn what_others_can_read_or_replace_is_refused_with_the_remedy() {
        let (_parent, folder) = new_folder();
        load_or_mint(&folder).unwrap_or_else(|error| panic!("{error}"));
        let file = folder.join(FILE);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = load_or_mint(&folder).err().unwrap().to_string();
        assert!(
            refused.contains("mode 0640") && refused.contains("chmod 600"),
            "{refused}"
        );

        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        let refused = load_or_mint(&folder).err().unwrap().to_string();
        assert!(
            refused.contains("mode 0777") && refused.contains("chmod 700"),
            "{refused}"
        );
    }

    #[test]
    fn a_damaged_file_is_neither_replaced_nor_quoted() {
        let (_parent, folder) = new_folder();
        load_or_mint(&folder).unwrap_or_else(|error| panic!("{error}"));
        let file = folder.join(FILE);
        fs::write(&file, "turn_secret = \"hunter2\n").unwrap();
        let refused = load_or_mint(&folder).err().unwrap().to_string();
        assert!(
            refused.contains("secrets.toml") && !refused.contains("hunter2"),
            "{refused}"
        );
        assert_eq!(fs::read_to_string(&file).unwrap(), "turn_secret = \"hunter2\n");
    }

    #[test]
    fn of_many_first_runs_at_once_all_end_with_the_same_secrets() {
        let (_parent, folder) = new_folder();
        make_folder(&folder).unwrap();
        let minted: Vec<_> = (0..8)
            .map(|_| Secrets::mint().unwrap_or_else(|error| panic!("{error}")))
            .collect();
        for secrets in &minted {
            write_new(&folder, secrets).unwrap();
        }
        assert!(load(&folder).unwrap_or_else(|error| panic!("{error}")) == minted[0]);
    }
}

//! Secrets from the configuration or from files.

use std::{fs, io, path::PathBuf};

use crate::config::Hidden;

/// Why there is no secret to mint credentials with.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Neither key is set, or the file is empty.
    #[error(
        "set signaling.ice.secret or signaling.ice.secret_file to the secret that the TURN server checks credentials with"
    )]
    Missing,
    /// The file of another secret is empty.
    #[error("{key}: there is nothing in it")]
    Empty {
        /// The setting.
        key: String,
    },
    /// A setting cannot be used.
    #[error("{key}: {what}")]
    Invalid {
        /// The setting.
        key: String,
        /// Why.
        what: String,
    },
    /// The file cannot be read.
    #[error("{key} {}: {error}", path.display())]
    Unreadable {
        /// The setting.
        key: String,
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// Takes the text of the setting `key` or what stands in its file, without white space around it.
pub(super) fn read(
    key: &str,
    text: Option<&Hidden>,
    path: Option<&PathBuf>,
) -> Result<Option<String>, SecretError> {
    let (key, text) = match (text, path) {
        (Some(Hidden(text)), _) => (key.to_owned(), text.clone()),
        (None, Some(path)) => {
            let key = format!("{key}_file");
            match fs::read_to_string(path) {
                Ok(text) => (key, text),
                Err(error) => {
                    let path = path.clone();
                    return Err(SecretError::Unreadable { key, path, error });
                }
            }
        }
        (None, None) => return Ok(None),
    };
    match text.trim() {
        "" => Err(SecretError::Empty { key }),
        text => Ok(Some(text.to_owned())),
    }
}

//! Secrets from files and from the environment; never from where other users could read them.

use std::{fs, io, path::Path};

use crate::failure::Failure;

/// What a file holds, `-` being standard input, without white space around it.
pub(crate) fn of_file(path: &Path) -> Result<String, Failure> {
    let place = path.display().to_string();
    let text = if path == Path::new("-") {
        io::read_to_string(io::stdin())
    } else {
        fs::read_to_string(path)
    };
    match text {
        Ok(text) => trimmed(&text, place),
        Err(error) => Err(Failure::Secret { place, error }),
    }
}

/// What a variable of the environment holds, if it is set.
pub(crate) fn of_environment(name: &str) -> Result<Option<String>, Failure> {
    let Some(text) = std::env::var_os(name) else {
        return Ok(None);
    };
    let place = name.to_owned();
    match text.into_string() {
        Ok(text) => trimmed(&text, place).map(Some),
        Err(_) => Err(Failure::Secret {
            place,
            error: io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"),
        }),
    }
}

/// A secret from another place, if there is one in it.
pub(crate) fn trimmed(text: &str, place: String) -> Result<String, Failure> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Failure::EmptySecret { place });
    }
    Ok(text.to_owned())
}

//! Files for reports, opened before anything is measured: minutes later it would be too late to hear that they cannot be.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::failure::Failure;

/// A file that is to be written; what is in it stays until then.
pub(super) struct Output {
    path: PathBuf,
    file: File,
    /// It was not there before, and holds nothing yet.
    is_empty: bool,
}

impl Output {
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let create = |is_new| {
            let mut options = OpenOptions::new();
            options.write(true).create_new(is_new).open(path)
        };
        let (file, is_empty) = match create(true) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => (create(false), false),
            file => (file, true),
        };
        match file {
            Ok(file) => Ok(Self {
                path: path.to_owned(),
                file,
                is_empty,
            }),
            Err(error) => Err(unwritten(path, error)),
        }
    }

    /// Puts the text in place of what was there.
    pub(super) fn write(mut self, text: &str) -> Result<(), Failure> {
        self.is_empty = false;
        self.replace(text).map_err(|error| unwritten(&self.path, error))
    }

    fn replace(&mut self, text: &str) -> io::Result<()> {
        // A pipe or a terminal has no length.
        if self.file.metadata()?.is_file() {
            self.file.set_len(0)?;
        }
        self.file.write_all(text.as_bytes())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if self.is_empty {
            // An empty report would look like one that failed to be written.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn unwritten(path: &Path, error: io::Error) -> Failure {
    Failure::Write {
        path: path.to_owned(),
        error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_a_file_stays_until_there_is_a_report_and_no_empty_one_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report");
        drop(Output::open(&path).unwrap());
        assert!(!path.exists());
        fs::write(&path, "an earlier and longer report").unwrap();
        drop(Output::open(&path).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "an earlier and longer report");
        Output::open(&path).unwrap().write("a report").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "a report");
        assert!(Output::open(&folder.path().join("nowhere/report")).is_err());
    }
}

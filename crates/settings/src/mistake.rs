//! Mistakes in settings and where they were made.

use std::fmt;

/// Everything wrong with the settings, in the order a reader would meet it.
#[derive(Debug, thiserror::Error)]
pub struct Mistakes(Vec<Mistake>);

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where it was written.
    pub place: Place,
    /// The dotted key; empty when it concerns the whole file.
    pub key: String,
    /// What is wrong, in words.
    pub what: String,
    /// What was probably meant, or the line itself with a caret.
    pub hint: Option<String>,
}

/// The place of a mistake; orders file before environment before flags.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Line and column count from 1; line 0 stands for the file as a whole.
    File {
        /// The file's path as given.
        file: String,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
    },
    /// The name of an environment variable.
    Env(String),
    /// A flag as written on the command line.
    Flag(String),
}

impl Mistakes {
    pub(crate) fn new(mut found: Vec<Mistake>) -> Self {
        found.sort_by(|a, b| a.place.cmp(&b.place));
        found.dedup();
        Self(found)
    }

    /// Iterates over the mistakes in order of place.
    pub fn iter(&self) -> std::slice::Iter<'_, Mistake> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a Mistakes {
    type Item = &'a Mistake;
    type IntoIter = std::slice::Iter<'a, Mistake>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{mistake}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        let is_said = matches!(&self.place, Place::Flag(flag) if flag.ends_with(&self.key));
        if !self.key.is_empty() && !is_said {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}", self.what)?;
        match &self.hint {
            Some(hint) if hint.contains('\n') => write!(f, "\n{hint}"),
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, line: 0, .. } => write!(f, "{file}"),
            Self::File { file, line, column } => write!(f, "{file}:{line}:{column}"),
            Self::Env(name) => write!(f, "environment {name}"),
            Self::Flag(flag) => write!(f, "{flag}"),
        }
    }
}

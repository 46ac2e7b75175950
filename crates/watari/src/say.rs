//! Words to standard output, coloured when a person reads them.

use std::io::{self, IsTerminal, Write};

/// Prints text with a line end.
pub(crate) fn lines(text: &str) -> io::Result<()> {
    let end: &[u8] = if text.ends_with('\n') { b"" } else { b"\n" };
    bytes(&[text.as_bytes(), end].concat())
}

/// Prints bytes as they are; a reader that has gone away, as in `watari … | head -1`, is no error.
pub(crate) fn bytes(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

/// A word as a POSIX shell reads it back.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Escape codes for a terminal, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Colours {
    pub(crate) strong: &'static str,
    pub(crate) link: &'static str,
    pub(crate) faint: &'static str,
    pub(crate) good: &'static str,
    pub(crate) warning: &'static str,
    pub(crate) error: &'static str,
    pub(crate) plain: &'static str,
}

impl Colours {
    const NONE: Self = Self {
        strong: "",
        link: "",
        faint: "",
        good: "",
        warning: "",
        error: "",
        plain: "",
    };
    const ANSI: Self = Self {
        strong: "\x1b[1m",
        link: "\x1b[36m",
        faint: "\x1b[2m",
        good: "\x1b[32m",
        warning: "\x1b[1;33m",
        error: "\x1b[1;31m",
        plain: "\x1b[0m",
    };

    /// Colours when `stream` is a terminal and `NO_COLOR` is not set.
    pub(crate) fn on(stream: &impl IsTerminal) -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if stream.is_terminal() && !refused {
            Self::ANSI
        } else {
            Self::NONE
        }
    }
}

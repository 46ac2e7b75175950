//! One line that says what is being waited for, where a person looks on.

use std::io::{self, IsTerminal, Write};

use crate::say::Colours;

/// Goes to the start of the line and clears it.
const CLEAR: &str = "\r\x1b[2K";

/// A line on a terminal that the next one replaces; dropped, it is gone.
pub(super) struct Progress {
    is_shown: bool,
}

impl Progress {
    /// Shows nothing to scripts.
    pub(super) fn new(quiet: bool) -> Self {
        Self {
            is_shown: !quiet && io::stderr().is_terminal(),
        }
    }

    pub(super) fn say(&self, what: &str) {
        let Colours { faint, plain, .. } = Colours::on(&io::stderr());
        self.write(&format!("{CLEAR}{faint}{what} …{plain}"));
    }

    fn write(&self, text: &str) {
        if self.is_shown {
            // With nobody left to read it, the answer still counts.
            let _ = io::stderr().write_all(text.as_bytes());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.write(CLEAR);
    }
}

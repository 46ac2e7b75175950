//! A server as other programs know it, without running it.

use std::path::PathBuf;

use serde_json::Value;
use settings::{Mistakes, Source};

use crate::{Server, arguments};

/// What can be asked of a server's command without starting it.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// The name of the binary.
    pub name: &'static str,
    /// Its commented settings file, which holds every default.
    pub default_file: &'static str,
    schema: fn() -> Value,
    check: fn(&Source) -> Result<(), Mistakes>,
    command_line: fn() -> clap::Command,
}

impl Program {
    /// The program that [`main`](crate::main) runs for this server.
    pub const fn of<S: Server>() -> Self {
        Self {
            name: S::COMMAND.name,
            default_file: S::COMMAND.default_file,
            schema: || {
                let command = S::COMMAND;
                settings::schema::<S>(&format!("Settings of {}", command.name), command.default_file)
            },
            check: |source| settings::load::<S>(source).map(drop),
            command_line: || arguments::parser(&S::COMMAND),
        }
    }

    /// Where its settings come from: this file, and the environment of this process.
    pub fn source(&self, file: Option<PathBuf>) -> Source {
        arguments::environment().file(file)
    }

    /// Loads the settings, and looks at the files that they name, as the server would.
    ///
    /// # Errors
    /// Every mistake there is.
    pub fn check(&self, source: &Source) -> Result<(), Mistakes> {
        (self.check)(source)
    }

    /// A JSON Schema of its settings file.
    pub fn schema(&self) -> Value {
        (self.schema)()
    }

    /// Its flags with their help.
    pub fn command_line(&self) -> clap::Command {
        (self.command_line)()
    }
}

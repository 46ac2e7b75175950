//! Runs one server as a command of its own: arguments, settings, logs, pages, exit code.
//!
//! A server implements [`Server`] for the whole of its settings file and calls [`main`]. What all commands have
//! alike is here: the flags and their help, `sysexits.h` codes, the set-up of logs, signals and the runtime, and
//! the pages that show metrics and health.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests fail loudly"))]

mod arguments;
mod end;
mod pages;
mod program;
mod reloads;

use std::process::ExitCode;

use clap::error::ErrorKind;
use lifecycle::{Shutdown, exit};
use schemars::JsonSchema;
use settings::{Loaded, Source};
use tokio::runtime::Builder;

use arguments::Arguments;

pub use arguments::{Command, Listen};
pub use end::{End, bind};
pub use pages::{MetricsPages, Pages};
pub use program::Program;
pub use reloads::{Changeable, LOG_FILTER, Refused, Reloads};

/// The whole settings file of a server, and how to serve by it.
pub trait Server: Changeable + JsonSchema {
    /// What the command is called and what it says about itself.
    const COMMAND: Command;

    /// Serves until `shutdown` is requested or something fails, and meanwhile by settings that `reloads` reads.
    ///
    /// # Errors
    /// What there is to say about a failure, with the exit code for it.
    fn serve(&self, shutdown: Shutdown, reloads: Reloads) -> impl Future<Output = Result<(), End>>;

    /// Chooses the runtime that [`serve`](Self::serve) is run by; one thread unless a server asks for more.
    fn runtime() -> Builder {
        Builder::new_current_thread()
    }
}

/// Runs the command with the arguments of this process and says how it ended.
#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it is a command line program"
)]
pub fn main<S: Server>() -> ExitCode {
    let command = S::COMMAND;
    let arguments = match Arguments::parse(&command, std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return ExitCode::from(if asked { exit::OK } else { exit::USAGE });
        }
    };
    if let Some(shell) = arguments.completions {
        arguments::write_completions(&command, shell);
        return ExitCode::from(exit::OK);
    }
    if arguments.default_config {
        print!("{}", command.default_file);
        return ExitCode::from(exit::OK);
    }
    let source = arguments.source(&command);
    let settings: Loaded<S> = match settings::load_with_keys(&source) {
        Ok(settings) => settings,
        Err(mistakes) => {
            eprintln!("{mistakes}");
            return ExitCode::from(exit::CONFIG);
        }
    };
    if arguments.check {
        println!("the configuration is fine");
        return ExitCode::from(exit::OK);
    }
    match serve(settings, source) {
        Ok(()) => ExitCode::from(exit::OK),
        Err(end) => {
            eprintln!("{}: {end}", command.name);
            ExitCode::from(end.code())
        }
    }
}

fn serve<S: Server>(settings: Loaded<S>, source: Source) -> Result<(), End> {
    lifecycle::take_passed_sockets();
    let Loaded { value, keys } = settings;
    let logging = telemetry::init_logging(value.log()).map_err(End::config)?;
    let runtime = S::runtime().enable_all().build().map_err(End::failure)?;
    runtime.block_on(async {
        let shutdown = lifecycle::on_signals().map_err(End::failure)?;
        let reloads = Reloads::listen(source, keys, logging, &shutdown).map_err(End::failure)?;
        value.serve(shutdown, reloads).await
    })
}

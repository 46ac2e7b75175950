//! One binary that runs and diagnoses the whole suite.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests fail loudly"))]

mod addresses;
mod cli;
mod failure;
mod say;
mod secret;
mod state;
mod suite;
mod verbs;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Verb};
use failure::Failure;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return cli::refused(&error),
    };
    let done = match cli.verb {
        None => verbs::up::run(&cli.up),
        Some(Verb::Up(arguments)) => verbs::up::run(&arguments),
        Some(Verb::Credentials(arguments)) => verbs::credentials::run(&arguments),
        Some(Verb::Nat(arguments)) => verbs::nat::run(&arguments),
        Some(Verb::Bench(arguments)) => verbs::bench::run(&arguments),
        Some(Verb::Trust(arguments)) => verbs::trust::run(&arguments),
        Some(Verb::Health(arguments)) => verbs::health::run(&arguments),
        Some(Verb::Check(arguments)) => verbs::check::run(&arguments),
        Some(Verb::CheckConfig(arguments)) => verbs::check_config::run(&arguments),
        Some(Verb::DefaultConfig(arguments)) => verbs::default_config::run(&arguments),
        Some(Verb::ManPages { folder }) => verbs::man_pages::run(&folder),
        Some(Verb::Completions { shell }) => cli::completions(shell).map_err(Failure::from),
    };
    match done {
        Ok(()) => ExitCode::from(lifecycle::exit::OK),
        Err(failure) => failure.tell(),
    }
}

//! The `demo-web` command: arguments, settings, logs, and the page until it is told to end.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::{Parser, error::ErrorKind};
use lifecycle::exit;
use serde::Deserialize;
use settings::{Check, Report, Source};
use telemetry::LogConfig;
use tokio::net::TcpListener;
use tracing::info;

use crate::{Config, router};

/// The whole file of the stand-alone server, every key with its default.
const DEFAULT_FILE: &str = include_str!("../../../config/demo-web.toml");

/// The page of a video call that shows its path.
#[derive(Debug, Parser)]
#[command(
    name = "demo-web",
    version,
    after_help = "Exit codes: 0 ended when told to, 1 failed while running, 64 wrong command line, \
69 the address cannot be had, 78 wrong configuration."
)]
struct Arguments {
    /// The configuration file; without one, defaults and the environment (WATARI_WEB__LISTEN=...) count
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Sets one key, over the file and the environment: `web.signaling=https://signal.example.org`
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    set: Vec<(String, String)>,
    /// Writes the configuration file with all defaults and ends
    #[arg(long)]
    default_config: bool,
}

/// What the file may hold.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    web: Config,
    log: LogConfig,
}

impl Check for Settings {
    /// The types of the values say it all.
    fn check(&self, _report: &mut Report<'_>) {}
}

/// Runs the command and says how it ended.
#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it is a command line program"
)]
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return ExitCode::from(if asked { exit::OK } else { exit::USAGE });
        }
    };
    if arguments.default_config {
        print!("{DEFAULT_FILE}");
        return ExitCode::from(exit::OK);
    }
    let settings = match load(&arguments) {
        Ok(settings) => settings,
        Err(mistakes) => {
            eprintln!("{mistakes}");
            return ExitCode::from(exit::CONFIG);
        }
    };
    match serve(&settings) {
        Ok(()) => ExitCode::from(exit::OK),
        Err(error) => {
            eprintln!("demo-web: {error:#}");
            let unavailable = error.downcast_ref::<Unavailable>().is_some();
            ExitCode::from(if unavailable {
                exit::UNAVAILABLE
            } else {
                exit::FAILURE
            })
        }
    }
}

/// The address to listen on could not be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {0}; `ss -ltnp` shows who does, web.listen chooses another address")]
struct Unavailable(SocketAddr);

fn load(arguments: &Arguments) -> Result<Settings, settings::Mistakes> {
    let mut source = Source::new("WATARI_").file(arguments.config.clone());
    for (key, value) in &arguments.set {
        source.set(key, value);
    }
    settings::load(&source)
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or("must be KEY=VALUE, for example web.listen=127.0.0.1:8080")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn serve(settings: &Settings) -> anyhow::Result<()> {
    telemetry::init_logging(&settings.log)?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(serve_until_told(&settings.web))
}

async fn serve_until_told(config: &Config) -> anyhow::Result<()> {
    let shutdown = lifecycle::on_signals()?;
    let listener = TcpListener::bind(config.listen)
        .await
        .context(Unavailable(config.listen))?;
    info!("the page at http://{}", listener.local_addr()?);
    axum::serve(listener, router(config))
        .with_graceful_shutdown(shutdown.wait_owned())
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_file_is_the_defaults_and_its_examples_are_accepted() {
        let settings = |text: &str| {
            let source = Source {
                file: None,
                env_prefix: "WATARI_",
                reserved: &[],
                env: Vec::new(),
                overrides: Vec::new(),
            };
            settings::load_text::<Settings>(text, &source)
        };
        assert_eq!(settings(DEFAULT_FILE).unwrap().web, Config::default());
        let uncommented: String = DEFAULT_FILE
            .lines()
            .map(|line| {
                line.strip_prefix("#")
                    .filter(|rest| !rest.starts_with(' '))
                    .unwrap_or(line)
            })
            .flat_map(|line| [line, "\n"])
            .collect();
        let all = settings(&uncommented).unwrap();
        assert!(all.web.signaling.is_some(), "{uncommented}");
        let wrong = settings("[web]\nsignaling = \"ws://a\"\nlisten = 1\nlissen = 2").unwrap_err();
        assert_eq!(wrong.iter().count(), 3, "{wrong}");
    }
}

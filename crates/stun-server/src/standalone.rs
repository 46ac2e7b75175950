//! The `stun-server` command: arguments, settings, logs, pages, and the server until it is told to end.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{CommandFactory, Parser, error::ErrorKind};
use clap_complete::Shell;
use lifecycle::exit;
use serde::Deserialize;
use settings::{Check, Report, Source};
use telemetry::{Health, LogConfig};
use tokio::net::TcpListener;
use tracing::info;

use crate::{Config, Running, StartError, start};

/// A STUN binding server over UDP with NAT behaviour discovery (RFC 5780).
#[derive(Debug, Parser)]
#[command(
    name = "stun-server",
    version,
    after_help = "Exit codes: 0 ended when told to, 1 failed while running, \
64 wrong command line, 69 an address cannot be had, 78 wrong configuration."
)]
pub struct Arguments {
    /// The configuration file; without one, defaults and the environment (WATARI_STUN__LISTEN=...) count.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Sets one key, over the file and the environment: `stun.classic_stun=true`.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    pub set: Vec<(String, String)>,
    /// Listens on this address instead of stun.listen; may be given several times.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Vec<SocketAddr>,
    /// Checks the configuration and ends.
    #[arg(long)]
    pub check: bool,
    /// Writes the configuration file with all defaults and ends.
    #[arg(long)]
    pub default_config: bool,
    /// Writes the completions of a shell and ends.
    #[arg(long, value_name = "SHELL")]
    pub completions: Option<Shell>,
}

/// The whole file of the stand-alone server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The server.
    pub stun: Config,
    /// Where metrics and health are shown.
    pub metrics: MetricsPages,
    /// How to log.
    pub log: LogConfig,
}

/// Where `/metrics`, `/healthz` and `/readyz` are served.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsPages {
    /// TCP address and port.
    pub listen: SocketAddr,
}

impl Default for MetricsPages {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 9641)),
        }
    }
}

impl Check for Settings {
    fn check(&self, report: &mut Report<'_>) {
        report.within("stun", |report| self.stun.check(report));
    }
}

impl Arguments {
    /// Loads the settings these arguments ask for.
    ///
    /// # Errors
    /// All mistakes there are.
    pub fn load(&self) -> Result<Settings, settings::Mistakes> {
        let mut source = Source::new("WATARI_").file(self.config.clone());
        for (key, value) in &self.set {
            source.set(key, value);
        }
        if !self.listen.is_empty() {
            let listen: Vec<_> = self
                .listen
                .iter()
                .map(|address| format!("\"{address}\""))
                .collect();
            source.flag("--listen", "stun.listen", &format!("[{}]", listen.join(", ")));
        }
        settings::load(&source)
    }
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or("must be KEY=VALUE, for example stun.classic_stun=true")?;
    Ok((key.to_owned(), value.to_owned()))
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
    if let Some(shell) = arguments.completions {
        clap_complete::generate(
            shell,
            &mut Arguments::command(),
            "stun-server",
            &mut std::io::stdout(),
        );
        return ExitCode::from(exit::OK);
    }
    if arguments.default_config {
        print!("{}", crate::DEFAULT_FILE);
        return ExitCode::from(exit::OK);
    }
    let settings = match arguments.load() {
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
    match serve(&settings) {
        Ok(()) => ExitCode::from(exit::OK),
        Err(end) => {
            eprintln!("stun-server: {}", end.what);
            ExitCode::from(end.code)
        }
    }
}

/// What the command says in the end, and its exit code.
struct End {
    code: u8,
    what: String,
}

impl End {
    fn new(code: u8, what: impl ToString) -> Self {
        Self {
            code,
            what: what.to_string(),
        }
    }
}

fn serve(settings: &Settings) -> Result<(), End> {
    telemetry::init_logging(&settings.log).map_err(|error| End::new(exit::CONFIG, error))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| End::new(exit::FAILURE, error))?;
    runtime.block_on(serve_until_told(settings))
}

async fn serve_until_told(settings: &Settings) -> Result<(), End> {
    let shutdown = lifecycle::on_signals().map_err(|error| End::new(exit::FAILURE, error))?;
    let registry = telemetry::registry();
    let health = Health::new();
    let pages = TcpListener::bind(settings.metrics.listen)
        .await
        .map_err(|error| {
            let address = settings.metrics.listen;
            End::new(
                exit::UNAVAILABLE,
                format!("cannot listen on TCP {address}: {error}. Change metrics.listen"),
            )
        })?;
    let running = start(&settings.stun, &registry, &health, shutdown.clone()).map_err(start_end)?;
    announce(&running);
    if let Ok(address) = pages.local_addr() {
        info!("metrics at http://{address}/metrics");
    }

    let pages = tokio::spawn(telemetry::serve(
        pages,
        registry,
        health.clone(),
        shutdown.wait_owned(),
    ));
    let result = running
        .finished()
        .await
        .map_err(|error| End::new(exit::FAILURE, error));
    health.set_draining();
    shutdown.request();
    if let Ok(Err(error)) = pages.await {
        tracing::warn!(%error, "the metrics pages ended early");
    }
    result
}

fn start_end(error: StartError) -> End {
    let code = match error {
        StartError::Config { .. } => exit::CONFIG,
        StartError::Listen { .. } => exit::UNAVAILABLE,
        StartError::Metrics(_) | StartError::System { .. } => exit::FAILURE,
    };
    End::new(code, error)
}

fn announce(running: &Running) {
    for listener in running.listeners() {
        info!("STUN at udp {listener}");
    }
}

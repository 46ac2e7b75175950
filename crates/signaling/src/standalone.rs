//! The `signaling` command: arguments, settings, logs, and the server until it is told to end.

use std::{fmt::Display, net::SocketAddr, path::PathBuf, pin::pin, process::ExitCode, time::Duration};

use axum::serve::ListenerExt as _;
use clap::{CommandFactory as _, Parser, error::ErrorKind};
use clap_complete::Shell;
use lifecycle::{Shutdown, Supervisor, exit};
use serde::Deserialize;
use settings::{Check, Report, Source};
use telemetry::{Health, LogConfig};
use tokio::{net::TcpListener, time::timeout};

use crate::{Config, IceServers, Signaling, tune};

/// The configuration file with every key at its default.
const DEFAULT_FILE: &str = include_str!("../../../config/signaling.toml");

/// How long everything may take to end once that was asked for.
const GRACE: Duration = Duration::from_secs(6);

/// How long answers that are under way may take after clients have been told.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// Signaling for WebRTC calls over Socket.IO and WebSocket, with TURN credentials.
#[derive(Debug, Parser)]
#[command(
    name = "signaling",
    version,
    after_help = "Exit codes: 0 ended when told to, 1 failed while running, \
64 wrong command line, 69 an address cannot be had, 78 wrong configuration."
)]
struct Arguments {
    /// The configuration file; without one, defaults and the environment (WATARI_SIGNALING__LISTEN=...) count.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Sets one key, over the file and the environment: `signaling.rooms.capacity=4`.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    set: Vec<(String, String)>,
    /// Listens on this address instead of signaling.listen.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Checks the configuration and ends.
    #[arg(long)]
    check: bool,
    /// Writes the configuration file with all defaults and ends.
    #[arg(long)]
    default_config: bool,
    /// Writes the completions of a shell and ends.
    #[arg(long, value_name = "SHELL")]
    completions: Option<Shell>,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or("must be KEY=VALUE, for example signaling.rooms.capacity=4")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// The whole file of the stand-alone server.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    signaling: Config,
    metrics: MetricsPages,
    log: LogConfig,
}

/// Where `/metrics`, `/healthz` and `/readyz` are served.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct MetricsPages {
    listen: SocketAddr,
}

impl Default for MetricsPages {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 9642)),
        }
    }
}

impl Check for Settings {
    fn check(&self, report: &mut Report<'_>) {
        report.within("signaling", |report| self.signaling.check(report));
        let ice = &self.signaling.ice;
        if ice.secret.is_none() && ice.secret_file.is_none() {
            report.mistake(
                "signaling.ice.secret",
                "is needed to make credentials: set it, or signaling.ice.secret_file, to the TURN server's secret",
            );
        }
    }
}

impl Arguments {
    fn load(&self) -> Result<Settings, settings::Mistakes> {
        let mut source = Source::new("WATARI_").file(self.config.clone());
        for (key, value) in &self.set {
            source.set(key, value);
        }
        if let Some(listen) = self.listen {
            source.flag("--listen", "signaling.listen", &listen.to_string());
        }
        settings::load(&source)
    }
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
        let command = &mut Arguments::command();
        clap_complete::generate(shell, command, "signaling", &mut std::io::stdout());
        return ExitCode::from(exit::OK);
    }
    if arguments.default_config {
        print!("{DEFAULT_FILE}");
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
            eprintln!("signaling: {}", end.what);
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
    fn new(code: u8, what: impl Display) -> Self {
        Self {
            code,
            what: what.to_string(),
        }
    }
}

fn serve(settings: &Settings) -> Result<(), End> {
    telemetry::init_logging(&settings.log).map_err(|error| End::new(exit::CONFIG, error))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| End::new(exit::FAILURE, error))?;
    runtime.block_on(serve_until_told(settings))
}

async fn serve_until_told(settings: &Settings) -> Result<(), End> {
    let shutdown = lifecycle::on_signals().map_err(|error| End::new(exit::FAILURE, error))?;
    let registry = telemetry::registry();
    let health = Health::new();
    let config = &settings.signaling;
    let ice = IceServers::from_config(&config.ice).map_err(|error| End::new(exit::CONFIG, error))?;
    let listener = bind(config.listen, "signaling.listen").await?;
    let pages = bind(settings.metrics.listen, "metrics.listen").await?;
    let signaling = Signaling::start(config, ice, &registry, shutdown.clone())
        .map_err(|error| End::new(exit::FAILURE, error))?;
    announce(&listener, &pages);

    let mut parts = Supervisor::new(shutdown.clone());
    let metrics = telemetry::serve(pages, registry, health.clone(), shutdown.wait_owned());
    parts.task("metrics", metrics);
    parts.task("signaling", serve_router(listener, signaling, shutdown));
    health.set_ready("signaling", true);
    parts
        .run(GRACE)
        .await
        .map_err(|failure| End::new(exit::FAILURE, failure))
}

async fn serve_router(
    listener: TcpListener,
    signaling: Signaling,
    shutdown: Shutdown,
) -> std::io::Result<()> {
    let Signaling { router, drained } = signaling;
    let listener = listener.tap_io(tune);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let served = axum::serve(listener, service).with_graceful_shutdown(shutdown.wait_owned());
    let mut served = pin!(served.into_future());
    let ended = tokio::select! {
        ended = &mut served => Some(ended),
        () = shutdown.wait() => None,
    };
    drained.wait().await;
    match ended {
        Some(ended) => ended,
        // The farewell of who polls is an answer that may still be on its way.
        None => timeout(LAST_ANSWERS, served).await.unwrap_or(Ok(())),
    }
}

async fn bind(address: SocketAddr, key: &str) -> Result<TcpListener, End> {
    TcpListener::bind(address).await.map_err(|error| {
        let what = format!("cannot listen on TCP {address}: {error}. Change {key}, or see `ss -ltnp`");
        End::new(exit::UNAVAILABLE, what)
    })
}

fn announce(listener: &TcpListener, pages: &TcpListener) {
    // A listener that is bound has an address.
    if let (Ok(listener), Ok(pages)) = (listener.local_addr(), pages.local_addr()) {
        tracing::info!("signaling at http://{listener} (/socket.io/, /ws, /turn, /ice)");
        tracing::info!("metrics at http://{pages}/metrics");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Settings, settings::Mistakes> {
        settings::load_text(
            text,
            &Source {
                env: Vec::new(),
                ..Source::new("WATARI_")
            },
        )
    }

    #[test]
    fn the_sample_file_says_the_defaults() {
        let sample = DEFAULT_FILE.replace("# secret = \"\"", "secret = \"north\"");
        let mut expected = Settings::default();
        expected.signaling.ice.secret = Some(crate::Hidden("north".into()));
        assert_eq!(load(&sample).unwrap(), expected);
    }

    #[test]
    fn a_file_without_a_secret_is_told_so() {
        let mistakes = load(DEFAULT_FILE).unwrap_err().to_string();
        assert!(mistakes.contains("signaling.ice.secret"), "{mistakes}");
    }

    #[test]
    fn every_mistake_is_listed_with_its_line() {
        let text = r#"[signaling]
allowed_origins = ["*", "https://a.example", "a.example"]
trusted_proxies = ["10.0.0.0"]
lisen = "x"
[signaling.rooms]
capacity = 1
[signaling.limits]
message_bytes = 10
ping_seconds = 0
[signaling.ice]
urls = ["turn:a.example", "turn://b.example"]
ttl = 90000
secret = "north"
[signaling.credentials]
api_keys = ["short"]
"#;
        let mistakes = load(text).unwrap_err().to_string();
        for (line, key) in [
            (2, "allowed_origins[2]"),
            (3, "trusted_proxies[0]"),
            (4, "lisen"),
            (6, "capacity"),
            (8, "message_bytes"),
            (9, "ping_seconds"),
            (11, "urls[1]"),
            (12, "max_ttl"),
            (15, "api_keys[0]"),
        ] {
            let found = mistakes
                .lines()
                .any(|text| text.contains(key) && text.contains(&format!(":{line}:")));
            let nearest = key == "max_ttl" && mistakes.contains(key);
            assert!(found || nearest, "{key} at line {line} in:\n{mistakes}");
        }
        assert!(!mistakes.contains("urls[0]") && !mistakes.contains("allowed_origins[1]"));
    }
}

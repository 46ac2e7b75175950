//! The `stun-server` command: its settings, and the server until it is told to end.

use std::process::ExitCode;

use certificates::Certificates;
use lifecycle::{Shutdown, exit};
use schemars::JsonSchema;
use serde::Deserialize;
use settings::{Check, Report};
use standalone::{Changeable, Command, End, Listen, MetricsPages, Pages, Program, Refused, Reloads, Server};
use telemetry::LogConfig;
use tracing::info;

use crate::{Config, DEFAULT_FILE, Running, StartError, Surroundings, start};

/// The command as others know it: its flags, and what it says of a configuration.
pub const PROGRAM: Program = Program::of::<Settings>();

/// Runs the command and says how it ended.
pub fn main() -> ExitCode {
    standalone::main::<Settings>()
}

/// The whole file of the stand-alone server.
#[derive(Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) stun: Config,
    metrics: MetricsPages<9643>,
    log: LogConfig,
}

impl Check for Settings {
    fn check(&self, report: &mut Report<'_>) {
        report.within("stun", |report| self.stun.check(report));
    }
}

impl Changeable for Settings {
    /// What is in its certificates' files changes, under whatever keys.
    fn while_running() -> Vec<&'static str> {
        Vec::new()
    }

    fn log(&self) -> &LogConfig {
        &self.log
    }
}

impl Server for Settings {
    const COMMAND: Command = Command {
        name: "stun-server",
        about: "A STUN binding server over UDP, TCP and TLS with NAT behaviour discovery (RFC 5780)",
        default_file: DEFAULT_FILE,
        listen: Listen::Several("stun.listen"),
        setting: "stun.classic_stun=true",
        variable: "WATARI_STUN__LISTEN",
        built_with: None,
    };

    async fn serve(&self, shutdown: Shutdown, mut reloads: Reloads) -> Result<(), End> {
        let pages = Pages::bind(&self.metrics).await?;
        let certificates = Certificates::load(&self.stun.tls.certificates).map_err(|mistakes| {
            let first = mistakes.first().map(ToString::to_string);
            End::new(exit::CONFIG, first.unwrap_or_default())
        })?;
        // Nothing is watched without a certificate.
        let watch = (!certificates.is_empty()).then(|| certificates.watch());
        let _watch = watch.transpose().map_err(End::failure)?;
        certificates
            .register_as("stun", &pages.registry)
            .map_err(End::failure)?;
        reloads.register("stun", &pages.registry).map_err(End::failure)?;
        let surroundings = Surroundings::new(&pages.registry, &pages.health, shutdown.clone())
            .with_certificates(certificates.clone());
        let running = start(&self.stun, surroundings).map_err(start_end)?;
        announce(&running);
        pages.announce();
        let apply = async |_: &Self| certificates.look_again().map_err(Refused::new);
        let serving = pages.serve_beside(running.finished(), shutdown);
        reloads.beside(serving, apply).await
    }
}

fn start_end(error: StartError) -> End {
    let code = match error {
        StartError::Config { .. } => exit::CONFIG,
        StartError::Listen { .. } | StartError::ListenTcp { .. } => exit::UNAVAILABLE,
        StartError::Metrics(_) | StartError::System { .. } => exit::FAILURE,
    };
    End::new(code, error)
}

fn announce(running: &Running) {
    for listener in running.listeners() {
        info!("STUN at udp {listener}");
    }
    for listener in running.tcp_listeners() {
        info!("STUN at tcp {listener}");
    }
}

//! The `turn-server` command: its settings, and the server until it is told to end.

use std::process::ExitCode;

use certificates::Certificates;
use lifecycle::{Shutdown, exit};
use schemars::JsonSchema;
use serde::Deserialize;
use settings::{Check, Report};
use standalone::{Changeable, Command, End, Listen, MetricsPages, Pages, Program, Refused, Reloads, Server};
use telemetry::LogConfig;
use tracing::info;

use crate::{Config, DEFAULT_FILE, Running, StartError, Surroundings, WHILE_RUNNING, start};

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
    pub(crate) turn: Config,
    metrics: MetricsPages<9641>,
    log: LogConfig,
}

impl Check for Settings {
    fn check(&self, report: &mut Report<'_>) {
        report.within("turn", |report| {
            self.turn.check(report);
            if !self.turn.has_credentials() {
                report.mistake(
                    "shared_secrets",
                    "nobody could use the relay: set turn.shared_secrets, turn.shared_secret_file, [turn.users] or [turn.oauth]",
                );
            }
        });
    }
}

impl Changeable for Settings {
    fn while_running() -> Vec<&'static str> {
        WHILE_RUNNING.to_vec()
    }

    fn log(&self) -> &LogConfig {
        &self.log
    }
}

impl Server for Settings {
    const COMMAND: Command = Command {
        name: "turn-server",
        about: "A TURN server (RFC 8656) over UDP, TCP and TLS",
        default_file: DEFAULT_FILE,
        listen: Listen::Several("turn.listen"),
        setting: "turn.realm=example.org",
        variable: "WATARI_TURN__REALM",
        built_with: Some(crate::built_with),
    };

    async fn serve(&self, shutdown: Shutdown, mut reloads: Reloads) -> Result<(), End> {
        let mut pages = Pages::bind(&self.metrics).await?;
        let certificates = Certificates::load(&self.turn.tls.certificates).map_err(|mistakes| {
            let first = mistakes.first().map(ToString::to_string);
            End::new(exit::CONFIG, first.unwrap_or_default())
        })?;
        // Nothing is watched without a certificate.
        let watch = (!certificates.is_empty()).then(|| certificates.watch());
        let _watch = watch.transpose().map_err(End::failure)?;
        certificates.register(&pages.registry).map_err(End::failure)?;
        reloads.register("turn", &pages.registry).map_err(End::failure)?;
        let surroundings = Surroundings::new(&pages.registry, &pages.health, shutdown.clone())
            .with_certificates(certificates.clone());
        let running = start(&self.turn, surroundings).map_err(start_end)?;
        announce(&running, &self.turn);
        pages.add(running.admin());
        pages.announce();
        let reloader = running.reloader();
        let apply = async |settings: &Self| {
            let prepared = reloader.prepare(&settings.turn).map_err(Refused::new)?;
            certificates.look_again().map_err(Refused::new)?;
            prepared.apply().await;
            Ok(())
        };
        let serving = pages.serve_beside(running.finished(), shutdown);
        reloads.beside(serving, apply).await
    }
}

fn start_end(error: StartError) -> End {
    let code = match error {
        StartError::Config { .. } => exit::CONFIG,
        StartError::Listen { .. } | StartError::ListenTcp { .. } | StartError::RelayAddress { .. } => {
            exit::UNAVAILABLE
        }
        StartError::Metrics(_) | StartError::System { .. } => exit::FAILURE,
    };
    End::new(code, error)
}

fn announce(running: &Running, config: &Config) {
    for listener in running.listeners() {
        info!("TURN and STUN at udp {listener}");
    }
    for listener in running.tcp_listeners() {
        info!("TURN and STUN at tcp {listener}");
    }
    for listener in running.tls_listeners() {
        info!("TURN and STUN at tls {listener}");
    }
    for listener in running.dtls_listeners() {
        info!("TURN and STUN over DTLS at udp {listener}");
    }
    let relay = &config.relay;
    info!(
        workers = running.workers(),
        "relay ports {} to {}", relay.min_port, relay.max_port
    );
}

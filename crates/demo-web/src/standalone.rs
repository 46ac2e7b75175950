//! The `demo-web` command: its settings, and the page until it is told to end.

use std::process::ExitCode;

use lifecycle::{Shutdown, warn_of_idle_listeners};
use schemars::JsonSchema;
use serde::Deserialize;
use settings::{Check, Report};
use standalone::{Changeable, Command, End, Listen, Program, Reloads, Server, bind};
use telemetry::{Health, LogConfig};
use tracing::info;

use crate::{Config, router};

/// The whole file of the stand-alone server, every key with its default.
const DEFAULT_FILE: &str = include_str!("../../../config/demo-web.toml");

/// The command as others know it: its flags, and what it says of a configuration.
pub const PROGRAM: Program = Program::of::<Settings>();

/// Runs the command and says how it ended.
pub fn main() -> ExitCode {
    standalone::main::<Settings>()
}

/// What the file may hold.
#[derive(Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    web: Config,
    log: LogConfig,
}

impl Check for Settings {
    /// The types of the values say it all.
    fn check(&self, _report: &mut Report<'_>) {}
}

impl Changeable for Settings {
    fn while_running() -> Vec<&'static str> {
        Vec::new()
    }

    fn log(&self) -> &LogConfig {
        &self.log
    }
}

impl Server for Settings {
    const COMMAND: Command = Command {
        name: "demo-web",
        about: "The page of a video call that shows its path",
        default_file: DEFAULT_FILE,
        listen: Listen::One("web.listen"),
        setting: "web.signaling=https://signal.example.org",
        variable: "WATARI_WEB__LISTEN",
        built_with: None,
    };

    async fn serve(&self, shutdown: Shutdown, reloads: Reloads) -> Result<(), End> {
        let listener = bind(self.web.listen, "web.listen").await?;
        let address = listener.local_addr().map_err(End::failure)?;
        info!("the page at http://{address}");
        let health = Health::new();
        warn_of_idle_listeners();
        health.set_ready("page", true);
        let page = axum::serve(listener, router(&self.web)).with_graceful_shutdown(shutdown.wait_owned());
        let serving = telemetry::keep_service_manager_informed(&health, shutdown.wait(), page.into_future());
        let done = reloads.beside(serving, async |_: &Self| Ok(())).await;
        done.map_err(End::failure)
    }
}

#[cfg(test)]
mod tests {
    use settings::Source;

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
                    .filter(|rest| !rest.starts_with([' ', ':']))
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

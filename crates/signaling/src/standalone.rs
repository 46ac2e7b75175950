//! The `signaling` command: its settings, and the server until it is told to end.

use std::{net::SocketAddr, pin::pin, process::ExitCode, time::Duration};

use axum::{Router, serve::ListenerExt as _};
use lifecycle::{Shutdown, Supervisor, warn_of_idle_listeners};
use schemars::JsonSchema;
use serde::Deserialize;
use settings::{Check, Report};
use standalone::{
    Changeable, Command, End, Listen, MetricsPages, Pages, Program, Refused, Reloads, Server, bind,
};
use telemetry::LogConfig;
use tokio::{net::TcpListener, runtime::Builder, time::timeout};

use crate::{Config, Drained, IceServers, NodeConfig, Signaling, WHILE_RUNNING, tune};

/// The configuration file with every key at its default.
const DEFAULT_FILE: &str = include_str!("../../../config/signaling.toml");

/// How long everything may take to end once that was asked for.
const GRACE: Duration = Duration::from_secs(6);

/// How long answers that are under way may take after clients have been told.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// The command as others know it: its flags, and what it says of a configuration.
pub const PROGRAM: Program = Program::of::<Settings>();

/// Runs the command and says how it ended.
pub fn main() -> ExitCode {
    standalone::main::<Settings>()
}

/// The whole file of the stand-alone server.
#[derive(Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    signaling: Config,
    metrics: MetricsPages<9642>,
    log: LogConfig,
}

impl Check for Settings {
    fn check(&self, report: &mut Report<'_>) {
        report.within("signaling", |report| self.signaling.check(report));
        let ice = &self.signaling.ice;
        let has_own = |node: &NodeConfig| node.secret.is_some() || node.secret_file.is_some();
        let have_own = !ice.nodes.is_empty() && ice.nodes.iter().all(has_own);
        if ice.secret.is_none() && ice.secret_file.is_none() && !have_own {
            report.mistake(
                "signaling.ice.secret",
                "is needed to make credentials: set it, or signaling.ice.secret_file, to the TURN server's secret (or each of nodes has its own)",
            );
        }
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
        name: "signaling",
        about: "Signaling for WebRTC calls over Socket.IO and WebSocket, with TURN credentials",
        default_file: DEFAULT_FILE,
        listen: Listen::One("signaling.listen"),
        setting: "signaling.rooms.capacity=8",
        variable: "WATARI_SIGNALING__LISTEN",
        built_with: None,
    };

    async fn serve(&self, shutdown: Shutdown, mut reloads: Reloads) -> Result<(), End> {
        let config = &self.signaling;
        let ice = IceServers::from_config(&config.ice).map_err(End::config)?;
        let listener = bind(config.listen, "signaling.listen").await?;
        let pages = Pages::bind(&self.metrics).await?;
        let signaling = Signaling::start(config, ice, &pages.registry, shutdown.clone()).await;
        let Signaling {
            router,
            drained,
            reloader,
        } = signaling.map_err(End::failure)?;
        reloads
            .register("signaling", &pages.registry)
            .map_err(End::failure)?;
        announce(&listener);
        pages.announce();

        let mut parts = Supervisor::new(shutdown.clone());
        parts.task(
            "signaling",
            serve_router(listener, router, drained, shutdown.clone()),
        );
        warn_of_idle_listeners();
        pages.health.set_ready("signaling", true);
        let grace = GRACE + Duration::from_secs(config.drain_seconds);
        let apply = async |settings: &Self| {
            let config = &settings.signaling;
            let ice = IceServers::from_config(&config.ice).map_err(|error| Refused::new([error]))?;
            let prepared = reloader.prepare(config, ice);
            prepared.map_err(|error| Refused::new([error]))?.apply();
            Ok(())
        };
        let serving = pages.serve_beside(parts.run(grace), shutdown);
        reloads.beside(serving, apply).await
    }

    fn runtime() -> Builder {
        Builder::new_multi_thread()
    }
}

async fn serve_router(
    listener: TcpListener,
    router: Router,
    drained: Drained,
    shutdown: Shutdown,
) -> std::io::Result<()> {
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

fn announce(listener: &TcpListener) {
    // A listener that is bound has an address.
    if let Ok(address) = listener.local_addr() {
        tracing::info!("signaling at http://{address} (/socket.io/, /ws, /peerjs, /y-webrtc, /turn, /ice)");
    }
}

#[cfg(test)]
mod tests {
    use settings::Source;

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
    fn keys_may_stand_beside_endpoints_that_are_open_to_everyone() {
        let text = "[signaling]\nice.secret = \"north\"\n\
                    credentials = { anonymous = true, api_keys = [\"0123456789abcdef\"] }";
        assert!(load(text).unwrap().signaling.credentials.anonymous);
    }

    #[test]
    fn every_mistake_is_listed_with_its_line() {
        let text = r#"[signaling]
allowed_origins = ["*", "https://a.example", "a.example"]
trusted_proxies = ["10.0.0.0"]
lisen = "x"
[signaling.rooms]
capacity = 1
[signaling.classic]
capacity = 65
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
            (8, "capacity"),
            (10, "message_bytes"),
            (11, "ping_seconds"),
            (13, "urls[1]"),
            (14, "max_ttl"),
            (17, "api_keys[0]"),
        ] {
            let found = mistakes
                .lines()
                .any(|text| text.contains(key) && text.contains(&format!(":{line}:")));
            let nearest = key == "max_ttl" && mistakes.contains(key);
            assert!(found || nearest, "{key} at line {line} in:\n{mistakes}");
        }
        assert!(!mistakes.contains("urls[0]") && !mistakes.contains("allowed_origins[1]"));
    }

    #[test]
    fn a_key_in_the_wrong_place_is_a_mistake() {
        let secret = "0123456789abcdef0123456789abcdef";
        for (text, place) in [
            ("room_tokens.required = true".to_owned(), "room_tokens.required"),
            (
                "room_tokens.keys = [{ algorithm = \"HS256\", secret = \"short\" }]".into(),
                "keys[0].secret",
            ),
            (
                format!(
                    "room_tokens.keys = [{{ algorithm = \"HS256\", secret = \"short{}\" }}]",
                    " ".repeat(32)
                ),
                "keys[0].secret",
            ),
            (
                format!("room_tokens.keys = [{{ algorithm = \"EdDSA\", secret = \"{secret}\" }}]"),
                "keys[0].secret",
            ),
            (
                "room_tokens.keys = [{ algorithm = \"HS256\", public_key = \"-----\" }]".into(),
                "keys[0].public_key",
            ),
            (
                "room_tokens.keys = [{ algorithm = \"RS256\" }]".into(),
                "keys[0].algorithm",
            ),
            (
                format!("room_tokens.keys = [{{ algorithm = \"none\", secret = \"{secret}\" }}]"),
                "keys[0].algorithm",
            ),
            ("resume.seconds = 601".into(), "resume.seconds"),
            ("resume.total_bytes = 4096".into(), "resume.total_bytes"),
            ("peerjs.key = \"a/b\"".into(), "peerjs.key"),
            ("y_webrtc.subscribers = 1".into(), "y_webrtc.subscribers"),
            ("y_webrtc.total_topics = 0".into(), "y_webrtc.total_topics"),
        ] {
            assert_mistake(&text, place);
        }
    }

    #[test]
    fn every_mistake_about_a_node_is_listed_with_its_line() {
        let text = r#"[signaling.ice]
secret = "north"
urls = ["turn:a.example"]
nodes_per_client = 0
probe_seconds = 0
admin = { url = "ftp://a", token = "0123456789abcdef" }
[[signaling.ice.nodes]]
name = "a b"
urls = ["turns:a.example", "turn://b"]
region = ""
weight = 0
[[signaling.ice.nodes]]
name = "b"
urls = ["stun:b.example"]
probe = "b.example"
secret = "x"
secret_file = "y"
admin = { url = "http://b.example:9641/?x", token = "short" }
[[signaling.ice.nodes]]
name = "b"
urls = ["turn:c.example"]
admin = { url = "https://c.example", token = "0123456789abcdef", token_file = "x" }
"#;
        let mistakes = load(text).unwrap_err().to_string();
        for (line, key) in [
            (3, "ice.urls:"),
            (4, "ice.nodes_per_client"),
            (5, "ice.probe_seconds"),
            (6, "ice.admin:"),
            (6, "ice.admin.url"),
            (7, "ice.nodes[0].admin"),
            (8, "ice.nodes[0].name"),
            (9, "ice.nodes[0].urls[1]"),
            (10, "ice.nodes[0].region"),
            (11, "ice.nodes[0].weight"),
            (14, "ice.nodes[1].urls"),
            (15, "ice.nodes[1].probe"),
            (17, "ice.nodes[1].secret_file"),
            (18, "ice.nodes[1].admin.url"),
            (18, "ice.nodes[1].admin.token"),
            (20, "ice.nodes[2].name"),
            (22, "ice.nodes[2].admin.token_file"),
        ] {
            let found = mistakes
                .lines()
                .any(|text| text.contains(key) && text.contains(&format!(":{line}:")));
            assert!(found, "{key} at line {line} in:\n{mistakes}");
        }
        let probeless =
            "[[signaling.ice.nodes]]\nname = \"a\"\nurls = [\"turns:a.example\"]\nsecret = \"x\"\n";
        let mistakes = load(probeless).unwrap_err().to_string();
        assert!(mistakes.contains("ice.nodes[0].probe: is needed"), "{mistakes}");
        let secretless = probeless.replace("turns", "turn").replace("secret", "# secret");
        let mistakes = load(&secretless).unwrap_err().to_string();
        assert!(mistakes.contains("signaling.ice.secret: is needed"), "{mistakes}");
        load(&probeless.replace("turns", "turn")).unwrap();
    }

    #[test]
    fn a_queue_that_cannot_hold_what_one_is_told_at_once_is_a_mistake() {
        for (text, place) in [
            ("resume.messages = 320", "limits.outgoing_messages"),
            ("resume.bytes = 1048577", "limits.outgoing_bytes"),
            (
                "resume.seconds = 0\nlimits.message_burst = 20\nlimits.outgoing_messages = 64",
                "limits.outgoing_messages",
            ),
            ("limits.outgoing_bytes = 1048575", "limits.outgoing_bytes"),
            (
                "limits.outgoing_bytes = 1048576\nlimits.message_bytes = 524289\nresume.seconds = 0",
                "limits.outgoing_bytes",
            ),
        ] {
            assert_mistake(text, place);
        }
    }

    fn assert_mistake(text: &str, place: &str) {
        let mistakes = load(&format!("[signaling]\nice.secret = \"north\"\n{text}\n"));
        let mistakes = mistakes.unwrap_err().to_string();
        assert!(mistakes.contains(place), "{place} in:\n{mistakes}");
    }
}

//! The settings of the whole suite: one table for each part.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
};

use certificates::PairConfig;
use schemars::JsonSchema;
use serde::Deserialize;
use settings::{Check, Report};
use standalone::Changeable;
use telemetry::LogConfig;

mod tls;

pub(crate) use tls::Tls;

/// What names of environment variables start with.
pub(crate) const ENV_PREFIX: &str = "WATARI_";
/// Names after the prefix that are no settings: flags read them, or the build does.
pub(crate) const RESERVED: &[&str] = &["CONFIG", "STATE", "SECRET", "VERSION", "REVISION"];
/// Where TURN over TLS is found unless a URI says otherwise (RFC 7065 §3.2).
const TURNS_PORT: u16 = 5349;
/// Every setting with its default, explained.
pub(crate) const SAMPLE: &str = include_str!("../../../config/watari.toml");

/// The settings of the suite.
#[derive(Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Suite {
    pub(crate) turn: turn_server::Config,
    pub(crate) stun: stun_server::Config,
    pub(crate) signaling: signaling::Config,
    pub(crate) web: Web,
    pub(crate) tls: Tls,
    pub(crate) metrics: Metrics,
    pub(crate) log: LogConfig,
    pub(crate) state: State,
}

/// The page and, beside it, signaling.
#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Web {
    pub(crate) listen: Vec<SocketAddr>,
    pub(crate) listen_https: Vec<SocketAddr>,
    pub(crate) on_turn_ports: OnTurnPorts,
    #[schemars(with = "Option<String>")]
    pub(crate) signaling: Option<demo_web::SignalingUrl>,
}

/// What a browser gets that opens a TCP port of TURN.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnTurnPorts {
    /// Nothing: its connection is closed.
    Nothing,
    /// The page over HTTPS; without TLS it is sent there.
    #[default]
    Https,
    /// The page, without TLS too.
    Page,
}

/// Metrics and health.
#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Metrics {
    /// TCP address and port.
    pub(crate) listen: SocketAddr,
}

/// What is kept between runs.
#[derive(Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct State {
    pub(crate) folder: Option<PathBuf>,
}

impl Default for Web {
    fn default() -> Self {
        // Browsers give camera and microphone to pages from localhost or over HTTPS only, so nothing is lost
        // by not being reachable from elsewhere; some resolve localhost to one family, some to the other.
        let listen = vec![
            (Ipv4Addr::LOCALHOST, 3001).into(),
            (Ipv6Addr::LOCALHOST, 3001).into(),
        ];
        // Over TLS a page is good from everywhere.
        let listen_https = vec![
            (Ipv4Addr::UNSPECIFIED, 3443).into(),
            (Ipv6Addr::UNSPECIFIED, 3443).into(),
        ];
        Self {
            listen,
            listen_https,
            on_turn_ports: OnTurnPorts::default(),
            signaling: None,
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 9641).into(),
        }
    }
}

/// A JSON Schema of the suite's settings file.
pub(crate) fn schema() -> serde_json::Value {
    let mut schema = settings::schema::<Suite>("Settings of watari", SAMPLE);
    // It is of the stand-alone server; the suite refuses it.
    if let Some(serde_json::Value::Object(keys)) = schema.pointer_mut("/properties/signaling/properties") {
        keys.remove("listen");
    }
    schema
}

impl Check for Suite {
    fn check(&self, report: &mut Report<'_>) {
        report.within("turn", |report| self.turn.check(report));
        report.within("stun", |report| self.stun.check(report));
        report.within("signaling", |report| self.signaling.check(report));
        report.within("tls", |report| self.tls.check(report));
        if self.signaling.listen != signaling::Config::default().listen {
            report.mistake(
                "signaling.listen",
                "means nothing here: the suite serves signaling at web.listen",
            );
        }
        let names_others = !self.signaling.ice.urls.is_empty() || !self.signaling.ice.nodes.is_empty();
        if self.has_foreign_secret() && !names_others {
            let key = if self.signaling.ice.secret.is_some() {
                "secret"
            } else {
                "secret_file"
            };
            report.mistake(
                &format!("signaling.ice.{key}"),
                "belongs to a TURN server that signaling.ice.urls or nodes should name; for its own relay the suite mints one",
            );
        }
        if self.signaling.ice.admin.is_some() && !self.has_foreign_secret() {
            report.mistake(
                "signaling.ice.admin",
                "is of another TURN server: the suite's own relay is told without it",
            );
        }
        if self.web.signaling.is_some() && !self.has_web() {
            report.mistake(
                "web.signaling",
                "is told to a page that is not served: web.listen is empty",
            );
        }
        let is_asked_for = self.web.listen_https != Web::default().listen_https;
        if is_asked_for && !self.web.listen_https.is_empty() && !self.tls.is_on() {
            report.mistake(
                "web.listen_https",
                "needs a certificate: set tls.certificates, tls.acme.domains, or tls.local_authority (the flag --https)",
            );
        }
    }
}

impl Changeable for Suite {
    fn while_running() -> Vec<&'static str> {
        [turn_server::WHILE_RUNNING, signaling::WHILE_RUNNING].concat()
    }

    fn log(&self) -> &LogConfig {
        &self.log
    }
}

impl Suite {
    /// Whether credentials are minted for a TURN server that is not the suite's own.
    pub(crate) fn has_foreign_secret(&self) -> bool {
        self.signaling.ice.secret.is_some() || self.signaling.ice.secret_file.is_some()
    }

    /// The nodes that check credentials with the secret that the suite mints, or not at all.
    pub(crate) fn nodes_without_secret(&self) -> impl Iterator<Item = &str> {
        let nodes = self.signaling.ice.nodes.iter();
        let bare = nodes.filter(|node| node.secret.is_none() && node.secret_file.is_none());
        bare.filter(|_| !self.has_foreign_secret())
            .map(|node| &*node.name)
    }

    /// Whether the STUN server could tell more than the relay, or was given an address of its own.
    pub(crate) fn wants_stun(&self) -> bool {
        !self.stun.behaviour.addresses.is_empty() || self.stun.listen != stun_server::Config::default().listen
    }

    /// Where the page is served over HTTPS: nowhere without a certificate.
    pub(crate) fn listen_https(&self) -> &[SocketAddr] {
        if self.tls.is_on() {
            &self.web.listen_https
        } else {
            &[]
        }
    }

    /// The pairs of files that are served: those of TURN and STUN come first.
    pub(crate) fn certificate_files(&self) -> Vec<PairConfig> {
        let of_turn = self.turn.tls.certificates.iter();
        let of_stun = self.stun.tls.certificates.iter();
        of_turn
            .chain(of_stun)
            .chain(&self.tls.certificates)
            .cloned()
            .collect()
    }

    /// Where TURN listens for TLS: nowhere without a certificate.
    pub(crate) fn listen_turn_tls(&self) -> Vec<SocketAddr> {
        let has_certificate = self.tls.is_on() || !self.turn.tls.certificates.is_empty();
        listen_tls(&self.turn, has_certificate)
    }

    /// Whether the page is served anywhere.
    pub(crate) fn has_web(&self) -> bool {
        !self.web.listen.is_empty() || !self.listen_https().is_empty() || self.has_door()
    }

    /// Whether web connections on TURN's ports get anything from here.
    pub(crate) fn has_door(&self) -> bool {
        let is_ours = self.turn.shared_port.upstream.is_none();
        is_ours
            && match self.web.on_turn_ports {
                OnTurnPorts::Nothing => false,
                OnTurnPorts::Https => self.tls.is_on(),
                OnTurnPorts::Page => true,
            }
    }

    /// Where everything would listen, a line each.
    pub(crate) fn summary(&self) -> String {
        let mut text = String::new();
        let stun = if self.wants_stun() {
            self.stun.listen.as_slice()
        } else {
            &[]
        };
        let over_tls = self.listen_turn_tls();
        let parts = [
            ("turn", self.turn.listen.as_slice()),
            (
                "turn, tcp",
                self.turn.listen_tcp.as_ref().unwrap_or(&self.turn.listen),
            ),
            ("turn, tls", over_tls.as_slice()),
            ("stun", stun),
            ("web", self.web.listen.as_slice()),
            ("https", self.listen_https()),
            ("metrics", &[self.metrics.listen]),
        ];
        for (name, addresses) in parts {
            let addresses: Vec<_> = addresses.iter().map(SocketAddr::to_string).collect();
            let addresses = if addresses.is_empty() {
                "off".to_owned()
            } else {
                addresses.join(", ")
            };
            text.push_str(&format!("  {name:<10} {addresses}\n"));
        }
        text
    }
}

/// Where a relay with these settings listens for TLS: nowhere without a certificate.
pub(crate) fn listen_tls(turn: &turn_server::Config, has_certificate: bool) -> Vec<SocketAddr> {
    let by_default = || {
        let hosts = turn.listen.iter().map(SocketAddr::ip);
        hosts.map(|ip| (ip, TURNS_PORT).into()).collect()
    };
    match has_certificate {
        true => turn.listen_tls.clone().unwrap_or_else(by_default),
        false => Vec::new(),
    }
}

#[cfg(test)]
mod tests;

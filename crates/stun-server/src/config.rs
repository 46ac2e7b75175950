//! The `[stun]` table: what an operator writes.

use std::net::{IpAddr, SocketAddr};

use certificates::TlsConfig;
use datagram_io::overlapping;
use schemars::JsonSchema;
use serde::Deserialize;
use settings::{Check, Report};
use stream_io::StreamsConfig;

use crate::plan::Plan;

/// The commented default configuration of the stand-alone server, `config/stun-server.toml`.
pub const DEFAULT_FILE: &str = include_str!("../../../config/stun-server.toml");

/// Everything that can be decided about a STUN server. `config/stun-server.toml` documents every key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// UDP addresses to listen on, except for families that have two addresses in [`Behaviour`].
    pub listen: Vec<SocketAddr>,
    /// TCP addresses to listen on; without it, those that UDP is listened on.
    pub listen_tcp: Option<Vec<SocketAddr>>,
    /// Certificates; with one, every TCP listener speaks TLS, too.
    pub tls: TlsConfig,
    /// What connections over TCP may take.
    pub streams: StreamsConfig,
    /// The SOFTWARE attribute of answers; empty for none.
    pub software: String,
    /// Threads that serve datagrams; 0 takes one per core.
    pub workers: u16,
    /// Whether Binding requests of RFC 3489, without a magic cookie, are answered.
    pub classic_stun: bool,
    /// NAT behaviour discovery.
    pub behaviour: Behaviour,
}

/// What RFC 5780 needs: two addresses of a family, and two ports.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Behaviour {
    /// None, two IPv4 addresses, two IPv6 addresses, or two of each.
    pub addresses: Vec<BehaviourAddress>,
    /// The ports on each of them.
    pub ports: [u16; 2],
}

/// One of the two addresses.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BehaviourAddress {
    /// What sockets are bound to.
    pub local: IpAddr,
    /// What clients are told, behind a 1:1 NAT; without it, `local`.
    pub external: Option<IpAddr>,
}

impl Config {
    /// Whether `listen` is what it is when nobody sets it.
    pub(crate) fn listens_by_default(&self) -> bool {
        self.listen == Self::default().listen
    }

    /// The UDP addresses that are bound: those of `listen`, or of `behaviour` in families that have two; none of a
    /// configuration with mistakes.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        Plan::new(self).map_or_else(|_| Vec::new(), |plan| plan.listen)
    }
}

impl Check for Config {
    fn check(&self, report: &mut Report<'_>) {
        for mistake in Plan::new(self).err().unwrap_or_default() {
            report.mistake(mistake.key, mistake.what);
        }
        let tcp = self.listen_tcp.as_deref().unwrap_or_default();
        if let Some((earlier, later)) = overlapping(tcp) {
            report.mistake(
                &format!("listen_tcp[{later}]"),
                format!("{} takes this port already", tcp[earlier]),
            );
        }
        report.within("tls", |report| self.tls.check(report));
        report.within("streams", |report| self.streams.check(report));
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: vec![
                SocketAddr::from(([0, 0, 0, 0], 3479)),
                SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 0], 3479)),
            ],
            listen_tcp: None,
            tls: TlsConfig::default(),
            streams: StreamsConfig::default(),
            software: "Watari".to_owned(),
            workers: 1,
            classic_stun: false,
            behaviour: Behaviour::default(),
        }
    }
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            addresses: Vec::new(),
            ports: [3479, 3480],
        }
    }
}

#[cfg(test)]
mod tests;

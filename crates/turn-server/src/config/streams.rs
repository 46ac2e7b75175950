//! Connections over TCP: what they may take, who stands in front of them, and whose else they may be.

use std::{collections::BTreeMap, net::SocketAddr};

use ipnet::IpNet;
use serde::Deserialize;
use settings::{Check, Report};

/// Bounds on connections over TCP.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Streams {
    /// Connections of everybody.
    pub connections: u32,
    /// Connections of one IPv4 address, or of one IPv6 /64.
    pub connections_per_address: u32,
    /// Seconds from accepting a connection to its first complete message.
    pub handshake: u32,
    /// Seconds from the first byte of a later message to its last.
    pub frame: u32,
    /// Seconds that a connection without an allocation may be silent.
    pub idle: u32,
    /// Bytes that may wait for a client that reads slowly.
    pub send_queue: usize,
}

/// Proxies whose PROXY headers are believed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProxyProtocol {
    /// Their networks; each of their connections must begin with a header.
    pub from: Vec<IpNet>,
}

/// How TURN and a web server share ports.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SharedPort {
    /// Where TLS connections go that name no protocol and no name below.
    pub default: Destination,
    /// Where they go by the name they ask for.
    pub names: BTreeMap<String, Destination>,
    /// A web server that gets web connections as they are.
    pub upstream: Option<SocketAddr>,
    /// Whether that server is told the client's address by a PROXY header (version 2).
    pub upstream_proxy_protocol: bool,
    /// Connections to that server at a time.
    pub upstream_connections: u32,
}

/// Who gets a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    /// The relay.
    #[default]
    Turn,
    /// The web server.
    Web,
}

impl Destination {
    pub(crate) fn rule(self) -> stream_io::Destination {
        match self {
            Self::Turn => stream_io::Destination::Turn,
            Self::Web => stream_io::Destination::Web,
        }
    }
}

impl Check for SharedPort {
    fn check(&self, report: &mut Report<'_>) {
        for name in self.names.keys() {
            let labels = name.strip_prefix("*.").unwrap_or(name);
            let is_name = !labels.is_empty()
                && labels
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
            if !is_name {
                report.mistake(
                    &format!("names.\"{name}\""),
                    "is no host name; the first label may be *",
                );
            }
        }
        if self.upstream_connections == 0 {
            report.mistake("upstream_connections", "must be at least 1");
        }
        if self.upstream_proxy_protocol && self.upstream.is_none() {
            report.mistake("upstream_proxy_protocol", "means nothing without `upstream`");
        }
    }
}

impl Default for SharedPort {
    fn default() -> Self {
        Self {
            default: Destination::default(),
            names: BTreeMap::new(),
            upstream: None,
            upstream_proxy_protocol: false,
            upstream_connections: 1024,
        }
    }
}

impl Default for Streams {
    /// Where UDP is blocked a whole office stands behind one address, with two or three connections a call.
    fn default() -> Self {
        Self {
            connections: 20_000,
            connections_per_address: 256,
            handshake: 10,
            frame: 30,
            idle: 300,
            send_queue: 256 << 10,
        }
    }
}

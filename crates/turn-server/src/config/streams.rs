//! Connections over TCP: who stands in front of them, and whose else they may be.

use std::{collections::BTreeMap, net::SocketAddr};

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;
use settings::{Check, Report};

/// Proxies whose PROXY headers are believed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProxyProtocol {
    /// Their networks; each of their connections must begin with a header.
    #[schemars(with = "Vec<String>")]
    pub from: Vec<IpNet>,
}

/// How TURN and a web server share ports.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
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

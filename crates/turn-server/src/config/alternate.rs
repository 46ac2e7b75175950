//! Other servers that clients are sent to (RFC 8489 §10).

use std::{net::SocketAddr, num::NonZeroU16, sync::Arc};

use schemars::JsonSchema;
use serde::Deserialize;
use settings::{Check, Report};
use turn_core::{RedirectWhen, Transport};

/// When clients are sent to which other servers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Alternate {
    /// When.
    pub mode: AlternateMode,
    /// The servers.
    pub servers: Vec<AlternateServer>,
    /// Seconds from one check that a server answers to the next.
    pub check_interval: u32,
}

/// When clients are sent to another server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlternateMode {
    /// Only while this server drains.
    Draining,
    /// Also when it has no room for another allocation.
    #[default]
    Full,
    /// Always.
    Always,
}

/// One other server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlternateServer {
    /// Its address, which clients are told.
    pub address: SocketAddr,
    /// The transport it listens for there.
    #[serde(default)]
    pub transport: AlternateTransport,
    /// Its share of the clients, in proportion to the others' weights.
    #[serde(default = "one")]
    pub weight: u16,
    /// The name in its certificate, where that is not this server's.
    pub domain: Option<String>,
}

/// How clients reach a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlternateTransport {
    /// Datagrams.
    #[default]
    Udp,
    /// A stream.
    Tcp,
    /// A stream within TLS.
    Tls,
    /// Datagrams within DTLS.
    Dtls,
}

/// RFC 8489 §14.16: ALTERNATE-DOMAIN has less than 256 bytes.
const MAX_DOMAIN: usize = 255;

impl Check for Alternate {
    fn check(&self, report: &mut Report<'_>) {
        if self.check_interval == 0 {
            report.mistake("check_interval", "must be at least 1 second");
        }
        for (index, server) in self.servers.iter().enumerate() {
            let mut note = |key, what| report.mistake(&format!("servers[{index}].{key}"), what);
            let address = server.address;
            if address.ip().is_unspecified() || address.ip().is_multicast() || address.port() == 0 {
                note("address", "is no address that a client could send to");
            }
            if self.servers[..index].iter().any(|other| other.is_twin_of(server)) {
                note("address", "is given twice: use `weight`");
            }
            if server.weight == 0 {
                note("weight", "must be at least 1: leave the server out instead");
            }
            match &server.domain {
                Some(_) if !server.is_secured() => note("domain", "is for clients over TLS and DTLS only"),
                Some(domain) if !is_domain(domain) => note("domain", "is no domain name"),
                Some(_) | None => {}
            }
        }
    }
}

impl AlternateServer {
    fn is_twin_of(&self, other: &Self) -> bool {
        (self.address, self.transport) == (other.address, other.transport)
    }

    fn is_secured(&self) -> bool {
        matches!(self.transport, AlternateTransport::Tls | AlternateTransport::Dtls)
    }
}

impl Alternate {
    /// The servers as the core knows them. Those that are wrong are left out.
    pub(crate) fn alternates(&self) -> Vec<turn_core::Alternate> {
        let alternate = |server: &AlternateServer| {
            Some(turn_core::Alternate {
                address: server.address,
                transport: server.transport.into(),
                weight: NonZeroU16::new(server.weight)?,
                domain: server.domain.as_deref().map(Arc::from),
            })
        };
        self.servers.iter().filter_map(alternate).collect()
    }
}

fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    text.len() <= MAX_DOMAIN && text.split('.').all(is_label)
}

fn one() -> u16 {
    1
}

impl Default for Alternate {
    fn default() -> Self {
        Self {
            mode: AlternateMode::default(),
            servers: Vec::new(),
            check_interval: 5,
        }
    }
}

impl From<AlternateMode> for RedirectWhen {
    fn from(mode: AlternateMode) -> Self {
        match mode {
            AlternateMode::Draining => Self::Draining,
            AlternateMode::Full => Self::Full,
            AlternateMode::Always => Self::Always,
        }
    }
}

impl From<AlternateTransport> for Transport {
    fn from(transport: AlternateTransport) -> Self {
        match transport {
            AlternateTransport::Udp => Self::Udp,
            AlternateTransport::Tcp => Self::Tcp,
            AlternateTransport::Tls => Self::Tls,
            AlternateTransport::Dtls => Self::Dtls,
        }
    }
}

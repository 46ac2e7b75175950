//! The signaling server's part of a configuration file.

use std::{fmt, net::SocketAddr, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use settings::{Check, Report};

pub(crate) use self::admission::MIN_SECRET_BYTES;
pub use self::admission::{KeyAlgorithm, ResumeConfig, RoomKeyConfig, RoomTokensConfig};
pub use self::changing::WHILE_RUNNING;
pub use self::cluster::ClusterConfig;
pub use self::dialects::{ClassicConfig, PeerJsConfig, YWebRtcConfig};
pub use self::ice::{CredentialsConfig, IceConfig};
pub use self::nodes::{AdminConfig, NodeConfig};
use crate::{rooms::MailboxLimits, site::Site};

mod admission;
mod changing;
mod cluster;
mod dialects;
mod ice;
mod nodes;

/// How long PeerJS servers keep messages for those who are not there, and how many.
pub(crate) const MAILBOX: MailboxLimits = MailboxLimits {
    wait: Duration::from_secs(5),
    signals: 4096,
    signals_each: 64,
    bytes: 16 << 20,
    bytes_each: 512 * 1024,
};

/// Says where the server listens, whom it lets in and how much of everything it takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the stand-alone server listens; the suite serves these routes beside its page instead.
    pub listen: SocketAddr,
    /// Origins of pages on other hosts that may use this server; `"*"` admits every page.
    pub allowed_origins: Vec<String>,
    /// Reverse proxies whose `X-Forwarded-For` is believed.
    #[schemars(with = "Vec<String>")]
    pub trusted_proxies: Vec<ipnet::IpNet>,
    /// Whether the log names clients' addresses.
    pub log_addresses: bool,
    /// Whether the log names addresses from where wrong API keys come.
    pub log_auth_failures: bool,
    /// Rooms and their members.
    pub rooms: RoomsConfig,
    /// Tokens that open rooms.
    pub room_tokens: RoomTokensConfig,
    /// Coming back after a lost connection.
    pub resume: ResumeConfig,
    /// Classic samples.
    pub classic: ClassicConfig,
    /// Clients of PeerJS.
    pub peerjs: PeerJsConfig,
    /// Clients of y-webrtc.
    pub y_webrtc: YWebRtcConfig,
    /// What one connection or one address may use up.
    pub limits: LimitsConfig,
    /// Seconds over which clients are sent away when the server stops, if there are many.
    pub drain_seconds: u64,
    /// Other nodes with the same rooms.
    pub cluster: ClusterConfig,
    /// The servers that joining members are told to use.
    pub ice: IceConfig,
    /// The endpoints `/turn` and `/ice` for other applications.
    pub credentials: CredentialsConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 3002)),
            allowed_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            log_addresses: false,
            log_auth_failures: false,
            rooms: RoomsConfig::default(),
            room_tokens: RoomTokensConfig::default(),
            resume: ResumeConfig::default(),
            classic: ClassicConfig::default(),
            peerjs: PeerJsConfig::default(),
            y_webrtc: YWebRtcConfig::default(),
            limits: LimitsConfig::default(),
            drain_seconds: 2,
            cluster: ClusterConfig::default(),
            ice: IceConfig::default(),
            credentials: CredentialsConfig::default(),
        }
    }
}

/// Bounds rooms of the room protocol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RoomsConfig {
    /// Members a room takes, 2 to 64.
    pub capacity: usize,
    /// Rooms that may exist at a time, of the room protocol and as many of classic samples.
    pub max: usize,
}

impl Default for RoomsConfig {
    fn default() -> Self {
        Self {
            capacity: 4,
            max: 10_000,
        }
    }
}

/// Bounds connections and their messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Connections in all.
    pub connections: usize,
    /// Connections of one IPv4 address or one IPv6 /64.
    pub connections_per_address: u32,
    /// New connections a second that an address may make once it has made that many.
    pub arrivals_per_second: u32,
    /// Bytes a message may have; one that is larger is refused, one twice as large ends the connection.
    pub message_bytes: usize,
    /// Messages a second that a connection may send for long; each 4096 bytes of one count as a message more.
    pub messages_per_second: u32,
    /// Messages that it may send at once after a pause.
    pub message_burst: u32,
    /// Messages kept for a slow receiver before it is disconnected.
    pub outgoing_messages: usize,
    /// Their bytes.
    pub outgoing_bytes: usize,
    /// Seconds between two pings; who does not answer one within as long again is gone.
    pub ping_seconds: u64,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            connections: 10_000,
            connections_per_address: 100,
            arrivals_per_second: 5,
            message_bytes: 64 * 1024,
            messages_per_second: 20,
            message_burst: 120,
            outgoing_messages: 320,
            outgoing_bytes: 2 << 20,
            ping_seconds: 25,
        }
    }
}

/// Text that is never printed by `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Hidden(pub String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

impl Check for Config {
    fn check(&self, report: &mut Report<'_>) {
        for (index, origin) in self.allowed_origins.iter().enumerate() {
            if !is_origin(origin) {
                report.mistake(
                    &format!("allowed_origins[{index}]"),
                    "must be \"*\" or scheme://host[:port] with nothing after it",
                );
            }
        }
        report.within("rooms", |report| self.rooms.check(report));
        report.within("room_tokens", |report| self.room_tokens.check(report));
        report.within("resume", |report| self.resume.check(report));
        report.within("classic", |report| self.classic.check(report));
        report.within("peerjs", |report| self.peerjs.check(report));
        report.within("y_webrtc", |report| self.y_webrtc.check(report));
        report.within("limits", |report| {
            self.limits.check(report);
            self.limits.check_returns(&self.resume, report);
        });
        report.within("cluster", |report| self.cluster.check(report));
        if self.drain_seconds > 60 {
            report.mistake("drain_seconds", "must be at most 60");
        }
        report.within("ice", |report| self.ice.check(report));
        report.within("credentials", |report| self.credentials.check(report));
    }
}

/// Tells whether `text` is an origin as browsers write it.
fn is_origin(text: &str) -> bool {
    let is_http = |text: &str| {
        let authority = ["http://", "https://"]
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme));
        authority.is_some_and(|authority| Site::parse(authority).is_some())
    };
    text == "*" || text == "null" || is_http(text)
}

impl Check for RoomsConfig {
    fn check(&self, report: &mut Report<'_>) {
        two_to_64(report, "capacity", self.capacity);
        at_least_one(report, "max", self.max as u64);
    }
}

impl Check for LimitsConfig {
    fn check(&self, report: &mut Report<'_>) {
        at_least_one(report, "connections", self.connections as u64);
        at_least_one(
            report,
            "connections_per_address",
            self.connections_per_address.into(),
        );
        at_least_one(report, "arrivals_per_second", self.arrivals_per_second.into());
        at_least_one(report, "messages_per_second", self.messages_per_second.into());
        if self.message_burst < 20 {
            report.mistake(
                "message_burst",
                "must be at least 20: a call begins with a burst of candidates",
            );
        }
        if !(4096..=1 << 20).contains(&self.message_bytes) {
            report.mistake("message_bytes", "must be 4096 to 1048576");
        }
        let outgoing = u32::try_from(self.outgoing_messages).unwrap_or(u32::MAX);
        if outgoing < self.message_burst || outgoing > 4096 {
            report.mistake(
                "outgoing_messages",
                "must be at least message_burst, or a burst would disconnect its receiver, and at most 4096",
            );
        }
        if self.outgoing_messages <= MAILBOX.signals_each {
            report.mistake(
                "outgoing_messages",
                "must be more than 64: so many may be kept for a PeerJS client before it comes",
            );
        }
        if !(1 << 20..=64 << 20).contains(&self.outgoing_bytes)
            || self.outgoing_bytes / 2 < self.message_bytes
        {
            report.mistake(
                "outgoing_bytes",
                "must be 1048576 to 67108864, and at least twice message_bytes",
            );
        }
        if !(1..=300).contains(&self.ping_seconds) {
            report.mistake("ping_seconds", "must be 1 to 300");
        }
    }
}

impl LimitsConfig {
    /// Whoever comes back is told all that it missed at once.
    fn check_returns(&self, resume: &ResumeConfig, report: &mut Report<'_>) {
        if resume.seconds == 0 {
            return;
        }
        if self.outgoing_messages <= resume.messages {
            report.mistake(
                "outgoing_messages",
                "must be more than resume.messages, or who comes back would be disconnected by what it missed",
            );
        }
        if self.outgoing_bytes / 2 < resume.bytes {
            report.mistake(
                "outgoing_bytes",
                "must be at least twice resume.bytes, or who comes back would be disconnected by what it missed",
            );
        }
    }
}

fn two_to_64(report: &mut Report<'_>, key: &str, members: usize) {
    if !(2..=64).contains(&members) {
        report.mistake(key, "must be 2 to 64");
    }
}

fn at_least_one(report: &mut Report<'_>, key: &str, value: u64) {
    if value == 0 {
        report.mistake(key, "must be at least 1");
    }
}

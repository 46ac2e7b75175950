//! The `[turn]` table: what an operator writes, checked but not yet turned into what the core needs.

mod admin;
mod alternate;
mod changing;
mod coalesce;
mod dtls;
mod hidden;
mod needs;
mod oauth;
mod peer_range;
mod streams;
mod tcp_relay;

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use certificates::{MinVersion, TlsConfig};
use datagram_io::{LISTENER_BUFFER, RELAY_BUFFER, host_addresses, overlapping};
use schemars::JsonSchema;
use serde::Deserialize;
use settings::{Check, Report};

pub use admin::Admin;
pub use alternate::{Alternate, AlternateMode, AlternateServer, AlternateTransport};
pub use changing::WHILE_RUNNING;
pub use coalesce::{Coalesce, CoalesceError};
pub use dtls::Dtls;
pub use hidden::Hidden;
pub use oauth::{Oauth, OauthAlgorithm, OauthKey};
pub use peer_range::{PeerRange, PeerRangeError};
pub use stream_io::StreamsConfig as Streams;
pub use streams::{Destination, ProxyProtocol, SharedPort};
pub use tcp_relay::TcpRelay;

use crate::plan;

/// The commented default configuration of the stand-alone server, `config/turn-server.toml`.
pub const DEFAULT_FILE: &str = include_str!("../../../config/turn-server.toml");

/// Everything that can be decided about a TURN server. `config/turn-server.toml` documents every key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// UDP addresses to listen on.
    pub listen: Vec<SocketAddr>,
    /// TCP addresses to listen on; without it, those of `listen`.
    pub listen_tcp: Option<Vec<SocketAddr>>,
    /// TCP addresses for TLS, opened when there is a certificate; without it, port 5349 on those of `listen`.
    pub listen_tls: Option<Vec<SocketAddr>>,
    /// The realm of the long-term credentials.
    pub realm: String,
    /// The SOFTWARE attribute of answers; empty for none.
    pub software: String,
    /// Threads that serve datagrams; 0 takes one per core, fewer for a narrow port range.
    pub workers: u16,
    /// Whether each of them stays on one core.
    pub pin_workers: bool,
    /// Bytes that may wait at a UDP listener, and on their way out of it.
    pub listen_buffer: usize,
    /// Which channel numbers clients may bind.
    pub channels: Channels,
    /// Whether Binding requests of RFC 3489, without a magic cookie, are answered.
    pub classic_stun: bool,
    /// Static users: name to password, or to their key as [`UserKey::parse`](turn_core::UserKey::parse) reads it.
    pub users: BTreeMap<String, Hidden>,
    /// Secrets that vouch for time-limited credentials; all are valid at once.
    pub shared_secrets: Vec<Hidden>,
    /// A file with one more secret per line.
    pub shared_secret_file: Option<PathBuf>,
    /// What stands between expiry and id in time-limited usernames.
    pub username_separator: char,
    /// Whether a live allocation may be refreshed with a credential that has expired.
    pub refresh_after_expiry: bool,
    /// Authorization servers whose tokens are believed.
    pub oauth: Oauth,
    /// Who may administer the server while it runs.
    pub admin: Admin,
    /// Where relays are.
    pub relay: Relay,
    /// Certificates of TLS and DTLS listeners.
    pub tls: TlsConfig,
    /// Clients whose address changes.
    pub mobility: Mobility,
    /// DTLS on the UDP listeners.
    pub dtls: Dtls,
    /// Whether the log names addresses from where wrong passwords come.
    pub log_auth_failures: bool,
    /// Other servers that clients are sent to.
    pub alternate: Alternate,
    /// How long the allocations there are may go on after the end was asked for.
    pub drain_seconds: u32,
    /// How long things live, in seconds.
    pub lifetimes: Lifetimes,
    /// Which peers clients may reach.
    pub peers: Peers,
    /// How much of anything.
    pub limits: Limits,
    /// Relaying between TCP clients and TCP peers.
    pub tcp_relay: TcpRelay,
    /// What connections over TCP may take.
    pub streams: Streams,
    /// Proxies in front of TCP listeners.
    pub proxy_protocol: ProxyProtocol,
    /// Web connections on the ports of TURN.
    pub shared_port: SharedPort,
}

/// Which channel numbers clients may bind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channels {
    /// 0x4000–0x4FFF.
    #[default]
    Rfc8656,
    /// 0x4000–0x7FFF, for older clients.
    Rfc5766,
}

/// Ports and addresses of relays.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Relay {
    /// The first port.
    pub min_port: u16,
    /// The last port.
    pub max_port: u16,
    /// Addresses of relays; empty takes the address each client reached.
    pub addresses: Vec<RelayAddress>,
    /// What the IP headers of relayed datagrams keep.
    pub header_fields: HeaderFields,
    /// Bytes that may wait at a relay.
    pub buffer: usize,
    /// Whether a busy worker waits a little for more datagrams.
    #[schemars(with = "String")]
    pub coalesce: Coalesce,
}

/// What of the IP header of a datagram its relayed form keeps (RFC 8656 §13 and §14).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HeaderFields {
    /// Nothing.
    None,
    /// The DSCP and the congestion bits.
    #[default]
    DscpEcn,
    /// These, and the TTL or hop limit less one.
    All,
}

/// One address of relays.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RelayAddress {
    /// What sockets are bound to; without it, this machine's address on the default route.
    pub local: Option<IpAddr>,
    /// What clients and peers see, behind a 1:1 NAT; without it, `local`.
    pub external: Option<IpAddr>,
}

/// Clients whose address changes (RFC 8016).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Mobility {
    /// Whether they may keep their allocation.
    pub enabled: bool,
}

/// Lifetimes in seconds.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Lifetimes {
    /// What a client gets that asks for no lifetime or a shorter one.
    pub allocation: u32,
    /// The longest lifetime a client gets.
    pub allocation_max: u32,
    /// How long a nonce is good.
    pub nonce: u32,
}

/// Peers beyond or inside the networks denied by default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Peers {
    /// Allowed even though the default denies them.
    #[schemars(with = "Vec<String>")]
    pub allow: Vec<PeerRange>,
    /// Denied; where `allow` overlaps, the smaller network decides, and this one between equals.
    #[schemars(with = "Vec<String>")]
    pub deny: Vec<PeerRange>,
}

/// Bounds.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Allocations of one user id.
    pub allocations_per_user: u32,
    /// Allocations of everybody.
    pub allocations: u32,
    /// Permissions of one allocation.
    pub permissions_per_allocation: u16,
    /// Channels of one allocation.
    pub channels_per_allocation: u16,
    /// Answers a second to a network (/24, /56) that has not authenticated; 0 lifts the limit.
    pub unauthorized_per_second: u32,
    /// How many of these may come at once after a pause.
    pub unauthorized_burst: u32,
}

impl Config {
    /// Whether `listen` is what it is when nobody sets it.
    pub(crate) fn listens_by_default(&self) -> bool {
        self.listen == Self::default().listen
    }

    /// Whether anyone could allocate; otherwise only Binding requests are of use.
    pub fn has_credentials(&self) -> bool {
        !self.users.is_empty()
            || !self.shared_secrets.is_empty()
            || self.shared_secret_file.is_some()
            || !self.oauth.keys.is_empty()
    }
}

impl Config {
    /// Whether connections of the web would be passed on to where they come from.
    fn is_upstream_a_listener(&self) -> bool {
        let Some(upstream) = self.shared_port.upstream else {
            return false;
        };
        let ip = upstream.ip();
        // To connect to an unspecified address is to connect to oneself.
        let is_ours = ip.is_loopback() || ip.is_unspecified() || host_addresses().contains(&ip);
        let reaches = |at: IpAddr| {
            let is_of_the_family = at.is_ipv4() == ip.is_ipv4();
            let by_another_name = at.is_unspecified() || (ip.is_unspecified() && at.is_loopback());
            at == ip || (is_of_the_family && is_ours && by_another_name)
        };
        let tcp = self.listen_tcp.as_ref().unwrap_or(&self.listen);
        let mut listeners = tcp.iter().chain(self.listen_tls.iter().flatten());
        listeners.any(|at| at.port() == upstream.port() && reaches(at.ip()))
    }

    /// Whether DTLS is spoken once there is a certificate: in version 1.2 only, so not where that is too old.
    pub fn wants_dtls(&self) -> bool {
        self.dtls.enabled && self.tls.min_version <= MinVersion::Tls12
    }
}

impl Check for Config {
    fn check(&self, report: &mut Report<'_>) {
        if self.listen.is_empty() {
            report.mistake("listen", "names no address: nothing could reach the server");
        }
        check_overlap(report, "listen", &self.listen);
        let tcp = self.listen_tcp.as_deref().unwrap_or_default();
        let tls = self.listen_tls.as_deref().unwrap_or_default();
        check_overlap(report, "listen_tcp", tcp);
        check_overlap(report, "listen_tls", tls);
        if let Some(index) = tls
            .iter()
            .position(|at| overlapping(&[tcp, &[*at]].concat()).is_some())
        {
            report.mistake(
                &format!("listen_tls[{index}]"),
                "is among `listen_tcp` too; every TCP listener speaks TLS when there is a certificate",
            );
        }
        report.within("streams", |report| self.streams.check(report));
        report.within("shared_port", |report| self.shared_port.check(report));
        report.within("alternate", |report| self.alternate.check(report));
        report.within("admin", |report| self.admin.check(report));
        for (index, server) in self.alternate.servers.iter().enumerate() {
            if [&self.listen[..], tcp, tls].concat().contains(&server.address) {
                let key = format!("alternate.servers[{index}].address");
                report.mistake(&key, "is this server itself");
            }
        }
        if self.is_upstream_a_listener() {
            report.mistake(
                "shared_port.upstream",
                "is this server itself: each web connection would come back for ever",
            );
        }
        report.within("tls", |report| self.tls.check(report));
        for mistake in plan::mistakes(self) {
            report.mistake(&mistake.key, mistake.what);
        }
    }
}

fn check_overlap(report: &mut Report<'_>, key: &str, addresses: &[SocketAddr]) {
    if let Some((earlier, later)) = overlapping(addresses) {
        let taken = addresses[earlier];
        report.mistake(
            &format!("{key}[{later}]"),
            format!("{taken} takes this port already"),
        );
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: vec![
                SocketAddr::from(([0, 0, 0, 0], 3478)),
                SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 0], 3478)),
            ],
            listen_tcp: None,
            listen_tls: None,
            realm: "watari".to_owned(),
            software: "Watari".to_owned(),
            workers: 0,
            pin_workers: false,
            listen_buffer: LISTENER_BUFFER,
            channels: Channels::default(),
            classic_stun: false,
            users: BTreeMap::new(),
            shared_secrets: Vec::new(),
            shared_secret_file: None,
            username_separator: ':',
            refresh_after_expiry: true,
            oauth: Oauth::default(),
            admin: Admin::default(),
            relay: Relay::default(),
            tls: TlsConfig::default(),
            mobility: Mobility::default(),
            dtls: Dtls::default(),
            log_auth_failures: false,
            alternate: Alternate::default(),
            drain_seconds: 0,
            lifetimes: Lifetimes::default(),
            peers: Peers::default(),
            limits: Limits::default(),
            tcp_relay: TcpRelay::default(),
            streams: Streams::default(),
            proxy_protocol: ProxyProtocol::default(),
            shared_port: SharedPort::default(),
        }
    }
}

impl Default for Relay {
    /// RFC 8656 §7.2: the dynamic ports.
    fn default() -> Self {
        Self {
            min_port: 49_152,
            max_port: 65_535,
            addresses: Vec::new(),
            header_fields: HeaderFields::default(),
            buffer: RELAY_BUFFER,
            coalesce: Coalesce::default(),
        }
    }
}

impl Default for Lifetimes {
    /// RFC 8656 §7.2: ten minutes to one hour; RFC 8489 §9.2.4: an hour for a nonce.
    fn default() -> Self {
        Self {
            allocation: 600,
            allocation_max: 3600,
            nonce: 3600,
        }
    }
}

impl Default for Limits {
    /// A Chromium makes 10 allocations for a call with three TURN URIs and 10 more in an ICE restart while the old
    /// ones live: who calls three others makes 60. 80 leave room for a tab that was closed without a word, and 99.5 % of
    /// the ports to others.
    fn default() -> Self {
        Self {
            allocations_per_user: 80,
            allocations: 16_384,
            permissions_per_allocation: 128,
            channels_per_allocation: 128,
            unauthorized_per_second: 100,
            unauthorized_burst: 1000,
        }
    }
}

#[cfg(test)]
mod tests;

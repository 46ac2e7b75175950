//! From what an operator wrote to what the core is told, with every mistake on the way.

mod oauth;

use std::{
    fs,
    net::IpAddr,
    num::{NonZero, NonZeroU32},
    ops::RangeInclusive,
    path::Path,
    time::Duration,
};

use datagram_io::{CAN_PIN, Reported, host_addresses};
use ipnet::IpNet;
use turn_core::{
    ChannelRange, ConfigError, Credentials, Lifetimes, Limits, PeerPolicy, PortRange, QuotaLimits, Realm,
    RelayAddress, RelayAddresses, Secret, TcpRelay, UnauthorizedLimit, UserKey,
};

use crate::{
    address,
    config::{Channels, Coalesce, Config, HeaderFields, PeerRange},
};

/// RFC 8489 §14.14: less than 128 characters.
const MAX_SOFTWARE: usize = 127;

/// A buffer with less has no room for a datagram, one with more no use.
const BUFFERS: RangeInclusive<usize> = 4096..=1 << 30;

/// What no connection to a peer at all means.
const UNCONNECTED: &str = "set `tcp_relay.enabled` to false to have no connections to peers";

/// Something that keeps a configuration from being used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// The dotted key within the table of [`Config`].
    pub(crate) key: String,
    /// What is wrong with it.
    pub(crate) what: String,
}

/// What a configuration means: the core's, without what is only known once sockets are open.
pub(crate) struct Plan {
    /// For every worker alike; share and listeners are still to be filled in.
    pub(crate) core: turn_core::Config,
    /// For the ledger all workers share.
    pub(crate) quota: QuotaLimits,
    /// Configured addresses that relays will be bound to.
    pub(crate) local_relay_addresses: Vec<IpAddr>,
    /// What sockets read out of IP headers.
    pub(crate) reported: Reported,
    /// Bytes of the buffers of relay sockets.
    pub(crate) relay_buffer: usize,
    /// Whether workers wait for more datagrams.
    pub(crate) coalesce: Coalesce,
}

/// Lists every mistake.
pub(crate) fn mistakes(config: &Config) -> Vec<Mistake> {
    Plan::new(config, [0; 32]).err().unwrap_or_default()
}

impl Plan {
    /// Turns the configuration into a plan, or lists all its mistakes.
    pub(crate) fn new(config: &Config, nonce_key: [u8; 32]) -> Result<Self, Vec<Mistake>> {
        let mut reader = Reader { found: Vec::new() };
        let realm = reader.realm(&config.realm);
        let mut core = turn_core::Config::new(realm, nonce_key);
        if config.software.chars().count() > MAX_SOFTWARE {
            reader.note("software", format!("is longer than {MAX_SOFTWARE} characters"));
        }
        core.software = (!config.software.is_empty()).then(|| config.software.clone());
        core.credentials = reader.credentials(config, &core.realm);
        core.nonce_lifetime = reader.seconds("lifetimes.nonce", config.lifetimes.nonce);
        core.lifetimes = reader.lifetimes(config);
        let configured = reader.configured_addresses(config);
        let local_relay_addresses = configured.iter().map(|address| address.local()).collect();
        core.relay = reader.relay_addresses(configured);
        core.ports = reader.ports(config);
        core.channels = match config.channels {
            Channels::Rfc8656 => ChannelRange::Rfc8656,
            Channels::Rfc5766 => ChannelRange::Rfc5766,
        };
        core.policy = PeerPolicy::new(&networks(&config.peers.allow), &networks(&config.peers.deny));
        core.host_addresses = host_addresses();
        core.limits = reader.limits(config);
        core.unauthorized_limit = reader.unauthorized_limit(config);
        core.classic_stun = config.classic_stun;
        core.refresh_after_expiry = config.refresh_after_expiry;
        core.mobility = config.mobility.enabled;
        core.tell_wrong_guesses = config.log_auth_failures;
        core.redirect = config.alternate.mode.into();
        core.tcp_relay = reader.tcp_relay(config);
        let quota = reader.quota(config);
        reader.dtls(config);
        reader.sockets(config);
        if reader.found.is_empty() {
            Ok(Self {
                core,
                quota,
                local_relay_addresses,
                reported: reported(config.relay.header_fields),
                relay_buffer: config.relay.buffer,
                coalesce: config.relay.coalesce,
            })
        } else {
            Err(reader.found)
        }
    }
}

/// Bytes of a realm whose challenge is at most three times as long as the smallest Allocate.
const LONGEST_REALM: usize = 32;

/// Reads part by part; what is wrong is noted and a harmless value takes its place.
struct Reader {
    found: Vec<Mistake>,
}

impl Reader {
    fn note(&mut self, key: impl Into<String>, what: impl ToString) {
        self.found.push(Mistake {
            key: key.into(),
            what: what.to_string(),
        });
    }

    /// The core takes longer realms, but then leaves a browser's first request (28 bytes) without an answer: the
    /// challenge would be more than three times as long.
    fn realm(&mut self, text: &str) -> Realm {
        if text.len() > LONGEST_REALM {
            let what = format!(
                "is {} bytes long, {LONGEST_REALM} at most: the answer that names it must stay small for browsers to get it",
                text.len()
            );
            self.note("realm", what);
        }
        Realm::new(text).unwrap_or_else(|error| {
            self.note("realm", error);
            Realm::new("watari").expect("a plain word is a realm")
        })
    }

    fn credentials(&mut self, config: &Config, realm: &Realm) -> Credentials {
        let mut credentials = Credentials::default();
        credentials.set_separator(config.username_separator);
        for (name, password) in &config.users {
            let added = match UserKey::parse(password.reveal()) {
                Some(key) => credentials.add_key(realm, name, key),
                None => credentials.add_user(realm, name, password.reveal()),
            };
            if added.is_err() {
                self.note(
                    format!("users.\"{name}\""),
                    "name or password is empty or has characters that RFC 8265 forbids",
                );
            }
        }
        for (index, secret) in config.shared_secrets.iter().enumerate() {
            if secret.reveal().is_empty() {
                self.note(
                    format!("shared_secrets[{index}]"),
                    "is empty: anyone could mint credentials",
                );
            }
            credentials.add_secret(Secret::new(secret.reveal()));
        }
        if let Some(path) = &config.shared_secret_file {
            for secret in self.secrets_in(path) {
                credentials.add_secret(secret);
            }
        }
        if let Some(third_party) = self.third_party(config) {
            credentials.set_third_party(third_party);
        }
        credentials
    }

    fn secrets_in(&mut self, path: &Path) -> Vec<Secret> {
        const KEY: &str = "shared_secret_file";
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                self.note(KEY, format!("{} cannot be read: {error}", path.display()));
                return Vec::new();
            }
        };
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let secrets: Vec<_> = lines.map(Secret::new).collect();
        if secrets.is_empty() {
            self.note(KEY, format!("{} holds no secret", path.display()));
        }
        secrets
    }

    fn seconds(&mut self, key: &str, seconds: u32) -> Duration {
        if seconds == 0 {
            self.note(key, "must be at least 1 second");
        }
        Duration::from_secs(seconds.into())
    }

    fn lifetimes(&mut self, config: &Config) -> Lifetimes {
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        let config = &config.lifetimes;
        Lifetimes::new(seconds(config.allocation), seconds(config.allocation_max)).unwrap_or_else(|error| {
            self.note("lifetimes.allocation", error);
            Lifetimes::default()
        })
    }

    fn ports(&mut self, config: &Config) -> PortRange {
        // RFC 8656 §7.2: clients shall not run standard services behind a relay.
        if (1..1024).contains(&config.relay.min_port) {
            self.note(
                "relay.min_port",
                "must be at least 1024: those below belong to services",
            );
        }
        PortRange::new(config.relay.min_port, config.relay.max_port).unwrap_or_else(|error| {
            self.note("relay.min_port", error);
            PortRange::default()
        })
    }

    fn configured_addresses(&mut self, config: &Config) -> Vec<RelayAddress> {
        let mut configured = Vec::new();
        for (index, entry) in config.relay.addresses.iter().enumerate() {
            match relay_address(entry.local, entry.external) {
                Ok(address) => configured.push(address),
                Err(what) => self.note(format!("relay.addresses[{index}]"), what),
            }
        }
        configured
    }

    fn relay_addresses(&mut self, configured: Vec<RelayAddress>) -> RelayAddresses {
        let fallback = |ip: Option<IpAddr>| ip.and_then(|ip| RelayAddress::new(ip, ip).ok());
        let (v4, v6) = (fallback(address::likely_v4()), fallback(address::likely_v6()));
        RelayAddresses::new(configured, v4, v6).unwrap_or_else(|error| {
            self.note("relay.addresses", error);
            RelayAddresses::default()
        })
    }

    fn limits(&mut self, config: &Config) -> Limits {
        let config = &config.limits;
        for (key, value) in [
            ("permissions_per_allocation", config.permissions_per_allocation),
            ("channels_per_allocation", config.channels_per_allocation),
        ] {
            if value == 0 {
                self.note(
                    format!("limits.{key}"),
                    "must be at least 1: no client could reach a peer",
                );
            }
        }
        Limits {
            permissions_per_allocation: config.permissions_per_allocation,
            channels_per_allocation: config.channels_per_allocation,
            ..Limits::default()
        }
    }

    fn dtls(&mut self, config: &Config) {
        let dtls = &config.dtls;
        for (key, value) in [
            ("sessions", dtls.sessions),
            ("sessions_per_address", dtls.sessions_per_address),
            ("half_open", dtls.half_open),
            ("handshake", dtls.handshake),
            ("idle", dtls.idle),
        ] {
            if value == 0 {
                self.note(
                    format!("dtls.{key}"),
                    "must be at least 1: no client could come by DTLS; `enabled = false` says so",
                );
            }
        }
    }

    fn sockets(&mut self, config: &Config) {
        if config.pin_workers && !CAN_PIN {
            self.note("pin_workers", "works on Linux only: set it to false");
        }
        let buffers = [
            ("listen_buffer", config.listen_buffer),
            ("relay.buffer", config.relay.buffer),
        ];
        for (key, bytes) in buffers {
            if !BUFFERS.contains(&bytes) {
                let (least, most) = BUFFERS.into_inner();
                self.note(key, format!("must be {least} to {most} bytes"));
            }
        }
    }

    fn quota(&mut self, config: &Config) -> QuotaLimits {
        let defaults = QuotaLimits::default();
        let tcp = &config.tcp_relay;
        let mut positive = |key: &str, value: u32, otherwise: NonZeroU32, what: &str| {
            NonZeroU32::new(value).unwrap_or_else(|| {
                self.note(key, format!("must be at least 1: {what}"));
                otherwise
            })
        };
        let (nobody, unconnected) = ("nobody could allocate", UNCONNECTED);
        QuotaLimits {
            per_user: positive(
                "limits.allocations_per_user",
                config.limits.allocations_per_user,
                defaults.per_user,
                nobody,
            ),
            total: positive(
                "limits.allocations",
                config.limits.allocations,
                defaults.total,
                nobody,
            ),
            connections_per_user: positive(
                "tcp_relay.connections_per_user",
                tcp.connections_per_user,
                defaults.connections_per_user,
                unconnected,
            ),
            connections: positive(
                "tcp_relay.connections",
                tcp.connections,
                defaults.connections,
                unconnected,
            ),
            per_key: self.allocations_per_key(&config.oauth),
        }
    }

    fn tcp_relay(&mut self, config: &Config) -> Option<TcpRelay> {
        let config = &config.tcp_relay;
        if config.connections_per_allocation == 0 {
            let what = format!("must be at least 1: {UNCONNECTED}");
            self.note("tcp_relay.connections_per_allocation", what);
        }
        config.enabled.then(|| TcpRelay {
            connections_per_allocation: config.connections_per_allocation,
            ..TcpRelay::default()
        })
    }

    fn unauthorized_limit(&mut self, config: &Config) -> Option<UnauthorizedLimit> {
        let per_second = NonZeroU32::new(config.limits.unauthorized_per_second)?;
        let Some(burst) = NonZeroU32::new(config.limits.unauthorized_burst) else {
            self.note(
                "limits.unauthorized_burst",
                "must be at least 1: no client could ever begin",
            );
            return None;
        };
        Some(UnauthorizedLimit { per_second, burst })
    }
}

/// What one of several workers may do of what the server may, rounded up. The kernel spreads the clients of a
/// network over all workers by address and port.
pub(crate) fn part_of(limit: UnauthorizedLimit, workers: NonZero<u16>) -> UnauthorizedLimit {
    let workers = NonZeroU32::from(workers);
    UnauthorizedLimit {
        per_second: limit.per_second.div_ceil(workers),
        burst: limit.burst.div_ceil(workers),
    }
}

fn reported(kept: HeaderFields) -> Reported {
    Reported {
        hop_limit: kept == HeaderFields::All,
        traffic_class: kept != HeaderFields::None,
    }
}

fn relay_address(local: Option<IpAddr>, external: Option<IpAddr>) -> Result<RelayAddress, String> {
    let pair = match (local, external) {
        (Some(local), external) => (local, external.unwrap_or(local)),
        (None, Some(external)) => {
            let found = if external.is_ipv4() {
                address::likely_v4()
            } else {
                address::likely_v6()
            };
            let local = found.ok_or("this machine has no address of that family: set `local`")?;
            (local, external)
        }
        (None, None) => return Err("needs `local`, `external` or both".to_owned()),
    };
    RelayAddress::new(pair.0, pair.1).map_err(|error: ConfigError| error.to_string())
}

fn networks(ranges: &[PeerRange]) -> Vec<IpNet> {
    ranges
        .iter()
        .flat_map(|range| range.networks().iter().copied())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_has_more_by_the_defaults_of_the_file_than_by_those_of_the_core() {
        let plan = Plan::new(&Config::default(), [0; 32]).unwrap();
        assert_eq!(plan.quota, QuotaLimits::default());
    }

    #[test]
    fn workers_share_the_limit_of_challenges_and_each_has_some() {
        let limit = |per_second, burst| UnauthorizedLimit {
            per_second: NonZeroU32::new(per_second).unwrap(),
            burst: NonZeroU32::new(burst).unwrap(),
        };
        for (workers, per_second, burst) in [(1, 100, 1000), (3, 34, 334), (4, 25, 250), (128, 1, 8)] {
            let part = part_of(limit(100, 1000), NonZero::new(workers).unwrap());
            assert_eq!(part, limit(per_second, burst), "{workers} workers");
        }
    }
}

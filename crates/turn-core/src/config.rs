//! What an operator decides. Each part is checked where it is built, so a [`Config`] is never wrong.

mod relays;
mod tcp_relay;

use std::{
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
    time::Duration,
};

use stun_wire::prepare_opaque_string;

pub use self::{
    relays::{PortRange, RelayAddress, RelayAddresses, Share},
    tcp_relay::TcpRelay,
};
use crate::{credentials::Credentials, peer_policy::PeerPolicy, redirect::RedirectWhen};

/// Holds everything a [`Server`](crate::Server) is told before its first datagram.
#[derive(Debug, Clone)]
pub struct Config {
    /// The realm of every challenge.
    pub realm: Realm,
    /// SOFTWARE in answers, where it fits; over 127 bytes it never does.
    pub software: Option<String>,
    /// Who may allocate.
    pub credentials: Credentials,
    /// Signs nonces and seals mobility tickets. Workers that may see the same client share it.
    pub nonce_key: [u8; 32],
    /// How long a nonce is good; after that the client gets 438 and a fresh one.
    pub nonce_lifetime: Duration,
    /// How long allocations live.
    pub lifetimes: Lifetimes,
    /// RFC 8656 §9: permissions live five minutes.
    pub permission_lifetime: Duration,
    /// RFC 8656 §12: channel bindings live ten minutes.
    pub channel_lifetime: Duration,
    /// Where relay sockets are bound and what clients are told.
    pub relay: RelayAddresses,
    /// The ports relay sockets take.
    pub ports: PortRange,
    /// Which of those ports are this worker's.
    pub share: Share,
    /// Which channel numbers clients may bind.
    pub channels: ChannelRange,
    /// Which peers clients may reach.
    pub policy: PeerPolicy,
    /// Our own listening addresses: never relayed to, never answered.
    pub listeners: Vec<SocketAddr>,
    /// This machine's addresses as far as they are known. A relay without a configured address sits on one
    /// of them, and a listener on the unspecified address is reached by all of them.
    /// [`Server::set_host_addresses`](crate::Server::set_host_addresses) replaces them.
    pub host_addresses: Vec<IpAddr>,
    /// What one client or all clients of a worker may hold.
    pub limits: Limits,
    /// How many answers a network gets before it authenticates; `None` lifts the limit.
    pub unauthorized_limit: Option<UnauthorizedLimit>,
    /// Whether the shell can forbid that a datagram is fragmented; if not, DONT-FRAGMENT is an unknown attribute.
    pub can_set_df: bool,
    /// Whether Binding requests without a magic cookie (RFC 3489) are answered.
    pub classic_stun: bool,
    /// Whether a client whose time-limited credential ran out may still refresh the allocation it made
    /// before. True by default: a browser cannot renew the credential of a live allocation, so a call
    /// longer than the credential's life would be cut.
    pub refresh_after_expiry: bool,
    /// How TCP allocations (RFC 6062) are served; `None`, the default, refuses them.
    pub tcp_relay: Option<TcpRelay>,
    /// When new clients are sent to another server, if there is one:
    /// [`Server::set_alternates`](crate::Server::set_alternates) tells.
    pub redirect: RedirectWhen,
    /// Whether clients may keep their allocation when their address changes (RFC 8016).
    pub mobility: bool,
    /// Whether [`Output::GuessedWrong`](crate::Output::GuessedWrong) tells who fails to authenticate.
    pub tell_wrong_guesses: bool,
}

impl Config {
    /// Starts from the defaults: nobody may allocate yet, relays take the address the client reached.
    pub fn new(realm: Realm, nonce_key: [u8; 32]) -> Self {
        Self {
            realm,
            software: None,
            credentials: Credentials::default(),
            nonce_key,
            nonce_lifetime: Duration::from_secs(3600),
            lifetimes: Lifetimes::default(),
            permission_lifetime: Duration::from_secs(300),
            channel_lifetime: Duration::from_secs(600),
            relay: RelayAddresses::default(),
            ports: PortRange::default(),
            share: Share::default(),
            channels: ChannelRange::Rfc8656,
            policy: PeerPolicy::default(),
            listeners: Vec::new(),
            host_addresses: Vec::new(),
            limits: Limits::default(),
            unauthorized_limit: Some(UnauthorizedLimit::default()),
            can_set_df: false,
            classic_stun: false,
            refresh_after_expiry: true,
            tcp_relay: None,
            redirect: RedirectWhen::default(),
            mobility: false,
            tell_wrong_guesses: false,
        }
    }
}

/// Says what a part of the configuration refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// RFC 8489 §14.9 allows less than 128 characters; answers stay small if these are bytes.
    #[error("a realm has 1 to 127 bytes and neither quotes, backslashes nor control characters")]
    Realm,
    /// The name that tokens of authorization servers are bound to.
    #[error("a server name has 1 to 127 bytes and neither quotes, backslashes nor control characters")]
    ServerName,
    /// The port range holds no port, or the port 0.
    #[error("the first port must be at least 1 and not above the last one")]
    PortRange,
    /// The worker's number is not below the number of workers.
    #[error("a share is numbered below the number of shares")]
    Share,
    /// A lifetime is zero, or the longest is below the default.
    #[error("the default lifetime is at least one second and not above the longest")]
    Lifetimes,
    /// A relay cannot be bound to it, or no peer can answer to it.
    #[error("{0} is no address of one machine")]
    NotUnicast(IpAddr),
    /// The two forms of one relay address are of different families.
    #[error("{0} and {1} are of different address families")]
    MixedFamilies(IpAddr, IpAddr),
    /// One address stands for two relay addresses.
    #[error("{0} is given twice")]
    Duplicate(IpAddr),
}

/// Names the realm of the long-term credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Realm(String);

impl Realm {
    /// Takes 1 to 127 bytes that may stand in a quoted string as they are. The text is prepared as RFC 8489 §9.2.2
    /// has clients prepare it.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Realm`] for any other text.
    pub fn new(realm: impl Into<String>) -> Result<Self, ConfigError> {
        let realm = realm.into();
        let realm = prepare_opaque_string(&realm).map_err(|_| ConfigError::Realm)?;
        let quotable = |c: char| !c.is_control() && c != '"' && c != '\\';
        if (1..=127).contains(&realm.len()) && realm.chars().all(quotable) {
            Ok(Self(realm.into_owned()))
        } else {
            Err(ConfigError::Realm)
        }
    }

    /// Shows the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Bounds how long an allocation lives without a Refresh (RFC 8656 §7.2), in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    default: u32,
    max: u32,
}

impl Lifetimes {
    /// Takes the lifetime granted to those who ask for less or nothing, and the longest granted to anyone.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Lifetimes`] unless 1 s ≤ `default` ≤ `max` (and `max` fits 32 bits of seconds).
    pub fn new(default: Duration, max: Duration) -> Result<Self, ConfigError> {
        let seconds =
            |duration: Duration| u32::try_from(duration.as_secs()).map_err(|_| ConfigError::Lifetimes);
        let (default, max) = (seconds(default)?, seconds(max)?);
        if default == 0 || default > max {
            return Err(ConfigError::Lifetimes);
        }
        Ok(Self { default, max })
    }

    /// Grants a lifetime in seconds for the one asked.
    pub(crate) fn grant(self, asked: Option<u32>) -> u32 {
        asked.unwrap_or(self.default).clamp(self.default, self.max)
    }
}

impl Default for Lifetimes {
    /// RFC 8656 §3.2 and §7.2: ten minutes, at most an hour.
    fn default() -> Self {
        Self {
            default: 600,
            max: 3600,
        }
    }
}

/// Says which channel numbers clients may bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChannelRange {
    /// 0x4000–0x4FFF (RFC 8656 §12).
    #[default]
    Rfc8656,
    /// 0x4000–0x7FFE (RFC 5766 §11), for older clients.
    Rfc5766,
}

/// Bounds what clients may hold, so that no table grows without end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Permissions of one allocation; the next one gets 508.
    pub permissions_per_allocation: u16,
    /// Channels of one allocation, those in quarantine included; the next one gets 508.
    pub channels_per_allocation: u16,
    /// Allocations of this worker; the next one gets 508.
    pub allocations: u32,
}

impl Default for Limits {
    /// A browser makes one permission per remote candidate address, rarely above 30.
    fn default() -> Self {
        Self {
            permissions_per_allocation: 128,
            channels_per_allocation: 128,
            allocations: 65_536,
        }
    }
}

/// Limits answers to addresses that proved nothing, per /24 of IPv4 and /56 of IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnauthorizedLimit {
    /// Answers a second in the long run.
    pub per_second: NonZeroU32,
    /// Answers that may come at once after a pause.
    pub burst: NonZeroU32,
}

impl Default for UnauthorizedLimit {
    /// At 84 bytes an answer, 100 a second are under 70 kbit/s towards a network whose addresses are forged;
    /// a burst of 1000 lets a hundred browsers behind one NAT start a call in the same moment.
    fn default() -> Self {
        Self {
            per_second: NonZeroU32::MIN.saturating_add(99),
            burst: NonZeroU32::MIN.saturating_add(999),
        }
    }
}

#[cfg(test)]
mod tests;

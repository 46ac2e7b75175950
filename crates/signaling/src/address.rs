//! Whom a request came from, and what each address is using up.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::http::HeaderMap;
use ipnet::IpNet;
use sha2::{Digest as _, Sha256};

use crate::bucket::{Rate, TokenBucket};

/// Finds the client's address: the connection's, or what a trusted proxy in front says it was.
///
/// The list in `X-Forwarded-For` is read from the right, because only what the own proxies added
/// there is not the client's invention.
pub(crate) fn client_address(peer: Option<SocketAddr>, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let mut address = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip().to_canonical());
    let is_proxy = |address: IpAddr| trusted.iter().any(|net| net.contains(&address));
    let forwarded = headers.get_all("x-forwarded-for").iter().rev();
    let hops = forwarded
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.rsplit(','));
    for hop in hops {
        if !is_proxy(address) {
            break;
        }
        let hop = hop.trim();
        let parsed = hop.parse::<IpAddr>().ok();
        let parsed = parsed.or_else(|| hop.parse::<SocketAddr>().ok().map(|hop| hop.ip()));
        let Some(parsed) = parsed else { break };
        address = parsed.to_canonical();
    }
    address
}

/// Stands for one subscriber: an IPv4 address, or the /64 that IPv6 subscribers get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Subscriber {
    V4(Ipv4Addr),
    V6(u64),
    /// Everyone who comes while the table is full of others.
    Crowd,
}

impl From<IpAddr> for Subscriber {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => Self::V6(network(address)),
        }
    }
}

impl Subscriber {
    fn to_bits(self) -> u128 {
        match self {
            Self::V4(address) => address.to_ipv6_mapped().to_bits(),
            Self::V6(network) => u128::from(network) << 64,
            Self::Crowd => u128::MAX,
        }
    }
}

fn network(address: Ipv6Addr) -> u64 {
    (address.to_bits() >> 64) as u64
}

/// Counts connections and meters requests per subscriber, in a table of bounded size.
#[derive(Debug)]
pub(crate) struct Addresses {
    /// Keeps relay users from being traced back to addresses by trying them all.
    key: [u8; 32],
    // The standard hasher is randomly seeded, so strangers cannot choose colliding addresses.
    table: Mutex<Table>,
}

/// What a subscriber may use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AddressLimits {
    pub(crate) connections: usize,
    pub(crate) connections_per_address: u32,
    /// New connections.
    pub(crate) arrivals: Rate,
    /// Requests for credentials.
    pub(crate) requests: Rate,
}

#[derive(Debug)]
struct Table {
    limits: AddressLimits,
    subscribers: HashMap<Subscriber, Usage>,
    connections: usize,
    swept: Option<Instant>,
}

#[derive(Debug)]
struct Usage {
    arrivals: TokenBucket,
    requests: TokenBucket,
    connections: u32,
    /// The part of the relay's quota that the next connection counts for.
    share: u8,
}

/// Why a connection is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crowded {
    /// The address has as many connections as it may.
    Address,
    /// The address makes connections too fast; after this time it may try again.
    Arrivals(Duration),
    /// The server has as many as it takes.
    Server,
}

impl Addresses {
    /// Subscribers remembered at a time, about 100 bytes each.
    const MAX_SUBSCRIBERS: usize = 20_000;
    /// Relay users among whom the connections of one subscriber are dealt out. The relay's quota counts per user:
    /// more would give one household more of its ports, fewer would let calls of one household block each other.
    const SHARES: u8 = 8;
    const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

    /// Servers with the same `secret` give an address the same relay users.
    pub(crate) fn new(limits: AddressLimits, secret: &[u8]) -> Arc<Self> {
        let key = Sha256::new_with_prefix("relay users").chain_update(secret);
        Arc::new(Self {
            key: key.finalize().into(),
            table: Mutex::new(Table {
                limits,
                subscribers: HashMap::new(),
                connections: 0,
                swept: None,
            }),
        })
    }

    /// Lets subscribers use so much from here on; what they use already is not taken away.
    pub(crate) fn set_limits(&self, limits: AddressLimits) {
        self.lock().limits = limits;
    }

    /// Counts a new connection of `address` until the returned lease is dropped.
    pub(crate) fn connect(self: &Arc<Self>, address: IpAddr, now: Instant) -> Result<Lease, Crowded> {
        let mut table = self.lock();
        let limits = table.limits;
        if table.connections >= limits.connections {
            return Err(Crowded::Server);
        }
        let (subscriber, usage) = table.usage(address.into(), now);
        if usage.connections >= limits.connections_per_address {
            return Err(Crowded::Address);
        }
        usage
            .arrivals
            .take(1, limits.arrivals, now)
            .map_err(Crowded::Arrivals)?;
        usage.connections += 1;
        usage.share = (usage.share + 1) % Self::SHARES;
        let relay_user = self.relay_user(address.into(), usage.share);
        table.connections += 1;
        Ok(Lease {
            addresses: Arc::clone(self),
            subscriber,
            relay_user,
        })
    }

    /// Names a share of a subscriber to the relay: the same one gets the same name for as long as the secret is kept.
    ///
    /// All parts have fixed lengths and the digest is cut, so that a prefix is enough of a key.
    fn relay_user(&self, subscriber: Subscriber, share: u8) -> String {
        let digest = Sha256::new()
            .chain_update(self.key)
            .chain_update(subscriber.to_bits().to_be_bytes())
            .chain_update([share])
            .finalize();
        digest[..16].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Meters one request of `address`; `Err` is the time after which to try again.
    pub(crate) fn request(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut table = self.lock();
        let requests = table.limits.requests;
        let (_, usage) = table.usage(address.into(), now);
        usage.requests.take(1, requests, now)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Table> {
        // Every update is complete before the next statement, so a panic elsewhere leaves it whole.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn usage(&mut self, subscriber: Subscriber, now: Instant) -> (Subscriber, &mut Usage) {
        let known = self.subscribers.contains_key(&subscriber);
        let subscriber = match known || self.has_space(now) {
            true => subscriber,
            false => Subscriber::Crowd,
        };
        let limits = self.limits;
        let usage = self.subscribers.entry(subscriber).or_insert_with(|| Usage {
            arrivals: TokenBucket::full(limits.arrivals, now),
            requests: TokenBucket::full(limits.requests, now),
            connections: 0,
            share: 0,
        });
        (subscriber, usage)
    }

    /// Forgets the idle when the table is full, but not at every stranger's request: it takes a while.
    fn has_space(&mut self, now: Instant) -> bool {
        if self.subscribers.len() < Addresses::MAX_SUBSCRIBERS {
            return true;
        }
        let is_due = |swept| now.saturating_duration_since(swept) >= Addresses::SWEEP_INTERVAL;
        if !self.swept.is_none_or(is_due) {
            return false;
        }
        self.swept = Some(now);
        let limits = self.limits;
        self.subscribers.retain(|_, usage| !usage.is_idle(&limits, now));
        self.subscribers.len() < Addresses::MAX_SUBSCRIBERS
    }
}

impl Usage {
    /// Tells whether a fresh entry would say the same.
    fn is_idle(&mut self, limits: &AddressLimits, now: Instant) -> bool {
        self.connections == 0
            && self.arrivals.is_full(limits.arrivals, now)
            && self.requests.is_full(limits.requests, now)
    }
}

/// Holds the place of one connection; dropping it gives the place back.
#[derive(Debug)]
pub(crate) struct Lease {
    addresses: Arc<Addresses>,
    subscriber: Subscriber,
    relay_user: String,
}

impl Lease {
    /// Names the connection inside TURN credentials; one subscriber's connections have few names between them.
    pub(crate) fn relay_user(&self) -> &str {
        &self.relay_user
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut table = self.addresses.lock();
        table.connections -= 1;
        if let Some(usage) = table.subscribers.get_mut(&self.subscriber) {
            usage.connections -= 1;
        }
    }
}

#[cfg(test)]
mod tests;

//! Which peers a client may reach through us. Private and special-purpose networks are closed unless an
//! operator opens them, in every spelling that ends at the same machine.

mod embedded;
mod special;

use std::net::IpAddr;

use ipnet::IpNet;

use self::{embedded::embedded_v4, special::SPECIAL_PURPOSE};

/// Decides by address which peers may be reached.
///
/// 1. Among `allow` and `deny`, the most specific network that holds the address decides; of two equally
///    specific ones, `deny` does.
/// 2. Where neither says anything, the special-purpose networks of IANA's registries and the well-known
///    metadata services are refused, everything else is allowed.
/// 3. An IPv6 address that carries an IPv4 address must pass both as itself and as what it carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerPolicy {
    rules: Vec<Rule>,
}

impl Default for PeerPolicy {
    /// Closed to special-purpose networks, open to the rest.
    fn default() -> Self {
        Self::new(&[], &[])
    }
}

impl PeerPolicy {
    /// Takes the networks to open and to close beyond the defaults.
    pub fn new(allow: &[IpNet], deny: &[IpNet]) -> Self {
        let rule = |net: &IpNet, allows| Rule {
            network: Network::from(*net),
            allows,
        };
        let mut rules: Vec<_> = allow
            .iter()
            .map(|net| rule(net, true))
            .chain(deny.iter().map(|net| rule(net, false)))
            .collect();
        rules.sort_by_key(|rule| (std::cmp::Reverse(rule.network.prefix), rule.allows));
        Self { rules }
    }

    /// Tells whether a peer at this address may be reached.
    pub fn allows(&self, ip: IpAddr) -> bool {
        let IpAddr::V6(v6) = ip else {
            return self.allows_as_written(ip);
        };
        self.allows_as_written(ip) && embedded_v4(v6).all(|v4| self.allows_as_written(v4.into()))
    }

    /// Tells whether `allow` opens this address, rather than nobody having closed it.
    pub(crate) fn opens(&self, ip: IpAddr) -> bool {
        self.allows(ip) && self.rules.iter().any(|rule| rule.network.contains(ip))
    }

    fn allows_as_written(&self, ip: IpAddr) -> bool {
        match self.rules.iter().find(|rule| rule.network.contains(ip)) {
            Some(rule) => rule.allows,
            None => !SPECIAL_PURPOSE.iter().any(|network| network.contains(ip)),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rule {
    network: Network,
    allows: bool,
}

/// Holds a network of either family as one integer, so that no comparison goes byte by byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    v4: bool,
    base: u128,
    mask: u128,
    prefix: u8,
}

impl Network {
    const fn v4(octets: [u8; 4], prefix: u8) -> Self {
        let mask = mask(prefix, 32);
        Self {
            v4: true,
            base: u32::from_be_bytes(octets) as u128 & mask,
            mask,
            prefix,
        }
    }

    const fn v6(segments: [u16; 8], prefix: u8) -> Self {
        let mut base = 0;
        let mut at = 0;
        while at < 8 {
            base = base << 16 | segments[at] as u128;
            at += 1;
        }
        let mask = mask(prefix, 128);
        Self {
            v4: false,
            base: base & mask,
            mask,
            prefix,
        }
    }

    fn contains(&self, ip: IpAddr) -> bool {
        let bits = match ip {
            IpAddr::V4(v4) => u128::from(v4.to_bits()),
            IpAddr::V6(v6) => v6.to_bits(),
        };
        ip.is_ipv4() == self.v4 && bits & self.mask == self.base
    }
}

impl From<IpNet> for Network {
    fn from(net: IpNet) -> Self {
        match net {
            IpNet::V4(net) => Self::v4(net.addr().octets(), net.prefix_len()),
            IpNet::V6(net) => Self::v6(net.addr().segments(), net.prefix_len()),
        }
    }
}

/// The upper `prefix` of the lower `width` bits.
const fn mask(prefix: u8, width: u8) -> u128 {
    low_bits(width) & !low_bits(width - prefix)
}

const fn low_bits(count: u8) -> u128 {
    if count == 128 { u128::MAX } else { (1 << count) - 1 }
}

#[cfg(test)]
mod tests;

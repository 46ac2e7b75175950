//! What an authority may certify (RFC 5280 §4.2.1.10).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rcgen::{CidrSubnet, GeneralSubtree, NameConstraints};
use x509_parser::{extensions::GeneralName, prelude::X509Certificate};

use super::{Host, mint};

/// Names that no public DNS has: RFC 6761, RFC 6762, RFC 8375, ICANN's `internal`, and what home routers say.
const LOCAL_NAMES: [&str; 5] = ["localhost", "local", "home.arpa", "internal", "lan"];

/// Networks that the public internet does not have: RFC 1122, 1918, 3927, 6598, 4193, 4291.
const LOCAL_V4: [(Ipv4Addr, u8); 6] = [
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
];
const LOCAL_V6: [(Ipv6Addr, u8); 2] = [
    (Ipv6Addr::LOCALHOST, 128),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7),
];

/// What a new authority on `host` shall be limited to: local networks, and what this machine has beside.
pub(super) fn for_host(host: &Host) -> NameConstraints {
    let local = LOCAL_NAMES.iter().map(ToString::to_string);
    let names = local.chain(mint::names_of(host)).map(GeneralSubtree::DnsName);
    let v4 = LOCAL_V4.iter().map(|(network, bits)| ((*network).into(), *bits));
    let v6 = LOCAL_V6.iter().map(|(network, bits)| ((*network).into(), *bits));
    let mut networks: Vec<(IpAddr, u8)> = v4.chain(v6).collect();
    for address in &host.addresses {
        // An interface's IPv6 address changes within its /64.
        let bits = if address.is_ipv4() { 32 } else { 64 };
        let own = (network(*address, bits), bits);
        let is_inside = networks
            .iter()
            .any(|(wide, bits)| network(*address, *bits) == *wide);
        if !is_inside && mint::is_certifiable(*address) {
            networks.push(own);
        }
    }
    let networks = networks
        .into_iter()
        .map(|(network, bits)| GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(network, bits)));
    NameConstraints {
        permitted_subtrees: names.chain(networks).collect(),
        excluded_subtrees: Vec::new(),
    }
}

/// What an authority's certificate says that it may certify; what it does not mention at all it may.
#[derive(Debug, Default)]
pub(super) struct Permitted {
    names: Vec<String>,
    networks: Vec<(IpAddr, IpAddr)>,
}

impl Permitted {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the other kinds name no server")]
    pub(super) fn by(authority: &X509Certificate<'_>) -> Self {
        let mut permitted = Self::default();
        let constraints = authority.name_constraints().ok().flatten();
        let subtrees = constraints.and_then(|constraints| constraints.value.permitted_subtrees.as_ref());
        for subtree in subtrees.into_iter().flatten() {
            match subtree.base {
                GeneralName::DNSName(name) => permitted.names.push(name.to_ascii_lowercase()),
                GeneralName::IPAddress(bytes) => permitted.networks.extend(masked(bytes)),
                _ => {}
            }
        }
        permitted
    }

    pub(super) fn names(&self, name: &str) -> bool {
        let below = |root: &String| {
            name.strip_suffix(root.as_str())
                .is_some_and(|rest| rest.ends_with('.'))
        };
        self.names.is_empty() || self.names.iter().any(|root| name == root || below(root))
    }

    pub(super) fn address(&self, address: IpAddr) -> bool {
        let is_in = |(network, mask): &(IpAddr, IpAddr)| match (address, network, mask) {
            (IpAddr::V4(address), IpAddr::V4(network), IpAddr::V4(mask)) => address & mask == *network,
            (IpAddr::V6(address), IpAddr::V6(network), IpAddr::V6(mask)) => address & mask == *network,
            _ => false,
        };
        self.networks.is_empty() || self.networks.iter().any(is_in)
    }
}

/// An address with the mask behind it.
fn masked(bytes: &[u8]) -> Option<(IpAddr, IpAddr)> {
    let (address, mask) = bytes.split_at(bytes.len() / 2);
    let read = |bytes: &[u8]| {
        let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
        four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
            .ok()
    };
    Some((read(address)?, read(mask)?))
}

fn network(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits.min(32))).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}

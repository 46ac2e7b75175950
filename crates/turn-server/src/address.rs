//! This machine's own addresses, for relays that nobody configured.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use datagram_io::{host_addresses, local_address_towards};

/// The IPv4 address of the default route, or else one that stands in for it.
pub(crate) fn likely_v4() -> Option<IpAddr> {
    // Any address beyond the default route will do; this one is reserved for documentation.
    local_address_towards(Ipv4Addr::new(192, 0, 2, 1).into()).or_else(|| substitute(IpAddr::is_ipv4))
}

/// The IPv6 address of the default route, or else one that stands in for it.
pub(crate) fn likely_v6() -> Option<IpAddr> {
    let beyond = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    local_address_towards(beyond.into()).or_else(|| substitute(IpAddr::is_ipv6))
}

/// Without a route, an address of the local network; loopback only on a machine that has nothing else, as
/// it is of no use to clients elsewhere.
fn substitute(of_family: fn(&IpAddr) -> bool) -> Option<IpAddr> {
    let addresses = host_addresses();
    let isolated = addresses.iter().all(IpAddr::is_loopback);
    let usable = |ip: &IpAddr| {
        if isolated {
            true
        } else {
            !ip.is_loopback() && !is_link_local(ip)
        }
    };
    addresses.into_iter().filter(of_family).find(usable)
}

/// A link-local address means nothing without the interface it belongs to.
fn is_link_local(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

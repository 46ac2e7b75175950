//! Addresses as they stand in URIs.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

/// The address by which other machines most likely reach this one; loopback when there is no network.
pub(crate) fn of_this_machine() -> IpAddr {
    // Connecting a UDP socket only asks the routing table which source address it would use.
    let asked = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|socket| {
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
        socket.local_addr()
    });
    match asked {
        Ok(address) if !address.ip().is_unspecified() => address.ip(),
        Ok(_) | Err(_) => Ipv4Addr::LOCALHOST.into(),
    }
}

/// The host of a listener in a page's address: `localhost` for loopback, which browsers trust with a camera.
pub(crate) fn host_of(listener: SocketAddr) -> String {
    if listener.ip().is_loopback() {
        "localhost".to_owned()
    } else {
        literal_host_of(listener)
    }
}

/// The host of a listener as an address, that of this machine for a wildcard.
pub(crate) fn literal_host_of(listener: SocketAddr) -> String {
    let ip = if listener.ip().is_unspecified() {
        of_this_machine()
    } else {
        listener.ip()
    };
    in_uri(&ip.to_string())
}

/// Puts an IPv6 literal into brackets and leaves everything else alone.
pub(crate) fn in_uri(host: &str) -> String {
    if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_stand_in_uris_as_rfc_3986_wants_them() {
        assert_eq!(in_uri("2001:db8::1"), "[2001:db8::1]");
        assert_eq!(in_uri("[2001:db8::1]"), "[2001:db8::1]");
        assert_eq!(in_uri("turn.example.org"), "turn.example.org");
        assert_eq!(host_of("[::1]:3001".parse().unwrap()), "localhost");
        assert_eq!(host_of("192.0.2.7:3001".parse().unwrap()), "192.0.2.7");
    }
}

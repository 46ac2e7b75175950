//! Addresses as they stand in URIs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// The address by which other machines most likely reach this one; loopback when there is no network.
pub(crate) fn of_this_machine() -> IpAddr {
    on_the_network_v4()
        .or_else(on_the_network_v6)
        .unwrap_or(Ipv4Addr::LOCALHOST.into())
}

/// The IPv4 address that others see without a NAT between.
pub(crate) fn on_the_network_v4() -> Option<IpAddr> {
    towards(
        (Ipv4Addr::UNSPECIFIED, 0).into(),
        (Ipv4Addr::new(192, 0, 2, 1), 9).into(),
    )
}

/// The IPv6 address that others see.
pub(crate) fn on_the_network_v6() -> Option<IpAddr> {
    let documentation = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    towards((Ipv6Addr::UNSPECIFIED, 0).into(), (documentation, 9).into())
}

/// Connecting a UDP socket sends nothing, it only asks the routing table which source address it would use.
fn towards(from: SocketAddr, to: SocketAddr) -> Option<IpAddr> {
    let socket = UdpSocket::bind(from).ok()?;
    socket.connect(to).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_unspecified() && !ip.is_loopback()).then_some(ip)
}

/// The name that this machine has given itself.
pub(crate) fn host_name() -> Option<String> {
    let by_kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let asked = || {
        let output = std::process::Command::new("hostname").output().ok()?;
        String::from_utf8(output.stdout).ok()
    };
    let name = by_kernel.or_else(asked)?;
    let name = name.trim();
    is_name(name).then(|| name.to_ascii_lowercase())
}

/// Hosts under which a listener is reached: for a wildcard, this machine's own of that family.
pub(crate) fn reached_by(listener: SocketAddr) -> Vec<String> {
    let addresses: Vec<IpAddr> = match listener.ip() {
        one if !one.is_unspecified() => vec![one],
        IpAddr::V4(_) => on_the_network_v4()
            .into_iter()
            .chain([Ipv4Addr::LOCALHOST.into()])
            .collect(),
        IpAddr::V6(_) => on_the_network_v6().into_iter().collect(),
    };
    addresses
        .iter()
        .map(|address| in_uri(&address.to_string()))
        .collect()
}

/// Hosts in the address of a page, `localhost` first: there browsers give it a camera.
pub(crate) fn page_hosts(listener: SocketAddr) -> Vec<String> {
    let ip = listener.ip();
    let localhost = (ip.is_loopback() || ip.is_unspecified()).then(|| "localhost".to_owned());
    let loopback = |host: &String| matches!(host.as_str(), "127.0.0.1" | "[::1]");
    let others = reached_by(listener).into_iter().filter(|host| !loopback(host));
    localhost.into_iter().chain(others).collect()
}

/// Puts an IPv6 literal into brackets and leaves everything else alone.
pub(crate) fn in_uri(host: &str) -> String {
    if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}

/// Reads a host for URIs: a DNS name, or an IP address with or without brackets.
pub(crate) fn host(text: &str) -> Result<String, &'static str> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let is_address = match bare {
        Some(bare) => bare.parse::<Ipv6Addr>().is_ok(),
        None => text.parse::<IpAddr>().is_ok(),
    };
    if is_address || is_name(text) {
        return Ok(in_uri(text));
    }
    Err("is neither a host name nor an IP address; give the port with --port")
}

/// Whether public DNS may hold this name, so that it is the same site from everywhere.
pub(crate) fn is_public_name(name: &str) -> bool {
    // RFC 6761, 6762, 8375, and what home routers and companies use.
    const LOCAL: [&str; 9] = [
        "localhost",
        "local",
        "lan",
        "internal",
        "arpa",
        "test",
        "example",
        "invalid",
        "onion",
    ];
    let name = name.strip_suffix('.').unwrap_or(name);
    let last = name.rsplit('.').next().unwrap_or("");
    is_name(name) && name.contains('.') && !LOCAL.iter().any(|local| last.eq_ignore_ascii_case(local))
}

/// Labels of RFC 1123 §2.1; the last one is no number, or some would read the name as an address.
pub(crate) fn is_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let last = text.rsplit('.').next().unwrap_or("");
    text.len() <= 253 && text.split('.').all(is_label) && !last.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_stand_in_uris_as_rfc_3986_wants_them() {
        assert_eq!(in_uri("2001:db8::1"), "[2001:db8::1]");
        assert_eq!(in_uri("[2001:db8::1]"), "[2001:db8::1]");
        assert_eq!(in_uri("turn.example.org"), "turn.example.org");
        assert_eq!(page_hosts("[::1]:3001".parse().unwrap()), ["localhost"]);
        assert_eq!(page_hosts("192.0.2.7:3001".parse().unwrap()), ["192.0.2.7"]);
    }
    #[test]
    fn names_of_local_networks_are_not_public() {
        for name in ["call.example.org", "Example.COM."] {
            assert!(is_public_name(name), "{name}");
        }
        for name in [
            "localhost",
            "mybox",
            "mybox.local",
            "a.home.arpa",
            "x.LAN",
            "192.0.2.1",
            "::1",
            "",
        ] {
            assert!(!is_public_name(name), "{name}");
        }
    }

    #[test]
    fn a_host_is_a_name_or_an_address_and_has_no_port() {
        assert_eq!(host("turn.example.org").unwrap(), "turn.example.org");
        assert_eq!(host("192.0.2.7").unwrap(), "192.0.2.7");
        assert_eq!(host("2001:db8::1").unwrap(), "[2001:db8::1]");
        assert_eq!(host("[2001:db8::1]").unwrap(), "[2001:db8::1]");
        let long = "a".repeat(64);
        for wrong in [
            "",
            "turn.example.org:3479",
            "192.0.2.7:3478",
            "[2001:db8::1]:3478",
            "[192.0.2.7]",
            "http://x y",
            "turn:example.org",
            "a..b",
            "-a.example",
            "1.2.3",
            "user@example.org",
            "例え.example",
            &long,
        ] {
            assert!(host(wrong).unwrap_err().contains("--port"), "{wrong:?}");
        }
    }
}

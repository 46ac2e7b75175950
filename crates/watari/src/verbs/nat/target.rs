//! Which server is meant.

use std::{
    fmt, io,
    net::{IpAddr, Ipv6Addr, SocketAddr, ToSocketAddrs},
    str::FromStr,
};

use crate::addresses;

/// RFC 8489 §18.6; then the port where `watari up` has RFC 5780, beside TURN on 3478.
const DEFAULT_PORTS: [u16; 2] = [3478, 3479];

/// A STUN server as it was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// A DNS name or an IP address without brackets.
    host: String,
    port: Option<u16>,
}

/// Which addresses of a server will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Any,
    V4,
    V6,
}

impl Target {
    /// The ports to ask, in this order.
    pub(super) fn ports(&self) -> Vec<u16> {
        self.port.map_or(DEFAULT_PORTS.to_vec(), |port| vec![port])
    }

    /// Looks the host up; of several addresses the first, IPv4 before IPv6, where most NATs are.
    pub(super) fn resolve(&self, family: Family) -> io::Result<Option<IpAddr>> {
        let addresses = (self.host.as_str(), 0).to_socket_addrs()?.map(|a| a.ip());
        let wanted = |ip: &IpAddr| match family {
            Family::Any => true,
            Family::V4 => ip.is_ipv4(),
            Family::V6 => ip.is_ipv6(),
        };
        Ok(addresses.filter(wanted).min_by_key(IpAddr::is_ipv6))
    }
}

impl FromStr for Target {
    type Err = &'static str;

    /// Reads `host`, `host:port`, an IPv6 address with or without brackets, each with `stun:` in front (RFC 7064).
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.strip_prefix("stun:").unwrap_or(text);
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Self::checked(address.ip().to_string(), Some(address.port()));
        }
        let is_bare_ipv6 = text.parse::<Ipv6Addr>().is_ok();
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !is_bare_ipv6 && !text.ends_with(']') => {
                let port = port
                    .parse()
                    .map_err(|_| "has a port that is no number up to 65535")?;
                (host, Some(port))
            }
            _ => (text, None),
        };
        addresses::host(host)
            .map_err(|_| "is not a host with or without a port, such as stun.example.org:3478")?;
        Self::checked(host.trim_matches(['[', ']']).to_owned(), port)
    }
}

impl Target {
    fn checked(host: String, port: Option<u16>) -> Result<Self, &'static str> {
        if port == Some(0) {
            return Err("has port 0, which nothing listens on");
        }
        Ok(Self { host, port })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&addresses::in_uri(&self.host))?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_as_a_host_an_address_or_a_stun_uri() {
        for (text, shown, ports) in [
            ("stun.example.org", "stun.example.org", vec![3478, 3479]),
            ("stun.example.org:19302", "stun.example.org:19302", vec![19302]),
            ("stun:stun.example.org:3478", "stun.example.org:3478", vec![3478]),
            ("192.0.2.1", "192.0.2.1", vec![3478, 3479]),
            ("stun:192.0.2.1:3479", "192.0.2.1:3479", vec![3479]),
            ("2001:db8::1", "[2001:db8::1]", vec![3478, 3479]),
            ("[2001:db8::1]", "[2001:db8::1]", vec![3478, 3479]),
            ("[2001:db8::1]:3479", "[2001:db8::1]:3479", vec![3479]),
        ] {
            let target: Target = text.parse().unwrap();
            assert_eq!(
                (target.to_string().as_str(), target.ports()),
                (shown, ports),
                "{text}"
            );
        }
        for wrong in [
            "",
            "a b",
            "host:",
            "host:0",
            "host:65536",
            "turn:host:1:2",
            "[::1]:0",
            "a:b:c",
        ] {
            assert!(wrong.parse::<Target>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_family_that_was_asked_for_is_the_one_that_is_found() {
        let both: Target = "::1".parse().unwrap();
        assert_eq!(both.resolve(Family::Any).unwrap(), Some("::1".parse().unwrap()));
        assert_eq!(both.resolve(Family::V6).unwrap(), Some("::1".parse().unwrap()));
        assert_eq!(both.resolve(Family::V4).unwrap(), None);
    }
}

//! Host and port of a server, as they stand in the URLs of every scheme.

use std::{
    fmt, io,
    net::{Ipv6Addr, SocketAddr, ToSocketAddrs},
};

use crate::addresses;

/// A host and, if it was named, a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Authority {
    /// A DNS name or an IP address without brackets.
    pub(super) host: String,
    pub(super) port: Option<u16>,
}

impl Authority {
    /// Reads HOST, HOST:PORT, an IPv6 address with or without brackets, or one in brackets with a port; a host that is none is
    /// told of by the words `otherwise`.
    pub(super) fn read(text: &str, otherwise: &'static str) -> Result<Self, &'static str> {
        let is_bare_ipv6 = text.parse::<Ipv6Addr>().is_ok();
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !is_bare_ipv6 && !text.ends_with(']') => {
                let port = port.parse().ok().filter(|port| *port != 0);
                (
                    host,
                    Some(port.ok_or("has a port that is no number from 1 to 65535")?),
                )
            }
            _ => (text, None),
        };
        addresses::host(host).map_err(|_| otherwise)?;
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
        })
    }

    /// Where it is, at the port `default` if none was named: of several addresses the first, IPv4 before IPv6.
    pub(super) fn resolve(&self, default: u16) -> io::Result<SocketAddr> {
        let all = (self.host.as_str(), self.port.unwrap_or(default)).to_socket_addrs()?;
        all.min_by_key(SocketAddr::is_ipv6)
            .ok_or_else(|| io::Error::other("it has no address"))
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&addresses::in_uri(&self.host))?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

//! Which TURN server is meant (RFC 7065).

use std::{fmt, io, net::SocketAddr, str::FromStr};

use turn_load::Transport;

use super::authority::Authority;

/// RFC 7065 §3.2.
const PORT: u16 = 3478;
const TLS_PORT: u16 = 5349;

/// A TURN server as it was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Url {
    authority: Authority,
    pub(super) transport: Transport,
}

impl Url {
    /// A DNS name or an IP address without brackets.
    pub(super) fn host(&self) -> &str {
        &self.authority.host
    }

    /// Where clients that come by this transport find it.
    pub(super) fn resolve(&self, transport: Transport) -> io::Result<SocketAddr> {
        let default = if transport == Transport::Tls {
            TLS_PORT
        } else {
            PORT
        };
        self.authority.resolve(default)
    }
}

impl FromStr for Url {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (rest, query) = text
            .split_once('?')
            .map_or((text, None), |(rest, query)| (rest, Some(query)));
        let (rest, is_secure) = match rest.strip_prefix("turns:") {
            Some(rest) => (rest, true),
            None => (rest.strip_prefix("turn:").unwrap_or(rest), false),
        };
        let transport = match (query, is_secure) {
            (None | Some("transport=udp"), false) => Transport::Udp,
            (Some("transport=tcp"), false) => Transport::Tcp,
            (None | Some("transport=tcp"), true) => Transport::Tls,
            (Some("transport=udp"), true) => return Err("asks for DTLS, which the bench does not speak"),
            (Some(_), _) => return Err("has something behind ? that is not transport=udp or transport=tcp"),
        };
        let authority = Authority::read(rest, "is not a TURN server such as turn:turn.example.org:3478")?;
        Ok(Self { authority, transport })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.transport == Transport::Tls {
            "turns"
        } else {
            "turn"
        };
        write!(f, "{scheme}:{}", self.authority)?;
        match self.transport {
            Transport::Tcp => f.write_str("?transport=tcp"),
            Transport::Udp | Transport::Tls => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_by_a_uri_or_by_host_and_port() {
        for (text, shown) in [
            ("turn:turn.example.org", "turn:turn.example.org"),
            ("turn:192.0.2.1:3479?transport=udp", "turn:192.0.2.1:3479"),
            ("192.0.2.1:3479", "turn:192.0.2.1:3479"),
            (
                "turn:[2001:db8::1]:3479?transport=tcp",
                "turn:[2001:db8::1]:3479?transport=tcp",
            ),
            ("2001:db8::1", "turn:[2001:db8::1]"),
            ("turns:turn.example.org?transport=tcp", "turns:turn.example.org"),
        ] {
            assert_eq!(text.parse::<Url>().unwrap().to_string(), shown, "{text}");
        }
        for wrong in [
            "",
            "turn:",
            "turn:host:0",
            "turn:host:99999",
            "turn:host?transport=sctp",
            "turns:host?transport=udp",
            "turn:a b",
        ] {
            assert!(wrong.parse::<Url>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_port_depends_on_the_transport_unless_it_is_named() {
        let port = |text: &str, transport| text.parse::<Url>().unwrap().resolve(transport).unwrap().port();
        assert_eq!(port("turn:127.0.0.1", Transport::Udp), 3478);
        assert_eq!(port("turn:127.0.0.1", Transport::Tls), 5349);
        assert_eq!(port("turn:[::1]:7", Transport::Tls), 7);
    }
}

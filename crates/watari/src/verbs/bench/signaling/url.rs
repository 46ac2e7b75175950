//! Which signaling server is meant.

use std::{
    fmt, io,
    net::{SocketAddr, ToSocketAddrs},
    str::FromStr,
};

use crate::addresses;

/// A server of WebSockets as it was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SignalingUrl {
    /// A DNS name or an IP address without brackets.
    host: String,
    port: u16,
    pub(super) path: Option<String>,
}

impl SignalingUrl {
    /// Host and port as a URL has them.
    pub(super) fn authority(&self) -> String {
        format!("{}:{}", addresses::in_uri(&self.host), self.port)
    }

    /// Of several addresses the first, IPv4 before IPv6.
    pub(super) fn resolve(&self) -> io::Result<SocketAddr> {
        let all = (self.host.as_str(), self.port).to_socket_addrs()?;
        all.min_by_key(SocketAddr::is_ipv6)
            .ok_or_else(|| io::Error::other("it has no address"))
    }
}

impl FromStr for SignalingUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("wss:") || text.starts_with("https:") {
            return Err("asks for TLS, which the bench does not speak: load the server behind the proxy");
        }
        let rest = ["ws://", "http://"]
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme));
        let rest = rest.unwrap_or(text);
        let (authority, path) = match rest.find('/') {
            Some(slash) => (&rest[..slash], Some(rest[slash..].to_owned())),
            None => (rest, None),
        };
        if path.as_ref().is_some_and(|path| path.contains(['?', '#', ' '])) {
            return Err("has something behind its path");
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !authority.ends_with(']') => {
                let port = port.parse().ok().filter(|port| *port != 0);
                (host, port.ok_or("has a port that is no number from 1 to 65535")?)
            }
            _ => (authority, 80),
        };
        addresses::host(host).map_err(|_| "is not a server such as ws://127.0.0.1:3002/ws")?;
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            path,
        })
    }
}

impl fmt::Display for SignalingUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ws://{}{}",
            self.authority(),
            self.path.as_deref().unwrap_or_default()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_by_a_url_or_by_host_and_port() {
        for (text, shown) in [
            ("ws://127.0.0.1:3002/ws", "ws://127.0.0.1:3002/ws"),
            (
                "http://call.example/peerjs/peerjs",
                "ws://call.example:80/peerjs/peerjs",
            ),
            ("localhost:3001", "ws://localhost:3001"),
            ("[::1]:3001/", "ws://[::1]:3001/"),
        ] {
            assert_eq!(text.parse::<SignalingUrl>().unwrap().to_string(), shown, "{text}");
        }
        for wrong in [
            "",
            "wss://call.example",
            "host:0",
            "host:port",
            "a b",
            "host:1/ws?x=1",
        ] {
            assert!(wrong.parse::<SignalingUrl>().is_err(), "{wrong:?}");
        }
    }
}

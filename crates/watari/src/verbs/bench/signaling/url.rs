//! Which signaling server is meant.

use std::{fmt, io, net::SocketAddr, str::FromStr};

use crate::verbs::bench::authority::Authority;

/// Of HTTP.
const PORT: u16 = 80;

/// A server of WebSockets as it was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SignalingUrl {
    authority: Authority,
    pub(super) path: Option<String>,
}

impl SignalingUrl {
    /// Host and port as a URL has them.
    pub(super) fn authority(&self) -> String {
        self.authority.to_string()
    }

    /// Where clients find it.
    pub(super) fn resolve(&self) -> io::Result<SocketAddr> {
        self.authority.resolve(PORT)
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
        let authority = Authority::read(authority, "is not a server such as ws://127.0.0.1:3002/ws")?;
        Ok(Self { authority, path })
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
                "ws://call.example/peerjs/peerjs",
            ),
            ("localhost:3001", "ws://localhost:3001"),
            ("[::1]:3001/", "ws://[::1]:3001/"),
            ("::1", "ws://[::1]"),
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

    #[test]
    fn the_port_is_that_of_http_unless_it_is_named() {
        let port = |text: &str| text.parse::<SignalingUrl>().unwrap().resolve().unwrap().port();
        assert_eq!(port("ws://127.0.0.1/ws"), 80);
        assert_eq!(port("[::1]:3001"), 3001);
    }
}

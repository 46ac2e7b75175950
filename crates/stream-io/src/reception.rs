//! How a connection is received: by which rules, with which certificates, and who takes those of the web.

use std::{
    fmt,
    net::{IpAddr, SocketAddr, TcpStream},
    sync::Arc,
};

use ipnet::IpNet;
use rustls::ServerConfig;

use crate::{Limits, Rules, census::Member};

/// A connection of the web, as it came: its bytes were looked at and not taken. The stream does not block.
#[derive(Debug)]
pub struct Visitor {
    /// The connection.
    pub stream: TcpStream,
    /// The client, as a proxy in front of us named it or as it reached us.
    pub peer: SocketAddr,
    /// The address of ours that was reached.
    pub local: SocketAddr,
    /// Whether it begins with a TLS handshake.
    pub is_tls: bool,
    /// Its place among the connections of everybody and of its address, kept for as long as this is.
    pub member: Member,
}

/// Hands a connection to whoever serves HTTP; false refuses it. It is called in a worker's loop and must not wait.
pub type Door = Arc<dyn Fn(Visitor) -> bool + Send + Sync>;

/// What all workers of a server go by.
#[derive(Clone)]
pub struct Reception {
    /// Bounds.
    pub limits: Limits,
    /// For TURN over TLS; its ALPN protocols are [`crate::TURN_PROTOCOLS`].
    pub tls: Option<Arc<ServerConfig>>,
    /// Where TLS connections go.
    pub rules: Rules,
    /// Who takes connections of the web.
    pub door: Option<Door>,
    /// Proxies in front, each of whose connections begins with a PROXY header.
    pub proxies: Vec<IpNet>,
}

impl Reception {
    /// Receives STUN and TURN in the clear and nothing else.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            tls: None,
            rules: Rules::default(),
            door: None,
            proxies: Vec::new(),
        }
    }

    pub(crate) fn is_proxy(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.proxies.iter().any(|network| network.contains(&ip))
    }
}

impl fmt::Debug for Reception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reception")
            .field("limits", &self.limits)
            .field("tls", &self.tls.is_some())
            .field("rules", &self.rules)
            .field("door", &self.door.is_some())
            .field("proxies", &self.proxies)
            .finish()
    }
}

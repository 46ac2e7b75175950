//! The first question: is there a server, and what does it take this machine for?

use std::{
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    time::Duration,
};

use serde::Serialize;
use thiserror::Error;

use super::{
    Setting,
    binding::{Answer, Question},
    probe::{Probe, Unanswered},
    target::Family,
    tcp,
};
use crate::cli::NatArgs;

/// A server that answers.
pub(super) struct Reached {
    pub(super) setting: Setting,
    /// Where it was asked from.
    pub(super) local: SocketAddr,
    pub(super) answer: Answer,
}

/// Why nothing can be told about the NAT.
#[derive(Debug, Error, Serialize)]
#[serde(tag = "error", rename_all = "snake_case")]
pub(crate) enum Unreachable {
    #[error("cannot find {server}: {reason}")]
    Unresolved { server: String, reason: String },
    #[error("cannot ask {server} from this machine: {reason}")]
    NoWay { server: SocketAddr, reason: String },
    #[error("{server} refused to answer with STUN error {code}")]
    Refused { server: SocketAddr, code: u16 },
    #[error("{server} does not answer, its machine says that nothing listens there")]
    Closed { server: SocketAddr },
    #[error(
        "UDP is blocked: {server} answers over TCP and not over UDP.\n\
         WebRTC needs a TURN server over TCP or TLS here (turn:…?transport=tcp, turns:…)"
    )]
    UdpBlocked {
        server: SocketAddr,
        public_over_tcp: SocketAddr,
    },
    #[error(
        "{server} does not answer, neither over UDP nor over TCP: no STUN server is there, or a firewall stands between"
    )]
    Silent { server: SocketAddr },
}

/// Asks the ports of the target in turn, until one of them tells all that a server can.
pub(super) async fn reach(arguments: &NatArgs) -> Result<Reached, Unreachable> {
    let ip = resolve(arguments)?;
    let patience = Duration::from_secs(arguments.timeout);
    let mut reached: Option<Reached> = None;
    let mut failed = None;
    for port in arguments.server.ports() {
        let server = SocketAddr::new(ip, port);
        match ask(server, arguments.local, patience).await {
            Ok(full) if full.setting.other.is_some() => return Ok(full),
            Ok(partial) => {
                reached.get_or_insert(partial);
            }
            // The first port is the one that most servers have.
            Err(unreachable) => {
                failed.get_or_insert(unreachable);
            }
        }
    }
    match (reached, failed) {
        (Some(reached), _) => Ok(reached),
        (None, Some(Unreachable::Silent { server })) => Err(over_tcp(server, patience).await),
        (None, Some(failed)) => Err(failed),
        (None, None) => Err(Unreachable::Unresolved {
            server: arguments.server.to_string(),
            reason: "it has no port".to_owned(),
        }),
    }
}

fn resolve(arguments: &NatArgs) -> Result<IpAddr, Unreachable> {
    let family = match (arguments.ipv4, arguments.ipv6, arguments.local) {
        (true, ..) | (_, false, Some(IpAddr::V4(_))) => Family::V4,
        (_, true, _) | (_, _, Some(IpAddr::V6(_))) => Family::V6,
        (false, false, None) => Family::Any,
    };
    let reason = match arguments.server.resolve(family) {
        Ok(Some(ip)) => return Ok(ip),
        Ok(None) if family == Family::V4 => "it has no IPv4 address".to_owned(),
        Ok(None) => "it has no IPv6 address".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(Unreachable::Unresolved {
        server: arguments.server.to_string(),
        reason,
    })
}

async fn ask(server: SocketAddr, local: Option<IpAddr>, patience: Duration) -> Result<Reached, Unreachable> {
    let no_way = |error: io::Error| Unreachable::NoWay {
        server,
        reason: error.to_string(),
    };
    let local = local.map_or_else(|| local_towards(server), Ok).map_err(no_way)?;
    let probe = Probe::open(local, patience).await.map_err(no_way)?;
    probe.connect(server).await.map_err(no_way)?;
    let local = probe.local().map_err(no_way)?;
    match probe.ask(Question::plain(server)).await {
        Ok(answer) => Ok(Reached {
            local,
            setting: Setting {
                local: local.ip(),
                server,
                other: answer.other.filter(|other| is_usable(server, *other)),
                patience,
            },
            answer,
        }),
        Err(Unanswered::Silence) => Err(Unreachable::Silent { server }),
        Err(Unanswered::Refused(code)) => Err(Unreachable::Refused { server, code }),
        Err(Unanswered::Network(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            Err(Unreachable::Closed { server })
        }
        Err(Unanswered::Network(error)) => Err(no_way(error)),
    }
}

/// The routing table's choice; connecting sends nothing.
fn local_towards(server: SocketAddr) -> io::Result<IpAddr> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(server)?;
    Ok(socket.local_addr()?.ip())
}

/// RFC 5780 §7.4: the other address differs in both address and port. A server cannot send us just anywhere.
fn is_usable(server: SocketAddr, other: SocketAddr) -> bool {
    let ip = other.ip();
    let is_host = !ip.is_unspecified() && !ip.is_multicast() && ip.is_loopback() == server.ip().is_loopback();
    is_host
        && ip.is_ipv4() == server.is_ipv4()
        && ip != server.ip()
        && other.port() != 0
        && other.port() != server.port()
}

/// Silence over UDP: a firewall, or no server at all? TCP tells the two apart.
async fn over_tcp(server: SocketAddr, patience: Duration) -> Unreachable {
    match tcp::ask(server, patience).await {
        Ok(answer) => Unreachable::UdpBlocked {
            server,
            public_over_tcp: answer.mapped,
        },
        Err(_) => Unreachable::Silent { server },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_address_is_one_that_a_server_can_have_beside_its_own() {
        let usable = |server: &str, other: &str| is_usable(server.parse().unwrap(), other.parse().unwrap());
        assert!(usable("192.0.2.1:3478", "192.0.2.2:3479"));
        assert!(usable("[2001:db8::1]:3478", "[2001:db8::2]:3479"));
        assert!(usable("127.0.0.1:3478", "127.0.0.2:3479"));
        for other in [
            "192.0.2.1:3479",
            "192.0.2.2:3478",
            "192.0.2.2:0",
            "0.0.0.0:3479",
            "224.0.0.1:3479",
            "127.0.0.1:3479",
            "[2001:db8::1]:3479",
        ] {
            assert!(!usable("192.0.2.1:3478", other), "{other}");
        }
    }
}

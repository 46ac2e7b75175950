//! Why nothing could be measured, and what to do about it.

use std::{fmt, io, net::SocketAddr};

use thiserror::Error;

use crate::process::Unreadable;

/// Why a measurement did not come about.
#[derive(Debug, Error)]
pub enum Error {
    /// The server refused a request.
    #[error("{server} refused {refusal}{}{}", after(*allocations), refusal.advice())]
    Refused {
        /// Who refused.
        server: SocketAddr,
        /// What, and why.
        refusal: Refusal,
        /// How many allocations there were by then.
        allocations: u32,
    },
    /// The server did not answer a request.
    #[error(
        "{server} does not answer{}: is a TURN server there, and does every firewall between let it through?",
        after(*allocations)
    )]
    Silent {
        /// Who did not answer.
        server: SocketAddr,
        /// How many allocations there were by then.
        allocations: u32,
    },
    /// A connection to the server ended or could not be made.
    #[error("the connection to {server} failed: {reason}{}", beside(*others))]
    Connection {
        /// The server.
        server: SocketAddr,
        /// What the system or TLS said.
        reason: String,
        /// Connections of this bench beside it, where they may be why.
        others: usize,
    },
    /// The peer's own address cannot be bound.
    #[error(
        "cannot bind a peer to {address}: {error}. Name an address of this machine that the server reaches with --peer"
    )]
    Peer {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// The process of the server cannot be read.
    #[error(transparent)]
    Process(#[from] Unreadable),
    /// The system would not give what the load takes.
    #[error("cannot make the load: {0}")]
    Io(#[from] io::Error),
    /// A thread that made the load panicked.
    #[error(
        "a thread of the bench panicked: that is a mistake in it, and what it says above helps to find it"
    )]
    Panicked,
    /// It was asked to end before there was anything to tell.
    #[error("ended before anything was measured")]
    Cancelled,
}

fn after(allocations: u32) -> String {
    match allocations {
        0 => String::new(),
        1 => ", after 1 allocation".to_owned(),
        many => format!(", after {many} allocations"),
    }
}

/// What to do about a connection that was closed while there were others.
fn beside(others: usize) -> String {
    if others == 0 {
        return String::new();
    }
    format!(
        ".\nBeside it there were {others} from this machine. If the server bounds the connections of one address, raise \
         that while you measure: in Watari `[turn.streams] connections_per_address`; or use fewer --allocations"
    )
}

/// A server's refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The method that was refused.
    pub method: &'static str,
    /// The peer it was about.
    pub peer: Option<SocketAddr>,
    /// The number of the error.
    pub code: u16,
    /// The server's own words.
    pub reason: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {} {}", self.method, self.code, harmless(&self.reason))
    }
}

/// A stranger's words without what would move a terminal's cursor or turn the line around.
fn harmless(words: &str) -> String {
    let mut shown = String::with_capacity(words.len());
    for c in words.chars() {
        match c {
            '\'' | '"' | '\\' => shown.push(c),
            other => shown.extend(other.escape_debug()),
        }
    }
    shown
}

impl Refusal {
    /// What to do about it, on a line of its own, where there is something to do.
    fn advice(&self) -> String {
        match self.remedy() {
            "" => String::new(),
            remedy => format!(".\n{}", remedy.replace("PEER", &self.peer_network())),
        }
    }

    fn remedy(&self) -> &'static str {
        match self.code {
            300 => "It sends new clients to another server: load that one, or switch ALTERNATE-SERVER off",
            401 => "It does not know this user and password: correct --user and --password, or --secret-file",
            403 if self.peer.is_some() => {
                "Its peer policy forbids the address of the bench's peer. Allow it while you measure: in Watari \
                 `[turn.peers] allow = [\"PEER\"]`, in coturn `--allowed-peer-ip` and, for loopback, \
                 `--allow-loopback-peers`; or name another address of this machine with --peer"
            }
            403 => "It forbids that",
            437 => {
                "It has no such allocation, or has one of this address already that another client left: wait until \
                 its lifetime is over, or restart it"
            }
            441 => "It has an allocation of this address that belongs to another user",
            440 | 443 => "It relays no such address family: load it by an address of the family it relays",
            442 => "It relays no UDP",
            486 => {
                "This user has as many allocations as he may. Raise the quota while you measure: in Watari \
                 `[turn.limits] allocations_per_user`, in coturn `--user-quota` and `--total-quota`; or use fewer \
                 --allocations, or --secret-file, which makes each client a user of his own"
            }
            508 => {
                "It has no relay port left. Widen the range: in Watari `[turn.relay] min_port` and `max_port`, in \
                 coturn `--min-port` and `--max-port`; let it open more descriptors; or use fewer --allocations"
            }
            _ => "",
        }
    }

    fn peer_network(&self) -> String {
        match self.peer {
            Some(peer) if peer.ip().is_loopback() && peer.is_ipv4() => "127.0.0.0/8".to_owned(),
            Some(peer) => peer.ip().to_string(),
            None => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_settings_that_caused_it() {
        let error = |method, peer: Option<&str>, code| {
            let refusal = Refusal {
                method,
                peer: peer.map(|peer| peer.parse().unwrap()),
                code,
                reason: "Words".to_owned(),
            };
            let server = "192.0.2.1:3478".parse().unwrap();
            Error::Refused {
                server,
                refusal,
                allocations: 2,
            }
            .to_string()
        };
        let forbidden = error("ChannelBind", Some("127.0.0.1:9"), 403);
        for part in ["[\"127.0.0.0/8\"]", "--allow-loopback-peers", "--peer"] {
            assert!(forbidden.contains(part), "{forbidden}");
        }
        let quota = error("Allocate", None, 486);
        assert!(
            quota.contains("allocations_per_user") && quota.contains("--user-quota"),
            "{quota}"
        );
        assert_eq!(
            error("Allocate", None, 499),
            "192.0.2.1:3478 refused Allocate with 499 Words, after 2 allocations"
        );
    }

    #[test]
    fn a_servers_words_cannot_steer_a_terminal() {
        let refusal = Refusal {
            method: "Allocate",
            peer: None,
            code: 400,
            reason: "it's \u{1b}[31m \"不可\" \u{202e}\r\n".to_owned(),
        };
        assert_eq!(
            refusal.to_string(),
            r#"Allocate with 400 it's \u{1b}[31m "不可" \u{202e}\r\n"#
        );
    }

    #[test]
    fn a_connection_that_ends_beside_others_names_the_bound_for_an_address() {
        let error = |others| {
            let server = "192.0.2.1:3478".parse().unwrap();
            let reason = "closed".to_owned();
            Error::Connection {
                server,
                reason,
                others,
            }
            .to_string()
        };
        assert_eq!(error(0), "the connection to 192.0.2.1:3478 failed: closed");
        assert!(error(256).contains("connections_per_address"), "{}", error(256));
    }
}

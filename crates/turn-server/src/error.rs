//! Why a server did not start, or did not end well.

use std::{io, net::SocketAddr};

use thiserror::Error;

/// Why the server did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The configuration was not checked before: [`settings::load`] finds the same mistakes with their lines.
    #[error("{key}: {what}")]
    Config {
        /// The dotted key within the `turn` table.
        key: String,
        /// What is wrong.
        what: String,
    },
    /// A listening address cannot be bound.
    #[error("cannot listen on UDP {address}: {source}{}", advice(.address, .source))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// A configured relay address cannot be bound.
    #[error(
        "relays cannot use {address}: {source} (turn.relay.addresses must name addresses of this machine)"
    )]
    RelayAddress {
        /// The local address.
        address: std::net::IpAddr,
        /// What the system says.
        source: io::Error,
    },
    /// A name of our metrics is taken in the registry.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The system has no thread, poll or random number to give.
    #[error("cannot set up {what}: {source}")]
    System {
        /// What was wanted.
        what: &'static str,
        /// What the system says.
        source: io::Error,
    },
}

/// Why the server ended although nobody had asked.
pub type RunError = datagram_io::WorkerError;

/// Says what to do about an address that cannot be bound.
fn advice(address: &SocketAddr, error: &io::Error) -> String {
    let port = address.port();
    if error.kind() == io::ErrorKind::AddrInUse {
        format!(
            ". Another program holds the port: `ss -lunp 'sport = :{port}'` shows which. Stop it, or choose \
             another address in turn.listen"
        )
    } else if error.kind() == io::ErrorKind::PermissionDenied {
        format!(
            ". Ports below 1024 need the capability CAP_NET_BIND_SERVICE; {port} is one, or a rule forbids it"
        )
    } else if error.kind() == io::ErrorKind::AddrNotAvailable {
        ". No interface has that address: `ip addr` lists those there are. Correct turn.listen".to_owned()
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_says_which_and_what_to_do() {
        let error = StartError::Listen {
            address: "0.0.0.0:3478".parse().unwrap(),
            source: io::ErrorKind::AddrInUse.into(),
        };
        let text = error.to_string();
        for part in ["0.0.0.0:3478", "ss -lunp 'sport = :3478'", "turn.listen"] {
            assert!(text.contains(part), "{text}");
        }
    }
}

//! Why a server did not start, or did not end well.

use std::{io, net::SocketAddr};

use thiserror::Error;

/// Why the server did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The configuration was not checked before: [`settings::load`] finds the same mistakes with their lines.
    #[error("{key}: {what}")]
    Config {
        /// The dotted key within the `stun` table.
        key: String,
        /// What is wrong.
        what: String,
    },
    /// A listening address cannot be bound.
    #[error("cannot listen on UDP {address}: {source}{}", datagram_io::bind_advice(*.address, .source, "stun.listen or stun.behaviour"))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// A TCP address cannot be listened on.
    #[error("cannot listen on TCP {address}: {source}{}", datagram_io::tcp_bind_advice(*.address, .source, "stun.listen_tcp"))]
    ListenTcp {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// A name of our metrics is taken in the registry.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The system has no thread or poll to give.
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

//! What connections may take of memory and time.

use std::time::Duration;

/// Bounds on a server's connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections of everybody, over all workers.
    pub connections: u32,
    /// Connections of one IPv4 address, or of one IPv6 /64.
    pub per_network: u32,
    /// From accepting a connection to its first complete message.
    pub handshake: Duration,
    /// From the first byte of a later message to its last.
    pub frame: Duration,
    /// How long a connection without an allocation may stay silent.
    pub idle: Duration,
    /// Bytes that may wait for a client that reads slowly.
    pub send_queue: usize,
}

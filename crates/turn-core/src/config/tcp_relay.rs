//! What TCP allocations may take.

use std::time::Duration;

/// Bounds the connections of TCP allocations (RFC 6062).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpRelay {
    /// Connections to peers of one allocation, those included that are still being made or wait to be bound. The
    /// next Connect gets 508, the next peer is closed.
    pub connections_per_allocation: u16,
    /// RFC 6062 §5.2: a connection to a peer is given up after at least 30 seconds.
    pub connect_timeout: Duration,
    /// RFC 6062 §5.2 and §5.3: a connection that no ConnectionBind came for is closed after 30 seconds.
    pub bind_timeout: Duration,
}

impl Default for TcpRelay {
    fn default() -> Self {
        Self {
            connections_per_allocation: 32,
            connect_timeout: Duration::from_secs(30),
            bind_timeout: Duration::from_secs(30),
        }
    }
}

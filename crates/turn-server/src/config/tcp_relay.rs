//! `[turn.tcp_relay]`: TCP allocations (RFC 6062).

use schemars::JsonSchema;
use serde::Deserialize;

/// Connections between clients and peers over TCP.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TcpRelay {
    /// Whether clients may allocate TCP relays.
    pub enabled: bool,
    /// Connections to peers of one user id.
    pub connections_per_user: u32,
    /// Connections to peers of one allocation.
    pub connections_per_allocation: u16,
    /// Connections to peers of everybody.
    pub connections: u32,
}

impl Default for TcpRelay {
    /// Off: a relay that connects for its clients can be used against whatever trusts its address. A connection takes
    /// a descriptor, and a pipe's two while one side is slower than the other.
    fn default() -> Self {
        Self {
            enabled: false,
            connections_per_user: 64,
            connections_per_allocation: 32,
            connections: 1024,
        }
    }
}

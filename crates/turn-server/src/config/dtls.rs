//! The `[turn.dtls]` table.

use schemars::JsonSchema;
use serde::Deserialize;

/// DTLS on the UDP listeners.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Dtls {
    /// Whether it is spoken, once there is a certificate.
    pub enabled: bool,
    /// Sessions of everybody.
    pub sessions: u32,
    /// Sessions of one IPv4 address, or of one IPv6 /64, with each worker.
    pub sessions_per_address: u32,
    /// Handshakes of everybody at a time.
    pub half_open: u32,
    /// Seconds that a handshake may take. What gets lost is sent again after 1, 2, 4 and 8 seconds (RFC 6347 §4.2.4.1).
    pub handshake: u32,
    /// Seconds that a session without an allocation may be silent.
    pub idle: u32,
}

impl Default for Dtls {
    /// A session takes 45 kB and a handshake that is going on 52 kB, whatever it is sent: these take 190 MB at most.
    fn default() -> Self {
        Self {
            enabled: true,
            sessions: 4096,
            sessions_per_address: 256,
            half_open: 1024,
            handshake: 30,
            idle: 60,
        }
    }
}

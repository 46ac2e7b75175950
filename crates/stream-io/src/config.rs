//! Bounds on connections as an operator writes them.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use settings::{Check, Report};
use stun_wire::stream::MAX_FRAME_LEN;

use crate::Limits;

/// Bytes that may be said to wait for one client: seconds of the fastest media.
const LONGEST_QUEUE: usize = 64 << 20;

/// A table of bounds on connections over TCP.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StreamsConfig {
    /// Connections of everybody.
    pub connections: u32,
    /// Connections of one IPv4 address, or of one IPv6 /64.
    pub connections_per_address: u32,
    /// Seconds from accepting a connection to its first complete message.
    pub handshake: u32,
    /// Seconds from the first byte of a later message to its last.
    pub frame: u32,
    /// Seconds that a connection without an allocation may be silent.
    pub idle: u32,
    /// Bytes that may wait for a client that reads slowly.
    pub send_queue: usize,
}

impl StreamsConfig {
    /// The bounds in the words of a table of streams.
    pub fn limits(&self) -> Limits {
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        Limits {
            connections: self.connections,
            per_network: self.connections_per_address,
            handshake: seconds(self.handshake),
            frame: seconds(self.frame),
            idle: seconds(self.idle),
            send_queue: self.send_queue,
        }
    }
}

impl Check for StreamsConfig {
    fn check(&self, report: &mut Report<'_>) {
        for (key, value) in [
            ("connections", self.connections),
            ("connections_per_address", self.connections_per_address),
        ] {
            if value == 0 {
                let what = "must be at least 1: set `listen_tcp` to [] to have no connections";
                report.mistake(key, what);
            }
        }
        for (key, seconds) in [
            ("handshake", self.handshake),
            ("frame", self.frame),
            ("idle", self.idle),
        ] {
            if seconds == 0 {
                report.mistake(key, "must be at least 1 second");
            }
        }
        if !(MAX_FRAME_LEN..=LONGEST_QUEUE).contains(&self.send_queue) {
            let what = format!("must be {MAX_FRAME_LEN}, the longest message, to {LONGEST_QUEUE}");
            report.mistake("send_queue", what);
        }
    }
}

impl Default for StreamsConfig {
    /// Where UDP is blocked a whole office stands behind one address, with two or three connections a call.
    fn default() -> Self {
        Self {
            connections: 20_000,
            connections_per_address: 256,
            handshake: 10,
            frame: 30,
            idle: 300,
            send_queue: 256 << 10,
        }
    }
}

//! What clients of other projects may use.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use settings::{Check, Report};

use super::{at_least_one, two_to_64};

/// Serves classic samples.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClassicConfig {
    /// Members a room takes, 2 to 64.
    pub capacity: usize,
}

impl Default for ClassicConfig {
    fn default() -> Self {
        // Samples answer whatever comes, so a third member would break the call of the first two.
        Self { capacity: 2 }
    }
}

impl Check for ClassicConfig {
    fn check(&self, report: &mut Report<'_>) {
        two_to_64(report, "capacity", self.capacity);
    }
}

/// Serves clients of PeerJS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PeerJsConfig {
    /// Whether it is served.
    pub enabled: bool,
    /// The key that clients give; not a secret, it stands in every page.
    pub key: String,
    /// Whether clients may ask for the list of all ids.
    pub discovery: bool,
    /// Seconds without a heartbeat after which a client is gone.
    pub heartbeat_seconds: u64,
}

impl Default for PeerJsConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            key: "peerjs".to_owned(),
            discovery: false,
            heartbeat_seconds: 90,
        }
    }
}

impl Check for PeerJsConfig {
    fn check(&self, report: &mut Report<'_>) {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if !(1..=64).contains(&self.key.len()) || !self.key.bytes().all(is_plain) {
            report.mistake(
                "key",
                "must be 1 to 64 letters, digits, - or _: it stands in a path",
            );
        }
        at_least_one(report, "heartbeat_seconds", self.heartbeat_seconds);
    }
}

/// Serves clients of y-webrtc.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct YWebRtcConfig {
    /// Whether it is served.
    pub enabled: bool,
    /// Topics that one connection may be subscribed to.
    pub topics: usize,
    /// Subscribers of one topic.
    pub subscribers: usize,
    /// Topics that may exist at a time.
    pub total_topics: usize,
}

impl Default for YWebRtcConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            topics: 32,
            subscribers: 64,
            total_topics: 10_000,
        }
    }
}

impl Check for YWebRtcConfig {
    fn check(&self, report: &mut Report<'_>) {
        if !(1..=1024).contains(&self.topics) {
            report.mistake("topics", "must be 1 to 1024");
        }
        if !(2..=1024).contains(&self.subscribers) {
            report.mistake("subscribers", "must be 2 to 1024: each hears what the others say");
        }
        at_least_one(report, "total_topics", self.total_topics as u64);
    }
}

//! TURN credentials: for which servers, how long, and who may fetch them.

use std::{path::PathBuf, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use settings::{Check, Report};
use turn_credentials::MAX_LIFETIME;

use super::{AdminConfig, Hidden, NodeConfig, at_least_one};
use crate::ice::check_url;

/// Names the STUN and TURN servers and the secret that makes credentials for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct IceConfig {
    /// URIs (`stun:`, `stuns:`, `turn:`, `turns:`); empty: made from the host name the page was asked for.
    pub urls: Vec<String>,
    /// Port of the TURN server in URIs made from the host name.
    pub port: u16,
    /// Seconds a credential lives unless the request asks for fewer.
    pub ttl: u64,
    /// The most seconds a request to `/turn` or `/ice` may ask for.
    pub max_ttl: u64,
    /// The secret shared with the TURN server; the suite mints and shares its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<Hidden>,
    /// A file that holds the secret, with white space around it ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<PathBuf>,
    /// Where the one TURN server is told of revoked credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin: Option<AdminConfig>,
    /// Several TURN servers in place of one.
    pub nodes: Vec<NodeConfig>,
    /// How many of them a client is told.
    pub nodes_per_client: usize,
    /// Seconds from one question to the next whether a node is there.
    pub probe_seconds: u64,
}

impl IceConfig {
    /// The lifetime of a credential when nobody asks for another.
    pub fn ttl(&self) -> Duration {
        Duration::from_secs(self.ttl)
    }
}

impl Default for IceConfig {
    fn default() -> Self {
        Self {
            urls: Vec::new(),
            port: 3478,
            ttl: 6 * 3600,
            max_ttl: 24 * 3600,
            secret: None,
            secret_file: None,
            admin: None,
            nodes: Vec::new(),
            nodes_per_client: 2,
            probe_seconds: 5,
        }
    }
}

/// Says who may fetch credentials from `/turn`, `/ice` and their like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CredentialsConfig {
    /// Keys that open the endpoints, 16 characters or more each; with `anonymous` only that which revokes needs one.
    pub api_keys: Vec<Hidden>,
    /// Opens the endpoints to everyone.
    pub anonymous: bool,
    /// Requests a second that one address may make for long.
    pub requests_per_second: u32,
    /// Requests that it may make at once after a pause.
    pub request_burst: u32,
}

impl Default for CredentialsConfig {
    fn default() -> Self {
        Self {
            api_keys: Vec::new(),
            anonymous: false,
            requests_per_second: 5,
            request_burst: 50,
        }
    }
}

/// The fewest characters of an API key: fewer could be guessed at the rate the endpoints allow.
const MIN_KEY_CHARS: usize = 16;

impl Check for IceConfig {
    fn check(&self, report: &mut Report<'_>) {
        for (index, url) in self.urls.iter().enumerate() {
            if let Err(what) = check_url(url) {
                report.mistake(&format!("urls[{index}]"), what);
            }
        }
        at_least_one(report, "port", self.port.into());
        at_least_one(report, "ttl", self.ttl);
        if self.max_ttl < self.ttl || self.max_ttl > MAX_LIFETIME {
            report.mistake("max_ttl", "must be at least ttl and at most 2592000 (30 days)");
        }
        if self.secret.is_some() && self.secret_file.is_some() {
            report.mistake("secret_file", "give either secret or secret_file");
        }
        if !(1..=8).contains(&self.nodes_per_client) {
            report.mistake(
                "nodes_per_client",
                "must be 1 to 8: browsers are slower the more servers they ask",
            );
        }
        if !(1..=300).contains(&self.probe_seconds) {
            report.mistake("probe_seconds", "must be 1 to 300");
        }
        self.check_nodes(report);
    }
}

impl Check for CredentialsConfig {
    fn check(&self, report: &mut Report<'_>) {
        for (index, Hidden(key)) in self.api_keys.iter().enumerate() {
            if key.chars().count() < MIN_KEY_CHARS || key.trim() != key {
                report.mistake(
                    &format!("api_keys[{index}]"),
                    "must have 16 characters or more and no outer spaces",
                );
            }
        }
        at_least_one(report, "requests_per_second", self.requests_per_second.into());
        at_least_one(report, "request_burst", self.request_burst.into());
    }
}

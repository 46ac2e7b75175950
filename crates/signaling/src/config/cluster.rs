//! Several nodes that share their rooms.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use settings::{Check, Report};

use super::Hidden;

/// Shares the rooms with other nodes through Redis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClusterConfig {
    /// URL of the Redis or Valkey server, `redis://` or `rediss://`; without it the rooms are this node's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redis: Option<Hidden>,
    /// What the keys and channels there begin with; nodes with the same one share their rooms.
    pub prefix: String,
}

impl Default for ClusterConfig {
    fn default() -> Self {
        Self {
            redis: None,
            prefix: "watari".to_owned(),
        }
    }
}

impl Check for ClusterConfig {
    fn check(&self, report: &mut Report<'_>) {
        if let Some(Hidden(url)) = &self.redis
            && let Err(error) = redis::Client::open(url.as_str())
        {
            report.mistake(
                "redis",
                format!("must be redis://[user:password@]host[:port][/database]: {error}"),
            );
        }
        if self.prefix.is_empty() || self.prefix.len() > 64 || self.prefix.chars().any(char::is_control) {
            report.mistake("prefix", "must have 1 to 64 bytes and no control characters");
        }
    }
}

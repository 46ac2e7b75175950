//! Who gets into rooms, and who gets back.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use settings::{Check, Report};

use super::{Hidden, at_least_one};

/// Says how long a member that lost its connection is waited for, and what is kept for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ResumeConfig {
    /// Seconds; 0 turns resuming off.
    pub seconds: u64,
    /// Messages kept for each member that may come back.
    pub messages: usize,
    /// Bytes kept for each.
    pub bytes: usize,
    /// Bytes kept for all together.
    pub total_bytes: usize,
    /// Seconds a session token is good for.
    pub token_seconds: u64,
}

impl Default for ResumeConfig {
    fn default() -> Self {
        Self {
            seconds: 30,
            messages: 256,
            bytes: 512 * 1024,
            total_bytes: 256 << 20,
            token_seconds: 24 * 3600,
        }
    }
}

impl Check for ResumeConfig {
    fn check(&self, report: &mut Report<'_>) {
        if self.seconds > 600 {
            report.mistake("seconds", "must be at most 600: meanwhile the place is taken");
        }
        if !(1..=4095).contains(&self.messages) {
            report.mistake("messages", "must be 1 to 4095");
        }
        if !(4096..=16 << 20).contains(&self.bytes) {
            report.mistake("bytes", "must be 4096 to 16777216");
        }
        if self.total_bytes < self.bytes {
            report.mistake("total_bytes", "must be at least bytes");
        }
        at_least_one(report, "token_seconds", self.token_seconds);
    }
}

/// Says which tokens open rooms.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RoomTokensConfig {
    /// Nobody enters a room without a token.
    pub required: bool,
    /// The `iss` that tokens must have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The `aud` that tokens must have, or have among others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// What they may be signed with.
    pub keys: Vec<RoomKeyConfig>,
}

/// One key that signs room tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoomKeyConfig {
    /// The `kid` of tokens signed with it; tokens without one are tried with every key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The one algorithm that it is used with.
    pub algorithm: KeyAlgorithm,
    /// HS256: the secret itself, with white space around it ignored as in a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Hidden>,
    /// RS256, EdDSA: the public key in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// A file that holds the one or the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
}

/// An algorithm of RFC 7518 or RFC 8037.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum KeyAlgorithm {
    /// HMAC with SHA-256.
    HS256,
    /// RSA PKCS #1 with SHA-256.
    RS256,
    /// Ed25519.
    EdDSA,
}

/// RFC 7518 §3.2: a key of at least the hash's length.
pub(crate) const MIN_SECRET_BYTES: usize = 32;

impl Check for RoomTokensConfig {
    fn check(&self, report: &mut Report<'_>) {
        if self.required && self.keys.is_empty() {
            report.mistake("required", "needs a key in room_tokens.keys to check tokens with");
        }
        for (index, key) in self.keys.iter().enumerate() {
            let at = |field: &str| format!("keys[{index}].{field}");
            let given = [key.secret.is_some(), key.public_key.is_some(), key.file.is_some()];
            if given.into_iter().filter(|given| *given).count() != 1 {
                report.mistake(
                    &at("algorithm"),
                    "give one of secret (HS256), public_key (RS256, EdDSA) or file (all)",
                );
            }
            match key.algorithm {
                KeyAlgorithm::HS256 if key.public_key.is_some() => {
                    report.mistake(&at("public_key"), "is no secret: HS256 takes secret or file");
                }
                KeyAlgorithm::RS256 | KeyAlgorithm::EdDSA if key.secret.is_some() => {
                    report.mistake(&at("secret"), "must not be known here: give the public_key");
                }
                KeyAlgorithm::HS256 | KeyAlgorithm::RS256 | KeyAlgorithm::EdDSA => {}
            }
            if key
                .secret
                .as_ref()
                .is_some_and(|Hidden(secret)| secret.trim().len() < MIN_SECRET_BYTES)
            {
                report.mistake(&at("secret"), "must have 32 bytes or more");
            }
        }
    }
}

//! The `[turn.oauth]` table: authorization servers whose tokens are believed (RFC 7635).

use schemars::JsonSchema;
use serde::Deserialize;
use turn_core::TokenAlgorithm;

use super::Hidden;

/// What is shared with authorization servers. Without a key, no token is believed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Oauth {
    /// What authorization servers call this server; empty takes the realm.
    pub server_name: String,
    /// Their keys; all are good at once.
    pub keys: Vec<OauthKey>,
    /// Allocations of all tokens made with one key.
    pub allocations_per_key: u32,
}

/// A key shared with an authorization server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OauthKey {
    /// Its id, which clients send as their username.
    pub kid: String,
    /// The key in base64.
    pub key: Hidden,
    /// What tokens are encrypted with.
    #[serde(default)]
    pub algorithm: OauthAlgorithm,
    /// The second since 1970 from which it is good.
    #[serde(default)]
    pub not_before: u64,
    /// How many seconds it is good; 0 for ever.
    #[serde(default)]
    pub lifetime: u64,
}

/// A cipher, as JSON Web Algorithms and coturn write it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum OauthAlgorithm {
    /// AES-256 in Galois/Counter mode.
    #[default]
    A256GCM,
    /// AES-128 in Galois/Counter mode.
    A128GCM,
}

impl From<OauthAlgorithm> for TokenAlgorithm {
    fn from(algorithm: OauthAlgorithm) -> Self {
        match algorithm {
            OauthAlgorithm::A256GCM => Self::A256Gcm,
            OauthAlgorithm::A128GCM => Self::A128Gcm,
        }
    }
}

impl Default for Oauth {
    /// A quarter of all allocations, so that one authorization server does not take them from another.
    fn default() -> Self {
        Self {
            server_name: String::new(),
            keys: Vec::new(),
            allocations_per_key: 4096,
        }
    }
}

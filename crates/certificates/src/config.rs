//! How certificates are named in settings.

use std::path::PathBuf;

use serde::Deserialize;

/// A certificate and its key, as two PEM files.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairConfig {
    /// The chain: the leaf first, then the certificates that lead to the authority's.
    pub certificate: PathBuf,
    /// The leaf's private key.
    pub key: PathBuf,
}

/// The oldest version of TLS that is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize)]
pub enum MinVersion {
    /// RFC 5246; RFC 8996 took everything older away.
    #[default]
    #[serde(rename = "1.2")]
    Tls12,
    /// RFC 8446.
    #[serde(rename = "1.3")]
    Tls13,
}

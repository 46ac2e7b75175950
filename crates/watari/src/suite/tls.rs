//! The `[tls]` table: certificates of the page over HTTPS and of TURN over TLS and DTLS.

use certificates::{AcmeConfig, MinVersion, PairConfig, TlsConfig};
use schemars::JsonSchema;
use serde::Deserialize;
use settings::{Check, Report};

/// Where certificates come from.
#[derive(Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Tls {
    /// Pairs of files.
    pub(crate) certificates: Vec<PairConfig>,
    /// The oldest version that is spoken.
    pub(crate) min_version: MinVersion,
    /// Whether an authority of our own certifies this machine.
    pub(crate) local_authority: bool,
    /// A directory that certifies our domains.
    pub(crate) acme: AcmeConfig,
}

impl Tls {
    /// Whether any certificate is to be had.
    pub(crate) fn is_on(&self) -> bool {
        !self.certificates.is_empty() || self.local_authority || self.acme.is_on()
    }
}

impl Check for Tls {
    fn check(&self, report: &mut Report<'_>) {
        let files = TlsConfig {
            certificates: self.certificates.clone(),
            min_version: self.min_version,
        };
        files.check(report);
        report.within("acme", |report| self.acme.check(report));
    }
}

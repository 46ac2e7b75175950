//! How certificates are named in settings.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use settings::{Check, Report};

use crate::Certificates;

/// A certificate and its key, as two PEM files.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PairConfig {
    /// The chain: the leaf first, then the certificates that lead to the authority's.
    pub certificate: PathBuf,
    /// The leaf's private key.
    pub key: PathBuf,
    /// Whether the files may come after the start; without it, a missing file is a mistake.
    #[serde(default)]
    pub awaited: bool,
}

/// The oldest version of TLS that is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize, JsonSchema)]
pub enum MinVersion {
    /// RFC 5246; RFC 8996 took everything older away.
    #[default]
    #[serde(rename = "1.2")]
    Tls12,
    /// RFC 8446.
    #[serde(rename = "1.3")]
    Tls13,
}

/// The table that names certificates.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TlsConfig {
    /// Pairs of files; the first one serves clients that ask for no name, or for an unknown one.
    pub certificates: Vec<PairConfig>,
    /// The oldest version of TLS that is spoken.
    pub min_version: MinVersion,
}

impl Check for TlsConfig {
    fn check(&self, report: &mut Report<'_>) {
        for mistake in Certificates::load(&self.certificates).err().into_iter().flatten() {
            let is_in_key = self
                .certificates
                .get(mistake.pair)
                .is_some_and(|files| mistake.problem.is_in_key(files));
            let key = if is_in_key { "key" } else { "certificate" };
            report.mistake(
                &format!("certificates[{}].{key}", mistake.pair),
                mistake.to_string(),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use settings::Source;

    use super::*;
    use crate::testing;

    fn load(text: &str) -> Result<TlsConfig, String> {
        let source = Source {
            env: Vec::new(),
            ..Source::new("X_").file(Some("tls.toml".into()))
        };
        settings::load_text(text, &source).map_err(|mistakes| mistakes.to_string())
    }

    #[test]
    fn every_bad_file_is_told_with_the_line_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let good = testing::write(folder.path(), "good", &["good.example"]);
        let (certificate, key) = (good.certificate.display(), good.key.display());
        let said = load(&format!(
            "min_version = \"1.1\"\ncertificates = [\n\
             {{ certificate = \"{certificate}\", key = \"{key}\" }},\n\
             {{ certificate = \"{certificate}\", key = \"/nowhere/x.key\" }},\n\
             {{ certificate = \"{key}\", key = \"{key}\" }},\n]"
        ))
        .unwrap_err();
        for part in [
            "tls.toml:1:15: min_version: \"1.1\" is not one of",
            "tls.toml:4:",
            "certificates[1].key: cannot read /nowhere/x.key: there is no such file",
            "tls.toml:5:",
            "certificates[2].certificate: ",
            "swapped",
        ] {
            assert!(said.contains(part), "{part} is missing in: {said}");
        }
        assert_eq!(said.lines().count(), 3, "{said}");
    }

    #[test]
    fn only_awaited_files_may_be_missing() {
        let pair = |more: &str| {
            format!("certificates = [{{ certificate = \"/nowhere/x.crt\", key = \"/nowhere/x.key\"{more} }}]")
        };
        assert!(load(&pair(", awaited = true")).unwrap().certificates[0].awaited);
        load(&pair("")).unwrap_err();
    }

    #[test]
    fn nothing_is_needed() {
        assert_eq!(load(""), Ok(TlsConfig::default()));
        assert_eq!(
            load("min_version = \"1.3\"").unwrap().min_version,
            MinVersion::Tls13
        );
    }
}

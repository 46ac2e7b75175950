//! The `[tls.acme]` table.

use std::{
    borrow::Cow,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
};

use rustls_pki_types::{CertificateDer, pem::PemObject};
use schemars::JsonSchema;
use serde::Deserialize;
use settings::{Check, Report};

/// Let's Encrypt's.
const DIRECTORY: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// Which domains are to be certified, by whom, and how they are proved to be ours.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AcmeConfig {
    /// DNS names, and addresses where the directory certifies them; none switches ACME off.
    pub domains: Vec<String>,
    /// Mail addresses that the directory may write to.
    pub contact: Vec<String>,
    /// The directory's URL.
    pub directory: String,
    /// The authority that has signed the directory's own certificate, if it is none that everyone trusts.
    pub directory_ca: Option<PathBuf>,
    /// Which of the directory's kinds of certificate; empty for its default.
    pub profile: String,
    /// How it is proved that the domains lead here.
    pub challenge: Challenge,
    /// Where `http-01` is answered; everything else is sent on to HTTPS.
    pub listen: Vec<SocketAddr>,
}

/// How a directory makes sure that a domain leads here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Challenge {
    /// By a page on port 80 (RFC 8555 §8.3).
    #[default]
    #[serde(rename = "http-01")]
    Http01,
    /// By a TLS handshake on port 443 (RFC 8737).
    #[serde(rename = "tls-alpn-01")]
    TlsAlpn01,
}

impl AcmeConfig {
    /// Whether a certificate is wanted.
    pub fn is_on(&self) -> bool {
        !self.domains.is_empty()
    }
}

impl Default for AcmeConfig {
    fn default() -> Self {
        Self {
            domains: Vec::new(),
            contact: Vec::new(),
            directory: DIRECTORY.to_owned(),
            directory_ca: None,
            profile: String::new(),
            challenge: Challenge::default(),
            listen: vec![
                (Ipv4Addr::UNSPECIFIED, 80).into(),
                (Ipv6Addr::UNSPECIFIED, 80).into(),
            ],
        }
    }
}

impl Check for AcmeConfig {
    fn check(&self, report: &mut Report<'_>) {
        for (index, domain) in self.domains.iter().enumerate() {
            if let Err(what) = fit(domain) {
                report.mistake(&format!("domains[{index}]"), what);
            }
        }
        for (index, contact) in self.contact.iter().enumerate() {
            if !contact.contains('@') || contact.contains(':') || contact.contains(char::is_whitespace) {
                report.mistake(
                    &format!("contact[{index}]"),
                    "is no mail address such as admin@example.org",
                );
            }
        }
        if !self.directory.starts_with("https://") {
            report.mistake("directory", "is no https:// URL");
        }
        if let Some(path) = &self.directory_ca
            && let Err(error) = CertificateDer::from_pem_file(path)
        {
            let what = format!("{} holds no certificate in PEM: {error}", path.display());
            report.mistake("directory_ca", what);
        }
        if self.is_on() && self.challenge == Challenge::Http01 && self.listen.is_empty() {
            report.mistake(
                "listen",
                "is empty: http-01 is asked for on port 80 and has to be answered somewhere",
            );
        }
    }
}

/// Whether a domain can be proved by what is answered here.
fn fit(domain: &str) -> Result<(), Cow<'static, str>> {
    if let Ok(address) = domain.parse::<IpAddr>() {
        // A certificate names it so, and any other spelling would never be found in one.
        let usual = address.to_string();
        return if usual == domain {
            Ok(())
        } else {
            Err(format!("is an address that is usually written {usual}: write it so").into())
        };
    }
    if domain.starts_with("*.") {
        return Err(
            "is a wildcard, which is certified by records in DNS only: name each host, or use files".into(),
        );
    }
    let is_label = |label: &str| {
        let is_fit = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        (1..=63).contains(&label.len()) && label.bytes().all(is_fit)
    };
    if domain.contains('.') && domain.len() <= 253 && domain.split('.').all(is_label) {
        Ok(())
    } else {
        Err("is no domain such as call.example.org, in lower case and without port".into())
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http01 => "http-01",
            Self::TlsAlpn01 => "tls-alpn-01",
        })
    }
}

#[cfg(test)]
mod tests {
    use settings::Source;

    use super::*;

    fn load(text: &str) -> Result<AcmeConfig, String> {
        let source = Source {
            env: Vec::new(),
            ..Source::new("X_").file(Some("acme.toml".into()))
        };
        settings::load_text(text, &source).map_err(|mistakes| mistakes.to_string())
    }

    #[test]
    fn names_and_addresses_are_taken_and_nothing_is_on_without_them() {
        assert!(!load("").unwrap().is_on());
        let text = "domains = [\"call.example.org\", \"192.0.2.1\"]\ncontact = [\"a@example.org\"]\nchallenge = \"tls-alpn-01\"";
        let config = load(text).unwrap();
        assert!(config.is_on());
        assert_eq!(config.challenge, Challenge::TlsAlpn01);
    }

    #[test]
    fn what_cannot_be_certified_is_refused_with_its_line() {
        let said = load(
            "domains = [\"*.example.org\", \"localhost\", \"a.example:443\", \"2001:DB8:0::1\"]\ncontact = [\"mailto:a@b\"]\n\
             directory = \"http://x\"\ndirectory_ca = \"/nowhere\"\nlisten = []",
        )
        .unwrap_err();
        for part in [
            ":1:12: domains[0]: is a wildcard",
            "domains[1]: is no domain",
            "domains[2]: is no domain",
            "domains[3]: is an address that is usually written 2001:db8::1",
            ":2:12: contact[0]",
            ":3:13: directory",
            ":4:16: directory_ca: /nowhere",
            ":5:10: listen: is empty",
        ] {
            assert!(said.contains(part), "{part} is missing in: {said}");
        }
    }
}

//! Names that a certificate is for.

use x509_parser::{extensions::GeneralName, prelude::X509Certificate};

/// DNS names and IP addresses among the subject's alternative names, in their order, DNS names in lower case.
pub(crate) fn of(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(alternatives)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    alternatives.value.general_names.iter().filter_map(name).collect()
}

/// Whether one of a certificate's names covers the asked one.
///
/// RFC 9525 §6.3: a wildcard is the whole leftmost label and stands for exactly one.
pub(crate) fn cover(names: &[String], asked: &str) -> bool {
    let asked = asked.trim_end_matches('.');
    names.iter().any(|name| match name.strip_prefix("*.") {
        None => name.eq_ignore_ascii_case(asked),
        Some(parent) => asked
            .split_once('.')
            .is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(parent)),
    })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the other kinds name no server")]
fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        GeneralName::IPAddress(bytes) => address(bytes),
        _ => None,
    }
}

fn address(bytes: &[u8]) -> Option<String> {
    let four = <[u8; 4]>::try_from(bytes).map(std::net::IpAddr::from);
    let sixteen = || <[u8; 16]>::try_from(bytes).map(std::net::IpAddr::from);
    four.or_else(|_| sixteen())
        .ok()
        .map(|address| address.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_stands_for_exactly_one_label() {
        let names = ["*.example.org".to_owned(), "example.net".to_owned()];
        for covered in [
            "turn.example.org",
            "TURN.Example.Org",
            "turn.example.org.",
            "example.net",
        ] {
            assert!(cover(&names, covered), "{covered}");
        }
        for other in [
            "example.org",
            "a.b.example.org",
            ".example.org",
            "turn.example.net",
            "org",
            "",
        ] {
            assert!(!cover(&names, other), "{other}");
        }
    }
}

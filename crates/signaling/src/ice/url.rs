//! URIs of STUN and TURN servers (RFC 7064, RFC 7065).

use crate::site::Site;

/// The ports of those that name none.
const PORT: u16 = 3478;

/// Says what is wrong with a configured URI, if anything is.
pub(crate) fn check_url(url: &str) -> Result<(), &'static str> {
    let (scheme, rest) = url.split_once(':').ok_or("has no scheme")?;
    let (host, query) = match rest.split_once('?') {
        Some((host, query)) => (host, Some(query)),
        None => (rest, None),
    };
    match (scheme, query) {
        ("stun" | "stuns" | "turn" | "turns", None) => {}
        ("turn" | "turns", Some("transport=udp" | "transport=tcp")) => {}
        ("turn" | "turns", Some(_)) => return Err("takes ?transport=udp or ?transport=tcp only"),
        ("stun" | "stuns", Some(_)) => return Err("takes no ? part"),
        (_, _) => return Err("must begin with stun:, stuns:, turn: or turns:"),
    }
    match Site::parse(host) {
        Some(_) => Ok(()),
        None if host.starts_with("//") => Err("takes no // before the host"),
        None => Err("has no valid host (an IPv6 address needs brackets) or port"),
    }
}

/// Gives host and port of the first URI that a datagram without encryption could be sent to.
pub(crate) fn udp_target(urls: &[String]) -> Option<String> {
    urls.iter().find_map(|url| {
        let rest = url.strip_prefix("stun:").or_else(|| url.strip_prefix("turn:"))?;
        let host = match rest.split_once('?') {
            Some((host, "transport=udp")) => host,
            Some(_) => return None,
            None => rest,
        };
        let has_port = host
            .rsplit_once(':')
            .is_some_and(|(_, port)| !port.ends_with(']'));
        Site::parse(host)?;
        Some(match has_port {
            true => host.to_owned(),
            false => format!("{host}:{PORT}"),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_uri_is_told_what_is_wrong() {
        for url in [
            "stun:192.0.2.1",
            "stuns:stun.example:5349",
            "turn:[2001:db8::1]:3478?transport=udp",
            "turns:turn.example:443?transport=tcp",
        ] {
            assert_eq!(check_url(url), Ok(()), "{url}");
        }
        for url in [
            "turn.example",
            "http://turn.example",
            "turn://turn.example",
            "turn:",
            "turn:2001:db8::1",
            "turn:a?transport=sctp",
            "stun:a?transport=udp",
            "turn:user@a",
        ] {
            assert!(check_url(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_probe_goes_where_the_first_uri_over_plain_udp_leads() {
        let target = |urls: &[&str]| {
            let urls: Vec<_> = urls.iter().map(|url| (*url).to_owned()).collect();
            udp_target(&urls)
        };
        for (urls, expected) in [
            (&["stun:a.example"][..], Some("a.example:3478")),
            (&["turns:a.example", "turn:b.example:99"], Some("b.example:99")),
            (
                &["turn:a.example?transport=tcp", "turn:[2001:db8::1]?transport=udp"],
                Some("[2001:db8::1]:3478"),
            ),
            (&["stun:[2001:db8::1]:53"], Some("[2001:db8::1]:53")),
            (&["turns:a.example", "stuns:a.example"], None),
        ] {
            assert_eq!(target(urls).as_deref(), expected, "{urls:?}");
        }
    }
}

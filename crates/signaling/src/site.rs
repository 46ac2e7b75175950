//! The name under which a client reached this server, as its `Host` header says.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::http::{HeaderMap, Uri, header};

/// A checked host name or address, with the port if one was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Site {
    host: Host,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Name(String),
    Address(IpAddr),
}

impl Site {
    /// Reads the `Host` header, or the authority of an HTTP/2 request.
    pub(crate) fn of_request(uri: &Uri, headers: &HeaderMap) -> Option<Self> {
        let mut hosts = headers.get_all(header::HOST).iter();
        match (hosts.next(), hosts.next()) {
            (Some(host), None) => Self::parse(host.to_str().ok()?),
            (None, _) => Self::parse(uri.authority()?.as_str()),
            // Two hosts: a proxy and we might each believe another one.
            (Some(_), Some(_)) => None,
        }
    }

    /// Reads `host[:port]`; what is neither a DNS name nor an address is refused.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        // The colon before a port stands after the bracket of an IPv6 address.
        let after_bracket = text.rfind(']').unwrap_or(0);
        let (host, port) = match text[after_bracket..].find(':') {
            Some(colon) => {
                let (host, port) = text.split_at(after_bracket + colon);
                (host, Some(parse_port(&port[1..])?))
            }
            None => (text, None),
        };
        Some(Self {
            host: Host::parse(host)?,
            port,
        })
    }

    /// Tells whether a page of `origin` (`scheme://host[:port]`) was served under this name.
    ///
    /// The scheme itself is not compared: a proxy in front may end TLS for us.
    pub(crate) fn is_origin(&self, origin: &str) -> bool {
        let Some((scheme, authority)) = origin.split_once("://") else {
            return false;
        };
        let default = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return false,
        };
        Self::parse(authority).is_some_and(|page| {
            page.host == self.host && page.port.unwrap_or(default) == self.port.unwrap_or(default)
        })
    }

    /// Tells whether the host is an address or `localhost`: what no stranger's DNS can answer for.
    pub(crate) fn is_local_or_address(&self) -> bool {
        match &self.host {
            Host::Name(name) => is_localhost(name),
            Host::Address(_) => true,
        }
    }

    /// Tells whether both have the same host, on whatever port.
    pub(crate) fn shares_host(&self, other: &Self) -> bool {
        self.host == other.host
    }

    /// Tells whether only a client on this machine could have reached this server so.
    pub(crate) fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Name(name) => is_localhost(name),
            Host::Address(address) => address.is_loopback(),
        }
    }

    /// The host as it stands in a URI, an IPv6 address in brackets.
    pub(crate) fn uri_hosts(&self, lan: Option<IpAddr>) -> Vec<String> {
        let own = match &self.host {
            Host::Name(name) if !is_localhost(name) => return vec![name.clone()],
            // Resolvers differ in what localhost is; our TURN listener is there in any case.
            Host::Name(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            Host::Address(address) => *address,
        };
        let lan = lan.filter(|lan| own.is_loopback() && *lan != own);
        [Some(own), lan].into_iter().flatten().map(uri_host).collect()
    }
}

impl Host {
    fn parse(text: &str) -> Option<Self> {
        if let Some(inner) = text.strip_prefix('[') {
            let address: Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
            return Some(Self::Address(address.into()));
        }
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Some(Self::Address(address.into()));
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let is_name = name.len() <= 253 && name.split('.').all(is_label);
        // A name that ends in a number would be read as an address by some and as a name by others.
        let numeric = name
            .rsplit('.')
            .next()
            .is_some_and(|last| last.starts_with("0x") || last.bytes().all(|byte| byte.is_ascii_digit()));
        (is_name && !numeric).then_some(Self::Name(name))
    }
}

fn parse_port(text: &str) -> Option<u16> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

fn is_label(label: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=63).contains(&label.len()) && label.bytes().all(allowed)
}

fn is_localhost(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

/// Writes an address as RFC 3986 wants it in a URI: IPv6 in brackets.
fn uri_host(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(text: &str) -> Site {
        Site::parse(text).unwrap()
    }

    fn hosts(text: &str, lan: &str) -> Vec<String> {
        site(text).uri_hosts(Some(lan.parse().unwrap()))
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in [
            "",
            ":80",
            "user@host",
            "a b",
            "host:",
            "host:70000",
            "host:+80",
            "host:80:80",
            "[::1]x:80",
            "host/path",
            "host?x",
            "ho\"st",
            "a..b",
            "<script>",
            "2001:db8::1",
            "[2001:db8::1",
            "[::g]",
            "1.2.3",
            "0x7f.1.0x1",
            "%6c.example",
        ] {
            assert_eq!(Site::parse(text), None, "{text:?}");
        }
        assert_eq!(Site::parse(&"a".repeat(64)), None);
        assert_eq!(Site::parse(&"a.".repeat(128)), None);
    }

    #[test]
    fn an_ipv6_host_stays_bracketed() {
        assert_eq!(hosts("[2001:DB8::1]:3001", "192.0.2.1"), ["[2001:db8::1]"]);
    }

    #[test]
    fn localhost_means_the_loopback_address_and_the_lan_address_too() {
        for text in ["localhost:3001", "127.0.0.1", "call.localhost"] {
            assert_eq!(hosts(text, "192.0.2.1"), ["127.0.0.1", "192.0.2.1"]);
        }
        assert_eq!(hosts("[::1]:3001", "2001:db8::1"), ["[::1]", "[2001:db8::1]"]);
        assert_eq!(site("localhost").uri_hosts(None), ["127.0.0.1"]);
    }

    #[test]
    fn a_name_others_can_reach_stands_alone() {
        assert_eq!(hosts("Call.Example.:3001", "192.0.2.1"), ["call.example"]);
        assert_eq!(hosts("192.0.2.7", "192.0.2.1"), ["192.0.2.7"]);
    }

    #[test]
    fn the_same_origin_may_leave_out_its_schemes_port() {
        assert!(site("localhost:3001").is_origin("http://localhost:3001"));
        assert!(site("Call.example").is_origin("https://call.example"));
        assert!(site("call.example:443").is_origin("https://call.example"));
        assert!(site("[::1]:3001").is_origin("http://[::1]:3001"));
    }

    #[test]
    fn another_host_port_or_kind_of_page_is_another_origin() {
        let site = site("call.example:3001");
        for origin in [
            "http://evil.example:3001",
            "http://call.example",
            "http://call.example:3002",
            "http://call.example:3001@evil.example",
            "http://call.example:3001.evil.example",
            "file://call.example:3001",
            "null",
            "",
        ] {
            assert!(!site.is_origin(origin), "{origin}");
        }
    }
}

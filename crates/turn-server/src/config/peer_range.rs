//! Networks of peers, as people write them.

use std::{
    net::{AddrParseError, IpAddr},
    str::FromStr,
};

use ipnet::{IpNet, Ipv4Subnets, Ipv6Subnets};
use serde::Deserialize;
use thiserror::Error;

/// Peers in a row: `192.0.2.0/24`, one address, or `192.0.2.1-192.0.2.9` as coturn writes it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct PeerRange {
    networks: Vec<IpNet>,
}

/// Why a text is not a range of peers.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PeerRangeError {
    /// Not an address or network at all.
    #[error("\"{0}\" is not a network such as 192.0.2.0/24, 2001:db8::/32 or 192.0.2.1-192.0.2.9")]
    Syntax(String),
    /// A network whose address has bits behind the prefix; most likely a typing error.
    #[error("\"{0}\" has bits set behind its prefix: write {1}")]
    HostBits(String, IpNet),
    /// The range ends before it begins, or in the other address family.
    #[error("\"{0}\" does not run from a lower to a higher address of one family")]
    Order(String),
}

impl PeerRange {
    /// The same addresses as networks.
    pub fn networks(&self) -> &[IpNet] {
        &self.networks
    }
}

impl FromStr for PeerRange {
    type Err = PeerRangeError;

    fn from_str(text: &str) -> Result<Self, PeerRangeError> {
        let syntax = || PeerRangeError::Syntax(text.to_owned());
        if let Some((first, last)) = text.split_once('-') {
            let parse = |side: &str| -> Result<IpAddr, AddrParseError> { side.trim().parse() };
            let (first, last) = (
                parse(first).map_err(|_| syntax())?,
                parse(last).map_err(|_| syntax())?,
            );
            let networks = between(first, last).ok_or_else(|| PeerRangeError::Order(text.to_owned()))?;
            return Ok(Self { networks });
        }
        if let Ok(address) = text.trim().parse::<IpAddr>() {
            return Ok(Self {
                networks: vec![address.into()],
            });
        }
        let network: IpNet = text.trim().parse().map_err(|_| syntax())?;
        if network != network.trunc() {
            return Err(PeerRangeError::HostBits(text.to_owned(), network.trunc()));
        }
        Ok(Self {
            networks: vec![network],
        })
    }
}

impl TryFrom<String> for PeerRange {
    type Error = PeerRangeError;

    fn try_from(text: String) -> Result<Self, PeerRangeError> {
        text.parse()
    }
}

fn between(first: IpAddr, last: IpAddr) -> Option<Vec<IpNet>> {
    match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) if first <= last => {
            Some(Ipv4Subnets::new(first, last, 0).map(IpNet::V4).collect())
        }
        (IpAddr::V6(first), IpAddr::V6(last)) if first <= last => {
            Some(Ipv6Subnets::new(first, last, 0).map(IpNet::V6).collect())
        }
        (IpAddr::V4(_) | IpAddr::V6(_), _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(text: &str) -> Vec<String> {
        let range: PeerRange = text.parse().unwrap();
        range.networks().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn networks_addresses_and_ranges_are_understood() {
        assert_eq!(networks("192.0.2.0/24"), ["192.0.2.0/24"]);
        assert_eq!(networks("192.0.2.7"), ["192.0.2.7/32"]);
        assert_eq!(networks("2001:db8::/32"), ["2001:db8::/32"]);
        assert_eq!(
            networks("192.0.2.1-192.0.2.6"),
            ["192.0.2.1/32", "192.0.2.2/31", "192.0.2.4/31", "192.0.2.6/32"]
        );
        assert_eq!(networks("0.0.0.0-255.255.255.255"), ["0.0.0.0/0"]);
        assert_eq!(networks("2001:db8:: - 2001:db8::1"), ["2001:db8::/127"]);
    }

    #[test]
    fn anything_else_is_refused_with_a_reason() {
        let refused = |text: &str| text.parse::<PeerRange>().unwrap_err();
        for text in [
            "",
            "all",
            "192.0.2.0/33",
            "192.0.2",
            "192.0.2.0/24/24",
            "192.0.2.1-",
            "example.org",
        ] {
            assert_eq!(refused(text), PeerRangeError::Syntax(text.to_owned()));
        }
        assert_eq!(
            refused("192.0.2.1/24").to_string(),
            "\"192.0.2.1/24\" has bits set behind its prefix: write 192.0.2.0/24"
        );
        for text in ["192.0.2.9-192.0.2.1", "192.0.2.1-2001:db8::1"] {
            assert_eq!(refused(text), PeerRangeError::Order(text.to_owned()));
        }
    }
}

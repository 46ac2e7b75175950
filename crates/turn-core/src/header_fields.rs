//! What goes from the IP header of a datagram into the header of the one that relays it (RFC 8656 §13 to §16).
//!
//! Each value that the shell was not told falls back to the RFC's alternate behavior: the system's default.

use std::net::SocketAddr;

use crate::{output::DropReason, types::FiveTuple};

/// The two bits of the traffic class that tell of congestion; the others are the DSCP.
const ECN: u8 = 0b11;

/// Holds what an IP header said or is to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HeaderFields {
    /// TTL or hop limit.
    pub hop_limit: Option<u8>,
    /// DSCP and ECN: the byte called traffic class in IPv6 and type of service in IPv4.
    pub traffic_class: Option<u8>,
    /// Whether it must not be fragmented. Nobody is told that of a datagram that came in.
    pub dont_fragment: bool,
}

impl HeaderFields {
    /// What was received from a client goes on to a peer; `dont_fragment` is what the client asked for.
    pub(crate) fn towards_peer(
        self,
        client: FiveTuple,
        peer: SocketAddr,
        dont_fragment: bool,
    ) -> Result<Self, DropReason> {
        if client.transport.is_stream() {
            // RFC 8656 §15: a stream has one DSCP, and ECN is its own affair.
            return Ok(Self {
                hop_limit: None,
                traffic_class: self.traffic_class.map(|class| class & !ECN),
                dont_fragment,
            });
        }
        // RFC 8656 §13: where IPv6 is on either side, DONT-FRAGMENT must be ignored.
        let all_ipv4 = client.client.is_ipv4() && peer.is_ipv4();
        Ok(Self {
            dont_fragment: dont_fragment && all_ipv4,
            ..self.one_hop_on()?
        })
    }

    /// What was received from a peer goes on to a client.
    pub(crate) fn towards_client(self, client: FiveTuple) -> Result<Self, DropReason> {
        if client.transport.is_stream() {
            // RFC 8656 §16: the fields of a TCP connection are not those of single datagrams.
            return Ok(Self::default());
        }
        self.one_hop_on()
    }

    /// RFC 8656 §13 has us act as a router does, and so did RFC 5766 §12 where all is IPv4.
    fn one_hop_on(self) -> Result<Self, DropReason> {
        let hop_limit = match self.hop_limit {
            Some(0 | 1) => return Err(DropReason::HopLimit),
            hop_limit => hop_limit.map(|left| left - 1),
        };
        Ok(Self {
            hop_limit,
            traffic_class: self.traffic_class,
            dont_fragment: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{testing::five_tuple, types::Transport};

    const V4: &str = "8.8.8.8:53";
    const V6: &str = "[2606:4700::9]:53";

    fn client(transport: Transport, address: &str) -> FiveTuple {
        FiveTuple {
            transport,
            client: address.parse().unwrap(),
            ..five_tuple(1000)
        }
    }

    fn received(hop_limit: u8) -> HeaderFields {
        HeaderFields {
            hop_limit: Some(hop_limit),
            traffic_class: Some(0xb9),
            dont_fragment: false,
        }
    }

    /// RFC 8656 §14: "Set the outgoing value to the incoming value", DSCP and ECN.
    #[test]
    fn between_datagrams_the_traffic_class_is_kept_and_the_hop_limit_falls() {
        for transport in [Transport::Udp, Transport::Dtls] {
            let client = client(transport, V4);
            let there = received(64).towards_peer(client, V4.parse().unwrap(), false);
            assert_eq!(there, Ok(received(63)));
            assert_eq!(received(2).towards_client(client), Ok(received(1)));
        }
    }

    #[test]
    fn a_datagram_whose_hops_are_used_up_goes_no_further() {
        let client = client(Transport::Udp, V4);
        for hop_limit in [0, 1] {
            let fields = received(hop_limit);
            let there = fields.towards_peer(client, V4.parse().unwrap(), false);
            assert_eq!(there, Err(DropReason::HopLimit));
            assert_eq!(fields.towards_client(client), Err(DropReason::HopLimit));
        }
    }

    #[test]
    fn what_the_shell_does_not_know_stays_unknown() {
        let client = client(Transport::Udp, V4);
        let nothing = HeaderFields::default();
        assert_eq!(
            nothing.towards_peer(client, V4.parse().unwrap(), false),
            Ok(nothing)
        );
        assert_eq!(nothing.towards_client(client), Ok(nothing));
    }

    /// RFC 8656 §13 and §14 for datagrams; §15 for streams.
    #[test]
    fn dont_fragment_is_obeyed_from_ipv4_to_ipv4_and_from_streams() {
        for (transport, from, to, obeyed) in [
            (Transport::Udp, V4, V4, true),
            (Transport::Udp, V4, V6, false),
            (Transport::Udp, V6, V4, false),
            (Transport::Udp, V6, V6, false),
            (Transport::Dtls, V4, V4, true),
            (Transport::Dtls, V6, V6, false),
            (Transport::Tcp, V4, V4, true),
            (Transport::Tcp, V4, V6, true),
            (Transport::Tls, V6, V4, true),
            (Transport::Tls, V6, V6, true),
        ] {
            let towards_peer = |dont_fragment| {
                let fields = HeaderFields::default();
                let fields = fields.towards_peer(client(transport, from), to.parse().unwrap(), dont_fragment);
                fields.unwrap().dont_fragment
            };
            assert_eq!(towards_peer(true), obeyed, "{transport:?} {from} {to}");
            assert!(!towards_peer(false));
        }
    }

    #[test]
    fn of_a_stream_only_the_dscp_goes_to_the_peer_and_nothing_comes_back() {
        let client = client(Transport::Tcp, V4);
        let there = received(1)
            .towards_peer(client, V4.parse().unwrap(), false)
            .unwrap();
        assert_eq!((there.hop_limit, there.traffic_class), (None, Some(0xb8)));
        assert_eq!(received(64).towards_client(client), Ok(HeaderFields::default()));
    }
}

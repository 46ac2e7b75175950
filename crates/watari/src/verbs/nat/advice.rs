//! What the NAT means for WebRTC, which tries all pairs of candidates and needs one that works (RFC 8445).

use serde::Serialize;

use super::report::{Dependence, Finding};

/// When a call needs a TURN server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Relay {
    /// Every peer that has UDP reaches this machine.
    Never,
    /// With peers whose NAT takes another port for each destination.
    WithSymmetricPeers,
    /// With all peers but those that let anyone in.
    WithMostPeers,
    /// One address does not tell.
    Unknown,
}

/// When a relay is needed, and the same in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Advice {
    pub(super) relay: Relay,
    pub(super) words: &'static str,
}

/// Judges how easily ICE finds a direct path from behind this NAT.
///
/// A peer behind a symmetric NAT sends from a port that it cannot tell in advance: only a filter that does not look
/// at ports lets it in. A symmetric NAT of our own is that peer to others.
pub(super) fn advice(nat: bool, mapping: &Finding<Dependence>, filtering: &Finding<Dependence>) -> Advice {
    use Dependence::{AddressAndPortDependent, AddressDependent, EndpointIndependent};
    use Finding::{Found, Unknown};
    let relay = match (mapping, filtering) {
        (Found(AddressDependent | AddressAndPortDependent), _) => Relay::WithMostPeers,
        (_, Found(AddressAndPortDependent)) if !nat => Relay::WithSymmetricPeers,
        (_, Found(_)) if !nat => Relay::Never,
        (Found(EndpointIndependent), Found(EndpointIndependent | AddressDependent)) => Relay::Never,
        (Found(EndpointIndependent), Found(AddressAndPortDependent) | Unknown(_)) => {
            Relay::WithSymmetricPeers
        }
        (Unknown(_), _) => Relay::Unknown,
    };
    let words = match relay {
        Relay::Never => "connects directly with every peer that has UDP",
        Relay::WithSymmetricPeers => {
            "connects directly with most peers; needs a relay with peers behind a symmetric NAT, whose mapping is not \
             endpoint-independent"
        }
        Relay::WithMostPeers => {
            "needs a relay with most peers; connects directly only with those whose firewall does not look at ports"
        }
        Relay::Unknown => "whether peers connect directly cannot be told; keep a relay at hand",
    };
    Advice { relay, words }
}

#[cfg(test)]
mod tests {
    use super::{super::report::Unknown, *};

    const ALL: [Dependence; 3] = [
        Dependence::EndpointIndependent,
        Dependence::AddressDependent,
        Dependence::AddressAndPortDependent,
    ];

    fn relay(nat: bool, mapping: Option<Dependence>, filtering: Option<Dependence>) -> Relay {
        let finding = |dependence: Option<_>| {
            dependence.map_or(Finding::Unknown(Unknown::NoSecondAddress), Finding::Found)
        };
        advice(nat, &finding(mapping), &finding(filtering)).relay
    }

    #[test]
    fn a_filter_that_looks_at_ports_keeps_symmetric_peers_out() {
        let independent = Some(Dependence::EndpointIndependent);
        for nat in [true, false] {
            let relays = ALL.map(|filtering| relay(nat, independent, Some(filtering)));
            assert_eq!(relays, [Relay::Never, Relay::Never, Relay::WithSymmetricPeers]);
        }
    }

    #[test]
    fn a_symmetric_nat_needs_a_relay_whatever_it_filters() {
        for mapping in [Dependence::AddressDependent, Dependence::AddressAndPortDependent] {
            for filtering in ALL {
                assert_eq!(relay(true, Some(mapping), Some(filtering)), Relay::WithMostPeers);
            }
        }
    }

    #[test]
    fn from_one_address_nothing_is_promised() {
        assert_eq!(relay(true, None, None), Relay::Unknown);
        assert_eq!(relay(false, None, None), Relay::Unknown);
    }
}

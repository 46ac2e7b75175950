//! ICMP errors about relayed datagrams, which clients learn by Data indication (RFC 8656 §11.5).

use std::net::SocketAddr;

use stun_wire::{AttributeType, Class, Icmp, MessageWriter, Method, TransactionId, WriteError};

use crate::{
    output::{DropReason, Verdict},
    packet::Packet,
    permission::Scope,
    server::Server,
    types::{Now, RelayId},
};

/// ICMP: destination unreachable, and its code "fragmentation needed".
const UNREACHABLE: u8 = 3;
const FRAGMENTATION_NEEDED: u16 = 4;
/// ICMP: time exceeded.
const TIME_EXCEEDED: u8 = 11;
/// ICMPv6: destination unreachable, packet too big, time exceeded.
const V6_TYPES: [u8; 3] = [1, V6_TOO_BIG, 3];
const V6_TOO_BIG: u8 = 2;

impl Server {
    /// Takes that a datagram which `relay` sent to `peer` met with an ICMP error. The packet's bytes do not matter;
    /// its buffer is written to.
    pub fn handle_icmp(
        &mut self,
        now: Now,
        relay: RelayId,
        peer: SocketAddr,
        icmp: Icmp,
        packet: &mut Packet<'_>,
    ) -> Verdict {
        let verdict = self.relay_icmp(now, relay, peer, icmp, packet);
        self.settle(verdict)
    }

    fn relay_icmp(
        &mut self,
        now: Now,
        relay: RelayId,
        peer: SocketAddr,
        icmp: Icmp,
        packet: &mut Packet<'_>,
    ) -> Result<Verdict, DropReason> {
        let icmp = told(icmp, peer).ok_or(DropReason::IcmpType)?;
        let peer = self.addresses.external_form(peer);
        let (_, allocation) = self.live_relay(now, relay)?;
        match allocation.permissions.scope(now.instant, peer.ip()) {
            Some(Scope::Anywhere) => {}
            Some(Scope::OwnRelays) => return Err(DropReason::PeerForbidden),
            None => return Err(DropReason::NoPermission),
        }
        let way = allocation.way_to_client(self.config.share.index())?;
        let id = self.indication_ids.next();
        packet
            .replace(|out| write(out, id, peer, icmp))
            .map_err(|_| DropReason::NoRoom)?;
        self.counters.icmp_relayed += 1;
        Ok(way)
    }
}

/// What a client is told of an error, if it is of a type that clients are told of. Data other than an MTU is
/// zero (RFC 8656 §18.13).
fn told(icmp: Icmp, peer: SocketAddr) -> Option<Icmp> {
    let (is_listed, has_mtu) = match peer {
        SocketAddr::V4(_) => (
            matches!(icmp.kind, UNREACHABLE | TIME_EXCEEDED),
            (icmp.kind, icmp.code) == (UNREACHABLE, FRAGMENTATION_NEEDED),
        ),
        SocketAddr::V6(_) => (V6_TYPES.contains(&icmp.kind), icmp.kind == V6_TOO_BIG),
    };
    is_listed.then_some(Icmp {
        data: if has_mtu { icmp.data } else { 0 },
        ..icmp
    })
}

/// A Data indication without DATA.
fn write(out: &mut [u8], id: TransactionId, peer: SocketAddr, icmp: Icmp) -> Result<usize, WriteError> {
    let mut writer = MessageWriter::new(out, Class::Indication, Method::DATA, id)?;
    writer.xor_address(AttributeType::XOR_PEER_ADDRESS, peer)?;
    writer.icmp(icmp)?;
    Ok(writer.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_told_of_the_types_the_rfc_lists_and_of_no_others() {
        let listed = |peer: &str| {
            let peer = peer.parse().unwrap();
            let told = |kind: &u8| {
                let icmp = Icmp {
                    kind: *kind,
                    code: 0,
                    data: 0,
                };
                told(icmp, peer).is_some()
            };
            (0..=255).filter(told).collect::<Vec<_>>()
        };
        assert_eq!(listed("8.8.8.8:1"), [3, 11]);
        assert_eq!(listed("[2606:4700::1]:1"), [1, 2, 3]);
    }
}

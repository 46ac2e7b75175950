//! ICMP errors about what a relay sent (RFC 8656 §11.5).

use stun_wire::{AttributeType, Class, Icmp, Method};

use super::{connections::connected, *};
use crate::{DropReason, RelayAddress, RelayAddresses, Transport};

const PEER: &str = "8.8.8.8:53";
const PEER_V6: &str = "[2606:4700::9]:53";

fn icmp(kind: u8, code: u16, data: u32) -> Icmp {
    Icmp { kind, code, data }
}

/// Tells that it is a Data indication about `peer` without DATA, and shows its ICMP attribute.
#[track_caller]
fn indicated(heard: &Heard, peer: &str) -> Icmp {
    let message = heard.message();
    assert_eq!(
        (message.class(), message.method()),
        (Class::Indication, Method::DATA)
    );
    assert_eq!(
        message.xor_address(AttributeType::XOR_PEER_ADDRESS),
        Some(Ok(socket(peer)))
    );
    assert_eq!(message.attribute(AttributeType::DATA), None);
    message.icmp().unwrap().unwrap()
}

/// "The Data indication MUST contain both an XOR-PEER-ADDRESS and an ICMP attribute."
#[test]
fn a_client_learns_of_an_error_by_a_data_indication_over_any_transport() {
    for transport in Transport::ALL {
        let mut world = World::new();
        let mut client = connected(transport, 1000);
        let relayed = client.allocate(&mut world);
        client.permit(&mut world, PEER);
        let unreachable = icmp(3, 3, 0);
        let heard = world.hear_icmp(relayed, socket(PEER), unreachable);
        assert_eq!(indicated(&heard, PEER), unreachable);
        assert!(matches!(heard, Heard::Client(to, _) if to == client.five_tuple));
        assert_eq!(world.server.counters().icmp_relayed, 1);
    }
}

/// A channel does not change that: ChannelData has no room for an error.
#[test]
fn an_error_about_a_peer_with_a_channel_is_told_by_a_data_indication_too() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    let relayed = client.allocate(&mut world);
    client.bind(&mut world, 0x4000, PEER);
    let heard = world.hear_icmp(relayed, socket(PEER), icmp(11, 0, 0));
    assert_eq!(indicated(&heard, PEER), icmp(11, 0, 0));
}

/// RFC 8656 §18.13: error data is the MTU of the next hop, and zero for all other types and codes.
#[test]
fn only_errors_about_size_carry_data() {
    let mut world = World::with(|config| {
        let here = |text: &str| RelayAddress::new(ip(text), ip(text)).unwrap();
        config.relay =
            RelayAddresses::new(vec![here("192.0.2.1"), here("2606:4700::1")], None, None).unwrap();
    });
    let mut client = Client::alice(1000);
    let heard = client.ask(&mut world, Method::ALLOCATE, |writer| {
        super::client::udp(writer);
        writer
            .attribute(AttributeType::ADDITIONAL_ADDRESS_FAMILY, &[2, 0, 0, 0])
            .unwrap();
    });
    let message = heard.message();
    let relayed: Vec<_> = message
        .xor_addresses(AttributeType::XOR_RELAYED_ADDRESS)
        .map(Result::unwrap)
        .collect();
    let (v4, v6) = ((relayed[0], PEER), (relayed[1], PEER_V6));
    for peer in [PEER, PEER_V6] {
        client.permit(&mut world, peer);
    }
    for ((relayed, peer), kind, code, data, told) in [
        (v4, 3, 4, 1400, 1400),
        (v4, 3, 1, 1400, 0),
        (v4, 11, 4, 1400, 0),
        (v6, 2, 0, 1280, 1280),
        (v6, 1, 4, 1280, 0),
        (v6, 3, 0, 1280, 0),
    ] {
        let heard = world.hear_icmp(relayed, socket(peer), icmp(kind, code, data));
        assert_eq!(indicated(&heard, peer), icmp(kind, code, told));
    }
}

/// "Note that only addresses are compared and port numbers are not considered."
#[test]
fn errors_about_addresses_without_a_permission_are_dropped() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    let relayed = client.allocate(&mut world);
    client.permit(&mut world, PEER);
    let heard = world.hear_icmp(relayed, socket("8.8.8.8:0"), icmp(3, 3, 0));
    assert_eq!(indicated(&heard, "8.8.8.8:0"), icmp(3, 3, 0));
    let dropped = |world: &mut World, peer, icmp| {
        let Heard::Dropped(reason) = world.hear_icmp(relayed, socket(peer), icmp) else {
            panic!("told")
        };
        reason
    };
    assert_eq!(
        dropped(&mut world, "8.8.4.4:53", icmp(3, 3, 0)),
        DropReason::NoPermission
    );
    for kind in [0, 4, 5, 8, 12, 255] {
        assert_eq!(dropped(&mut world, PEER, icmp(kind, 0, 0)), DropReason::IcmpType);
    }
    world.pass_without_timers(300);
    assert_eq!(dropped(&mut world, PEER, icmp(3, 3, 0)), DropReason::NoPermission);
    world.pass_without_timers(300);
    assert_eq!(dropped(&mut world, PEER, icmp(3, 3, 0)), DropReason::NoRelay);
}

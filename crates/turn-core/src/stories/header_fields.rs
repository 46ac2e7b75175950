//! What of the IP header goes along (RFC 8656 §7.2 and §11.2 for DONT-FRAGMENT, §13 to §16 for all).

use stun_wire::{AttributeType, Class, Method};

use super::{
    client::{channel_data, udp},
    connections::connected,
    *,
};
use crate::{DropReason, HeaderFields, RelayAddress, RelayAddresses, Transport};

const PEER: &str = "8.8.8.8:53";
const PEER_V6: &str = "[2606:4700::9]:53";

fn world(can_set_df: bool) -> World {
    World::with(|config| {
        let here = |text: &str| RelayAddress::new(ip(text), ip(text)).unwrap();
        config.relay =
            RelayAddresses::new(vec![here("192.0.2.1"), here("2606:4700::1")], None, None).unwrap();
        config.can_set_df = can_set_df;
    })
}

/// Allocates relays of both families, with DONT-FRAGMENT, and gives the code of the answer.
fn allocate(world: &mut World, client: &mut Client) -> u16 {
    error_code(&client.ask(world, Method::ALLOCATE, |writer| {
        udp(writer);
        writer.attribute(AttributeType::DONT_FRAGMENT, &[]).unwrap();
        writer
            .attribute(AttributeType::ADDITIONAL_ADDRESS_FAMILY, &[2, 0, 0, 0])
            .unwrap();
    }))
}

fn send_with_dont_fragment(world: &mut World, client: &mut Client, peer: &str) -> Heard {
    let peer = socket(peer);
    let indication = client.plain(Class::Indication, Method::SEND, |writer| {
        writer.xor_address(AttributeType::XOR_PEER_ADDRESS, peer).unwrap();
        writer.attribute(AttributeType::DONT_FRAGMENT, &[]).unwrap();
        writer.attribute(AttributeType::DATA, b"x").unwrap();
    });
    world.hear(client.five_tuple, &indication)
}

fn fields(hop_limit: u8, traffic_class: u8) -> HeaderFields {
    HeaderFields {
        hop_limit: Some(hop_limit),
        traffic_class: Some(traffic_class),
        dont_fragment: false,
    }
}

#[test]
fn who_cannot_set_df_refuses_dont_fragment_as_an_unknown_attribute() {
    let mut world = world(false);
    let mut client = Client::alice(1000);
    assert_eq!(allocate(&mut world, &mut client), 420);
    client.allocate(&mut world);
    client.permit(&mut world, PEER);
    assert_eq!(
        send_with_dont_fragment(&mut world, &mut client, PEER),
        Heard::Dropped(DropReason::UnknownAttribute)
    );
}

/// "If the Send indication contains the DONT-FRAGMENT attribute, the server sets DF"; §13: not to or from IPv6, unless
/// the client's transport is a stream.
#[test]
fn dont_fragment_is_obeyed_where_the_rfc_wants_it() {
    for (transport, v4, v6) in [
        (Transport::Udp, true, false),
        (Transport::Dtls, true, false),
        (Transport::Tcp, true, true),
        (Transport::Tls, true, true),
    ] {
        let mut world = world(true);
        let mut client = connected(transport, 1000);
        assert_eq!(allocate(&mut world, &mut client), 0);
        for (peer, obeyed) in [(PEER, v4), (PEER_V6, v6)] {
            client.permit(&mut world, peer);
            let heard = send_with_dont_fragment(&mut world, &mut client, peer);
            assert!(matches!(heard, Heard::Peer { .. }), "{heard:?}");
            assert_eq!(world.sent.dont_fragment, obeyed, "{transport:?} {peer}");
            client.send(&mut world, peer, b"x");
            assert!(!world.sent.dont_fragment, "nobody asked for it");
        }
    }
}

#[test]
fn a_channel_never_forbids_fragments() {
    let mut world = world(true);
    let mut client = Client::alice(1000);
    allocate(&mut world, &mut client);
    client.bind(&mut world, 0x4000, PEER);
    client.send_by_channel(&mut world, 0x4000, b"x");
    assert_eq!(world.sent, HeaderFields::default());
}

#[test]
fn dscp_ecn_and_hop_limit_go_both_ways_and_answers_have_none() {
    let mut world = world(true);
    let mut client = Client::alice(1000);
    world.received = fields(64, 0xb9);
    let relayed = client.allocate(&mut world);
    client.bind(&mut world, 0x4000, PEER);
    assert_eq!(world.sent, HeaderFields::default());

    client.send(&mut world, PEER, b"x");
    assert_eq!(world.sent, fields(63, 0xb9));
    client.send_by_channel(&mut world, 0x4000, b"x");
    assert_eq!(world.sent, fields(63, 0xb9));
    world.received = fields(12, 0x03);
    world.hear_peer(relayed, socket(PEER), b"x");
    assert_eq!(world.sent, fields(11, 0x03));
    world.hear_peer(relayed, socket("8.8.8.8:1"), b"x");
    assert_eq!(world.sent, fields(11, 0x03));
}

/// "If the incoming value is 0 ...": as a router, which leaves nothing to send at 1.
#[test]
fn what_has_no_hops_left_is_dropped() {
    let mut world = world(true);
    let mut client = Client::alice(1000);
    let relayed = client.allocate(&mut world);
    client.bind(&mut world, 0x4000, PEER);
    let dropped = Heard::Dropped(DropReason::HopLimit);
    world.received = fields(1, 0);
    assert_eq!(client.send(&mut world, PEER, b"x"), dropped);
    assert_eq!(
        world.hear(client.five_tuple, &channel_data(0x4000, b"x")),
        dropped
    );
    assert_eq!(world.hear_peer(relayed, socket(PEER), b"x"), dropped);
}

/// Relay to relay, a datagram takes the hops it would have taken through two sockets.
#[test]
fn within_the_server_two_hops_are_counted() {
    let mut world = world(true);
    let (mut alice, mut bob) = (Client::alice(1000), Client::bob(1001));
    let (from, to) = (alice.allocate(&mut world), bob.allocate(&mut world));
    alice.permit(&mut world, &to.to_string());
    bob.permit(&mut world, &from.to_string());
    world.received = fields(3, 0xb9);
    assert!(matches!(
        alice.send(&mut world, &to.to_string(), b"x"),
        Heard::Client(..)
    ));
    assert_eq!(world.sent, fields(1, 0xb9));
    send_with_dont_fragment(&mut world, &mut alice, &to.to_string());
    assert!(
        !world.sent.dont_fragment,
        "RFC 8656 §14: towards a client, DF is the alternate behavior's"
    );
    world.received = fields(2, 0);
    assert_eq!(
        alice.send(&mut world, &to.to_string(), b"x"),
        Heard::Dropped(DropReason::HopLimit)
    );
}

#[test]
fn between_workers_the_fields_go_with_the_datagram() {
    let mut world = world(true);
    let mut client = Client::alice(1000);
    let relayed = client.allocate(&mut world);
    client.permit(&mut world, "192.0.2.1:50001");
    world.received = fields(3, 0xb9);
    let heard = world.hear_worker(socket("192.0.2.1:50001"), relayed, b"x");
    assert!(matches!(heard, Heard::Client(..)), "{heard:?}");
    assert_eq!(world.sent, fields(2, 0xb9));
}

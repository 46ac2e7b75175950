//! The datagrams themselves: not a byte more or less, and no memory of what else was in the buffer.

use stun_wire::{AttributeType, Class, Method};

use super::{client::channel_data, *};
use crate::{Direction, DropReason, HEADROOM, Packet, Relayed, Verdict, Via};

const PEER: &str = "8.8.8.8:53";

fn relaying() -> (World, Client, std::net::SocketAddr) {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    let relayed = client.allocate(&mut world);
    client.permit(&mut world, PEER);
    (world, client, relayed)
}

#[test]
fn a_send_indication_becomes_its_data_and_nothing_else() {
    let (mut world, mut client, relayed) = relaying();
    for len in [0, 1, 2, 3, 4, 1200, 2000] {
        let payload = vec![0x5a; len];
        let expected = Heard::Peer {
            from: relayed,
            to: socket(PEER),
            payload: payload.clone(),
        };
        assert_eq!(client.send(&mut world, PEER, &payload), expected);
    }
}

#[test]
fn a_datagram_from_a_peer_without_a_channel_becomes_a_data_indication() {
    let (mut world, _, relayed) = relaying();
    for len in [0, 1, 2, 3, 4, 1200, 2000] {
        let payload = vec![0x5a; len];
        let heard = world.hear_peer(relayed, socket(PEER), &payload);
        let message = heard.message();
        assert_eq!(
            (message.class(), message.method()),
            (Class::Indication, Method::DATA)
        );
        assert_eq!(
            message.xor_address(AttributeType::XOR_PEER_ADDRESS),
            Some(Ok(socket(PEER)))
        );
        assert_eq!(message.attribute(AttributeType::DATA), Some(payload.as_slice()));
        assert_eq!(message.as_bytes().len(), 36 + len.next_multiple_of(4));
    }
}

#[test]
fn no_two_data_indications_share_a_transaction() {
    let (mut world, _, relayed) = relaying();
    let first = world
        .hear_peer(relayed, socket(PEER), b"x")
        .message()
        .transaction_id();
    let second = world
        .hear_peer(relayed, socket(PEER), b"x")
        .message()
        .transaction_id();
    assert_ne!(first, second);
}

/// THREATS 9 and 10: what a length names is what is sent, and padding is dropped or zero.
#[test]
fn channel_data_may_be_padded_but_not_shorter_than_its_length() {
    let (mut world, mut client, relayed) = relaying();
    client.bind(&mut world, 0x4000, PEER);
    let padded = [channel_data(0x4000, b"five!"), vec![0xee; 3]].concat();
    let expected = Heard::Peer {
        from: relayed,
        to: socket(PEER),
        payload: b"five!".to_vec(),
    };
    assert_eq!(world.hear(client.five_tuple, &padded), expected);
    for cut in 0..padded.len() - 3 {
        let heard = world.hear(client.five_tuple, &padded[..cut]);
        let reason = if cut == 0 {
            DropReason::Empty
        } else {
            DropReason::Malformed
        };
        assert_eq!(heard, Heard::Dropped(reason), "{cut} bytes");
    }
}

#[test]
fn the_longest_datagrams_pass_by_channel_in_both_directions() {
    let (mut world, mut client, relayed) = relaying();
    client.bind(&mut world, 0x4000, PEER);
    let payload = vec![1; 65_507 - 4];
    assert!(matches!(
        client.send_by_channel(&mut world, 0x4000, &payload),
        Heard::Peer { .. }
    ));
    assert!(matches!(
        world.hear_peer(relayed, socket(PEER), &payload),
        Heard::Client(..)
    ));
}

#[test]
fn the_payload_stays_where_it_lies() {
    let (mut world, mut client, _) = relaying();
    client.bind(&mut world, 0x4000, PEER);
    let relay = *world.sockets.keys().next().unwrap();
    let datagram = channel_data(0x4000, b"there");
    let mut buffer = vec![0; 2048];
    buffer[HEADROOM..HEADROOM + 9].copy_from_slice(&datagram);
    let mut packet = Packet::new(&mut buffer, HEADROOM, 9);
    world
        .server
        .handle_client(world.now, client.five_tuple, &mut packet);
    assert_eq!(packet.range(), HEADROOM + 4..HEADROOM + 9);

    let mut packet = Packet::new(&mut buffer, HEADROOM + 4, 5);
    let verdict = world
        .server
        .handle_peer(world.now, relay, socket(PEER), &mut packet);
    assert_eq!(
        verdict,
        Verdict::Send {
            via: Via::Client(client.five_tuple),
            to: client.five_tuple.client
        }
    );
    assert_eq!(packet.range(), HEADROOM..HEADROOM + 9);
    assert_eq!(packet.payload(), datagram);
}

#[test]
fn payload_bytes_are_counted_in_both_directions() {
    let (mut world, mut client, relayed) = relaying();
    client.send(&mut world, PEER, b"12345");
    client.send(&mut world, PEER, b"");
    world.hear_peer(relayed, socket(PEER), b"123");
    client.send(&mut world, "8.8.4.4:1", b"dropped");
    let counters = world.server.counters();
    assert_eq!(
        counters.relayed(Direction::ToPeer),
        Relayed { packets: 2, bytes: 5 }
    );
    assert_eq!(
        counters.relayed(Direction::ToClient),
        Relayed { packets: 1, bytes: 3 }
    );
    assert_eq!(counters.dropped(DropReason::NoPermission), 1);
}

#[test]
fn strangers_relay_nothing() {
    let (mut world, mut client, _) = relaying();
    client.five_tuple.client.set_port(1001);
    assert_eq!(
        client.send(&mut world, PEER, b"x"),
        Heard::Dropped(DropReason::NoAllocation)
    );
    assert_eq!(
        client.send_by_channel(&mut world, 0x4000, b"x"),
        Heard::Dropped(DropReason::NoAllocation)
    );
}

#[test]
fn a_relay_of_the_past_takes_nothing() {
    let (mut world, mut client, _) = relaying();
    let relay = *world.sockets.keys().next().unwrap();
    client.refresh(&mut world, 0);
    let mut successor = Client::bob(1001);
    successor.allocate(&mut world);
    successor.permit(&mut world, PEER);
    let mut buffer = vec![0; 2048];
    let mut packet = Packet::new(&mut buffer, HEADROOM, 4);
    let verdict = world
        .server
        .handle_peer(world.now, relay, socket(PEER), &mut packet);
    assert_eq!(
        verdict,
        Verdict::Drop(DropReason::NoRelay),
        "its place belongs to another now"
    );
}

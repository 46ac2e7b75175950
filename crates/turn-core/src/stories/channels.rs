//! RFC 8656 §12: numbers that stand for peers.

use stun_wire::{AttributeType, Method};

use super::*;
use crate::{ChannelRange, DropReason};

fn is_relayed(heard: &Heard) -> bool {
    matches!(heard, Heard::Peer { .. })
}

#[test]
fn a_channel_carries_both_ways_and_its_permission_is_installed() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    let relayed = client.allocate(&mut world);
    let heard = client.bind(&mut world, 0x4001, "8.8.8.8:53");
    assert_eq!(error_code(&heard), 0);
    assert!(heard.is_signed_by(&client));
    let there = Heard::Peer {
        from: relayed,
        to: socket("8.8.8.8:53"),
        payload: b"there".to_vec(),
    };
    assert_eq!(client.send_by_channel(&mut world, 0x4001, b"there"), there);
    let back = world.hear_peer(relayed, socket("8.8.8.8:53"), b"back!");
    assert_eq!(
        back,
        Heard::Client(client.five_tuple, b"\x40\x01\x00\x05back!".to_vec())
    );
    let indication = world.hear_peer(relayed, socket("8.8.8.8:54"), b"x");
    assert_eq!(
        indication.message().method(),
        Method::DATA,
        "another port has no channel"
    );
}

#[test]
fn a_channel_lives_exactly_ten_minutes_and_its_permission_five() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    let relayed = client.allocate(&mut world);
    client.refresh(&mut world, 3600);
    client.bind(&mut world, 0x4000, "8.8.8.8:53");
    world.pass(299);
    assert!(matches!(
        world.hear_peer(relayed, socket("8.8.8.8:53"), b"x"),
        Heard::Client(..)
    ));
    world.pass(1);
    assert_eq!(
        world.hear_peer(relayed, socket("8.8.8.8:53"), b"x"),
        Heard::Dropped(DropReason::NoPermission)
    );
    world.pass(299);
    assert!(is_relayed(&client.send_by_channel(&mut world, 0x4000, b"x")));
    world.pass(1);
    assert_eq!(
        client.send_by_channel(&mut world, 0x4000, b"x"),
        Heard::Dropped(DropReason::ChannelUnbound)
    );
}

#[test]
fn binding_again_refreshes_channel_and_permission() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    let relayed = client.allocate(&mut world);
    client.refresh(&mut world, 3600);
    for _ in 0..5 {
        assert_eq!(error_code(&client.bind(&mut world, 0x4000, "8.8.8.8:53")), 0);
        world.pass(299);
    }
    let heard = world.hear_peer(relayed, socket("8.8.8.8:53"), b"");
    assert_eq!(heard, Heard::Client(client.five_tuple, vec![0x40, 0, 0, 0]));
}

#[test]
fn a_number_stands_for_one_peer_and_a_peer_has_one_number() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    client.allocate(&mut world);
    client.bind(&mut world, 0x4000, "8.8.8.8:53");
    assert_eq!(error_code(&client.bind(&mut world, 0x4000, "8.8.8.8:54")), 400);
    assert_eq!(error_code(&client.bind(&mut world, 0x4001, "8.8.8.8:53")), 400);
    assert_eq!(error_code(&client.bind(&mut world, 0x4000, "8.8.4.4:53")), 400);
    assert_eq!(
        client.send(&mut world, "8.8.4.4:53", b"x"),
        Heard::Dropped(DropReason::NoPermission)
    );
    assert_eq!(error_code(&client.bind(&mut world, 0x4001, "8.8.8.8:54")), 0);
}

#[test]
fn after_expiry_number_and_peer_stay_apart_for_five_minutes() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    client.allocate(&mut world);
    client.refresh(&mut world, 3600);
    client.bind(&mut world, 0x4000, "8.8.8.8:53");
    world.pass(600 + 299);
    assert_eq!(error_code(&client.bind(&mut world, 0x4000, "8.8.4.4:53")), 400);
    world.pass(1);
    assert_eq!(error_code(&client.bind(&mut world, 0x4000, "8.8.4.4:53")), 0);
    assert_eq!(error_code(&client.bind(&mut world, 0x4001, "8.8.8.8:53")), 0);
}

/// THREATS 24.
#[test]
fn numbers_outside_the_range_are_a_bad_request() {
    let mut strict = World::new();
    let mut lenient = World::with(|config| config.channels = ChannelRange::Rfc5766);
    for (number, by_8656, by_5766) in [
        (0x3fff, 400, 400),
        (0x4000, 0, 0),
        (0x4fff, 0, 0),
        (0x5000, 400, 0),
        (0x7fff, 400, 0),
        (0x8000, 400, 400),
    ] {
        for (world, expected) in [(&mut strict, by_8656), (&mut lenient, by_5766)] {
            let mut client = Client::alice(1000);
            if world.sockets.is_empty() {
                client.allocate(world);
            }
            let peer = format!("8.8.8.8:{number}");
            assert_eq!(
                error_code(&client.bind(world, number, &peer)),
                expected,
                "{number:#x}"
            );
        }
    }
}

#[test]
fn a_channel_beyond_0x4fff_carries_datagrams_where_it_may_be_bound() {
    let mut world = World::with(|config| config.channels = ChannelRange::Rfc5766);
    let mut client = Client::alice(1000);
    client.allocate(&mut world);
    client.bind(&mut world, 0x7abc, "8.8.8.8:53");
    assert!(is_relayed(&client.send_by_channel(&mut world, 0x7abc, b"x")));
}

#[test]
fn missing_or_malformed_attributes_are_a_bad_request() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    client.allocate(&mut world);
    let peer = socket("8.8.8.8:53");
    let without_number = client.ask(&mut world, Method::CHANNEL_BIND, |writer| {
        writer.xor_address(AttributeType::XOR_PEER_ADDRESS, peer).unwrap();
    });
    assert_eq!(error_code(&without_number), 400);
    let without_peer = client.ask(&mut world, Method::CHANNEL_BIND, |writer| {
        writer
            .attribute(AttributeType::CHANNEL_NUMBER, &[0x40, 0, 0, 0])
            .unwrap();
    });
    assert_eq!(error_code(&without_peer), 400);
    let short_number = client.ask(&mut world, Method::CHANNEL_BIND, |writer| {
        writer
            .attribute(AttributeType::CHANNEL_NUMBER, &[0x40, 0])
            .unwrap();
        writer.xor_address(AttributeType::XOR_PEER_ADDRESS, peer).unwrap();
    });
    assert_eq!(error_code(&short_number), 400);
}

/// THREATS 28.
#[test]
fn the_table_of_channels_is_bounded() {
    let mut world = World::with(|config| config.limits.channels_per_allocation = 2);
    let mut client = Client::alice(1000);
    client.allocate(&mut world);
    for number in [0x4000, 0x4001] {
        assert_eq!(
            error_code(&client.bind(&mut world, number, &format!("8.8.8.8:{number}"))),
            0
        );
    }
    assert_eq!(error_code(&client.bind(&mut world, 0x4002, "8.8.4.4:1")), 508);
    assert_eq!(
        client.send(&mut world, "8.8.4.4:1", b"x"),
        Heard::Dropped(DropReason::NoPermission),
        "nor half of it"
    );
}

//! RFC 8656 §9–10: who may reach a client, and whom a client may reach.

use stun_wire::{AttributeType, Class, Method};

use super::*;
use crate::{DropReason, PeerPolicy};

fn permit_all(world: &mut World, client: &mut Client, peers: &[&str]) -> Heard {
    client.ask(world, Method::CREATE_PERMISSION, |writer| {
        for peer in peers {
            writer
                .xor_address(AttributeType::XOR_PEER_ADDRESS, socket(peer))
                .unwrap();
        }
    })
}

#[test]
fn a_permission_opens_every_port_of_an_address_and_no_other_address() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    let relayed = client.allocate(&mut world);
    let heard = client.permit(&mut world, "8.8.8.8:1");
    assert!(heard.is_signed_by(&client));
    assert_eq!(error_code(&heard), 0);
    for port in [1, 2, 65_535] {
        let peer = format!("8.8.8.8:{port}");
        assert!(matches!(
            world.hear_peer(relayed, socket(&peer), b"x"),
            Heard::Client(..)
        ));
        assert!(matches!(client.send(&mut world, &peer, b"x"), Heard::Peer { .. }));
    }
    assert_eq!(
        world.hear_peer(relayed, socket("8.8.8.9:1"), b"x"),
        Heard::Dropped(DropReason::NoPermission)
    );
    assert_eq!(
        client.send(&mut world, "8.8.8.9:1", b"x"),
        Heard::Dropped(DropReason::NoPermission)
    );
}

#[test]
fn a_permission_lives_exactly_five_minutes_unless_refreshed() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    let relayed = client.allocate(&mut world);
    client.permit(&mut world, "8.8.8.8:1");
    world.pass(200);
    client.permit(&mut world, "8.8.8.8:1");
    world.pass(299);
    assert!(matches!(
        world.hear_peer(relayed, socket("8.8.8.8:1"), b"x"),
        Heard::Client(..)
    ));
    world.pass(1);
    assert_eq!(
        world.hear_peer(relayed, socket("8.8.8.8:1"), b"x"),
        Heard::Dropped(DropReason::NoPermission)
    );
    assert_eq!(
        client.send(&mut world, "8.8.8.8:1", b"x"),
        Heard::Dropped(DropReason::NoPermission)
    );
}

#[test]
fn several_peers_are_permitted_together_or_not_at_all() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    client.allocate(&mut world);
    let cases: [(&[&str], u16); 3] = [
        (&["8.8.8.8:1", "10.0.0.1:1"], 403),
        (&["8.8.8.8:1", "[2606:4700::1]:1"], 443),
        (&[], 400),
    ];
    for (peers, code) in cases {
        assert_eq!(
            error_code(&permit_all(&mut world, &mut client, peers)),
            code,
            "{peers:?}"
        );
        assert_eq!(
            client.send(&mut world, "8.8.8.8:1", b"x"),
            Heard::Dropped(DropReason::NoPermission)
        );
    }
    assert_eq!(
        error_code(&permit_all(&mut world, &mut client, &["8.8.8.8:1", "8.8.4.4:1"])),
        0
    );
    for peer in ["8.8.8.8:1", "8.8.4.4:1"] {
        assert!(matches!(client.send(&mut world, peer, b"x"), Heard::Peer { .. }));
    }
}

#[test]
fn a_malformed_peer_address_is_a_bad_request() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    client.allocate(&mut world);
    let malformed: [&[u8]; 3] = [&[0, 1, 0], &[0, 9, 0, 0, 1, 2, 3, 4], &[0, 2, 0, 0, 1, 2, 3, 4]];
    for value in malformed {
        for method in [Method::CREATE_PERMISSION, Method::CHANNEL_BIND] {
            let heard = client.ask(&mut world, method, |writer| {
                writer
                    .attribute(AttributeType::CHANNEL_NUMBER, &[0x40, 0, 0, 0])
                    .unwrap();
                writer.attribute(AttributeType::XOR_PEER_ADDRESS, value).unwrap();
            });
            assert_eq!(error_code(&heard), 400, "{value:?}");
        }
    }
}

#[test]
fn without_an_allocation_there_is_nothing_to_permit() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    assert_eq!(error_code(&client.permit(&mut world, "8.8.8.8:1")), 437);
    assert_eq!(error_code(&client.bind(&mut world, 0x4000, "8.8.8.8:1")), 437);
}

/// THREATS 1 and 6, on every path a client has.
#[test]
fn forbidden_peers_are_refused_on_every_path() {
    let v4 = [
        "0.0.0.0",
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
    ];
    let v6 = [
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "2002:7f00:1::",
        "64:ff9b::7f00:1",
        "fe80::1",
        "fd00:ec2::254",
    ];
    let mut world = World::new();
    let mut client = Client::alice(1000);
    client.allocate(&mut world);
    let mut sixth = Client::alice(1001).at("[2606:4700::7]:1001", "[2606:4700::1]:3478");
    sixth.ask(&mut world, Method::ALLOCATE, |writer| {
        super::client::udp(writer);
        writer
            .attribute(AttributeType::REQUESTED_ADDRESS_FAMILY, &[2, 0, 0, 0])
            .unwrap();
    });
    let peers = v4.iter().map(|ip| (format!("{ip}:80"), client.clone()));
    let peers = peers.chain(v6.iter().map(|ip| (format!("[{ip}]:80"), sixth.clone())));
    for (peer, mut client) in peers.collect::<Vec<_>>() {
        assert_eq!(
            error_code(&client.permit(&mut world, &peer)),
            403,
            "CreatePermission {peer}"
        );
        assert_eq!(
            error_code(&client.bind(&mut world, 0x4000, &peer)),
            403,
            "ChannelBind {peer}"
        );
        assert_eq!(
            client.send(&mut world, &peer, b"x"),
            Heard::Dropped(DropReason::NoPermission),
            "Send {peer}"
        );
    }
}

#[test]
fn an_allowed_network_may_be_reached() {
    let allow = ["127.0.0.0/8".parse().unwrap()];
    let mut world = World::with(|config| config.policy = PeerPolicy::new(&allow, &[]));
    let mut client = Client::alice(1000);
    client.allocate(&mut world);
    assert_eq!(error_code(&client.permit(&mut world, "127.0.0.1:5000")), 0);
    assert!(matches!(
        client.send(&mut world, "127.0.0.1:5000", b"x"),
        Heard::Peer { .. }
    ));
}

#[test]
fn our_own_listener_is_no_peer_even_where_its_network_is_allowed() {
    let allow = ["192.0.2.0/24".parse().unwrap()];
    let mut world = World::with(|config| config.policy = PeerPolicy::new(&allow, &[]));
    let mut client = Client::alice(1000);
    client.allocate(&mut world);
    assert_eq!(error_code(&client.permit(&mut world, "192.0.2.1:3478")), 403);
    assert_eq!(
        error_code(&client.bind(&mut world, 0x4000, "192.0.2.1:3478")),
        403
    );
    assert_eq!(
        error_code(&client.permit(&mut world, "192.0.2.1:80")),
        0,
        "its other ports are"
    );
    assert_eq!(
        client.send(&mut world, "192.0.2.1:3478", b"x"),
        Heard::Dropped(DropReason::PeerForbidden)
    );
}

/// THREATS 28.
#[test]
fn the_table_of_permissions_is_bounded() {
    let mut world = World::with(|config| config.limits.permissions_per_allocation = 2);
    let mut client = Client::alice(1000);
    client.allocate(&mut world);
    for peer in ["8.8.8.1:1", "8.8.8.2:1"] {
        assert_eq!(error_code(&client.permit(&mut world, peer)), 0);
    }
    assert_eq!(error_code(&client.permit(&mut world, "8.8.8.3:1")), 508);
    assert_eq!(error_code(&client.bind(&mut world, 0x4000, "8.8.8.3:1")), 508);
    assert_eq!(
        client.send_by_channel(&mut world, 0x4000, b"x"),
        Heard::Dropped(DropReason::ChannelUnbound)
    );
    world.pass(300);
    assert_eq!(
        error_code(&client.permit(&mut world, "8.8.8.3:1")),
        0,
        "expired ones make room"
    );
}

#[test]
fn a_send_indication_without_peer_or_data_is_dropped() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    client.allocate(&mut world);
    client.permit(&mut world, "8.8.8.8:1");
    let peer = (
        AttributeType::XOR_PEER_ADDRESS,
        &[0, 1, 0x21, 0x13, 0x29, 0x1a, 0xac, 0x4a][..],
    );
    let data = (AttributeType::DATA, &b"x"[..]);
    let strange = (AttributeType(0x7f00), &b""[..]);
    let cases = [
        (vec![peer], DropReason::IncompleteSend),
        (vec![data], DropReason::IncompleteSend),
        (
            vec![(AttributeType::XOR_PEER_ADDRESS, &[0, 1][..]), data],
            DropReason::IncompleteSend,
        ),
        (vec![peer, data, strange], DropReason::UnknownAttribute),
    ];
    for (attributes, reason) in cases {
        let indication = client.plain(Class::Indication, Method::SEND, |writer| {
            for (kind, value) in &attributes {
                writer.attribute(*kind, value).unwrap();
            }
        });
        assert_eq!(
            world.hear(client.five_tuple, &indication),
            Heard::Dropped(reason),
            "{attributes:?}"
        );
    }
}

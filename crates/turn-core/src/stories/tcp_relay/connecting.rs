//! RFC 6062 §5.2: a client asks for a connection to a peer.

use std::{collections::BTreeSet, num::NonZeroU32, time::Duration};

use super::{super::modern::Modern, *};
use crate::{PeerPolicy, Quota, QuotaLimits, Share};

#[test]
fn a_connection_leaves_from_the_relayed_transport_address_and_gets_a_connection_id() {
    let mut world = world();
    let (mut client, relayed) = allocated(&mut world, 1000);
    world.take_outputs();
    assert_eq!(connect(&mut world, &mut client, PEER), Heard::Pending);
    let outputs = world.take_outputs();
    let [Output::ConnectPeer { peer, from, to }] = outputs[..] else {
        panic!("{outputs:?}")
    };
    assert_eq!((from, to), (relayed, socket(PEER)));
    let heard = peer_connected(&mut world, peer, true);
    assert_eq!(error_code(&heard), 0);
    assert!(heard.is_signed_by(&client));
    assert!(matches!(heard, Heard::Client(to, _) if to == client.five_tuple));
    number(&heard);
    assert_eq!(connections(&world), 1);
}

/// "If the request is received on a TCP connection for which no allocation exists, the server MUST return a 437."
#[test]
fn without_a_tcp_allocation_there_is_nothing_to_connect_from() {
    let mut world = world();
    let mut client = Client::alice(1000).over(Transport::Tcp);
    assert_eq!(error_code(&connect(&mut world, &mut client, PEER)), 437);
    client.allocate(&mut world);
    assert_eq!(
        error_code(&connect(&mut world, &mut client, PEER)),
        437,
        "a UDP allocation is none"
    );
}

/// "If the request does not contain an XOR-PEER-ADDRESS attribute, or if such attribute is invalid, the server
/// MUST return a 400."
#[test]
fn a_peer_must_be_named() {
    let mut world = world();
    let (mut client, _) = allocated(&mut world, 1000);
    let heard = client.ask(&mut world, Method::CONNECT, |_| ());
    assert_eq!(error_code(&heard), 400);
    let malformed: [&[u8]; 2] = [&[0, 1, 0], &[0, 9, 0, 0, 1, 2, 3, 4]];
    for value in malformed {
        let heard = client.ask(&mut world, Method::CONNECT, |writer| {
            writer.attribute(AttributeType::XOR_PEER_ADDRESS, value).unwrap();
        });
        assert_eq!(error_code(&heard), 400, "{value:?}");
    }
    assert_eq!(error_code(&connect(&mut world, &mut client, "8.8.8.8:0")), 400);
    assert_eq!(
        error_code(&connect(&mut world, &mut client, "[2606:4700::9]:80")),
        443
    );
}

/// THREATS 1, 2, 5, 6 and 29: "If the new connection is forbidden by local policy, the server MUST reject the
/// request with a 403."
#[test]
fn forbidden_peers_are_refused_and_no_connection_is_tried() {
    let v4 = [
        "0.0.0.0",
        "127.0.0.1",
        "10.0.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "192.168.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "203.0.114.9",
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
    let mut world = World::with(|config| {
        enabled(config);
        config.host_addresses = vec![ip("203.0.114.9")];
        config.policy = PeerPolicy::new(&[], &["8.8.4.0/24".parse().unwrap()]);
    });
    let (fourth, _) = allocated(&mut world, 1000);
    let sixth = Client::alice(1001).at("[2606:4700::7]:1001", "[2606:4700::1]:3478");
    let mut sixth = sixth.over(Transport::Tcp);
    let heard = sixth.ask(&mut world, Method::ALLOCATE, |writer| {
        tcp(writer);
        writer
            .attribute(AttributeType::REQUESTED_ADDRESS_FAMILY, &[2, 0, 0, 0])
            .unwrap();
    });
    assert_eq!(error_code(&heard), 0);
    world.take_outputs();
    let listeners = [("192.0.2.1:3478".to_owned(), fourth.clone())];
    let peers = v4.iter().map(|ip| (format!("{ip}:80"), fourth.clone()));
    let peers = peers.chain(v6.iter().map(|ip| (format!("[{ip}]:80"), sixth.clone())));
    let peers = peers
        .chain([("8.8.4.4:80".to_owned(), fourth.clone())])
        .chain(listeners);
    for (peer, mut client) in peers.collect::<Vec<_>>() {
        assert_eq!(
            error_code(&connect(&mut world, &mut client, &peer)),
            403,
            "{peer}"
        );
    }
    assert_eq!(world.take_outputs(), []);
    assert_eq!(connections(&world), 0);
}

/// "If the server is currently processing a Connect request for this allocation with the same XOR-PEER-ADDRESS"
/// or has done so and the connections are "pending or active, it MUST return a 446".
#[test]
fn one_allocation_has_one_connection_to_a_peer() {
    let mut world = world();
    let (mut client, _) = allocated(&mut world, 1000);
    connect(&mut world, &mut client, PEER);
    assert_eq!(
        error_code(&connect(&mut world, &mut client, PEER)),
        446,
        "processing"
    );
    let id = last_connect(&mut world);
    let number = number(&peer_connected(&mut world, id, true));
    assert_eq!(
        error_code(&connect(&mut world, &mut client, PEER)),
        446,
        "pending"
    );
    bind(&mut world, &mut data_connection(&client, 1001), number);
    assert_eq!(error_code(&connect(&mut world, &mut client, PEER)), 446, "active");

    let (mut other, _) = allocated(&mut world, 2000);
    connected(&mut world, &mut client, "8.8.8.8:81");
    connected(&mut world, &mut other, PEER);
    world.server.peer_closed(world.now, id);
    connected(&mut world, &mut client, PEER);
}

/// "If the connection attempt fails or times out, the server MUST return a 447."
#[test]
fn a_peer_that_refuses_is_a_447() {
    let mut world = world();
    let (mut client, _) = allocated(&mut world, 1000);
    connect(&mut world, &mut client, PEER);
    let id = last_connect(&mut world);
    let heard = peer_connected(&mut world, id, false);
    assert_eq!(error_code(&heard), 447);
    assert!(heard.is_signed_by(&client));
    assert_eq!(closed(&mut world), [], "the shell has closed it already");
    assert_eq!(connections(&world), 0);
    connected(&mut world, &mut client, PEER);
}

/// THREATS 29: slow connects hold no descriptor. "The timeout value MUST be at least 30 seconds."
#[test]
fn a_peer_that_does_not_answer_is_given_up_after_thirty_seconds() {
    for limit in [30, 2] {
        let mut world = World::with(|config| {
            enabled(config);
            if limit != 30 {
                config.tcp_relay.as_mut().unwrap().connect_timeout = Duration::from_secs(limit);
            }
        });
        let (mut client, _) = allocated(&mut world, 1000);
        connect(&mut world, &mut client, PEER);
        let id = last_connect(&mut world);
        world.pass(limit - 1);
        assert_eq!((world.take_outputs(), connections(&world)), (vec![], 1));
        world.pass(1);
        let outputs = world.take_outputs();
        let [Output::SendToClient { to, datagram }, Output::ClosePeer { peer }] = &outputs[..] else {
            panic!("{outputs:?}")
        };
        assert_eq!(*peer, id);
        let heard = Heard::Client(*to, datagram.clone());
        assert_eq!(error_code(&heard), 447);
        assert!(heard.is_signed_by(&client));
        assert_eq!(connections(&world), 0);
        assert_eq!(peer_connected(&mut world, id, true), Heard::Pending, "too late");
        assert_eq!(world.take_outputs(), []);
    }
}

fn quota(connections_per_user: u32, connections: u32) -> Quota {
    let number = |n| NonZeroU32::new(n).unwrap();
    Quota::new(QuotaLimits {
        connections_per_user: number(connections_per_user),
        connections: number(connections),
        ..QuotaLimits::default()
    })
}

/// THREATS 29: per-user cap.
#[test]
fn connections_are_bounded_per_allocation_per_user_and_in_all() {
    for (per_allocation, per_user, total, code) in [(2, 9, 9, 508), (9, 2, 9, 486), (9, 9, 2, 508)] {
        let mut world = World::with_ledger(quota(per_user, total), |config| {
            enabled(config);
            config.tcp_relay.as_mut().unwrap().connections_per_allocation = per_allocation;
        });
        let (mut client, _) = allocated(&mut world, 1000);
        let (first, _) = connected(&mut world, &mut client, "8.8.8.8:1");
        connect(&mut world, &mut client, "8.8.8.8:2");
        let heard = connect(&mut world, &mut client, "8.8.8.8:3");
        assert_eq!(error_code(&heard), code);
        world.server.peer_closed(world.now, first);
        assert_eq!(connect(&mut world, &mut client, "8.8.8.8:3"), Heard::Pending);
        client.refresh(&mut world, 0);
        let (mut client, _) = allocated(&mut world, 1001);
        for port in 1..3 {
            connected(&mut world, &mut client, &format!("8.8.8.8:{port}"));
        }
    }
}

/// THREATS 13.
#[test]
fn connection_ids_are_unpredictable_and_name_their_worker() {
    let share = Share::new(2, 3).unwrap();
    let mut world = World::with_ledger(quota(9999, 9999), |config| {
        enabled(config);
        config.share = share;
        config.tcp_relay.as_mut().unwrap().connections_per_allocation = 9999;
    });
    let (mut client, _) = allocated(&mut world, 1000);
    let numbers: BTreeSet<_> = (1..=500)
        .map(|port| connected(&mut world, &mut client, &format!("8.8.8.8:{port}")).1)
        .collect();
    assert_eq!(numbers.len(), 500);
    assert!(numbers.iter().all(|number| number % 3 == 2));
    let upper_half = numbers.iter().filter(|&&number| number > u32::MAX / 2).count();
    assert!((180..320).contains(&upper_half), "{upper_half}");
}

/// RFC 8489 §9.2.4: an answer is signed as its request was, also when it waited for a peer.
#[test]
fn the_answer_to_a_request_signed_with_sha256_is_too() {
    let mut world = world();
    let mut modern = Modern::alice(1000);
    modern.client = modern.client.over(Transport::Tcp);
    modern.hashes = true;
    let heard = modern.ask(&mut world, Method::ALLOCATE, tcp);
    modern.assert_granted(&heard);
    let connect_to = |world: &mut World, modern: &mut Modern, peer| {
        let heard = modern.ask(world, Method::CONNECT, |writer| {
            writer
                .xor_address(AttributeType::XOR_PEER_ADDRESS, socket(peer))
                .unwrap();
        });
        assert_eq!(heard, Heard::Pending);
        last_connect(world)
    };
    let id = connect_to(&mut world, &mut modern, PEER);
    let heard = peer_connected(&mut world, id, true);
    modern.assert_granted(&heard);
    let number = number(&heard);
    let id = connect_to(&mut world, &mut modern, "8.8.8.8:81");
    let refused = peer_connected(&mut world, id, false);
    assert_eq!(
        (error_code(&refused), modern.seals(&refused)),
        (447, (false, true))
    );

    let mut data = modern.clone();
    data.client.five_tuple.client.set_port(1001);
    data.client = data.client.over(Transport::Tcp);
    let heard = data.ask(&mut world, Method::CONNECTION_BIND, |writer| {
        writer.u32(AttributeType::CONNECTION_ID, number).unwrap();
    });
    data.assert_granted(&heard);
}

//! Relay to relay on this server: by default allowed, only to live TCP relays, and never through a socket.

use super::*;
use crate::{PeerPolicy, RelayAddress, RelayAddresses, Share};

/// alice and bob, each with a TCP allocation.
fn two_clients(world: &mut World) -> (Client, SocketAddr, Client, SocketAddr) {
    let (alice, at_alice) = allocated(world, 1000);
    let (bob, at_bob) = allocate(world, Client::bob(2000));
    world.take_outputs();
    (alice, at_alice, bob, at_bob)
}

/// The one way out of the last Connect: what the shell does with it when both relays are this worker's.
fn arrive_at_relay(world: &mut World) -> (PeerConnectionId, Result<(PeerConnectionId, Heard), PeerRefusal>) {
    let outputs = world.take_outputs();
    let [
        Output::ConnectRelay {
            peer,
            worker: 0,
            from,
            to,
        },
    ] = outputs[..]
    else {
        panic!("{outputs:?}")
    };
    let outcome = world.server.relay_arrived(world.now, from, to);
    let heard = world.perform_outputs();
    (peer, outcome.map(|id| (id, heard.expect("the client is told"))))
}

/// The relays sit on 192.0.2.1, a network that the default policy refuses.
#[test]
fn a_client_reaches_another_ones_relay_without_a_socket() {
    let mut world = world();
    let (mut alice, at_alice, mut bob, at_bob) = two_clients(&mut world);
    assert_eq!(error_code(&bob.permit(&mut world, &at_alice.to_string())), 0);
    assert_eq!(
        connect(&mut world, &mut alice, &at_bob.to_string()),
        Heard::Pending
    );
    let (outgoing, arrived) = arrive_at_relay(&mut world);
    let (incoming, told) = arrived.unwrap();
    assert!(matches!(told, Heard::Client(to, _) if to == bob.five_tuple));
    assert_eq!(
        told.message().xor_address(AttributeType::XOR_PEER_ADDRESS),
        Some(Ok(at_alice))
    );
    let answer = peer_connected(&mut world, outgoing, true);
    for (client, port, heard, id) in [(&alice, 1001, &answer, outgoing), (&bob, 2001, &told, incoming)] {
        let heard = bind(&mut world, &mut data_connection(client, port), number(heard));
        assert!(matches!(heard, Heard::Bound(_, bound, _) if bound == id));
    }
}

#[test]
fn the_other_clients_permission_is_asked() {
    let mut world = world();
    let (mut alice, _, _, at_bob) = two_clients(&mut world);
    connect(&mut world, &mut alice, &at_bob.to_string());
    let (outgoing, arrived) = arrive_at_relay(&mut world);
    assert_eq!(arrived.unwrap_err(), PeerRefusal::NoPermission);
    assert_eq!(error_code(&peer_connected(&mut world, outgoing, false)), 447);
    assert_eq!(connections(&world), 0);
}

/// THREATS 29: a port of our range that is no relay may be anybody's on this machine.
#[test]
fn a_port_without_a_tcp_relay_is_not_reached() {
    let mut world = world();
    let (mut alice, _, mut bob, _) = two_clients(&mut world);
    let over_udp = Client::alice(1001).allocate(&mut world);
    let free = (50_000..50_020)
        .map(|port| SocketAddr::new(ip("192.0.2.1"), port))
        .find(|address| world.sockets.values().all(|open| open != address))
        .unwrap();
    world.take_outputs();
    for peer in [over_udp, free] {
        bob.permit(&mut world, &peer.to_string());
        connect(&mut world, &mut alice, &peer.to_string());
        let (outgoing, arrived) = arrive_at_relay(&mut world);
        assert_eq!(arrived.unwrap_err(), PeerRefusal::NoRelay, "{peer}");
        peer_connected(&mut world, outgoing, false);
        world.take_outputs();
    }
    assert_eq!(world.server.counters().refused_peers(PeerRefusal::NoRelay), 2);
}

#[test]
fn a_relay_of_another_worker_is_named_with_its_worker() {
    let mut world = World::with(|config| {
        enabled(config);
        config.share = Share::new(0, 2).unwrap();
    });
    let (mut alice, at_alice) = allocated(&mut world, 1000);
    world.take_outputs();
    let theirs = if at_alice.port() >= 50_002 { 50_002 } else { 50_006 };
    connect(&mut world, &mut alice, &format!("192.0.2.1:{theirs}"));
    let outputs = world.take_outputs();
    let [
        Output::ConnectRelay {
            worker: 1, from, to, ..
        },
    ] = outputs[..]
    else {
        panic!("{outputs:?}")
    };
    assert_eq!((from, to.port()), (at_alice, theirs));
}

/// Behind a 1:1 NAT, clients know the external form, and sockets the local one.
#[test]
fn the_forms_of_an_address_are_told_apart() {
    for is_open in [false, true] {
        let mut world = World::with(|config| {
            enabled(config);
            let address = RelayAddress::new(ip("10.0.0.1"), ip("203.0.113.1")).unwrap();
            config.relay = RelayAddresses::new(vec![address], None, None).unwrap();
            if is_open {
                config.policy = PeerPolicy::new(&["203.0.113.1/32".parse().unwrap()], &[]);
            }
        });
        let (mut alice, at_alice, mut bob, at_bob) = two_clients(&mut world);
        bob.permit(&mut world, &at_alice.to_string());
        connect(&mut world, &mut alice, &at_bob.to_string());
        let outputs = world.take_outputs();
        match outputs[..] {
            [Output::ConnectRelay { from, to, .. }] => {
                assert!(!is_open);
                assert_eq!((from, to.ip()), (at_alice, ip("10.0.0.1")));
            }
            [Output::ConnectPeer { from, to, .. }] => {
                assert!(is_open);
                assert_eq!((from.ip(), to.ip()), (ip("10.0.0.1"), ip("10.0.0.1")));
                let inside = SocketAddr::new(ip("10.0.0.1"), to.port());
                let seen = format!("10.0.0.1:{}", from.port());
                let (_, told) = arrive(&mut world, inside, &seen).unwrap();
                let peer = told.message().xor_address(AttributeType::XOR_PEER_ADDRESS);
                assert_eq!(peer, Some(Ok(at_alice)));
            }
            _ => panic!("{outputs:?}"),
        }
    }
}

/// The operator had opened this machine, and whoever is on its ports.
#[test]
fn a_socket_to_our_own_machine_ends_with_what_opened_it_and_what_needs_none_stays() {
    let mut world = world();
    let (mut alice, at_alice, mut bob, at_bob) = two_clients(&mut world);
    bob.permit(&mut world, &at_alice.to_string());
    connect(&mut world, &mut alice, &at_bob.to_string());
    let (within, arrived) = arrive_at_relay(&mut world);
    arrived.unwrap();
    peer_connected(&mut world, within, true);

    let opened = PeerPolicy::new(&["192.0.2.0/24".parse().unwrap()], &[]);
    world.server.set_policy(world.now, opened);
    world.perform_outputs();
    assert_eq!(closed(&mut world), []);
    let taken: Vec<_> = world.sockets.values().copied().collect();
    let mut free = (50_000..50_020)
        .map(|port| SocketAddr::new(at_bob.ip(), port))
        .filter(|address| !taken.contains(address))
        .map(|address| address.to_string());
    let [first, second] = [free.next().unwrap(), free.next().unwrap()];
    let (by_socket, _) = connected(&mut world, &mut alice, &first);
    alice.permit(&mut world, &second);
    let (from_socket, _) = arrive(&mut world, at_alice, &second).unwrap();
    closed(&mut world);
    world.server.set_policy(world.now, PeerPolicy::default());
    world.perform_outputs();
    assert_eq!(closed(&mut world), [by_socket, from_socket]);
    assert!(world.server.peers.get(within).is_some());
}

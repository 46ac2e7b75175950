//! Relay to relay on this server: allowed by default, and only to live relays.

use std::net::SocketAddr;

use super::{workers::two_workers, *};
use crate::{
    Config, Direction, DropReason, Errand, PeerPolicy, PortRange, RelayAddress, RelayAddresses, Share,
};

/// alice and bob, each with a permission for the other's relay.
fn two_clients(world: &mut World) -> (Client, SocketAddr, Client, SocketAddr) {
    let (mut alice, mut bob) = (Client::alice(1000), Client::bob(2000));
    let (at_alice, at_bob) = (alice.allocate(world), bob.allocate(world));
    assert_eq!(error_code(&alice.permit(world, &at_bob.to_string())), 0);
    assert_eq!(error_code(&bob.permit(world, &at_alice.to_string())), 0);
    (alice, at_alice, bob, at_bob)
}

fn behind_nat(config: &mut Config) {
    let address = RelayAddress::new(ip("10.0.0.1"), ip("203.0.113.1")).unwrap();
    config.relay = RelayAddresses::new(vec![address], None, None).unwrap();
}

/// The relay of 192.0.2.1 is in a documentation network, which the default policy refuses.
#[test]
fn two_relayed_clients_reach_each_other_without_a_socket() {
    let mut world = World::new();
    let (mut alice, at_alice, bob, at_bob) = two_clients(&mut world);
    let heard = alice.send(&mut world, &at_bob.to_string(), b"hello");
    let Heard::Client(to, _) = heard else {
        panic!("{heard:?}")
    };
    assert_eq!(to, bob.five_tuple);
    let message = heard.message();
    assert_eq!(
        message.xor_address(stun_wire::AttributeType::XOR_PEER_ADDRESS),
        Some(Ok(at_alice))
    );
    assert_eq!(
        message.attribute(stun_wire::AttributeType::DATA),
        Some(&b"hello"[..])
    );
    let counters = world.server.counters();
    assert_eq!(counters.relayed(Direction::ToPeer).bytes, 5);
    assert_eq!(counters.relayed(Direction::ToClient).bytes, 5);
}

#[test]
fn channels_meet_channels() {
    let mut world = World::new();
    let (mut alice, at_alice, mut bob, at_bob) = two_clients(&mut world);
    alice.bind(&mut world, 0x4001, &at_bob.to_string());
    bob.bind(&mut world, 0x4002, &at_alice.to_string());
    let heard = alice.send_by_channel(&mut world, 0x4001, b"hello");
    assert_eq!(
        heard,
        Heard::Client(bob.five_tuple, b"\x40\x02\x00\x05hello".to_vec())
    );
}

#[test]
fn the_receivers_permission_is_asked_too() {
    let mut world = World::new();
    let (mut alice, mut bob) = (Client::alice(1000), Client::bob(2000));
    alice.allocate(&mut world);
    let at_bob = bob.allocate(&mut world).to_string();
    alice.permit(&mut world, &at_bob);
    assert_eq!(
        alice.send(&mut world, &at_bob, b"x"),
        Heard::Dropped(DropReason::NoPermission)
    );
}

#[test]
fn a_client_may_even_reach_its_own_relay() {
    let mut world = World::new();
    let mut alice = Client::alice(1000);
    let relayed = alice.allocate(&mut world).to_string();
    alice.permit(&mut world, &relayed);
    assert!(matches!(alice.send(&mut world, &relayed, b"x"), Heard::Client(to, _) if to == alice.five_tuple));
}

/// THREATS 7: our own address is no way in.
#[test]
fn an_own_address_that_the_policy_refuses_leads_to_live_relays_only() {
    let mut world = World::new();
    let (mut alice, at_alice, _, at_bob) = two_clients(&mut world);
    let dead = (50_000..50_020)
        .find(|&port| port != at_alice.port() && port != at_bob.port())
        .unwrap();
    let dead = SocketAddr::new(at_bob.ip(), dead).to_string();
    assert_eq!(
        alice.send(&mut world, &dead, b"x"),
        Heard::Dropped(DropReason::NoRelay)
    );
    for port in [22, 3478, 49_999, 50_020] {
        let service = SocketAddr::new(at_bob.ip(), port).to_string();
        assert_eq!(
            alice.send(&mut world, &service, b"x"),
            Heard::Dropped(DropReason::PeerForbidden),
            "{port}"
        );
        assert_eq!(error_code(&alice.permit(&mut world, &service)), 403, "{port}");
        assert_eq!(
            error_code(&alice.bind(&mut world, 0x4005, &service)),
            403,
            "{port}"
        );
    }
    let outside = world.hear_peer(at_alice, SocketAddr::new(at_bob.ip(), 9), b"x");
    assert_eq!(
        outside,
        Heard::Dropped(DropReason::PeerForbidden),
        "nor does the address lead in by socket"
    );
}

#[test]
fn where_the_policy_allows_our_address_other_ports_go_out_and_relays_still_hairpin() {
    let allow = ["192.0.2.0/24".parse().unwrap()];
    let mut world = World::with(|config| config.policy = PeerPolicy::new(&allow, &[]));
    let (mut alice, at_alice, _, at_bob) = two_clients(&mut world);
    let dead = (50_000..50_020)
        .find(|&port| port != at_alice.port() && port != at_bob.port())
        .unwrap();
    for port in [22, dead] {
        let service = SocketAddr::new(at_bob.ip(), port);
        let heard = alice.send(&mut world, &service.to_string(), b"x");
        assert_eq!(
            heard,
            Heard::Peer {
                from: at_alice,
                to: service,
                payload: b"x".to_vec()
            }
        );
    }
    assert!(matches!(
        alice.send(&mut world, &at_bob.to_string(), b"x"),
        Heard::Client(..)
    ));
}

#[test]
fn behind_a_nat_relays_meet_by_their_external_addresses() {
    let mut world = World::with(behind_nat);
    let (mut alice, at_alice, mut bob, at_bob) = two_clients(&mut world);
    assert_eq!(at_bob.ip(), ip("203.0.113.1"));
    bob.bind(&mut world, 0x4000, &at_alice.to_string());
    let heard = alice.send(&mut world, &at_bob.to_string(), b"x");
    assert_eq!(
        heard,
        Heard::Client(bob.five_tuple, b"\x40\x00\x00\x01x".to_vec())
    );
}

#[test]
fn a_freed_relay_is_no_relay() {
    let mut world = World::new();
    let (mut alice, _, mut bob, at_bob) = two_clients(&mut world);
    bob.refresh(&mut world, 0);
    assert_eq!(
        alice.send(&mut world, &at_bob.to_string(), b"x"),
        Heard::Dropped(DropReason::NoRelay)
    );
}

/// Worker 0 of two owns the pairs 50000, 50004, …; worker 1 those between.
fn worker(index: u16, change: impl FnOnce(&mut Config)) -> World {
    World::with(|config| {
        config.share = Share::new(index, 2).unwrap();
        change(config);
    })
}

#[test]
fn a_relay_of_another_worker_is_reached_through_that_worker() {
    let [mut first, mut second] = two_workers(|_| ());
    let (mut alice, mut bob) = (Client::alice(1000), Client::bob(2000));
    let at_alice = alice.allocate(&mut first);
    let at_bob = bob.allocate(&mut second);
    alice.permit(&mut first, &at_bob.to_string());
    let handed = alice.send(&mut first, &at_bob.to_string(), b"x");
    let expected = Heard::Worker {
        worker: 1,
        errand: Errand::Hairpin {
            from: at_alice,
            to: at_bob,
        },
        payload: b"x".to_vec(),
    };
    assert_eq!(handed, expected);
    assert_eq!(
        second.hear_worker(at_alice, at_bob, b"x"),
        Heard::Dropped(DropReason::NoPermission)
    );
    bob.bind(&mut second, 0x4000, &at_alice.to_string());
    let heard = second.hear_worker(at_alice, at_bob, b"x");
    assert_eq!(
        heard,
        Heard::Client(bob.five_tuple, b"\x40\x00\x00\x01x".to_vec())
    );
}

#[test]
fn what_is_handed_to_a_worker_without_that_relay_dies() {
    let mut world = worker(1, |_| ());
    Client::alice(1000).allocate(&mut world);
    for to in [
        "192.0.2.1:50002",
        "192.0.2.1:50000",
        "8.8.8.8:50002",
        "192.0.2.1:80",
    ] {
        let heard = world.hear_worker(socket("192.0.2.1:50000"), socket(to), b"x");
        if world.sockets.values().all(|open| *open != socket(to)) {
            assert_eq!(heard, Heard::Dropped(DropReason::NoRelay), "{to}");
        }
    }
}

/// A datagram that the other worker's relay was closed before, or that a stranger has taken the port of.
#[test]
fn what_arrives_after_its_relay_is_gone_dies_and_a_stranger_on_its_port_does_not_get_it() {
    let [mut first, mut second] =
        two_workers(|config| config.ports = PortRange::new(50_000, 50_003).unwrap());
    let (mut alice, mut bob, mut carol) = (Client::alice(1000), Client::bob(2000), Client::bob(3000));
    let at_alice = alice.allocate(&mut first);
    let at_bob = bob.allocate(&mut second);
    alice.permit(&mut first, &at_bob.to_string());
    bob.permit(&mut second, &at_alice.to_string());
    let Heard::Worker {
        worker: 1, errand, ..
    } = alice.send(&mut first, &at_bob.to_string(), b"x")
    else {
        panic!("handed over")
    };
    bob.refresh(&mut second, 0);
    assert_eq!(
        second.hear_errand(0, errand, b"x"),
        Heard::Dropped(DropReason::NoRelay)
    );
    while carol.allocate(&mut second) != at_bob {
        carol.refresh(&mut second, 0);
    }
    assert_eq!(
        second.hear_errand(0, errand, b"x"),
        Heard::Dropped(DropReason::NoPermission)
    );
    assert!(matches!(
        alice.send(&mut first, &at_bob.to_string(), b"x"),
        Heard::Worker { worker: 1, .. }
    ));
    carol.refresh(&mut second, 0);
    assert_eq!(
        alice.send(&mut first, &at_bob.to_string(), b"x"),
        Heard::Dropped(DropReason::NoRelay)
    );
}

/// Any program of this host may be meant by a port in the range, but not by one that a relay has.
#[test]
fn where_the_policy_allows_our_address_only_what_is_no_relay_goes_through_the_kernel() {
    let [mut first, mut second] = two_workers(|config| {
        behind_nat(config);
        config.policy = PeerPolicy::new(&["203.0.113.0/24".parse().unwrap()], &[]);
    });
    let (mut alice, mut bob) = (Client::alice(1000), Client::bob(2000));
    let at_alice = alice.allocate(&mut first);
    let at_bob = bob.allocate(&mut second);
    alice.permit(&mut first, &at_bob.to_string());
    let to = SocketAddr::new(ip("10.0.0.1"), at_bob.port());
    let errand = Errand::Hairpin { from: at_alice, to };
    let Heard::Worker {
        worker: 1,
        errand: handed,
        ..
    } = alice.send(&mut first, &at_bob.to_string(), b"x")
    else {
        panic!("handed over")
    };
    assert_eq!(handed, errand);
    assert_eq!(
        second.hear_errand(0, errand, b"x"),
        Heard::Dropped(DropReason::NoPermission)
    );

    let nobody = SocketAddr::new(at_bob.ip(), at_bob.port() ^ 1);
    let Heard::Peer { from, to, .. } = alice.send(&mut first, &nobody.to_string(), b"x") else {
        panic!("by socket")
    };
    assert_eq!(
        (from.ip(), to.ip()),
        (ip("10.0.0.1"), ip("10.0.0.1")),
        "the local form, so it stays on the host"
    );
    // Whatever comes by socket from a relay's port is known by the form its peers know.
    let (from, to) = (
        SocketAddr::new(ip("10.0.0.1"), at_alice.port()),
        SocketAddr::new(ip("10.0.0.1"), at_bob.port()),
    );
    bob.bind(&mut second, 0x4000, &at_alice.to_string());
    let heard = second.hear_peer(to, from, b"x");
    assert_eq!(
        heard,
        Heard::Client(bob.five_tuple, b"\x40\x00\x00\x01x".to_vec())
    );
}

/// THREATS 7: a public address of ours is not like any public address.
#[test]
fn our_own_machine_is_closed_even_at_a_public_address() {
    let mut world = World::with(|config| {
        config.listeners = vec![socket("8.8.8.1:3478")];
        config.host_addresses = vec![ip("8.8.8.1"), ip("8.8.8.2")];
    });
    let mut alice = Client::alice(1000).at("198.51.100.7:1000", "8.8.8.1:3478");
    let mut bob = Client::bob(2000).at("198.51.100.7:2000", "8.8.8.1:3478");
    let at_alice = alice.allocate(&mut world);
    let at_bob = bob.allocate(&mut world);
    assert_eq!(at_bob.ip(), ip("8.8.8.1"));
    for service in ["8.8.8.1:22", "8.8.8.2:80", "8.8.8.1:3478"] {
        assert_eq!(error_code(&alice.permit(&mut world, service)), 403, "{service}");
    }
    assert_eq!(error_code(&alice.permit(&mut world, &at_bob.to_string())), 0);
    bob.permit(&mut world, &at_alice.to_string());
    assert!(matches!(
        alice.send(&mut world, &at_bob.to_string(), b"x"),
        Heard::Client(..)
    ));
    assert_eq!(
        alice.send(&mut world, "8.8.8.1:22", b"x"),
        Heard::Dropped(DropReason::PeerForbidden)
    );
    assert_eq!(
        error_code(&alice.permit(&mut world, "8.8.8.9:22")),
        0,
        "its neighbour is not ours"
    );
}

/// Privacy addresses rotate, leases are renewed, floating IPs arrive.
#[test]
fn an_address_that_becomes_ours_is_closed_to_old_and_new_permissions() {
    let mut world = World::with(|config| config.host_addresses = vec![ip("8.8.8.1")]);
    let (mut alice, mut bob) = (Client::alice(1000), Client::bob(2000));
    let relayed = alice.allocate(&mut world);
    bob.allocate(&mut world);
    for (number, peer) in [(0x4001, "8.8.8.2:22"), (0x4002, "8.8.4.4:22")] {
        assert_eq!(error_code(&alice.bind(&mut world, number, peer)), 0, "{peer}");
    }

    world.server.set_host_addresses(vec![ip("8.8.8.2")]);
    assert_eq!(error_code(&bob.permit(&mut world, "8.8.8.2:22")), 403);
    for heard in [
        alice.send(&mut world, "8.8.8.2:22", b"x"),
        alice.send_by_channel(&mut world, 0x4001, b"x"),
        world.hear_peer(relayed, socket("8.8.8.2:22"), b"x"),
    ] {
        assert_eq!(heard, Heard::Dropped(DropReason::PeerForbidden));
    }
    assert!(matches!(
        alice.send_by_channel(&mut world, 0x4002, b"x"),
        Heard::Peer { .. }
    ));
    assert_eq!(
        error_code(&bob.permit(&mut world, "8.8.8.1:22")),
        0,
        "what we lost is a stranger's"
    );
}

#[test]
fn an_address_the_operator_opened_stays_open_when_it_becomes_ours() {
    let mut world = World::with(|config| {
        config.policy = PeerPolicy::new(&["8.8.8.2/32".parse().unwrap()], &[]);
    });
    let mut alice = Client::alice(1000);
    alice.allocate(&mut world);
    alice.permit(&mut world, "8.8.8.2:22");
    world.server.set_host_addresses(vec![ip("8.8.8.2")]);
    assert!(matches!(
        alice.send(&mut world, "8.8.8.2:22", b"x"),
        Heard::Peer { .. }
    ));
}

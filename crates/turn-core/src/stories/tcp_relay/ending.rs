//! RFC 6062 §5.5: no connection outlives its allocation.

use super::*;
use crate::{Direction, RelayAddress, RelayAddresses};

/// Three connections: one still being made, one that waits for its client, one that carries bytes.
fn three_connections(world: &mut World) -> (Client, [PeerConnectionId; 3]) {
    let (mut client, _) = allocated(world, 1000);
    connect(world, &mut client, "8.8.8.8:1");
    let making = last_connect(world);
    let (waiting, _) = connected(world, &mut client, "8.8.8.8:2");
    let (bound, number) = connected(world, &mut client, "8.8.8.8:3");
    bind(world, &mut data_connection(&client, 1001), number);
    world.take_outputs();
    assert_eq!(connections(world), 3);
    (client, [making, waiting, bound])
}

/// "If the allocation associated with a data connection expires, the data connection MUST be closed."
#[test]
fn the_end_of_an_allocation_closes_its_connections_and_then_its_relay() {
    let ends: [fn(&mut World, &mut Client); 3] = [
        |world, client| assert_eq!(client.refresh(world, 0).lifetime(), 0),
        |world, client| world.disconnect(client.five_tuple),
        |world, _| world.pass(600),
    ];
    for (end, still_waiting) in ends.into_iter().zip([true, true, false]) {
        let mut world = world();
        let (mut client, ids) = three_connections(&mut world);
        end(&mut world, &mut client);
        let outputs = world.take_outputs();
        assert_eq!(closed_in(&outputs), ids);
        if still_waiting {
            assert!(matches!(outputs[3], Output::CloseRelay { .. }), "{outputs:?}");
        }
        assert_eq!((connections(&world), world.ports_in_use()), (0, 0));
    }
}

#[test]
fn the_end_of_one_family_leaves_the_connections_of_the_other() {
    let mut world = World::with(|config| {
        enabled(config);
        let address = |text| RelayAddress::new(ip(text), ip(text)).unwrap();
        let both = vec![address("192.0.2.1"), address("2606:4700::1")];
        config.relay = RelayAddresses::new(both, None, None).unwrap();
    });
    let mut client = Client::alice(1000).over(Transport::Tcp);
    client.ask(&mut world, Method::ALLOCATE, |writer| {
        tcp(writer);
        writer
            .attribute(AttributeType::ADDITIONAL_ADDRESS_FAMILY, &[2, 0, 0, 0])
            .unwrap();
    });
    let (fourth, _) = connected(&mut world, &mut client, PEER);
    let (_, number) = connected(&mut world, &mut client, "[2606:4700::9]:80");
    let heard = client.ask(&mut world, Method::REFRESH, |writer| {
        writer.u32(AttributeType::LIFETIME, 0).unwrap();
        writer
            .attribute(AttributeType::REQUESTED_ADDRESS_FAMILY, &[1, 0, 0, 0])
            .unwrap();
    });
    assert_eq!(heard.lifetime(), 0);
    assert_eq!(closed(&mut world), [fourth]);
    assert_eq!(error_code(&connect(&mut world, &mut client, PEER)), 443);
    let heard = bind(&mut world, &mut data_connection(&client, 1001), number);
    assert_eq!(error_code(&heard), 0);
}

/// "When a peer data connection is closed, the server MUST close the corresponding client data connection": the
/// shell does that, and tells.
#[test]
fn a_connection_that_ends_by_itself_is_forgotten() {
    let mut world = world();
    let (_, ids) = three_connections(&mut world);
    for (id, left) in ids.into_iter().zip([2, 1, 0]) {
        world.server.peer_closed(world.now, id);
        world.server.check_invariants();
        assert_eq!(connections(&world), left);
    }
    world.server.peer_closed(world.now, ids[0]);
    assert_eq!(closed(&mut world), []);
}

#[test]
fn bytes_that_the_shell_passed_on_are_counted_as_relayed() {
    let mut world = world();
    world.server.count_peer_bytes(Direction::ToPeer, 7);
    world.server.count_peer_bytes(Direction::ToClient, 5_000_000_000);
    let counters = world.server.counters();
    assert_eq!(counters.relayed(Direction::ToPeer).bytes, 7);
    assert_eq!(counters.relayed(Direction::ToClient).bytes, 5_000_000_000);
    assert_eq!(counters.relayed(Direction::ToClient).packets, 0);
}

#[test]
fn connections_to_a_peer_that_is_denied_end_and_who_waits_for_one_hears_403() {
    let mut world = world();
    let (mut client, relayed) = allocated(&mut world, 1000);
    let (kept, _) = connected(&mut world, &mut client, "8.8.4.4:80");
    let (bound, id) = connected(&mut world, &mut client, PEER);
    let mut data = data_connection(&client, 1001);
    assert!(matches!(bind(&mut world, &mut data, id), Heard::Bound(..)));
    assert_eq!(connect(&mut world, &mut client, "8.8.8.9:80"), Heard::Pending);
    let waiting = last_connect(&mut world);
    client.permit(&mut world, PEER);
    world.take_outputs();
    let policy = crate::PeerPolicy::new(&[], &["8.8.8.0/24".parse().unwrap()]);
    world.server.set_policy(world.now, policy);
    let heard = world.perform_outputs().expect("an answer to Connect");
    assert_eq!(error_code(&heard), 403);
    assert!(heard.is_signed_by(&client));
    assert_eq!(closed(&mut world), [bound, waiting]);
    assert_eq!(connections(&world), 1);
    let refused = arrive(&mut world, relayed, PEER).unwrap_err();
    assert_eq!(refused, PeerRefusal::PeerForbidden);
    assert_eq!(error_code(&connect(&mut world, &mut client, PEER)), 403);
    assert!(world.server.peers.get(kept).is_some());
}

//! What ends is closed on both sides, and nothing is left behind.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::atomic::Ordering,
};

use socket2::SockRef;

use super::{
    Happening,
    world::{World, connected_pair, id},
};

/// Closes with a reset.
fn reset(io: TcpStream) {
    SockRef::from(&io)
        .set_linger(Some(std::time::Duration::ZERO))
        .unwrap();
}

#[test]
fn a_reset_of_either_end_closes_the_other() {
    for by_peer in [true, false] {
        let mut world = World::new();
        let relayed = world.open_relay(id(0));
        let (peer, client) = world.joined_by_arrival(relayed, id(0));
        let (breaking, mut other) = if by_peer { (peer, client) } else { (client, peer) };
        reset(breaking);
        assert!(matches!(world.happening(), Happening::Ended { peer } if peer == id(0)));
        assert!(matches!(other.read(&mut [0]), Ok(0) | Err(_)));
        assert_eq!(world.seats.load(Ordering::Relaxed), 0);
    }
}

/// A client that is reset after it ended its half has nothing to be read and may get nothing to be written.
#[test]
fn a_reset_is_noticed_when_nothing_flows() {
    let mut world = World::new();
    let relayed = world.open_relay(id(0));
    let (_peer, client) = world.joined_by_arrival(relayed, id(0));
    client.shutdown(std::net::Shutdown::Write).unwrap();
    for _ in 0..3 {
        world.run_once();
    }
    reset(client);
    assert!(matches!(world.happening(), Happening::Ended { .. }));
}

#[test]
fn a_peer_that_resets_before_it_is_joined_is_gone() {
    let mut world = World::new();
    let relayed = world.open_relay(id(0));
    let peer = TcpStream::connect(relayed).unwrap();
    world.adopt_arrival(id(0));
    reset(peer);
    assert!(matches!(world.happening(), Happening::Ended { peer } if peer == id(0)));
    let (near, mut far) = connected_pair();
    let client = world.client(near, vec![], vec![]);
    world.peers.join(id(0), client).unwrap_err();
    assert_eq!(far.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_connection_is_joined_once_and_under_its_own_name() {
    let mut world = World::new();
    let relayed = world.open_relay(id(0));
    let (mut peer, first) = world.joined_by_arrival(relayed, id(0));
    let former = super::world::Number {
        index: 0,
        generation: 7,
    }
    .into();
    for name in [id(0), former, id(9)] {
        let (near, mut far) = connected_pair();
        let client = world.client(near, vec![], vec![]);
        world.peers.join(name, client).unwrap_err();
        assert_eq!(far.read(&mut [0]).unwrap(), 0);
    }
    world.peers.close(former);
    peer.write_all(b"x").unwrap();
    assert_eq!(world.receive(&first, 1), b"x");
}

#[test]
fn what_is_closed_is_closed_on_both_sides_without_a_word() {
    let mut world = World::new();
    let relayed = world.open_relay(id(0));
    let (mut peer, mut client) = world.joined_by_arrival(relayed, id(0));
    world.peers.close(id(0));
    for far in [&mut peer, &mut client] {
        assert_eq!(far.read(&mut [0]).unwrap(), 0);
    }
    world.run_once();
    assert!(world.peers.next().is_none());
    assert_eq!(world.seats.load(Ordering::Relaxed), 0);
}

/// THREATS 29: descriptors are where they were.
#[cfg(target_os = "linux")]
#[test]
fn forty_connections_leave_no_descriptor_and_no_pipe_behind() {
    let mut world = World::new();
    let relayed = world.open_relay(id(0));
    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let before = open();
    for round in 0..40 {
        let (peer, client) = world.joined_by_arrival(relayed, id(round % 3));
        peer.set_nonblocking(true).unwrap();
        // Until a pipe is full.
        while (&peer).write(&[0; 1 << 18]).is_ok() {
            world.run_once();
        }
        if round % 2 == 0 {
            world.peers.close(id(round % 3));
        } else {
            drop((peer, client));
            assert!(matches!(world.happening(), Happening::Ended { .. }));
        }
    }
    assert_eq!(world.peers.tools.in_use(), 0);
    let kept = 2 * 16;
    assert!(open() <= before + kept, "{} and {before} before", open());
}

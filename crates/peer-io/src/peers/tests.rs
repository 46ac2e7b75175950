mod carrying;
mod ending;
mod world;

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::atomic::Ordering,
    thread,
};

use super::{Happening, stream::pair};
use world::{World, connected_pair, id, loopback};

#[test]
fn a_peer_that_is_connected_to_leaves_from_the_relay() {
    let mut world = World::new();
    let relayed = world.open_relay(id(0));
    let peer = TcpListener::bind(loopback()).unwrap();
    world
        .peers
        .connect(id(3), relayed, peer.local_addr().unwrap())
        .unwrap();
    assert_eq!(peer.accept().unwrap().1, relayed);
    assert!(matches!(
        world.happening(),
        Happening::Connected { peer, succeeded: true } if peer == id(3)
    ));
}

#[test]
fn a_peer_that_refuses_is_told_of_once() {
    let mut world = World::new();
    let relayed = world.open_relay(id(0));
    let nobody = TcpListener::bind(loopback()).unwrap().local_addr().unwrap();
    if world.peers.connect(id(0), relayed, nobody).is_ok() {
        assert!(matches!(
            world.happening(),
            Happening::Connected { succeeded: false, .. }
        ));
    }
    assert!(world.peers.is_idle());
}

#[test]
fn a_peer_that_connects_is_shown_with_its_address() {
    let mut world = World::new();
    let relayed = world.open_relay(id(5));
    let arriving = TcpStream::connect(relayed).unwrap();
    let Happening::Arrived { relay, from, stream } = world.happening() else {
        panic!("nobody came")
    };
    assert_eq!((relay, from), (id(5), arriving.local_addr().unwrap()));
    drop(stream);
    assert_eq!((&arriving).read(&mut [0]).unwrap(), 0, "dropped is closed");
}

#[test]
fn a_relay_that_is_closed_frees_its_port_and_leaves_its_connections() {
    let mut world = World::new();
    let relayed = world.open_relay(id(0));
    let (mut peer, client) = world.joined_by_arrival(relayed, id(0));
    world.peers.close_relay(id(0));
    let again = world::Number {
        index: 0,
        generation: 1,
    }
    .into();
    world.peers.open(again, relayed).unwrap();
    peer.write_all(b"still here").unwrap();
    assert_eq!(world.receive(&client, 10), b"still here");
}

/// What a peer sends before anybody listens waits in the kernel, within its bounds.
#[test]
fn nothing_is_read_from_a_peer_before_it_is_joined() {
    let mut world = World::new();
    let relayed = world.open_relay(id(0));
    let peer = TcpStream::connect(relayed).unwrap();
    world.adopt_arrival(id(0));
    peer.set_nonblocking(true).unwrap();
    let mut sent = 0;
    while let Ok(len) = (&peer).write(&[1; 1 << 17]) {
        sent += len;
        world.run_once();
        assert!(sent < 64 << 20, "somebody reads it");
    }
    assert!(world.counts() == [0, 0]);
    let (client, mut far) = connected_pair();
    world.join(id(0), client, vec![], vec![]);
    let reader = thread::spawn(move || {
        let mut seen = vec![0; sent];
        far.read_exact(&mut seen).unwrap();
        seen.iter().all(|&byte| byte == 1)
    });
    world.run_while(|| !reader.is_finished());
    assert!(reader.join().unwrap());
}

#[test]
fn two_relays_of_this_process_need_no_network() {
    let mut world = World::new();
    let (one, other) = pair().unwrap();
    world.peers.adopt(id(0), one).unwrap();
    world.peers.adopt(id(1), other).unwrap();
    let (near, mut alice) = connected_pair();
    world.join(id(0), near, vec![], vec![]);
    let (near, mut bob) = connected_pair();
    world.join(id(1), near, vec![], vec![]);
    let writer = thread::spawn(move || {
        alice.write_all(&[9; 300_000]).unwrap();
        alice.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        alice.read_to_end(&mut answer).unwrap();
        answer
    });
    let reader = thread::spawn(move || {
        let mut seen = Vec::new();
        bob.read_to_end(&mut seen).unwrap();
        bob.write_all(b"got it").unwrap();
        seen.len()
    });
    world.run_while(|| !writer.is_finished() || !reader.is_finished());
    assert_eq!(
        (writer.join().unwrap().as_slice(), reader.join().unwrap()),
        (&b"got it"[..], 300_000)
    );
    for _ in 0..2 {
        assert!(matches!(world.happening(), Happening::Ended { .. }));
    }
    assert_eq!(world.seats.load(Ordering::Relaxed), 0);
}

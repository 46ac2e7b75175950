//! Real sockets on loopback, both families, every back end.

use std::{
    net::UdpSocket,
    time::{Duration, Instant},
};

use mio::{Events, Poll};

use super::*;
use crate::{HEADROOM, Portable, Slot, open_listeners};

#[cfg(target_os = "linux")]
mod header_fields;
#[cfg(target_os = "linux")]
mod icmp;
#[cfg(target_os = "linux")]
mod runs;

/// The longest payload of a UDP datagram over IPv4.
const LONGEST: usize = 65_507;

struct Bench<B: Backend> {
    poll: Poll,
    events: Events,
    sockets: Sockets<B>,
    batch: Batch,
}

impl<B: Backend> Bench<B> {
    fn new(backend: B) -> Self {
        let poll = Poll::new().unwrap();
        let sockets = Sockets::new(backend, poll.registry().try_clone().unwrap());
        Self {
            poll,
            events: Events::with_capacity(64),
            sockets,
            batch: Batch::new(8),
        }
    }

    fn listen(&mut self, index: u32, address: &str) -> SocketAddr {
        let socket = open_listeners(address.parse().unwrap(), 1).unwrap().remove(0);
        let local = socket.local_address();
        self.sockets.insert(id(index), socket).unwrap();
        local
    }

    /// Waits until the batch holds `count` datagrams, receiving as a worker does.
    fn receive(&mut self, count: usize, at_most: usize) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.batch.filled().len() < count {
            assert!(
                Instant::now() < deadline,
                "only {} of {count} arrived",
                self.batch.filled().len()
            );
            self.poll
                .poll(&mut self.events, Some(Duration::from_millis(200)))
                .unwrap();
            for event in &self.events {
                let index = event.token().0 as u32;
                while self.sockets.receive(index, &mut self.batch, at_most) == Readiness::More
                    && !self.batch.is_full()
                {}
            }
        }
    }
}

fn id(index: u32) -> SocketId {
    SocketId { index, generation: 1 }
}

fn client(address: &str) -> UdpSocket {
    let socket = UdpSocket::bind(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    socket
}

fn echo(slot: &mut Slot) {
    let Origin::Socket(socket) = slot.origin() else {
        panic!("from a socket")
    };
    let (window, from, to) = (slot.window(), slot.destination(), slot.source());
    slot.send(socket, window, from, to);
}

fn datagrams_of_every_kind_of_length_come_back_unchanged(backend: impl Backend, listen: &str, from: &str) {
    let mut bench = Bench::new(backend);
    let server = bench.listen(0, listen);
    let client = client(from);
    for length in [0, 1, 4, 19, 20, 548, 1200, 1500, 9000, LONGEST] {
        let sent: Vec<u8> = (0..length).map(|index| (index * 7 % 251) as u8).collect();
        client.send_to(&sent, server).unwrap();
        bench.receive(1, 4);
        let slot = &mut bench.batch.filled_mut()[0];
        assert_eq!(slot.window(), HEADROOM..HEADROOM + length);
        assert_eq!(slot.source(), client.local_addr().unwrap());
        assert_eq!(slot.destination(), server);
        echo(slot);
        bench.sockets.send(&mut bench.batch);
        bench.batch.clear();
        let mut back = vec![0; LONGEST + 1];
        let (len, source) = client.recv_from(&mut back).unwrap();
        assert_eq!((&back[..len], source), (&sent[..], server));
    }
    assert_eq!(bench.sockets.counters().sent, 10);
}

#[test]
fn native_v4_returns_datagrams_of_every_kind_of_length() {
    datagrams_of_every_kind_of_length_come_back_unchanged(Native::new(), "127.0.0.1:0", "127.0.0.1:0");
}

#[test]
fn native_v6_returns_datagrams_of_every_kind_of_length() {
    datagrams_of_every_kind_of_length_come_back_unchanged(Native::new(), "[::1]:0", "[::1]:0");
}

#[test]
fn portable_v4_returns_datagrams_of_every_kind_of_length() {
    datagrams_of_every_kind_of_length_come_back_unchanged(Portable::new(), "127.0.0.1:0", "127.0.0.1:0");
}

#[test]
fn portable_v6_returns_datagrams_of_every_kind_of_length() {
    datagrams_of_every_kind_of_length_come_back_unchanged(Portable::new(), "[::1]:0", "[::1]:0");
}

fn a_burst_arrives_in_order(backend: impl Backend) {
    let mut bench = Bench::new(backend);
    let server = bench.listen(0, "127.0.0.1:0");
    let client = client("127.0.0.1:0");
    for number in 0..20u8 {
        client.send_to(&[number], server).unwrap();
    }
    let mut seen = Vec::new();
    let mut readiness = Readiness::More;
    bench
        .poll
        .poll(&mut bench.events, Some(Duration::from_secs(10)))
        .unwrap();
    while readiness == Readiness::More {
        readiness = bench.sockets.receive(0, &mut bench.batch, 3);
        seen.extend(bench.batch.filled().iter().map(|slot| slot.payload()[0]));
        assert!(bench.batch.filled().len() <= 3);
        bench.batch.clear();
    }
    assert_eq!(seen, (0..20).collect::<Vec<_>>());
}

#[test]
fn native_receives_a_burst_in_order_until_drained() {
    a_burst_arrives_in_order(Native::new());
}

#[test]
fn portable_receives_a_burst_in_order_until_drained() {
    a_burst_arrives_in_order(Portable::new());
}

#[test]
fn a_full_batch_keeps_the_rest_for_later() {
    let mut bench = Bench::new(Native::new());
    let server = bench.listen(0, "127.0.0.1:0");
    let client = client("127.0.0.1:0");
    for number in 0..10u8 {
        client.send_to(&[number], server).unwrap();
    }
    bench.receive(8, 64);
    assert!(bench.batch.is_full());
    assert_eq!(bench.sockets.receive(0, &mut bench.batch, 64), Readiness::More);
    bench.batch.clear();
    assert_eq!(bench.sockets.receive(0, &mut bench.batch, 64), Readiness::Drained);
    assert_eq!(bench.batch.filled().len(), 2);
}

/// A wildcard listener is asked at two of its addresses and answers from the one that was asked.
#[cfg(target_os = "linux")]
#[test]
fn a_wildcard_listener_answers_from_the_address_that_was_asked() {
    let mut bench = Bench::new(Native::new());
    let port = bench.listen(0, "0.0.0.0:0").port();
    for asked in ["127.0.0.1", "127.0.0.2"] {
        let asked = SocketAddr::new(asked.parse().unwrap(), port);
        let client = client("127.0.0.1:0");
        client.send_to(b"?", asked).unwrap();
        bench.receive(1, 4);
        assert_eq!(bench.batch.filled()[0].destination(), asked);
        echo(&mut bench.batch.filled_mut()[0]);
        bench.sockets.send(&mut bench.batch);
        bench.batch.clear();
        assert_eq!(client.recv_from(&mut [0; 8]).unwrap(), (1, asked));
    }
}

#[test]
fn a_wildcard_listener_over_ipv6_answers_from_the_address_that_was_asked() {
    let mut bench = Bench::new(Native::new());
    let port = bench.listen(0, "[::]:0").port();
    let asked = SocketAddr::new("::1".parse().unwrap(), port);
    let client = client("[::1]:0");
    client.send_to(b"?", asked).unwrap();
    bench.receive(1, 4);
    assert_eq!(bench.batch.filled()[0].destination(), asked);
    echo(&mut bench.batch.filled_mut()[0]);
    bench.sockets.send(&mut bench.batch);
    assert_eq!(client.recv_from(&mut [0; 8]).unwrap(), (1, asked));
}

#[test]
fn a_portable_wildcard_listener_answers_loopback_from_loopback() {
    let mut bench = Bench::new(Portable::new());
    let port = bench.listen(0, "0.0.0.0:0").port();
    let asked = SocketAddr::new("127.0.0.1".parse().unwrap(), port);
    let client = client("127.0.0.1:0");
    client.send_to(b"?", asked).unwrap();
    bench.receive(1, 4);
    assert_eq!(bench.batch.filled()[0].destination(), asked);
    echo(&mut bench.batch.filled_mut()[0]);
    bench.sockets.send(&mut bench.batch);
    assert_eq!(client.recv_from(&mut [0; 8]).unwrap(), (1, asked));
}

fn a_refused_datagram_does_not_keep_those_behind_it(backend: impl Backend) {
    let mut bench = Bench::new(backend);
    let server = bench.listen(0, "127.0.0.1:0");
    let client = client("127.0.0.1:0");
    for number in 0..4u8 {
        client.send_to(&[number], server).unwrap();
    }
    bench.receive(4, 8);
    for slot in bench.batch.filled_mut() {
        echo(slot);
    }
    // Too long for UDP; port 0 is not an address; IPv6 from an IPv4 socket.
    let (socket, home) = (id(0), client.local_addr().unwrap());
    let [_, too_long, no_port, _] = bench.batch.filled_mut() else {
        panic!("four datagrams")
    };
    too_long.send(socket, 0..66_000, server, home);
    no_port.send(socket, 48..49, server, "[::1]:0".parse().unwrap());
    bench.sockets.send(&mut bench.batch);

    let mut byte = [0; 8];
    let arrived = [0, 3].map(|_| client.recv_from(&mut byte).map(|_| byte[0]).unwrap());
    assert_eq!(arrived, [0, 3]);
    let counters = bench.sockets.counters();
    assert_eq!(
        (counters.sent, counters.send_failed, counters.send_too_long),
        (2, 1, 1)
    );
}

#[test]
fn native_sends_what_stands_behind_a_refused_datagram() {
    a_refused_datagram_does_not_keep_those_behind_it(Native::new());
}

#[test]
fn portable_sends_what_stands_behind_a_refused_datagram() {
    a_refused_datagram_does_not_keep_those_behind_it(Portable::new());
}

#[test]
fn one_batch_leaves_through_several_sockets() {
    let mut bench = Bench::new(Native::new());
    let first = bench.listen(0, "127.0.0.1:0");
    let second = bench.listen(1, "127.0.0.1:0");
    let client = client("127.0.0.1:0");
    for number in 0..4u8 {
        client.send_to(&[number], first).unwrap();
    }
    bench.receive(4, 8);
    for (index, slot) in bench.batch.filled_mut().iter_mut().enumerate() {
        let (window, to) = (slot.window(), slot.source());
        slot.send(id(index as u32 % 2), window, first, to);
    }
    bench.sockets.send(&mut bench.batch);
    let mut byte = [0; 8];
    let mut arrived = [(); 4].map(|()| {
        let (_, source) = client.recv_from(&mut byte).unwrap();
        (byte[0], source)
    });
    arrived.sort_by_key(|(number, _)| *number);
    assert_eq!(arrived, [(0, first), (1, second), (2, first), (3, second)]);
}

#[test]
fn what_outlives_its_socket_is_counted_and_goes_nowhere() {
    let mut bench = Bench::new(Native::new());
    let server = bench.listen(0, "127.0.0.1:0");
    let client = client("127.0.0.1:0");
    client.send_to(b"?", server).unwrap();
    bench.receive(1, 8);
    echo(&mut bench.batch.filled_mut()[0]);
    bench.sockets.close(id(0));
    let next = SocketId {
        index: 0,
        generation: 2,
    };
    bench.sockets.open(next, "127.0.0.1:0".parse().unwrap()).unwrap();
    bench.sockets.close(id(0));
    assert!(
        bench.sockets.socket(next).is_some(),
        "an old name does not close the new socket"
    );

    bench.sockets.send(&mut bench.batch);
    assert_eq!(bench.sockets.counters().socket_closed, 1);
    assert_eq!(bench.sockets.counters().sent, 0);
}

#[test]
fn a_closed_relay_socket_frees_its_port_at_once() {
    let mut bench = Bench::new(Native::new());
    let address = client("127.0.0.1:0").local_addr().unwrap();
    bench.sockets.open(id(5), address).unwrap();
    assert_eq!(
        bench.sockets.open(id(6), address).unwrap_err().kind(),
        io::ErrorKind::AddrInUse
    );
    bench.sockets.close(id(5));
    bench.sockets.open(id(6), address).unwrap();
}

/// A peer that closed its port: the kernel reports it for some sockets, and nothing stops.
#[test]
fn a_peer_that_refuses_stops_nothing() {
    let mut bench = Bench::new(Native::new());
    let server = bench.listen(0, "127.0.0.1:0");
    let gone = client("127.0.0.1:0").local_addr().unwrap();
    let client = client("127.0.0.1:0");
    for _ in 0..3 {
        client.send_to(b"?", server).unwrap();
        bench.receive(1, 8);
        let slot = &mut bench.batch.filled_mut()[0];
        let window = slot.window();
        slot.send(id(0), window, server, gone);
        bench.sockets.send(&mut bench.batch);
        bench.batch.clear();
    }
    assert_eq!(bench.sockets.counters().received, 3);
}

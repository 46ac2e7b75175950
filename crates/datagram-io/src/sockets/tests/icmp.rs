//! ICMP errors about datagrams that left through relay sockets.

use super::*;
use crate::Icmp;

/// What the kernel reports about the datagrams of one relay socket, once it reports anything.
fn icmp_about(bench: &mut Bench<Native>, index: u32) -> Vec<(SocketAddr, Icmp)> {
    bench
        .poll
        .poll(&mut bench.events, Some(Duration::from_secs(10)))
        .unwrap();
    let named = bench
        .events
        .iter()
        .find(|event| event.token() == Token(index as usize));
    assert!(named.unwrap().is_error());
    assert_eq!(
        bench.sockets.receive_icmp(index, &mut bench.batch, 8),
        Readiness::Drained
    );
    let reported = bench.batch.filled().iter().map(|slot| {
        let Origin::Icmp(socket, icmp) = slot.origin() else {
            panic!("no error")
        };
        assert_eq!((socket, slot.payload()), (id(index), &b""[..]));
        (slot.source(), icmp)
    });
    let reported = reported.collect();
    bench.batch.clear();
    reported
}

/// Sends one byte through the socket at `index`, with the only slot of a batch of its own.
fn send_byte(bench: &mut Bench<Native>, index: u32, from: SocketAddr, to: SocketAddr) {
    let mut batch = Batch::new(1);
    batch.commit(1);
    batch.filled_mut()[0].send(id(index), 0..1, from, to);
    bench.sockets.send(&mut batch);
}

fn a_relay_socket_is_told_what_became_of_its_datagrams(address: &str, expected: Icmp) {
    let mut bench = Bench::new(Native::new());
    let home = client(address).local_addr().unwrap();
    bench.sockets.open(id(3), home).unwrap();
    let gone = client(address).local_addr().unwrap();
    send_byte(&mut bench, 3, home, gone);
    assert_eq!(icmp_about(&mut bench, 3), [(gone, expected)]);
    assert_eq!(bench.sockets.receive(3, &mut bench.batch, 8), Readiness::Drained);
    assert_eq!(bench.sockets.counters().receive_errors, 0);
}

#[test]
fn a_relay_socket_is_told_of_an_unreachable_port() {
    let unreachable = |kind, code| Icmp { kind, code, data: 0 };
    a_relay_socket_is_told_what_became_of_its_datagrams("127.0.0.1:0", unreachable(3, 3));
    a_relay_socket_is_told_what_became_of_its_datagrams("[::1]:0", unreachable(1, 4));
}

/// The kernel tells of an error in place of the next datagram too, sent or received.
#[test]
fn an_icmp_error_costs_no_other_datagram() {
    let mut bench = Bench::new(Native::new());
    let home = client("127.0.0.1:0").local_addr().unwrap();
    bench.sockets.open(id(0), home).unwrap();
    let gone = client("127.0.0.1:0").local_addr().unwrap();
    let peer = client("127.0.0.1:0");
    for _ in 0..5 {
        send_byte(&mut bench, 0, home, gone);
        send_byte(&mut bench, 0, home, peer.local_addr().unwrap());
        assert_eq!(peer.recv(&mut [0; 8]).unwrap(), 1);
    }
    assert_eq!(icmp_about(&mut bench, 0).len(), 5);

    send_byte(&mut bench, 0, home, gone);
    peer.send_to(b"still here", home).unwrap();
    bench.receive(1, 8);
    assert_eq!(bench.batch.filled()[0].payload(), b"still here");
    let counters = *bench.sockets.counters();
    assert_eq!(
        (counters.sent, counters.send_failed, counters.receive_errors),
        (11, 0, 0)
    );
}

#[test]
fn a_listener_is_told_of_no_icmp_errors() {
    let mut bench = Bench::new(Native::new());
    let home = bench.listen(0, "127.0.0.1:0");
    let gone = client("127.0.0.1:0").local_addr().unwrap();
    send_byte(&mut bench, 0, home, gone);
    assert_eq!(
        bench.sockets.receive_icmp(0, &mut bench.batch, 8),
        Readiness::Drained
    );
    assert!(bench.batch.is_empty());
}

//! Header fields out of and into real datagrams.

use super::*;
use crate::{HeaderFields, Reported};

const ALL: Reported = Reported {
    hop_limit: true,
    traffic_class: true,
};

fn fields(hop_limit: u8, traffic_class: u8) -> HeaderFields {
    HeaderFields {
        hop_limit: Some(hop_limit),
        traffic_class: Some(traffic_class),
        dont_fragment: false,
    }
}

/// Sends one datagram from the socket at `from` to the one at `to`, with these fields; gives those that arrive.
fn across(bench: &mut Bench<Native>, from: u32, to: u32, sent: HeaderFields) -> HeaderFields {
    let address = |index: u32| bench.sockets.socket(id(index)).unwrap().local_address();
    let loopback = |address: SocketAddr| {
        let ip = if address.is_ipv4() { "127.0.0.1" } else { "::1" };
        SocketAddr::new(ip.parse().unwrap(), address.port())
    };
    let (source, destination) = (loopback(address(from)), loopback(address(to)));
    let mut batch = Batch::new(1);
    batch.commit(1);
    batch.filled_mut()[0]
        .send(id(from), 0..1, source, destination)
        .fields = sent;
    bench.sockets.send(&mut batch);
    bench.receive(1, 8);
    let slot = &bench.batch.filled()[0];
    assert_eq!((slot.source(), slot.destination()), (source, destination));
    let received = slot.fields();
    bench.batch.clear();
    received
}

#[test]
fn hop_limit_and_traffic_class_leave_and_arrive() {
    for (wildcard, loopback) in [("0.0.0.0:0", "127.0.0.1:0"), ("[::]:0", "[::1]:0")] {
        let mut bench = Bench::new(Native::reporting(ALL));
        bench.listen(0, wildcard);
        bench.listen(1, loopback);
        let relay = client(loopback).local_addr().unwrap();
        bench.sockets.open(id(2), relay).unwrap();
        for sent in [fields(1, 0xb9), fields(63, 3), fields(255, 0xff), fields(7, 0)] {
            for (from, to) in [(0, 1), (1, 0), (2, 0), (0, 2), (1, 2)] {
                assert_eq!(across(&mut bench, from, to, sent), sent);
            }
        }
        let default = across(&mut bench, 0, 1, HeaderFields::default());
        assert_eq!(default.traffic_class, Some(0));
        assert!(
            default.hop_limit.is_some_and(|left| left > 1),
            "the system's: {default:?}"
        );
    }
}

#[test]
fn a_socket_reports_what_it_was_asked_for() {
    for reported in [
        Reported::default(),
        ALL,
        Reported {
            traffic_class: true,
            ..Reported::default()
        },
    ] {
        for loopback in ["127.0.0.1:0", "[::1]:0"] {
            let mut bench = Bench::new(Native::reporting(reported));
            bench.listen(0, loopback);
            bench.listen(1, loopback);
            let received = across(&mut bench, 0, 1, fields(9, 0xb9));
            assert_eq!(received.hop_limit, reported.hop_limit.then_some(9));
            assert_eq!(received.traffic_class, reported.traffic_class.then_some(0xb9));
        }
    }
}

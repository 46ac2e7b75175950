//! Runs: several datagrams of one flow that leave as one message.

use std::os::fd::AsRawFd;

use super::*;

const FAMILIES: [&str; 2] = ["127.0.0.1:0", "[::1]:0"];

/// Bytes of this length, different for each number.
fn bytes(number: usize, length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7 + number * 31) as u8).collect()
}

/// Sends datagrams of these lengths through the socket at `index`, each to the address it comes with.
fn send(bench: &mut Bench<Native>, index: u32, from: SocketAddr, datagrams: &[(usize, SocketAddr)]) {
    let mut batch = Batch::new(datagrams.len());
    batch.commit(datagrams.len());
    for (number, (slot, &(length, to))) in batch.filled_mut().iter_mut().zip(datagrams).enumerate() {
        slot.buffer_mut()[HEADROOM..HEADROOM + length].copy_from_slice(&bytes(number, length));
        slot.send(id(index), HEADROOM..HEADROOM + length, from, to);
    }
    bench.sockets.send(&mut batch);
}

fn assert_arrives(socket: &UdpSocket, number: usize, length: usize) {
    let mut buffer = vec![0; LONGEST];
    let received = socket.recv(&mut buffer).unwrap();
    assert!(
        buffer[..received] == bytes(number, length),
        "datagram {number} of {length} bytes, not this one of {received}"
    );
}

/// Sends datagrams of these lengths to one client, which gets them all; tells how many runs they were.
fn runs_among(lengths: &[usize]) -> u64 {
    let mut runs = FAMILIES.map(|loopback| {
        let mut bench = Bench::new(Native::new());
        let server = bench.listen(0, loopback);
        let client = client(loopback);
        let to = client.local_addr().unwrap();
        let datagrams: Vec<_> = lengths.iter().map(|&length| (length, to)).collect();
        send(&mut bench, 0, server, &datagrams);
        for (number, &length) in lengths.iter().enumerate() {
            assert_arrives(&client, number, length);
        }
        let counters = bench.sockets.counters();
        assert_eq!((counters.sent, counters.refused_runs), (lengths.len() as u64, 0));
        counters.sent_runs
    });
    runs.sort_unstable();
    assert_eq!(runs[0], runs[1], "alike over both families");
    runs[0]
}

#[test]
fn two_of_a_length_are_a_run_and_the_last_may_be_shorter() {
    assert_eq!(runs_among(&[1200; 3]), 1);
    assert_eq!(runs_among(&[1200, 1200, 7]), 1);
    assert_eq!(runs_among(&[1200, 1200]), 1);
    assert_eq!(runs_among(&[1200, 1200, 1201]), 1);
    assert_eq!(runs_among(&[1200, 7, 7, 7, 1200]), 2);
    assert_eq!(runs_among(&[6, 7, 8, 9]), 0);
    assert_eq!(runs_among(&[5, 5, 5, 1, 6, 6, 6]), 2);
}

#[test]
fn a_datagram_without_bytes_is_not_lost_in_a_run() {
    assert_eq!(runs_among(&[8, 8, 8, 0, 8, 8, 8]), 2);
    assert_eq!(runs_among(&[0, 0, 0]), 0);
}

#[test]
fn what_is_longer_than_one_message_or_one_call_becomes_several() {
    assert_eq!(runs_among(&[1252; 60]), 2);
    assert_eq!(runs_among(&[20; 150]), 3);
}

/// Receives everything that waits at the socket at `index` as a worker does, and tells the lengths in order.
fn receive_all(bench: &mut Bench<Native>, index: u32, at_most: usize) -> Vec<usize> {
    let mut lengths = Vec::new();
    loop {
        let readiness = bench.sockets.receive(index, &mut bench.batch, at_most);
        while !bench.batch.is_empty() {
            for slot in bench.batch.filled_mut() {
                let (number, length) = (lengths.len(), slot.payload().len());
                assert!(slot.payload() == bytes(number, length), "datagram {number}");
                assert_eq!(slot.origin(), Origin::Socket(id(index)));
                assert!(slot.window().start >= HEADROOM);
                // Each has its bytes for itself.
                slot.buffer_mut().fill(0xff);
                lengths.push(length);
            }
            bench.batch.clear();
        }
        if readiness == Readiness::Drained {
            return lengths;
        }
    }
}

/// Sends datagrams of these lengths to a socket that joins runs; tells the runs that arrive. The batch has 8 slots.
fn runs_arriving(lengths: &[usize], at_most: usize) -> u64 {
    let mut runs = ["127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"].map(|listen| {
        let mut bench = Bench::new(Native::new().joining_runs());
        let loopback = if listen.starts_with('[') {
            "[::1]:0"
        } else {
            "127.0.0.1:0"
        };
        let port = bench.listen(0, listen).port();
        let from = bench.listen(1, loopback);
        let to = SocketAddr::new(from.ip(), port);
        let datagrams: Vec<_> = lengths.iter().map(|&length| (length, to)).collect();
        send(&mut bench, 1, from, &datagrams);
        assert_eq!(receive_all(&mut bench, 0, at_most), lengths);
        let counters = bench.sockets.counters();
        assert_eq!(
            (counters.sent, counters.received),
            (lengths.len() as u64, lengths.len() as u64)
        );
        assert_eq!(
            counters.sent_runs, counters.received_runs,
            "in one piece all the way"
        );
        counters.received_runs
    });
    runs.sort_unstable();
    assert_eq!(runs[0], runs[3], "alike over both families");
    runs[0]
}

#[test]
fn a_run_arrives_in_one_piece_and_every_datagram_of_it_has_a_slot() {
    assert_eq!(runs_arriving(&[1200; 3], 8), 1);
    assert_eq!(runs_arriving(&[1200, 1200, 1200, 1], 8), 1);
    assert_eq!(runs_arriving(&[7, 1200, 1200, 1200, 7], 8), 1);
    assert_eq!(runs_arriving(&[10, 10, 10, 20, 0, 30, 30, 30, 8], 8), 2);
}

#[test]
fn runs_that_are_longer_than_the_batch_arrive_in_order() {
    assert_eq!(runs_arriving(&[1252; 50], 8), 1);
    assert_eq!(runs_arriving(&[100; 200], 8), 4);
    assert_eq!(runs_arriving(&[1000; 30], 1), 1);
}

#[test]
fn a_socket_that_does_not_join_runs_gets_their_datagrams() {
    let mut bench = Bench::new(Native::new());
    let to = bench.listen(0, "127.0.0.1:0");
    let from = bench.listen(1, "127.0.0.1:0");
    send(&mut bench, 1, from, &[(1200, to); 10]);
    assert_eq!(receive_all(&mut bench, 0, 8), [1200; 10]);
    assert_eq!(
        (
            bench.sockets.counters().sent_runs,
            bench.sockets.counters().received_runs
        ),
        (1, 0)
    );
}

/// Routers cut such datagrams, and the fragments of a run's could not be told apart.
#[test]
fn what_a_router_might_fragment_is_no_run_over_ipv4() {
    for (loopback, runs) in [("127.0.0.1:0", 0), ("[::1]:0", 1)] {
        let mut bench = Bench::new(Native::new());
        let server = bench.listen(0, loopback);
        let client = client(loopback);
        let to = client.local_addr().unwrap();
        send(&mut bench, 0, server, &[(1253, to); 4]);
        for number in 0..4 {
            assert_arrives(&client, number, 1253);
        }
        assert_eq!(bench.sockets.counters().sent_runs, runs);
    }
}

#[test]
fn flows_are_not_mixed_and_keep_their_order() {
    for loopback in FAMILIES {
        let mut bench = Bench::new(Native::new());
        let server = bench.listen(0, loopback);
        let clients = [client(loopback), client(loopback)];
        let [one, other] = [0, 1].map(|at: usize| (300, clients[at].local_addr().unwrap()));
        send(
            &mut bench,
            0,
            server,
            &[one, one, one, other, one, other, other, other],
        );
        for (client, numbers) in clients.iter().zip([[0, 1, 2, 4], [3, 5, 6, 7]]) {
            for number in numbers {
                assert_arrives(client, number, 300);
            }
        }
        assert_eq!(bench.sockets.counters().sent_runs, 2);
        assert_eq!(bench.sockets.counters().sent, 8);
    }
}

#[test]
fn datagrams_with_other_header_fields_are_another_run() {
    let mut bench = Bench::new(Native::new());
    let server = bench.listen(0, "127.0.0.1:0");
    let client = client("127.0.0.1:0");
    let mut batch = Batch::new(6);
    batch.commit(6);
    for (number, slot) in batch.filled_mut().iter_mut().enumerate() {
        let outgoing = slot.send(id(0), 0..100, server, client.local_addr().unwrap());
        outgoing.fields.traffic_class = Some(if number < 3 { 0xb8 } else { 0 });
    }
    bench.sockets.send(&mut batch);
    assert_eq!(bench.sockets.counters().sent_runs, 2);
}

/// A socket without checksums takes no runs: the kernel says `EINVAL`.
#[test]
fn where_runs_are_refused_their_datagrams_leave_one_by_one_and_soon_at_once() {
    let mut bench = Bench::new(Native::new());
    let server = bench.listen(0, "127.0.0.1:0");
    without_checksums(bench.sockets.socket(id(0)).unwrap());
    let client = client("127.0.0.1:0");
    let to = client.local_addr().unwrap();
    for round in 1..=5 {
        send(
            &mut bench,
            0,
            server,
            &[(9, to), (100, to), (100, to), (100, to), (50, to), (8, to)],
        );
        for (number, length) in [9, 100, 100, 100, 50, 8].into_iter().enumerate() {
            assert_arrives(&client, number, length);
        }
        let counters = bench.sockets.counters();
        assert_eq!((counters.sent, counters.send_failed), (6 * round, 0));
        assert_eq!((counters.sent_runs, counters.refused_runs), (0, round.min(3)));
    }
}

fn without_checksums(socket: &crate::Socket) {
    let on: libc::c_int = 1;
    // SAFETY: the option's value is a c_int that lives through the call, and its true size is given.
    let result = unsafe {
        libc::setsockopt(
            socket.io.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NO_CHECK,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    assert_eq!(result, 0);
}

/// The kernel tells of an earlier datagram's ICMP error in place of sending the run.
#[test]
fn an_icmp_error_costs_no_datagram_of_a_run() {
    let mut bench = Bench::new(Native::new());
    let home = client("127.0.0.1:0").local_addr().unwrap();
    bench.sockets.open(id(0), home).unwrap();
    let gone = client("127.0.0.1:0").local_addr().unwrap();
    let peer = client("127.0.0.1:0");
    let to = peer.local_addr().unwrap();
    for _ in 0..5 {
        send(&mut bench, 0, home, &[(1, gone)]);
        send(&mut bench, 0, home, &[(10, to); 4]);
        for number in 0..4 {
            assert_arrives(&peer, number, 10);
        }
    }
    send(&mut bench, 0, home, &[(10, to); 4]);
    let counters = bench.sockets.counters();
    assert_eq!((counters.sent, counters.send_failed), (29, 0));
    assert_eq!(
        (counters.sent_runs, counters.refused_runs),
        (6, 0),
        "runs are not given up for it"
    );
}

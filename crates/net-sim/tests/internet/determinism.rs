//! The same seed gives the same run; another seed another one.

use std::time::Duration;

use net_sim::{DropReason, Event, HostId, Internet, Link, NatConfig, TraceEntry};

use crate::support::at;

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 0..20 {
        assert_eq!(conversation(seed), conversation(seed), "seed {seed}");
    }
}

#[test]
fn another_seed_gives_another_trace() {
    assert_ne!(conversation(1), conversation(2));
}

#[test]
fn every_datagram_is_delivered_or_dropped_for_a_reason() {
    let trace = conversation(3);
    let count = |wanted: fn(&Event) -> bool| trace.iter().filter(|entry| wanted(&entry.event)).count();
    let sent = count(|event| matches!(event, Event::Sent));
    let delivered = count(|event| matches!(event, Event::Delivered));
    let dropped = count(|event| matches!(event, Event::Dropped(_)));
    assert!(
        sent > 200 && delivered > 100 && dropped > 10,
        "{sent} sent, {delivered} delivered, {dropped} dropped"
    );
    assert!(
        delivered + dropped >= sent,
        "doubled datagrams may add to it, none may vanish"
    );
}

#[test]
fn a_host_cannot_forge_its_source_but_the_outside_can() {
    let mut net = Internet::new(1);
    let one = net.add_host(&[at("203.0.113.1:1").ip()], Link::perfect());
    let two = net.add_host(&[at("203.0.113.2:1").ip()], Link::perfect());
    net.send(one, at("203.0.113.9:1"), at("203.0.113.2:1"), b"forged");
    assert_eq!(net.dropped(DropReason::ForeignSource), 1);
    net.send_spoofed(at("203.0.113.9:1"), at("203.0.113.2:1"), b"forged");
    let delivery = net.advance(net.now()).unwrap();
    assert_eq!(
        (delivery.host, delivery.datagram.source),
        (two, at("203.0.113.9:1"))
    );
}

#[test]
fn time_stops_at_each_delivery_and_then_at_the_limit() {
    let mut net = Internet::new(1);
    let near = Link::with_latency(Duration::from_millis(10));
    let one = net.add_host(&[at("203.0.113.1:1").ip()], near);
    net.add_host(&[at("203.0.113.2:1").ip()], near);
    let start = net.now();
    net.send(one, at("203.0.113.1:1"), at("203.0.113.2:1"), b"x");
    assert!(net.advance(start + Duration::from_secs(1)).is_some());
    assert_eq!(net.now() - start, Duration::from_millis(20));
    assert_eq!(net.advance(start + Duration::from_secs(1)), None);
    assert_eq!(net.now() - start, Duration::from_secs(1));
}

/// Two clients on bad lines behind a symmetric NAT talk to an echo server for a minute.
fn conversation(seed: u64) -> Vec<TraceEntry> {
    let mut net = Internet::new(seed);
    net.keep_trace();
    let server = net.add_host(&[at("203.0.113.1:1").ip()], Link::bad());
    let nat = net.add_nat(NatConfig::symmetric(), &[at("198.51.100.1:1").ip()], Link::bad());
    let clients = ["192.168.1.2:5000", "192.168.1.3:5000"].map(at);
    let hosts: Vec<HostId> = clients
        .iter()
        .map(|client| net.add_host_behind(nat, &[client.ip()], Link::bad()))
        .collect();
    for _ in 0..100 {
        for (host, client) in hosts.iter().zip(clients) {
            net.send(*host, client, at("203.0.113.1:7"), b"ping");
        }
        let until = net.now() + Duration::from_millis(600);
        while let Some(delivery) = net.advance(until) {
            if delivery.host == server {
                let datagram = delivery.datagram;
                net.send(server, datagram.destination, datagram.source, &datagram.payload);
            }
        }
    }
    net.trace().to_vec()
}

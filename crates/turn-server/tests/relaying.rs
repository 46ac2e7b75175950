//! A running server relays between real sockets.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

#[allow(dead_code, reason = "other tests use the rest")]
mod client;
#[allow(dead_code, reason = "other tests use the rest")]
mod server;

use std::{
    net::{SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use lifecycle::Shutdown;
use telemetry::{Health, prometheus::Registry};
use turn_server::{Config, Peers, Relay, RelayAddress, Surroundings, start};

use client::{Client, Relayed};
use server::{Server, config, peer};

#[test]
fn both_ways_of_relaying_work_over_both_families() {
    for (listen, peers) in [("127.0.0.1:0", "127.0.0.1:0"), ("[::1]:0", "[::1]:0")] {
        // Over IPv6, RFC 8656 §7.2 has clients ask for IPv6 relays; without that they get IPv4.
        let relay = Relay {
            addresses: vec![RelayAddress {
                local: Some(peers.parse::<SocketAddr>().unwrap().ip()),
                external: None,
            }],
            ..Relay::default()
        };
        let server = Server::start(&Config {
            relay,
            ..config(listen, 1)
        });
        let mut client = Client::of(server.udp());
        assert!(
            client.permit(server.udp()).is_err(),
            "nothing without an allocation"
        );
        let family = stun_wire::AddressFamily::of(server.udp().ip());
        let relayed = client.allocate_again(Some(family)).unwrap();
        let peer = peer(peers);
        let home = peer.local_addr().unwrap();
        let mut bytes = [0; 2048];

        client.permit(home).unwrap();
        client.send_indication(home, b"by indication");
        assert_eq!(peer.recv_from(&mut bytes).unwrap(), (13, relayed));
        peer.send_to(b"back", relayed).unwrap();
        assert_eq!(client.receive(&mut bytes), Relayed::Data(home, b"back"));

        client.bind(0x4001, home).unwrap();
        client.send_channel(0x4001, b"by channel");
        assert_eq!(peer.recv_from(&mut bytes).unwrap(), (10, relayed));
        peer.send_to(b"back again", relayed).unwrap();
        assert_eq!(
            client.receive(&mut bytes),
            Relayed::Channel(0x4001, b"back again")
        );

        server.wait_for("turn_relay_packets_total", "to_peer", 2.0);
        server.wait_for("turn_relay_bytes_total", "to_client", 14.0);
        client.refresh(0).unwrap();
        server.wait_for("turn_allocations", "", 0.0);
        UdpSocket::bind(relayed).expect("the port is free again");
    }
}

#[test]
fn a_server_that_waits_for_more_loses_nothing_and_mixes_nothing_up() {
    for text in ["auto", "5ms"] {
        let server = Server::start(&Config {
            relay: Relay {
                coalesce: text.to_owned().try_into().unwrap(),
                ..Relay::default()
            },
            ..config("127.0.0.1:0", 2)
        });
        let mut client = Client::of(server.udp());
        let relayed = client.allocate();
        let peer = peer("127.0.0.1:0");
        client.bind(0x4000, peer.local_addr().unwrap()).unwrap();
        let mut bytes = [0; 2048];
        for round in 0..20_u8 {
            for number in 0..40 {
                client.send_channel(0x4000, &[round, number]);
                peer.send_to(&[number, round], relayed).unwrap();
            }
            for number in 0..40 {
                peer.recv_from(&mut bytes).unwrap();
                assert_eq!(bytes[..2], [round, number]);
                assert_eq!(
                    client.receive(&mut bytes),
                    Relayed::Channel(0x4000, &[number, round])
                );
            }
        }
        // One after the other, each but the first comes during a pause.
        let begun = Instant::now();
        for _ in 0..20 {
            client.send_channel(0x4000, b"next");
            assert_eq!(peer.recv_from(&mut bytes).unwrap(), (4, relayed));
        }
        let waited = begun.elapsed();
        assert!(text == "auto" || waited > Duration::from_millis(50), "{waited:?}");
        server.wait_for("turn_relay_packets_total", "to_peer", 820.0);
    }
}

/// RFC 8656 §11.5. The kernel also tells of such an error in place of the next datagram.
#[cfg(target_os = "linux")]
#[test]
fn a_client_learns_that_a_peer_is_unreachable_and_loses_nothing_else() {
    for (listen, unreachable) in [("127.0.0.1:0", (3, 3)), ("[::1]:0", (1, 4))] {
        let server = Server::start(&config(listen, 1));
        let mut client = Client::of(server.udp());
        assert!(client.permit(server.udp()).is_err());
        let family = stun_wire::AddressFamily::of(server.udp().ip());
        let relayed = client.allocate_again(Some(family)).unwrap();
        let ours = SocketAddr::new(server.udp().ip(), 0);
        let gone = UdpSocket::bind(ours).unwrap().local_addr().unwrap();
        let there = peer(&ours.to_string());
        let home = there.local_addr().unwrap();
        client.permit(gone).unwrap();
        client.bind(0x4001, home).unwrap();

        let mut bytes = [0; 2048];
        for round in 0..50 {
            client.send_indication(gone, b"?");
            client.send_channel(0x4001, &[round]);
            assert_eq!(there.recv_from(&mut bytes).unwrap(), (1, relayed));
            let (peer, icmp) = client.receive_icmp();
            assert_eq!((peer, (icmp.kind, icmp.code), icmp.data), (gone, unreachable, 0));
        }
        server.wait_for("turn_icmp_relayed_total", "", 50.0);
        server.wait_for("turn_relay_packets_total", "to_peer", 100.0);
        for reason in ["send_failed", "receive_error"] {
            server.wait_for("turn_dropped_datagrams_total", reason, 0.0);
        }
    }
}

/// Clients land on either worker, so that both kinds of hairpin occur: within a worker and across.
#[test]
fn two_relays_of_one_server_reach_each_other_on_any_worker() {
    let mut config = config("127.0.0.1:0", 2);
    config.peers = Peers::default();
    let server = Server::start(&config);
    assert_eq!(server.running.workers(), 2);
    let mut clients: Vec<_> = (0..16).map(|_| Client::of(server.udp())).collect();
    let relays: Vec<_> = clients.iter_mut().map(Client::allocate).collect();
    // A port's worker: pairs of ports take turns from the first of the range.
    let owners: Vec<_> = relays
        .iter()
        .map(|relay| (relay.port() - 49_152) / 2 % 2)
        .collect();
    assert!(
        owners.contains(&0) && owners.contains(&1),
        "the kernel spreads clients over workers: {owners:?}"
    );

    let mut bytes = [0; 2048];
    for one in 0..clients.len() {
        for other in 0..clients.len() {
            if one == other {
                continue;
            }
            let channel = 0x4000 + other as u16;
            clients[one].bind(channel, relays[other]).unwrap();
            clients[other].bind(0x4000 + one as u16, relays[one]).unwrap();
            let text = format!("{one} to {other}");
            clients[one].send_channel(channel, text.as_bytes());
            let expected = Relayed::Channel(0x4000 + one as u16, text.as_bytes());
            assert_eq!(clients[other].receive(&mut bytes), expected);
        }
    }
    assert_eq!(server.metric("turn_dropped_datagrams_total", "worker_busy"), 0.0);
}

#[test]
fn a_wildcard_listener_serves_the_address_that_was_asked() {
    let server = Server::start(&config("0.0.0.0:0", 1));
    let asked = SocketAddr::new("127.0.0.2".parse().unwrap(), server.udp().port());
    let mut client = Client::of(asked);
    assert_eq!(client.allocate().ip(), asked.ip());
}

#[test]
fn a_malformed_datagram_of_any_length_costs_a_counter() {
    let server = Server::start(&config("127.0.0.1:0", 1));
    let stranger = peer("127.0.0.1:0");
    let lengths = [1, 2, 3, 4, 5, 19, 20, 21, 255, 576, 1500, 9000, 32_768, 65_507];
    let mut sent = 0.0;
    for length in lengths {
        // 0x00 and 0x40 start like a message and like ChannelData; 0xff is neither.
        for first in [0x00, 0x40, 0xff] {
            let mut datagram = vec![0xee; length];
            datagram[0] = first;
            stranger.send_to(&datagram, server.udp()).unwrap();
            sent += 1.0;
            server.wait_for("turn_dropped_datagrams_total", "", sent);
        }
    }
    stranger.send_to(&[], server.udp()).unwrap();
    server.wait_for("turn_dropped_datagrams_total", "empty", 1.0);
    Client::of(server.udp()).allocate();
}

/// Four bytes of header go in front, and UDP ends at 65,507: what is longer then dies here, counted.
#[test]
fn the_longest_datagram_of_a_peer_is_relayed_and_a_longer_one_counted() {
    let server = Server::start(&config("127.0.0.1:0", 1));
    let mut client = Client::of(server.udp());
    let relayed = client.allocate();
    let peer = peer("127.0.0.1:0");
    client.bind(0x4000, peer.local_addr().unwrap()).unwrap();
    let longest = 65_507 - 4;
    let mut bytes = vec![0; 65_536];

    peer.send_to(&vec![7; longest], relayed).unwrap();
    assert_eq!(
        client.receive(&mut bytes),
        Relayed::Channel(0x4000, &vec![7; longest])
    );
    for (sent, length) in [(1.0, longest + 1), (2.0, 65_507)] {
        peer.send_to(&vec![7; length], relayed).unwrap();
        server.wait_for("turn_dropped_datagrams_total", "", sent);
    }
    peer.send_to(b"still here", relayed).unwrap();
    assert_eq!(
        client.receive(&mut bytes),
        Relayed::Channel(0x4000, b"still here")
    );
}

#[test]
fn few_relay_ports_are_not_split_among_workers() {
    let relay = Relay {
        min_port: 50_000,
        max_port: 50_063,
        ..Relay::default()
    };
    let server = Server::start(&Config {
        relay,
        ..config("127.0.0.1:0", 0)
    });
    assert_eq!(server.running.workers(), 1);
}

#[test]
fn a_relay_address_of_another_machine_keeps_it_from_starting() {
    let elsewhere = RelayAddress {
        local: Some("192.0.2.1".parse().unwrap()),
        external: None,
    };
    let relay = Relay {
        addresses: vec![elsewhere],
        ..Relay::default()
    };
    let config = Config {
        relay,
        ..config("127.0.0.1:0", 1)
    };
    let refused = start(
        &config,
        Surroundings::new(&Registry::new(), &Health::new(), Shutdown::new()),
    )
    .err()
    .unwrap();
    assert!(refused.to_string().contains("192.0.2.1"), "{refused}");
}

#[test]
fn clients_are_told_the_external_address() {
    let local = Some("127.0.0.1".parse().unwrap());
    let nat = RelayAddress {
        local,
        external: Some("203.0.113.5".parse().unwrap()),
    };
    let relay = Relay {
        addresses: vec![nat],
        ..Relay::default()
    };
    let server = Server::start(&Config {
        relay,
        ..config("127.0.0.1:0", 1)
    });
    let mut client = Client::of(server.udp());
    let relayed = client.allocate();
    assert_eq!(relayed.ip().to_string(), "203.0.113.5");

    let peer = peer("127.0.0.1:0");
    client.permit(peer.local_addr().unwrap()).unwrap();
    client.send_indication(peer.local_addr().unwrap(), b"?");
    let (_, source) = peer.recv_from(&mut [0; 8]).unwrap();
    assert_eq!(
        source,
        SocketAddr::new("127.0.0.1".parse().unwrap(), relayed.port())
    );
}

#[tokio::test]
async fn a_shutdown_ends_it_and_frees_every_port() {
    let server = Server::start(&config("127.0.0.1:0", 2));
    let listener = server.udp();
    let relayed = {
        let mut client = Client::of(listener);
        client.allocate()
    };
    server.shutdown.request();
    server.running.finished().await.unwrap();
    UdpSocket::bind(listener).unwrap();
    UdpSocket::bind(relayed).unwrap();
}

//! Clients that come by DTLS, with OpenSSL at their end.
#![cfg(feature = "dtls")]
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

#[allow(dead_code, reason = "other tests use the rest")]
mod client;
mod dtls_client;
mod identity;
#[allow(dead_code, reason = "other tests use the rest")]
mod server;

use std::{
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

use certificates::{Certificates, MinVersion};
use client::{Client, Relayed};
use dtls_client::{Session, connect};
use identity::Identity;
use server::{Server, config, peer};
use socket2::{Domain, Socket, Type};
use stun_wire::AddressFamily;
use turn_server::{Config, Dtls, Relay, RelayAddress};

fn start(config: &Config, certificates: &Certificates) -> Server {
    Server::start_with(config, |surroundings| {
        surroundings.with_certificates(certificates.clone())
    })
}

#[test]
fn both_ways_of_relaying_work_over_both_families() {
    for (listen, peers) in [("127.0.0.1:0", "127.0.0.1:0"), ("[::1]:0", "[::1]:0")] {
        let relay = Relay {
            addresses: vec![RelayAddress {
                local: Some(peers.parse::<SocketAddr>().unwrap().ip()),
                external: None,
            }],
            ..Relay::default()
        };
        let config = Config {
            relay,
            ..config(listen, 1)
        };
        let identity = Identity::new();
        let server = start(&config, &identity.certificates);
        assert_eq!(server.running.dtls_listeners(), [server.udp()]);
        let mut client = connect(server.udp());
        assert!(
            client.permit(server.udp()).is_err(),
            "nothing without an allocation"
        );
        let family = AddressFamily::of(server.udp().ip());
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
        for length in [0, 1, 160, 1200] {
            let text = vec![7; length];
            client.send_channel(0x4001, &text);
            assert_eq!(peer.recv_from(&mut bytes).unwrap(), (length, relayed));
            peer.send_to(&text, relayed).unwrap();
            assert_eq!(client.receive(&mut bytes), Relayed::Channel(0x4001, &text));
        }
        server.wait_for("turn_relay_packets_total", "to_peer", 5.0);
        server.wait_for("turn_dtls_sessions", "", 1.0);
        server.wait_for("turn_allocations", "dtls", 1.0);
        client.refresh(0).unwrap();
        server.wait_for("turn_allocations", "", 0.0);
    }
}

#[test]
fn a_wildcard_listener_serves_the_address_that_was_asked() {
    let identity = Identity::new();
    let server = start(&config("0.0.0.0:0", 1), &identity.certificates);
    let asked = SocketAddr::new("127.0.0.2".parse().unwrap(), server.udp().port());
    assert_eq!(connect(asked).allocate().ip(), asked.ip());
}

/// Clients of both kinds land on either worker.
#[test]
fn relays_of_clients_with_and_without_dtls_reach_each_other_on_any_worker() {
    let identity = Identity::new();
    let server = start(&config("127.0.0.1:0", 2), &identity.certificates);
    let mut clients: Vec<_> = (0..6).map(|_| connect(server.udp())).collect();
    clients.extend((0..6).map(|_| Client::of(server.udp())));
    let relays: Vec<_> = clients.iter_mut().map(Client::allocate).collect();
    let mut bytes = [0; 2048];
    for one in 0..clients.len() {
        for other in (0..clients.len()).filter(|other| *other != one) {
            let channel = 0x4000 + other as u16;
            clients[one].bind(channel, relays[other]).unwrap();
            clients[other].bind(0x4000 + one as u16, relays[one]).unwrap();
            let text = format!("{one} to {other}");
            clients[one].send_channel(channel, text.as_bytes());
            let expected = Relayed::Channel(0x4000 + one as u16, text.as_bytes());
            assert_eq!(clients[other].receive(&mut bytes), expected);
        }
    }
}

#[test]
fn a_client_that_says_goodbye_gives_its_port_back_and_hears_the_end() {
    let identity = Identity::new();
    let server = start(&config("127.0.0.1:0", 1), &identity.certificates);
    let session = Session::open(server.udp());
    let mut client = session.client(server.udp());
    let relayed = client.allocate();
    server.wait_for("turn_allocations", "dtls", 1.0);
    session.close();
    assert!(session.hears_the_end());
    server.wait_for("turn_allocations", "dtls", 0.0);
    server.wait_for("turn_dtls_sessions", "", 0.0);
    UdpSocket::bind(relayed).expect("the port is free again");
}

#[test]
fn a_server_that_ends_says_goodbye() {
    let identity = Identity::new();
    let server = start(&config("127.0.0.1:0", 1), &identity.certificates);
    let session = Session::open(server.udp());
    session.client(server.udp()).allocate();
    drop(server);
    assert!(session.hears_the_end());
}

#[test]
fn a_silent_session_without_an_allocation_ends_and_one_with_it_stays() {
    let identity = Identity::new();
    let dtls = Dtls {
        idle: 1,
        ..Dtls::default()
    };
    let config = Config {
        dtls,
        ..config("127.0.0.1:0", 1)
    };
    let server = start(&config, &identity.certificates);
    let (silent, session) = (Session::open(server.udp()), Session::open(server.udp()));
    let mut client = session.client(server.udp());
    client.allocate();
    assert!(silent.hears_the_end());
    std::thread::sleep(Duration::from_millis(1500));
    client.refresh(600).unwrap();
    client.refresh(0).unwrap();
    assert!(session.hears_the_end());
    server.wait_for("turn_dtls_sessions", "", 0.0);
}

/// A host that has lost its session comes again from the same port.
#[test]
fn a_new_session_of_the_same_client_replaces_the_old_one_and_its_allocation() {
    let identity = Identity::new();
    let server = start(&config("127.0.0.1:0", 1), &identity.certificates);
    let session = Session::open(server.udp());
    session.client(server.udp()).allocate();
    let again = session.open_again();
    server.wait_for("turn_allocations", "", 0.0);
    again.client(server.udp()).allocate();
    server.wait_for("turn_allocations", "dtls", 1.0);
    server.wait_for("turn_dtls_sessions", "", 1.0);
    server.wait_for("turn_dtls_handshakes_total", "completed", 2.0);
}

#[test]
fn certificates_that_change_are_shown_to_the_next_client() {
    let identity = Identity::new();
    let server = start(&config("127.0.0.1:0", 1), &identity.certificates);
    let before = Session::open(server.udp());
    identity.renew();
    let after = Session::open(server.udp());
    assert_ne!(before.certificate(), after.certificate());
    before.client(server.udp()).allocate();
}

#[test]
fn without_certificates_or_when_switched_off_dtls_is_a_counted_drop() {
    let off = Config {
        dtls: Dtls {
            enabled: false,
            ..Dtls::default()
        },
        ..config("127.0.0.1:0", 1)
    };
    let identity = Identity::new();
    let hello = include_bytes!("../../../fuzz/seeds/client_hello/openssl-first");
    for (config, certificates, reason) in [
        (&off, identity.certificates.clone(), "not_turn"),
        (
            &config("127.0.0.1:0", 1),
            Certificates::default(),
            "dtls_no_certificate",
        ),
    ] {
        let server = start(config, &certificates);
        assert_eq!(server.running.dtls_listeners(), []);
        peer("127.0.0.1:0").send_to(hello, server.udp()).unwrap();
        server.wait_for("turn_dropped_datagrams_total", reason, 1.0);
    }
}

/// Two servers that answer each other would do so for ever.
#[test]
fn a_hello_from_a_listener_of_ours_is_not_answered() {
    let identity = Identity::new();
    // Several workers share an address, and so can a forger.
    let mut config = config("127.0.0.1:0", 2);
    config.listen.push("127.0.0.2:0".parse().unwrap());
    let server = start(&config, &identity.certificates);
    let there = server.running.listeners()[1];
    let forger = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
    forger.set_reuse_port(true).unwrap();
    forger.bind(&there.into()).unwrap();
    let hello = include_bytes!("../../../fuzz/seeds/client_hello/openssl-first");
    forger.send_to(hello, &server.udp().into()).unwrap();
    server.wait_for("turn_dropped_datagrams_total", "own_listener", 1.0);
    assert_eq!(server.metric("turn_dtls_cookies_total", ""), 0.0);
}

#[test]
fn where_only_tls_1_3_is_wanted_dtls_1_2_is_not_spoken() {
    let identity = Identity::new();
    let mut config = config("127.0.0.1:0", 1);
    config.tls.min_version = MinVersion::Tls13;
    let server = start(&config, &identity.certificates);
    assert_eq!(server.running.dtls_listeners(), []);
    let hello = include_bytes!("../../../fuzz/seeds/client_hello/openssl-first");
    peer("127.0.0.1:0").send_to(hello, server.udp()).unwrap();
    server.wait_for("turn_dropped_datagrams_total", "not_turn", 1.0);
}

/// Whatever is not of a session costs a counter; a first hello is answered with less, and begins nothing.
#[test]
fn strangers_cost_a_counter_each() {
    let identity = Identity::new();
    let server = start(&config("127.0.0.1:0", 1), &identity.certificates);
    let hello = include_bytes!("../../../fuzz/seeds/client_hello/openssl-first");
    let mut bytes = [0; 2048];
    for _ in 0..500 {
        let stranger = peer("127.0.0.1:0");
        stranger.send_to(hello, server.udp()).unwrap();
        assert_eq!(stranger.recv(&mut bytes).unwrap(), 44);
        assert!(44 < hello.len());
    }
    server.wait_for("turn_dtls_cookies_total", "", 500.0);
    assert_eq!(server.metric("turn_dtls_half_open", ""), 0.0);
    let stranger = peer("127.0.0.1:0");
    let mut sent = 0.0;
    for first in 20..64 {
        for length in [1, 13, 14, 576, 1500, 65_507] {
            let mut datagram = vec![0xfe; length];
            datagram[0] = first;
            stranger.send_to(&datagram, server.udp()).unwrap();
            sent += 1.0;
        }
        // Long ones would fill the socket's buffer.
        server.wait_for("turn_dropped_datagrams_total", "", sent);
    }
    connect(server.udp()).allocate();
}

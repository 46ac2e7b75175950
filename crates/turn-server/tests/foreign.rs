//! turn-client-proto, an independent TURN client, against a running server.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the client's events, of which a test awaits one"
)]

#[allow(dead_code, reason = "other tests use the rest")]
mod client;
#[path = "foreign/driver.rs"]
mod driver;
#[allow(dead_code, reason = "other tests use the rest")]
mod server;
#[path = "foreign/tls.rs"]
mod tls;

use std::net::{SocketAddr, UdpSocket};

use openssl::ssl::SslMethod;
use turn_client_openssl::TurnClientOpensslTls;
use turn_client_proto::{
    api::{TurnClientApi, TurnEvent},
    tcp::TurnClientTcp,
    types::{AddressFamily, TransportType},
    udp::TurnClientUdp,
};
use turn_client_rustls::TurnClientRustls;
use turn_server::{Config, Relay, RelayAddress};

use driver::{Driver, FromPeer, Line};
use server::{Server, config, peer};
use tls::Identity;

/// Lengths of payloads, those that need padding among them.
const LENGTHS: [usize; 8] = [1, 2, 3, 4, 5, 160, 1000, 1200];

/// Over streams this client, turn-types 0.7.3, neither pads ChannelData nor expects padding, which RFC 8656 §12.5 wants:
/// by channel it is understood where there is nothing to pad.
const LENGTHS_BY_CHANNEL_ON_STREAMS: [usize; 4] = [4, 160, 1000, 1200];

/// Relays both ways, by indications and by a channel.
fn relays<C: TurnClientApi>(server: &Server, line: Line, client: impl FnOnce(SocketAddr) -> C) {
    let is_stream = line.is_stream();
    let (mut driver, relayed) = Driver::allocated(line, client);
    server.wait_for("turn_allocations", "", 1.0);
    let peer = peer("127.0.0.1:0");
    let home = peer.local_addr().unwrap();
    driver.permit(home.ip());
    there_and_back(&mut driver, &peer, relayed, &LENGTHS);
    driver.bind(home);
    let lengths: &[usize] = if is_stream {
        &LENGTHS_BY_CHANNEL_ON_STREAMS
    } else {
        &LENGTHS
    };
    there_and_back(&mut driver, &peer, relayed, lengths);
    driver.delete();
    server.wait_for("turn_allocations", "", 0.0);
}

fn there_and_back<C: TurnClientApi>(
    driver: &mut Driver<C>,
    peer: &UdpSocket,
    relayed: SocketAddr,
    lengths: &[usize],
) {
    let home = peer.local_addr().unwrap();
    let mut bytes = [0; 2048];
    for &len in lengths {
        let payload: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
        driver.send(home, &payload);
        assert_eq!(peer.recv_from(&mut bytes).unwrap(), (len, relayed));
        assert_eq!(bytes[..len], payload);
        peer.send_to(&payload, relayed).unwrap();
        assert_eq!(driver.next(), FromPeer::Data(home, payload));
    }
}

#[test]
fn a_foreign_client_relays_over_udp() {
    let server = Server::start(&config("127.0.0.1:0", 1));
    let line = Line::datagrams(server.udp());
    relays(&server, line, |local| {
        TurnClientUdp::allocate(local, server.udp(), driver::config())
    });
}

#[test]
fn a_foreign_client_relays_over_tcp() {
    let server = Server::start(&config("127.0.0.1:0", 1));
    let line = Line::stream(server.tcp());
    relays(&server, line, |local| {
        TurnClientTcp::allocate(local, server.tcp(), driver::config())
    });
}

/// RFC 8656 §7.2, ADDITIONAL-ADDRESS-FAMILY.
#[test]
fn a_foreign_client_gets_relays_of_both_families() {
    let relay = |local: &str| RelayAddress {
        local: Some(local.parse().unwrap()),
        external: None,
    };
    let server = Server::start(&Config {
        relay: Relay {
            addresses: vec![relay("127.0.0.1"), relay("::1")],
            ..Relay::default()
        },
        ..config("127.0.0.1:0", 1)
    });
    let mut both = driver::config();
    both.add_address_family(AddressFamily::IPV6);
    let (mut driver, first) = Driver::allocated(Line::datagrams(server.udp()), |local| {
        TurnClientUdp::allocate(local, server.udp(), both)
    });
    let second = driver.event("a second relay", |event| match event {
        TurnEvent::AllocationCreated(_, relayed) => Some(*relayed),
        _ => None,
    });
    assert_ne!(first.is_ipv4(), second.is_ipv4());
    for relayed in [first, second] {
        let peer = peer(if relayed.is_ipv4() {
            "127.0.0.1:0"
        } else {
            "[::1]:0"
        });
        driver.permit(peer.local_addr().unwrap().ip());
        there_and_back(&mut driver, &peer, relayed, &LENGTHS);
    }
}

/// RFC 8656 §11.5: a port that nobody holds answers with ICMP, and the client hears of it.
#[test]
fn a_foreign_client_is_told_of_icmp_errors() {
    let server = Server::start(&config("127.0.0.1:0", 1));
    let (mut driver, _) = Driver::allocated(Line::datagrams(server.udp()), |local| {
        TurnClientUdp::allocate(local, server.udp(), driver::config())
    });
    let gone = peer("127.0.0.1:0").local_addr().unwrap();
    driver.permit(gone.ip());
    driver.send(gone, b"is anybody there?");
    // Port unreachable is type 3, code 3. RFC 8656 §18.13 gives the type seven bits and the code nine; this client
    // reads eight and eight, so that the type stands one bit higher for it.
    assert_eq!(driver.next(), FromPeer::Icmp(gone, 3 << 1, 3));
}

/// A server that speaks TLS, where it does, and the certificate that it shows.
fn secure() -> (Server, SocketAddr, Identity) {
    let identity = Identity::mint();
    let config = Config {
        listen_tls: Some(vec!["127.0.0.1:0".parse().unwrap()]),
        ..config("127.0.0.1:0", 1)
    };
    let server = Server::start_with(&config, |surroundings| {
        surroundings.with_certificates(identity.certificates())
    });
    let address = server.running.tls_listeners()[0];
    (server, address, identity)
}

#[test]
fn a_foreign_client_relays_over_tls_of_either_version() {
    let (server, address, identity) = secure();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        relays(&server, Line::stream(address), |local| {
            let (name, trust) = (tls::NAME.try_into().unwrap(), identity.rustls(version));
            TurnClientRustls::allocate(local, address, driver::config(), name, trust)
        });
    }
}

#[test]
fn a_foreign_client_with_openssl_relays_over_tls() {
    let (server, address, identity) = secure();
    relays(&server, Line::stream(address), |local| {
        let trust = identity.openssl(SslMethod::tls_client());
        TurnClientOpensslTls::allocate(TransportType::Tcp, local, address, driver::config(), trust)
    });
}

/// RFC 7350: on the port of UDP, told apart by the first byte.
#[cfg(feature = "dtls")]
#[test]
fn a_foreign_client_with_openssl_relays_over_dtls() {
    let (server, _, identity) = secure();
    relays(&server, Line::datagrams(server.udp()), |local| {
        let trust = identity.openssl(SslMethod::dtls_client());
        TurnClientOpensslTls::allocate(TransportType::Udp, local, server.udp(), driver::config(), trust)
    });
}

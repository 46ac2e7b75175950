//! Connections by way of a proxy, which says whose they are.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

#[allow(dead_code, reason = "other tests use the rest")]
mod client;
#[allow(dead_code, reason = "other tests use the rest")]
mod secured;
#[allow(dead_code, reason = "other tests use the rest")]
mod server;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use rustls::version::TLS13;
use stun_wire::{AttributeType, Message, Method};
use turn_server::{Config, ProxyProtocol, Streams};

use client::{
    Client,
    wire::{Wire, connect},
};
use secured::{NAME, Secured};
use server::{Server, config};

const ENDED: &str = "turn_connections_ended_total";

/// A server that believes proxies at 127.0.0.1 and ::1.
fn behind_proxies(config: Config) -> Config {
    Config {
        proxy_protocol: ProxyProtocol {
            from: vec!["127.0.0.1/32".parse().unwrap(), "::1/128".parse().unwrap()],
        },
        ..config
    }
}

fn line(client: &str) -> Vec<u8> {
    let client: SocketAddr = client.parse().unwrap();
    let (family, server) = if client.is_ipv4() {
        ("TCP4", "203.0.113.1")
    } else {
        ("TCP6", "2001:db8::1")
    };
    format!(
        "PROXY {family} {} {server} {} 443\r\n",
        client.ip(),
        client.port()
    )
    .into_bytes()
}

fn binary(client: &str) -> Vec<u8> {
    let client: SocketAddr = client.parse().unwrap();
    let (family, mut addresses) = match client.ip() {
        std::net::IpAddr::V4(ip) => (0x11, [ip.octets(), [203, 0, 113, 1]].concat()),
        std::net::IpAddr::V6(ip) => (0x21, [ip.octets(), [0x20; 16]].concat()),
    };
    addresses.extend(client.port().to_be_bytes());
    addresses.extend(443_u16.to_be_bytes());
    // A value of the kind that proxies add.
    addresses.extend([0x04, 0, 3, 1, 2, 3]);
    let length = (addresses.len() as u16).to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n\x21", &[family][..], &length, &addresses].concat()
}

/// Whom the server sees at the other end.
fn seen(client: &mut Client) -> SocketAddr {
    let answer = client.request(Method::BINDING, |_| ()).unwrap();
    let message = Message::parse(&answer).unwrap();
    message
        .xor_address(AttributeType::XOR_MAPPED_ADDRESS)
        .unwrap()
        .unwrap()
}

fn assert_closed(stream: &mut TcpStream) {
    let mut bytes = [0; 256];
    while stream.read(&mut bytes).is_ok_and(|len| len > 0) {}
}

#[test]
fn both_versions_name_the_client_in_the_clear_and_before_tls() {
    let secured = Secured::new();
    for listen in ["127.0.0.1:0", "[::1]:0"] {
        let server = Server::start_with(&behind_proxies(config(listen, 1)), |surroundings| {
            surroundings.with_certificates(secured.certificates.clone())
        });
        for real in ["192.0.2.7:50000", "[2001:db8::7]:50000"] {
            let expected: SocketAddr = real.parse().unwrap();
            for header in [line(real), binary(real)] {
                let mut stream = connect(server.tcp());
                // In pieces, the last of them with what follows.
                let (one, other) = header.split_at(header.len() / 2);
                stream.write_all(one).unwrap();
                std::thread::sleep(std::time::Duration::from_millis(20));
                stream.write_all(other).unwrap();
                let mut client = Client::by(Wire::over(stream), server.tcp());
                assert_eq!(seen(&mut client), expected);
                client.allocate();

                let mut stream = connect(server.running.tls_listeners()[0]);
                stream.write_all(&header).unwrap();
                let session = secured.over(stream, secured.session(NAME, &["stun.turn"], &TLS13));
                let mut client = Client::by(Wire::over(session), server.tcp());
                assert_eq!(seen(&mut client), expected);
            }
        }
    }
}

#[test]
fn a_proxy_that_speaks_for_itself_is_seen_as_it_is() {
    let server = Server::start(&behind_proxies(config("127.0.0.1:0", 1)));
    for header in [&b"PROXY UNKNOWN\r\n"[..], b"\r\n\r\n\0\r\nQUIT\n\x20\x00\0\0"] {
        let mut stream = connect(server.tcp());
        let home = stream.local_addr().unwrap();
        stream.write_all(header).unwrap();
        assert_eq!(seen(&mut Client::by(Wire::over(stream), server.tcp())), home);
    }
}

/// Whoever is not configured could claim to be anybody.
#[test]
fn only_configured_proxies_are_believed_and_they_must_name_the_client() {
    let stranger = Server::start(&Config {
        proxy_protocol: ProxyProtocol {
            from: vec!["10.0.0.0/8".parse().unwrap()],
        },
        ..config("127.0.0.1:0", 1)
    });
    for (header, count) in [(line("192.0.2.7:1"), 1.0), (binary("192.0.2.7:1"), 2.0)] {
        let mut stream = connect(stranger.tcp());
        stream.write_all(&header).unwrap();
        assert_closed(&mut stream);
        stranger.wait_for(ENDED, "proxy_unknown", count);
    }
    Client::by(Wire::tcp(stranger.tcp()), stranger.tcp()).allocate();

    let proxied = Server::start(&behind_proxies(config("127.0.0.1:0", 1)));
    for (bytes, reason) in [
        (&b"\0\x01\0\0\x21\x12\xa4\x42abcdefghijkl"[..], "proxy_missing"),
        (b"GET / HTTP/1.1\r\n\r\n", "proxy_missing"),
        (b"PROXY TCP4 192.0.2.7 203.0.113.1 0 x\r\n", "proxy_invalid"),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x12\0\x0c", "proxy_invalid"),
        // One header is all that is believed.
        (
            &[line("192.0.2.7:1"), line("192.0.2.8:1")].concat(),
            "proxy_unknown",
        ),
    ] {
        let before = proxied.metric(ENDED, reason);
        let mut stream = connect(proxied.tcp());
        stream.write_all(bytes).unwrap();
        assert_closed(&mut stream);
        proxied.wait_for(ENDED, reason, before + 1.0);
    }
}

#[test]
fn clients_of_a_proxy_have_their_share_each_and_the_proxy_needs_none() {
    let server = Server::start(&behind_proxies(Config {
        streams: Streams {
            connections_per_address: 1,
            ..Streams::default()
        },
        ..config("127.0.0.1:0", 1)
    }));
    let reach = |from: &str| {
        let mut stream = connect(server.tcp());
        stream.write_all(&line(from)).unwrap();
        stream
    };
    let mut held: Vec<_> = ["192.0.2.1:1", "192.0.2.2:1", "[2001:db8::1]:1"]
        .map(|from| Client::by(Wire::over(reach(from)), server.tcp()))
        .into();
    for client in &mut held {
        seen(client);
    }
    for from in ["192.0.2.1:2", "[2001:db8::2]:1"] {
        assert_closed(&mut reach(from));
    }
    server.wait_for(ENDED, "too_many_from_network", 2.0);
    drop(held);
    server.wait_for("turn_connections", "tcp", 0.0);
    seen(&mut Client::by(Wire::over(reach("192.0.2.1:3")), server.tcp()));
}

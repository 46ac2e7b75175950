//! Clients that come by TLS, and connections of the web that come to the same ports.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

#[allow(dead_code, reason = "other tests use the rest")]
mod client;
mod secured;
#[allow(dead_code, reason = "other tests use the rest")]
mod server;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use rustls::version::{TLS12, TLS13};
use turn_server::{Config, Destination, Door, SharedPort, Streams, Visitor};

use client::{
    Client, Relayed,
    wire::{Wire, connect},
};
use secured::{NAME, Secured, WEB_NAME};
use server::{Server, config, peer};

/// How [`Server::metric`] finds the reasons of ends.
const ENDED: &str = "turn_connections_ended_total";

fn start(config: &Config, secured: &Secured) -> Server {
    Server::start_with(config, |surroundings| {
        surroundings.with_certificates(secured.certificates.clone())
    })
}

fn with_door(config: &Config, secured: &Secured) -> (Server, mpsc::Receiver<Visitor>) {
    let (sender, visitors) = mpsc::channel();
    let sender = Mutex::new(sender);
    let door: Door = Arc::new(move |visitor| sender.lock().unwrap().send(visitor).is_ok());
    let server = Server::start_with(config, |surroundings| {
        surroundings
            .with_certificates(secured.certificates.clone())
            .with_door(door)
    });
    (server, visitors)
}

fn assert_closed(stream: &mut impl Read) {
    let mut bytes = [0; 256];
    while stream.read(&mut bytes).is_ok_and(|len| len > 0) {}
}

/// The first bytes that a visitor sent.
fn first_bytes(visitor: &Visitor, len: usize) -> Vec<u8> {
    let mut stream = &visitor.stream;
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut bytes = vec![0; len];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// RFC 7443: the protocol that was offered is answered.
#[test]
fn a_tls_client_relays_over_both_versions_families_and_protocols() {
    let secured = Secured::new();
    for (listen, version, protocol) in [
        ("127.0.0.1:0", &TLS13, Some("stun.turn")),
        ("127.0.0.1:0", &TLS12, Some("stun.nat-discovery")),
        ("[::1]:0", &TLS13, None),
        ("[::1]:0", &TLS12, Some("stun.turn")),
    ] {
        let server = start(&config(listen, 2), &secured);
        // Every TCP listener speaks it.
        for address in [server.running.tls_listeners()[0], server.tcp()] {
            let protocols: Vec<_> = protocol.into_iter().collect();
            let session = secured.session(NAME, &protocols, version);
            let session = secured.over(connect(address), session);
            assert_eq!(session.conn.alpn_protocol(), protocol.map(str::as_bytes));
            let mut client = Client::by(Wire::over(session), address);
            assert!(client.permit(address).is_err(), "nothing without an allocation");
            let family = stun_wire::AddressFamily::of(address.ip());
            let relayed = client.allocate_again(Some(family)).unwrap();
            let peer = peer(&SocketAddr::new(address.ip(), 0).to_string());
            let home = peer.local_addr().unwrap();
            client.bind(0x4000, home).unwrap();
            let mut bytes = [0; 2048];
            for payload in [&b"by channel"[..], &[7; 1400], b""] {
                client.send_channel(0x4000, payload);
                assert_eq!(peer.recv_from(&mut bytes).unwrap(), (payload.len(), relayed));
                peer.send_to(payload, relayed).unwrap();
                assert_eq!(client.receive(&mut bytes), Relayed::Channel(0x4000, payload));
            }
            server.wait_for("turn_allocations", "tls", 1.0);
            server.wait_for("turn_connections", "tls", 1.0);
            drop(client);
            server.wait_for("turn_connections", "tls", 0.0);
            server.wait_for("turn_allocations", "tls", 0.0);
        }
    }
}

#[test]
fn frames_and_records_need_not_agree() {
    let secured = Secured::new();
    let server = start(&config("127.0.0.1:0", 1), &secured);
    let address = server.running.tls_listeners()[0];
    let session = secured.connect(address, NAME, &[]);
    let mut client = Client::by(Wire::over(session), address);
    client.allocate();
    let peer = peer("127.0.0.1:0");
    client.bind(0x4000, peer.local_addr().unwrap()).unwrap();
    let frame = [&[0x40, 0, 0, 5][..], b"hello\0\0\0"].concat();
    let two = frame.repeat(2);
    let mut bytes = [0; 64];
    for cut in 1..two.len() {
        client.wire.send_raw(&two[..cut]);
        client.wire.send_raw(&two[cut..]);
        for _ in 0..2 {
            assert_eq!(peer.recv(&mut bytes).unwrap(), 5);
        }
    }
    // Many in one record.
    client.wire.send_raw(&frame.repeat(150));
    for _ in 0..150 {
        assert_eq!(peer.recv(&mut bytes).unwrap(), 5);
    }
}

#[test]
fn towards_a_slow_tls_client_datagrams_are_dropped_whole_and_counted() {
    let secured = Secured::new();
    let server = start(
        &Config {
            streams: Streams {
                send_queue: 70_000,
                ..Streams::default()
            },
            ..config("127.0.0.1:0", 1)
        },
        &secured,
    );
    let address = server.running.tls_listeners()[0];
    let mut client = Client::by(Wire::over(secured.connect(address, NAME, &[])), address);
    let relayed = client.allocate();
    let peer = peer("127.0.0.1:0");
    client.bind(0x4000, peer.local_addr().unwrap()).unwrap();
    while server.metric("turn_dropped_datagrams_total", "client_queue_full") < 100.0 {
        for _ in 0..50 {
            peer.send_to(&[0x5a; 1200], relayed).unwrap();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(client.refresh(600), Ok(()));
    assert!(!client.aside.is_empty());
    assert!(
        client
            .aside
            .iter()
            .all(|frame| frame.len() == 1204 && frame[4..] == [0x5a; 1200])
    );
    peer.send_to(b"as before", relayed).unwrap();
    assert_eq!(
        client.receive(&mut [0; 2048]),
        Relayed::Channel(0x4000, b"as before")
    );
}

#[test]
fn broken_and_unfinished_handshakes_end_with_their_reason() {
    let secured = Secured::new();
    let server = start(
        &Config {
            streams: Streams {
                handshake: 1,
                ..Streams::default()
            },
            ..config("127.0.0.1:0", 1)
        },
        &secured,
    );
    let address = server.running.tls_listeners()[0];
    let hello = |name: &str| {
        let mut bytes = Vec::new();
        secured.session(name, &[], &TLS13).write_tls(&mut bytes).unwrap();
        bytes
    };
    // Cut short, and whole but never gone on with.
    for bytes in [&hello(NAME)[..30], &hello(NAME)] {
        let mut stream = connect(address);
        stream.write_all(bytes).unwrap();
        assert_closed(&mut stream);
    }
    server.wait_for(ENDED, "handshake_time", 2.0);
    let mut wrong = hello(NAME);
    wrong[5] = 99;
    let garbage = [&hello(NAME)[..], &[0x17, 3, 3, 0, 20], &[9; 20]].concat();
    for bytes in [wrong, garbage] {
        let mut stream = connect(address);
        stream.write_all(&bytes).unwrap();
        assert_closed(&mut stream);
    }
    server.wait_for(ENDED, "tls", 2.0);
    // A handshake and then nothing is no better than nothing.
    assert_closed(&mut secured.connect(address, NAME, &[]));
    server.wait_for(ENDED, "handshake_time", 3.0);
    server.wait_for("turn_connections", "tls", 0.0);
    server.wait_for("turn_connections", "tcp", 0.0);
}

#[test]
fn protocols_then_names_then_the_default_decide_who_gets_a_tls_connection() {
    let secured = Secured::new();
    for default in [Destination::Turn, Destination::Web] {
        let shared_port = SharedPort {
            default,
            names: [
                (WEB_NAME.to_owned(), Destination::Web),
                (NAME.to_owned(), Destination::Turn),
            ]
            .into(),
            ..SharedPort::default()
        };
        let (server, visitors) = with_door(
            &Config {
                shared_port,
                ..config("127.0.0.1:0", 1)
            },
            &secured,
        );
        let cases: [(&str, &[&str], Destination); 7] = [
            (NAME, &[], Destination::Turn),
            (NAME, &["h2", "http/1.1"], Destination::Web),
            (NAME, &["acme-tls/1"], Destination::Web),
            (WEB_NAME, &[], Destination::Web),
            (WEB_NAME, &["stun.turn"], Destination::Turn),
            ("localhost", &[], default),
            ("localhost", &["stun.nat-discovery"], Destination::Turn),
        ];
        for (name, protocols, to) in cases {
            let session = secured.session(name, protocols, &TLS13);
            match to {
                Destination::Turn => {
                    let session = secured.over(connect(server.tcp()), session);
                    let mut client = Client::by(Wire::over(session), server.tcp());
                    client.allocate();
                    assert!(visitors.try_recv().is_err());
                }
                Destination::Web => {
                    let (mut stream, mut session) = (connect(server.tcp()), session);
                    let mut hello = Vec::new();
                    session.write_tls(&mut hello).unwrap();
                    // In pieces: nothing of it may be lost.
                    let (one, other) = hello.split_at(50);
                    stream.write_all(one).unwrap();
                    std::thread::sleep(Duration::from_millis(20));
                    stream.write_all(other).unwrap();
                    let visitor = visitors.recv_timeout(Duration::from_secs(10)).unwrap();
                    assert!(visitor.is_tls);
                    assert_eq!(
                        (visitor.peer, visitor.local),
                        (stream.local_addr().unwrap(), server.tcp())
                    );
                    assert_eq!(first_bytes(&visitor, hello.len()), hello);
                }
            }
        }
    }
}

/// The port of TURN over TLS serves a page, too, in the clear and within TLS, with connections of all kinds at once.
#[test]
fn one_port_serves_turn_and_the_web() {
    let secured = Secured::new();
    let (server, visitors) = with_door(&config("127.0.0.1:0", 2), &secured);
    let tls = secured
        .certificates
        .server_config(&[b"http/1.1"], certificates::MinVersion::Tls12);
    let web = std::thread::spawn(move || {
        for visitor in visitors.iter().take(2) {
            visitor.stream.set_nonblocking(false).unwrap();
            let mut request = [0; 18];
            if visitor.is_tls {
                let session = rustls::ServerConnection::new(Arc::clone(&tls)).unwrap();
                let mut stream = rustls::StreamOwned::new(session, visitor.stream);
                stream.read_exact(&mut request).unwrap();
                stream.write_all(b"HTTP/1.1 204 Secure\r\n\r\n").unwrap();
            } else {
                let mut stream = &visitor.stream;
                stream.read_exact(&mut request).unwrap();
                stream.write_all(b"HTTP/1.1 204 Plain\r\n\r\n").unwrap();
            }
            assert_eq!(&request, b"GET / HTTP/1.1\r\n\r\n");
        }
    });
    let address = server.running.tls_listeners()[0];
    let mut over_tls = Client::by(
        Wire::over(secured.connect(address, NAME, &["stun.turn"])),
        address,
    );
    over_tls.allocate();
    let mut over_tcp = Client::by(Wire::tcp(address), address);
    over_tcp.allocate();

    let mut answer = [0; 22];
    let mut plain = connect(address);
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    plain.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 204 Plain\r\n\r\n");
    let mut secure = secured.connect(address, NAME, &["http/1.1"]);
    secure.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = [0; 23];
    secure.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 204 Secure\r\n\r\n");
    web.join().unwrap();

    assert_eq!(over_tls.refresh(600), Ok(()));
    assert_eq!(over_tcp.refresh(600), Ok(()));
    server.wait_for(ENDED, "web", 2.0);
    server.wait_for("turn_connections", "tcp", 1.0);
    server.wait_for("turn_connections", "tls", 1.0);
}

#[test]
fn what_nobody_here_can_serve_is_closed_and_counted() {
    let secured = Secured::new();
    let server = Server::start(&config("127.0.0.1:0", 1));
    assert!(server.running.tls_listeners().is_empty(), "without a certificate");
    let mut hello = Vec::new();
    secured.session(NAME, &[], &TLS13).write_tls(&mut hello).unwrap();
    let mut for_web = Vec::new();
    secured
        .session(NAME, &["h2"], &TLS13)
        .write_tls(&mut for_web)
        .unwrap();
    for (bytes, reason, count) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], "no_web", 1.0),
        (&for_web, "no_web", 2.0),
        (&hello, "no_certificate", 1.0),
    ] {
        let mut stream = connect(server.tcp());
        stream.write_all(bytes).unwrap();
        assert_closed(&mut stream);
        server.wait_for(ENDED, reason, count);
    }
    let refusing = Server::start_with(&config("127.0.0.1:0", 1), |surroundings| {
        surroundings.with_door(Arc::new(|_| false))
    });
    let mut stream = connect(refusing.tcp());
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert_closed(&mut stream);
    refusing.wait_for(ENDED, "web_refused", 1.0);
}

/// A web server behind the relay, which is told who its clients are.
#[test]
fn web_connections_are_passed_on_to_a_web_server_that_is_named() {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let secured = Secured::new();
    let shared_port = SharedPort {
        upstream: Some(upstream.local_addr().unwrap()),
        upstream_proxy_protocol: true,
        ..SharedPort::default()
    };
    // The door would be taken by nobody: what is configured wins.
    let (server, visitors) = with_door(
        &Config {
            shared_port,
            ..config("127.0.0.1:0", 1)
        },
        &secured,
    );
    let mut client = connect(server.tcp());
    client.write_all(b"GET /").unwrap();
    let (mut web, _) = upstream.accept().unwrap();
    let mut header = [0; 28];
    web.read_exact(&mut header).unwrap();
    let port = client.local_addr().unwrap().port().to_be_bytes();
    assert_eq!(header[..16], *b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c");
    assert_eq!(
        (&header[16..20], &header[24..26]),
        (&[127, 0, 0, 1][..], &port[..])
    );
    let mut request = [0; 5];
    web.read_exact(&mut request).unwrap();
    assert_eq!(&request, b"GET /");
    // A megabyte the other way, and each side hears of the other's end.
    let page: Vec<u8> = (0..1 << 20).map(|index: u32| index as u8).collect();
    let sent = page.clone();
    let writer = std::thread::spawn(move || {
        web.write_all(&sent).unwrap();
        web.shutdown(std::net::Shutdown::Write).unwrap();
        let mut rest = Vec::new();
        web.read_to_end(&mut rest).unwrap();
        rest
    });
    let mut received = Vec::new();
    client.read_to_end(&mut received).unwrap();
    assert!(received == page);
    client.write_all(b" HTTP/1.0\r\n\r\n").unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(writer.join().unwrap(), b" HTTP/1.0\r\n\r\n");
    assert!(visitors.try_recv().is_err());

    // Nobody there: the client is closed and the relay goes on.
    drop(upstream);
    let mut stream: TcpStream = connect(server.tcp());
    stream.write_all(b"GET /").unwrap();
    assert_closed(&mut stream);
    Client::by(Wire::tcp(server.tcp()), server.tcp()).allocate();
}

#[test]
fn an_address_has_its_share_of_web_connections_and_gets_it_back() {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = Config {
        shared_port: SharedPort {
            upstream: Some(upstream.local_addr().unwrap()),
            ..SharedPort::default()
        },
        streams: Streams {
            connections_per_address: 2,
            ..Streams::default()
        },
        ..config("127.0.0.1:0", 1)
    };
    let server = Server::start(&config);
    let visit = || {
        let mut client = connect(server.tcp());
        client.write_all(b"GET /").unwrap();
        client
    };
    let mut visits = [(); 2].map(|()| (visit(), upstream.accept().unwrap().0));
    server.wait_for(ENDED, "web", 2.0);
    assert_closed(&mut connect(server.tcp()));
    server.wait_for(ENDED, "too_many_from_network", 1.0);
    let (client, web) = &mut visits[0];
    client.shutdown(std::net::Shutdown::Both).unwrap();
    web.shutdown(std::net::Shutdown::Both).unwrap();
    // Its place is free a moment later.
    for number in 3.. {
        let mut client = connect(server.tcp());
        if client.write_all(b"GET /").is_ok() && upstream_is_reached(&upstream) {
            break;
        }
        assert!(number < 1000, "the place does not come back");
    }
}

/// Whether somebody is passed on within a moment.
fn upstream_is_reached(upstream: &TcpListener) -> bool {
    upstream.set_nonblocking(true).unwrap();
    std::thread::sleep(Duration::from_millis(10));
    upstream.accept().is_ok()
}

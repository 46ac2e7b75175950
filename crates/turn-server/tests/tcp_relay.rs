//! TCP allocations (RFC 6062): bytes between clients and peers that both speak TCP.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

#[allow(dead_code, reason = "other tests use the rest")]
mod client;
#[allow(dead_code, reason = "other tests use the rest")]
mod secured;
#[allow(dead_code, reason = "other tests use the rest")]
mod server;

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use stun_wire::{AddressFamily, AttributeType, Class, Message, MessageWriter, Method, TransactionId};
use turn_server::{Config, Peers, TcpRelay};

use rustls::version::{TLS12, TLS13};

use client::{
    Client,
    wire::{Wire, connect},
};
use secured::{NAME, Secured};
use server::{Server, config};

const TCP: u32 = 6 << 24;
const LEN: usize = 4_000_000;

fn with_tcp_relay(listen: &str, workers: u16) -> Config {
    Config {
        tcp_relay: TcpRelay {
            enabled: true,
            ..TcpRelay::default()
        },
        ..config(listen, workers)
    }
}

/// A client with a TCP allocation, and its relayed transport address.
fn allocated(server: &Server) -> (Client, SocketAddr) {
    allocated_over(server, Wire::tcp(server.tcp()))
}

fn allocated_over(server: &Server, wire: Wire) -> (Client, SocketAddr) {
    let mut client = Client::by(wire, server.tcp());
    let family = AddressFamily::of(server.tcp().ip());
    let mut allocate = || {
        client.request(Method::ALLOCATE, |writer| {
            writer.u32(AttributeType::REQUESTED_TRANSPORT, TCP).unwrap();
            writer
                .family(AttributeType::REQUESTED_ADDRESS_FAMILY, family)
                .unwrap();
        })
    };
    assert_eq!(allocate(), Err(401));
    let answer = allocate().unwrap();
    let message = Message::parse(&answer).unwrap();
    let relayed = message.xor_address(AttributeType::XOR_RELAYED_ADDRESS);
    (client, relayed.unwrap().unwrap())
}

fn connect_to(client: &mut Client, peer: SocketAddr) -> Result<u32, u16> {
    let answer = client.request(Method::CONNECT, |writer| {
        writer.xor_address(AttributeType::XOR_PEER_ADDRESS, peer).unwrap();
    })?;
    Ok(number(&answer))
}

fn number(message: &[u8]) -> u32 {
    let message = Message::parse(message).unwrap();
    message.u32(AttributeType::CONNECTION_ID).unwrap().unwrap()
}

/// Waits for a ConnectionAttempt.
fn attempt(client: &Client) -> (SocketAddr, u32) {
    let mut bytes = [0; 256];
    let len = client.wire.receive(&mut bytes);
    let message = Message::parse(&bytes[..len]).unwrap();
    assert_eq!(
        (message.class(), message.method()),
        (Class::Indication, Method::CONNECTION_ATTEMPT)
    );
    let peer = message.xor_address(AttributeType::XOR_PEER_ADDRESS);
    (peer.unwrap().unwrap(), number(&bytes[..len]))
}

/// Opens the data connection for a CONNECTION-ID; gives what came behind the answer, too.
fn bind(control: &Client, number: u32) -> Result<(TcpStream, Vec<u8>), u16> {
    let stream = connect(control.server());
    let mut data = control.beside(Wire::over(stream.try_clone().unwrap()));
    data.request(Method::CONNECTION_BIND, |writer| {
        writer.u32(AttributeType::CONNECTION_ID, number).unwrap();
    })?;
    Ok((stream, data.wire.take_rest()))
}

fn listener(of: SocketAddr) -> TcpListener {
    TcpListener::bind((of.ip(), 0)).unwrap()
}

fn numbered(len: usize) -> Vec<u8> {
    (0..len)
        .map(|at| (at * 31 + (at >> 8) * 7 + (at >> 16)) as u8)
        .collect()
}

/// Sends bytes and ends that half; gives all that came.
fn exchange(mut stream: TcpStream, len: usize) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut writing = stream.try_clone().unwrap();
        let writer = thread::spawn(move || {
            writing.write_all(&numbered(len)).unwrap();
            writing.shutdown(Shutdown::Write).unwrap();
        });
        let mut seen = Vec::new();
        stream.read_to_end(&mut seen).unwrap();
        writer.join().unwrap();
        seen
    })
}

fn exchanged(one: TcpStream, other: TcpStream) {
    let (one, other) = (exchange(one, LEN), exchange(other, LEN / 2));
    assert!(one.join().unwrap() == numbered(LEN / 2));
    assert!(other.join().unwrap() == numbered(LEN));
}

#[test]
fn bytes_go_both_ways_to_a_peer_that_the_client_connects_to() {
    for listen in ["127.0.0.1:0", "[::1]:0"] {
        let server = Server::start(&with_tcp_relay(listen, 2));
        let (mut client, relayed) = allocated(&server);
        let peer = listener(relayed);
        let id = connect_to(&mut client, peer.local_addr().unwrap()).unwrap();
        let (far, from) = peer.accept().unwrap();
        assert_eq!(from, relayed);
        let again = connect_to(&mut client, peer.local_addr().unwrap());
        assert_eq!(again, Err(446));
        let (near, rest) = bind(&client, id).unwrap();
        assert!(rest.is_empty());
        server.wait_for("turn_tcp_peer_connections", "", 1.0);
        exchanged(near, far);
        server.wait_for("turn_tcp_peer_connections", "", 0.0);
        server.wait_for("turn_relay_bytes_total", "to_peer", LEN as f64);
        server.wait_for("turn_relay_bytes_total", "to_client", LEN as f64 / 2.0);
        // Nothing waits under that name, so the nonce of the control connection is no good for it either.
        assert_eq!(bind(&client, id).map(drop), Err(438));
    }
}

#[test]
fn a_permitted_peer_that_connects_is_announced_and_what_it_sent_before_is_kept() {
    let server = Server::start(&with_tcp_relay("127.0.0.1:0", 2));
    let (mut client, relayed) = allocated(&server);
    client.permit(SocketAddr::new(relayed.ip(), 0)).unwrap();
    let mut far = connect(relayed);
    far.write_all(b"before anybody listens").unwrap();
    let (peer, id) = attempt(&client);
    assert_eq!(peer, far.local_addr().unwrap());
    let (mut near, mut seen) = bind(&client, id).unwrap();
    let have = seen.len();
    seen.resize(22, 0);
    near.read_exact(&mut seen[have..]).unwrap();
    assert_eq!(seen, b"before anybody listens");
    exchanged(near, far);
}

/// Control and data connections within TLS, by any worker; the peer's is in the clear.
#[test]
fn bytes_go_both_ways_within_tls() {
    let secured = Secured::new();
    let server = Server::start_with(&with_tcp_relay("127.0.0.1:0", 4), |surroundings| {
        surroundings.with_certificates(secured.certificates.clone())
    });
    for version in [&TLS12, &TLS13, &TLS12, &TLS13] {
        let over_tls = || {
            secured.over(
                connect(server.tcp()),
                secured.session(NAME, &["stun.turn"], version),
            )
        };
        let (mut client, relayed) = allocated_over(&server, Wire::over(over_tls()));
        let peer = listener(relayed);
        let id = connect_to(&mut client, peer.local_addr().unwrap()).unwrap();
        let mut far = peer.accept().unwrap().0;
        far.write_all(b"early").unwrap();
        let mut data = client.beside(Wire::over(over_tls()));
        data.request(Method::CONNECTION_BIND, |writer| {
            writer.u32(AttributeType::CONNECTION_ID, id).unwrap();
        })
        .unwrap();
        let mut seen = data.wire.take_rest();
        data.wire.read_raw(&mut seen, 5);
        assert_eq!(seen, b"early");

        let far = exchange(far, LEN);
        let mut seen = Vec::new();
        data.wire.send_raw(&numbered(100_000));
        data.wire.read_raw(&mut seen, LEN);
        assert!(seen == numbered(LEN));
        data.wire.send_raw(&numbered(50_000));
        drop(data);
        assert!(far.join().unwrap() == [numbered(100_000), numbered(50_000)].concat());
    }
    server.wait_for("turn_tcp_peer_connections", "", 0.0);
}

/// RFC 6062 §5.3, THREATS 29.
#[test]
fn a_peer_without_permission_is_closed_at_once() {
    let server = Server::start(&with_tcp_relay("127.0.0.1:0", 1));
    let (mut client, relayed) = allocated(&server);
    let mut far = connect(relayed);
    assert!(matches!(far.read(&mut [0]), Ok(0) | Err(_)));
    server.wait_for("turn_tcp_peers_refused_total", "no_permission", 1.0);
    client.permit(SocketAddr::new(relayed.ip(), 0)).unwrap();
    let far = connect(relayed);
    assert_eq!(attempt(&client).0, far.local_addr().unwrap());
}

/// THREATS 1, 5 and 29.
#[test]
fn our_own_machine_is_no_peer_by_default() {
    let server = Server::start(&Config {
        peers: Peers::default(),
        ..with_tcp_relay("127.0.0.1:0", 2)
    });
    let (mut client, relayed) = allocated(&server);
    let service = listener(relayed);
    service.set_nonblocking(true).unwrap();
    let address = service.local_addr().unwrap();
    let refused = connect_to(&mut client, address).unwrap_err();
    // In the range of the relays' ports it might have been a relay; it was not.
    assert!(refused == 403 || (refused == 447 && address.port() >= 49_152));
    assert_eq!(connect_to(&mut client, server.tcp()), Err(403));
    assert_eq!(client.permit(SocketAddr::new(relayed.ip(), 0)), Err(403));
    let mut far = connect(relayed);
    assert!(matches!(far.read(&mut [0]), Ok(0) | Err(_)));
    thread::sleep(Duration::from_millis(50));
    assert_eq!(service.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
}

/// The default policy refuses loopback, and lets relays reach each other all the same; which workers have them is
/// chance.
#[test]
fn relays_of_any_workers_reach_each_other() {
    let server = Server::start(&Config {
        peers: Peers::default(),
        ..with_tcp_relay("127.0.0.1:0", 4)
    });
    for _ in 0..12 {
        let (mut alice, at_alice) = allocated(&server);
        let (mut bob, at_bob) = allocated(&server);
        assert_eq!(
            connect_to(&mut alice, at_bob),
            Err(447),
            "the other one's permission is asked"
        );
        bob.permit(at_alice).unwrap();
        let to_bob = connect_to(&mut alice, at_bob).unwrap();
        let (peer, to_alice) = attempt(&bob);
        assert_eq!(peer, at_alice);
        let (mut at_alice, _) = bind(&alice, to_bob).unwrap();
        let (mut at_bob, _) = bind(&bob, to_alice).unwrap();
        let mut seen = [0; 5];
        at_alice.write_all(b"hello").unwrap();
        at_bob.read_exact(&mut seen).unwrap();
        assert_eq!(&seen, b"hello");
        at_bob.write_all(b"world").unwrap();
        at_alice.read_exact(&mut seen).unwrap();
        assert_eq!(&seen, b"world");
        drop(at_bob);
        assert_eq!(at_alice.read(&mut seen).unwrap(), 0);
    }
    server.wait_for("turn_tcp_peer_connections", "", 0.0);
}

/// The kernel gives a data connection to any worker; the one that knows its peer gets it.
#[test]
fn data_connections_find_their_worker() {
    let server = Server::start(&with_tcp_relay("127.0.0.1:0", 4));
    let (mut client, relayed) = allocated(&server);
    let peer = listener(relayed);
    let connections: Vec<_> = (0..16)
        .map(|round| {
            let peer = if round == 0 {
                peer.try_clone().unwrap()
            } else {
                listener(relayed)
            };
            let id = connect_to(&mut client, peer.local_addr().unwrap()).unwrap();
            let (near, _) = bind(&client, id).unwrap();
            (near, peer.accept().unwrap().0)
        })
        .collect();
    for (mut near, mut far) in connections {
        near.write_all(b"there").unwrap();
        let mut seen = [0; 5];
        far.read_exact(&mut seen).unwrap();
        assert_eq!(&seen, b"there");
    }
}

#[test]
fn a_peer_that_refuses_is_a_447() {
    let server = Server::start(&with_tcp_relay("127.0.0.1:0", 1));
    let (mut client, relayed) = allocated(&server);
    let nobody = listener(relayed).local_addr().unwrap();
    assert_eq!(connect_to(&mut client, nobody), Err(447));
    server.wait_for("turn_tcp_peer_connections", "", 0.0);
}

/// RFC 6062 §5.5.
#[test]
fn whatever_ends_takes_the_other_side_with_it() {
    let server = Server::start(&with_tcp_relay("127.0.0.1:0", 2));
    /// Ends something, and gives the streams that must end by that.
    type End = fn(Client, TcpStream, TcpStream) -> [Option<TcpStream>; 2];
    let ends: [End; 4] = [
        |mut control, near, far| {
            control.refresh(0).unwrap();
            [Some(near), Some(far)]
        },
        |control, near, far| {
            drop(control);
            [Some(near), Some(far)]
        },
        |control, near, far| {
            std::mem::forget(control);
            drop(near);
            [Some(far), None]
        },
        |control, near, far| {
            std::mem::forget(control);
            drop(far);
            [Some(near), None]
        },
    ];
    for end in ends {
        let (mut client, relayed) = allocated(&server);
        let peer = listener(relayed);
        let id = connect_to(&mut client, peer.local_addr().unwrap()).unwrap();
        let (near, _) = bind(&client, id).unwrap();
        let (far, _) = peer.accept().unwrap();
        far.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        for mut left in end(client, near, far).into_iter().flatten() {
            assert_eq!(left.read(&mut [0]).unwrap(), 0);
        }
    }
    server.wait_for("turn_tcp_peer_connections", "", 0.0);
}

#[test]
fn without_the_switch_there_are_no_tcp_relays() {
    let server = Server::start(&config("127.0.0.1:0", 1));
    let mut client = Client::by(Wire::tcp(server.tcp()), server.tcp());
    let mut allocate = || {
        client.request(Method::ALLOCATE, |writer| {
            writer.u32(AttributeType::REQUESTED_TRANSPORT, TCP).unwrap();
        })
    };
    assert_eq!((allocate(), allocate()), (Err(401), Err(442)));
}

/// Nobody who is a stranger has two workers move his connection to and fro.
#[test]
fn a_connection_that_asks_one_worker_after_the_other_is_closed() {
    let server = Server::start(&with_tcp_relay("127.0.0.1:0", 2));
    let mut stream = connect(server.tcp());
    // Numbers of both workers, whichever are whose.
    for number in [1_u32, 2].repeat(4) {
        let mut bytes = [0; 64];
        let id = TransactionId([number as u8; 12]);
        let mut writer = MessageWriter::new(&mut bytes, Class::Request, Method::CONNECTION_BIND, id).unwrap();
        writer.u32(AttributeType::CONNECTION_ID, number).unwrap();
        let len = writer.finish();
        // The last ones may find it closed.
        let _ = stream.write_all(&bytes[..len]);
    }
    let mut answers = Vec::new();
    let _ = stream.read_to_end(&mut answers);
    server.wait_for("turn_connections_ended_total", "wandering", 1.0);
}

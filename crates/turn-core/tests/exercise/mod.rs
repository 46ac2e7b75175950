//! Feeds a server orders read from any bytes; the fuzz target and the random test share it.

#[path = "../driver/mod.rs"]
pub(crate) mod driver;

use std::{net::SocketAddr, time::Duration};

use driver::{Client, Driver, udp};
use stun_wire::{AttributeType, Method};
use turn_core::{
    ConnectionId, Errand, FiveTuple, HEADROOM, Link, ListenerId, Packet, PortRange, TcpRelay, ThirdParty,
    TokenAlgorithm, TokenKey, Transport,
};

/// The room of every buffer: the longest UDP payload with head and tail.
const ROOM: usize = HEADROOM + 65_507 + 3;

/// Nothing could be written after these.
const SEALS: [AttributeType; 2] = [
    AttributeType::MESSAGE_INTEGRITY,
    AttributeType::MESSAGE_INTEGRITY_SHA256,
];

/// Takes `order, length, bytes` again and again: raw datagrams from clients and peers, requests with a tampered
/// byte, connections to and from peers, passing time. The books must be right after each.
pub(crate) fn any_orders(bytes: &[u8]) {
    let mut driver = Driver::new(|config| {
        config.ports = PortRange::new(50_000, 50_007).expect("a range");
        config.classic_stun = true;
        let mut third_party = ThirdParty::new(driver::REALM).expect("a name");
        let key = TokenKey::new(TokenAlgorithm::A256Gcm, &[7; 32]).expect("a key of that length");
        third_party.add_key("alice", key, 0..u64::MAX);
        config.credentials.set_third_party(third_party);
        config.tcp_relay = Some(TcpRelay {
            connections_per_allocation: 3,
            ..TcpRelay::default()
        });
    });
    let client = driver.allocate(address(0));
    driver.bind(&client, 0x4000, SocketAddr::from(([8, 8, 8, 8], 5000)));
    let tcp = driver.allocate_tcp(on_tcp(0));
    let mut buffer = vec![0; ROOM];
    let mut rest = bytes;
    while let Some((&[order, len], after)) = rest.split_first_chunk::<2>() {
        let (datagram, after) = after.split_at(usize::from(len).min(after.len()));
        rest = after;
        obey(&mut driver, (&client, &tcp), order, datagram, &mut buffer);
        driver.perform_outputs();
        driver.server.check_invariants();
    }
}

fn obey(driver: &mut Driver, (client, tcp): (&Client, &Client), order: u8, bytes: &[u8], buffer: &mut [u8]) {
    let from = FiveTuple::udp(ListenerId(0), address(order >> 4), driver::SERVER);
    match order & 0x0f {
        0..=1 => from_client(driver, from, bytes, buffer),
        2 => with_peer(driver, tcp, order >> 4, bytes),
        3 => from_peer(
            driver,
            client,
            SocketAddr::from(([8, 8, 8, 8], 5000)),
            bytes,
            buffer,
        ),
        4 => from_peer(
            driver,
            client,
            SocketAddr::from(([192, 0, 2, 1], 50_000)),
            bytes,
            buffer,
        ),
        5 => hairpin(
            driver,
            SocketAddr::from(([192, 0, 2, 1], 50_000 + u16::from(order >> 4))),
            bytes,
            buffer,
        ),
        6 => pass(driver, 1 + u64::from(order >> 4) * 60),
        7..=9 => tampered(driver, from, Method::ALLOCATE, bytes, buffer),
        10 => tampered(driver, from, Method::REFRESH, bytes, buffer),
        11 => tampered(driver, from, Method::CREATE_PERMISSION, bytes, buffer),
        12 => tampered(driver, on_tcp(order >> 4), Method::CONNECT, bytes, buffer),
        13 => tampered(driver, from, Method::CHANNEL_BIND, bytes, buffer),
        14 => tampered(driver, on_tcp(order >> 4), Method::CONNECTION_BIND, bytes, buffer),
        _ => {
            let nonce = driver.learn_nonce(from);
            let request = driver.signed(Method::ALLOCATE, &nonce, udp);
            from_client(driver, from, &request, buffer);
        }
    }
}

/// Signs a request whose attributes are the bytes: type, length, value as they come.
fn tampered(driver: &mut Driver, from: FiveTuple, method: Method, bytes: &[u8], buffer: &mut [u8]) {
    let nonce = driver.learn_nonce(from);
    let request = driver.signed(method, &nonce, |writer| {
        udp(writer);
        let mut rest = bytes;
        while let Some((&[kind, len], after)) = rest.split_first_chunk::<2>() {
            let (value, after) = after.split_at(usize::from(len % 24).min(after.len()));
            rest = after;
            let kind = AttributeType(kind.into());
            if !SEALS.contains(&kind) {
                writer.attribute(kind, value).expect("room");
            }
        }
    });
    from_client(driver, from, &request, buffer);
}

/// Something happens between the TCP allocation and a peer. Freed, its requests are refused.
fn with_peer(driver: &mut Driver, tcp: &Client, step: u8, bytes: &[u8]) {
    let last = bytes.first().copied().unwrap_or(0);
    let peer = match step {
        0..8 => SocketAddr::from(([8, 8, 8, last], 80)),
        _ => SocketAddr::from(([192, 0, 2, 1], 50_000 + u16::from(last % 8))),
    };
    match step % 8 {
        0..=2 => {
            let request = driver.signed(Method::CONNECT, &tcp.nonce, |writer| {
                writer
                    .xor_address(AttributeType::XOR_PEER_ADDRESS, peer)
                    .expect("room");
            });
            driver.hear(tcp.five_tuple, &request);
        }
        3 | 4 => {
            if let Some(connecting) = driver.connecting.pop() {
                driver
                    .server
                    .peer_connected(driver.now, connecting, !last.is_multiple_of(4));
                driver.perform_outputs();
                bind_last(driver, tcp, last);
            }
        }
        5 => {
            driver.permit_or_not(tcp, peer);
        }
        6 => {
            let arrived = driver.server.peer_arrived(driver.now, tcp.relay, peer);
            driver.perform_outputs();
            if let Ok(id) = arrived
                && !bind_last(driver, tcp, last)
            {
                driver.server.peer_closed(driver.now, id);
            }
        }
        _ => {
            let to = SocketAddr::from(([192, 0, 2, 1], 50_000 + u16::from(last % 8)));
            // A refusal is as good.
            let _ = driver.server.relay_arrived(driver.now, peer, to);
        }
    }
}

/// Binds the connection that the last message to the client named, now and then.
fn bind_last(driver: &mut Driver, tcp: &Client, last: u8) -> bool {
    let Some(number) = driver.last_connection_id().filter(|_| last.is_multiple_of(2)) else {
        return false;
    };
    let request = driver.signed(Method::CONNECTION_BIND, &tcp.nonce, |writer| {
        writer.u32(AttributeType::CONNECTION_ID, number).expect("room");
    });
    driver.hear(on_tcp(1 + last % 15), &request);
    true
}

/// The five-tuple of the nth connection of the host with the TCP allocation.
fn on_tcp(n: u8) -> FiveTuple {
    let client = SocketAddr::from(([198, 51, 100, 77], 6000 + u16::from(n)));
    FiveTuple {
        link: Link::Connection(ConnectionId {
            worker: 0,
            index: n.into(),
            generation: 0,
        }),
        transport: Transport::Tcp,
        client,
        server: driver::SERVER,
    }
}

fn from_client(driver: &mut Driver, from: FiveTuple, bytes: &[u8], buffer: &mut [u8]) {
    buffer[HEADROOM..HEADROOM + bytes.len()].copy_from_slice(bytes);
    let mut packet = Packet::new(buffer, HEADROOM, bytes.len());
    driver.server.handle_client(driver.now, from, &mut packet);
}

fn from_peer(driver: &mut Driver, client: &Client, peer: SocketAddr, bytes: &[u8], buffer: &mut [u8]) {
    buffer[HEADROOM..HEADROOM + bytes.len()].copy_from_slice(bytes);
    let mut packet = Packet::new(buffer, HEADROOM, bytes.len());
    driver
        .server
        .handle_peer(driver.now, client.relay, peer, &mut packet);
}

fn hairpin(driver: &mut Driver, to: SocketAddr, bytes: &[u8], buffer: &mut [u8]) {
    buffer[HEADROOM..HEADROOM + bytes.len()].copy_from_slice(bytes);
    let mut packet = Packet::new(buffer, HEADROOM, bytes.len());
    let from = SocketAddr::from(([192, 0, 2, 1], 50_001));
    let errand = Errand::Hairpin { from, to };
    driver.server.handle_errand(driver.now, 1, errand, &mut packet);
}

fn pass(driver: &mut Driver, seconds: u64) {
    driver.now.instant += Duration::from_secs(seconds);
    driver.now.unix += Duration::from_secs(seconds);
    driver.server.handle_timeout(driver.now);
}

fn address(n: u8) -> SocketAddr {
    SocketAddr::from(([198, 51, 100, n], 5000))
}

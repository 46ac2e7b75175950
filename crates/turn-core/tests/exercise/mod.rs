//! Feeds a server orders read from any bytes; the fuzz target and the random test share it.

#[path = "../driver/mod.rs"]
pub(crate) mod driver;

use std::{net::SocketAddr, time::Duration};

use driver::{Client, Driver, udp};
use stun_wire::{AttributeType, Method};
use turn_core::{Errand, FiveTuple, HEADROOM, ListenerId, Packet, PortRange};

/// The room of every buffer: the longest UDP payload with head and tail.
const ROOM: usize = HEADROOM + 65_507 + 3;

/// Nothing could be written after these.
const SEALS: [AttributeType; 2] = [
    AttributeType::MESSAGE_INTEGRITY,
    AttributeType::MESSAGE_INTEGRITY_SHA256,
];

/// Takes `order, length, bytes` again and again: raw datagrams from clients and peers, requests with a tampered
/// byte, passing time. The books must be right after each.
pub(crate) fn any_orders(bytes: &[u8]) {
    let mut driver = Driver::new(|config| {
        config.ports = PortRange::new(50_000, 50_007).expect("a range");
        config.classic_stun = true;
    });
    let client = driver.allocate(address(0));
    driver.bind(&client, 0x4000, SocketAddr::from(([8, 8, 8, 8], 5000)));
    let mut buffer = vec![0; ROOM];
    let mut rest = bytes;
    while let Some((&[order, len], after)) = rest.split_first_chunk::<2>() {
        let (datagram, after) = after.split_at(usize::from(len).min(after.len()));
        rest = after;
        obey(&mut driver, &client, order, datagram, &mut buffer);
        driver.perform_outputs();
        driver.server.check_invariants();
    }
}

fn obey(driver: &mut Driver, client: &Client, order: u8, bytes: &[u8], buffer: &mut [u8]) {
    let from = FiveTuple::udp(ListenerId(0), address(order >> 4), driver::SERVER);
    match order & 0x0f {
        0..=2 => from_client(driver, from, bytes, buffer),
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
        11 | 12 => tampered(driver, from, Method::CREATE_PERMISSION, bytes, buffer),
        13 | 14 => tampered(driver, from, Method::CHANNEL_BIND, bytes, buffer),
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
    driver.server.handle_errand(driver.now, errand, &mut packet);
}

fn pass(driver: &mut Driver, seconds: u64) {
    driver.now.instant += Duration::from_secs(seconds);
    driver.now.unix += Duration::from_secs(seconds);
    driver.server.handle_timeout(driver.now);
}

fn address(n: u8) -> SocketAddr {
    SocketAddr::from(([198, 51, 100, n], 5000))
}

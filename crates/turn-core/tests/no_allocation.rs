//! The datagram path touches no heap, in either direction, whatever becomes of the datagram.

#[path = "../../stun-wire/tests/counting/mod.rs"]
mod counting;
mod driver;

use std::net::SocketAddr;

use driver::{Client, Driver, SERVER, channel_data, client_address};
use stun_wire::{AttributeType, Class, Method};
use turn_core::{Direction, HEADROOM, Packet, RelayAddress, RelayAddresses, Verdict};

const ROUNDS: u64 = 10_000;
const CHANNEL: u16 = 0x4000;

/// Its port lies in the range of relays, so that it is looked up among our own addresses.
fn peer() -> SocketAddr {
    SocketAddr::from(([8, 8, 8, 8], 50_000))
}

fn stranger() -> SocketAddr {
    SocketAddr::from(([8, 8, 4, 4], 5000))
}

/// Hands the same datagram in again and again; counts allocations and how often it was sent on.
fn from_client(driver: &mut Driver, client: &Client, datagram: &[u8]) -> (u64, u64) {
    let mut buffer = vec![0; 2048];
    let mut sent = 0;
    let count = counting::allocations(|| {
        for _ in 0..ROUNDS {
            buffer[HEADROOM..HEADROOM + datagram.len()].copy_from_slice(datagram);
            let mut packet = Packet::new(&mut buffer, HEADROOM, datagram.len());
            let verdict = driver
                .server
                .handle_client(driver.now, client.five_tuple, &mut packet);
            sent += u64::from(matches!(verdict, Verdict::Send { .. }));
        }
    });
    (count, sent)
}

fn from_peer(driver: &mut Driver, client: &Client, peer: SocketAddr) -> (u64, u64) {
    let mut buffer = vec![0; 2048];
    let mut sent = 0;
    let count = counting::allocations(|| {
        for len in 0..ROUNDS {
            let mut packet = Packet::new(&mut buffer, HEADROOM, len as usize % 1400);
            let verdict = driver
                .server
                .handle_peer(driver.now, client.relay, peer, &mut packet);
            sent += u64::from(matches!(verdict, Verdict::Send { .. }));
        }
    });
    (count, sent)
}

#[test]
fn relaying_by_channel_allocates_nothing() {
    let mut driver = Driver::new(|config| {
        let address = RelayAddress::new(SERVER.ip(), [203, 0, 113, 9].into())
            .expect("two unicast addresses of one family");
        config.relay = RelayAddresses::new(vec![address], None, None).expect("one relay address");
    });
    let client = driver.allocate(client_address(1));
    driver.bind(&client, CHANNEL, peer());
    assert_eq!(
        from_client(&mut driver, &client, &channel_data(CHANNEL, &[7; 1200])),
        (0, ROUNDS)
    );
    assert_eq!(from_peer(&mut driver, &client, peer()), (0, ROUNDS));
    assert_eq!(
        driver.server.counters().relayed(Direction::ToPeer).packets,
        ROUNDS
    );
}

#[test]
fn relaying_by_indication_allocates_nothing() {
    let mut driver = Driver::new(|_| ());
    let client = driver.allocate(client_address(1));
    driver.permit(&client, peer());
    let send = driver.message(Class::Indication, Method::SEND, |writer| {
        writer
            .xor_address(AttributeType::XOR_PEER_ADDRESS, peer())
            .expect("room");
        writer.attribute(AttributeType::DATA, &[7; 1200]).expect("room");
    });
    assert_eq!(from_client(&mut driver, &client, &send), (0, ROUNDS));
    assert_eq!(from_peer(&mut driver, &client, peer()), (0, ROUNDS));
}

#[test]
fn relay_to_relay_allocates_nothing() {
    let mut driver = Driver::new(|_| ());
    let (one, other) = (
        driver.allocate(client_address(1)),
        driver.allocate(client_address(2)),
    );
    driver.bind(&one, CHANNEL, other.relayed);
    driver.permit(&other, one.relayed);
    assert_eq!(
        from_client(&mut driver, &one, &channel_data(CHANNEL, &[7; 1200])),
        (0, ROUNDS)
    );
}

#[test]
fn dropping_allocates_nothing() {
    let mut driver = Driver::new(|_| ());
    let client = driver.allocate(client_address(1));
    let mut unknown = client.clone();
    unknown.five_tuple.client = stranger();
    assert_eq!(
        from_client(&mut driver, &client, &channel_data(0x4009, &[7; 1200])),
        (0, 0)
    );
    assert_eq!(
        from_client(&mut driver, &unknown, &channel_data(CHANNEL, &[7; 1200])),
        (0, 0)
    );
    assert_eq!(from_client(&mut driver, &client, &[0x17; 1200]), (0, 0));
    assert_eq!(from_client(&mut driver, &client, &[0x00; 1200]), (0, 0));
    assert_eq!(from_peer(&mut driver, &client, stranger()), (0, 0));
}

/// Nor does turning strangers away: a flood finds nothing to fill. (With an allocation, a debug build would
/// check its books after each request, which allocates.)
#[test]
fn challenging_strangers_allocates_nothing() {
    let mut driver = Driver::new(|_| ());
    let client = driver.allocate(client_address(1));
    driver.free(&client);
    let first = driver.message(Class::Request, Method::ALLOCATE, driver::udp);
    assert_eq!(from_client(&mut driver, &client, &first), (0, ROUNDS));
    let forged = driver.signed(Method::ALLOCATE, b"AAAAAAAAAAAAAAAAAAAA", driver::udp);
    assert_eq!(from_client(&mut driver, &client, &forged), (0, ROUNDS));
}

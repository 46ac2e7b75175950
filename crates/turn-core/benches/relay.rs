//! What a datagram costs in the core: both directions, hit and miss, and from relay to relay, with one allocation and with
//! 20,000. And what a port costs, when hardly one is taken and when hardly one is left.

#[path = "../tests/driver/mod.rs"]
mod driver;

use std::{hint::black_box, net::SocketAddr};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use driver::{Client, Driver, SERVER, channel_data, client_address, udp};
use stun_wire::{AttributeType, Class, Method};
use turn_core::{FiveTuple, HEADROOM, ListenerId, Packet};

const CHANNEL: u16 = 0x4000;
const PAYLOAD: usize = 1200;

/// A prime far from any power of two, so that successive datagrams meet unrelated allocations.
const STRIDE: usize = 7919;

fn peer(port: u16) -> SocketAddr {
    SocketAddr::from(([8, 8, 8, 8], port))
}

/// Allocations on as many server addresses as their ports need, each with one channel and one permission.
fn populated(count: u32) -> (Driver, Vec<Client>) {
    let mut driver = Driver::new(|_| ());
    let clients = (0..count).map(|n| {
        let mut server = SERVER;
        server.set_ip([192, 0, 2, 1 + (n / 10_000) as u8].into());
        let client = driver.allocate_on(server, client_address(n));
        driver.bind(&client, CHANNEL, peer(5000));
        driver.permit(&client, SocketAddr::from(([8, 8, 4, 4], 1)));
        client
    });
    let clients = clients.collect();
    (driver, clients)
}

fn from_client(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("client_to_peer");
    group.throughput(Throughput::Elements(1));
    for count in [1, 20_000] {
        let (mut driver, clients) = populated(count);
        let send = driver.message(Class::Indication, Method::SEND, |writer| {
            writer
                .xor_address(AttributeType::XOR_PEER_ADDRESS, peer(5000))
                .expect("room");
            writer
                .attribute(AttributeType::DATA, &[7; PAYLOAD])
                .expect("room");
        });
        for (name, datagram) in [
            ("channel", channel_data(CHANNEL, &[7; PAYLOAD])),
            ("unbound channel", channel_data(CHANNEL + 1, &[7; PAYLOAD])),
            ("send", send),
        ] {
            let mut buffer = vec![0; 2048];
            buffer[HEADROOM..HEADROOM + datagram.len()].copy_from_slice(&datagram);
            let mut at = 0;
            group.bench_function(BenchmarkId::new(name, count), |bencher| {
                bencher.iter(|| {
                    at = (at + STRIDE) % clients.len();
                    let mut packet = Packet::new(&mut buffer, HEADROOM, datagram.len());
                    black_box(
                        driver
                            .server
                            .handle_client(driver.now, clients[at].five_tuple, &mut packet),
                    )
                });
            });
        }
    }
    group.finish();
}

fn from_peer(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("peer_to_client");
    group.throughput(Throughput::Elements(1));
    for count in [1, 20_000] {
        let (mut driver, clients) = populated(count);
        for (name, from) in [
            ("channel", peer(5000)),
            ("data", peer(5001)),
            ("no permission", SocketAddr::from(([8, 8, 8, 9], 5000))),
        ] {
            let mut buffer = vec![0; 2048];
            let mut at = 0;
            group.bench_function(BenchmarkId::new(name, count), |bencher| {
                bencher.iter(|| {
                    at = (at + STRIDE) % clients.len();
                    let mut packet = Packet::new(&mut buffer, HEADROOM, PAYLOAD);
                    black_box(
                        driver
                            .server
                            .handle_peer(driver.now, clients[at].relay, from, &mut packet),
                    )
                });
            });
        }
    }
    group.finish();
}

/// From relay to relay, by channels on both sides.
fn from_relay_to_relay(criterion: &mut Criterion) {
    const TO_NEXT: u16 = CHANNEL + 1;
    const TO_FORMER: u16 = CHANNEL + 2;
    let mut group = criterion.benchmark_group("relay_to_relay");
    group.throughput(Throughput::Elements(1));
    for count in [2, 20_000] {
        let (mut driver, clients) = populated(count);
        for (client, next) in clients.iter().zip(clients.iter().cycle().skip(1)) {
            driver.bind(client, TO_NEXT, next.relayed);
            // Of two, each is both next and former.
            if count > 2 {
                driver.bind(next, TO_FORMER, client.relayed);
            }
        }
        let datagram = channel_data(TO_NEXT, &[7; PAYLOAD]);
        let mut buffer = vec![0; 2048];
        buffer[HEADROOM..HEADROOM + datagram.len()].copy_from_slice(&datagram);
        let mut at = 0;
        group.bench_function(BenchmarkId::new("channels", count), |bencher| {
            bencher.iter(|| {
                at = (at + STRIDE) % clients.len();
                let mut packet = Packet::new(&mut buffer, HEADROOM, datagram.len());
                let from = clients[at].five_tuple;
                let verdict = driver.server.handle_client(driver.now, from, &mut packet);
                // The next one is at the place of the header that this one replaced.
                buffer[HEADROOM..HEADROOM + 4].copy_from_slice(&datagram[..4]);
                black_box(verdict)
            });
        });
    }
    group.finish();
}

/// One allocation made and freed, with its four messages, among many others on the 16,384 ports of one address.
fn ports(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("allocate_and_free");
    group.sample_size(20);
    for (name, taken) in [("hardly a port taken", 10), ("99 % taken", 16_220)] {
        let mut driver = Driver::new(|_| ());
        for n in 0..taken {
            driver.allocate(client_address(n));
        }
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let client = driver.allocate(client_address(1 << 20));
                driver.free(&client);
            });
        });
    }
    group.finish();
}

/// What a forged request costs, of which a flood sends millions.
fn from_strangers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("strangers");
    group.throughput(Throughput::Elements(1));
    let (mut driver, _) = populated(1);
    let first = driver.message(Class::Request, Method::ALLOCATE, udp);
    let forged = driver.signed(Method::ALLOCATE, b"AAAAAAAAAAAAAAAAAAAA", udp);
    for (name, request) in [("challenge", first), ("forged nonce", forged)] {
        let mut buffer = vec![0; 2048];
        let mut n = 0;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                n = (n + 1) % (1 << 20);
                let from = FiveTuple::udp(ListenerId(0), client_address(n), SERVER);
                buffer[HEADROOM..HEADROOM + request.len()].copy_from_slice(&request);
                let mut packet = Packet::new(&mut buffer, HEADROOM, request.len());
                black_box(driver.server.handle_client(driver.now, from, &mut packet))
            });
        });
    }
    group.finish();
}

criterion_group!(
    benches,
    from_client,
    from_peer,
    from_relay_to_relay,
    from_strangers,
    ports
);
criterion_main!(benches);

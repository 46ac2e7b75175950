//! Clients whose datagrams the kernel brings to another worker than the one that has their allocation.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]
#![cfg(target_os = "linux")]

#[allow(dead_code, reason = "other tests use the rest")]
mod client;
#[allow(dead_code, reason = "other tests use the rest")]
mod server;

use std::{
    net::{SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use client::{Client, Relayed};
use server::{Server, config, peer};
use socket2::{Domain, Socket, Type};

const CHANNEL: u16 = 0x4000;
/// While a third socket is on the port, one client in six is brought to the other worker and one in three to nobody: that
/// all of them stay happens once in 60,000 runs.
const CLIENTS: u8 = 60;

/// One more socket on the server's port, among which the kernel chooses by their number.
fn intruder(at: SocketAddr) -> UdpSocket {
    let socket = Socket::new(Domain::for_address(at), Type::DGRAM, None).unwrap();
    socket.set_reuse_port(true).unwrap();
    socket.bind(&at.into()).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket.into()
}

/// Each client sends its number to the peer; returns who was heard. What the intruder gets is lost.
fn heard(clients: &[Client], peer: &UdpSocket, intruder: Option<&UdpSocket>) -> Vec<u8> {
    for (number, client) in clients.iter().enumerate() {
        client.send_channel(CHANNEL, &[number as u8]);
    }
    let deadline = Instant::now() + Duration::from_secs(10);
    let (mut bytes, mut heard, mut lost) = ([0; 2048], Vec::new(), 0);
    while heard.len() + lost < clients.len() {
        if let Ok(len) = peer.recv(&mut bytes) {
            assert_eq!(len, 1);
            heard.push(bytes[0]);
        }
        lost += std::iter::from_fn(|| intruder?.recv(&mut bytes).ok()).count();
        assert!(
            Instant::now() < deadline,
            "of {} only {heard:?} are served",
            clients.len() - lost
        );
    }
    heard.sort_unstable();
    heard
}

#[test]
fn a_client_is_served_by_whichever_worker_hears_it() {
    let mut config = config("127.0.0.1:0", 2);
    config.limits.allocations_per_user = 200;
    let server = Server::start(&config);
    assert_eq!(server.running.workers(), 2);
    let peer = peer("127.0.0.1:0");
    peer.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let home = peer.local_addr().unwrap();
    let (mut clients, relays): (Vec<_>, Vec<_>) = (0..CLIENTS)
        .map(|_| {
            let mut client = Client::of(server.udp());
            let relayed = client.allocate();
            client.bind(CHANNEL, home).unwrap();
            (client, relayed)
        })
        .unzip();
    let all: Vec<u8> = (0..CLIENTS).collect();
    assert_eq!(heard(&clients, &peer, None), all);

    let third = intruder(server.udp());
    let served = heard(&clients, &peer, Some(&third));
    assert!(
        served.len() < usize::from(CLIENTS),
        "the third socket gets its share"
    );
    for &number in &served {
        let (client, relayed) = (&mut clients[usize::from(number)], relays[usize::from(number)]);
        client.permit("127.0.0.1:9".parse().unwrap()).unwrap();
        client.refresh(600).unwrap();
        assert_eq!(client.allocate_again(None), Err(437), "it has an allocation");
        peer.send_to(&[number], relayed).unwrap();
        assert_eq!(
            client.receive(&mut [0; 2048]),
            Relayed::Channel(CHANNEL, &[number])
        );
        client.refresh(0).unwrap();
        client.allocate_again(None).expect("wherever it is heard now");
        client.bind(CHANNEL, home).unwrap();
    }
    drop(third);
    // And back: those who allocated meanwhile are at other workers now.
    assert_eq!(heard(&clients, &peer, None), all);
    assert!(peer.recv(&mut [0; 2048]).is_err(), "each once");
    server.wait_for("turn_allocations", "", CLIENTS.into());
}

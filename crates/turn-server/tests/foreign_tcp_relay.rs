//! turn-client-proto, an independent TURN client, with a TCP allocation (RFC 6062) on a running server.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the client's events, of which a test awaits one"
)]

#[allow(dead_code, reason = "other tests use the rest")]
mod client;
#[allow(dead_code, reason = "other tests use the rest")]
mod server;

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    time::{Duration, Instant},
};

use turn_client_proto::{
    api::{TurnClientApi, TurnConfig, TurnEvent, TurnPollRet, TurnRecvRet},
    prelude::DelayedTransmitBuild,
    stun::{Instant as Moment, agent::Transmit},
    tcp::TurnClientTcp,
    types::{TransportType, TurnCredentials},
};
use turn_server::{Config, TcpRelay};

use client::{PASSWORD, USER};
use server::{Server, config};

const LIMIT: Duration = Duration::from_secs(20);

/// The client with its control connection and, by local address, its data connections.
struct Driver {
    client: TurnClientTcp,
    server: SocketAddr,
    streams: BTreeMap<SocketAddr, TcpStream>,
    start: Instant,
    events: Vec<TurnEvent>,
    received: Vec<u8>,
    closed: bool,
}

fn stream_to(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(server).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_nonblocking(true).unwrap();
    stream
}

impl Driver {
    fn new(server: SocketAddr) -> Self {
        let control = stream_to(server);
        let local = control.local_addr().unwrap();
        let mut config = TurnConfig::new(TurnCredentials::new(USER, PASSWORD));
        config.set_allocation_transport(TransportType::Tcp);
        Self {
            client: TurnClientTcp::allocate(local, server, config),
            server,
            streams: [(local, control)].into(),
            start: Instant::now(),
            events: Vec::new(),
            received: Vec::new(),
            closed: false,
        }
    }

    fn now(&self) -> Moment {
        Moment::from_std(self.start)
    }

    fn step(&mut self) {
        let now = self.now();
        if let TurnPollRet::AllocateTcpSocket {
            id,
            socket,
            peer_addr,
        } = self.client.poll(now)
        {
            assert_eq!(socket.to, self.server);
            let data = stream_to(self.server);
            let local = data.local_addr().unwrap();
            self.streams.insert(local, data);
            self.client
                .allocated_tcp_socket(id, socket, peer_addr, Some(local), now)
                .unwrap();
        }
        while let Some(transmit) = self.client.poll_transmit(now) {
            self.send(transmit.from, &transmit.data);
        }
        while let Some(event) = self.client.poll_event() {
            self.events.push(event);
        }
        for local in self.streams.keys().copied().collect::<Vec<_>>() {
            self.receive(local);
        }
    }

    fn send(&mut self, from: SocketAddr, bytes: &[u8]) {
        (&self.streams[&from]).write_all(bytes).unwrap();
    }

    fn receive(&mut self, local: SocketAddr) {
        let now = self.now();
        let mut bytes = vec![0; 65_536];
        match (&self.streams[&local]).read(&mut bytes) {
            Ok(0) => {
                self.streams.remove(&local);
                self.client.tcp_closed(local, self.server, now);
                self.closed = true;
                return;
            }
            Ok(len) => bytes.truncate(len),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Err(error) => panic!("the line to the server broke: {error}"),
        }
        let received = Transmit::new(bytes, TransportType::Tcp, self.server, local);
        match self.client.recv(received, now) {
            TurnRecvRet::PeerData(data) => self.received.extend_from_slice(data.data()),
            TurnRecvRet::Handled => {}
            other => panic!("{other:?}"),
        }
        while let Some(data) = self.client.poll_recv(now) {
            self.received.extend_from_slice(data.data());
        }
    }

    fn until<T>(&mut self, what: &str, mut is: impl FnMut(&mut Self) -> Option<T>) -> T {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(found) = is(self) {
                return found;
            }
            assert!(Instant::now() < deadline, "{what}: {:?}", self.events);
            self.step();
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn event<T>(&mut self, what: &str, is: impl Fn(&TurnEvent) -> Option<T>) -> T {
        self.until(what, |driver| {
            let found = driver.events.iter().find_map(&is)?;
            driver.events.clear();
            Some(found)
        })
    }
}

#[test]
fn a_foreign_client_connects_to_peers_and_exchanges_bytes() {
    let server = Server::start(&Config {
        tcp_relay: TcpRelay {
            enabled: true,
            ..TcpRelay::default()
        },
        ..config("127.0.0.1:0", 4)
    });
    let mut driver = Driver::new(server.tcp());
    let relayed = driver.event("an allocation", |event| match event {
        TurnEvent::AllocationCreated(TransportType::Tcp, relayed) => Some(*relayed),
        _ => None,
    });
    let now = driver.now();
    driver
        .client
        .create_permission(TransportType::Tcp, relayed.ip(), now)
        .unwrap();
    driver.event("a permission", |event| match event {
        TurnEvent::PermissionCreated(..) => Some(()),
        _ => None,
    });
    for round in 1..=4 {
        let peer = TcpListener::bind((relayed.ip(), 0)).unwrap();
        let home = peer.local_addr().unwrap();
        let now = driver.now();
        driver.client.tcp_connect(home, now).unwrap();
        let (mut far, from) = driver.until("a connection", |_| {
            peer.set_nonblocking(true).unwrap();
            peer.accept().ok()
        });
        assert_eq!(from, relayed);
        far.set_nonblocking(false).unwrap();
        far.write_all(b"early ").unwrap();
        driver.event("a bound connection", |event| match event {
            TurnEvent::TcpConnected(peer) => (*peer == home).then_some(()),
            TurnEvent::TcpConnectFailed(peer) => panic!("no connection to {peer}"),
            _ => None,
        });
        far.write_all(b"bird").unwrap();
        driver.until("bytes of the peer", |driver| {
            (driver.received.len() >= 10).then_some(())
        });
        assert_eq!(std::mem::take(&mut driver.received), b"early bird");

        let payload: Vec<u8> = (0..100_000 * round).map(|at| (at % 251) as u8).collect();
        let now = driver.now();
        for chunk in payload.chunks(1000) {
            let sent = driver
                .client
                .send_to(TransportType::Tcp, home, chunk, now)
                .unwrap();
            let transmit = sent.unwrap();
            let from = transmit.from;
            driver.streams[&from].set_nonblocking(false).unwrap();
            driver.send(from, &transmit.data.build());
            driver.streams[&from].set_nonblocking(true).unwrap();
        }
        let mut seen = vec![0; payload.len()];
        far.read_exact(&mut seen).unwrap();
        assert!(seen == payload);
        drop(far);
        driver.until("the end of the connection", |driver| {
            std::mem::take(&mut driver.closed).then_some(())
        });
    }
    server.wait_for("turn_tcp_peer_connections", "", 0.0);
}

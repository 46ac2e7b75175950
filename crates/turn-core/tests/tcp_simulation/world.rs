//! One seed's course of events.

use std::{net::SocketAddr, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use stun_wire::{AttributeType, Class, Message, MessageWriter, Method};
use turn_core::{ConnectionId, FiveTuple, Link, PeerConnectionId, TcpRelay, Transport, Verdict};

use crate::driver::{Client, Driver, SERVER};
use crate::oracle::{CONNECTIONS_PER_ALLOCATION, Oracle, PERMISSION, is_forbidden};

const CLIENTS: usize = 3;
const PEERS: [&str; 5] = [
    "8.8.8.8:80",
    "8.8.8.8:81",
    "8.8.4.4:80",
    "8.8.4.4:81",
    "10.0.0.1:80",
];

pub(crate) struct World {
    rng: StdRng,
    driver: Driver,
    oracle: Oracle,
    clients: Vec<Option<Client>>,
    /// Numbers clients' connections, none of which comes twice.
    connections: u32,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let driver = Driver::new(|config| {
            config.permission_lifetime = PERMISSION;
            config.tcp_relay = Some(TcpRelay {
                connections_per_allocation: CONNECTIONS_PER_ALLOCATION,
                ..TcpRelay::default()
            });
        });
        Self {
            rng: StdRng::seed_from_u64(seed),
            driver,
            oracle: Oracle::default(),
            clients: vec![None; CLIENTS],
            connections: 0,
        }
    }

    /// Has anything happen for a while, then nothing for an hour; in the end nothing is left.
    pub(crate) fn live_and_die(&mut self) {
        for _ in 0..300 {
            self.step();
            self.compare();
        }
        self.pass(Duration::from_secs(2 * 3600));
        self.compare();
        assert_eq!(self.oracle.ids(), []);
        assert_eq!(self.driver.server.counters().relay_ports_in_use, 0);
        assert_eq!(self.driver.server.poll_timeout(), None);
    }

    fn step(&mut self) {
        let client = self.rng.random_range(0..CLIENTS);
        let peer: SocketAddr = PEERS[self.rng.random_range(0..PEERS.len())].parse().unwrap();
        match self.rng.random_range(0..100) {
            0..10 if !self.oracle.has_allocation(client) => self.allocate(client),
            0..20 => self.permit(client, peer),
            20..40 => self.connect(client, peer),
            40..55 => self.peer_answers(),
            55..65 => self.peer_arrives(client, peer),
            65..80 => self.bind(),
            80..84 => self.peer_closes(),
            84..86 => self.disconnect(client),
            86..88 => self.refresh(client, 0),
            88..92 => self.refresh(client, 600),
            _ => {
                let millis = self.rng.random_range(1..20_000);
                self.pass(Duration::from_millis(millis));
            }
        }
    }

    /// The shell's connections and the server's count of them are what the oracle says.
    fn compare(&mut self) {
        self.driver.server.check_invariants();
        let mut open = self.driver.connecting.clone();
        open.sort();
        assert_eq!(open, self.oracle.ids());
        assert_eq!(self.driver.server.counters().peer_connections, open.len() as u64);
    }

    fn five_tuple(&mut self, ip: [u8; 4]) -> FiveTuple {
        self.connections += 1;
        FiveTuple {
            link: Link::Connection(ConnectionId {
                worker: 0,
                index: self.connections,
                generation: 0,
            }),
            transport: Transport::Tcp,
            client: SocketAddr::from((ip, 10_000 + self.connections as u16)),
            server: SERVER,
        }
    }

    fn allocate(&mut self, client: usize) {
        let from = self.five_tuple([192, 0, 2, 100 + client as u8]);
        self.clients[client] = Some(self.driver.allocate_tcp(from));
        let lifetime = self.granted();
        self.oracle.allocated(client, self.driver.now.instant + lifetime);
    }

    fn permit(&mut self, client: usize, peer: SocketAddr) {
        let expected = match self.oracle.has_allocation(client) {
            false => Some(437),
            true => is_forbidden(peer.ip()).then_some(403),
        };
        let asked = self.ask(client, Method::CREATE_PERMISSION, |writer| {
            writer.xor_address(AttributeType::XOR_PEER_ADDRESS, peer).unwrap();
        });
        if asked.is_some() {
            assert_eq!(self.refusal(), expected);
            if expected.is_none() {
                self.oracle.permitted(self.driver.now.instant, client, peer.ip());
            }
        }
    }

    fn connect(&mut self, client: usize, peer: SocketAddr) {
        let expected = self.oracle.refuses(client, peer);
        let before = self.driver.connecting.len();
        let asked = self.ask(client, Method::CONNECT, |writer| {
            writer.xor_address(AttributeType::XOR_PEER_ADDRESS, peer).unwrap();
        });
        match (asked, expected) {
            (None, _) => {}
            (Some(_), Some(code)) => assert_eq!(self.refusal(), Some(code)),
            (Some(verdict), None) => {
                assert_eq!(verdict, Verdict::Pending);
                assert_eq!(
                    self.driver.connecting.len(),
                    before + 1,
                    "one connection is asked for"
                );
                let id = self.driver.connecting[before];
                self.oracle.connects(self.driver.now.instant, id, client, peer);
            }
        }
    }

    /// A peer accepts or refuses a connection, and the client that waits for it is told.
    fn peer_answers(&mut self) {
        let making = self.oracle.making();
        let Some(id) = self.choose(&making) else { return };
        let accepts = self.rng.random_bool(0.7);
        let now = self.driver.now;
        self.driver.server.peer_connected(now, id, accepts);
        self.driver.perform_outputs();
        if accepts {
            let number = self.driver.last_connection_id().expect("a CONNECTION-ID");
            self.oracle.connected(now.instant, id, number);
        } else {
            assert_eq!(self.refusal(), Some(447));
            self.close(id);
        }
    }

    fn peer_arrives(&mut self, client: usize, peer: SocketAddr) {
        let Some(relay) = self.clients[client].as_ref().map(|client| client.relay) else {
            return;
        };
        let now = self.driver.now;
        let expected = self.oracle.admits(now.instant, client, peer);
        let arrived = self.driver.server.peer_arrived(now, relay, peer);
        assert_eq!(arrived.map(drop), expected, "{peer}");
        if let Ok(id) = arrived {
            self.driver.perform_outputs();
            self.driver.connecting.push(id);
            let number = self.driver.last_connection_id().expect("a ConnectionAttempt");
            self.oracle.arrived(now.instant, id, (client, peer), number);
        }
    }

    /// ConnectionBind on a new connection: for a connection of any stage, or for one that is not there.
    fn bind(&mut self) {
        let known = self.oracle.numbers();
        let invented = self.rng.random_bool(0.1).then(|| (0, self.rng.random()));
        let Some((owner, number)) = invented.or_else(|| self.choose(&known)) else {
            return;
        };
        let Some(control) = self.clients[owner].clone() else {
            return;
        };
        let data = self.five_tuple([192, 0, 2, 100 + owner as u8]);
        let request = self
            .driver
            .signed(Method::CONNECTION_BIND, &control.nonce, |writer| {
                writer.u32(AttributeType::CONNECTION_ID, number).unwrap();
            });
        let expected = self.oracle.binds(self.driver.now.instant, number);
        match (self.driver.hear(data, &request), expected) {
            (Verdict::Bind { client, peer }, Some(id)) => assert_eq!((client, peer), (data, id)),
            (Verdict::Send { .. }, None) => {
                let code = self.refusal();
                let expected = if invented.is_some() { 438 } else { 400 };
                assert_eq!(code, Some(expected), "{number:#x}");
            }
            (verdict, expected) => panic!("{verdict:?}, but {expected:?} was to be bound"),
        }
    }

    fn peer_closes(&mut self) {
        let making = self.oracle.making();
        let all = self.oracle.ids();
        let open: Vec<_> = all.into_iter().filter(|id| !making.contains(id)).collect();
        let Some(id) = self.choose(&open) else { return };
        self.driver.server.peer_closed(self.driver.now, id);
        self.driver.perform_outputs();
        self.close(id);
    }

    /// The shell has closed a connection.
    fn close(&mut self, id: PeerConnectionId) {
        self.driver.connecting.retain(|open| *open != id);
        self.oracle.closed(id);
    }

    /// A client's control connection breaks, and with it goes all that it had.
    fn disconnect(&mut self, client: usize) {
        if let Some(gone) = self.clients[client].take() {
            let now = self.driver.now;
            self.driver.server.client_disconnected(now, gone.five_tuple);
            self.driver.perform_outputs();
            self.oracle.freed(client);
        }
    }

    fn refresh(&mut self, client: usize, lifetime: u32) {
        let asked = self.ask(client, Method::REFRESH, |writer| {
            writer.u32(AttributeType::LIFETIME, lifetime).unwrap();
        });
        if asked.is_none() {
            return;
        }
        if !self.oracle.has_allocation(client) {
            return assert_eq!(self.refusal(), Some(437));
        }
        let granted = self.granted();
        assert_eq!(granted.is_zero(), lifetime == 0);
        if granted.is_zero() {
            self.oracle.freed(client);
        } else {
            self.oracle.refreshed(client, self.driver.now.instant + granted);
        }
    }

    fn pass(&mut self, time: Duration) {
        self.driver.now.instant += time;
        self.driver.now.unix += time;
        self.driver.server.handle_timeout(self.driver.now);
        self.driver.perform_outputs();
        self.oracle.expire(self.driver.now.instant);
    }

    /// Asks on a client's control connection, if it has one.
    fn ask(
        &mut self,
        client: usize,
        method: Method,
        fill: impl FnOnce(&mut MessageWriter<'_>),
    ) -> Option<Verdict> {
        let client = self.clients[client].clone()?;
        self.driver.take_answer();
        let request = self.driver.signed(method, &client.nonce, fill);
        Some(self.driver.hear(client.five_tuple, &request))
    }

    /// The error code of the last answer.
    fn refusal(&mut self) -> Option<u16> {
        let answer = self.driver.take_answer().expect("an answer");
        let message = Message::parse(&answer).unwrap();
        let code = message.error_code().map(|code| code.unwrap().code);
        assert_eq!(code.is_some(), message.class() == Class::Error);
        code
    }

    /// The lifetime in the last answer, which has to be a success.
    fn granted(&mut self) -> Duration {
        let answer = self.driver.take_answer().expect("an answer");
        let message = Message::parse(&answer).unwrap();
        assert_eq!(message.class(), Class::Success, "{:?}", message.error_code());
        Duration::from_secs(message.lifetime().unwrap().unwrap().into())
    }

    fn choose<T: Copy>(&mut self, among: &[T]) -> Option<T> {
        (!among.is_empty()).then(|| among[self.rng.random_range(0..among.len())])
    }
}

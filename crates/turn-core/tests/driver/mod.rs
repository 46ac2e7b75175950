//! Drives a server the way a shell does, for tests and benches that only see its public face: every socket it
//! asks for is open at once.

#![allow(clippy::unwrap_used, reason = "tests fail loudly")]
#![allow(dead_code, reason = "each test uses its part")]

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use stun_wire::{
    AttributeType, Class, IntegrityKey, Message, MessageWriter, Method, TransactionId, long_term_key_md5,
};
use turn_core::{
    Config, FiveTuple, HEADROOM, ListenerId, Now, Output, Packet, PeerConnectionId, Quota, QuotaLimits,
    Realm, RelayId, Server, Verdict,
};

pub(crate) const REALM: &str = "example.org";

/// The address every client reaches, and every relay sits on.
pub(crate) const SERVER: SocketAddr =
    SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), 3478);

pub(crate) struct Driver {
    pub(crate) server: Server,
    pub(crate) now: Now,
    key: IntegrityKey,
    buffer: Vec<u8>,
    transactions: u64,
    opened: Option<(RelayId, SocketAddr)>,
    answer: Option<Vec<u8>>,
    /// Connections to peers that were asked for and not answered yet.
    pub(crate) connecting: Vec<PeerConnectionId>,
}

/// An allocation as its client knows it.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) five_tuple: FiveTuple,
    pub(crate) relay: RelayId,
    pub(crate) relayed: SocketAddr,
    pub(crate) nonce: Vec<u8>,
}

impl Driver {
    /// A server with the user "alice" and hardly any limit.
    pub(crate) fn new(change: impl FnOnce(&mut Config)) -> Self {
        let realm = Realm::new(REALM).unwrap();
        let mut config = Config::new(realm.clone(), [1; 32]);
        config
            .credentials
            .add_user(&realm, "alice", "wonderland")
            .unwrap();
        config.listeners = vec![SERVER];
        config.unauthorized_limit = None;
        change(&mut config);
        let most = u32::MAX.try_into().unwrap();
        let quota = Quota::new(QuotaLimits {
            per_user: most,
            total: most,
            per_key: most,
            connections_per_user: most,
            connections: most,
        });
        #[expect(
            clippy::disallowed_methods,
            reason = "the driver plays the shell, which reads the clock"
        )]
        let instant = Instant::now();
        Self {
            server: Server::new(config, Box::new(quota), [7; 32]),
            now: Now {
                instant,
                unix: Duration::from_secs(1_700_000_000),
            },
            key: IntegrityKey::new(&long_term_key_md5("alice", REALM, "wonderland")),
            buffer: vec![0; HEADROOM + 2048],
            transactions: 0,
            opened: None,
            answer: None,
            connecting: Vec::new(),
        }
    }

    /// Makes an allocation for the client at `address`, in two round trips.
    pub(crate) fn allocate(&mut self, address: SocketAddr) -> Client {
        self.allocate_on(SERVER, address)
    }

    /// The same for a client that reached the server at another of its addresses.
    pub(crate) fn allocate_on(&mut self, server: SocketAddr, address: SocketAddr) -> Client {
        self.allocate_with(FiveTuple::udp(ListenerId(0), address, server), 17)
    }

    /// Makes a TCP allocation for a client on a connection of its own.
    pub(crate) fn allocate_tcp(&mut self, five_tuple: FiveTuple) -> Client {
        self.allocate_with(five_tuple, 6)
    }

    fn allocate_with(&mut self, five_tuple: FiveTuple, protocol: u8) -> Client {
        let nonce = self.learn_nonce(five_tuple);
        let second = self.signed(Method::ALLOCATE, &nonce, |writer| {
            requested_transport(writer, protocol);
        });
        self.hear(five_tuple, &second);
        let (relay, relayed) = self.opened.take().expect("an open relay");
        Client {
            five_tuple,
            relay,
            relayed,
            nonce,
        }
    }

    /// Sends a first request for its challenge.
    pub(crate) fn learn_nonce(&mut self, from: FiveTuple) -> Vec<u8> {
        let first = self.message(Class::Request, Method::ALLOCATE, udp);
        self.hear(from, &first);
        let answer = self.answer.take().expect("a challenge");
        Message::parse(&answer).unwrap().nonce().unwrap().to_vec()
    }

    pub(crate) fn permit(&mut self, client: &Client, peer: SocketAddr) {
        let request = self.signed(Method::CREATE_PERMISSION, &client.nonce, |writer| {
            writer.xor_address(AttributeType::XOR_PEER_ADDRESS, peer).unwrap();
        });
        self.hear(client.five_tuple, &request);
        self.expect_success();
    }

    /// The same, where it may be refused.
    pub(crate) fn permit_or_not(&mut self, client: &Client, peer: SocketAddr) {
        let request = self.signed(Method::CREATE_PERMISSION, &client.nonce, |writer| {
            writer.xor_address(AttributeType::XOR_PEER_ADDRESS, peer).unwrap();
        });
        self.hear(client.five_tuple, &request);
    }

    /// The CONNECTION-ID of the last message to a client, taken once.
    pub(crate) fn last_connection_id(&mut self) -> Option<u32> {
        let answer = self.answer.take()?;
        Message::parse(&answer)
            .ok()?
            .u32(AttributeType::CONNECTION_ID)?
            .ok()
    }

    pub(crate) fn bind(&mut self, client: &Client, number: u16, peer: SocketAddr) {
        let request = self.signed(Method::CHANNEL_BIND, &client.nonce, |writer| {
            let [high, low] = number.to_be_bytes();
            writer
                .attribute(AttributeType::CHANNEL_NUMBER, &[high, low, 0, 0])
                .unwrap();
            writer.xor_address(AttributeType::XOR_PEER_ADDRESS, peer).unwrap();
        });
        self.hear(client.five_tuple, &request);
        self.expect_success();
    }

    pub(crate) fn free(&mut self, client: &Client) {
        let request = self.signed(Method::REFRESH, &client.nonce, |writer| {
            writer.u32(AttributeType::LIFETIME, 0).unwrap();
        });
        self.hear(client.five_tuple, &request);
        self.expect_success();
    }

    /// Hands a client's datagram to the server and performs what it wants done.
    pub(crate) fn hear(&mut self, from: FiveTuple, datagram: &[u8]) -> Verdict {
        self.buffer[HEADROOM..HEADROOM + datagram.len()].copy_from_slice(datagram);
        let mut packet = Packet::new(&mut self.buffer, HEADROOM, datagram.len());
        let verdict = self.server.handle_client(self.now, from, &mut packet);
        if matches!(verdict, Verdict::Send { .. }) {
            self.answer = Some(packet.payload().to_vec());
        }
        self.perform_outputs();
        verdict
    }

    /// Gives the last answer, and forgets it.
    pub(crate) fn take_answer(&mut self) -> Option<Vec<u8>> {
        self.answer.take()
    }

    /// Opens what is to be opened, and keeps the last answer.
    pub(crate) fn perform_outputs(&mut self) {
        while let Some(output) = self.server.poll_output() {
            match output {
                Output::OpenRelay { relay, address, .. } => {
                    self.opened = Some((relay, address));
                    self.server.relay_opened(self.now, relay, Ok(()));
                }
                Output::SendToClient { datagram, .. } => self.answer = Some(datagram),
                Output::ConnectPeer { peer, .. } | Output::ConnectRelay { peer, .. } => {
                    self.connecting.push(peer);
                }
                Output::ClosePeer { peer } => self.connecting.retain(|&connecting| connecting != peer),
                Output::CloseRelay { .. }
                | Output::AllocationCreated { .. }
                | Output::ClientMoved { .. }
                | Output::HoldConnection { .. }
                | Output::GuessedWrong { .. }
                | Output::Tell { .. }
                | Output::AllocationEnded { .. } => {}
            }
        }
    }

    /// Writes a message without credentials.
    pub(crate) fn message(
        &mut self,
        class: Class,
        method: Method,
        fill: impl FnOnce(&mut MessageWriter<'_>),
    ) -> Vec<u8> {
        self.transactions += 1;
        let mut id = [0; 12];
        id[4..].copy_from_slice(&self.transactions.to_be_bytes());
        let mut out = vec![0; 2048];
        let mut writer = MessageWriter::new(&mut out, class, method, TransactionId(id)).unwrap();
        fill(&mut writer);
        let len = writer.finish();
        out.truncate(len);
        out
    }

    /// Writes a request signed by alice.
    pub(crate) fn signed(
        &mut self,
        method: Method,
        nonce: &[u8],
        fill: impl FnOnce(&mut MessageWriter<'_>),
    ) -> Vec<u8> {
        let key = self.key.clone();
        self.message(Class::Request, method, |writer| {
            fill(writer);
            writer.text(AttributeType::USERNAME, "alice").unwrap();
            writer.text(AttributeType::REALM, REALM).unwrap();
            writer.attribute(AttributeType::NONCE, nonce).unwrap();
            writer.integrity(&key).unwrap();
        })
    }

    fn expect_success(&mut self) {
        let answer = self.answer.take().expect("an answer");
        let message = Message::parse(&answer).unwrap();
        assert_eq!(message.class(), Class::Success, "{:?}", message.error_code());
    }
}

pub(crate) fn udp(writer: &mut MessageWriter<'_>) {
    requested_transport(writer, 17);
}

fn requested_transport(writer: &mut MessageWriter<'_>, protocol: u8) {
    writer
        .attribute(AttributeType::REQUESTED_TRANSPORT, &[protocol, 0, 0, 0])
        .unwrap();
}

/// The address of the nth client.
pub(crate) fn client_address(n: u32) -> SocketAddr {
    let [_, a, b, c] = n.to_be_bytes();
    SocketAddr::from(([198, 18 + a, b, c], 5000))
}

pub(crate) fn channel_data(number: u16, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(payload.len()).unwrap();
    [&number.to_be_bytes()[..], &len.to_be_bytes(), payload].concat()
}

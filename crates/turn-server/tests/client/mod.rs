//! A TURN client that blocks: just enough to drive a server over real sockets.

pub(crate) mod wire;

use std::net::SocketAddr;

use stun_wire::{
    AddressFamily, AttributeType as Type, ChannelData, ChannelNumber, Class, Icmp, IntegrityKey, Message,
    MessageWriter, Method, TransactionId, long_term_key_md5, write_channel_header,
};

use wire::Wire;

pub(crate) const USER: &str = "alice";
pub(crate) const PASSWORD: &str = "wonderland";
const UDP: u32 = 17 << 24;

/// One five-tuple and what it knows of its server.
pub(crate) struct Client {
    pub(crate) wire: Wire,
    server: SocketAddr,
    username: String,
    password: String,
    realm: String,
    nonce: Vec<u8>,
    key: Option<IntegrityKey>,
    transactions: u32,
    /// The last error response.
    pub(crate) refusal: Vec<u8>,
    /// What peers sent while an answer was waited for.
    pub(crate) aside: Vec<Vec<u8>>,
}

/// What reaches a client from a peer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Relayed<'a> {
    Channel(u16, &'a [u8]),
    Data(SocketAddr, &'a [u8]),
}

impl Client {
    /// A client of `server` on the loopback address of its family.
    pub(crate) fn of(server: SocketAddr) -> Self {
        let home = if server.is_ipv4() {
            "127.0.0.1:0"
        } else {
            "[::1]:0"
        };
        Self::at(home.parse().unwrap(), server)
    }

    /// A client of `server` at `home`.
    pub(crate) fn at(home: SocketAddr, server: SocketAddr) -> Self {
        Self::by(Wire::udp(home, server), server)
    }

    /// A client of `server` that has reached it already.
    pub(crate) fn by(wire: Wire, server: SocketAddr) -> Self {
        Self {
            wire,
            server,
            username: USER.to_owned(),
            password: PASSWORD.to_owned(),
            realm: String::new(),
            nonce: Vec::new(),
            key: None,
            transactions: 0,
            refusal: Vec::new(),
            aside: Vec::new(),
        }
    }

    /// The same client as another user.
    pub(crate) fn with_credential(mut self, username: &str, password: &str) -> Self {
        self.username = username.to_owned();
        self.password = password.to_owned();
        self
    }

    /// The same client by another way, with the nonce it had by the old one.
    pub(crate) fn moved(&self, wire: Wire) -> Self {
        let mut moved = Self::by(wire, self.server).with_credential(&self.username, &self.password);
        moved.realm.clone_from(&self.realm);
        moved.nonce.clone_from(&self.nonce);
        moved.key.clone_from(&self.key);
        moved.transactions = self.transactions;
        moved
    }

    /// The same user on another connection, with the nonce that he was given on this one.
    pub(crate) fn beside(&self, wire: Wire) -> Self {
        Self {
            transactions: 0,
            ..self.moved(wire)
        }
    }

    /// Learns realm and nonce from a 401, then allocates; returns the relayed transport address.
    pub(crate) fn allocate(&mut self) -> SocketAddr {
        assert_eq!(
            self.request(Method::ALLOCATE, |writer| {
                writer.u32(Type::REQUESTED_TRANSPORT, UDP).unwrap();
            }),
            Err(401)
        );
        self.allocate_again(None).unwrap()
    }

    /// Allocates with the nonce that is known, in a family of choice.
    pub(crate) fn allocate_again(&mut self, family: Option<AddressFamily>) -> Result<SocketAddr, u16> {
        let answer = self.request(Method::ALLOCATE, |writer| {
            writer.u32(Type::REQUESTED_TRANSPORT, UDP).unwrap();
            if let Some(family) = family {
                writer.family(Type::REQUESTED_ADDRESS_FAMILY, family).unwrap();
            }
        })?;
        let message = Message::parse(&answer).unwrap();
        Ok(message.xor_address(Type::XOR_RELAYED_ADDRESS).unwrap().unwrap())
    }

    pub(crate) fn permit(&mut self, peer: SocketAddr) -> Result<(), u16> {
        self.request(Method::CREATE_PERMISSION, |writer| {
            writer.xor_address(Type::XOR_PEER_ADDRESS, peer).unwrap();
        })
        .map(drop)
    }

    pub(crate) fn bind(&mut self, channel: u16, peer: SocketAddr) -> Result<(), u16> {
        self.request(Method::CHANNEL_BIND, |writer| {
            writer
                .channel_number(ChannelNumber::new(channel).unwrap())
                .unwrap();
            writer.xor_address(Type::XOR_PEER_ADDRESS, peer).unwrap();
        })
        .map(drop)
    }

    /// Refreshes; a lifetime of 0 frees the allocation.
    pub(crate) fn refresh(&mut self, lifetime: u32) -> Result<(), u16> {
        self.request(Method::REFRESH, |writer| {
            writer.u32(Type::LIFETIME, lifetime).unwrap();
        })
        .map(drop)
    }

    /// Asks, and returns the success or the error code.
    pub(crate) fn request(
        &mut self,
        method: Method,
        fill: impl FnOnce(&mut MessageWriter<'_>),
    ) -> Result<Vec<u8>, u16> {
        self.transactions += 1;
        let mut id = [0; 12];
        id[..4].copy_from_slice(&self.transactions.to_be_bytes());
        let mut bytes = [0; 2048];
        let mut writer = MessageWriter::new(&mut bytes, Class::Request, method, TransactionId(id)).unwrap();
        fill(&mut writer);
        if let Some(key) = &self.key {
            writer.text(Type::USERNAME, &self.username).unwrap();
            writer.text(Type::REALM, &self.realm).unwrap();
            writer.attribute(Type::NONCE, &self.nonce).unwrap();
            writer.integrity(key).unwrap();
        }
        let len = writer.finish();
        self.wire.send(&bytes[..len]);

        let len = loop {
            let len = self.wire.receive(&mut bytes);
            if ChannelData::parse(&bytes[..len]).is_err() {
                break len;
            }
            self.aside.push(bytes[..len].to_vec());
        };
        let message = Message::parse(&bytes[..len]).unwrap();
        assert_eq!(message.transaction_id(), TransactionId(id));
        if message.class() == Class::Success {
            return Ok(bytes[..len].to_vec());
        }
        let code = message.error_code().unwrap().unwrap().code;
        if let (Some(realm), Some(nonce)) = (message.realm(), message.nonce()) {
            self.realm = realm.unwrap().to_owned();
            self.nonce = nonce.to_vec();
            self.key = Some(IntegrityKey::new(&long_term_key_md5(
                &self.username,
                &self.realm,
                &self.password,
            )));
        }
        self.refusal = bytes[..len].to_vec();
        Err(code)
    }

    pub(crate) fn send_channel(&self, channel: u16, payload: &[u8]) {
        let mut bytes = vec![0; 4 + payload.len()];
        let (header, body) = bytes.split_first_chunk_mut().unwrap();
        write_channel_header(header, ChannelNumber::new(channel).unwrap(), payload.len() as u16);
        body.copy_from_slice(payload);
        self.wire.send(&bytes);
    }

    pub(crate) fn send_indication(&self, peer: SocketAddr, payload: &[u8]) {
        let mut bytes = vec![0; 64 + payload.len()];
        let id = TransactionId([9; 12]);
        let mut writer = MessageWriter::new(&mut bytes, Class::Indication, Method::SEND, id).unwrap();
        writer.xor_address(Type::XOR_PEER_ADDRESS, peer).unwrap();
        writer.attribute(Type::DATA, payload).unwrap();
        let len = writer.finish();
        self.wire.send(&bytes[..len]);
    }

    /// Waits for a datagram from a peer.
    pub(crate) fn receive<'a>(&self, bytes: &'a mut [u8]) -> Relayed<'a> {
        let len = self.wire.receive(bytes);
        let bytes = &bytes[..len];
        if let Ok(data) = ChannelData::parse(bytes) {
            return Relayed::Channel(data.channel, data.payload);
        }
        let message = Message::parse(bytes).unwrap();
        assert_eq!(
            (message.class(), message.method()),
            (Class::Indication, Method::DATA)
        );
        let peer = message.xor_address(Type::XOR_PEER_ADDRESS).unwrap().unwrap();
        Relayed::Data(peer, message.attribute(Type::DATA).unwrap())
    }

    /// Waits for an ICMP error about what was sent to a peer.
    pub(crate) fn receive_icmp(&self) -> (SocketAddr, Icmp) {
        let mut bytes = [0; 2048];
        let len = self.wire.receive(&mut bytes);
        let message = Message::parse(&bytes[..len]).unwrap();
        assert_eq!(
            (message.class(), message.method()),
            (Class::Indication, Method::DATA)
        );
        assert_eq!(message.attribute(Type::DATA), None);
        let peer = message.xor_address(Type::XOR_PEER_ADDRESS).unwrap().unwrap();
        (peer, message.icmp().unwrap().unwrap())
    }

    pub(crate) fn server(&self) -> SocketAddr {
        self.server
    }
}

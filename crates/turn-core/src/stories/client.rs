//! A client as the stories know it: it writes its own messages and signs them.

use std::net::SocketAddr;

use stun_wire::{
    AttributeType, Class, IntegrityKey, MessageWriter, Method, TransactionId, long_term_key_md5,
};
use turn_credentials::{Secret, mint};

use super::world::{Heard, World, ip, socket};
use crate::{ConnectionId, FiveTuple, Link, ListenerId, Transport};

pub(super) const REALM: &str = "example.org";

/// A client behind one address, with the credentials it was given.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) five_tuple: FiveTuple,
    pub(super) username: String,
    pub(super) key: IntegrityKey,
    pub(super) realm: String,
    pub(super) nonce: Vec<u8>,
    next_id: u64,
}

impl Client {
    /// alice at 198.51.100.7 with this port.
    pub(super) fn alice(port: u16) -> Self {
        Self::new(port, "alice", "wonderland")
    }

    pub(super) fn bob(port: u16) -> Self {
        Self::new(port, "bob", "builder")
    }

    /// Someone with a credential for `id` until `expires`.
    pub(super) fn minted(port: u16, id: &str, expires: u64) -> Self {
        let credential = mint(&Secret::new("north"), Some(id), expires);
        Self::new(port, &credential.username, &credential.password)
    }

    pub(super) fn new(port: u16, username: &str, password: &str) -> Self {
        let five_tuple = FiveTuple::udp(
            ListenerId(0),
            SocketAddr::new(ip("198.51.100.7"), port),
            socket("192.0.2.1:3478"),
        );
        Self {
            five_tuple,
            username: username.into(),
            key: IntegrityKey::new(&long_term_key_md5(username, REALM, password)),
            realm: REALM.into(),
            nonce: Vec::new(),
            next_id: u64::from(port) << 32,
        }
    }

    /// Moves the client to another address and the server's address it talks to.
    pub(super) fn at(mut self, client: &str, server: &str) -> Self {
        self.five_tuple.client = socket(client);
        self.five_tuple.server = socket(server);
        self
    }

    /// Gives the client a connection of its own over this transport.
    pub(super) fn over(mut self, transport: Transport) -> Self {
        self.five_tuple.transport = transport;
        self.five_tuple.link = Link::Connection(ConnectionId {
            worker: 0,
            index: self.five_tuple.client.port().into(),
            generation: 0,
        });
        self
    }

    /// Goes on with other transaction ids, as another client would.
    pub(super) fn skip_ids(&mut self, to: u64) {
        self.next_id = to << 32;
    }

    /// Writes a message without credentials.
    pub(super) fn plain(
        &mut self,
        class: Class,
        method: Method,
        fill: impl FnOnce(&mut MessageWriter<'_>),
    ) -> Vec<u8> {
        self.write(class, method, fill, |_| ())
    }

    /// Writes a signed request.
    pub(super) fn request(&mut self, method: Method, fill: impl FnOnce(&mut MessageWriter<'_>)) -> Vec<u8> {
        let (username, realm) = (self.username.clone(), self.realm.clone());
        let (nonce, key) = (self.nonce.clone(), self.key.clone());
        self.write(Class::Request, method, fill, |writer| {
            writer.text(AttributeType::USERNAME, &username).unwrap();
            writer.text(AttributeType::REALM, &realm).unwrap();
            writer.attribute(AttributeType::NONCE, &nonce).unwrap();
            writer.integrity(&key).unwrap();
        })
    }

    /// Signs and sends a request; learns a nonce first if it has none.
    pub(super) fn ask(
        &mut self,
        world: &mut World,
        method: Method,
        fill: impl FnOnce(&mut MessageWriter<'_>),
    ) -> Heard {
        if self.nonce.is_empty() {
            self.learn_nonce(world);
        }
        let request = self.request(method, fill);
        world.hear(self.five_tuple, &request)
    }

    /// Sends a first request for its challenge.
    pub(super) fn learn_nonce(&mut self, world: &mut World) {
        let first = self.plain(Class::Request, Method::ALLOCATE, udp);
        let heard = world.hear(self.five_tuple, &first);
        self.nonce = heard.message().nonce().unwrap().to_vec();
    }

    pub(super) fn allocate(&mut self, world: &mut World) -> SocketAddr {
        let heard = self.ask(world, Method::ALLOCATE, udp);
        heard.relayed()
    }

    pub(super) fn permit(&mut self, world: &mut World, peer: &str) -> Heard {
        let peer = socket(peer);
        self.ask(world, Method::CREATE_PERMISSION, |writer| {
            writer.xor_address(AttributeType::XOR_PEER_ADDRESS, peer).unwrap();
        })
    }

    pub(super) fn bind(&mut self, world: &mut World, number: u16, peer: &str) -> Heard {
        let peer = socket(peer);
        self.ask(world, Method::CHANNEL_BIND, |writer| {
            let [high, low] = number.to_be_bytes();
            writer
                .attribute(AttributeType::CHANNEL_NUMBER, &[high, low, 0, 0])
                .unwrap();
            writer.xor_address(AttributeType::XOR_PEER_ADDRESS, peer).unwrap();
        })
    }

    pub(super) fn refresh(&mut self, world: &mut World, lifetime: u32) -> Heard {
        self.ask(world, Method::REFRESH, |writer| {
            writer.u32(AttributeType::LIFETIME, lifetime).unwrap();
        })
    }

    pub(super) fn send(&mut self, world: &mut World, peer: &str, payload: &[u8]) -> Heard {
        let peer = socket(peer);
        let indication = self.plain(Class::Indication, Method::SEND, |writer| {
            writer.xor_address(AttributeType::XOR_PEER_ADDRESS, peer).unwrap();
            writer.attribute(AttributeType::DATA, payload).unwrap();
        });
        world.hear(self.five_tuple, &indication)
    }

    pub(super) fn send_by_channel(&self, world: &mut World, number: u16, payload: &[u8]) -> Heard {
        world.hear(self.five_tuple, &channel_data(number, payload))
    }

    /// Writes a message: what `fill` adds, then what `sign` does.
    pub(super) fn write(
        &mut self,
        class: Class,
        method: Method,
        fill: impl FnOnce(&mut MessageWriter<'_>),
        sign: impl FnOnce(&mut MessageWriter<'_>),
    ) -> Vec<u8> {
        let mut id = [0; 12];
        id[4..].copy_from_slice(&self.next_id.to_be_bytes());
        self.next_id += 1;
        let mut out = vec![0; 4096];
        let mut writer = MessageWriter::new(&mut out, class, method, TransactionId(id)).unwrap();
        fill(&mut writer);
        sign(&mut writer);
        let len = writer.finish();
        out.truncate(len);
        out
    }
}

pub(super) fn udp(writer: &mut MessageWriter<'_>) {
    writer
        .attribute(AttributeType::REQUESTED_TRANSPORT, &[17, 0, 0, 0])
        .unwrap();
}

pub(super) fn channel_data(number: u16, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(payload.len()).unwrap();
    [&number.to_be_bytes()[..], &len.to_be_bytes(), payload].concat()
}

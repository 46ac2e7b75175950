//! A client with a token of an authorization server (RFC 7635).

use stun_wire::{AttributeType, Class, IntegrityKey, IntegrityKeySha256, MessageWriter, Method};

use super::{
    client::{Client, REALM, udp},
    world::{BEGIN, Heard, World},
};
use crate::{Config, ThirdParty, TokenAlgorithm, TokenKey, testing::tokens::Token};

pub(super) const SERVER_NAME: &str = "turn.example.org";
pub(super) const NORTH: &[u8; 32] = b"01234567890123456789012345678901";
pub(super) const UNION: &[u8; 16] = b"1234567890123456";

/// Lets the server believe tokens made with the keys "north" and "union".
pub(super) fn believe_tokens(config: &mut Config) {
    let mut third_party = ThirdParty::new(SERVER_NAME).unwrap();
    let key = |algorithm, key: &[u8]| TokenKey::new(algorithm, key).unwrap();
    third_party.add_key("north", key(TokenAlgorithm::A256Gcm, NORTH), 0..u64::MAX);
    third_party.add_key("union", key(TokenAlgorithm::A128Gcm, UNION), 0..u64::MAX);
    config.credentials.set_third_party(third_party);
}

#[derive(Clone)]
pub(super) struct Bearer {
    /// Its username is the id of the key that made the token.
    pub(super) client: Client,
    pub(super) mac_key: Vec<u8>,
    pub(super) token: Vec<u8>,
}

impl Bearer {
    /// A client with a token for an hour from the beginning.
    pub(super) fn new(port: u16, mac_key: u8) -> Self {
        let mac_key = [mac_key; 20];
        Self::with(
            port,
            "north",
            &mac_key,
            &Token::new(&mac_key, BEGIN, 3600).seal(NORTH, SERVER_NAME),
        )
    }

    pub(super) fn with(port: u16, kid: &str, mac_key: &[u8], token: &[u8]) -> Self {
        let mut client = Client::new(port, kid, "");
        client.key = IntegrityKey::new(mac_key);
        Self {
            client,
            mac_key: mac_key.to_vec(),
            token: token.to_vec(),
        }
    }

    /// Takes another token of the same authorization server.
    pub(super) fn renew(&mut self, mac_key: u8, issued: u64, lifetime: u32) {
        self.mac_key = vec![mac_key; 20];
        self.client.key = IntegrityKey::new(&self.mac_key);
        self.token = Token::new(&self.mac_key, issued, lifetime).seal(NORTH, SERVER_NAME);
    }

    /// Sends a request with the token; the client's own methods send theirs without.
    pub(super) fn ask(
        &mut self,
        world: &mut World,
        method: Method,
        fill: impl FnOnce(&mut MessageWriter<'_>),
    ) -> Heard {
        let token = self.token.clone();
        self.client.ask(world, method, |writer| {
            fill(writer);
            writer.attribute(AttributeType::ACCESS_TOKEN, &token).unwrap();
        })
    }

    pub(super) fn allocate(&mut self, world: &mut World) -> Heard {
        self.ask(world, Method::ALLOCATE, udp)
    }

    pub(super) fn refresh(&mut self, world: &mut World, lifetime: u32) -> Heard {
        self.ask(world, Method::REFRESH, |writer| {
            writer.u32(AttributeType::LIFETIME, lifetime).unwrap();
        })
    }

    /// Sends a request that chooses SHA-256 as RFC 8489 says, signed with the token's key.
    pub(super) fn ask_modern(&mut self, world: &mut World, method: Method, with_token: bool) -> Heard {
        let Self {
            client,
            mac_key,
            token,
        } = self.clone();
        let request = self.client.write(Class::Request, method, udp, |writer| {
            if with_token {
                writer.attribute(AttributeType::ACCESS_TOKEN, &token).unwrap();
            }
            writer.text(AttributeType::USERNAME, &client.username).unwrap();
            writer.text(AttributeType::REALM, REALM).unwrap();
            writer.attribute(AttributeType::NONCE, &client.nonce).unwrap();
            writer
                .attribute(AttributeType::PASSWORD_ALGORITHMS, &super::modern::LIST)
                .unwrap();
            writer
                .attribute(AttributeType::PASSWORD_ALGORITHM, &super::modern::SHA256)
                .unwrap();
            writer
                .integrity_sha256(&IntegrityKeySha256::new(&mac_key))
                .unwrap();
        });
        world.hear(self.client.five_tuple, &request)
    }

    /// Learns a nonce that offers algorithms.
    pub(super) fn learn_full_nonce(&mut self, world: &mut World) {
        let mut modern = super::Modern::alice(1);
        modern.client.five_tuple = self.client.five_tuple;
        modern.learn_nonce(world);
        self.client.nonce = modern.client.nonce;
    }
}

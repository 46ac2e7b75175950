//! A client that knows RFC 8489, and does of it whatever a story wants.

use stun_wire::{
    AttributeType, Class, IntegrityKey, IntegrityKeySha256, MessageWriter, Method, PasswordAlgorithm,
    long_term_key_md5, long_term_key_sha256, user_hash,
};

use super::{
    client::{Client, REALM, udp},
    world::{Heard, World, error_code},
};

/// PASSWORD-ALGORITHMS as our server sends it.
pub(super) const LIST: [u8; 8] = [0, 2, 0, 0, 0, 1, 0, 0];
pub(super) const SHA256: [u8; 4] = [0, 2, 0, 0];
pub(super) const MD5: [u8; 4] = [0, 1, 0, 0];

#[derive(Clone)]
pub(super) struct Modern {
    pub(super) client: Client,
    pub(super) password: String,
    /// What makes the key of the password.
    pub(super) key: PasswordAlgorithm,
    /// USERHASH in place of USERNAME.
    pub(super) hashes: bool,
    /// PASSWORD-ALGORITHMS.
    pub(super) list: Option<Vec<u8>>,
    /// PASSWORD-ALGORITHM.
    pub(super) algorithm: Option<Vec<u8>>,
    /// MESSAGE-INTEGRITY, and MESSAGE-INTEGRITY-SHA256.
    pub(super) signs: (bool, bool),
}

impl Modern {
    pub(super) fn alice(port: u16) -> Self {
        Self::new(port, "alice", "wonderland")
    }

    /// A client that follows RFC 8489.
    pub(super) fn new(port: u16, username: &str, password: &str) -> Self {
        Self {
            client: Client::new(port, username, password),
            password: password.into(),
            key: PasswordAlgorithm::Sha256,
            hashes: false,
            list: Some(LIST.to_vec()),
            algorithm: Some(SHA256.to_vec()),
            signs: (false, true),
        }
    }

    pub(super) fn keys(&self) -> (IntegrityKey, IntegrityKeySha256) {
        let (name, password) = (&self.client.username, &self.password);
        match self.key {
            PasswordAlgorithm::Md5 => both(&long_term_key_md5(name, REALM, password)),
            PasswordAlgorithm::Sha256 => both(&long_term_key_sha256(name, REALM, password)),
        }
    }

    /// Writes a signed request.
    pub(super) fn request(&mut self, method: Method, fill: impl FnOnce(&mut MessageWriter<'_>)) -> Vec<u8> {
        let keys = self.keys();
        self.request_under(&keys, method, fill)
    }

    /// Writes a request signed with these keys.
    pub(super) fn request_under(
        &mut self,
        (sha1, sha256): &(IntegrityKey, IntegrityKeySha256),
        method: Method,
        fill: impl FnOnce(&mut MessageWriter<'_>),
    ) -> Vec<u8> {
        let modern = self.clone();
        self.client.write(Class::Request, method, fill, |writer| {
            let Client {
                username,
                realm,
                nonce,
                ..
            } = &modern.client;
            if modern.hashes {
                writer
                    .attribute(AttributeType::USERHASH, &user_hash(username, REALM))
                    .unwrap();
            } else {
                writer.text(AttributeType::USERNAME, username).unwrap();
            }
            writer.text(AttributeType::REALM, realm).unwrap();
            writer.attribute(AttributeType::NONCE, nonce).unwrap();
            for (kind, value) in [
                (AttributeType::PASSWORD_ALGORITHMS, &modern.list),
                (AttributeType::PASSWORD_ALGORITHM, &modern.algorithm),
            ] {
                if let Some(value) = value {
                    writer.attribute(kind, value).unwrap();
                }
            }
            if modern.signs.0 {
                writer.integrity(sha1).unwrap();
            }
            if modern.signs.1 {
                writer.integrity_sha256(sha256).unwrap();
            }
        })
    }

    /// Signs and sends a request; learns a nonce first if it has none.
    pub(super) fn ask(
        &mut self,
        world: &mut World,
        method: Method,
        fill: impl FnOnce(&mut MessageWriter<'_>),
    ) -> Heard {
        if self.client.nonce.is_empty() {
            self.learn_nonce(world);
        }
        let request = self.request(method, fill);
        world.hear(self.client.five_tuple, &request)
    }

    /// Sends a first request that has room for the whole challenge.
    pub(super) fn learn_nonce(&mut self, world: &mut World) -> Heard {
        let first = self.client.plain(Class::Request, Method::ALLOCATE, |writer| {
            udp(writer);
            writer.text(AttributeType::SOFTWARE, "modern").unwrap();
        });
        let heard = world.hear(self.client.five_tuple, &first);
        self.client.nonce = heard.message().nonce().unwrap().to_vec();
        heard
    }

    pub(super) fn allocate(&mut self, world: &mut World) -> Heard {
        self.ask(world, Method::ALLOCATE, udp)
    }

    pub(super) fn refresh(&mut self, world: &mut World, lifetime: u32) -> Heard {
        self.ask(world, Method::REFRESH, |writer| {
            writer.u32(AttributeType::LIFETIME, lifetime).unwrap();
        })
    }

    /// Tells which of the two integrity attributes an answer carries. Those it carries must hold.
    #[track_caller]
    pub(super) fn seals(&self, heard: &Heard) -> (bool, bool) {
        let message = heard.message();
        let (sha1, sha256) = self.keys();
        for (present, holds) in [
            (message.has_integrity(), message.verify_integrity(&sha1)),
            (
                message.has_integrity_sha256(),
                message.verify_integrity_sha256(&sha256),
            ),
        ] {
            assert!(!present || holds.is_ok(), "{message:?}");
        }
        (message.has_integrity(), message.has_integrity_sha256())
    }

    /// Asserts a success that is signed by MESSAGE-INTEGRITY-SHA256 alone.
    #[track_caller]
    pub(super) fn assert_granted(&self, heard: &Heard) {
        assert_eq!(error_code(heard), 0, "{:?}", heard.message().error_code());
        assert_eq!(self.seals(heard), (false, true));
    }
}

fn both(key: &[u8]) -> (IntegrityKey, IntegrityKeySha256) {
    (IntegrityKey::new(key), IntegrityKeySha256::new(key))
}

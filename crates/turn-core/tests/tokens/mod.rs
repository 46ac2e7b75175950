//! An authorization server that makes tokens (RFC 7635 §6.2), for tests.

#![allow(dead_code, reason = "each test uses its part")]

use aes_gcm::{Aes128Gcm, Aes256Gcm, KeyInit as _, Nonce, Tag, aead::AeadInPlace as _};

/// One token before it is encrypted. Every length is written as it is, right or wrong.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) nonce: Vec<u8>,
    pub(crate) mac_key: Vec<u8>,
    pub(crate) mac_key_len: u16,
    /// Seconds since 1970 in the upper 48 bits, 64,000ths in the lower 16.
    pub(crate) timestamp: u64,
    pub(crate) lifetime: u32,
    /// What stands behind the lifetime, rightly nothing.
    pub(crate) trailer: Vec<u8>,
}

impl Token {
    pub(crate) fn new(mac_key: &[u8], issued: u64, lifetime: u32) -> Self {
        Self {
            nonce: b"h4j3k2l2n4b5".to_vec(),
            mac_key: mac_key.to_vec(),
            mac_key_len: mac_key.len() as u16,
            timestamp: issued << 16,
            lifetime,
            trailer: Vec::new(),
        }
    }

    /// Encrypts it with a key of 16 or 32 bytes for the server of this name.
    pub(crate) fn seal(&self, key: &[u8], server_name: &str) -> Vec<u8> {
        let mut block = [
            &self.mac_key_len.to_be_bytes()[..],
            &self.mac_key,
            &self.timestamp.to_be_bytes(),
            &self.lifetime.to_be_bytes(),
            &self.trailer,
        ]
        .concat();
        let mut nonce = self.nonce.clone();
        nonce.resize(12, 0);
        let tag = encrypt(&mut block, &nonce, key, server_name);
        let nonce_len = self.nonce.len() as u16;
        [&nonce_len.to_be_bytes()[..], &self.nonce, &block, &tag].concat()
    }
}

/// Makes a token of any block, whatever it holds.
pub(crate) fn seal(block: &[u8], key: &[u8], server_name: &str) -> Vec<u8> {
    let (mut block, nonce) = (block.to_vec(), [5; 12]);
    let tag = encrypt(&mut block, &nonce, key, server_name);
    [&[0, 12], &nonce[..], &block, &tag].concat()
}

fn encrypt(block: &mut [u8], nonce: &[u8], key: &[u8], server_name: &str) -> Tag {
    let (nonce, aad) = (Nonce::from_slice(nonce), server_name.as_bytes());
    let tag = match key.len() {
        16 => Aes128Gcm::new(key.into()).encrypt_in_place_detached(nonce, aad, block),
        _ => Aes256Gcm::new(key.into()).encrypt_in_place_detached(nonce, aad, block),
    };
    tag.expect("a short block")
}

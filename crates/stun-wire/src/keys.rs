use md5::Md5;
use sha2::{Digest, Sha256, digest::Output};

/// Derives the long-term key `MD5(username ":" realm ":" password)` (RFC 8489 §9.2.2).
///
/// All three must be prepared already ([`prepare_opaque_string`](crate::prepare_opaque_string)).
pub fn long_term_key_md5(username: &str, realm: &str, password: &str) -> [u8; 16] {
    derive::<Md5>(username, realm, password).into()
}

/// Derives the long-term key `SHA-256(username ":" realm ":" password)` (RFC 8489 §9.2.2, §18.5.1.2).
///
/// All three must be prepared already ([`prepare_opaque_string`](crate::prepare_opaque_string)).
pub fn long_term_key_sha256(username: &str, realm: &str, password: &str) -> [u8; 32] {
    derive::<Sha256>(username, realm, password).into()
}

/// Hashes a user name for USERHASH: `SHA-256(username ":" realm)` (RFC 8489 §14.4).
pub fn user_hash(username: &str, realm: &str) -> [u8; 32] {
    hash::<Sha256>(&[username, ":", realm]).into()
}

fn derive<D: Digest>(username: &str, realm: &str, password: &str) -> Output<D> {
    hash::<D>(&[username, ":", realm, ":", password])
}

fn hash<D: Digest>(parts: &[&str]) -> Output<D> {
    let mut digest = D::new();
    for part in parts {
        digest.update(part);
    }
    digest.finalize()
}

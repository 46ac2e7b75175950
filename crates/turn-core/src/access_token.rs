//! Tokens of an authorization server that vouches for clients (RFC 7635 §6.2).
//!
//! ```text
//! nonce length: 2 | nonce: 12 | AES-GCM( key length: 2 | mac_key | timestamp: 8 | lifetime: 4 ) | tag: 16
//! ```
//!
//! What is encrypted is bound to the name of the server it is for. The client knows `mac_key` from the authorization
//! server and signs with it; nobody here needs to know the client.

use std::{fmt, time::Duration};

use aes_gcm::{Aes128Gcm, Aes256Gcm, Key, KeyInit as _, Nonce, Tag, aead::AeadInPlace as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// RFC 5116 §5.1: all that AES-GCM takes here.
const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;

/// RFC 7635 §6.2: 160 bits must be supported. More than a block of SHA-256 is of no use.
const SHORTEST_MAC_KEY: usize = 20;
const LONGEST_MAC_KEY: usize = 64;

/// Bytes of a block beside `mac_key`.
const BLOCK_REST: usize = 2 + 8 + 4;
const LONGEST_BLOCK: usize = BLOCK_REST + LONGEST_MAC_KEY;

/// RFC 7635 §7: what clocks may differ by.
const DELTA: Duration = Duration::from_secs(5);

/// Names the cipher between authorization server and us (RFC 7635 §4.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenAlgorithm {
    /// AEAD_AES_128_GCM.
    A128Gcm,
    /// AEAD_AES_256_GCM.
    A256Gcm,
}

impl TokenAlgorithm {
    /// Tells how many bytes its key has.
    pub fn key_len(self) -> usize {
        match self {
            Self::A128Gcm => 16,
            Self::A256Gcm => 32,
        }
    }
}

/// Holds the key that the authorization server encrypts tokens with.
#[derive(Clone)]
pub struct TokenKey {
    cipher: Cipher,
    /// Tells it from another key of the same id.
    pub(crate) fingerprint: u64,
}

#[derive(Clone)]
enum Cipher {
    A128(Box<Aes128Gcm>),
    A256(Box<Aes256Gcm>),
}

impl TokenKey {
    /// Takes a key, whose length says the algorithm.
    pub fn new(algorithm: TokenAlgorithm, key: &[u8]) -> Option<Self> {
        if key.len() != algorithm.key_len() {
            return None;
        }
        let cipher = match algorithm {
            TokenAlgorithm::A128Gcm => {
                Cipher::A128(Box::new(Aes128Gcm::new(Key::<Aes128Gcm>::from_slice(key))))
            }
            TokenAlgorithm::A256Gcm => {
                Cipher::A256(Box::new(Aes256Gcm::new(Key::<Aes256Gcm>::from_slice(key))))
            }
        };
        Some(Self {
            cipher,
            fingerprint: first_bytes(Sha256::new().chain_update(key)),
        })
    }

    /// Opens the value of ACCESS-TOKEN; `None` for one that was made with another key or for another server, or that
    /// is malformed. Takes any bytes, and allocates only for a token that opens.
    pub fn open(&self, server_name: &str, value: &[u8]) -> Option<AccessToken> {
        let (&[n0, n1], rest) = value.split_first_chunk::<2>()?;
        if usize::from(u16::from_be_bytes([n0, n1])) != NONCE_LEN {
            return None;
        }
        let (nonce, rest) = rest.split_first_chunk::<NONCE_LEN>()?;
        let (sealed, tag) = rest.split_last_chunk::<TAG_LEN>()?;
        let mut block = Zeroizing::new([0; LONGEST_BLOCK]);
        let block = block.get_mut(..sealed.len())?;
        block.copy_from_slice(sealed);
        let (nonce, tag) = (Nonce::from_slice(nonce), Tag::from_slice(tag));
        match &self.cipher {
            Cipher::A128(cipher) => {
                cipher.decrypt_in_place_detached(nonce, server_name.as_bytes(), block, tag)
            }
            Cipher::A256(cipher) => {
                cipher.decrypt_in_place_detached(nonce, server_name.as_bytes(), block, tag)
            }
        }
        .ok()?;
        AccessToken::read(block)
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(..)")
    }
}

/// Holds what an authorization server says of a client.
pub struct AccessToken {
    /// What the client signs with.
    pub mac_key: Zeroizing<Vec<u8>>,
    /// When it was made, since 1970.
    pub issued: Duration,
    /// How long it is good for, in seconds.
    pub lifetime: u32,
}

impl AccessToken {
    fn read(block: &[u8]) -> Option<Self> {
        let (&[k0, k1], rest) = block.split_first_chunk::<2>()?;
        let len = usize::from(u16::from_be_bytes([k0, k1]));
        let (mac_key, rest) = rest.split_at_checked(len)?;
        let (timestamp, rest) = rest.split_first_chunk::<8>()?;
        let lifetime: [u8; 4] = rest.try_into().ok()?;
        if !(SHORTEST_MAC_KEY..=LONGEST_MAC_KEY).contains(&len) {
            return None;
        }
        Some(Self {
            mac_key: mac_key.to_vec().into(),
            issued: since_1970(u64::from_be_bytes(*timestamp)),
            lifetime: u32::from_be_bytes(lifetime),
        })
    }

    /// RFC 7635 §7: "lifetime + Delta > abs(RDnew - TS)".
    pub(crate) fn is_timely(&self, now: Duration) -> bool {
        Duration::from_secs(self.lifetime.into()) + DELTA > now.abs_diff(self.issued)
    }

    /// Tells when it ceases to be good, since 1970.
    pub(crate) fn expires(&self) -> Duration {
        self.issued + Duration::from_secs(self.lifetime.into()) + DELTA
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("issued", &self.issued)
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}

/// As much of a digest as tells one thing from another.
pub(crate) fn first_bytes(digest: Sha256) -> u64 {
    let digest = digest.finalize();
    digest
        .iter()
        .take(8)
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// RFC 7635 §6.2: 48 bits of seconds, 16 bits of 64,000ths of a second.
fn since_1970(timestamp: u64) -> Duration {
    const NANOS_PER_FRACTION: u64 = 1_000_000_000 / 64_000;
    Duration::from_secs(timestamp >> 16) + Duration::from_nanos((timestamp & 0xFFFF) * NANOS_PER_FRACTION)
}

#[cfg(test)]
mod tests;

//! Nonces that need no table: the time they were made, and a MAC that binds it to the client's address.
//!
//! ```text
//! cookie base64( seconds since 1970: last 3 bytes | HMAC-SHA256(key, seconds, client address, offer, realm): first 8 bytes )
//! ```
//!
//! The cookie of RFC 8489 §9.2 says what was offered beside the nonce; without it the nonce looks like one of RFC
//! 5389. docs/decisions/0008 weighs the sizes.

use std::net::{IpAddr, SocketAddr};

use arrayvec::ArrayVec;
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::{config::Config, types::Now};

/// RFC 8489 §9.2: what a nonce begins with when its server knows that RFC.
const COOKIE: &[u8; 9] = b"obMatJos2";

/// COOKIE and 24 feature bits in base64.
const PREFIX_LEN: usize = 13;

const TIME_LEN: usize = 3;
const RAW_LEN: usize = TIME_LEN + 8;

/// Length of `RAW_LEN` bytes in base64 without padding.
const TEXT_LEN: usize = 15;

/// How far ahead of the clock a nonce may be: another worker's clock reading, or a step of the clock.
const MAX_AHEAD: u64 = 60;

/// A nonce in characters.
pub(crate) type Nonce = ArrayVec<u8, { PREFIX_LEN + TEXT_LEN }>;

/// Says what a challenge offers beside its nonce; the larger offers come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offer {
    /// PASSWORD-ALGORITHMS, announced by the cookie.
    Algorithms,
    /// The cookie alone.
    Cookie,
    /// What RFC 5389 knows.
    Nothing,
}

impl Offer {
    pub(crate) const ALL: [Self; 3] = [Self::Algorithms, Self::Cookie, Self::Nothing];

    /// Reads what the sender of a nonce was offered, if the nonce is ours.
    fn of(nonce: &[u8]) -> Self {
        let mut features = [0; 3];
        let encoded = nonce.strip_prefix(COOKIE).and_then(|rest| rest.get(..4));
        match encoded.map(|encoded| STANDARD.decode_slice(encoded, &mut features)) {
            Some(Ok(_)) if features[0] & feature::PASSWORD_ALGORITHMS != 0 => Self::Algorithms,
            Some(_) => Self::Cookie,
            None => Self::Nothing,
        }
    }
}

/// The bits of the first byte of the feature set (RFC 8489 §18.1: bit 0 is the most significant one).
mod feature {
    pub(super) const PASSWORD_ALGORITHMS: u8 = 0x80;
    pub(super) const USERNAME_ANONYMITY: u8 = 0x40;
}

pub(crate) struct Nonces {
    /// Keyed, with the realm's bytes still to come.
    mac: Hmac<Sha256>,
    realm: Box<str>,
    lifetime: u64,
    /// What nonces begin with, by [`Offer`].
    prefixes: [ArrayVec<u8, PREFIX_LEN>; 3],
}

/// Says what a nonce is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NonceCheck {
    /// Ours, for this address, and young enough.
    Fresh,
    /// Ours and for this address, but too old: the address is proven all the same.
    Stale,
    /// Not made here for this address.
    Foreign,
}

impl Nonces {
    pub(crate) fn new(config: &Config) -> Self {
        let Ok(mac) = Hmac::<Sha256>::new_from_slice(&config.nonce_key) else {
            unreachable!("HMAC takes keys of any length");
        };
        let anonymity = if config.credentials.knows_user_hashes() {
            feature::USERNAME_ANONYMITY
        } else {
            0
        };
        Self {
            mac,
            realm: config.realm.as_str().into(),
            lifetime: config.nonce_lifetime.as_secs(),
            prefixes: [
                prefix(feature::PASSWORD_ALGORITHMS | anonymity),
                prefix(anonymity),
                ArrayVec::new(),
            ],
        }
    }

    pub(crate) fn make(&self, now: Now, client: SocketAddr, offer: Offer) -> Nonce {
        let raw = self.raw(now.unix.as_secs(), client, offer);
        let mut text = [0; TEXT_LEN];
        let written = STANDARD_NO_PAD.encode_slice(raw, &mut text);
        debug_assert_eq!(written, Ok(TEXT_LEN));
        let prefix = &self.prefixes[offer as usize];
        prefix.iter().chain(&text).copied().collect()
    }

    /// Tells what a nonce is worth, and what was offered with it.
    pub(crate) fn check(&self, now: Now, client: SocketAddr, nonce: &[u8]) -> (NonceCheck, Offer) {
        let offer = Offer::of(nonce);
        let text = nonce.strip_prefix(self.prefixes[offer as usize].as_slice());
        let check = text.and_then(|text| self.check_text(now, client, offer, text));
        (check.unwrap_or(NonceCheck::Foreign), offer)
    }

    fn check_text(&self, now: Now, client: SocketAddr, offer: Offer, text: &[u8]) -> Option<NonceCheck> {
        let mut raw = [0; RAW_LEN];
        if text.len() != TEXT_LEN || STANDARD_NO_PAD.decode_slice(text, &mut raw) != Ok(RAW_LEN) {
            return None;
        }
        let now = now.unix.as_secs();
        let made = latest(now + MAX_AHEAD, [raw[0], raw[1], raw[2]])?;
        if !bool::from(self.raw(made, client, offer).ct_eq(&raw)) {
            return None;
        }
        Some(if now > made + self.lifetime {
            NonceCheck::Stale
        } else {
            NonceCheck::Fresh
        })
    }

    fn raw(&self, made: u64, client: SocketAddr, offer: Offer) -> [u8; RAW_LEN] {
        let mut mac = self.mac.clone();
        mac.update(&made.to_be_bytes());
        match client.ip() {
            IpAddr::V4(ip) => mac.update(&ip.octets()),
            IpAddr::V6(ip) => mac.update(&ip.octets()),
        }
        mac.update(&client.port().to_be_bytes());
        mac.update(&[offer as u8]);
        mac.update(self.realm.as_bytes());
        let code = mac.finalize().into_bytes();
        let [.., t0, t1, t2] = made.to_be_bytes();
        let time = [t0, t1, t2];
        std::array::from_fn(|at| {
            if at < TIME_LEN {
                time[at]
            } else {
                code[at - TIME_LEN]
            }
        })
    }
}

/// The latest second, not after `end`, that ends in these bytes. They repeat after 194 days; the MAC knows the
/// whole number.
fn latest(end: u64, [t0, t1, t2]: [u8; TIME_LEN]) -> Option<u64> {
    let low = u64::from_be_bytes([0, 0, 0, 0, 0, t0, t1, t2]);
    let since = end.wrapping_sub(low) & 0x00FF_FFFF;
    end.checked_sub(since)
}

fn prefix(features: u8) -> ArrayVec<u8, PREFIX_LEN> {
    let mut encoded = [0; PREFIX_LEN - COOKIE.len()];
    let written = STANDARD.encode_slice([features, 0, 0], &mut encoded);
    debug_assert_eq!(written, Ok(encoded.len()));
    COOKIE.iter().chain(&encoded).copied().collect()
}

#[cfg(test)]
mod tests;

//! Nonces that need no table: the time they were made, and a MAC that binds it to the client's address.
//!
//! ```text
//! base64( seconds since 1970: 4 bytes | HMAC-SHA256(key, seconds, client address, realm): first 11 bytes )
//! ```

use std::net::{IpAddr, SocketAddr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::{config::Config, types::Now};

/// Length of a nonce in characters.
pub(crate) const NONCE_LEN: usize = 20;

const TIME_LEN: usize = 4;
const RAW_LEN: usize = 15;

/// How far ahead of the clock a nonce may be: another worker's clock reading, or a step of the clock.
const MAX_AHEAD: u64 = 60;

pub(crate) struct Nonces {
    /// Keyed, with the realm's bytes still to come.
    mac: Hmac<Sha256>,
    realm: Box<str>,
    lifetime: u64,
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
        Self {
            mac,
            realm: config.realm.as_str().into(),
            lifetime: config.nonce_lifetime.as_secs(),
        }
    }

    pub(crate) fn make(&self, now: Now, client: SocketAddr) -> [u8; NONCE_LEN] {
        let mut nonce = [0; NONCE_LEN];
        let raw = self.raw((now.unix.as_secs() as u32).to_be_bytes(), client);
        let written = STANDARD.encode_slice(raw, &mut nonce);
        debug_assert_eq!(written, Ok(NONCE_LEN));
        nonce
    }

    pub(crate) fn check(&self, now: Now, client: SocketAddr, nonce: &[u8]) -> NonceCheck {
        let mut raw = [0; RAW_LEN];
        if nonce.len() != NONCE_LEN || STANDARD.decode_slice(nonce, &mut raw) != Ok(RAW_LEN) {
            return NonceCheck::Foreign;
        }
        let time: [u8; TIME_LEN] = std::array::from_fn(|at| raw[at]);
        if !bool::from(self.raw(time, client).ct_eq(&raw)) {
            return NonceCheck::Foreign;
        }
        let (made, now) = (u64::from(u32::from_be_bytes(time)), now.unix.as_secs());
        if made > now + MAX_AHEAD || now > made + self.lifetime {
            NonceCheck::Stale
        } else {
            NonceCheck::Fresh
        }
    }

    fn raw(&self, time: [u8; TIME_LEN], client: SocketAddr) -> [u8; RAW_LEN] {
        let mut mac = self.mac.clone();
        mac.update(&time);
        match client.ip() {
            IpAddr::V4(ip) => mac.update(&ip.octets()),
            IpAddr::V6(ip) => mac.update(&ip.octets()),
        }
        mac.update(&client.port().to_be_bytes());
        mac.update(self.realm.as_bytes());
        let code = mac.finalize().into_bytes();
        std::array::from_fn(|at| {
            if at < TIME_LEN {
                time[at]
            } else {
                code[at - TIME_LEN]
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{config::Realm, testing::now_at};

    const CLIENT: &str = "192.0.2.1:5000";

    fn nonces() -> Nonces {
        Nonces::new(&Config::new(Realm::new("example.org").unwrap(), [1; 32]))
    }

    fn check(nonce: &[u8], seconds: u64, client: &str) -> NonceCheck {
        nonces().check(now_at(seconds), client.parse().unwrap(), nonce)
    }

    fn make(seconds: u64, client: &str) -> [u8; NONCE_LEN] {
        nonces().make(now_at(seconds), client.parse().unwrap())
    }

    #[test]
    fn a_nonce_is_good_for_its_lifetime_and_stale_after() {
        let nonce = make(1000, CLIENT);
        assert_eq!(check(&nonce, 1000, CLIENT), NonceCheck::Fresh);
        assert_eq!(check(&nonce, 4600, CLIENT), NonceCheck::Fresh);
        assert_eq!(check(&nonce, 4601, CLIENT), NonceCheck::Stale);
    }

    #[test]
    fn a_nonce_of_the_future_is_stale_but_a_small_step_of_the_clock_is_forgiven() {
        let nonce = make(1000, CLIENT);
        assert_eq!(check(&nonce, 940, CLIENT), NonceCheck::Fresh);
        assert_eq!(check(&nonce, 939, CLIENT), NonceCheck::Stale);
    }

    #[test]
    fn a_nonce_is_bound_to_address_and_port() {
        let nonce = make(1000, CLIENT);
        for other in ["192.0.2.1:5001", "192.0.2.2:5000", "[::ffff:192.0.2.1]:5000"] {
            assert_eq!(check(&nonce, 1000, other), NonceCheck::Foreign, "{other}");
        }
    }

    #[test]
    fn a_changed_nonce_is_foreign() {
        let nonce = make(1000, CLIENT);
        for at in 0..NONCE_LEN {
            let mut changed = nonce;
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(
                check(&changed, 1000, CLIENT),
                NonceCheck::Foreign,
                "character {at}"
            );
        }
        for text in [
            &b""[..],
            b"AAAA",
            &[0xff; 20],
            &nonce[1..],
            &[nonce.as_slice(), b"A"].concat(),
        ] {
            assert_eq!(check(text, 1000, CLIENT), NonceCheck::Foreign);
        }
    }

    #[test]
    fn another_key_or_realm_makes_another_nonce() {
        let nonce = make(1000, CLIENT);
        let client = CLIENT.parse().unwrap();
        for (realm, key) in [("example.org", [2; 32]), ("example.net", [1; 32])] {
            let other = Nonces::new(&Config::new(Realm::new(realm).unwrap(), key));
            assert_eq!(other.check(now_at(1000), client, &nonce), NonceCheck::Foreign);
        }
    }

    /// THREATS 13: what follows the clock differs for every client and second.
    #[test]
    fn no_two_clients_or_seconds_share_a_code() {
        let codes: BTreeSet<_> = (0..1000)
            .flat_map(|n: u16| {
                [
                    make(1000, &format!("192.0.2.1:{n}")),
                    make(2000 + u64::from(n), CLIENT),
                ]
            })
            .map(|nonce| nonce[6..].to_vec())
            .collect();
        assert_eq!(codes.len(), 2000);
    }
}

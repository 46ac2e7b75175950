//! Tokens with which a client proves, over a new connection, which member it was.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::names::MemberId;

/// A token before it is signed: the id, then the expiry in Unix seconds, both big-endian.
mod field {
    use std::ops::Range;

    pub(super) const ID: Range<usize> = 0..16;
    pub(super) const EXPIRY: Range<usize> = 16..24;
    pub(super) const SIGNED: Range<usize> = 0..24;
    pub(super) const MAC: Range<usize> = 24..56;
    pub(super) const LENGTH: usize = 56;
}

/// Signs and checks session tokens.
pub(crate) struct SessionTokens {
    mac: Hmac<Sha256>,
    lifetime: Duration,
}

impl SessionTokens {
    /// Signs with `key`, a whole block of random bytes.
    pub(crate) fn new(key: [u8; 64], lifetime: Duration) -> Self {
        let mac = Hmac::new(&key.into());
        Self { mac, lifetime }
    }

    /// Makes a token for the member `id` that is good for the lifetime from `now` on.
    pub(crate) fn sign(&self, id: MemberId, now: SystemTime) -> String {
        let mut token = [0; field::LENGTH];
        token[field::ID].copy_from_slice(&id.to_bits().to_be_bytes());
        token[field::EXPIRY].copy_from_slice(&seconds(now + self.lifetime).to_be_bytes());
        let mac = self.mac.clone().chain_update(&token[field::SIGNED]).finalize();
        token[field::MAC].copy_from_slice(&mac.into_bytes());
        URL_SAFE_NO_PAD.encode(token)
    }

    /// Tells whom a token is for, if we signed it and it has not expired.
    pub(crate) fn check(&self, text: &str, now: SystemTime) -> Option<MemberId> {
        let mut token = [0; field::LENGTH];
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut token).ok()?;
        if length != field::LENGTH {
            return None;
        }
        let mac = self.mac.clone().chain_update(&token[field::SIGNED]);
        mac.verify_slice(&token[field::MAC]).ok()?;
        let expires = u64::from_be_bytes(token[field::EXPIRY].try_into().ok()?);
        let id = u128::from_be_bytes(token[field::ID].try_into().ok()?);
        (seconds(now) < expires).then(|| MemberId::new(id))
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: MemberId = MemberId::new(7);
    const HOUR: Duration = Duration::from_secs(3600);

    fn tokens() -> SessionTokens {
        SessionTokens::new([1; 64], HOUR)
    }

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }

    #[test]
    fn a_token_names_its_member_until_it_expires() {
        let token = tokens().sign(ID, now());
        assert_eq!(tokens().check(&token, now()), Some(ID));
        assert_eq!(
            tokens().check(&token, now() + HOUR - Duration::from_secs(1)),
            Some(ID)
        );
        assert_eq!(tokens().check(&token, now() + HOUR), None);
    }

    #[test]
    fn a_token_of_another_key_is_none() {
        let token = SessionTokens::new([2; 64], HOUR).sign(ID, now());
        assert_eq!(tokens().check(&token, now()), None);
    }

    proptest! {
        #[test]
        fn a_token_that_was_touched_anywhere_is_none(bit in 0..field::LENGTH * 8) {
            let token = tokens().sign(ID, now());
            let mut bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(tokens().check(&URL_SAFE_NO_PAD.encode(bytes), now()), None);
        }

        #[test]
        fn any_text_is_none(text in ".{0,100}") {
            prop_assert_eq!(tokens().check(&text, now()), None);
        }
    }
}

//! Tokens with which a client proves, over a new connection, which member it was.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::names::{MemberId, RoomKey, RoomName, Space};

/// A token: the MAC, then what it is of: the id, the expiry in Unix seconds, both big-endian, the kind of room, and
/// the room's name.
mod field {
    use std::ops::{Range, RangeFrom};

    pub(super) const MAC: Range<usize> = 0..32;
    pub(super) const SIGNED: RangeFrom<usize> = 32..;
    pub(super) const ID: Range<usize> = 32..48;
    pub(super) const EXPIRY: Range<usize> = 48..56;
    pub(super) const SPACE: usize = 56;
    pub(super) const NAME: RangeFrom<usize> = 57..;
    /// With the longest name.
    pub(super) const MOST: usize = 57 + 4 * crate::names::MAX_NAME_CHARS;
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

    /// Makes a token for the member `id` of `room` that is good for the lifetime from `now` on.
    pub(crate) fn sign(&self, id: MemberId, room: &RoomKey, now: SystemTime) -> String {
        let mut token = vec![0; field::NAME.start];
        token[field::ID].copy_from_slice(&id.to_bits().to_be_bytes());
        token[field::EXPIRY].copy_from_slice(&seconds(now + self.lifetime).to_be_bytes());
        token[field::SPACE] = room.space.code();
        token.extend_from_slice(room.name.as_str().as_bytes());
        let mac = self.mac.clone().chain_update(&token[field::SIGNED]).finalize();
        token[field::MAC].copy_from_slice(&mac.into_bytes());
        URL_SAFE_NO_PAD.encode(token)
    }

    pub(crate) fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// Tells whom a token is for, and of which room, if we signed it and it has not expired.
    pub(crate) fn check(&self, text: &str, now: SystemTime) -> Option<(MemberId, RoomKey)> {
        let mut token = [0; field::MOST];
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut token).ok()?;
        let token = token.get(..length).filter(|_| length > field::NAME.start)?;
        let mac = self.mac.clone().chain_update(&token[field::SIGNED]);
        mac.verify_slice(&token[field::MAC]).ok()?;
        let expires = u64::from_be_bytes(token[field::EXPIRY].try_into().ok()?);
        let id = u128::from_be_bytes(token[field::ID].try_into().ok()?);
        let room = RoomKey {
            space: Space::of_code(token[field::SPACE])?,
            name: RoomName::new(str::from_utf8(&token[field::NAME]).ok()?)?,
        };
        (seconds(now) < expires).then(|| (MemberId::new(id), room))
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

    fn room() -> RoomKey {
        RoomKey {
            space: Space::Calls,
            name: RoomName::new("北の部屋").unwrap(),
        }
    }

    fn tokens() -> SessionTokens {
        SessionTokens::new([1; 64], HOUR)
    }

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }

    #[test]
    fn a_token_names_its_member_until_it_expires() {
        let token = tokens().sign(ID, &room(), now());
        assert_eq!(tokens().check(&token, now()), Some((ID, room())));
        assert_eq!(
            tokens().check(&token, now() + HOUR - Duration::from_secs(1)),
            Some((ID, room()))
        );
        assert_eq!(tokens().check(&token, now() + HOUR), None);
    }

    #[test]
    fn a_token_of_another_key_is_none() {
        let token = SessionTokens::new([2; 64], HOUR).sign(ID, &room(), now());
        assert_eq!(tokens().check(&token, now()), None);
    }

    #[test]
    fn the_longest_name_of_a_room_has_a_place() {
        for character in ["a", "渡", "🐦"] {
            let name = RoomName::new(&character.repeat(crate::names::MAX_NAME_CHARS)).unwrap();
            let room = RoomKey {
                space: Space::Classic,
                name,
            };
            let token = tokens().sign(ID, &room, now());
            assert_eq!(tokens().check(&token, now()), Some((ID, room)));
        }
    }

    proptest! {
        #[test]
        fn a_token_that_was_touched_anywhere_is_none(bit in 0..(field::NAME.start + 12) * 8) {
            let token = tokens().sign(ID, &room(), now());
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

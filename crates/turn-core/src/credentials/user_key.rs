//! What may be kept of a user in place of the password.

use std::fmt;

use stun_wire::{long_term_key_md5, long_term_key_sha256};
use zeroize::Zeroizing;

/// Holds MD5(name ":" realm ":" password), and SHA-256 of the same where it is known. It is wiped when dropped and
/// never printed.
#[derive(Clone)]
pub struct UserKey {
    md5: Zeroizing<[u8; 16]>,
    sha256: Option<Zeroizing<[u8; 32]>>,
}

impl UserKey {
    /// Takes the key that clients of RFC 5389 use, and the one of RFC 8489.
    pub fn new(md5: [u8; 16], sha256: Option<[u8; 32]>) -> Self {
        Self {
            md5: md5.into(),
            sha256: sha256.map(Zeroizing::new),
        }
    }

    /// Reads `0x` and 32 hexadecimal digits, as coturn writes it; `,sha256:` and 64 more may follow.
    pub fn parse(text: &str) -> Option<Self> {
        let (md5, sha256) = match text.split_once(',') {
            Some((md5, sha256)) => (md5, Some(sha256)),
            None => (text, None),
        };
        let sha256 = match sha256 {
            Some(text) => Some(digits(text.strip_prefix("sha256:")?)?),
            None => None,
        };
        Some(Self::new(digits(md5.strip_prefix("0x")?)?, sha256))
    }

    /// Derives both from texts that are prepared already.
    pub(super) fn of_password(name: &str, realm: &str, password: &str) -> Self {
        Self::new(
            long_term_key_md5(name, realm, password),
            Some(long_term_key_sha256(name, realm, password)),
        )
    }

    pub(super) fn md5(&self) -> &[u8] {
        &*self.md5
    }

    pub(super) fn sha256(&self) -> Option<&[u8]> {
        self.sha256.as_ref().map(|key| key.as_slice())
    }
}

impl fmt::Debug for UserKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserKey(..)")
    }
}

fn digits<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut key = [0; N];
    for (at, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MD5: &str = "0x0aff000102030405060708090A0B0C0D";

    #[test]
    fn a_key_is_0x_and_32_hexadecimal_digits() {
        let key = UserKey::parse(MD5).unwrap();
        assert_eq!(
            key.md5(),
            [0x0a, 0xff, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]
        );
        assert_eq!(key.sha256(), None);
        for wrong in [
            "",
            "0x",
            "0x0aff",
            "0aff000102030405060708090a0b0c0d",
            "0x0aff000102030405060708090a0b0c0d0e",
            "0x+aff000102030405060708090a0b0c0d",
        ] {
            assert!(UserKey::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn the_key_of_rfc_8489_may_follow() {
        let text = format!("{MD5},sha256:{}", "5c".repeat(32));
        assert_eq!(UserKey::parse(&text).unwrap().sha256(), Some(&[0x5c; 32][..]));
        for wrong in [
            format!("{MD5},"),
            format!("{MD5},{}", "5c".repeat(32)),
            format!("{MD5},sha256:{}", "5c".repeat(31)),
            format!("{MD5},sha256:{},", "5c".repeat(32)),
            format!("sha256:{}", "5c".repeat(32)),
        ] {
            assert!(UserKey::parse(&wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_key_does_not_show_itself() {
        assert_eq!(format!("{:?}", UserKey::parse(MD5)), "Some(UserKey(..))");
    }
}

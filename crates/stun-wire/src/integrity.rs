use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::HEADER_LEN;

/// Key of MESSAGE-INTEGRITY: HMAC-SHA1 with both pads already absorbed, so that a message costs no re-keying
/// (RFC 8489 §14.5).
#[derive(Clone)]
pub struct IntegrityKey(Hmac<Sha1>);

/// Key of MESSAGE-INTEGRITY-SHA256: HMAC-SHA256 with both pads already absorbed (RFC 8489 §14.6).
#[derive(Clone)]
pub struct IntegrityKeySha256(Hmac<Sha256>);

pub(crate) const SHA1_LEN: usize = 20;
pub(crate) const SHA256_LEN: usize = 32;

macro_rules! integrity_key {
    ($key:ident, $mac:ty, $len:ident) => {
        impl $key {
            /// Takes key bytes of any length: a prepared password, or what `long_term_key_*` returns.
            pub fn new(key: &[u8]) -> Self {
                let Ok(mac) = <$mac>::new_from_slice(key) else {
                    unreachable!("HMAC takes keys of any length");
                };
                Self(mac)
            }

            /// Computes the code over `covered`, with `length` in place of the header's length field.
            pub(crate) fn code(&self, covered: &[u8], length: u16) -> [u8; $len] {
                let mut mac = self.0.clone();
                let (header, rest) = covered.split_at(HEADER_LEN);
                let mut header: [u8; HEADER_LEN] = std::array::from_fn(|at| header[at]);
                header[2..4].copy_from_slice(&length.to_be_bytes());
                mac.update(&header);
                mac.update(rest);
                mac.finalize().into_bytes().into()
            }

            /// Compares in a time that does not depend on where the first difference is.
            pub(crate) fn matches(&self, covered: &[u8], length: u16, value: &[u8]) -> bool {
                self.code(covered, length).ct_eq(value).into()
            }
        }

        impl fmt::Debug for $key {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($key), "(..)"))
            }
        }
    };
}

integrity_key!(IntegrityKey, Hmac<Sha1>, SHA1_LEN);
integrity_key!(IntegrityKeySha256, Hmac<Sha256>, SHA256_LEN);

#[cfg(test)]
mod tests {
    use zeroize::ZeroizeOnDrop;

    use super::*;

    #[test]
    fn the_state_of_a_key_is_wiped_when_it_is_dropped() {
        // HMAC's state is that of its two hashes, which wipe themselves.
        fn is_wiped<T: ZeroizeOnDrop>() {}
        is_wiped::<Sha1>();
        is_wiped::<Sha256>();
    }

    #[test]
    fn a_key_does_not_show_itself() {
        assert_eq!(format!("{:?}", IntegrityKey::new(b"secret")), "IntegrityKey(..)");
    }

    #[test]
    fn the_length_given_takes_the_place_of_the_one_in_the_header() {
        let mut header = *b"Hi There Hi There Hi";
        let key = IntegrityKey::new(b"key");
        let expected = key.code(&header, u16::from_be_bytes(*b" T"));
        header[2..4].fill(0);
        assert_eq!(key.code(&header, u16::from_be_bytes(*b" T")), expected);
        assert!(key.matches(&header, u16::from_be_bytes(*b" T"), &expected));
        assert!(!key.matches(&header, 0, &expected));
        assert!(!key.matches(&header, u16::from_be_bytes(*b" T"), &expected[..19]));
    }
}

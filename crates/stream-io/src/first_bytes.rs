//! What a connection carries, by its first bytes.

use stun_wire::{Kind, classify};

use crate::proxy;

/// A TLS record of the type handshake (RFC 8446 §5.1), whatever its version.
const HANDSHAKE: [u8; 2] = [0x16, 0x03];

/// What a connection began with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstBytes {
    /// Too few bytes to tell.
    Incomplete,
    /// A STUN message. ChannelData cannot be first, as nothing is bound yet.
    Stun,
    /// A TLS handshake.
    Tls,
    /// A letter, as every method of HTTP begins.
    Web,
    /// A header of the PROXY protocol, version 1 or 2.
    Proxy,
    /// Nothing that is spoken here.
    Unknown,
}

/// Tells what begins with `bytes`.
pub fn tell_apart(bytes: &[u8]) -> FirstBytes {
    let Some(&first) = bytes.first() else {
        return FirstBytes::Incomplete;
    };
    if classify(first) == Kind::Stun {
        return FirstBytes::Stun;
    }
    let mut incomplete = false;
    for (signature, meaning) in [
        (HANDSHAKE.as_slice(), FirstBytes::Tls),
        (proxy::SIGNATURE_1, FirstBytes::Proxy),
        (proxy::SIGNATURE_2, FirstBytes::Proxy),
    ] {
        if bytes.starts_with(signature) {
            return meaning;
        }
        incomplete |= signature.starts_with(bytes);
    }
    if incomplete {
        FirstBytes::Incomplete
    } else if first.is_ascii_alphabetic() {
        FirstBytes::Web
    } else {
        FirstBytes::Unknown
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn protocols_are_told_apart_and_one_that_is_cut_short_is_waited_for() {
        let cases: [(&[u8], FirstBytes); 9] = [
            (b"\x00\x01\x00\x00", FirstBytes::Stun),
            (b"\x03", FirstBytes::Stun),
            (b"\x16\x03\x01\x02\x00", FirstBytes::Tls),
            (b"GET / HTTP/1.1", FirstBytes::Web),
            (b"POST /turn", FirstBytes::Web),
            (b"PRI * HTTP/2.0", FirstBytes::Web),
            (b"PROXY TCP4 ", FirstBytes::Proxy),
            (b"\r\n\r\n\0\r\nQUIT\n\x21\x11", FirstBytes::Proxy),
            (b"\x40\x00\x00\x04", FirstBytes::Unknown),
        ];
        for (bytes, expected) in cases {
            assert_eq!(tell_apart(bytes), expected, "{bytes:?}");
        }
        for bytes in [b"".as_slice(), b"\x16", b"P", b"PROXY", b"\r\n\r\n\0\r\nQUIT"] {
            assert_eq!(tell_apart(bytes), FirstBytes::Incomplete, "{bytes:?}");
        }
        for bytes in [
            b"\x16\x02".as_slice(),
            b"\r\n\r\nQ",
            b"\x80\x60",
            b"\x14",
            b" GET",
        ] {
            assert_eq!(tell_apart(bytes), FirstBytes::Unknown, "{bytes:?}");
        }
    }

    proptest! {
        /// However a stream is cut, what is known of it once is never taken back.
        #[test]
        fn more_bytes_do_not_change_the_answer(bytes in prop::collection::vec(any::<u8>(), 0..20), cut in 0..20_usize) {
            let cut = cut.min(bytes.len());
            let early = tell_apart(&bytes[..cut]);
            if early != FirstBytes::Incomplete {
                prop_assert_eq!(early, tell_apart(&bytes));
            }
        }
    }
}

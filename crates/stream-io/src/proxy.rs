//! The PROXY protocol, versions 1 and 2: who a proxy says that it forwards.
//!
//! Source: the specification kept by HAProxy, `proxy-protocol.txt`, sections 2.1 and 2.2.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// How version 1 begins, a line of text.
pub(crate) const SIGNATURE_1: &[u8] = b"PROXY ";
/// How version 2 begins.
pub(crate) const SIGNATURE_2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Section 2.1: the longest line, its end included.
const LONGEST_LINE: usize = 107;
/// Addresses and further values, which are skipped; certificates would be the longest of them.
const LONGEST_BODY: usize = 4096;

/// The fixed part of version 2.
mod field {
    use std::ops::Range;

    pub(super) const VERSION_COMMAND: usize = 12;
    pub(super) const FAMILY: usize = 13;
    pub(super) const LENGTH: Range<usize> = 14..16;
    pub(super) const END: usize = 16;
}

/// What stands at the start of a connection from a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyHeader {
    /// More bytes are needed.
    Incomplete,
    /// Not a header, or one of something else than TCP.
    Invalid,
    /// A header of `len` bytes.
    Complete {
        /// Bytes to take off the front.
        len: usize,
        /// The client; `None` when the proxy speaks for itself or does not know.
        client: Option<SocketAddr>,
    },
}

/// Reads the header at the start of `bytes`.
pub fn read_header(bytes: &[u8]) -> ProxyHeader {
    if bytes.starts_with(SIGNATURE_1) {
        read_line(bytes)
    } else if bytes.starts_with(SIGNATURE_2) {
        read_binary(bytes)
    } else if SIGNATURE_1.starts_with(bytes) || SIGNATURE_2.starts_with(bytes) {
        ProxyHeader::Incomplete
    } else {
        ProxyHeader::Invalid
    }
}

fn read_line(bytes: &[u8]) -> ProxyHeader {
    let seen = &bytes[..bytes.len().min(LONGEST_LINE)];
    let Some(end) = seen.windows(2).position(|pair| pair == b"\r\n") else {
        return if seen.len() < LONGEST_LINE {
            ProxyHeader::Incomplete
        } else {
            ProxyHeader::Invalid
        };
    };
    let complete = |client| ProxyHeader::Complete { len: end + 2, client };
    let Ok(line) = std::str::from_utf8(&seen[SIGNATURE_1.len()..end]) else {
        return ProxyHeader::Invalid;
    };
    let words: Vec<&str> = line.split(' ').collect();
    match words[..] {
        // What follows is to be ignored.
        ["UNKNOWN", ..] => complete(None),
        ["TCP4", from, to, from_port, to_port] => {
            let parse = |text: &str| text.parse::<Ipv4Addr>().ok();
            match (parse(from), parse(to), port(from_port), port(to_port)) {
                (Some(from), Some(_), Some(port), Some(_)) => complete(Some((from, port).into())),
                _ => ProxyHeader::Invalid,
            }
        }
        ["TCP6", from, to, from_port, to_port] => {
            let parse = |text: &str| text.parse::<Ipv6Addr>().ok();
            match (parse(from), parse(to), port(from_port), port(to_port)) {
                (Some(from), Some(_), Some(port), Some(_)) => complete(Some((from, port).into())),
                _ => ProxyHeader::Invalid,
            }
        }
        _ => ProxyHeader::Invalid,
    }
}

/// A port without sign and without leading zeros.
fn port(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let padded = text.len() > 1 && text.starts_with('0');
    text.parse().ok().filter(|_| digits && !padded)
}

fn read_binary(bytes: &[u8]) -> ProxyHeader {
    let Some(length) = bytes
        .get(field::LENGTH)
        .and_then(|length| length.first_chunk::<2>())
    else {
        return ProxyHeader::Incomplete;
    };
    let length = usize::from(u16::from_be_bytes(*length));
    if length > LONGEST_BODY {
        return ProxyHeader::Invalid;
    }
    let len = field::END + length;
    let body = bytes.get(field::END..len);
    let (command, family) = (bytes[field::VERSION_COMMAND], bytes[field::FAMILY]);
    let shortest = match (command, family) {
        // LOCAL, for instance to ask whether we are there; the rest is to be ignored.
        (0x20, _) => 0,
        // Of a kind that the proxy has no word for.
        (0x21, 0x00) => 0,
        (0x21, 0x11) => 12,
        (0x21, 0x21) => 36,
        _ => return ProxyHeader::Invalid,
    };
    if length < shortest {
        return ProxyHeader::Invalid;
    }
    let Some(body) = body else {
        return ProxyHeader::Incomplete;
    };
    let client = match (shortest, body) {
        (12, [a, b, c, d, _, _, _, _, port @ ..]) => Some((Ipv4Addr::new(*a, *b, *c, *d).into(), port)),
        (36, _) => body.split_first_chunk::<16>().and_then(|(from, rest)| {
            let port = rest.get(16..)?;
            Some((Ipv6Addr::from(*from).into(), port))
        }),
        _ => None,
    };
    let client = client.and_then(|(ip, port)| {
        let port = u16::from_be_bytes(*port.first_chunk()?);
        Some(SocketAddr::new(ip, port))
    });
    ProxyHeader::Complete { len, client }
}

#[cfg(test)]
mod tests;

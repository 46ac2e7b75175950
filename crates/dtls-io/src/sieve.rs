//! What OpenSSL gets to see of a client whose handshake goes on. It keeps what comes too early, and whoever only has
//! a cookie must not make it keep much.
//!
//! ```text
//! ClientHello │ ClientKeyExchange, ChangeCipherSpec │ Finished
//! number n      n + 1                                 n + 2, encrypted: a record of epoch 1
//! ```
//! That is all a client sends: it is not asked for a certificate, and nothing is resumed.

use dtls_cookie::{Content, Record};

/// Bytes of a handshake message's header (RFC 6347 §4.2.2).
const HEADER: usize = 12;
/// Bytes of a message after the ClientHello: OpenSSL takes memory for all that its header promises. A
/// ClientKeyExchange is a point on a curve, 134 at most.
const LONGEST: u32 = 1024;
/// How far behind the ClientHello messages are numbered; OpenSSL keeps those that it cannot read yet.
const AHEAD: u16 = 3;
/// Bytes of an encrypted Finished: header, 12 of its own, and what the ciphers of ours add, 24 at most.
const FINISHED: usize = HEADER + 12 + 24;
/// Records of epoch 1: the Finished, and one more that may be in its datagram. OpenSSL keeps up to a hundred that come
/// before the ChangeCipherSpec.
const ENCRYPTED: u8 = 2;

/// What one handshake has had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sieve {
    /// The number of the ClientHello it began with.
    hello: u16,
    /// Records of epoch 1 so far.
    encrypted: u8,
}

impl Sieve {
    pub(crate) fn new(hello: u16) -> Self {
        Self { hello, encrypted: 0 }
    }

    /// Tells how many bytes of a datagram may be seen: the records before the first that may not.
    pub(crate) fn pass(&mut self, datagram: &[u8]) -> usize {
        let mut passed = 0;
        while let Some(record) = Record::parse(datagram, passed) {
            let fragment = &datagram[record.fragment.clone()];
            let passes = match record.epoch {
                0 => record.content != Content::Handshake || self.fits(fragment),
                1 => self.is_encrypted_end(&record),
                _ => false,
            };
            if !passes {
                break;
            }
            passed = record.fragment.end;
        }
        passed
    }

    /// Whether OpenSSL keeps little of the messages in a record.
    fn fits(&self, mut fragment: &[u8]) -> bool {
        while let Some((header, rest)) = fragment.split_first_chunk::<HEADER>() {
            let [_, l0, l1, l2, n0, n1, _, _, _, f0, f1, f2] = *header;
            let length = u32::from_be_bytes([0, l0, l1, l2]);
            let ahead = u16::from_be_bytes([n0, n1]).saturating_sub(self.hello);
            // What was read before is not kept: it may be the ClientHello again.
            if ahead > AHEAD || (ahead > 0 && length > LONGEST) {
                return false;
            }
            let here = u32::from_be_bytes([0, f0, f1, f2]);
            let Some(next) = rest.get(here as usize..) else {
                return false;
            };
            fragment = next;
        }
        fragment.is_empty()
    }

    fn is_encrypted_end(&mut self, record: &Record) -> bool {
        let is_too_long = record.content == Content::Handshake && record.fragment.len() > FINISHED;
        if is_too_long || self.encrypted == ENCRYPTED {
            return false;
        }
        self.encrypted += 1;
        true
    }
}

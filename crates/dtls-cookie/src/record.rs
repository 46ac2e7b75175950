//! The headers of DTLS records (RFC 6347 §4.1): thirteen bytes in front of each, several records in a datagram.

use std::ops::Range;

/// Bytes of a record's header.
pub(crate) const HEADER: usize = 13;
/// RFC 6347 §4.1: 2^14 of plaintext, and what encryption may add (RFC 5246 §6.2.3).
const MAX_FRAGMENT: usize = (1 << 14) + 2048;
/// Sequence numbers have 48 bits.
const SEQUENCE_MASK: u64 = (1 << 48) - 1;

mod field {
    use std::ops::Range;

    pub(super) const CONTENT: usize = 0;
    pub(super) const VERSION: Range<usize> = 1..3;
    pub(super) const EPOCH: Range<usize> = 3..5;
    pub(super) const SEQUENCE: Range<usize> = 5..11;
    pub(super) const LENGTH: Range<usize> = 11..13;
}

/// What a record holds (RFC 5246 §6.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// What comes after is encrypted.
    ChangeCipherSpec,
    /// A warning, or the end.
    Alert,
    /// A message of the handshake, or a part of one.
    Handshake,
    /// What the session is for.
    Application,
}

/// The header of one record, and where its fragment lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What it holds.
    pub content: Content,
    /// 0xfeff for DTLS 1.0, 0xfefd for 1.2.
    pub version: u16,
    /// 0 while nothing is encrypted.
    pub epoch: u16,
    /// Its number within the epoch, 48 bits.
    pub sequence: u64,
    /// Where in the datagram the bytes behind the header lie.
    pub fragment: Range<usize>,
}

impl Record {
    /// Reads the record that begins at `at`; `None` if there is no whole and well-formed one.
    pub fn parse(datagram: &[u8], at: usize) -> Option<Self> {
        let header = datagram.get(at..at + HEADER)?;
        let content = match header[field::CONTENT] {
            20 => Content::ChangeCipherSpec,
            21 => Content::Alert,
            22 => Content::Handshake,
            23 => Content::Application,
            _ => return None,
        };
        let version = u16_at(header, field::VERSION);
        let length = usize::from(u16_at(header, field::LENGTH));
        let fragment = at + HEADER..at + HEADER + length;
        let well_formed = version >> 8 == 0xfe && (1..=MAX_FRAGMENT).contains(&length);
        (well_formed && fragment.end <= datagram.len()).then(|| Self {
            content,
            version,
            epoch: u16_at(header, field::EPOCH),
            sequence: sequence(header),
            fragment,
        })
    }

    /// Tells whether nothing follows it in its datagram.
    pub fn is_last(&self, datagram: &[u8]) -> bool {
        self.fragment.end == datagram.len()
    }
}

/// Writes a header of epoch 0 for a fragment of `length` bytes.
pub(crate) fn write_header(into: &mut [u8], content: u8, version: u16, sequence: u64, length: usize) {
    into[field::CONTENT] = content;
    into[field::VERSION].copy_from_slice(&version.to_be_bytes());
    into[field::EPOCH].fill(0);
    into[field::SEQUENCE].copy_from_slice(&sequence.to_be_bytes()[2..]);
    into[field::LENGTH].copy_from_slice(&(length as u16).to_be_bytes());
}

/// Adds to the sequence number of each record of epoch 0. Nothing protects those, and they are no part of what
/// Finished is computed over.
pub fn renumber(datagram: &mut [u8], by: u64) {
    let mut at = 0;
    while let Some(header) = datagram.get_mut(at..at + HEADER) {
        if u16_at(header, field::EPOCH) == 0 {
            let shifted = sequence(header).wrapping_add(by) & SEQUENCE_MASK;
            header[field::SEQUENCE].copy_from_slice(&shifted.to_be_bytes()[2..]);
        }
        at += HEADER + usize::from(u16_at(header, field::LENGTH));
    }
}

fn sequence(header: &[u8]) -> u64 {
    header[field::SEQUENCE]
        .iter()
        .fold(0, |number, &byte| number << 8 | u64::from(byte))
}

fn u16_at(bytes: &[u8], field: Range<usize>) -> u16 {
    bytes[field]
        .iter()
        .fold(0, |number, &byte| number << 8 | u16::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(lengths: &[(u16, u64, usize)]) -> Vec<u8> {
        let mut datagram = Vec::new();
        for &(epoch, sequence, length) in lengths {
            let at = datagram.len();
            datagram.resize(at + HEADER + length, 7);
            write_header(&mut datagram[at..], 22, 0xfefd, sequence, length);
            datagram[at + 3..at + 5].copy_from_slice(&epoch.to_be_bytes());
        }
        datagram
    }

    #[test]
    fn only_records_of_epoch_0_are_renumbered() {
        let mut datagram = records(&[(0, 1, 3), (1, 1, 4), (0, SEQUENCE_MASK, 1)]);
        renumber(&mut datagram, 4);
        assert_eq!(datagram, records(&[(0, 5, 3), (1, 1, 4), (0, 3, 1)]));
        renumber(&mut datagram, 4_u64.wrapping_neg());
        assert_eq!(datagram, records(&[(0, 1, 3), (1, 1, 4), (0, SEQUENCE_MASK, 1)]));
    }

    #[test]
    fn a_record_that_is_cut_or_empty_or_of_another_protocol_is_none() {
        let whole = records(&[(0, 9, 5)]);
        let record = Record::parse(&whole, 0).unwrap();
        assert_eq!((record.sequence, record.fragment.clone()), (9, 13..18));
        assert!(record.is_last(&whole));
        for len in 0..whole.len() {
            assert_eq!(Record::parse(&whole[..len], 0), None);
        }
        assert_eq!(Record::parse(&records(&[(0, 0, 0)]), 0), None);
        assert_eq!(Record::parse(&records(&[(0, 0, MAX_FRAGMENT + 1)]), 0), None);
        for (at, byte) in [(0, 24), (0, 19), (1, 3)] {
            let mut other = whole.clone();
            other[at] = byte;
            assert_eq!(Record::parse(&other, 0), None);
        }
    }
}

//! What a datagram of the load carries: whose it is, its place in the sequence, when it was due, and a checksum over all.

use std::ops::Range;

/// The shortest payload that holds a stamp.
pub const MIN_PAYLOAD: usize = 24;

/// ```text
/// checksum 4 │ flow 4 │ run 2 │ sequence 6 │ nanoseconds 8 │ filling …
/// ```
mod field {
    use std::ops::Range;

    pub(super) const CHECKSUM: Range<usize> = 0..4;
    pub(super) const FLOW: Range<usize> = 4..8;
    pub(super) const RUN_AND_SEQUENCE: Range<usize> = 8..16;
    pub(super) const DUE_AT: Range<usize> = 16..24;
}

const SEQUENCE_BITS: u32 = 48;

/// What stands at the front of each payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Which allocation, and in which direction.
    pub(crate) flow: u32,
    /// Tells datagrams of this run from late ones of another.
    pub(crate) run: u16,
    /// Counts from 0 in each flow; 48 bits.
    pub(crate) sequence: u64,
    /// When it was to leave by the sender's clock, in nanoseconds.
    pub(crate) due_at: u64,
}

impl Stamp {
    /// Writes the stamp, and the checksum over the whole payload with the filling that is there already.
    pub(crate) fn write(self, payload: &mut [u8]) {
        let run_and_sequence = u64::from(self.run) << SEQUENCE_BITS | self.sequence;
        payload[field::FLOW].copy_from_slice(&self.flow.to_be_bytes());
        payload[field::RUN_AND_SEQUENCE].copy_from_slice(&run_and_sequence.to_be_bytes());
        payload[field::DUE_AT].copy_from_slice(&self.due_at.to_be_bytes());
        let checksum = crc32fast::hash(&payload[field::CHECKSUM.end..]);
        payload[field::CHECKSUM].copy_from_slice(&checksum.to_be_bytes());
    }

    /// Reads it back; `None` when a byte of the payload is not what was sent.
    pub(crate) fn read(payload: &[u8]) -> Option<Self> {
        if payload.len() < MIN_PAYLOAD {
            return None;
        }
        let checksum = crc32fast::hash(&payload[field::CHECKSUM.end..]);
        if payload[field::CHECKSUM] != checksum.to_be_bytes() {
            return None;
        }
        let run_and_sequence = u64_at(payload, field::RUN_AND_SEQUENCE);
        Some(Self {
            flow: u64_at(payload, field::FLOW) as u32,
            run: (run_and_sequence >> SEQUENCE_BITS) as u16,
            sequence: run_and_sequence & ((1 << SEQUENCE_BITS) - 1),
            due_at: u64_at(payload, field::DUE_AT),
        })
    }
}

/// A big-endian number of up to eight bytes.
fn u64_at(payload: &[u8], field: Range<usize>) -> u64 {
    payload[field]
        .iter()
        .fold(0, |number, &byte| number << 8 | u64::from(byte))
}

/// Numbers below the highest that are remembered: at 20,000 datagrams a second of one flow, those of 50 ms.
const REMEMBERED: u64 = 1024;

/// What is remembered of a flow's sequence numbers at its receiver.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sequence {
    /// One more than the highest number seen.
    next: u64,
    /// A ring of the numbers just below `next`; a bit is set if its number was seen.
    seen: [u64; (REMEMBERED / 64) as usize],
}

/// What a datagram's number says about its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Behind all seen so far.
    InOrder,
    /// For the first time, but overtaken by others.
    Overtaken,
    /// Seen before.
    Again,
}

impl Sequence {
    /// Notes a number. One that is further behind than is remembered counts as overtaken.
    pub(crate) fn note(&mut self, sequence: u64) -> Place {
        if sequence >= self.next {
            for skipped in self.next.max(sequence.saturating_sub(REMEMBERED))..sequence {
                let (word, bit) = Self::place_of(skipped);
                self.seen[word] &= !bit;
            }
            let (word, bit) = Self::place_of(sequence);
            self.seen[word] |= bit;
            self.next = sequence + 1;
            return Place::InOrder;
        }
        if self.next - sequence > REMEMBERED {
            return Place::Overtaken;
        }
        let (word, bit) = Self::place_of(sequence);
        if self.seen[word] & bit != 0 {
            return Place::Again;
        }
        self.seen[word] |= bit;
        Place::Overtaken
    }

    /// The word of the ring that a number has a bit in, and the bit.
    fn place_of(sequence: u64) -> (usize, u64) {
        let place = sequence % REMEMBERED;
        ((place / 64) as usize, 1 << (place % 64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp {
        flow: 0x0102_0304,
        run: 0xBEEF,
        sequence: (1 << 48) - 2,
        due_at: 0x0A0B_0C0D_0E0F_1011,
    };

    #[test]
    fn a_stamp_is_read_as_it_was_written() {
        for len in [MIN_PAYLOAD, 25, 160, 1200] {
            let mut payload = vec![0x5A; len];
            STAMP.write(&mut payload);
            assert_eq!(Stamp::read(&payload), Some(STAMP), "{len}");
        }
    }

    #[test]
    fn a_payload_with_any_bit_turned_or_a_byte_missing_is_damaged() {
        let mut payload = vec![7; 40];
        STAMP.write(&mut payload);
        for at in 0..payload.len() * 8 {
            let mut damaged = payload.clone();
            damaged[at / 8] ^= 1 << (at % 8);
            assert_eq!(Stamp::read(&damaged), None, "bit {at}");
        }
        for len in 0..payload.len() {
            assert_eq!(Stamp::read(&payload[..len]), None, "{len} bytes");
        }
    }

    #[test]
    fn overtaken_and_repeated_datagrams_are_told_apart() {
        let mut sequence = Sequence::default();
        let places = [0, 1, 4, 2, 4, 2, 3, 200, 199, 199, 100, 201].map(|number| sequence.note(number));
        use Place::{Again, InOrder, Overtaken};
        assert_eq!(
            places,
            [
                InOrder, InOrder, InOrder, Overtaken, Again, Again, Overtaken, InOrder, Overtaken, Again,
                Overtaken, InOrder
            ]
        );
    }

    #[test]
    fn a_repeated_datagram_is_known_long_after_it_came_first() {
        let mut sequence = Sequence::default();
        for number in 0..5000 {
            assert_eq!(sequence.note(number), Place::InOrder);
        }
        for number in 5000 - REMEMBERED..5000 {
            assert_eq!(sequence.note(number), Place::Again, "{number}");
        }
        assert_eq!(sequence.note(5000 + 3 * REMEMBERED), Place::InOrder);
        for number in 5001 + 2 * REMEMBERED..5000 + 3 * REMEMBERED {
            assert_eq!(sequence.note(number), Place::Overtaken, "{number}");
        }
    }
}

//! Runs that arrive in one piece, until each datagram of them has a slot of its own.
//!
//! ```text
//! train:  | headroom | datagram 0 | datagram 1 | datagram 2 |      the kernel tells the length; the last may be shorter
//!                          ↓ copied     ↓ copied      stays near the front: the buffer becomes the slot's
//! ```

use std::{mem, net::SocketAddr, ops::Range};

use crate::{
    HEADROOM, HeaderFields, Origin, Slot,
    buffer::{Buffer, KEPT},
};

/// Bytes that a core may want behind the first of a datagram, for an answer in its place.
const TAILROOM: usize = 2048;

/// What one receive brought while there was a run in it, in the order of arrival.
pub(crate) struct Trains {
    places: Box<[Train]>,
    /// Those at `next..filled` have datagrams left.
    next: usize,
    filled: usize,
    /// Where all of them came from.
    pub(crate) origin: Origin,
}

/// A message: a run, or one datagram.
struct Train {
    buffer: Buffer,
    /// What has no slot yet.
    rest: Range<usize>,
    /// The length of each datagram but the last.
    segment: usize,
    source: SocketAddr,
    destination: SocketAddr,
    fields: HeaderFields,
}

impl Trains {
    /// Makes room for `count` messages.
    pub(crate) fn new(count: usize) -> Self {
        let places = Buffer::several(count).into_iter().map(|buffer| Train {
            buffer,
            rest: 0..0,
            segment: 1,
            source: crate::batch::NOWHERE,
            destination: crate::batch::NOWHERE,
            fields: HeaderFields::default(),
        });
        Self {
            places: places.collect(),
            next: 0,
            filled: 0,
            origin: Origin::Worker { note: 0 },
        }
    }

    /// Takes what a slot received, which is cut after every `segment` bytes. The slot is left with other bytes.
    ///
    /// **Only when there is nothing left of an earlier receive.**
    pub(crate) fn take(&mut self, slot: &mut Slot, segment: usize) {
        let train = &mut self.places[self.filled];
        mem::swap(&mut train.buffer, &mut slot.buffer);
        train.rest = slot.window.clone();
        train.segment = segment.max(1);
        (train.source, train.destination) = (slot.source, slot.destination);
        train.fields = slot.fields;
        self.filled += 1;
    }

    /// Puts as many datagrams into the slots as there is room for, and returns how many.
    pub(crate) fn lay_out(&mut self, slots: &mut [Slot]) -> usize {
        let mut count = 0;
        while self.next < self.filled {
            let train = &mut self.places[self.next];
            loop {
                let Some(slot) = slots.get_mut(count) else {
                    return count;
                };
                train.next_into(slot);
                slot.origin = self.origin;
                count += 1;
                if train.rest.is_empty() {
                    break;
                }
            }
            self.next += 1;
        }
        (self.next, self.filled) = (0, 0);
        count
    }

    /// How many datagrams have no slot yet.
    pub(crate) fn waiting(&self) -> usize {
        let trains = &self.places[self.next..self.filled];
        trains
            .iter()
            .map(|train| train.rest.len().div_ceil(train.segment).max(1))
            .sum()
    }
}

impl Train {
    fn next_into(&mut self, slot: &mut Slot) {
        let Range { start, end } = self.rest;
        let cut = end.min(start + self.segment);
        self.rest.start = cut;
        // Far behind, an answer in its place would touch memory that buffers give back.
        if cut == end && start + TAILROOM <= KEPT {
            mem::swap(&mut self.buffer, &mut slot.buffer);
            slot.fill_at(start..end, self.source, self.destination);
        } else {
            slot.receive_area()[..cut - start].copy_from_slice(&self.buffer[start..cut]);
            slot.fill_at(HEADROOM..HEADROOM + cut - start, self.source, self.destination);
        }
        slot.fields = self.fields;
    }
}

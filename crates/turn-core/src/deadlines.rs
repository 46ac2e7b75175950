//! When something must be done next: one heap. Entries are not removed but outlived, so whoever is woken
//! looks whether there is anything to do.

use std::{cmp::Reverse, collections::BinaryHeap, time::Instant};

use crate::{slots::Key, types::ReservationToken};

#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    heap: BinaryHeap<Reverse<(Instant, Wake)>>,
}

/// Says who is woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wake {
    /// A relay that may have expired.
    Relay(Key),
    /// A reserved port that may have come back.
    Reservation(ReservationToken),
    /// A connection to a peer that may have waited too long, to be made or to be bound.
    Peer(Key),
}

/// Outlived entries that are kept whatever the table's size.
const SLACK: usize = 64;

impl Deadlines {
    pub(crate) fn push(&mut self, at: Instant, wake: Wake) {
        self.heap.push(Reverse((at, wake)));
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes the earliest entry that is due.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<(Instant, Wake)> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }

    /// Drops entries that `is_live` disowns once they outnumber the `live` ones, which bounds the heap at
    /// a constant cost per push.
    pub(crate) fn tidy(&mut self, live: usize, is_live: impl Fn(Instant, Wake) -> bool) {
        if self.heap.len() > Self::bound(live) {
            self.heap.retain(|Reverse((at, wake))| is_live(*at, *wake));
        }
    }

    /// The most entries there may be for so many that live.
    pub(crate) fn bound(live: usize) -> usize {
        2 * live + SLACK
    }

    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }
}

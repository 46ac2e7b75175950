//! When sessions want to be looked at.

use std::{cmp::Reverse, collections::BinaryHeap, time::Instant};

use crate::SessionId;

/// One heap for all sessions. An entry counts only while its session wakes at that very time.
#[derive(Default)]
pub(crate) struct Deadlines {
    heap: BinaryHeap<Reverse<(Instant, SessionId)>>,
}

impl Deadlines {
    pub(crate) fn push(&mut self, at: Instant, id: SessionId) {
        self.heap.push(Reverse((at, id)));
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<(Instant, SessionId)> {
        let due = self.next().is_some_and(|at| at <= now);
        due.then(|| self.heap.pop()).flatten().map(|Reverse(entry)| entry)
    }

    /// Forgets entries that do not count any more once they outnumber the `live` ones.
    pub(crate) fn tidy(&mut self, live: usize, counts: impl Fn(Instant, SessionId) -> bool) {
        if self.heap.len() > 2 * live + 64 {
            self.heap.retain(|Reverse((at, id))| counts(*at, *id));
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }
}

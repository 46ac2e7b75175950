//! When somebody's patience with a connection ends: one heap, without a wake-up for those who have time.

use std::{cmp::Reverse, collections::BinaryHeap, time::Instant};

/// Entries of the heap beyond two for each of those who may have one.
const SLACK: usize = 64;

/// Who is woken: a place in the turns, and which of its tenants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Sleeper {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

/// A heap of deadlines. Nothing is taken out when a deadline moves: whoever is woken too early asks again.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    heap: BinaryHeap<Reverse<(Instant, Sleeper)>>,
}

impl Deadlines {
    pub(crate) fn push(&mut self, at: Instant, sleeper: Sleeper) {
        self.heap.push(Reverse((at, sleeper)));
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes out one whose time has come, and when that was.
    pub(crate) fn due(&mut self, now: Instant) -> Option<(Instant, Sleeper)> {
        let Reverse((at, sleeper)) = *self.heap.peek()?;
        if at > now {
            return None;
        }
        self.heap.pop();
        Some((at, sleeper))
    }

    /// Drops entries that `is_meant` does not know any more, once they are many for `sleepers`.
    pub(crate) fn prune(&mut self, sleepers: usize, mut is_meant: impl FnMut(Instant, Sleeper) -> bool) {
        if self.heap.len() > 2 * sleepers + SLACK {
            self.heap.retain(|Reverse((at, sleeper))| is_meant(*at, *sleeper));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn sleeper(index: u32) -> Sleeper {
        Sleeper { index, generation: 0 }
    }

    #[test]
    fn the_due_come_out_in_order_and_the_others_stay() {
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        let mut deadlines = Deadlines::default();
        for (seconds, index) in [(3, 0), (1, 1), (2, 2)] {
            deadlines.push(at(seconds), sleeper(index));
        }
        assert_eq!(deadlines.due(now), None);
        assert_eq!(deadlines.due(at(2)), Some((at(1), sleeper(1))));
        assert_eq!(deadlines.due(at(2)), Some((at(2), sleeper(2))));
        assert_eq!(deadlines.due(at(2)), None);
        assert_eq!(deadlines.next(), Some(at(3)));
    }

    #[test]
    fn entries_nobody_waits_for_are_dropped_before_they_are_many() {
        let now = Instant::now();
        let mut deadlines = Deadlines::default();
        for _ in 0..10 * SLACK {
            deadlines.push(now, sleeper(0));
            deadlines.prune(1, |_, _| false);
            assert!(deadlines.heap.len() <= 2 + SLACK);
        }
    }
}

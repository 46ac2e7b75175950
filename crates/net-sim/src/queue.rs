//! Datagrams on their way, ordered by arrival.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

/// A queue by time; entries for the same instant keep the order in which they were pushed.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    heap: BinaryHeap<Reverse<Entry<T>>>,
    pushed: u64,
}

impl<T> Queue<T> {
    pub(crate) fn new() -> Self {
        Self {
            heap: BinaryHeap::new(),
            pushed: 0,
        }
    }

    pub(crate) fn push(&mut self, at: Instant, item: T) {
        self.heap.push(Reverse(Entry {
            at,
            number: self.pushed,
            item,
        }));
        self.pushed += 1;
    }

    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse(entry)| entry.at)
    }

    /// Takes the earliest entry if it is due at `until` or before.
    pub(crate) fn pop_until(&mut self, until: Instant) -> Option<(Instant, T)> {
        if self.next_at()? > until {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| (entry.at, entry.item))
    }
}

#[derive(Debug)]
struct Entry<T> {
    at: Instant,
    number: u64,
    item: T,
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T> Eq for Entry<T> {}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn entries_come_out_by_time_then_by_order_of_arrival() {
        let start = Instant::now();
        let mut queue = Queue::new();
        queue.push(start + Duration::from_secs(2), "late");
        queue.push(start + Duration::from_secs(1), "first");
        queue.push(start + Duration::from_secs(1), "second");
        let out: Vec<_> = std::iter::from_fn(|| queue.pop_until(start + Duration::from_secs(1))).collect();
        assert_eq!(
            out.iter().map(|(_, item)| *item).collect::<Vec<_>>(),
            ["first", "second"]
        );
        assert_eq!(queue.next_at(), Some(start + Duration::from_secs(2)));
    }
}

//! Remembers for a while which Refresh freed an allocation, so that its retransmit gets the same answer.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use stun_wire::TransactionId;

use crate::types::FiveTuple;

/// RFC 8489 §6.2.1: a client gives a transaction up after 39.5 seconds.
const MEMORY: Duration = Duration::from_secs(40);

/// More than that many at a time are forgotten early; their clients get 437, which means the same to them.
const CAPACITY: usize = 1024;

#[derive(Debug, Default)]
pub(crate) struct Freed(VecDeque<Entry>);

#[derive(Debug)]
struct Entry {
    five_tuple: FiveTuple,
    transaction: TransactionId,
    forget_at: Instant,
}

impl Freed {
    pub(crate) fn remember(&mut self, now: Instant, five_tuple: FiveTuple, transaction: TransactionId) {
        while self.0.len() >= CAPACITY || self.0.front().is_some_and(|entry| entry.forget_at <= now) {
            self.0.pop_front();
        }
        self.0.push_back(Entry {
            five_tuple,
            transaction,
            forget_at: now + MEMORY,
        });
    }

    pub(crate) fn recalls(&self, now: Instant, five_tuple: FiveTuple, transaction: TransactionId) -> bool {
        let wanted = |entry: &&Entry| entry.transaction == transaction && entry.five_tuple == five_tuple;
        self.0
            .iter()
            .rev()
            .find(wanted)
            .is_some_and(|entry| now < entry.forget_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{five_tuple, start};

    #[test]
    fn it_forgets_in_time_and_never_grows_beyond_its_capacity() {
        let mut freed = Freed::default();
        for number in 0..5000_u16 {
            freed.remember(start(), five_tuple(number), TransactionId([1; 12]));
        }
        assert_eq!(freed.0.len(), CAPACITY);
        assert!(freed.recalls(start(), five_tuple(4999), TransactionId([1; 12])));
        assert!(!freed.recalls(start(), five_tuple(4999), TransactionId([2; 12])));
        assert!(!freed.recalls(start(), five_tuple(0), TransactionId([1; 12])));
        assert!(!freed.recalls(start() + MEMORY, five_tuple(4999), TransactionId([1; 12])));
        freed.remember(start() + MEMORY, five_tuple(1), TransactionId([3; 12]));
        assert_eq!(freed.0.len(), 1);
    }
}

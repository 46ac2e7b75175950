//! Signals for ids that nobody has at the moment.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use super::notice::Signal;
use crate::names::{MemberId, MemberName};

/// Bounds what is kept for the absent.
#[derive(Debug, Clone, Copy)]
pub struct MailboxLimits {
    /// How long.
    pub wait: Duration,
    /// Signals in all.
    pub signals: usize,
    /// Signals for one id.
    pub signals_each: usize,
    /// Bytes in all.
    pub bytes: usize,
    /// Bytes for one id.
    pub bytes_each: usize,
}

#[derive(Debug)]
pub(super) struct Letter {
    pub(super) from: MemberId,
    pub(super) signal: Signal,
}

#[derive(Debug)]
struct Shelf {
    name: MemberName,
    letters: Vec<Letter>,
    expires: Instant,
}

/// Keeps letters by the id they are for; all for one id expire together.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    // Keys are hashes with a secret of our own.
    shelves: HashMap<MemberId, Shelf>,
    /// In the order in which they expire, because all wait equally long; may name shelves that were emptied.
    order: VecDeque<(Instant, MemberId)>,
    signals: usize,
    bytes: usize,
}

impl Mailbox {
    /// Keeps a letter, or says that there is no place for it.
    pub(super) fn put(
        &mut self,
        to: MemberId,
        name: MemberName,
        letter: Letter,
        limits: &MailboxLimits,
        now: Instant,
    ) -> bool {
        let bytes = letter.signal.body.get().len();
        let there = self.shelves.get(&to).map_or(&[][..], |shelf| &shelf.letters);
        let full = self.signals >= limits.signals
            || there.len() >= limits.signals_each
            || self.bytes + bytes > limits.bytes
            || weight(there) + bytes > limits.bytes_each
            || self.order.len() >= limits.signals;
        if full {
            return false;
        }
        let shelf = self.shelves.entry(to).or_insert_with(|| {
            let expires = now + limits.wait;
            self.order.push_back((expires, to));
            Shelf {
                name,
                letters: Vec::new(),
                expires,
            }
        });
        shelf.letters.push(letter);
        self.signals += 1;
        self.bytes += bytes;
        true
    }

    /// Hands over what was kept for `to`.
    pub(super) fn take(&mut self, to: MemberId) -> Vec<Letter> {
        let Some(shelf) = self.shelves.remove(&to) else {
            return Vec::new();
        };
        self.forget(&shelf);
        shelf.letters
    }

    /// Takes out one shelf whose time is over: the name it was for and who sent something, each once.
    pub(super) fn expire(&mut self, now: Instant) -> Option<(MemberName, Vec<MemberId>)> {
        loop {
            let (due, to) = self.order.front().copied().filter(|(due, _)| *due <= now)?;
            self.order.pop_front();
            if self.shelves.get(&to).is_none_or(|shelf| shelf.expires != due) {
                continue;
            }
            let shelf = self.shelves.remove(&to)?;
            self.forget(&shelf);
            let mut senders: Vec<_> = shelf.letters.iter().map(|letter| letter.from).collect();
            senders.sort_unstable();
            senders.dedup();
            return Some((shelf.name, senders));
        }
    }

    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.order.front().map(|(due, _)| *due)
    }

    fn forget(&mut self, shelf: &Shelf) {
        self.signals -= shelf.letters.len();
        self.bytes -= weight(&shelf.letters);
    }
}

fn weight(letters: &[Letter]) -> usize {
    letters.iter().map(|letter| letter.signal.body.get().len()).sum()
}

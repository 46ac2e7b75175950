//! Signals for ids that nobody has at the moment.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::{notice::Signal, saved::Clock};
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

/// A mailbox as data: shelves with their expiry and letters, and the order of expiries.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SavedMailbox {
    shelves: Vec<SavedShelf>,
    order: Vec<(u64, MemberId)>,
}

/// For whom it is, under which name, when it expires, and what is in it with who sent it.
type SavedShelf = (MemberId, MemberName, u64, Vec<(MemberId, Signal)>);

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

    pub(super) fn save(&self, clock: &impl Clock) -> SavedMailbox {
        let shelves = self.shelves.iter().map(|(to, shelf)| {
            let letters = shelf.letters.iter();
            let letters = letters
                .map(|letter| (letter.from, letter.signal.clone()))
                .collect();
            (*to, shelf.name.clone(), clock.millis(shelf.expires), letters)
        });
        let mut shelves: Vec<_> = shelves.collect();
        shelves.sort_unstable_by_key(|(to, ..)| *to);
        let order = self.order.iter();
        SavedMailbox {
            shelves,
            order: order.map(|(due, to)| (clock.millis(*due), *to)).collect(),
        }
    }

    pub(super) fn load(saved: SavedMailbox, clock: &impl Clock) -> Self {
        let mut mailbox = Self::default();
        let order = saved.order.into_iter();
        mailbox.order = order.map(|(due, to)| (clock.moment(due), to)).collect();
        for (to, name, expires, letters) in saved.shelves {
            let letters = letters.into_iter();
            let letters: Vec<_> = letters.map(|(from, signal)| Letter { from, signal }).collect();
            mailbox.signals += letters.len();
            mailbox.bytes += weight(&letters);
            let shelf = Shelf {
                name,
                letters,
                expires: clock.moment(expires),
            };
            mailbox.shelves.insert(to, shelf);
        }
        mailbox
    }

    fn forget(&mut self, shelf: &Shelf) {
        self.signals -= shelf.letters.len();
        self.bytes -= weight(&shelf.letters);
    }
}

fn weight(letters: &[Letter]) -> usize {
    letters.iter().map(|letter| letter.signal.body.get().len()).sum()
}

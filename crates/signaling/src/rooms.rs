//! Who is in which room and who hears what: a state machine without sockets, clocks or randomness.
//!
//! Every dialect feeds it the same inputs; what it answers is a list of notices to deliver, in order. A member
//! that lost its connection keeps its place for a while, and what it misses is kept for it.

mod history;
mod mailbox;
mod member;
mod notice;
mod passage;
mod saved;
mod signals;

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

#[cfg(test)]
pub(crate) use self::notice::LABELS;
pub(crate) use self::saved::{Clock, Saved};
pub use self::{
    history::HistoryLimits,
    mailbox::MailboxLimits,
    member::{Holder, Permissions},
    notice::{Input, Join, Notice, Output, Peer, Refusal, Signal},
};
use self::{mailbox::Mailbox, member::Member};
use crate::names::{MemberId, MemberName, RoomKey, Space};

/// Keeps the rooms and enforces that a signal reaches only other members of the sender's own room.
#[derive(Debug)]
pub struct Rooms {
    limits: Limits,
    // Strangers choose room names: the standard hasher is randomly seeded SipHash.
    rooms: HashMap<RoomKey, Vec<MemberId>>,
    members: HashMap<MemberId, Member>,
    /// Rooms of each kind.
    tally: HashMap<Space, usize>,
    mailbox: Mailbox,
    /// Bytes of all that is kept to be told again.
    kept: usize,
    /// When those who are waited for are given up.
    due: BTreeSet<(Instant, MemberId)>,
    /// Those who missed more than is kept, until the end of the input that made them.
    lost: Vec<MemberId>,
}

/// Bounds what strangers can make the server remember.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Rooms that may exist at a time.
    pub rooms: RoomLimits,
    /// How long a member without a connection is waited for; zero: not at all.
    pub resume_within: Duration,
    /// What is kept to be told again.
    pub history: HistoryLimits,
    /// What is kept for those who are not there yet.
    pub mailbox: MailboxLimits,
}

/// Bounds the rooms of each kind by themselves, so that strangers cannot use up one kind by making another.
#[derive(Debug, Clone, Copy)]
pub struct RoomLimits {
    /// The room protocol's.
    pub calls: usize,
    /// Those of classic samples.
    pub classic: usize,
    /// Topics of y-webrtc.
    pub topics: usize,
}

impl RoomLimits {
    pub(crate) fn of(self, space: Space) -> usize {
        match space {
            Space::Calls => self.calls,
            Space::Classic => self.classic,
            // The server has one key.
            Space::Peers => 1,
            Space::Topics => self.topics,
        }
    }
}

impl Rooms {
    /// Starts without rooms.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            rooms: HashMap::new(),
            members: HashMap::new(),
            tally: HashMap::new(),
            mailbox: Mailbox::default(),
            kept: 0,
            due: BTreeSet::new(),
            lost: Vec::new(),
        }
    }

    /// Applies what member `from` asks and returns the notices it causes, in delivery order.
    pub fn handle(&mut self, now: Instant, from: MemberId, input: Input) -> Result<Vec<Output>, Refusal> {
        let mut outputs = Vec::new();
        let done = match input {
            Input::Join(join) => self.join(from, join, &mut outputs),
            Input::Claim(join) => self.claim(from, join, &mut outputs),
            Input::Send {
                to,
                signal,
                number,
                keep_for,
            } => self.send(now, from, to, signal, number, keep_for, &mut outputs),
            Input::Publish { signal, echo } => self.publish(from, &signal, echo, &mut outputs),
            Input::Leave => self.leave(from, &mut outputs),
            Input::Lose => self.lose(now, from, &mut outputs),
            Input::Resume { holder, seen } => self.resume(from, &holder, seen, &mut outputs),
            Input::Return => self.come_back(from, &mut outputs),
        };
        self.give_up_lost(&mut outputs);
        self.check_invariants();
        done.map(|()| outputs)
    }

    /// When [`Rooms::handle_timeout`] is due next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let member = self.due.first().map(|(due, _)| *due);
        [member, self.mailbox.next_expiry()].into_iter().flatten().min()
    }

    /// Gives up those who did not come back in time, and what was kept for those who never came.
    pub fn handle_timeout(&mut self, now: Instant) -> Vec<Output> {
        let mut outputs = Vec::new();
        while let Some((_, id)) = self.due.first().copied().filter(|(due, _)| *due <= now) {
            self.lost.push(id);
            self.give_up_lost(&mut outputs);
        }
        while let Some((name, senders)) = self.mailbox.expire(now) {
            for sender in senders {
                self.tell(sender, Notice::Unanswered(name.clone()), &mut outputs);
            }
        }
        self.give_up_lost(&mut outputs);
        self.check_invariants();
        outputs
    }

    /// Counts the rooms that have a member.
    pub fn len(&self) -> usize {
        self.rooms.len()
    }

    /// Tells whether no room exists.
    pub fn is_empty(&self) -> bool {
        self.rooms.is_empty()
    }

    /// Tells whether somebody is a member by this id, or may come back as one.
    pub fn holds(&self, id: MemberId) -> bool {
        self.members.contains_key(&id)
    }

    /// The names of a room's members, in the order they came.
    pub fn names(&self, room: &RoomKey) -> Vec<MemberName> {
        let ids = self.rooms.get(room).map_or(&[][..], Vec::as_slice);
        let names = ids.iter().filter_map(|id| self.members.get(id));
        names.map(|member| member.name.clone()).collect()
    }

    /// Counts the members, away or not.
    pub(crate) fn members(&self) -> usize {
        self.members.len()
    }

    /// The members' ids, in no order.
    pub(crate) fn ids(&self) -> impl Iterator<Item = MemberId> {
        self.members.keys().copied()
    }

    /// Bytes of all that is kept to be told again.
    pub(crate) fn kept(&self) -> usize {
        self.kept
    }

    /// From now on keeps no more than this to be told again, or what it keeps already.
    pub(crate) fn bound_history(&mut self, total: usize) {
        self.limits.history.total = total.max(self.kept);
    }

    /// The number of the last notice for a member that counts what it is told.
    pub(crate) fn told(&self, id: MemberId) -> Option<u64> {
        let member = self.members.get(&id)?;
        member.counts().then(|| member.history.last())
    }

    /// What a member was told after `seen`, unless some of it is gone.
    pub(crate) fn told_since(&self, id: MemberId, seen: u64) -> Option<Vec<Output>> {
        let member = self.members.get(&id)?;
        let outputs = member.history.after(seen)?.into_iter();
        let outputs = outputs.map(|(number, notice)| Output {
            to: id,
            room: member.room.clone(),
            number: Some(number),
            notice,
        });
        Some(outputs.collect())
    }

    /// Panics when the tables disagree or a bound is broken; free in release builds.
    fn check_invariants(&self) {
        if !cfg!(debug_assertions) {
            return;
        }
        for (space, tally) in &self.tally {
            let there = self.rooms.keys().filter(|room| room.space == *space).count();
            assert_eq!(there, *tally, "rooms are counted");
            assert!(there <= self.limits.rooms.of(*space), "rooms bound");
        }
        assert_eq!(self.tally.values().sum::<usize>(), self.rooms.len());
        let mut members = 0;
        for (room, list) in &self.rooms {
            assert!(!list.is_empty(), "no empty room");
            for id in list {
                assert_eq!(self.members.get(id).map(|member| &member.room), Some(room));
            }
            members += list.len();
        }
        assert_eq!(members, self.members.len(), "every member is in its room");
        let away = self.members.values().filter(|member| member.is_away()).count();
        assert_eq!(away, self.due.len(), "whoever is away is given up some time");
        let kept: usize = self.members.values().map(|member| member.history.bytes()).sum();
        assert_eq!(kept, self.kept, "what is kept is counted");
        assert!(kept <= self.limits.history.total, "bound on what is kept");
        assert!(self.lost.is_empty(), "the lost are given up at once");
    }
}

#[cfg(test)]
mod tests;

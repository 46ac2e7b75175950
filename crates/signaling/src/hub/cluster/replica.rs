//! A copy of one room: what all nodes that follow the room make of its log, each for itself and all alike.
//!
//! Nothing here depends on the node: neither its clock nor its other rooms, but only on the entries, and on bounds that all
//! nodes have agreed on.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::{
    entry::{Desk, Entry, NodeId, RedisClock, What},
    log::{Position, Snapshot},
};
use crate::{
    names::MemberId,
    problem::Problem,
    rooms::{Clock as _, Input, Limits, Output, Rooms, Saved},
};

/// Entries after which a snapshot is made; of large rooms there are fewer.
const SNAPSHOT_EACH: u64 = 64;

/// Bytes of the log after which a snapshot is made in any case.
const SNAPSHOT_BYTES: usize = 256 * 1024;

/// Milliseconds by which Redis' clock may go back, as two servers' clocks differ, before time goes on from where it was.
const BACK: u64 = 1000;

pub(super) struct Replica {
    pub(super) rooms: Rooms,
    /// The entries that went into it.
    pub(super) at: Position,
    /// Milliseconds of the latest of them, and how much later than Redis' clock that is since the clock was set back.
    time: u64,
    shift: u64,
    /// Where members' connections are, of those who have one.
    desks: BTreeMap<MemberId, Seat>,
    /// When a snapshot was due last, and the bytes of the log since then.
    saved: u64,
    written: usize,
    clock: RedisClock,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Seat {
    desk: Desk,
    /// The number of the last request that was taken from there.
    number: u64,
    /// The node was said to be dead, and has not objected.
    lost: bool,
}

/// A replica as text, for nodes that begin to follow the room.
#[derive(Serialize, Deserialize)]
struct Copied {
    time: u64,
    shift: u64,
    desks: Vec<(MemberId, Seat)>,
    rooms: Saved,
}

/// What an entry brought about.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Applied {
    pub(super) outputs: Vec<Output>,
    /// What became of a request.
    pub(super) result: Result<(), Problem>,
    /// The member who is at the request's connection now and was not before.
    pub(super) entered: Option<MemberId>,
    /// Those who lost their node.
    pub(super) lost: Vec<MemberId>,
    /// The request had been taken before.
    pub(super) again: bool,
}

impl Replica {
    pub(super) fn new(limits: Limits, clock: RedisClock) -> Self {
        Self {
            rooms: Rooms::new(limits),
            at: Position::default(),
            time: 0,
            shift: 0,
            desks: BTreeMap::new(),
            saved: 0,
            written: 0,
            clock,
        }
    }

    pub(super) fn save(&self) -> String {
        let snapshot = Copied {
            time: self.time,
            shift: self.shift,
            desks: self.desks.iter().map(|(id, seat)| (*id, *seat)).collect(),
            rooms: self.rooms.save(&self.clock),
        };
        // Its maps have no keys but texts and its numbers are finite, so it can be written.
        serde_json::to_string(&snapshot).unwrap_or_default()
    }

    /// Reads what [`Replica::save`] wrote; no text is an empty room.
    pub(super) fn load(
        text: &str,
        at: Position,
        limits: Limits,
        clock: RedisClock,
    ) -> serde_json::Result<Self> {
        if text.is_empty() {
            let empty = Self::new(limits, clock);
            return Ok(Self { at, ..empty });
        }
        let snapshot: Copied = serde_json::from_str(text)?;
        Ok(Self {
            rooms: Rooms::load(limits, snapshot.rooms, &clock),
            at,
            time: snapshot.time,
            shift: snapshot.shift,
            desks: snapshot.desks.into_iter().collect(),
            saved: at.seq,
            written: 0,
            clock,
        })
    }

    /// Notes that an entry of so many bytes has been taken; returns the room as text now and then, for whoever wrote it to keep.
    pub(super) fn note(&mut self, bytes: usize, is_own: bool) -> Option<Snapshot> {
        self.written += bytes;
        let each = SNAPSHOT_EACH.max(4 * self.rooms.members() as u64);
        if self.written < SNAPSHOT_BYTES && self.at.seq - self.saved < each {
            return None;
        }
        self.written = 0;
        // As much stays as came between this snapshot and the last, for nodes that are a little behind.
        let behind = std::mem::replace(&mut self.saved, self.at.seq);
        is_own.then(|| Snapshot {
            at: self.at,
            text: self.save(),
            behind,
        })
    }

    /// When time has to pass in the room, by this process' clock.
    pub(super) fn due(&self) -> Option<Instant> {
        let due = self.rooms.poll_timeout()?;
        due.checked_sub(Duration::from_millis(self.shift)).or(Some(due))
    }

    /// Where a member's connection is.
    pub(super) fn desk(&self, member: MemberId) -> Option<Desk> {
        let seat = self.desks.get(&member).filter(|seat| !seat.lost);
        seat.map(|seat| seat.desk)
    }

    /// Where all members' connections are.
    pub(super) fn desks(&self) -> impl Iterator<Item = (MemberId, Desk)> {
        let there = self.desks.iter().filter(|(_, seat)| !seat.lost);
        there.map(|(id, seat)| (*id, seat.desk))
    }

    /// Takes the next entry, after which the log is at `at`; it was written at `millis`.
    pub(super) fn apply(&mut self, at: Position, millis: u64, entry: Entry) -> Applied {
        self.at = at;
        let time = millis.saturating_add(self.shift);
        if self.time.saturating_sub(time) > BACK {
            self.shift += self.time - time;
        }
        self.time = self.time.max(time);
        let now = self.clock.moment(self.time);
        let members = self.rooms.members();
        self.rooms
            .bound_history(self.rooms.kept().saturating_add(entry.spare));
        let mut applied = Applied {
            outputs: self.rooms.handle_timeout(now),
            result: Ok(()),
            entered: None,
            lost: Vec::new(),
            again: false,
        };
        match entry.what {
            What::Tick => {}
            What::Dead(node) => self.lose(now, node, &mut applied),
            What::Ask {
                member,
                connection,
                number,
                input,
            } => {
                let desk = Desk {
                    node: entry.node,
                    connection,
                };
                let seat = Seat {
                    desk,
                    number,
                    lost: false,
                };
                self.ask(now, member, seat, input, &mut applied);
            }
        }
        if self.rooms.members() < members {
            let rooms = &self.rooms;
            self.desks.retain(|id, _| rooms.holds(*id));
        }
        applied
    }

    /// Tells whether somebody claims an id that is a member's.
    pub(super) fn is_claim_of_old(&self, what: &What) -> bool {
        match what {
            What::Ask {
                member,
                input: Input::Claim(_),
                ..
            } => self.rooms.holds(*member),
            What::Ask { .. } | What::Dead(_) | What::Tick => false,
        }
    }

    fn lose(&mut self, now: Instant, node: NodeId, applied: &mut Applied) {
        let desks = self.desks.iter_mut();
        let there = desks.filter(|(_, seat)| seat.desk.node == node && !seat.lost);
        applied.lost = there
            .map(|(id, seat)| {
                seat.lost = true;
                *id
            })
            .collect();
        for id in &applied.lost {
            // Whoever has a desk is a member.
            let told = self.rooms.handle(now, *id, Input::Lose);
            applied.outputs.extend(told.unwrap_or_default());
        }
    }

    fn ask(&mut self, now: Instant, member: MemberId, seat: Seat, input: Input, applied: &mut Applied) {
        let there = self.desks.get(&member);
        let own = there.filter(|there| there.desk == seat.desk);
        let returns = input == Input::Return;
        if own.is_some_and(|own| own.number >= seat.number && !(returns && own.lost)) {
            applied.again = true;
            return;
        }
        let enters = returns || matches!(input, Input::Join(_) | Input::Claim(_) | Input::Resume { .. });
        // Whoever has no desk here is somewhere else, or was lost.
        if own.is_none() && (!enters || returns) {
            applied.result = Err(if there.is_some() {
                Problem::Replaced
            } else {
                Problem::NotJoined
            });
            return;
        }
        let seat = Seat {
            // Its connection's own requests count on.
            number: own.map_or(seat.number, |own| own.number.max(seat.number)),
            lost: !enters && own.is_some_and(|own| own.lost),
            ..seat
        };
        let loses = input == Input::Lose;
        match self.rooms.handle(now, member, input) {
            Ok(outputs) => applied.outputs.extend(outputs),
            Err(refusal) => {
                applied.result = Err(refusal.into());
                // It is not taken a second time either.
                if let Some(own) = self.desks.get_mut(&member).filter(|own| own.desk == seat.desk) {
                    own.number = seat.number;
                }
                return;
            }
        }
        if loses {
            self.desks.remove(&member);
        } else if self.rooms.holds(member) {
            self.desks.insert(member, seat);
            applied.entered = Some(member).filter(|_| enters);
        }
    }
}

//! Who is in which room and who hears what: a state machine without sockets, clocks or randomness.
//!
//! Both dialects feed it the same inputs; what it answers is a list of notices to deliver, in order.

use std::collections::HashMap;

use serde::Serialize;

use crate::names::{MemberId, MemberName, RoomName};

/// Keeps the rooms and enforces that a signal reaches only another member of the sender's own room.
#[derive(Debug)]
pub struct Rooms {
    limits: Limits,
    // Strangers choose room names: the standard hasher is randomly seeded SipHash.
    rooms: HashMap<RoomName, Vec<Peer>>,
    places: HashMap<MemberId, RoomName>,
}

/// Bounds what strangers can make the server remember.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Members a room takes; two make a call.
    pub members_per_room: usize,
    /// Rooms that may exist at a time.
    pub rooms: usize,
}

/// Shows a member to the others of its room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Peer {
    /// The address for signals to this member.
    pub id: MemberId,
    /// What to show people.
    pub name: MemberName,
}

/// One thing a member asks for; `S` is a signal the rooms pass on without looking inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input<S> {
    /// Enters a room, which comes to be if nobody is there.
    Join {
        /// The room to enter.
        room: RoomName,
        /// The newcomer's name.
        name: MemberName,
    },
    /// Passes a signal to one other member of the room.
    Relay {
        /// The member it is for.
        to: MemberId,
        /// What it says.
        signal: S,
    },
    /// Leaves the room: a farewell, a closed connection, a timeout.
    Leave,
}

/// One notice to deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output<S> {
    /// The member it goes to.
    pub to: MemberId,
    /// What to tell it.
    pub notice: Notice<S>,
}

/// What a member is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice<S> {
    /// It is in; `peers` were there before it, in the order they came.
    Joined {
        /// The room's name as the server keeps it.
        room: RoomName,
        /// The newcomer as the others see it.
        this: Peer,
        /// Everybody else in the room.
        peers: Vec<Peer>,
    },
    /// Somebody came in.
    PeerJoined(Peer),
    /// Somebody is gone.
    PeerLeft(MemberId),
    /// It is alone in the room now.
    Waiting,
    /// A signal from another member, whose id the rooms vouch for.
    Signal {
        /// The sender.
        from: MemberId,
        /// What it says.
        signal: S,
    },
}

/// Why an input changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The room has as many members as it takes.
    RoomFull,
    /// The server has as many rooms as it keeps.
    TooManyRooms,
    /// The sender is already in a room.
    AlreadyJoined,
    /// The sender is in no room.
    NotJoined,
    /// Nobody else in the sender's room has that id.
    UnknownPeer,
}

impl Rooms {
    /// Starts without rooms.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            rooms: HashMap::new(),
            places: HashMap::new(),
        }
    }

    /// Applies what member `from` asks and returns the notices it causes, in delivery order.
    pub fn handle<S>(&mut self, from: MemberId, input: Input<S>) -> Result<Vec<Output<S>>, Refusal> {
        let outputs = match input {
            Input::Join { room, name } => self.join(from, room, name),
            Input::Relay { to, signal } => self.relay(from, to, signal),
            Input::Leave => self.leave(from),
        };
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

    fn join<S>(&mut self, id: MemberId, room: RoomName, name: MemberName) -> Result<Vec<Output<S>>, Refusal> {
        if self.places.contains_key(&id) {
            return Err(Refusal::AlreadyJoined);
        }
        let present = self.rooms.get(&room).map_or(0, Vec::len);
        if present == 0 && self.rooms.len() >= self.limits.rooms {
            return Err(Refusal::TooManyRooms);
        }
        if present >= self.limits.members_per_room {
            return Err(Refusal::RoomFull);
        }

        let this = Peer { id, name };
        let members = self.rooms.entry(room.clone()).or_default();
        let mut outputs = vec![Output {
            to: id,
            notice: Notice::Joined {
                room: room.clone(),
                this: this.clone(),
                peers: members.clone(),
            },
        }];
        outputs.extend(members.iter().map(|member| Output {
            to: member.id,
            notice: Notice::PeerJoined(this.clone()),
        }));
        members.push(this);
        self.places.insert(id, room);
        Ok(outputs)
    }

    fn relay<S>(&self, from: MemberId, to: MemberId, signal: S) -> Result<Vec<Output<S>>, Refusal> {
        let here = self.places.get(&from).ok_or(Refusal::NotJoined)?;
        if to == from || self.places.get(&to) != Some(here) {
            return Err(Refusal::UnknownPeer);
        }
        let notice = Notice::Signal { from, signal };
        Ok(vec![Output { to, notice }])
    }

    fn leave<S>(&mut self, id: MemberId) -> Result<Vec<Output<S>>, Refusal> {
        let room = self.places.remove(&id).ok_or(Refusal::NotJoined)?;
        let Some(members) = self.rooms.get_mut(&room) else {
            return Ok(Vec::new());
        };
        members.retain(|member| member.id != id);
        let mut outputs: Vec<_> = members
            .iter()
            .map(|member| Output {
                to: member.id,
                notice: Notice::PeerLeft(id),
            })
            .collect();
        match members.as_slice() {
            [] => {
                self.rooms.remove(&room);
            }
            [last] => outputs.push(Output {
                to: last.id,
                notice: Notice::Waiting,
            }),
            [_, _, ..] => {}
        }
        Ok(outputs)
    }

    /// Panics when the two tables disagree or a bound is broken; free in release builds.
    fn check_invariants(&self) {
        if !cfg!(debug_assertions) {
            return;
        }
        assert!(self.rooms.len() <= self.limits.rooms, "rooms bound");
        let mut members = 0;
        for (room, list) in &self.rooms {
            assert!(!list.is_empty(), "no empty room");
            assert!(list.len() <= self.limits.members_per_room, "room bound");
            for member in list {
                assert_eq!(self.places.get(&member.id), Some(room), "place of member");
            }
            members += list.len();
        }
        assert_eq!(members, self.places.len(), "every place is in a room");
    }
}

#[cfg(test)]
mod tests;

//! How members come, go, get lost and come back.

use std::time::Instant;

use super::{
    Rooms,
    history::History,
    member::{Holder, Member, Presence},
    notice::{Join, Notice, Output, Refusal},
};
use crate::names::{MemberId, RoomKey};

impl Rooms {
    pub(super) fn join(
        &mut self,
        id: MemberId,
        join: Join,
        outputs: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        let Join {
            room,
            capacity,
            name,
            permissions,
            holder,
        } = join;
        if self.members.contains_key(&id) {
            return Err(Refusal::AlreadyJoined);
        }
        let present = self.rooms.get(&room).map_or(0, Vec::len);
        let rooms = self.tally.entry(room.space).or_default();
        if present == 0 && *rooms >= self.limits.rooms.of(room.space) {
            return Err(Refusal::TooManyRooms);
        }
        if present >= capacity {
            return Err(Refusal::RoomFull);
        }

        *rooms += usize::from(present == 0);
        self.rooms.entry(room.clone()).or_default().push(id);
        let member = Member {
            room,
            name,
            permissions,
            holder,
            presence: Presence::Here,
            history: History::default(),
            received: 0,
        };
        let this = member.peer(id);
        self.members.insert(id, member);
        self.welcome(id, outputs);
        self.announce(id, &Notice::PeerJoined(this), outputs);
        self.hand_over(id, outputs);
        Ok(())
    }

    /// Enters a room under `id`, or comes back as the member that has it, if its holder is the same.
    pub(super) fn claim(
        &mut self,
        id: MemberId,
        join: Join,
        outputs: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        match (self.holds(id), &join.holder) {
            (true, Some(holder)) => self.resume(id, holder, None, outputs),
            (true, None) | (false, _) => self.join(id, join, outputs),
        }
    }

    /// Tells a newcomer what was kept for it.
    fn hand_over(&mut self, id: MemberId, outputs: &mut Vec<Output>) {
        for letter in self.mailbox.take(id) {
            // Who has left since, or is in another room, says nothing here.
            let same = |from| self.members.get(&from).map(|from| &from.room);
            if same(letter.from) == same(id) {
                self.pass_on(letter.from, &[id], &letter.signal, outputs);
            }
        }
    }

    pub(super) fn leave(&mut self, id: MemberId, outputs: &mut Vec<Output>) -> Result<(), Refusal> {
        let member = self.members.remove(&id).ok_or(Refusal::NotJoined)?;
        self.kept -= member.history.bytes();
        if let Presence::Away { until, .. } = member.presence {
            self.due.remove(&(until, id));
        }
        let Some(members) = self.rooms.get_mut(&member.room) else {
            return Ok(());
        };
        members.retain(|member| *member != id);
        if members.is_empty() {
            self.rooms.remove(&member.room);
            *self.tally.entry(member.room.space).or_default() -= 1;
            return Ok(());
        }
        let others = self.others(&member.room, id);
        for other in &others {
            self.tell(*other, Notice::PeerLeft(id), outputs);
        }
        if let [last] = others[..] {
            self.tell(last, Notice::Waiting, outputs);
        }
        Ok(())
    }

    pub(super) fn lose(
        &mut self,
        now: Instant,
        id: MemberId,
        outputs: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        let within = self.limits.resume_within;
        let member = self.members.get_mut(&id).ok_or(Refusal::NotJoined)?;
        if member.holder.is_none() || within.is_zero() {
            return self.leave(id, outputs);
        }
        if member.is_away() {
            return Ok(());
        }
        let until = now + within;
        let heard = member.history.last();
        member.presence = Presence::Away { until, heard };
        self.due.insert((until, id));
        self.announce(id, &Notice::PeerReconnecting(id), outputs);
        Ok(())
    }

    pub(super) fn resume(
        &mut self,
        id: MemberId,
        holder: &Holder,
        seen: Option<u64>,
        outputs: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        let member = self.members.get(&id).ok_or(Refusal::CannotResume)?;
        if member.holder.as_ref() != Some(holder) {
            return Err(Refusal::Taken);
        }
        let heard = match member.presence {
            Presence::Here => member.history.last(),
            Presence::Away { heard, .. } => heard,
        };
        let TakenUp {
            room,
            missed,
            was_away,
        } = self.take_up(id, heard, seen)?;

        self.welcome(id, outputs);
        outputs.extend(told_again(id, &room, missed));
        if was_away {
            self.announce(id, &Notice::PeerReconnected(id), outputs);
        }
        Ok(())
    }

    /// A member that was taken for lost is there.
    pub(super) fn come_back(&mut self, id: MemberId, outputs: &mut Vec<Output>) -> Result<(), Refusal> {
        let member = self.members.get(&id).ok_or(Refusal::CannotResume)?;
        let Presence::Away { heard, .. } = member.presence else {
            return Ok(());
        };
        let seen = member.counts().then_some(heard);
        let TakenUp { room, missed, .. } = self.take_up(id, heard, seen)?;
        outputs.extend(told_again(id, &room, missed));
        self.announce(id, &Notice::PeerReconnected(id), outputs);
        Ok(())
    }

    /// Notes that a member is here; it missed what came after `seen`, or after `heard` if it does not count.
    fn take_up(&mut self, id: MemberId, heard: u64, seen: Option<u64>) -> Result<TakenUp, Refusal> {
        let member = self.members.get_mut(&id).ok_or(Refusal::CannotResume)?;
        let missed = match seen {
            Some(seen) => member.history.after(seen).ok_or(Refusal::CannotResume)?,
            None => {
                let missed = member.history.newest_after(heard);
                // Whoever says no number is told everything once, and is never asked which of it arrived.
                self.kept -= member.history.bytes();
                member.history.clear();
                missed
            }
        };
        let room = member.room.clone();
        let before = std::mem::replace(&mut member.presence, Presence::Here);
        if let Presence::Away { until, .. } = before {
            self.due.remove(&(until, id));
        }
        Ok(TakenUp {
            room,
            missed,
            was_away: before != Presence::Here,
        })
    }

    /// Takes leave of those who missed too much or were waited for in vain.
    pub(super) fn give_up_lost(&mut self, outputs: &mut Vec<Output>) {
        while let Some(id) = self.lost.pop() {
            let Some(member) = self.members.get(&id) else {
                continue;
            };
            outputs.push(Output {
                to: id,
                room: member.room.clone(),
                number: None,
                notice: Notice::Forgotten,
            });
            // It is a member, as was just seen.
            let _ = self.leave(id, outputs);
        }
    }

    /// Tells a member where it is; not numbered, because it answers what came over the present connection.
    fn welcome(&self, id: MemberId, outputs: &mut Vec<Output>) {
        let Some(member) = self.members.get(&id) else {
            return;
        };
        let peers = self.others(&member.room, id).into_iter();
        let peers = peers.filter_map(|peer| Some(self.members.get(&peer)?.peer(peer)));
        outputs.push(Output {
            to: id,
            room: member.room.clone(),
            number: None,
            notice: Notice::Joined {
                this: member.peer(id),
                peers: peers.collect(),
                permissions: member.permissions,
                received: member.received,
            },
        });
    }
}

/// A member who is back.
struct TakenUp {
    room: RoomKey,
    missed: Vec<(u64, Notice)>,
    was_away: bool,
}

fn told_again(to: MemberId, room: &RoomKey, missed: Vec<(u64, Notice)>) -> impl Iterator<Item = Output> {
    let told = move |(number, notice)| Output {
        to,
        room: room.clone(),
        number: Some(number),
        notice,
    };
    missed.into_iter().map(told)
}

//! What members say, and who is told.

use std::time::Instant;

use super::{
    Rooms,
    mailbox::Letter,
    member::Presence,
    notice::{Notice, Output, Refusal, Signal},
};
use crate::names::{MemberId, MemberName, RoomKey};

impl Rooms {
    #[expect(clippy::too_many_arguments, reason = "the fields of one input")]
    pub(super) fn send(
        &mut self,
        now: Instant,
        from: MemberId,
        to: MemberId,
        signal: Signal,
        number: Option<u64>,
        keep_for: Option<MemberName>,
        outputs: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        let sender = self.members.get_mut(&from).ok_or(Refusal::NotJoined)?;
        if !sender.permissions.send {
            return Err(Refusal::Forbidden);
        }
        if let Some(number) = number {
            if number <= sender.received {
                return Ok(());
            }
            sender.received = number;
        }
        let room = sender.room.clone();
        match self.members.get(&to) {
            Some(member) if to != from && member.room == room => {
                self.pass_on(from, &[to], &signal, outputs);
                Ok(())
            }
            Some(_) => Err(Refusal::UnknownPeer),
            None => {
                let name = keep_for.ok_or(Refusal::UnknownPeer)?;
                let letter = Letter { from, signal };
                let kept = self.mailbox.put(to, name, letter, &self.limits.mailbox, now);
                kept.then_some(()).ok_or(Refusal::UnknownPeer)
            }
        }
    }

    pub(super) fn publish(
        &mut self,
        from: MemberId,
        signal: &Signal,
        echo: bool,
        outputs: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        let sender = self.members.get(&from).ok_or(Refusal::NotJoined)?;
        if !sender.permissions.send {
            return Err(Refusal::Forbidden);
        }
        let all = self.rooms.get(&sender.room).map_or(&[][..], Vec::as_slice);
        let to: Vec<_> = all.iter().copied().filter(|id| echo || *id != from).collect();
        self.pass_on(from, &to, signal, outputs);
        Ok(())
    }

    /// Tells these members of the sender's room what it says.
    pub(super) fn pass_on(
        &mut self,
        from: MemberId,
        to: &[MemberId],
        signal: &Signal,
        outputs: &mut Vec<Output>,
    ) {
        let Some(sender) = self.members.get(&from) else {
            return;
        };
        let notice = Notice::Signal {
            from: sender.peer(from),
            signal: signal.clone(),
            members: self.rooms.get(&sender.room).map_or(0, Vec::len),
        };
        for id in to {
            self.tell(*id, notice.clone(), outputs);
        }
    }

    /// Tells everybody else in the room of `about`, if that is a room whose members hear of each other.
    pub(super) fn announce(&mut self, about: MemberId, notice: &Notice, outputs: &mut Vec<Output>) {
        let Some(member) = self.members.get(&about) else {
            return;
        };
        for id in self.others(&member.room, about) {
            self.tell(id, notice.clone(), outputs);
        }
    }

    /// The others whom a member of this room hears of.
    pub(super) fn others(&self, room: &RoomKey, than: MemberId) -> Vec<MemberId> {
        if !room.space.introduces() {
            return Vec::new();
        }
        let all = self.rooms.get(room).map_or(&[][..], Vec::as_slice);
        all.iter().copied().filter(|id| *id != than).collect()
    }

    /// Numbers and keeps a notice for whoever may come back, and sends it to whoever is here.
    pub(super) fn tell(&mut self, to: MemberId, notice: Notice, outputs: &mut Vec<Output>) {
        let Some(member) = self.members.get_mut(&to) else {
            return;
        };
        let number = member.is_kept().then(|| {
            let others = self.kept - member.history.bytes();
            let mut limits = self.limits.history;
            limits.bytes = limits.bytes.min(limits.total.saturating_sub(others));
            let number = member.history.push(&notice, limits);
            self.kept = others + member.history.bytes();
            number
        });
        match member.presence {
            Presence::Here => outputs.push(Output {
                to,
                room: member.room.clone(),
                number,
                notice,
            }),
            // Who does not count what it is told misses the oldest: others could take an id that is given up.
            Presence::Away { heard, .. } if member.counts() && !member.history.reaches(heard) => {
                self.lost.push(to);
            }
            Presence::Away { .. } => {}
        }
    }
}

//! The rooms as data, for another process to go on with: the same inputs then lead to the same outputs.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::{
    Limits, Rooms,
    history::History,
    mailbox::{Mailbox, SavedMailbox},
    member::{Holder, Member, Permissions, Presence},
    notice::Notice,
};
use crate::names::{MemberId, MemberName, RoomKey};

/// Times are in milliseconds of a clock that all who read it share.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Saved {
    rooms: Vec<(RoomKey, Vec<SavedMember>)>,
    mailbox: SavedMailbox,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedMember {
    id: MemberId,
    name: MemberName,
    permissions: Permissions,
    holder: Option<Holder>,
    /// Until when it is waited for, and the number of the last notice before it was lost.
    away: Option<(u64, u64)>,
    /// The number of the newest notice, and those that are kept.
    told: (u64, Vec<Notice>),
    received: u64,
}

/// Turns moments into milliseconds and back.
pub(crate) trait Clock {
    /// The milliseconds of a moment.
    fn millis(&self, moment: Instant) -> u64;

    /// The moment at these milliseconds.
    fn moment(&self, millis: u64) -> Instant;
}

impl Rooms {
    /// Writes down everything.
    pub(crate) fn save(&self, clock: &impl Clock) -> Saved {
        let mut rooms: Vec<_> = self.rooms.iter().collect();
        rooms.sort_unstable_by_key(|(room, _)| *room);
        let rooms = rooms.into_iter().map(|(room, ids)| {
            let members = ids.iter().filter_map(|id| Some((*id, self.members.get(id)?)));
            let members = members.map(|(id, member)| member.save(id, clock));
            (room.clone(), members.collect())
        });
        Saved {
            rooms: rooms.collect(),
            mailbox: self.mailbox.save(clock),
        }
    }

    /// Goes on where [`Rooms::save`] was called; the limits are to be the same.
    pub(crate) fn load(limits: Limits, saved: Saved, clock: &impl Clock) -> Self {
        let mut rooms = Self::new(limits);
        for (room, members) in saved.rooms {
            *rooms.tally.entry(room.space).or_default() += 1;
            let ids = members.iter().map(|member| member.id).collect();
            for saved in members {
                let id = saved.id;
                let member = saved.load(room.clone(), clock);
                rooms.kept += member.history.bytes();
                if let Presence::Away { until, .. } = member.presence {
                    rooms.due.insert((until, id));
                }
                rooms.members.insert(id, member);
            }
            rooms.rooms.insert(room, ids);
        }
        rooms.mailbox = Mailbox::load(saved.mailbox, clock);
        rooms.bound_history(limits.history.total);
        rooms
    }
}

impl Member {
    fn save(&self, id: MemberId, clock: &impl Clock) -> SavedMember {
        SavedMember {
            id,
            name: self.name.clone(),
            permissions: self.permissions,
            holder: self.holder.clone(),
            away: match self.presence {
                Presence::Here => None,
                Presence::Away { until, heard } => Some((clock.millis(until), heard)),
            },
            told: (self.history.last(), self.history.kept()),
            received: self.received,
        }
    }
}

impl SavedMember {
    fn load(self, room: RoomKey, clock: &impl Clock) -> Member {
        let (last, kept) = self.told;
        Member {
            room,
            name: self.name,
            permissions: self.permissions,
            holder: self.holder,
            presence: self.away.map_or(Presence::Here, |(until, heard)| Presence::Away {
                until: clock.moment(until),
                heard,
            }),
            history: History::load(last, kept),
            received: self.received,
        }
    }
}

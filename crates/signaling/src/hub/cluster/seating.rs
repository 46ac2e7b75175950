//! Who sits where on this node, when that is not what a room's log says.

use std::sync::Arc;

use super::{
    Cluster, Followed, State, Waiting,
    entry::{Desk, NodeId, What},
    log::{Position, Written},
    replica::Replica,
    taking::Rest,
};
use crate::{
    hub::seats::{Outbox, Place},
    names::{MemberId, RoomKey},
    problem::Problem,
    rooms::Input,
};

impl Cluster {
    /// Goes on with another copy of a room, because the entries between are gone, or the copy was of another log.
    pub(super) fn adopt(
        self: &Arc<Self>,
        room: &RoomKey,
        at: Position,
        snapshot: &str,
        entries: Vec<Written>,
    ) {
        let mut rest = Rest::default();
        let loaded = Replica::load(snapshot, at, self.limits_of_one(), self.link.clock);
        let replica = loaded.or_else(|error| {
            tracing::warn!(%error, "a room's snapshot cannot be read");
            Replica::load("", at, self.limits_of_one(), self.link.clock)
        });
        let Ok(replica) = replica else { return };
        {
            let mut guard = self.lock();
            let state = &mut *guard;
            let Some(there) = state.rooms.get_mut(room) else {
                return;
            };
            let before = std::mem::replace(&mut there.replica, replica);
            state.kept = state.kept + there.replica.rooms.kept() - before.rooms.kept();
            state.reconcile(room, &before, self.node, &mut rest);
            self.settle(state, room, &What::Tick);
        }
        self.finish(room, rest);
        for written in entries {
            self.take(room, written);
        }
    }
}

impl Cluster {
    /// Says of members whom the logs have at this node, and who are not here, that they are lost: what was said of them
    /// when they went may not have been written.
    pub(super) fn sweep(self: &Arc<Self>, which: impl Fn(&RoomKey) -> bool) {
        let orphans: Vec<_> = {
            let state = self.lock();
            let rooms = state.rooms.iter().filter(|(room, _)| which(room));
            let orphans = rooms.flat_map(|(room, there)| {
                let orphans = state.orphans(&there.replica, self.node);
                orphans.map(|orphan| (room.clone(), orphan))
            });
            orphans.collect()
        };
        for (room, (member, connection)) in orphans {
            self.write_later(&room, member, connection, u64::MAX, Input::Lose);
        }
    }
}

impl State {
    /// Members that a copy of a room has at this node and who have no seat, with their connections.
    fn orphans(&self, replica: &Replica, node: NodeId) -> impl Iterator<Item = (MemberId, u64)> {
        let here = replica.desks().filter(move |(_, desk)| desk.node == node);
        let orphans = here.filter(|(id, desk)| {
            self.seats.find(*id) != Some(Place::new(*id, desk.connection))
                && !self.talkers.contains_key(&desk.connection)
        });
        orphans.map(|(id, desk)| (id, desk.connection))
    }

    /// Takes the seat of a member away from a connection that has it no longer.
    pub(super) fn replace(&mut self, member: MemberId, waiting: &Option<Waiting>) -> Option<Arc<dyn Outbox>> {
        // Who comes back over a connection of this node gets the seat itself.
        if waiting.is_some() {
            return None;
        }
        self.homes.remove(&member);
        let place = self.seats.find(member)?;
        self.talkers.remove(&place.connection());
        self.seats.forget(member)
    }

    /// Forgets a seat that is kept for somebody who will not come back to it.
    pub(super) fn forget_if_gone(&mut self, member: MemberId, room: &RoomKey) {
        let is_member = self
            .rooms
            .get(room)
            .is_some_and(|there| there.replica.rooms.holds(member));
        if !is_member {
            if self.homes.get(&member) == Some(room) {
                self.homes.remove(&member);
            }
            self.forget_standing(member);
        }
    }

    /// Forgets a seat that nobody sits at.
    pub(super) fn forget_standing(&mut self, member: MemberId) {
        if self.seats.find(member).is_some_and(Place::is_vacant) {
            self.seats.forget(member);
        }
    }

    /// This node was taken for dead: those who are here come back, or are gone.
    pub(super) fn object(&mut self, room: &RoomKey, lost: &[MemberId], rest: &mut Rest) {
        for id in lost {
            let Some(place) = self.seats.find(*id).filter(|place| !place.is_vacant()) else {
                continue;
            };
            let holds = self
                .rooms
                .get(room)
                .is_some_and(|there| there.replica.rooms.holds(*id));
            match holds {
                true => rest.returning.push(place),
                false => self.send_away(place, rest),
            }
        }
    }

    /// Ends a connection whose member is not what its client thinks; the client begins anew.
    fn send_away(&mut self, place: Place, rest: &mut Rest) {
        self.homes.remove(&place.id);
        self.talkers.remove(&place.connection());
        let outbox = self.seats.forget(place.id);
        rest.closed
            .extend(outbox.map(|outbox| (outbox, Problem::Unavailable)));
    }

    /// Compares who sits here with what another copy of the room says.
    fn reconcile(&mut self, room: &RoomKey, before: &Replica, node: NodeId, rest: &mut Rest) {
        let seated: Vec<_> = before.rooms.ids().filter_map(|id| self.seats.find(id)).collect();
        for place in seated {
            let Some(there) = self.rooms.get(room) else { return };
            let now = &there.replica;
            if place.is_vacant() {
                self.forget_if_gone(place.id, room);
                continue;
            }
            let own = Desk {
                node,
                connection: place.connection(),
            };
            let missed = match (now.desk(place.id) == Some(own), before.rooms.told(place.id)) {
                (false, _) => None,
                (true, None) => Some(Vec::new()),
                (true, Some(told)) => now.rooms.told_since(place.id, told),
            };
            match missed {
                Some(missed) => missed.iter().for_each(|told| self.tell(told, &mut rest.clogged)),
                None => self.send_away(place, rest),
            }
        }
        let Some(there) = self.rooms.get(room) else { return };
        rest.orphans.extend(self.orphans(&there.replica, node));
    }

    pub(super) fn forget_room(&mut self, room: &RoomKey) {
        if let Some(Followed { replica, due, .. }) = self.rooms.remove(room) {
            *self.tally.entry(room.space).or_default() -= 1;
            self.kept -= replica.rooms.kept();
            if let Some(due) = due {
                self.due.remove(&(due, room.clone()));
            }
        }
        self.count_rooms();
    }

    pub(super) fn count_rooms(&self) {
        self.count
            .set(i64::try_from(self.rooms.len()).unwrap_or(i64::MAX));
    }
}

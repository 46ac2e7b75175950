//! What an entry of a room's log changes on this node: its copy of the room, who sits where, and who is told.

use std::sync::Arc;

use super::{
    Cluster, Enters, Followed, State, Waiting,
    entry::{Desk, Entry, What},
    link::{Fetched, Written},
    replica::{Applied, Replica},
};
use crate::{
    hub::seats::{Kind, Outbox, Place, Taken},
    names::{MemberId, RoomKey},
    problem::Problem,
    rooms::{Input, Limits, Notice, RoomLimits},
};

/// Entries after which a snapshot is made, at least; of large rooms there are fewer.
const SNAPSHOT_EACH: u64 = 64;

/// What is left to do once the lock is gone.
#[derive(Default)]
struct Rest {
    clogged: Vec<Place>,
    closed: Vec<(Arc<dyn Outbox>, Problem)>,
    /// Members that the log says are here, and are not.
    orphans: Vec<(MemberId, u64)>,
    /// Members that are here, and were said to be lost.
    returning: Vec<Place>,
    snapshot: Option<(u64, String)>,
    done: Option<(Waiting, Result<Place, Problem>)>,
}

impl Cluster {
    /// The bounds of one room: those of all rooms together are this node's own business.
    pub(super) fn limits_of_one(&self) -> Limits {
        Limits {
            rooms: RoomLimits {
                calls: usize::MAX,
                classic: usize::MAX,
                topics: usize::MAX,
            },
            ..self.limits
        }
    }

    /// Takes an entry, unless it was taken before; tells whether some that come before it are missing.
    pub(super) fn take(self: &Arc<Self>, room: &RoomKey, written: Written) -> bool {
        let mut rest = Rest::default();
        {
            let mut guard = self.lock();
            let state = &mut *guard;
            let Some(there) = state.rooms.get_mut(room) else {
                return false;
            };
            if written.seq <= there.replica.at {
                return false;
            }
            if written.seq > there.replica.at + 1 {
                return true;
            }
            let Ok(entry) = serde_json::from_str::<Entry>(&written.text) else {
                // Of a newer version. What it did is unknown here, and to go on is better than to stop.
                tracing::warn!(seq = written.seq, "an entry of the log cannot be read");
                there.replica.at += 1;
                return false;
            };
            let kept = there.replica.rooms.kept();
            let what = entry.what.clone();
            let is_own = entry.node == self.node;
            let desk_of = |connection| Desk {
                node: entry.node,
                connection,
            };
            let asked = match &what {
                What::Ask {
                    member, connection, ..
                } => Some((*member, desk_of(*connection))),
                What::Dead(_) | What::Tick => None,
            };
            let applied = there.replica.apply(written.millis, entry);
            if is_own {
                rest.snapshot = there.replica.snapshot_if_due();
            }
            state.kept = state.kept + there.replica.rooms.kept() - kept;
            self.seat(state, room, &what, is_own, applied, &mut rest);
            if let Some((member, desk)) = asked {
                state.forget_if_gone(member, room);
                self.mind_orphan(state, room, member, desk, &mut rest);
            }
            self.settle(state, room, &what);
        }
        self.finish(room, rest);
        false
    }

    /// Notes who sits where now, and tells everybody.
    fn seat(
        &self,
        state: &mut State,
        room: &RoomKey,
        what: &What,
        is_own: bool,
        applied: Applied,
        rest: &mut Rest,
    ) {
        let mut welcomed = None;
        if let What::Ask {
            member,
            connection,
            number,
            ..
        } = what
        {
            let waiting = match is_own {
                true => state.waiting.remove(&(*connection, *number)),
                false => None,
            };
            if applied.entered.is_some() {
                let stays = is_own && state.seats.find(*member) == Some(Place::new(*member, *connection));
                if !stays && let Some(outbox) = state.replace(*member, &waiting) {
                    rest.closed.push((outbox, Problem::Replaced));
                }
            }
            if let Some(mut waiting) = waiting {
                let result = self.admit(state, room, *member, *connection, &applied, &mut waiting.enters, rest);
                welcomed = Some(*member);
                rest.done = Some((waiting, result));
            }
        }
        for output in &applied.outputs {
            match (&output.notice, &rest.done) {
                (Notice::Joined { .. }, Some((waiting, _))) if welcomed == Some(output.to) => {
                    if (waiting.welcome)(output).is_err() {
                        rest.clogged.extend(state.seats.find(output.to));
                    }
                }
                (Notice::Joined { .. }, _) => {}
                (Notice::Forgotten, _) => {
                    state.homes.remove(&output.to);
                    let outbox = state.seats.forget(output.to);
                    rest.closed.extend(outbox.map(|outbox| (outbox, Problem::Closing)));
                }
                (_, _) => state.tell(output, &mut rest.clogged),
            }
        }
        if *what == What::Dead(self.node) {
            state.object(room, &applied.lost, rest);
        }
    }

    /// Gives the asking connection the seat that it has now.
    #[expect(clippy::too_many_arguments, reason = "the fields of one request")]
    fn admit(
        &self,
        state: &mut State,
        room: &RoomKey,
        member: MemberId,
        connection: u64,
        applied: &Applied,
        enters: &mut Enters,
        rest: &mut Rest,
    ) -> Result<Place, Problem> {
        let place = Place::new(member, connection);
        if applied.again {
            // It was taken, and the answer to it has been lost with a copy of the room.
            return match enters {
                Enters::Nothing => Ok(place),
                Enters::Resumed(_) | Enters::Claimed(..) => Err(Problem::Unavailable),
            };
        }
        applied.result?;
        match std::mem::replace(enters, Enters::Nothing) {
            Enters::Nothing => {}
            Enters::Resumed(before) => {
                // Who left meanwhile has no seat to change.
                let (_, replaced) = state.seats.change(before, member);
                rest.closed.extend(replaced.map(|outbox| (outbox, Problem::Replaced)));
            }
            Enters::Claimed(visit, outbox) => {
                let replaced = state.seats.sit(place, Taken::new(Kind::Connection, visit, outbox));
                rest.closed.extend(replaced.map(|outbox| (outbox, Problem::Replaced)));
            }
        }
        if applied.entered.is_some() {
            state.homes.insert(member, room.clone());
        }
        Ok(place)
    }

    /// A member whom the log puts here and who has no seat is lost: its connection ended meanwhile.
    fn mind_orphan(&self, state: &State, room: &RoomKey, member: MemberId, desk: Desk, rest: &mut Rest) {
        let there = state.rooms.get(room).and_then(|there| there.replica.desk(member));
        let sits = state.seats.find(member) == Some(Place::new(member, desk.connection));
        let talks = state.talkers.contains_key(&desk.connection);
        if desk.node == self.node && there == Some(desk) && !sits && !talks && rest.done.is_none() {
            rest.orphans.push((member, desk.connection));
        }
    }

    fn settle(&self, state: &mut State, room: &RoomKey, what: &What) {
        if let Some(there) = state.rooms.get_mut(room) {
            let due = there.replica.rooms.poll_timeout();
            if let Some(before) = std::mem::replace(&mut there.due, due) {
                state.due.remove(&(before, room.clone()));
            }
            if let Some(due) = due {
                state.due.insert((due, room.clone()));
                self.bell.notify_one();
            }
        }
        state.count_rooms();
        let only_talk = matches!(
            what,
            What::Ask {
                input: Input::Send { .. } | Input::Publish { .. },
                ..
            }
        );
        if !only_talk {
            self.look_after(state, room);
        }
    }

    /// Does what must not be done under the lock.
    fn finish(self: &Arc<Self>, room: &RoomKey, rest: Rest) {
        if let Some((waiting, result)) = rest.done {
            // Whoever asked may have given up.
            let _ = waiting.done.send(result);
        }
        for (outbox, reason) in rest.closed {
            self.close(Some(outbox), reason);
        }
        self.evict_clogged(rest.clogged);
        for (member, connection) in rest.orphans {
            self.write_later(room, member, connection, u64::MAX, Input::Lose);
        }
        for place in rest.returning {
            // Its own requests count on from where they are: this one is none of them.
            self.write_later(room, place.id, place.connection(), 0, Input::Return);
        }
        if let Some((at, snapshot)) = rest.snapshot {
            let (cluster, room) = (Arc::clone(self), room.clone());
            tokio::spawn(async move {
                if let Err(error) = cluster.link.save(&room, at, &snapshot).await {
                    tracing::debug!(%error, "a snapshot was not kept");
                }
            });
        }
    }

    /// Writes what nobody waits for.
    fn write_later(
        self: &Arc<Self>,
        room: &RoomKey,
        member: MemberId,
        connection: u64,
        number: u64,
        input: Input,
    ) {
        let (cluster, room) = (Arc::clone(self), room.clone());
        let what = What::Ask {
            member,
            connection,
            number,
            input,
        };
        tokio::spawn(async move {
            for _ in 0..20 {
                if cluster.write(&room, &what).await {
                    return;
                }
                tokio::time::sleep(std::time::Duration::from_millis(250)).await;
            }
        });
    }

    /// Goes on with another copy of a room, because the entries between are gone.
    pub(super) fn adopt(self: &Arc<Self>, room: &RoomKey, fetched: Fetched) {
        let mut rest = Rest::default();
        let (at, text) = fetched.snapshot.unwrap_or_default();
        let loaded = match at {
            0 => Ok(Replica::new(self.limits_of_one(), self.link.clock)),
            _ => Replica::load(&text, at, self.limits_of_one(), self.link.clock),
        };
        let replica = match loaded {
            Ok(replica) => replica,
            Err(error) => {
                tracing::warn!(%error, "a room's snapshot cannot be read");
                let mut replica = Replica::new(self.limits_of_one(), self.link.clock);
                replica.at = at;
                replica
            }
        };
        {
            let mut guard = self.lock();
            let state = &mut *guard;
            let Some(there) = state.rooms.get_mut(room) else { return };
            let before = std::mem::replace(&mut there.replica, replica);
            state.kept = state.kept + there.replica.rooms.kept() - before.rooms.kept();
            state.reconcile(room, &before, self.node, &mut rest);
            self.settle(state, room, &What::Tick);
        }
        self.finish(room, rest);
        for written in fetched.entries {
            self.take(room, written);
        }
    }
}

impl State {
    /// Takes the seat of a member away from a connection that has it no longer.
    fn replace(&mut self, member: MemberId, waiting: &Option<Waiting>) -> Option<Arc<dyn Outbox>> {
        // Who comes back over a connection of this node gets the seat itself.
        if waiting.is_some() {
            return None;
        }
        let place = self.seats.find(member)?;
        self.homes.remove(&member);
        self.talkers.remove(&place.connection());
        self.seats.forget(member)
    }

    /// Forgets a seat that is kept for somebody who will not come back to it.
    pub(super) fn forget_if_gone(&mut self, member: MemberId, room: &RoomKey) {
        let is_member = self.rooms.get(room).is_some_and(|there| there.replica.rooms.holds(member));
        if !is_member {
            if self.homes.get(&member) == Some(room) {
                self.homes.remove(&member);
            }
            self.forget_standing(member);
        }
    }

    /// Forgets a seat that nobody sits at.
    pub(super) fn forget_standing(&mut self, member: MemberId) {
        if self.seats.find(member) == Some(Place::new(member, 0)) {
            self.seats.forget(member);
        }
    }

    /// This node was taken for dead: those who are here come back, or are gone.
    fn object(&mut self, room: &RoomKey, lost: &[MemberId], rest: &mut Rest) {
        for id in lost {
            let Some(place) = self.seats.find(*id).filter(|place| place.connection() != 0) else {
                continue;
            };
            let holds = self.rooms.get(room).is_some_and(|there| there.replica.rooms.holds(*id));
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
        rest.closed.extend(outbox.map(|outbox| (outbox, Problem::Closing)));
    }

    /// Compares who sits here with what another copy of the room says.
    fn reconcile(&mut self, room: &RoomKey, before: &Replica, node: super::NodeId, rest: &mut Rest) {
        let seated: Vec<_> = before.rooms.ids().filter_map(|id| self.seats.find(id)).collect();
        for place in seated {
            let Some(there) = self.rooms.get(room) else { return };
            let now = &there.replica;
            if place.connection() == 0 {
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
        let here = there.replica.desks().filter(|(_, desk)| desk.node == node);
        let orphans = here.filter(|(id, desk)| {
            self.seats.find(*id) != Some(Place::new(*id, desk.connection))
                && !self.talkers.contains_key(&desk.connection)
        });
        rest.orphans.extend(orphans.map(|(id, desk)| (id, desk.connection)));
    }

    pub(super) fn forget_room(&mut self, room: &RoomKey) {
        if let Some(Followed { replica, due, .. }) = self.rooms.remove(room) {
            self.kept -= replica.rooms.kept();
            if let Some(due) = due {
                self.due.remove(&(due, room.clone()));
            }
        }
        self.count_rooms();
    }

    fn count_rooms(&self) {
        self.count.set(i64::try_from(self.rooms.len()).unwrap_or(i64::MAX));
    }
}

impl Replica {
    /// The room as text, now and then.
    fn snapshot_if_due(&self) -> Option<(u64, String)> {
        let each = SNAPSHOT_EACH.max(4 * self.rooms.members() as u64);
        (self.at % each == 0).then(|| (self.at, self.save()))
    }
}

//! What an entry of a room's log changes on this node: its copy of the room, who sits where, and who is told.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use super::{
    Cluster, Enters, State, Waiting,
    entry::{Desk, Entry, What},
    log::{Position, Snapshot, Written},
    replica::Applied,
};
use crate::{
    hub::seats::{Kind, Outbox, Place, Taken},
    names::{MemberId, RoomKey},
    problem::Problem,
    rooms::{Input, Limits, Notice, RoomLimits},
};

/// How often, and how far apart, it is tried to write what nobody waits for.
const ATTEMPTS: usize = 20;
const PAUSE: Duration = Duration::from_millis(250);

/// What is left to do once the lock is gone.
#[derive(Default)]
pub(super) struct Rest {
    pub(super) clogged: Vec<Place>,
    pub(super) closed: Vec<(Arc<dyn Outbox>, Problem)>,
    /// Members that the log says are here, and are not.
    pub(super) orphans: Vec<(MemberId, u64)>,
    /// Members that are here, and were said to be lost.
    pub(super) returning: Vec<Place>,
    snapshot: Option<Snapshot>,
    /// Nobody is in the room at this position.
    empty: Option<Position>,
    /// Members who entered although their request was given up or answered already.
    strays: Vec<(MemberId, u64, Input)>,
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
            let at = there.replica.at;
            if written.at.seq <= at.seq {
                // At the same number another entry may stand: then the copy is of another log.
                return written.at.seq == at.seq && written.at != at;
            }
            if written.at.seq > at.seq + 1 || written.before != at.mark {
                return true;
            }
            let Ok(entry) = serde_json::from_str::<Entry>(&written.text) else {
                // Of a newer version. What it did is unknown here, and to go on is better than to stop.
                tracing::warn!(seq = written.at.seq, "an entry of the log cannot be read");
                there.replica.at = written.at;
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
            // Others are of a time when this node knew the room before, and were counted then.
            let is_awaited = match &what {
                What::Ask {
                    connection, number, ..
                } => is_own && state.waiting.contains_key(&(*connection, *number)),
                What::Dead(_) | What::Tick => false,
            };
            let returns = is_awaited && there.replica.is_claim_of_old(&entry.what);
            let applied = there.replica.apply(written.at, written.millis, entry);
            if returns && !applied.again {
                self.metrics.resume(applied.result.err());
            }
            rest.snapshot = there.replica.note(written.text.len(), is_own);
            if is_own && there.replica.rooms.is_empty() {
                rest.empty = Some(there.replica.at);
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
            input,
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
            if is_own && waiting.is_none() && applied.entered.is_some() && *input != Input::Return {
                // A newcomer was told that it is not in; somebody who comes back is waited for again.
                let farewell = match matches!(input, Input::Join(_)) {
                    true => Input::Leave,
                    false => Input::Lose,
                };
                rest.strays.push((*member, *connection, farewell));
            }
            if let Some(mut waiting) = waiting {
                let result = self.admit(
                    state,
                    room,
                    *member,
                    *connection,
                    &applied,
                    &mut waiting.enters,
                    rest,
                );
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
                    rest.closed
                        .extend(outbox.map(|outbox| (outbox, Problem::Unavailable)));
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
                Enters::Joined | Enters::Resumed(_) | Enters::Claimed(..) => Err(Problem::Unavailable),
            };
        }
        applied.result?;
        match std::mem::replace(enters, Enters::Nothing) {
            Enters::Nothing | Enters::Joined => {}
            Enters::Resumed(before) => {
                // Who left meanwhile has no seat to change.
                let (_, replaced) = state.seats.change(before, member);
                rest.closed
                    .extend(replaced.map(|outbox| (outbox, Problem::Replaced)));
            }
            Enters::Claimed(visit, outbox) => {
                let replaced = state
                    .seats
                    .sit(place, Taken::new(Kind::Connection, visit, outbox));
                rest.closed
                    .extend(replaced.map(|outbox| (outbox, Problem::Replaced)));
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
        let is_cared_for = sits || talks || rest.done.is_some() || !rest.strays.is_empty();
        if desk.node == self.node && there == Some(desk) && !is_cared_for {
            rest.orphans.push((member, desk.connection));
        }
    }

    pub(super) fn settle(&self, state: &mut State, room: &RoomKey, what: &What) {
        if let Some(there) = state.rooms.get_mut(room) {
            let due = there.replica.due();
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
    pub(super) fn finish(self: &Arc<Self>, room: &RoomKey, rest: Rest) {
        if let Some((waiting, result)) = rest.done {
            // Whoever asked may have given up.
            let _ = waiting.done.send(result);
        }
        for (outbox, reason) in rest.closed {
            self.close(Some(outbox), reason);
        }
        self.evict_clogged(rest.clogged);
        let orphans = rest.orphans.into_iter();
        let orphans = orphans.map(|(member, connection)| (member, connection, Input::Lose));
        for (member, connection, farewell) in orphans.chain(rest.strays) {
            self.write_later(room, member, connection, u64::MAX, farewell);
        }
        for place in rest.returning {
            // Its own requests count on from where they are: this one is none of them.
            self.write_later(room, place.id, place.connection(), 0, Input::Return);
        }
        if let Some(at) = rest.empty {
            let (cluster, room) = (Arc::clone(self), room.clone());
            tokio::spawn(async move {
                if let Err(error) = cluster.link.drop_room(&room, at).await {
                    tracing::debug!(%error, "an empty room stays until it expires");
                }
            });
        } else if let Some(snapshot) = rest.snapshot {
            let (cluster, room) = (Arc::clone(self), room.clone());
            tokio::spawn(async move {
                if let Err(error) = cluster.link.save(&room, &snapshot).await {
                    tracing::debug!(%error, "a snapshot was not kept");
                }
            });
        }
    }

    /// Writes what nobody waits for.
    pub(super) fn write_later(
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
            // Otherwise the room might be forgotten before.
            if cluster.hold(&room).await.is_err() {
                return;
            }
            for _ in 0..ATTEMPTS {
                if cluster.write(&room, &what).await {
                    break;
                }
                sleep(PAUSE).await;
            }
            let mut state = cluster.lock();
            cluster.release(&mut state, &room);
        });
    }
}

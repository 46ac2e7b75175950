//! The rooms of one process, in memory.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use lifecycle::Shutdown;
use tokio::{sync::Notify, time::sleep_until};

use super::{
    Answer, Claim,
    draining::in_turn,
    seats::{Clogged, Kind, Outbox, Place, Seats, Taken},
};
use crate::{
    metrics::Metrics,
    names::{MemberId, MemberName, RoomKey},
    problem::Problem,
    rooms::{Holder, Input, Limits, Notice, Output, Rooms},
};

pub(super) struct Here {
    metrics: Metrics,
    state: Mutex<State>,
    /// Rings when the rooms are due at another time than before.
    bell: Notify,
}

struct State {
    rooms: Rooms,
    seats: Seats,
    due: Option<Instant>,
}

type Told<'a> = &'a dyn Fn(&Output) -> Result<(), Clogged>;

impl Here {
    pub(super) fn new(limits: Limits, metrics: Metrics) -> Self {
        Self {
            state: Mutex::new(State {
                rooms: Rooms::new(limits),
                seats: Seats::new(metrics.connections.clone()),
                due: None,
            }),
            metrics,
            bell: Notify::new(),
        }
    }

    pub(super) fn connect(&self, id: MemberId, taken: Taken) -> Place {
        self.lock().seats.welcome(id, taken)
    }

    pub(super) fn ask(&self, place: Place, input: Input, answer: Answer) {
        let result = self.apply(place, input, &*answer.welcome);
        (answer.done)(result.map(|()| place));
    }

    fn apply(&self, place: Place, input: Input, welcome: Told<'_>) -> Result<(), Problem> {
        let mut clogged = Vec::new();
        {
            let mut state = self.lock();
            state.seats.check(place)?;
            let outputs = state.rooms.handle(Instant::now(), place.id, input)?;
            state.deliver(&outputs, welcome, &mut clogged);
            self.settle(&mut state);
        }
        self.evict_clogged(clogged);
        Ok(())
    }

    pub(super) fn claim(&self, claim: Claim) -> Result<Place, Problem> {
        let Claim {
            id,
            join,
            visit,
            outbox,
            welcome,
        } = claim;
        let mut clogged = Vec::new();
        let (place, replaced) = {
            let mut state = self.lock();
            let returns = state.rooms.holds(id);
            let told = state.rooms.handle(Instant::now(), id, Input::Claim(join));
            if returns {
                let refused = told.as_ref().err().copied();
                self.metrics.resume(refused.map(Problem::from));
            }
            let outputs = told?;
            let place = state.seats.place(id);
            let taken = Taken::new(Kind::Connection, visit, outbox);
            let replaced = state.seats.sit(place, taken);
            state.deliver(&outputs, &*welcome, &mut clogged);
            self.settle(&mut state);
            (place, replaced)
        };
        self.close(replaced, Problem::Replaced);
        self.evict_clogged(clogged);
        Ok(place)
    }

    pub(super) fn resume(&self, place: Place, id: MemberId, seen: u64, answer: Answer) {
        let result = self.take_up(place, id, seen, &*answer.welcome);
        (answer.done)(result);
    }

    fn take_up(&self, place: Place, id: MemberId, seen: u64, welcome: Told<'_>) -> Result<Place, Problem> {
        let mut clogged = Vec::new();
        let (resumed, replaced) = {
            let mut state = self.lock();
            state.seats.check(place)?;
            if state.rooms.holds(place.id) {
                return Err(Problem::AlreadyJoined);
            }
            let input = Input::Resume {
                holder: Holder::Signed,
                seen: Some(seen),
            };
            // Whether there is somebody else by that id is nobody's business.
            let told = state.rooms.handle(Instant::now(), id, input);
            let outputs = told.map_err(|_| Problem::CannotResume)?;
            let (resumed, replaced) = state.seats.change(place, id);
            state.deliver(&outputs, welcome, &mut clogged);
            self.settle(&mut state);
            (resumed, replaced)
        };
        self.close(replaced, Problem::Replaced);
        self.evict_clogged(clogged);
        Ok(resumed)
    }

    pub(super) fn disconnect(&self, place: Place, input: Input) {
        let mut clogged = Vec::new();
        self.remove(place, input, &mut clogged);
        self.evict_clogged(clogged);
    }

    pub(super) fn evict(&self, place: Place, input: Input, reason: Problem) {
        let mut clogged = Vec::new();
        self.close(self.remove(place, input, &mut clogged), reason);
        self.evict_clogged(clogged);
    }

    pub(super) fn names(&self, room: &RoomKey) -> Vec<MemberName> {
        self.lock().rooms.names(room)
    }

    pub(super) async fn keep_time(&self, shutdown: Shutdown) {
        loop {
            let due = self.lock().rooms.poll_timeout();
            let wait = async {
                match due {
                    Some(due) => sleep_until(due.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = shutdown.wait() => return,
                () = self.bell.notified() => {}
                () = wait => self.tick(Instant::now()),
            }
        }
    }

    pub(super) fn tick(&self, now: Instant) {
        let mut clogged = Vec::new();
        {
            let mut state = self.lock();
            let outputs = state.rooms.handle_timeout(now);
            state.deliver(&outputs, &|_| Ok(()), &mut clogged);
            self.settle(&mut state);
        }
        self.evict_clogged(clogged);
    }

    pub(super) async fn drain(&self, over: Duration) {
        let places = self.lock().seats.places();
        if over.is_zero() {
            return self.drain_at_once();
        }
        in_turn(places, over, |place| {
            let mut clogged = Vec::new();
            // Who may come back is waited for by those who are told later.
            self.close(self.remove(place, Input::Lose, &mut clogged), Problem::Closing);
            self.evict_clogged(clogged);
        })
        .await;
        self.drain_at_once();
    }

    fn drain_at_once(&self) {
        let outboxes = {
            let mut state = self.lock();
            let (ids, outboxes) = state.seats.clear();
            for id in ids {
                // Nobody is left to hear of it, and most are in no room.
                let _ = state.rooms.handle(Instant::now(), id, Input::Leave);
            }
            self.settle(&mut state);
            outboxes
        };
        for outbox in outboxes {
            outbox.close(Problem::Closing);
        }
    }

    /// Ends the connections of receivers that are too far behind; hearing of it may clog others.
    fn evict_clogged(&self, mut clogged: Vec<Place>) {
        while let Some(place) = clogged.pop() {
            let outbox = self.remove(place, Input::Lose, &mut clogged);
            self.close(outbox, Problem::TooSlow);
        }
    }

    /// Forgets a connection, if it is the one at `place`, and tells its room.
    fn remove(&self, place: Place, input: Input, clogged: &mut Vec<Place>) -> Option<Arc<dyn Outbox>> {
        let mut state = self.lock();
        if !state.seats.has(place) {
            return None;
        }
        let told = state.rooms.handle(Instant::now(), place.id, input);
        let outbox = match state.rooms.holds(place.id) {
            true => state.seats.stand_up(place.id),
            false => state.seats.forget(place.id),
        };
        if let Ok(outputs) = told {
            state.deliver(&outputs, &|_| Ok(()), clogged);
        }
        self.settle(&mut state);
        outbox
    }

    /// Closes without holding the lock, because closing may call back.
    fn close(&self, outbox: Option<Arc<dyn Outbox>>, reason: Problem) {
        if let Some(outbox) = outbox {
            self.metrics.drop(reason.code());
            outbox.close(reason);
        }
    }

    fn settle(&self, state: &mut State) {
        let rooms = i64::try_from(state.rooms.len()).unwrap_or(i64::MAX);
        self.metrics.rooms.set(rooms);
        let due = state.rooms.poll_timeout();
        if std::mem::replace(&mut state.due, due) != due {
            self.bell.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // `Rooms` checks itself before it changes anything, so a panic elsewhere leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn deliver(&mut self, outputs: &[Output], welcome: Told<'_>, clogged: &mut Vec<Place>) {
        for output in outputs {
            let sent = match &output.notice {
                Notice::Joined { .. } => welcome(output),
                Notice::Forgotten => {
                    self.seats.forget(output.to);
                    Ok(())
                }
                Notice::PeerJoined(_)
                | Notice::PeerReconnecting(_)
                | Notice::PeerReconnected(_)
                | Notice::PeerLeft(_)
                | Notice::Waiting
                | Notice::Signal { .. }
                | Notice::Unanswered(_) => self.seats.tell(output),
            };
            if sent.is_err() {
                clogged.extend(self.seats.find(output.to));
            }
        }
    }
}

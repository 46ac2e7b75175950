//! Brings messages to the rooms and notices to the connections; the same for every dialect.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    config::Config,
    ice::IceServers,
    metrics::Metrics,
    names::MemberId,
    protocol::{Event, Problem, Signal},
    rooms::{Input, Limits, Notice, Output, Rooms},
};

/// The receiving end of one event; it never waits, and **never calls the hub back**, whose lock may be held.
pub(crate) trait Sink {
    /// Takes the event, or says that the receiver is too far behind.
    fn send(&self, event: &Event<'_>) -> Result<(), Clogged>;
}

/// The way to one client.
pub(crate) trait Outbox: Sink + Send + Sync {
    /// Ends the connection and says why.
    fn close(&self, reason: Problem);
}

/// A bounded queue is full, or its connection gone.
#[derive(Debug)]
pub(crate) struct Clogged;

/// Everything that the connections share.
pub(crate) struct Hub {
    pub(crate) ice: IceServers,
    pub(crate) metrics: Metrics,
    state: Mutex<State>,
}

struct State {
    rooms: Rooms,
    // Keys are random numbers of our own.
    outboxes: HashMap<MemberId, Arc<dyn Outbox>>,
}

impl Hub {
    pub(crate) fn new(config: &Config, ice: IceServers, metrics: Metrics) -> Arc<Self> {
        let rooms = Rooms::new(Limits {
            members_per_room: config.rooms.capacity,
            rooms: config.rooms.max,
        });
        Arc::new(Self {
            ice,
            metrics,
            state: Mutex::new(State {
                rooms,
                outboxes: HashMap::new(),
            }),
        })
    }

    /// Makes a connection known, so that notices reach it.
    pub(crate) fn connect(&self, id: MemberId, outbox: Arc<dyn Outbox>) {
        self.lock().outboxes.insert(id, outbox);
        self.metrics.connections.inc();
    }

    /// Forgets a connection that is gone and tells its room.
    pub(crate) fn disconnect(&self, id: MemberId) {
        let mut clogged = Vec::new();
        self.remove(id, &mut clogged);
        self.evict_clogged(clogged);
    }

    /// Ends a connection from our side.
    pub(crate) fn evict(&self, id: MemberId, reason: Problem) {
        let mut clogged = Vec::new();
        self.close(self.remove(id, &mut clogged), reason);
        self.evict_clogged(clogged);
    }

    /// Applies what `from` asks; `joined` turns the good news of a join into its answer.
    ///
    /// Notices are queued while the rooms are locked, so that every client hears of changes in the
    /// order in which they happened.
    pub(crate) fn apply(
        &self,
        from: MemberId,
        input: Input<Signal<'_>>,
        joined: impl Fn(&Notice<Signal<'_>>) -> Result<(), Clogged>,
    ) -> Result<(), Problem> {
        let mut clogged = Vec::new();
        {
            let mut state = self.lock();
            if !state.outboxes.contains_key(&from) {
                return Err(Problem::Closing);
            }
            let outputs = state.rooms.handle(from, input)?;
            state.deliver(outputs, joined, &mut clogged);
            self.count_rooms(&state);
        }
        self.evict_clogged(clogged);
        Ok(())
    }

    /// Disconnects everyone, because the server stops.
    pub(crate) fn drain(&self) {
        let outboxes: Vec<_> = {
            let mut state = self.lock();
            let outboxes = std::mem::take(&mut state.outboxes);
            for id in outboxes.keys() {
                // Nobody is left to hear of it, and most are in no room.
                let _ = state.rooms.handle::<Signal<'_>>(*id, Input::Leave);
            }
            self.count_rooms(&state);
            outboxes.into_values().collect()
        };
        for outbox in outboxes {
            self.metrics.connections.dec();
            // The close says the same to whoever cannot take another message.
            let _ = outbox.send(&Problem::Closing.event());
            outbox.close(Problem::Closing);
        }
    }

    /// Ends the connections of receivers that are too far behind; hearing of it may clog others.
    fn evict_clogged(&self, mut clogged: Vec<MemberId>) {
        while let Some(id) = clogged.pop() {
            let outbox = self.remove(id, &mut clogged);
            self.close(outbox, Problem::TooSlow);
        }
    }

    /// Forgets a connection, if it is known, and tells its room.
    fn remove(&self, id: MemberId, clogged: &mut Vec<MemberId>) -> Option<Arc<dyn Outbox>> {
        let mut state = self.lock();
        let outbox = state.outboxes.remove(&id)?;
        self.metrics.connections.dec();
        if let Ok(outputs) = state.rooms.handle(id, Input::Leave) {
            state.deliver(outputs, |_| Ok(()), clogged);
            self.count_rooms(&state);
        }
        Some(outbox)
    }

    /// Closes without holding the lock, because closing may call back.
    fn close(&self, outbox: Option<Arc<dyn Outbox>>, reason: Problem) {
        if let Some(outbox) = outbox {
            self.metrics.drop(reason.code());
            outbox.close(reason);
        }
    }

    fn count_rooms(&self, state: &State) {
        let rooms = i64::try_from(state.rooms.len()).unwrap_or(i64::MAX);
        self.metrics.rooms.set(rooms);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // `Rooms` checks itself before it changes anything, so a panic elsewhere leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn deliver(
        &self,
        outputs: Vec<Output<Signal<'_>>>,
        joined: impl Fn(&Notice<Signal<'_>>) -> Result<(), Clogged>,
        clogged: &mut Vec<MemberId>,
    ) {
        for Output { to, notice } in &outputs {
            let sent = match event(notice) {
                None => joined(notice),
                Some(event) => self.outboxes.get(to).map_or(Ok(()), |outbox| outbox.send(&event)),
            };
            if sent.is_err() {
                clogged.push(*to);
            }
        }
    }
}

/// What a notice is on the wire; a join's answer also needs what only the joining session knows.
fn event<'a>(notice: &'a Notice<Signal<'a>>) -> Option<Event<'a>> {
    Some(match notice {
        Notice::Joined { .. } => return None,
        Notice::PeerJoined(peer) => Event::PeerJoined(peer),
        Notice::PeerLeft(id) => Event::PeerLeft { id: *id },
        Notice::Waiting => Event::Waiting {},
        Notice::Signal { from, signal } => Event::signal(*from, *signal),
    })
}

#[cfg(test)]
mod tests;

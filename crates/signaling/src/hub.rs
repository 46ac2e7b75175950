//! Brings what clients ask to the rooms and notices to the connections; the same for every dialect.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use lifecycle::Shutdown;
use tokio::{sync::Notify, time::sleep_until};

pub(crate) use self::seats::{Clogged, Kind, Outbox, Place};
use self::seats::{Seats, Taken};
use crate::{
    config::{Config, MAILBOX},
    gate::Visit,
    ice::{Grant, IceServers},
    metrics::Metrics,
    names::{MemberId, MemberName, RoomKey},
    problem::Problem,
    rooms::{HistoryLimits, Input, Limits, Notice, Output, RoomLimits, Rooms},
    session_token::SessionTokens,
};

mod holders;
mod seats;

/// Everything that the connections share.
pub(crate) struct Hub {
    pub(crate) ice: IceServers,
    pub(crate) metrics: Metrics,
    tokens: SessionTokens,
    state: Mutex<State>,
    /// Rings when the rooms are due at another time than before.
    bell: Notify,
}

struct State {
    rooms: Rooms,
    seats: Seats,
    due: Option<Instant>,
}

/// Tells the asking client that it is in; called while the rooms are locked, so that this comes first.
pub(crate) type Welcome<'a> = &'a dyn Fn(&Output) -> Result<(), Clogged>;

impl Hub {
    pub(crate) fn new(config: &Config, ice: IceServers, metrics: Metrics) -> Arc<Self> {
        let resume = &config.resume;
        let rooms = Rooms::new(Limits {
            rooms: RoomLimits {
                calls: config.rooms.max,
                classic: config.rooms.max,
                topics: config.y_webrtc.total_topics,
            },
            resume_within: Duration::from_secs(resume.seconds),
            history: HistoryLimits {
                messages: resume.messages,
                bytes: resume.bytes,
                total: resume.total_bytes,
            },
            mailbox: MAILBOX,
        });
        Arc::new(Self {
            ice,
            tokens: SessionTokens::new(rand::random(), Duration::from_secs(resume.token_seconds)),
            state: Mutex::new(State {
                rooms,
                seats: Seats::new(metrics.connections.clone()),
                due: None,
            }),
            metrics,
            bell: Notify::new(),
        })
    }

    /// Makes a connection known under an id that nobody has, so that notices reach it.
    pub(crate) fn connect(
        &self,
        id: MemberId,
        kind: Kind,
        visit: Arc<Visit>,
        outbox: Arc<dyn Outbox>,
    ) -> Place {
        let mut state = self.lock();
        let place = state.seats.place(id);
        state.seats.sit(place, Taken::new(kind, visit, outbox));
        place
    }

    /// Applies what the connection at `place` asks; `welcome` tells it of its own joining.
    ///
    /// Notices are queued while the rooms are locked, so that every client hears of changes in the
    /// order in which they happened.
    pub(crate) fn apply(&self, place: Place, input: Input, welcome: Welcome<'_>) -> Result<(), Problem> {
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

    /// Forgets a connection that is gone; its member leaves, or is waited for.
    pub(crate) fn disconnect(&self, place: Place, farewell: bool) {
        let mut clogged = Vec::new();
        let input = match farewell {
            true => Input::Leave,
            false => Input::Lose,
        };
        self.remove(place, input, &mut clogged);
        self.evict_clogged(clogged);
    }

    /// Ends a connection from our side; its member leaves, or is waited for if others may have brought it about.
    pub(crate) fn evict(&self, place: Place, reason: Problem) {
        let mut clogged = Vec::new();
        // Others can fill anybody's queue: if that freed the id, they could have it.
        let input = match reason == Problem::TooSlow {
            true => Input::Lose,
            false => Input::Leave,
        };
        self.close(self.remove(place, input, &mut clogged), reason);
        self.evict_clogged(clogged);
    }

    /// Makes credentials for a client, and counts them.
    pub(crate) fn grant(&self, visit: &Visit) -> Grant {
        self.metrics.credentials.inc();
        self.ice.grant(Some(&visit.site), visit.relay_user(), None)
    }

    /// The names of the members of a room.
    pub(crate) fn names(&self, room: &RoomKey) -> Vec<MemberName> {
        self.lock().rooms.names(room)
    }

    /// Gives up members and messages whose time is over, until the server stops.
    pub(crate) async fn keep_time(self: Arc<Self>, shutdown: Shutdown) {
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

    fn tick(&self, now: Instant) {
        let mut clogged = Vec::new();
        {
            let mut state = self.lock();
            let outputs = state.rooms.handle_timeout(now);
            state.deliver(&outputs, &|_| Ok(()), &mut clogged);
            self.settle(&mut state);
        }
        self.evict_clogged(clogged);
    }

    /// Disconnects everyone, because the server stops.
    pub(crate) fn drain(&self) {
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
    fn deliver(&mut self, outputs: &[Output], welcome: Welcome<'_>, clogged: &mut Vec<Place>) {
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

#[cfg(test)]
mod tests;

//! Rooms that several nodes share, over Redis.
//!
//! Redis gives what happens in a room its order: each room has a log there. Every node that has members in a room
//! follows the log with a copy of the room ([`replica`]), and tells those members that are connected to it. So a
//! node's death loses nothing but its connections, and whoever comes back may do so on any node.
//!
//! ```text
//! a client's request ─▶ talker ─▶ log of the room (Redis) ─▶ follower on each node ─▶ copy of the room ─▶ its clients
//! ```

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicUsize},
    time::Instant,
};

use prometheus::IntGauge;
use tokio::sync::{Notify, mpsc, oneshot};

pub use self::agreement::ClusterError;
pub(crate) use self::link::Link;
use self::{
    entry::{NodeId, What},
    follower::Order,
    replica::Replica,
    talker::Talker,
};
use super::{
    Answer, Claim, Welcome,
    seats::{Outbox, Place, Seats, Taken},
};
use crate::{
    gate::Visit,
    metrics::Metrics,
    names::{MemberId, MemberName, RoomKey, Space},
    problem::Problem,
    rooms::{Input, Limits, Output},
};

mod agreement;
mod entry;
mod follower;
mod link;
mod log;
mod replica;
mod scripts;
mod seating;
mod taking;
mod talker;
mod time;

#[cfg(test)]
mod tests;

pub(super) struct Cluster {
    metrics: Metrics,
    node: NodeId,
    link: Link,
    limits: Limits,
    state: Mutex<State>,
    orders: mpsc::UnboundedSender<Order>,
    /// Taken by the follower when it begins.
    orders_here: Mutex<Option<mpsc::UnboundedReceiver<Order>>>,
    /// Rings when rooms are due at another time than before.
    bell: Notify,
    /// Tasks that speak for a connection.
    speakers: AtomicUsize,
}

/// What the node knows.
struct State {
    seats: Seats,
    // Strangers choose rooms' names: the standard hasher is randomly seeded SipHash.
    rooms: HashMap<RoomKey, Followed>,
    /// Rooms of each kind.
    tally: HashMap<Space, usize>,
    /// The rooms of the members who have a seat here.
    homes: HashMap<MemberId, RoomKey>,
    talkers: HashMap<u64, Talker>,
    /// Requests whose entries have not come back, by connection and number.
    waiting: HashMap<(u64, u64), Waiting>,
    /// When rooms are due.
    due: BTreeSet<(Instant, RoomKey)>,
    /// Bytes that all copies keep to be told again.
    kept: usize,
    count: IntGauge,
}

struct Followed {
    replica: Replica,
    /// Requests that need it at the moment.
    users: usize,
    due: Option<Instant>,
}

/// What is to be done when an entry of this node comes back.
struct Waiting {
    welcome: Welcome,
    enters: Enters,
    done: oneshot::Sender<Result<Place, Problem>>,
}

/// How a request changes who sits where.
enum Enters {
    Nothing,
    /// The connection's own member is in a room now.
    Joined,
    /// The connection goes on as another member.
    Resumed(Place),
    /// The connection gets its seat.
    Claimed(Arc<Visit>, Arc<dyn Outbox>),
}

impl Cluster {
    pub(super) fn new(link: Link, limits: Limits, metrics: Metrics) -> Arc<Self> {
        let (orders, orders_here) = mpsc::unbounded_channel();
        Arc::new(Self {
            node: NodeId::random(),
            link,
            limits,
            state: Mutex::new(State {
                seats: Seats::new(metrics.connections.clone()),
                rooms: HashMap::new(),
                tally: HashMap::new(),
                homes: HashMap::new(),
                talkers: HashMap::new(),
                waiting: HashMap::new(),
                due: BTreeSet::new(),
                kept: 0,
                count: metrics.rooms.clone(),
            }),
            metrics,
            orders,
            orders_here: Mutex::new(Some(orders_here)),
            bell: Notify::new(),
            speakers: AtomicUsize::new(0),
        })
    }

    pub(super) fn connect(&self, id: MemberId, taken: Taken) -> Place {
        self.lock().seats.welcome(id, taken)
    }

    pub(super) fn ask(self: &Arc<Self>, place: Place, input: Input, answer: Answer) {
        self.speak(place, talker::Wish::Ask(input), answer);
    }

    pub(super) fn resume(
        self: &Arc<Self>,
        place: Place,
        id: MemberId,
        room: RoomKey,
        seen: u64,
        answer: Answer,
    ) {
        self.speak(place, talker::Wish::Resume { id, room, seen }, answer);
    }

    pub(super) async fn claim(self: &Arc<Self>, claim: Claim) -> Result<Place, Problem> {
        let place = self.lock().seats.place(claim.id);
        self.claim_at(place, claim).await
    }

    /// Forgets a connection that is gone.
    pub(super) fn disconnect(&self, place: Place, input: Input) {
        drop(self.remove(place, input));
    }

    /// Ends a connection.
    pub(super) fn evict(&self, place: Place, input: Input, reason: Problem) {
        let outbox = self.remove(place, input);
        self.close(outbox, reason);
    }

    pub(super) async fn names(&self, room: &RoomKey) -> Result<Vec<MemberName>, Problem> {
        self.hold(room).await?;
        let mut state = self.lock();
        let names = state.rooms.get(room).map(|there| there.replica.rooms.names(room));
        self.release(&mut state, room);
        Ok(names.unwrap_or_default())
    }

    /// Forgets a connection at once; its room hears of it through the log.
    fn remove(&self, place: Place, input: Input) -> Option<Arc<dyn Outbox>> {
        let mut state = self.lock();
        if !state.seats.has(place) {
            // Its member may have been taken over, or never have entered.
            state.talkers.remove(&place.connection());
            return None;
        }
        let returns = input == Input::Lose && state.homes.contains_key(&place.id);
        let outbox = match returns {
            true => state.seats.stand_up(place.id),
            false => state.seats.forget(place.id),
        };
        match state.talkers.remove(&place.connection()) {
            Some(talker) => talker.end(input),
            // Whoever asked for nothing is in no room.
            None => {
                state.seats.forget(place.id);
            }
        }
        outbox
    }

    /// Ends the connections of receivers that are too far behind.
    fn evict_clogged(&self, clogged: Vec<Place>) {
        for place in clogged {
            let outbox = self.remove(place, Input::Lose);
            self.close(outbox, Problem::TooSlow);
        }
    }

    /// Closes without holding the lock, because closing may call back.
    fn close(&self, outbox: Option<Arc<dyn Outbox>>, reason: Problem) {
        if let Some(outbox) = outbox {
            self.metrics.drop(reason.code());
            outbox.close(reason);
        }
    }

    fn entry(&self, state: &State, what: What) -> entry::Entry {
        entry::Entry {
            node: self.node,
            spare: self.limits.history.total.saturating_sub(state.kept),
            what,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Tells whether this node has to go on following a room.
    fn needs(&self, room: &RoomKey) -> bool {
        self.rooms.get(room).is_some_and(|there| {
            let mut ids = there.replica.rooms.ids();
            there.users > 0 || ids.any(|id| self.seats.find(id).is_some())
        })
    }

    /// Tells a client something, and notes it if that is too far behind.
    fn tell(&self, told: &Output, clogged: &mut Vec<Place>) {
        if self.seats.tell(told).is_err() {
            clogged.extend(self.seats.find(told.to));
        }
    }
}

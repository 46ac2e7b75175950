//! What one connection asks for, one thing after the other, each until its entry has come back from Redis.

use std::{
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout_at},
};

use super::{Cluster, Enters, State, Waiting, entry::What, follower::Order};
use crate::{
    hub::{Answer, Claim, Welcome, seats::Place},
    names::{MemberId, RoomKey},
    problem::Problem,
    rooms::{Holder, Input},
};

/// Requests of one connection that may wait; more than a client may send in a burst by default.
const MOST_WAITING: usize = 256;

/// How long a request may take before the connection is given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// After which time an entry that has not come back is written again; it is taken only once.
const AGAIN: Duration = Duration::from_secs(2);

/// How long to wait after a failure.
const PAUSE: Duration = Duration::from_millis(100);

pub(super) enum Wish {
    Ask(Input),
    Resume { id: MemberId, room: RoomKey, seen: u64 },
}

/// The way to the task that speaks for a connection.
pub(super) struct Talker {
    /// In boxes: a channel takes memory for dozens of them at once, for each connection.
    wishes: mpsc::Sender<Box<(Wish, Answer)>>,
    end: Arc<Mutex<Option<Input>>>,
}

impl Talker {
    /// Has the task leave the room so, after what it still has to ask for, and end.
    pub(super) fn end(self, input: Input) {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = Some(input);
    }
}

/// A connection's standing, as its task knows it.
struct Speaker {
    cluster: Arc<Cluster>,
    place: Place,
    room: Option<RoomKey>,
    /// Counts the requests.
    number: u64,
}

impl Cluster {
    /// Hands a wish to the connection's task.
    pub(super) fn speak(self: &Arc<Self>, place: Place, wish: Wish, answer: Answer) {
        let refused = {
            let mut state = self.lock();
            match state.seats.check(place) {
                Err(problem) => Some((answer, problem)),
                Ok(()) => self.queue(&mut state, place, wish, answer),
            }
        };
        if let Some((answer, problem)) = refused {
            (answer.done)(Err(problem));
            if problem == Problem::Unavailable {
                // It would be taken for granted that what comes after it is.
                self.evict(place, Input::Lose, problem);
            }
        }
    }

    fn queue(
        self: &Arc<Self>,
        state: &mut State,
        place: Place,
        wish: Wish,
        answer: Answer,
    ) -> Option<(Answer, Problem)> {
        let talker = state.talkers.entry(place.connection()).or_insert_with(|| {
            self.start(Speaker {
                cluster: Arc::clone(self),
                place,
                room: None,
                number: 0,
            })
        });
        let sent = talker.wishes.try_send(Box::new((wish, answer)));
        sent.err()
            .map(|refused| (refused.into_inner().1, Problem::Unavailable))
    }

    fn start(&self, speaker: Speaker) -> Talker {
        let (wishes, asked) = mpsc::channel(MOST_WAITING);
        let end = Arc::default();
        self.speakers.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(speaker.run(asked, Arc::clone(&end)));
        Talker { wishes, end }
    }

    /// Takes an id for a connection that has no seat yet.
    pub(super) async fn claim_at(self: &Arc<Self>, place: Place, claim: Claim) -> Result<Place, Problem> {
        let Claim {
            join,
            visit,
            outbox,
            welcome,
            ..
        } = claim;
        let mut speaker = Speaker {
            cluster: Arc::clone(self),
            place,
            room: None,
            number: 0,
        };
        let room = join.room.clone();
        let enters = Enters::Claimed(visit, outbox);
        let place = speaker.enter(room, Input::Claim(join), welcome, enters).await?;
        let mut state = self.lock();
        match state.seats.check(place) {
            Ok(()) => {
                state.talkers.insert(place.connection(), self.start(speaker));
                Ok(place)
            }
            // Somebody came after it, or it has been sent away already.
            Err(problem) => {
                drop(state);
                if let Some(room) = speaker.room {
                    self.write_later(&room, place.id, place.connection(), u64::MAX, Input::Lose);
                }
                Err(problem)
            }
        }
    }

    /// Follows a room, if this node does not yet, until [`Cluster::release`].
    pub(super) async fn hold(&self, room: &RoomKey) -> Result<(), Problem> {
        {
            let mut state = self.lock();
            if let Some(there) = state.rooms.get_mut(room) {
                there.users += 1;
                return Ok(());
            }
        }
        let (done, followed) = oneshot::channel();
        let order = Order::Follow(room.clone(), done);
        self.orders.send(order).map_err(|_| Problem::Closing)?;
        let followed = timeout_at(Instant::now() + PATIENCE, followed).await;
        match followed {
            Ok(Ok(followed)) => followed,
            Ok(Err(_)) | Err(_) => Err(Problem::Unavailable),
        }
    }

    /// Says that a request needs a room no longer.
    pub(super) fn release(&self, state: &mut State, room: &RoomKey) {
        if let Some(there) = state.rooms.get_mut(room) {
            there.users = there.users.saturating_sub(1);
        }
        self.look_after(state, room);
    }

    /// Stops following a room that nobody here needs.
    pub(super) fn look_after(&self, state: &mut State, room: &RoomKey) {
        if !state.needs(room) {
            // Without a follower the node is ending.
            let _ = self.orders.send(Order::Forget(room.clone()));
        }
    }
}

impl Speaker {
    async fn run(mut self, mut asked: mpsc::Receiver<Box<(Wish, Answer)>>, end: Arc<Mutex<Option<Input>>>) {
        let mut is_lost = false;
        while !is_lost && let Some(asked) = asked.recv().await {
            let (wish, Answer { welcome, done }) = *asked;
            // In a box, so that a connection which asks for nothing takes little.
            let result = Box::pin(self.grant(wish, welcome)).await;
            // What became of the request is then not known. If what comes after it were granted, the client could
            // not know what to say again, so it has to begin anew.
            is_lost = result == Err(Problem::Unavailable);
            done(result);
        }
        drop(asked);
        if is_lost {
            self.cluster.evict(self.place, Input::Lose, Problem::Unavailable);
        }
        let end = end.lock().unwrap_or_else(PoisonError::into_inner).take();
        let cluster = Arc::clone(&self.cluster);
        if let Some(input) = end {
            Box::pin(self.end(input)).await;
        }
        cluster.speakers.fetch_sub(1, Ordering::Relaxed);
    }

    async fn grant(&mut self, wish: Wish, welcome: Welcome) -> Result<Place, Problem> {
        match (wish, self.room.clone()) {
            (Wish::Ask(Input::Join(_)) | Wish::Resume { .. }, Some(_)) => Err(Problem::AlreadyJoined),
            (Wish::Ask(Input::Join(join)), None) => {
                let room = join.room.clone();
                self.enter(room, Input::Join(join), welcome, Enters::Joined).await
            }
            (Wish::Resume { id, room, seen }, None) => {
                let input = Input::Resume {
                    holder: Holder::Signed,
                    seen: Some(seen),
                };
                let before = self.place;
                self.place = before.of(id);
                let resumed = self.enter(room, input, welcome, Enters::Resumed(before)).await;
                if resumed.is_err() {
                    self.place = before;
                }
                // Whether there is somebody else by that id is nobody's business.
                resumed.map_err(|problem| match problem == Problem::Unavailable {
                    true => problem,
                    false => Problem::CannotResume,
                })
            }
            (Wish::Ask(_), None) => Err(Problem::NotJoined),
            (Wish::Ask(input), Some(room)) => {
                let leaves = input == Input::Leave;
                self.cluster.hold(&room).await?;
                let done = self.submit(&room, input, welcome, Enters::Nothing).await;
                if leaves && done.is_ok() {
                    self.room = None;
                }
                done
            }
        }
    }

    /// Gets into a room.
    async fn enter(
        &mut self,
        room: RoomKey,
        input: Input,
        welcome: Welcome,
        enters: Enters,
    ) -> Result<Place, Problem> {
        self.cluster.hold(&room).await?;
        let entered = self.submit(&room, input, welcome, enters).await;
        if entered.is_ok() {
            self.room = Some(room);
        }
        entered
    }

    /// The connection is gone.
    async fn end(mut self, input: Input) {
        let Some(room) = self.room.take() else {
            let mut state = self.cluster.lock();
            state.forget_standing(self.place.id);
            return;
        };
        if self.cluster.hold(&room).await.is_ok() {
            // Whatever becomes of it: if this node cannot say so, it is dead to the others.
            let _ = self
                .submit(&room, input, Box::new(|_| Ok(())), Enters::Nothing)
                .await;
        }
        self.cluster.lock().forget_if_gone(self.place.id, &room);
    }

    /// Writes a request into the log of a room that is held, and waits until it comes back; releases the room.
    async fn submit(
        &mut self,
        room: &RoomKey,
        input: Input,
        welcome: Welcome,
        enters: Enters,
    ) -> Result<Place, Problem> {
        self.number += 1;
        let cluster = Arc::clone(&self.cluster);
        let key = (self.place.connection(), self.number);
        let (done, result) = oneshot::channel();
        let waiting = Waiting {
            welcome,
            enters,
            done,
        };
        cluster.lock().waiting.insert(key, waiting);
        let what = What::Ask {
            member: self.place.id,
            connection: self.place.connection(),
            number: self.number,
            input,
        };
        let outcome = cluster.write_until(room, &what, result).await;
        let mut state = cluster.lock();
        state.waiting.remove(&key);
        cluster.release(&mut state, room);
        outcome
    }
}

impl Cluster {
    /// Writes until the entry has come back.
    async fn write_until(
        &self,
        room: &RoomKey,
        what: &What,
        mut result: oneshot::Receiver<Result<Place, Problem>>,
    ) -> Result<Place, Problem> {
        let deadline = Instant::now() + PATIENCE;
        let mut silences = 0;
        while Instant::now() < deadline {
            let is_written = self.write(room, what).await;
            let wait = if is_written { AGAIN } else { PAUSE };
            let until = (Instant::now() + wait).min(deadline);
            if let Ok(result) = timeout_at(until, &mut result).await {
                return result.unwrap_or(Err(Problem::Unavailable));
            }
            if is_written {
                // It should have been heard of by now. Perhaps nothing is heard any more.
                silences += 1;
                match silences {
                    1 => drop(self.orders.send(Order::Catch(room.clone()))),
                    _ => self.link.broken.notify_one(),
                }
            }
        }
        Err(Problem::Unavailable)
    }

    /// Writes an entry into the log of a room that this node follows; tells whether that was possible.
    pub(super) async fn write(&self, room: &RoomKey, what: &What) -> bool {
        let written = {
            let state = self.lock();
            let at = state.rooms.get(room).map(|there| there.replica.at);
            at.map(|at| (at, self.entry(&state, what.clone())))
        };
        let Some((at, entry)) = written else {
            return false;
        };
        // It holds nothing but texts and numbers.
        let Ok(text) = serde_json::to_string(&entry) else {
            return false;
        };
        match self.link.append(room, at, &text).await {
            Ok(true) => true,
            Ok(false) => {
                // Redis has lost the room.
                let _ = self.orders.send(Order::Catch(room.clone()));
                false
            }
            Err(error) => {
                tracing::debug!(%error, "an entry could not be written");
                false
            }
        }
    }
}

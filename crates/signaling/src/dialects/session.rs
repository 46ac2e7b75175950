//! One client of the room protocol: what it may send, and what the hub makes of it.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use tokio::runtime::Handle;

use self::renewal::Renewal;
use super::{
    Context, classic,
    event::Event,
    request::{Envelope, Request},
};
use crate::{
    gate::Visit,
    hub::{Answer, Clogged, Kind, Outbox, Place},
    meter::Meter,
    names::{MemberId, RoomKey},
    problem::Problem,
    rooms::{Input, Output, Permissions},
};

mod entry;
mod renewal;

/// Where answers go: those to a request by its acknowledgement, if the client asked for one.
pub(crate) trait Sink: Send + Sync {
    /// Takes an answer, or says that the receiver is too far behind.
    fn send(&self, event: &Event<'_>) -> Result<(), Clogged>;

    /// Takes a notice that concerns the asking client itself.
    fn tell(&self, told: &Output) -> Result<(), Clogged>;
}

/// A connection that the hub knows, until it is dropped.
pub(crate) struct Session {
    context: Context,
    visit: Arc<Visit>,
    meter: Meter,
    /// What the client brought to the handshake, for joins that bring nothing.
    token: Option<String>,
    standing: Mutex<Standing>,
    farewell: AtomicBool,
    /// Where what nobody has asked for goes.
    pushes: Arc<dyn Sink>,
    renewal: Renewal,
}

/// What the client is at the moment.
#[derive(Clone)]
struct Standing {
    place: Place,
    permissions: Permissions,
    /// Whether it may come back.
    returns: bool,
    is_classic: bool,
    room: Option<RoomKey>,
}

impl Session {
    /// Makes a connection known to the hub under a fresh id.
    pub(crate) fn open<O: Outbox + Sink + 'static>(
        context: &Context,
        visit: Arc<Visit>,
        token: Option<String>,
        outbox: Arc<O>,
    ) -> Arc<Self> {
        let pushes = Arc::clone(&outbox) as Arc<dyn Sink>;
        // The thread's generator is a CSPRNG that the operating system seeds.
        let id = MemberId::new(rand::random());
        let place = context
            .hub
            .connect(id, Kind::Connection, Arc::clone(&visit), outbox);
        let terms = context.hub.terms();
        let mut session = Self {
            context: context.clone(),
            visit,
            meter: Meter::new(terms.messages),
            token: terms.doors.brought(token),
            standing: Mutex::new(Standing {
                place,
                permissions: Permissions::ALL,
                returns: false,
                is_classic: false,
                room: None,
            }),
            farewell: AtomicBool::new(false),
            pushes,
            renewal: Renewal::default(),
        };
        session.standing = Mutex::new(session.outside(place));
        Arc::new(session)
    }

    /// Takes one message of `bytes` bytes; `open` finds its event and payload if it has them.
    ///
    /// What the sender gets back goes to `reply`, everything else to the outboxes it concerns.
    pub(crate) fn receive<'a>(
        self: &Arc<Self>,
        bytes: usize,
        open: impl FnOnce() -> Option<Envelope<'a>>,
        reply: &Arc<dyn Sink>,
    ) {
        if let Err(refused) = self.try_receive(bytes, open, reply) {
            self.refuse(refused, &**reply);
        }
    }

    /// Tells the sender of a message why it had no effect.
    fn refuse(&self, refused: Refused, reply: &dyn Sink) {
        let metrics = &self.context.hub.metrics;
        let answer = match refused {
            Refused::Problem(problem) => {
                metrics.drop(problem.code());
                reply.send(&problem.into())
            }
            Refused::Full(room) => {
                metrics.drop(Problem::RoomFull.code());
                reply.send(&Event::Full(&room.name))
            }
            Refused::Silently => {
                metrics.drop(Problem::TooFast.code());
                return;
            }
        };
        self.mind(answer);
    }

    /// Ends the connection if its receiver is too far behind.
    fn mind(&self, sent: Result<(), Clogged>) {
        if sent.is_err() {
            self.end(Problem::TooSlow);
        }
    }

    /// The client says goodbye: once the session is dropped it is not waited for.
    pub(crate) fn farewell(&self) {
        self.farewell.store(true, Ordering::Relaxed);
    }

    /// Ends the connection from our side.
    pub(crate) fn end(&self, reason: Problem) {
        self.context.hub.evict(self.now().place, reason);
    }

    fn try_receive<'a>(
        self: &Arc<Self>,
        bytes: usize,
        open: impl FnOnce() -> Option<Envelope<'a>>,
        reply: &Arc<dyn Sink>,
    ) -> Result<(), Refused> {
        let admitted = self.meter.admit(bytes, |problem| self.end(problem));
        admitted.map_err(|excess| excess.answer().map_or(Refused::Silently, Refused::Problem))?;
        let envelope = open().ok_or(Problem::BadMessage)?;
        let request = match classic::concerns(&envelope, self.now().is_classic) {
            true => classic::parse(&envelope)?,
            false => Request::parse(&envelope)?,
        };
        self.serve(request, reply)
    }

    fn serve(self: &Arc<Self>, request: Request, reply: &Arc<dyn Sink>) -> Result<(), Refused> {
        let event = request.name();
        match request {
            Request::Ice => {
                self.renew(&**reply)?;
                self.context.hub.metrics.message(event);
            }
            Request::Join {
                room,
                name,
                token,
                resume,
            } => self.join(room, name, token, resume, reply)?,
            Request::Resume { token, seen } => self.resume(&token, seen, reply),
            Request::Send { to, signal, number } => {
                let input = Input::Send {
                    to,
                    signal,
                    number,
                    keep_for: None,
                };
                self.ask(input, event, reply);
            }
            Request::Publish(signal) => self.ask(Input::Publish { signal, echo: false }, event, reply),
            Request::Leave => self.ask(Input::Leave, event, reply),
        }
        Ok(())
    }

    /// Has the hub apply what needs no other answer than that it is done.
    fn ask(self: &Arc<Self>, input: Input, event: &'static str, reply: &Arc<dyn Sink>) {
        let (session, reply) = (Arc::clone(self), Arc::clone(reply));
        let leaves = input == Input::Leave;
        let done = move |done: Result<Place, Problem>| match done {
            Ok(place) => {
                if leaves {
                    session.visit.trail.left();
                    *session.standing() = session.outside(place);
                    session.let_expire();
                }
                session.mind(reply.send(&Event::Done {}));
                session.context.hub.metrics.message(event);
            }
            Err(problem) => session.refuse(problem.into(), &*reply),
        };
        self.context
            .hub
            .ask(self.now().place, input, Answer::silent(Box::new(done)));
    }

    /// What a client is before it is in a room; where rooms need a token, so do credentials.
    fn outside(&self, place: Place) -> Standing {
        Standing {
            place,
            permissions: Permissions {
                ice: !self.context.hub.terms().doors.need_token(),
                ..Permissions::ALL
            },
            returns: false,
            is_classic: false,
            room: None,
        }
    }

    fn now(&self) -> Standing {
        self.standing().clone()
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Session {
    /// Has the hub forget the connection, a moment later: a Socket.IO session may end in the hub's own hands,
    /// when the last reference to its socket is the one that just delivered something to it.
    fn drop(&mut self) {
        // Without a runtime the process is ending, and there is nobody to tell.
        if let Ok(runtime) = Handle::try_current() {
            let (hub, place) = (Arc::clone(&self.context.hub), self.now().place);
            let farewell = self.farewell.load(Ordering::Relaxed);
            runtime.spawn(async move { hub.disconnect(place, farewell) });
        }
    }
}

/// A message that had no effect.
enum Refused {
    /// The sender is told.
    Problem(Problem),
    /// The sender is told as classic samples expect.
    Full(RoomKey),
    /// One of many: the sender has been told before.
    Silently,
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

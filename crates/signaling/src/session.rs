//! One client's connection: what it may send, and what the hub makes of it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use tokio::runtime::Handle;

use crate::{
    bucket::{Rate, TokenBucket},
    config::LimitsConfig,
    gate::Visit,
    hub::{Clogged, Hub, Outbox, Sink},
    ice::Grant,
    names::MemberId,
    protocol::{Envelope, Event, Problem, Request, Signal},
    rooms::{Input, Notice},
};

/// A large message counts as several, so that the rate bounds bytes too: those that receivers' queues hold.
const BYTES_PER_TOKEN: usize = 4096;

/// Limits on what one connection sends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MessageLimits {
    pub(crate) bytes: usize,
    pub(crate) rate: Rate,
}

impl From<&LimitsConfig> for MessageLimits {
    fn from(limits: &LimitsConfig) -> Self {
        Self {
            bytes: limits.message_bytes,
            rate: Rate {
                per_second: limits.messages_per_second,
                burst: limits.message_burst,
            },
        }
    }
}

/// A connection that the hub knows, until it is dropped.
pub(crate) struct Session {
    hub: Arc<Hub>,
    id: MemberId,
    visit: Arc<Visit>,
    limits: MessageLimits,
    meter: Mutex<Meter>,
}

/// How much the client has been sending.
struct Meter {
    bucket: TokenBucket,
    /// Messages refused since the last that was not.
    refused: u32,
}

impl Session {
    /// Makes a connection known to `hub` under a fresh id.
    pub(crate) fn open(
        hub: Arc<Hub>,
        visit: Arc<Visit>,
        limits: MessageLimits,
        outbox: Arc<dyn Outbox>,
    ) -> Self {
        let id = MemberId::new(random());
        hub.connect(id, outbox);
        Self {
            hub,
            id,
            visit,
            limits,
            meter: Mutex::new(Meter {
                bucket: TokenBucket::full(limits.rate, Instant::now()),
                refused: 0,
            }),
        }
    }

    /// Takes one message of `bytes` bytes; `open` finds its event and payload if it has them.
    ///
    /// What the sender gets back goes to `reply`, everything else to the outboxes it concerns.
    pub(crate) fn receive<'a>(
        &self,
        bytes: usize,
        open: impl FnOnce() -> Option<Envelope<'a>>,
        reply: &dyn Sink,
    ) {
        match self.try_receive(bytes, open, reply) {
            Ok(()) => {}
            Err(Refused { problem, answer }) => {
                self.hub.metrics.drop(problem.code());
                if answer && reply.send(&problem.event()).is_err() {
                    self.end(Problem::TooSlow);
                }
            }
        }
    }

    /// Ends the connection from our side.
    pub(crate) fn end(&self, reason: Problem) {
        self.hub.evict(self.id, reason);
    }

    fn try_receive<'a>(
        &self,
        bytes: usize,
        open: impl FnOnce() -> Option<Envelope<'a>>,
        reply: &dyn Sink,
    ) -> Result<(), Refused> {
        self.admit(bytes)?;
        if bytes > self.limits.bytes {
            return Err(Problem::TooLarge.into());
        }
        let envelope = open().ok_or(Problem::BadMessage)?;
        let request = Request::parse(&envelope)?;
        let event = request.name();
        self.serve(request, reply)?;
        self.hub.metrics.message(event);
        Ok(())
    }

    /// Lets a message through, or refuses it; who goes on regardless is disconnected.
    fn admit(&self, bytes: usize) -> Result<(), Refused> {
        let rate = self.limits.rate;
        let tokens = u32::try_from(1 + bytes / BYTES_PER_TOKEN).unwrap_or(u32::MAX);
        let refused = {
            let mut meter = self.meter.lock().unwrap_or_else(PoisonError::into_inner);
            match meter.bucket.take(tokens, rate, Instant::now()) {
                Ok(()) => {
                    meter.refused = 0;
                    return Ok(());
                }
                Err(_) => {
                    meter.refused += 1;
                    meter.refused
                }
            }
        };
        if refused > rate.burst {
            self.end(Problem::TooFast);
        }
        // One answer for a row of refusals: a flood must not be answered by a flood.
        Err(Refused {
            problem: Problem::TooFast,
            answer: refused == 1,
        })
    }

    fn serve(&self, request: Request<'_>, reply: &dyn Sink) -> Result<(), Problem> {
        let input = match request {
            Request::Ice => return self.renew(reply),
            Request::Join { room, name } => Input::Join { room, name },
            Request::Relay { to, signal } => Input::Relay { to, signal },
            Request::Leave => Input::Leave,
        };
        let joins = matches!(input, Input::Join { .. });
        self.hub
            .apply(self.id, input, |notice| self.welcome(notice, reply))?;
        if !joins && reply.send(&Event::Done {}).is_err() {
            self.end(Problem::TooSlow);
        }
        Ok(())
    }

    /// Answers a join with the room and with fresh credentials.
    fn welcome(&self, notice: &Notice<Signal<'_>>, reply: &dyn Sink) -> Result<(), Clogged> {
        let Notice::Joined { room, this, peers } = notice else {
            return Ok(());
        };
        let grant = self.grant();
        reply.send(&Event::Joined {
            this,
            room,
            peers,
            waiting: peers.is_empty(),
            ice_servers: &grant.ice_servers(),
            ice_ttl: grant.ttl,
        })
    }

    fn renew(&self, reply: &dyn Sink) -> Result<(), Problem> {
        let grant = self.grant();
        let event = Event::Ice {
            ice_servers: &grant.ice_servers(),
            ice_ttl: grant.ttl,
        };
        if reply.send(&event).is_err() {
            self.end(Problem::TooSlow);
        }
        Ok(())
    }

    fn grant(&self) -> Grant {
        self.hub.metrics.credentials.inc();
        self.hub
            .ice
            .grant(Some(&self.visit.site), self.visit.relay_user(), None)
    }
}

impl Drop for Session {
    /// Has the hub forget the connection, a moment later: a Socket.IO session may end in the hub's own hands,
    /// when the last reference to its socket is the one that just delivered something to it.
    fn drop(&mut self) {
        // Without a runtime the process is ending, and there is nobody to tell.
        if let Ok(runtime) = Handle::try_current() {
            let (hub, id) = (Arc::clone(&self.hub), self.id);
            runtime.spawn(async move { hub.disconnect(id) });
        }
    }
}

/// A message that had no effect.
struct Refused {
    problem: Problem,
    /// Whether the sender is told.
    answer: bool,
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self {
            problem,
            answer: true,
        }
    }
}

/// 128 bits that nobody can guess.
pub(crate) fn random() -> u128 {
    // The thread's generator is a CSPRNG that the operating system seeds.
    rand::random()
}

//! A worker's connections: who is served next, and what became of them.

mod accepting;
mod ending;
mod opening;
mod putting;
mod reading;
mod sending;
mod taking;
mod tls;

use std::{collections::VecDeque, io, net::SocketAddr, time::Instant};

pub use taking::Taken;

use datagram_io::{Batch, ConnectionId, Readiness};
use mio::{Interest, Registry, Token, event::Event, net::TcpListener};
use stun_wire::stream::MAX_FRAME_LEN;

use crate::{
    Census, Counters, Ending, Reception,
    deadlines::{Deadlines, Sleeper},
    places::Places,
    pool::Pool,
    turns::Turns,
};

/// Tokens of listeners and connections begin here; sockets of datagrams have theirs below.
pub const FIRST_TOKEN: usize = 1 << (usize::BITS - 2);

/// Bytes read from a connection at a time.
const READ: usize = 32 << 10;
/// What a round of turns may cost, in frames; then datagrams have theirs.
const ROUND: u32 = 256;

/// A worker's TCP listeners and the connections that came by them.
///
/// In each turn of its loop a worker notes events, calls [`Streams::begin_round`], then [`Streams::receive`] as long as
/// that returns true, each time deciding about the batch, and [`Streams::finish`] after each decision. **Drain
/// [`Streams::next_ended`] to `None` after each `finish`.**
pub struct Streams {
    registry: Registry,
    listeners: Vec<Listener>,
    places: Places,
    turns: Turns,
    round: Round,
    /// Connections with something to send.
    unsent: Vec<u32>,
    /// Connections that are closed once what they sent was decided about.
    leaving: Vec<u32>,
    ended: VecDeque<Ended>,
    deadlines: Deadlines,
    pool: Pool,
    /// What a read brought, with what was kept of the stream in front.
    scratch: Box<[u8]>,
    /// The same before it was decrypted.
    sealed: Box<[u8]>,
    reception: Reception,
    census: Census,
    counters: Counters,
}

struct Listener {
    io: TcpListener,
    /// When it is tried again after the system had no descriptor for a connection.
    resumes_at: Option<Instant>,
}

/// What is left of a round: nobody has two turns in it, and together they may not take for ever.
#[derive(Default)]
struct Round {
    turns: usize,
    budget: u32,
}

/// A connection that is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// What it was called.
    pub id: ConnectionId,
    /// Whether it was within TLS.
    pub secure: bool,
    /// The client.
    pub client: SocketAddr,
    /// The address of ours that it had reached.
    pub server: SocketAddr,
    /// Why it ended.
    pub ending: Ending,
}

impl Streams {
    /// Makes a table whose connections report to `registry`, are received as `reception` says and counted by `census`.
    ///
    /// # Errors
    /// If a listener cannot be registered.
    pub fn new(
        registry: Registry,
        listeners: Vec<std::net::TcpListener>,
        reception: Reception,
        census: Census,
    ) -> io::Result<Self> {
        let mut streams = Self {
            registry,
            listeners: Vec::new(),
            places: Places::default(),
            turns: Turns::default(),
            round: Round::default(),
            unsent: Vec::new(),
            leaving: Vec::new(),
            ended: VecDeque::new(),
            deadlines: Deadlines::default(),
            pool: Pool::default(),
            scratch: vec![0; MAX_FRAME_LEN + 2 * READ].into(),
            sealed: vec![0; READ].into(),
            reception,
            census,
            counters: Counters::default(),
        };
        for (index, listener) in listeners.into_iter().enumerate() {
            let mut io = TcpListener::from_std(listener);
            streams
                .registry
                .register(&mut io, token(index as u32), Interest::READABLE)?;
            streams.listeners.push(Listener { io, resumes_at: None });
        }
        Ok(streams)
    }

    /// Takes an event of the poll; false if it is about something else.
    pub fn note(&mut self, event: &Event) -> bool {
        let Some(turn) = event.token().0.checked_sub(FIRST_TOKEN) else {
            return false;
        };
        let turn = turn as u32;
        match self.who(turn) {
            Who::Listener(_) => self.turns.add(turn),
            Who::Connection(index) => {
                let Some((_, connection)) = self.places.at(index) else {
                    return true;
                };
                connection.hung_up |= event.is_read_closed() || event.is_error();
                if event.is_readable() || connection.hung_up {
                    self.turns.add(turn);
                }
                if event.is_writable() {
                    self.list(index);
                }
            }
        }
        true
    }

    /// Whether nobody waits for a turn.
    pub fn is_idle(&self) -> bool {
        self.turns.len() == 0
    }

    /// Lets everybody who waits have one turn, within reason.
    pub fn begin_round(&mut self) {
        self.round = Round {
            turns: self.turns.len(),
            budget: ROUND,
        };
    }

    /// Gives turns until the batch is full or the round is over; true if the round goes on.
    pub fn receive(&mut self, now: Instant, batch: &mut Batch) -> bool {
        while self.round.turns > 0 && self.round.budget > 0 {
            if batch.is_full() {
                return true;
            }
            let Some(turn) = self.turns.next() else { break };
            self.round.turns -= 1;
            let before = batch.filled().len();
            let readiness = match self.who(turn) {
                Who::Listener(index) => self.accept(index, now),
                Who::Connection(index) => self.serve(index, now, batch),
            };
            if readiness == Readiness::More {
                self.turns.add(turn);
            }
            let frames = batch.filled().len() - before;
            self.round.budget = self.round.budget.saturating_sub(frames.max(1) as u32);
        }
        false
    }

    /// Whether a connection is there, and within TLS.
    pub fn is_secure(&self, id: ConnectionId) -> Option<bool> {
        self.places.get(id).map(|connection| connection.is_secure())
    }

    /// Says whether a connection has an allocation now; without one it must not be silent for long.
    pub fn hold(&mut self, id: ConnectionId, held: bool, now: Instant) {
        let Some(connection) = self.places.get_mut(id) else {
            return;
        };
        connection.held = held;
        connection.progressed(now, 1, !connection.unread.is_empty());
        self.schedule(id.index);
    }

    /// Tells when [`Streams::handle_timeout`] wants to be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// The running totals.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    fn who(&self, turn: u32) -> Who {
        match turn.checked_sub(self.listeners.len() as u32) {
            Some(index) => Who::Connection(index),
            None => Who::Listener(turn as usize),
        }
    }

    fn turn_of(&self, index: u32) -> u32 {
        self.listeners.len() as u32 + index
    }

    /// Sees to it that a connection is woken in time.
    fn schedule(&mut self, index: u32) {
        let turn = self.turn_of(index);
        let Some((id, connection)) = self.places.at(index) else {
            return;
        };
        let Some((at, _)) = connection.deadline(&self.reception.limits) else {
            return;
        };
        if connection.wakes_at.is_none_or(|wakes_at| at < wakes_at) {
            connection.wakes_at = Some(at);
            let sleeper = Sleeper {
                index: turn,
                generation: id.generation,
            };
            self.deadlines.push(at, sleeper);
            self.prune_deadlines();
        }
    }

    fn prune_deadlines(&mut self) {
        let listeners = self.listeners.len() as u32;
        let places = &mut self.places;
        let sleepers = places.len() + self.listeners.len();
        self.deadlines.prune(sleepers, |at, sleeper| {
            let Some(index) = sleeper.index.checked_sub(listeners) else {
                return true;
            };
            places.at(index).is_some_and(|(id, connection)| {
                id.generation == sleeper.generation && connection.wakes_at == Some(at)
            })
        });
    }
}

/// Whose turn it is.
enum Who {
    Listener(usize),
    Connection(u32),
}

fn token(turn: u32) -> Token {
    Token(FIRST_TOKEN + turn as usize)
}

#[cfg(test)]
mod tests;

//! One client's connection: what is known of it and what is unfinished.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use mio::net::TcpStream;
use rustls::ServerConnection;

use crate::{Ending, Limits, census::Member};

/// Bytes that may wait for whoever has no allocation: the answers to a few requests.
const STRANGERS_QUEUE: usize = 4096;

pub(crate) struct Connection {
    pub(crate) io: TcpStream,
    /// The client.
    pub(crate) client: SocketAddr,
    /// The address of ours that it reached.
    pub(crate) server: SocketAddr,
    pub(crate) member: Member,
    pub(crate) phase: Phase,
    /// Bytes of the stream that were received and not yet given on; most often the beginning of a frame.
    pub(crate) unread: Vec<u8>,
    /// Whole frames on their way to the client.
    pub(crate) unsent: VecDeque<u8>,
    pub(crate) awaited: Awaited,
    /// The earliest entry among the deadlines that wakes it.
    pub(crate) wakes_at: Option<Instant>,
    /// Whether it has an allocation, and so may be silent.
    pub(crate) held: bool,
    /// Whether another worker accepted it.
    pub(crate) has_moved: bool,
    /// Whether the system said that nothing more will come: then it is read to the end.
    pub(crate) hung_up: bool,
    /// Whether the end of the stream was read.
    pub(crate) at_end: bool,
    /// Whether it is not read because its client does not read either.
    pub(crate) paused: bool,
    /// Whether it is listed as having something to send.
    pub(crate) listed: bool,
    /// Why it is about to be closed.
    pub(crate) ending: Option<Ending>,
}

/// What the stream carries.
pub(crate) enum Phase {
    /// The header of a proxy.
    Header,
    /// Nothing that was taken from it yet.
    Opening,
    /// STUN messages and ChannelData in the clear.
    Plain,
    /// The same within TLS.
    Secure(Box<ServerConnection>),
}

/// What a connection is waited for, since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Awaited {
    /// Its first frame.
    First(Instant),
    /// The rest of a frame.
    Rest(Instant),
    /// Another frame.
    Next(Instant),
}

impl Connection {
    pub(crate) fn new(
        io: TcpStream,
        client: SocketAddr,
        server: SocketAddr,
        member: Member,
        now: Instant,
    ) -> Self {
        Self {
            io,
            client,
            server,
            member,
            phase: Phase::Opening,
            unread: Vec::new(),
            unsent: VecDeque::new(),
            awaited: Awaited::First(now),
            wakes_at: None,
            held: false,
            has_moved: false,
            hung_up: false,
            at_end: false,
            paused: false,
            listed: false,
            ending: None,
        }
    }

    /// Takes that `frames` were read and whether another one was begun.
    pub(crate) fn progressed(&mut self, now: Instant, frames: usize, begun: bool) {
        if begun {
            let waiting_already = matches!(self.awaited, Awaited::First(_) | Awaited::Rest(_));
            if frames > 0 || !waiting_already {
                self.awaited = Awaited::Rest(now);
            }
        } else if frames > 0 {
            self.awaited = Awaited::Next(now);
        }
    }

    /// When it is closed unless something comes, and why.
    pub(crate) fn deadline(&self, limits: &Limits) -> Option<(Instant, Ending)> {
        let after = |since: Instant, patience: Duration, ending| Some((since + patience, ending));
        match self.awaited {
            Awaited::First(since) => after(since, limits.handshake, Ending::HandshakeTime),
            Awaited::Rest(since) => after(since, limits.frame, Ending::FrameTime),
            Awaited::Next(_) if self.held => None,
            Awaited::Next(since) => after(since, limits.idle, Ending::Idle),
        }
    }

    /// How many bytes may wait for a client that is still read: its answers, and what peers send to its allocation.
    pub(crate) fn patience(&self, limits: &Limits) -> usize {
        if self.held {
            limits.send_queue
        } else {
            STRANGERS_QUEUE
        }
    }

    pub(crate) fn is_opening(&self) -> bool {
        matches!(self.phase, Phase::Header | Phase::Opening)
    }

    pub(crate) fn is_secure(&self) -> bool {
        matches!(self.phase, Phase::Secure(_))
    }
}

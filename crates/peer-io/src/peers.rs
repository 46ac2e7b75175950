//! A worker's connections to peers, and the relayed transport addresses they come to.

mod accepting;
mod serving;

use std::{collections::VecDeque, io, net::SocketAddr, os::fd::AsRawFd, time::Instant};

use datagram_io::{ReadyList, SocketId};
use mio::{Interest, Registry, Token, event::Event, net::TcpListener, unix::SourceFd};

use crate::{
    joint::{Client, Joint},
    side::Side,
    stream::{self, Stream},
    tools::Tools,
};

/// Tokens of relays and of connections to peers begin here. There are fewer than `FIRST_TOKEN`.
pub const FIRST_TOKEN: usize = 1 << (usize::BITS - 3);

/// A worker's TCP relays and connections to peers, each named by whoever asked for it.
///
/// In each turn of its loop a worker notes events, calls [`Peers::serve`], and **drains [`Peers::next`] to `None`.**
pub struct Peers {
    registry: Registry,
    relays: Vec<Place<Relay>>,
    peers: Vec<Place<Peer>>,
    ready_relays: ReadyList,
    ready_peers: ReadyList,
    /// Peers that had a turn and can do more.
    again: Vec<u32>,
    /// Relays that rest.
    resting: usize,
    happenings: VecDeque<Happening>,
    tools: Tools,
    taken: [u64; 2],
}

/// What has happened that whoever owns the table has to decide about.
#[derive(Debug)]
pub enum Happening {
    /// A peer has connected to a relay: [`Peers::adopt`] the stream, or drop it.
    Arrived {
        /// The relay.
        relay: SocketId,
        /// The peer.
        from: SocketAddr,
        /// Its connection.
        stream: Stream,
    },
    /// [`Peers::connect`] has come to an end. If it failed, there is no such connection any more.
    Connected {
        /// The connection.
        peer: SocketId,
        /// Whether it can be joined now.
        succeeded: bool,
    },
    /// A connection is gone, and with it the client's it was joined with.
    Ended {
        /// The connection.
        peer: SocketId,
    },
}

/// A place in a table, and which of its tenants is there.
struct Place<T> {
    generation: u32,
    tenant: Option<T>,
}

struct Relay {
    io: TcpListener,
    /// When it is tried again after the system had no descriptor for a connection.
    resumes_at: Option<Instant>,
}

struct Peer {
    side: Side,
    state: State,
    /// Whether an error was reported for either side.
    is_broken: bool,
}

enum State {
    Connecting,
    /// Not read, so that what the peer sends waits in the kernel.
    Waiting,
    Joined(Box<Joint>),
}

/// Which socket an event is about.
#[derive(Clone, Copy)]
enum Kind {
    Relay,
    Peer,
    Client,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Relay, Self::Peer, Self::Client, Self::Client];

    fn token(self, index: u32) -> Token {
        Token(FIRST_TOKEN + ((index as usize) << 2 | self as usize))
    }
}

impl Peers {
    /// Makes an empty table whose sockets report to `registry`.
    pub fn new(registry: Registry) -> Self {
        Self {
            registry,
            relays: Vec::new(),
            peers: Vec::new(),
            ready_relays: ReadyList::default(),
            ready_peers: ReadyList::default(),
            again: Vec::new(),
            resting: 0,
            happenings: VecDeque::new(),
            tools: Tools::new(),
            taken: [0; 2],
        }
    }

    /// Listens on a relayed transport address.
    ///
    /// # Errors
    /// As `bind` and `listen` say.
    pub fn open(&mut self, relay: SocketId, address: SocketAddr) -> io::Result<()> {
        let mut io = stream::listen(address)?;
        let token = Kind::Relay.token(relay.index);
        self.registry.register(&mut io, token, Interest::READABLE)?;
        put(&mut self.relays, relay, Relay { io, resumes_at: None });
        Ok(())
    }

    /// Listens no more. Connections that came by this relay stay.
    pub fn close_relay(&mut self, relay: SocketId) {
        if let Some(relay) = take(&mut self.relays, relay) {
            self.resting -= usize::from(relay.resumes_at.is_some());
        }
    }

    /// Begins to connect to a peer; [`Happening::Connected`] tells what came of it.
    ///
    /// # Errors
    /// If it failed at once.
    pub fn connect(&mut self, peer: SocketId, from: SocketAddr, to: SocketAddr) -> io::Result<()> {
        let stream = stream::connect(from, to)?;
        self.insert(peer, stream, State::Connecting)
    }

    /// Takes a stream that is connected.
    ///
    /// # Errors
    /// If it cannot be registered; it is closed then.
    pub fn adopt(&mut self, peer: SocketId, stream: Stream) -> io::Result<()> {
        self.insert(peer, stream, State::Waiting)
    }

    /// Lets a client's connection carry a peer's bytes.
    ///
    /// # Errors
    /// If the peer is not there or not waiting, or the connection cannot be registered. Both are closed then.
    pub fn join(&mut self, peer: SocketId, client: Client) -> io::Result<()> {
        let joint = Joint::new(client)?;
        self.register(&joint.client.io, Kind::Client, peer.index)?;
        let place = get(&mut self.peers, peer).ok_or(io::ErrorKind::NotConnected)?;
        if !matches!(place.state, State::Waiting) {
            return Err(io::ErrorKind::NotConnected.into());
        }
        place.state = State::Joined(Box::new(joint));
        self.ready_peers.add(peer.index);
        Ok(())
    }

    /// Closes a connection and the client's it is joined with; nothing is told.
    pub fn close(&mut self, peer: SocketId) {
        if let Some(peer) = take(&mut self.peers, peer)
            && let State::Joined(joint) = peer.state
        {
            joint.release(&mut self.tools);
        }
    }

    /// Takes an event of the poll; false if it is about something else.
    pub fn note(&mut self, event: &Event) -> bool {
        let Some(token) = event.token().0.checked_sub(FIRST_TOKEN) else {
            return false;
        };
        if token >= FIRST_TOKEN {
            return false;
        }
        let index = (token >> 2) as u32;
        let kind = Kind::ALL[token & 3];
        if matches!(kind, Kind::Relay) {
            self.ready_relays.add(index);
            return true;
        }
        // An event for a former tenant makes the present one try once for nothing.
        if let Some(peer) = self
            .peers
            .get_mut(index as usize)
            .and_then(|place| place.tenant.as_mut())
        {
            peer.note(kind, event);
            self.ready_peers.add(index);
        }
        true
    }

    /// Gives what has happened.
    #[expect(clippy::should_implement_trait, reason = "more may happen after a None")]
    pub fn next(&mut self) -> Option<Happening> {
        self.happenings.pop_front()
    }

    /// Whether nothing is left to do before an event or a timeout.
    pub fn is_idle(&self) -> bool {
        self.ready_relays.is_empty() && self.ready_peers.is_empty() && self.happenings.is_empty()
    }

    /// Gives the bytes taken from clients and from peers since it was last asked.
    pub fn take_counts(&mut self) -> [u64; 2] {
        std::mem::take(&mut self.taken)
    }

    fn insert(&mut self, peer: SocketId, stream: Stream, state: State) -> io::Result<()> {
        stream.set_nodelay();
        self.register(&stream, Kind::Peer, peer.index)?;
        let tenant = Peer {
            side: Side::new(stream, None),
            state,
            is_broken: false,
        };
        put(&mut self.peers, peer, tenant);
        Ok(())
    }

    fn register(&self, stream: &Stream, kind: Kind, index: u32) -> io::Result<()> {
        let interests = Interest::READABLE | Interest::WRITABLE;
        self.registry
            .register(&mut SourceFd(&stream.as_raw_fd()), kind.token(index), interests)
    }
}

impl Peer {
    fn note(&mut self, kind: Kind, event: &Event) {
        let side = match (&mut self.state, kind) {
            (State::Joined(joint), Kind::Client) => &mut joint.client,
            (_, Kind::Client | Kind::Relay) => return,
            (_, Kind::Peer) => &mut self.side,
        };
        let hung_up = event.is_error() || event.is_read_closed();
        side.readable |= event.is_readable() || hung_up;
        side.writable |= event.is_writable() || event.is_error();
        self.is_broken |= event.is_error();
    }
}

fn put<T>(places: &mut Vec<Place<T>>, id: SocketId, tenant: T) {
    let index = id.index as usize;
    if places.len() <= index {
        places.resize_with(index + 1, || Place {
            generation: 0,
            tenant: None,
        });
    }
    places[index] = Place {
        generation: id.generation,
        tenant: Some(tenant),
    };
}

fn get<T>(places: &mut [Place<T>], id: SocketId) -> Option<&mut T> {
    let place = places.get_mut(id.index as usize)?;
    place
        .tenant
        .as_mut()
        .filter(|_| place.generation == id.generation)
}

fn take<T>(places: &mut [Place<T>], id: SocketId) -> Option<T> {
    let place = places.get_mut(id.index as usize)?;
    if place.generation != id.generation {
        return None;
    }
    place.tenant.take()
}

#[cfg(test)]
mod tests;

//! Both ends of every relayed flow: the clients' sockets towards the server, and the peers' sockets behind it.

mod sources;
mod stream;
mod streams;

use std::{io, net::SocketAddr, ops::Range, time::Duration};

use datagram_io::{
    Batch, HEADROOM, Native, Origin, Readiness, ReadyList, Slot, SocketId, Sockets, open_listeners,
};
use mio::{Events, Poll, Token};

use crate::{
    Error,
    plan::{Server, Transport},
};
use sources::Sources;
use streams::Streams;

/// Datagrams that are received or sent with one call.
const BATCH: usize = 64;

/// Where a payload starts in a buffer that is to be sent; headers go in front.
pub(crate) const PAYLOAD: usize = HEADROOM;

/// Peers' sockets in one thread: one for so many flows, so that none of them overflows.
const FLOWS_PER_PEER: u32 = 64;

/// Where a datagram came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// To a client, from the server.
    Client(u32),
    /// To a peer, from this address.
    Peer(SocketAddr),
}

/// The sockets of one thread of the generator.
pub(crate) struct Ends {
    poll: Poll,
    events: Events,
    ready: ReadyList,
    sockets: Sockets,
    outgoing: Batch,
    server: SocketAddr,
    clients: Clients,
    peers: Vec<SocketAddr>,
    first_peer: u32,
}

enum Clients {
    Datagrams(Sources),
    Streams(Streams),
}

impl Ends {
    /// Opens sockets for so many clients and their peers, which send runs or each datagram by itself.
    pub(crate) fn open(
        server: &Server,
        transport: Transport,
        clients: u32,
        runs: bool,
    ) -> Result<Self, Error> {
        let poll = Poll::new()?;
        let mut native = Native::default();
        if !runs {
            native = native.without_runs();
        }
        let mut sockets = Sockets::new(native, poll.registry().try_clone()?);
        let (clients_ends, first_peer) = match transport {
            Transport::Udp => {
                let sources = Sources::open(server.address, clients, &mut sockets)?;
                let used = sources.sockets();
                (Clients::Datagrams(sources), used)
            }
            Transport::Tcp | Transport::Tls => {
                let tls = server.tls.as_ref().filter(|_| transport == Transport::Tls);
                (
                    Clients::Streams(Streams::new(server.address, clients, tls.cloned())),
                    clients,
                )
            }
        };
        let mut peers = Vec::new();
        for index in 0..clients.div_ceil(FLOWS_PER_PEER) {
            let address = SocketAddr::new(server.peer, 0);
            let listener = open_listeners(address, 1).map_err(|error| Error::Peer { address, error })?;
            for socket in listener {
                peers.push(socket.local_address());
                sockets.insert(id(first_peer + index), socket)?;
            }
        }
        Ok(Self {
            poll,
            events: Events::with_capacity(1024),
            ready: ReadyList::default(),
            sockets,
            outgoing: Batch::new(BATCH),
            server: server.address,
            clients: clients_ends,
            peers,
            first_peer,
        })
    }

    /// Where the server is.
    pub(crate) fn server(&self) -> SocketAddr {
        self.server
    }

    /// The peer that a client talks to.
    pub(crate) fn peer_of(&self, client: u32) -> SocketAddr {
        self.peers[(client / FLOWS_PER_PEER) as usize]
    }

    /// Makes the connection of a client, where there is one to be made.
    pub(crate) fn connect(&mut self, client: u32) -> Result<(), Error> {
        match &mut self.clients {
            Clients::Datagrams(_) => Ok(()),
            Clients::Streams(streams) => streams.connect(client, self.poll.registry()),
        }
    }

    /// Whether requests get lost, so that they must be repeated (RFC 8489 §6.2.1).
    pub(crate) fn is_lossy(&self) -> bool {
        matches!(self.clients, Clients::Datagrams(_))
    }

    /// Waits until something can be received, at most so long.
    pub(crate) fn wait(&mut self, at_most: Duration) -> io::Result<()> {
        let at_most = if self.ready.is_empty() {
            at_most
        } else {
            Duration::ZERO
        };
        match self.poll.poll(&mut self.events, Some(at_most)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            done => done?,
        }
        for event in &self.events {
            self.ready.add(event.token().0 as u32);
        }
        Ok(())
    }

    /// Gives each socket that is ready one turn; `take` is given what each turn brought, and may send.
    pub(crate) fn receive(
        &mut self,
        batch: &mut Batch,
        mut take: impl FnMut(&mut Self, &mut Batch),
    ) -> Result<(), Error> {
        let mut ready = std::mem::take(&mut self.ready);
        let mut failed = None;
        ready.visit(|index| {
            batch.clear();
            match self.receive_at(index, batch) {
                Ok(readiness) => {
                    take(self, batch);
                    readiness
                }
                Err(error) => {
                    failed.get_or_insert(error);
                    Readiness::Drained
                }
            }
        });
        self.ready = ready;
        failed.map_or(Ok(()), Err)
    }

    fn receive_at(&mut self, index: u32, batch: &mut Batch) -> Result<Readiness, Error> {
        match &mut self.clients {
            Clients::Streams(streams) if index < self.first_peer => streams.receive(index, batch),
            Clients::Streams(_) | Clients::Datagrams(_) => Ok(self.sockets.receive(index, batch, BATCH)),
        }
    }

    /// At which end a datagram came in; `None` if it came from a stranger.
    pub(crate) fn end_of(&self, slot: &Slot) -> Option<End> {
        match slot.origin() {
            Origin::Connection(connection) => Some(End::Client(connection.index)),
            Origin::Socket(socket) if socket.index >= self.first_peer => Some(End::Peer(slot.source())),
            Origin::Socket(socket) => match &self.clients {
                Clients::Datagrams(sources) if slot.source() == self.server => sources
                    .client_at(socket.index, slot.destination())
                    .map(End::Client),
                Clients::Datagrams(_) | Clients::Streams(_) => None,
            },
            Origin::Worker { .. } | Origin::Icmp(..) => None,
        }
    }

    /// A buffer to write a datagram into; its payload starts at [`PAYLOAD`].
    pub(crate) fn buffer(&mut self) -> &mut [u8] {
        if self.outgoing.is_full() {
            self.flush_datagrams();
        }
        self.outgoing.free_mut()[0].buffer_mut()
    }

    /// Sends a window of the buffer from a client to the server, at the latest with the next [`Ends::flush`].
    pub(crate) fn send_from_client(&mut self, client: u32, window: Range<usize>) -> Result<(), Error> {
        let slot = &mut self.outgoing.free_mut()[0];
        match &mut self.clients {
            Clients::Datagrams(sources) => {
                let (socket, from) = sources.source_of(client);
                slot.send(socket, window, from, self.server);
                self.outgoing.commit(1);
                Ok(())
            }
            Clients::Streams(streams) => streams.send(client, &slot.buffer_mut()[window]),
        }
    }

    /// Sends a window of the buffer from a client's peer to an address.
    pub(crate) fn send_from_peer(&mut self, client: u32, window: Range<usize>, to: SocketAddr) {
        let peer = client / FLOWS_PER_PEER;
        let from = self.peers[peer as usize];
        self.outgoing.free_mut()[0].send(id(self.first_peer + peer), window, from, to);
        self.outgoing.commit(1);
    }

    /// Sends what waits to be sent.
    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        self.flush_datagrams();
        match &mut self.clients {
            Clients::Datagrams(_) => Ok(()),
            Clients::Streams(streams) => streams.flush(),
        }
    }

    fn flush_datagrams(&mut self) {
        if !self.outgoing.is_empty() {
            self.sockets.send(&mut self.outgoing);
            self.outgoing.clear();
        }
    }

    /// Datagrams that could not be sent, as this machine's own queues were full or its network refused them.
    pub(crate) fn unsent(&self) -> u64 {
        let counters = self.sockets.counters();
        let streams = match &self.clients {
            Clients::Datagrams(_) => 0,
            Clients::Streams(streams) => streams.unsent(),
        };
        counters.send_blocked + counters.send_failed + counters.send_too_long + streams
    }

    /// The ports of all UDP sockets here.
    pub(crate) fn ports(&self) -> impl Iterator<Item = u16> {
        let clients: &[SocketAddr] = match &self.clients {
            Clients::Datagrams(sources) => sources.locals(),
            Clients::Streams(_) => &[],
        };
        clients.iter().chain(&self.peers).map(SocketAddr::port)
    }
}

/// Sockets here stay open to the end, so each is the first of its place.
fn id(index: u32) -> SocketId {
    SocketId { index, generation: 0 }
}

/// The token of what has this index.
fn token(index: u32) -> Token {
    Token(index as usize)
}

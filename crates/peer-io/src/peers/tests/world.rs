//! A table with a poll, turned by the test.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use datagram_io::SocketId;
use mio::{Events, Poll};

use crate::{Client, Happening, Peers};

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct World {
    poll: Poll,
    events: Events,
    pub(super) peers: Peers,
    /// Connections of clients that are joined.
    pub(super) seats: Arc<AtomicUsize>,
}

/// A name with its generation.
pub(super) struct Number {
    pub(super) index: u32,
    pub(super) generation: u32,
}

impl From<Number> for SocketId {
    fn from(number: Number) -> Self {
        Self {
            index: number.index,
            generation: number.generation,
        }
    }
}

pub(super) fn id(index: u32) -> SocketId {
    SocketId { index, generation: 0 }
}

pub(super) fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// A client's connection, the near end and the far one.
pub(super) fn connected_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(loopback()).unwrap();
    let far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener.accept().unwrap().0, far)
}

/// Counts one while it lives.
struct Seat(Arc<AtomicUsize>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl World {
    pub(super) fn new() -> Self {
        let poll = Poll::new().unwrap();
        let peers = Peers::new(poll.registry().try_clone().unwrap());
        Self {
            poll,
            events: Events::with_capacity(64),
            peers,
            seats: Arc::new(AtomicUsize::new(0)),
        }
    }

    pub(super) fn open_relay(&mut self, relay: SocketId) -> SocketAddr {
        let address = TcpListener::bind(loopback()).unwrap().local_addr().unwrap();
        self.peers.open(relay, address).unwrap();
        address
    }

    /// Takes the next peer that comes.
    pub(super) fn adopt_arrival(&mut self, peer: SocketId) {
        let Happening::Arrived { stream, .. } = self.happening() else {
            panic!("nobody came")
        };
        self.peers.adopt(peer, stream).unwrap();
    }

    pub(super) fn client(&self, io: TcpStream, unread: Vec<u8>, unsent: Vec<u8>) -> Client {
        self.seats.fetch_add(1, Ordering::Relaxed);
        Client {
            io,
            tls: None,
            unread,
            unsent,
            seat: Box::new(Seat(Arc::clone(&self.seats))),
        }
    }

    pub(super) fn join(&mut self, peer: SocketId, io: TcpStream, unread: Vec<u8>, unsent: Vec<u8>) {
        let client = self.client(io, unread, unsent);
        self.peers.join(peer, client).unwrap();
    }

    /// A peer that came, and the client it is joined with; their far ends.
    pub(super) fn joined_by_arrival(
        &mut self,
        relayed: SocketAddr,
        peer: SocketId,
    ) -> (TcpStream, TcpStream) {
        let arriving = TcpStream::connect(relayed).unwrap();
        self.adopt_arrival(peer);
        let (near, far) = connected_pair();
        self.join(peer, near, vec![], vec![]);
        self.run_once();
        far.set_read_timeout(Some(PATIENCE)).unwrap();
        arriving.set_read_timeout(Some(PATIENCE)).unwrap();
        (arriving, far)
    }

    /// One turn of a worker's loop.
    pub(super) fn run_once(&mut self) {
        let timeout = if self.peers.is_idle() {
            Duration::from_millis(1)
        } else {
            Duration::ZERO
        };
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => panic!("{error}"),
            Ok(()) | Err(_) => {}
        }
        for event in &self.events {
            assert!(self.peers.note(event));
        }
        self.peers.serve(Instant::now());
    }

    pub(super) fn run_while(&mut self, mut goes_on: impl FnMut() -> bool) {
        let start = Instant::now();
        while goes_on() {
            self.run_once();
            assert!(start.elapsed() < PATIENCE, "it takes too long");
        }
    }

    /// Turns until so many bytes have come.
    pub(super) fn receive(&mut self, io: &TcpStream, len: usize) -> Vec<u8> {
        io.set_nonblocking(true).unwrap();
        let (mut seen, mut io) = (Vec::new(), io);
        let start = Instant::now();
        while seen.len() < len {
            let mut buffer = vec![0; len - seen.len()];
            if let Ok(more) = io.read(&mut buffer) {
                assert_ne!(more, 0, "the end came early");
                seen.extend_from_slice(&buffer[..more]);
            }
            self.run_once();
            assert!(start.elapsed() < PATIENCE, "it takes too long");
        }
        seen
    }

    /// Whatever happens next.
    pub(super) fn happening(&mut self) -> Happening {
        let start = Instant::now();
        loop {
            if let Some(happening) = self.peers.next() {
                return happening;
            }
            self.run_once();
            assert!(start.elapsed() < PATIENCE, "nothing happens");
        }
    }

    pub(super) fn counts(&mut self) -> [u64; 2] {
        self.peers.take_counts()
    }
}

/// Bytes that tell where in the stream they stand.
pub(super) fn numbered(len: usize) -> Vec<u8> {
    (0..len)
        .map(|at| (at * 31 + (at >> 8) * 7 + (at >> 16)) as u8)
        .collect()
}

/// Writes in pieces of changing length.
pub(super) fn write_in_pieces(io: &mut impl Write, bytes: &[u8]) {
    let mut rest = bytes;
    let mut len = 1;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(len.min(rest.len()));
        io.write_all(piece).unwrap();
        rest = after;
        len = len * 3 % 50_021 + 1;
    }
}

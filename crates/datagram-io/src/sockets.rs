//! One worker's sockets by dense index, and the sending of a batch through them.

use std::{io, net::SocketAddr};

use mio::{Interest, Registry, Token};

use crate::{Backend, Batch, Native, Origin, RELAY_BUFFER, Socket, backend::Sent};

/// How often a receive that only met errors is tried again: an error may hide a datagram behind it.
const ERRORS_IN_A_ROW: usize = 8;

/// Names a socket of one worker; `index` is also its `mio` token.
///
/// The generation tells a socket from a later one at the same index, so that a datagram or a mark that
/// outlives its socket cannot reach the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SocketId {
    /// Place in the table.
    pub index: u32,
    /// Which of the sockets that were ever in that place.
    pub generation: u32,
}

/// Whether a socket can be left until `mio` names it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It was seen empty.
    Drained,
    /// It may hold more; **`mio` will not say so again**, receive once more.
    More,
}

/// What became of datagrams here, each a running total.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IoCounters {
    /// Datagrams received.
    pub received: u64,
    /// Runs among them, each of several datagrams that the kernel gave in one piece.
    pub received_runs: u64,
    /// Datagrams the kernel took for sending.
    pub sent: u64,
    /// Runs among them, each of several datagrams that the kernel took in one piece.
    pub sent_runs: u64,
    /// Runs the kernel would not take in one piece; their datagrams were sent one by one.
    pub refused_runs: u64,
    /// Errors reported in place of a received datagram.
    pub receive_errors: u64,
    /// Dropped because the kernel's send buffer was full.
    pub send_blocked: u64,
    /// Dropped because the kernel refused it: no route, a firewall.
    pub send_failed: u64,
    /// Dropped because it is too long for UDP, or for the link if it must not be fragmented.
    pub send_too_long: u64,
    /// Dropped because its socket was closed in between.
    pub socket_closed: u64,
}

/// A worker's sockets.
pub struct Sockets<B: Backend = Native> {
    backend: B,
    registry: Registry,
    /// Bytes of the buffers of relay sockets.
    relay_buffer: usize,
    places: Vec<Place>,
    chosen: Vec<u16>,
    counters: IoCounters,
}

#[derive(Default)]
struct Place {
    generation: u32,
    socket: Option<Socket>,
}

impl<B: Backend> Sockets<B> {
    /// Makes an empty table whose sockets report to `registry`.
    pub fn new(backend: B, registry: Registry) -> Self {
        Self {
            backend,
            registry,
            relay_buffer: RELAY_BUFFER,
            places: Vec::new(),
            chosen: Vec::with_capacity(256),
            counters: IoCounters::default(),
        }
    }

    /// Gives relay sockets that are opened from here on a receive buffer of so many bytes instead of [`RELAY_BUFFER`].
    pub fn set_relay_buffer(&mut self, bytes: usize) {
        self.relay_buffer = bytes;
    }

    /// Takes over an open socket, a listener.
    ///
    /// # Errors
    /// As [`Backend::adopt`], or if it cannot be registered; the socket is closed then.
    pub fn insert(&mut self, id: SocketId, mut socket: Socket) -> io::Result<()> {
        self.backend.adopt(&mut socket)?;
        self.place(id, socket)
    }

    /// Opens a relay socket on `address`.
    ///
    /// # Errors
    /// As [`Backend::open`], or if it cannot be registered.
    pub fn open(&mut self, id: SocketId, address: SocketAddr) -> io::Result<()> {
        let socket = self.backend.open(address, self.relay_buffer)?;
        self.place(id, socket)
    }

    fn place(&mut self, id: SocketId, mut socket: Socket) -> io::Result<()> {
        self.registry
            .register(&mut socket.io, Token(id.index as usize), Interest::READABLE)?;
        let index = id.index as usize;
        if self.places.len() <= index {
            self.places.resize_with(index + 1, Place::default);
        }
        self.places[index] = Place {
            generation: id.generation,
            socket: Some(socket),
        };
        Ok(())
    }

    /// Closes a socket; nothing happens if `id` is no longer there.
    pub fn close(&mut self, id: SocketId) {
        let Some(place) = self.places.get_mut(id.index as usize) else {
            return;
        };
        if place.generation != id.generation {
            return;
        }
        if let Some(mut socket) = place.socket.take() {
            // Closing the descriptor also takes it out of the poll; a failure here changes nothing.
            let _ = self.registry.deregister(&mut socket.io);
            self.backend.close(socket);
        }
    }

    /// The socket behind `id`, if it is still open.
    pub fn socket(&self, id: SocketId) -> Option<&Socket> {
        let place = self.places.get(id.index as usize)?;
        place
            .socket
            .as_ref()
            .filter(|_| place.generation == id.generation)
    }

    /// Receives up to `at_most` datagrams of the socket at `index` into the free slots of `batch`.
    pub fn receive(&mut self, index: u32, batch: &mut Batch, at_most: usize) -> Readiness {
        let Some(Place {
            generation,
            socket: Some(socket),
        }) = self.places.get(index as usize)
        else {
            return Readiness::Drained;
        };
        for _ in 0..ERRORS_IN_A_ROW {
            let received = self.backend.receive(socket, batch, at_most);
            self.counters.receive_errors += received.errors;
            if received.datagrams == 0 && received.more && received.errors > 0 {
                continue;
            }
            self.counters.received += (received.datagrams + received.waiting) as u64;
            self.counters.received_runs += received.runs;
            let id = SocketId {
                index,
                generation: *generation,
            };
            for slot in &mut batch.free_mut()[..received.datagrams] {
                slot.origin = Origin::Socket(id);
            }
            batch.trains.origin = Origin::Socket(id);
            batch.commit(received.datagrams);
            return if received.more {
                Readiness::More
            } else {
                Readiness::Drained
            };
        }
        Readiness::More
    }

    /// Takes up to `at_most` ICMP errors about datagrams of the socket at `index` into the free slots of `batch`.
    pub fn receive_icmp(&mut self, index: u32, batch: &mut Batch, at_most: usize) -> Readiness {
        let Some(Place {
            generation,
            socket: Some(socket),
        }) = self.places.get(index as usize)
        else {
            return Readiness::Drained;
        };
        let id = SocketId {
            index,
            generation: *generation,
        };
        let mut taken = 0;
        for slot in batch.free_mut().iter_mut().take(at_most) {
            let Some((peer, icmp)) = self.backend.take_icmp(socket) else {
                batch.commit(taken);
                return Readiness::Drained;
            };
            slot.fill(0, peer, socket.local);
            slot.origin = Origin::Icmp(id, icmp);
            taken += 1;
        }
        batch.commit(taken);
        Readiness::More
    }

    /// Sends everything the slots of `batch` are marked with and takes the marks off.
    ///
    /// Datagrams of one socket leave in the order of their slots, with one system call if it can be.
    pub fn send(&mut self, batch: &mut Batch) {
        let slots = batch.filled_mut();
        for first in 0..slots.len() {
            let Some(outgoing) = &slots[first].outgoing else {
                continue;
            };
            let id = outgoing.socket;
            self.chosen.clear();
            for (index, slot) in slots.iter().enumerate().skip(first) {
                if slot
                    .outgoing
                    .as_ref()
                    .is_some_and(|outgoing| outgoing.socket == id)
                {
                    self.chosen.push(index as u16);
                }
            }
            let sent = match self.places.get(id.index as usize) {
                Some(Place {
                    generation,
                    socket: Some(socket),
                }) if *generation == id.generation => self.backend.send(socket, slots, &self.chosen),
                _ => {
                    self.counters.socket_closed += self.chosen.len() as u64;
                    Sent::default()
                }
            };
            self.counters.sent += sent.datagrams;
            self.counters.sent_runs += sent.runs;
            self.counters.refused_runs += sent.refused_runs;
            self.counters.send_blocked += sent.blocked;
            self.counters.send_failed += sent.failed;
            self.counters.send_too_long += sent.too_long;
            for &index in &self.chosen {
                slots[usize::from(index)].outgoing = None;
            }
        }
    }

    /// The running totals.
    pub fn counters(&self) -> &IoCounters {
        &self.counters
    }
}

#[cfg(test)]
mod tests;

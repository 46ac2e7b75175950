//! What the workers of one server know of each other: where relays are, and which clients have an allocation where.

use std::net::SocketAddr;

use crate::types::FiveTuple;

/// Tells in which worker a relay or a client's allocation is. A shell with several workers gives each a handle on one.
///
/// It is written when an allocation or a relay begins and ends. It is read for a datagram only where this worker's own
/// tables know nothing: for a datagram to a relay of ours that is not here, and for one of a client without an allocation
/// here. **Reading must not wait for anyone.**
///
/// It may err, seldom: whoever is handed a datagram by mistake drops it, or hands it back, as if the relay or the
/// allocation had just ended.
pub trait Directory {
    /// Notes that `worker` has an open relay on this local address.
    fn relay_opened(&mut self, local: SocketAddr, worker: u16);

    /// Forgets that.
    fn relay_closed(&mut self, local: SocketAddr, worker: u16);

    /// Tells which worker has a relay on this local address.
    fn relay(&self, local: SocketAddr) -> Option<u16>;

    /// Notes that `worker` has the allocation of a client who sends datagrams.
    fn client_came(&mut self, client: FiveTuple, worker: u16);

    /// Forgets that.
    fn client_left(&mut self, client: FiveTuple, worker: u16);

    /// Tells which worker has a client's allocation.
    fn client(&self, client: FiveTuple) -> Option<u16>;
}

/// The directory of a server with one worker, which knows everything itself.
pub(crate) struct Alone;

impl Directory for Alone {
    fn relay_opened(&mut self, _: SocketAddr, _: u16) {}

    fn relay_closed(&mut self, _: SocketAddr, _: u16) {}

    fn relay(&self, _: SocketAddr) -> Option<u16> {
        None
    }

    fn client_came(&mut self, _: FiveTuple, _: u16) {}

    fn client_left(&mut self, _: FiveTuple, _: u16) {}

    fn client(&self, _: FiveTuple) -> Option<u16> {
        None
    }
}

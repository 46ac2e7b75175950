//! ConnectionBind (RFC 6062 §5.4): a second connection of the client becomes the one that carries a peer's bytes.
//!
//! It comes on a connection of its own, so the allocation it is about is found by CONNECTION-ID, and another
//! worker's is handed to that worker.

use std::net::SocketAddr;

use stun_wire::{AttributeType, Message, Method};

use super::PeerState;
use crate::{
    answer::{Done, Refusal, Success},
    nonce::{NonceCheck, Offer},
    server::Server,
    slots::Key,
    types::{ConnectionNumber, FiveTuple, Now, PeerConnectionId},
};

impl Server {
    /// Answers ConnectionBind of a user who was found to be the allocation's, if there is one.
    pub(crate) fn connection_bind(
        &mut self,
        now: Now,
        from: FiveTuple,
        message: &Message<'_>,
    ) -> Result<Done, Refusal> {
        // A connection with an allocation goes on carrying its messages.
        if !from.transport.is_stream() || self.table.client(from).is_some() {
            return Err(Refusal::BadRequest);
        }
        let peer = self.unbound_peer(now, message).ok_or(Refusal::BadRequest)?;
        self.peers.set_state(peer, PeerState::Bound);
        Ok(Done::Now(Success::DataBound { peer }))
    }

    /// Tells which other worker a ConnectionBind is for.
    pub(crate) fn worker_to_bind(&self, from: FiveTuple, message: &Message<'_>) -> Option<u16> {
        if message.method() != Method::CONNECTION_BIND
            || !from.transport.is_stream()
            || self.table.client(from).is_some()
        {
            return None;
        }
        let owner = self.config.share.owner_of_connection(number_of(message)?);
        (owner != self.config.share.index()).then_some(owner)
    }

    /// Finds the allocation that a request is about: that of its five-tuple, or for ConnectionBind that of its
    /// CONNECTION-ID.
    pub(crate) fn subject(&self, from: FiveTuple, message: &Message<'_>) -> Option<Key> {
        if message.method() != Method::CONNECTION_BIND {
            return self.concerned(from, message);
        }
        let peer = self.peers.by_number(number_of(message)?)?;
        self.allocation_of_peer(peer)
    }

    /// Judges a nonce. Clients sign ConnectionBind with the one they were given on the control connection, so
    /// that one is good here, too, if it comes from the same host.
    pub(crate) fn check_nonce(
        &self,
        now: Now,
        from: FiveTuple,
        message: &Message<'_>,
        nonce: &[u8],
    ) -> (NonceCheck, Offer) {
        let check = self.nonces.check(now, from.client, nonce);
        if check.0 != NonceCheck::Foreign || message.method() != Method::CONNECTION_BIND {
            return check;
        }
        match self.control_address(from, message) {
            Some(control) => self.nonces.check(now, control, nonce),
            None => check,
        }
    }

    fn control_address(&self, from: FiveTuple, message: &Message<'_>) -> Option<SocketAddr> {
        let key = self.subject(from, message)?;
        let control = self.table.allocation(key)?.five_tuple.client;
        (control.ip() == from.client.ip()).then_some(control)
    }

    fn unbound_peer(&self, now: Now, message: &Message<'_>) -> Option<PeerConnectionId> {
        let peer = self.peers.by_number(number_of(message)?)?;
        match self.peers.get(peer)?.state {
            // The timer may be late.
            PeerState::Unbound { until } if now.instant < until => Some(peer),
            PeerState::Unbound { .. } | PeerState::Connecting { .. } | PeerState::Bound => None,
        }
    }
}

fn number_of(message: &Message<'_>) -> Option<ConnectionNumber> {
    let number = message.u32(AttributeType::CONNECTION_ID)?.ok()?;
    Some(ConnectionNumber(number))
}

//! TCP allocations (RFC 6062): connections to peers, and the client's connections that carry their bytes.
//!
//! The core decides who connects to whom and which bytes are whose; it never sees those bytes.
//!
//! ```text
//! Connect ──▶ ConnectPeer or ConnectRelay ──▶ peer_connected ──▶ success with CONNECTION-ID ──┐
//! a peer connects ──▶ peer_arrived or relay_arrived ──▶ ConnectionAttempt with CONNECTION-ID ─┴──▶ ConnectionBind
//! ```
//!
//! The kernel buffers what a peer sends before ConnectionBind: the shell does not read it, and the window closes.

mod attempt;
mod bind;
mod connect;
mod peers;

use std::{collections::BTreeMap, time::Instant};

use stun_wire::{AttributeType, Message};

pub(crate) use self::peers::Peers;
use self::peers::{PeerConnection, PeerState};
use crate::{
    answer::Refusal,
    counters::Direction,
    deadlines::Wake,
    output::Output,
    permission::Scope,
    quota::LedgerFull,
    server::Server,
    slots::Key,
    types::{FiveTuple, Now, PeerConnectionId, RelayId},
};

impl Server {
    /// Takes that the connection to a peer has ended by itself, or with the client's connection that carried its
    /// bytes.
    pub fn peer_closed(&mut self, _now: Now, peer: PeerConnectionId) {
        self.forget_peer(peer);
        self.after_change();
    }

    /// Counts bytes that the shell passed on between a client and a peer.
    pub fn count_peer_bytes(&mut self, direction: Direction, bytes: u64) {
        self.counters.count_relayed_stream(direction, bytes);
    }

    /// Refuses what an Allocate for TCP must not ask (RFC 6062 §5.1).
    pub(crate) fn admit_tcp(&self, from: FiveTuple, message: &Message<'_>) -> Result<(), Refusal> {
        const FORBIDDEN: [AttributeType; 3] = [
            AttributeType::DONT_FRAGMENT,
            AttributeType::EVEN_PORT,
            AttributeType::RESERVATION_TOKEN,
        ];
        if self.config.tcp_relay.is_none() {
            return Err(Refusal::UnsupportedTransport);
        }
        // What arrives for a client is sent on its connection to this worker, so it cannot take it to another one.
        if self.wants_to_move(message)? {
            return Err(Refusal::MobilityForbidden);
        }
        let asks = |kind: &AttributeType| message.attribute(*kind).is_some();
        if !from.transport.is_stream() || FORBIDDEN.iter().any(asks) {
            return Err(Refusal::BadRequest);
        }
        Ok(())
    }

    /// Adds a connection within every bound there is.
    fn add_peer(&mut self, connection: PeerConnection) -> Result<PeerConnectionId, Refusal> {
        let allocation = self.table.allocation(connection.allocation);
        let allocation = allocation.ok_or(Refusal::AllocationMismatch)?;
        let limits = self.config.tcp_relay.ok_or(Refusal::UnsupportedTransport)?;
        if self.peers.of(connection.allocation).count() >= usize::from(limits.connections_per_allocation) {
            return Err(Refusal::InsufficientCapacity);
        }
        self.ledger
            .reserve_connection(allocation.account())
            .map_err(|full| match full {
                LedgerFull::User => Refusal::QuotaReached,
                LedgerFull::Total => Refusal::InsufficientCapacity,
            })?;
        let waits_until = connection.state.waits_until();
        let id = self.peers.insert(connection, &mut self.rng);
        if let Some(at) = waits_until {
            self.deadlines.push(at, Wake::Peer(id.into()));
        }
        Ok(id)
    }

    /// Closes a connection that waited too long: for the peer, or for its ConnectionBind.
    pub(crate) fn wake_peer(&mut self, now: Now, id: PeerConnectionId) {
        if self.peers.waits_until(id).is_none_or(|until| until > now.instant) {
            return;
        }
        self.answer_connect(now, id, Some(Refusal::ConnectionFailed));
        self.close_peer(id);
    }

    /// Closes the connections to peers that may not be reached any more; a client that still waits for one is told so.
    pub(crate) fn close_forbidden_peers(&mut self, now: Now) {
        let (policy, addresses) = (&self.config.policy, &self.addresses);
        // What never left this server may stay. A socket may lead to something else of ours than a relay.
        let is_closed = |connection: &PeerConnection| {
            connection.scope == Scope::Anywhere
                && Scope::of(policy, addresses, connection.peer.ip()) == Scope::OwnRelays
        };
        let forbidden: Vec<_> = self
            .peers
            .iter()
            .filter(|(_, connection)| is_closed(connection))
            .map(|(id, _)| id)
            .collect();
        for id in forbidden {
            self.answer_connect(now, id, Some(Refusal::Forbidden));
            self.close_peer(id);
        }
    }

    /// Closes what peers connected to a relay that ends (RFC 6062 §5.5).
    pub(crate) fn close_peers_of(&mut self, relay: RelayId) {
        let Some(allocation) = self.table.relay(relay).map(|relay| relay.allocation) else {
            return;
        };
        let of_relay: Vec<_> = self
            .peers
            .of(allocation)
            .filter(|(_, connection)| connection.relay == relay)
            .map(|(id, _)| id)
            .collect();
        of_relay.into_iter().for_each(|id| self.close_peer(id));
    }

    fn close_peer(&mut self, id: PeerConnectionId) {
        self.outputs.push_back(Output::ClosePeer { peer: id });
        self.forget_peer(id);
    }

    fn forget_peer(&mut self, id: PeerConnectionId) {
        let Some(connection) = self.peers.remove(id) else {
            return;
        };
        if let Some(allocation) = self.table.allocation(connection.allocation) {
            self.ledger.release_connection(allocation.account());
        }
    }

    /// Every connection has a live relay of its allocation, and its own way to be found.
    pub(crate) fn check_peers(&self) {
        self.peers.check_invariants();
        let mut each: BTreeMap<Key, u16> = BTreeMap::new();
        for (id, connection) in self.peers.iter() {
            let allocation = self.table.allocation(connection.allocation);
            let is_own = allocation.is_some_and(|allocation| {
                allocation.is_tcp() && allocation.relay_ids().any(|relay| relay == connection.relay)
            });
            assert!(is_own, "{id:?} has no TCP relay");
            *each.entry(connection.allocation).or_default() += 1;
        }
        let most = self
            .config
            .tcp_relay
            .unwrap_or_default()
            .connections_per_allocation;
        assert!(
            each.values().all(|&count| count <= most),
            "an allocation has too many connections"
        );
        assert_eq!(
            self.counters.peer_connections,
            self.peers.len() as u64,
            "the gauge of connections is wrong"
        );
    }

    /// When a wait that starts now ends.
    fn peer_deadline(&self, now: Now, is_connected: bool) -> Instant {
        let limits = self.config.tcp_relay.unwrap_or_default();
        now.instant
            + if is_connected {
                limits.bind_timeout
            } else {
                limits.connect_timeout
            }
    }

    /// Finds the allocation that a connection to a peer belongs to.
    fn allocation_of_peer(&self, id: PeerConnectionId) -> Option<Key> {
        self.peers.get(id).map(|connection| connection.allocation)
    }
}

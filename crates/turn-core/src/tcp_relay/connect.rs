//! Connect (RFC 6062 §5.2): the policy first, then a connection, then the client is told.

use std::net::SocketAddr;

use stun_wire::{AttributeType, Message};

use super::{PeerConnection, PeerState, peers::Connect};
use crate::{
    answer::{Asked, Done, Refusal, Refused, Success},
    auth::Identity,
    deadlines::Wake,
    output::Output,
    permission::Scope,
    server::Server,
    types::{Family, FiveTuple, Now, PeerConnectionId},
};

impl Server {
    /// Answers Connect, now or when the peer is connected.
    pub(crate) fn connect(
        &mut self,
        now: Now,
        from: FiveTuple,
        identity: &Identity<'_>,
        message: &Message<'_>,
    ) -> Result<Done, Refusal> {
        let key = identity.ready_allocation()?;
        let allocation = self
            .table
            .allocation(key)
            .filter(|allocation| allocation.is_tcp());
        let relays = allocation.ok_or(Refusal::AllocationMismatch)?.relays;
        let peer = peer_of(message)?;
        let scope = self.admit_peer(from, peer)?;
        if self.peers.of(key).any(|(_, connection)| connection.peer == peer) {
            return Err(Refusal::ConnectionExists);
        }
        let way = self.way_to(peer, scope)?;
        let relay = relays[Family::of(peer.ip()).index()].ok_or(Refusal::PeerFamilyMismatch)?;
        let (live, _) = self
            .live_relay(now, relay)
            .map_err(|_| Refusal::AllocationMismatch)?;
        let from = live.address;
        let id = self.add_peer(PeerConnection {
            allocation: key,
            relay,
            peer,
            scope,
            state: PeerState::Connecting {
                connect: Box::new(Connect {
                    asked: Asked::by(message),
                    key: identity.key.clone(),
                }),
                until: self.peer_deadline(now, false),
            },
        })?;
        self.outputs.push_back(match way {
            Way::Network(to) => Output::ConnectPeer {
                peer: id,
                from: from.local,
                to,
            },
            Way::Worker(worker, to) => Output::ConnectRelay {
                peer: id,
                worker,
                from: from.external,
                to,
            },
        });
        Ok(Done::Later)
    }

    /// Takes what became of an [`Output::ConnectPeer`] or [`Output::ConnectRelay`]. One that was closed meanwhile
    /// is passed over.
    pub fn peer_connected(&mut self, now: Now, peer: PeerConnectionId, succeeded: bool) {
        let Some(connection) = self.peers.get(peer) else {
            return;
        };
        if !matches!(connection.state, PeerState::Connecting { .. }) {
            debug_assert!(false, "connected twice");
            return;
        }
        if succeeded {
            self.answer_connect(now, peer, None);
            self.await_bind(now, peer);
        } else {
            self.answer_connect(now, peer, Some(Refusal::ConnectionFailed));
            self.forget_peer(peer);
        }
        self.after_change();
    }

    /// Answers a Connect that waited for its peer.
    pub(super) fn answer_connect(&mut self, now: Now, id: PeerConnectionId, refusal: Option<Refusal>) {
        let (Some(connection), Some(number)) = (self.peers.get(id), self.peers.number(id)) else {
            return;
        };
        let PeerState::Connecting { connect, .. } = &connection.state else {
            return;
        };
        let Some(allocation) = self.table.allocation(connection.allocation) else {
            return;
        };
        let client = allocation.five_tuple;
        let Connect { asked, key } = connect.as_ref().clone();
        match refusal {
            None => self.send_success(client, asked, &key, &Success::Connected { number }),
            Some(refusal) => self.send_refusal(now, client, asked, &Refused::signed(refusal, key)),
        }
    }

    /// Gives the client its time for ConnectionBind.
    fn await_bind(&mut self, now: Now, peer: PeerConnectionId) {
        let until = self.peer_deadline(now, true);
        self.peers.set_state(peer, PeerState::Unbound { until });
        self.deadlines.push(until, Wake::Peer(peer.into()));
    }

    /// Our own machine is reached as a relay only, and never through a socket, unless the policy opens it.
    fn way_to(&self, peer: SocketAddr, scope: Scope) -> Result<Way, Refusal> {
        match (scope, self.addresses.own_relay(peer)) {
            (Scope::Anywhere, own) => Ok(Way::Network(own.unwrap_or(peer))),
            (Scope::OwnRelays, Some(own)) => {
                let owner = self.config.share.owner(self.config.ports, own.port());
                Ok(Way::Worker(owner, own))
            }
            (Scope::OwnRelays, None) => Err(Refusal::Forbidden),
        }
    }
}

/// Says how a peer is reached, and at which address.
enum Way {
    Network(SocketAddr),
    /// It is a relay of ours, and this worker's if it exists.
    Worker(u16, SocketAddr),
}

fn peer_of(message: &Message<'_>) -> Result<SocketAddr, Refusal> {
    let peer = message.xor_address(AttributeType::XOR_PEER_ADDRESS);
    peer.and_then(Result::ok)
        .filter(|peer| peer.port() != 0)
        .ok_or(Refusal::BadRequest)
}

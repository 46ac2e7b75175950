//! TCP allocations (RFC 6062): connections to peers, and the clients' connections that carry their bytes.

use std::{mem, net::SocketAddr, ops::Range};

use datagram_io::{Origin, SocketId};
use peer_io::{Client, Happening, Stream, pair};
use tracing::debug;
use turn_core::{Direction, FiveTuple, Link, Now, PeerConnectionId, RelayId};

use super::{Worker, mail, mail::Parcel, names::connection};

impl Worker {
    /// Lets connections to peers go on, and asks the core about what has happened to them.
    pub(super) fn serve_peers(&mut self, now: Now) {
        self.peers.serve(now.instant);
        while let Some(happening) = self.peers.next() {
            self.happened(now, happening);
            self.perform_outputs(now);
        }
        while let Some(parcel) = self.mail.next() {
            self.open_parcel(now, parcel);
            self.perform_outputs(now);
        }
        for (direction, bytes) in [Direction::ToPeer, Direction::ToClient]
            .into_iter()
            .zip(self.peers.take_counts())
        {
            if bytes > 0 {
                self.core.count_peer_bytes(direction, bytes);
                self.unpublished = true;
            }
        }
    }

    fn happened(&mut self, now: Now, happening: Happening) {
        self.unpublished = true;
        match happening {
            Happening::Arrived { relay, from, stream } => {
                let relay = RelayId {
                    index: relay.index,
                    generation: relay.generation,
                };
                match self.core.peer_arrived(now, relay, from) {
                    Ok(peer) => self.adopt(now, peer, stream),
                    Err(refusal) => debug!(peer = %from, reason = refusal.name(), "peer refused"),
                }
            }
            Happening::Connected { peer, succeeded } => {
                self.core.peer_connected(now, named(peer), succeeded);
            }
            Happening::Ended { peer } => self.core.peer_closed(now, named(peer)),
        }
    }

    fn open_parcel(&mut self, now: Now, parcel: Parcel) {
        self.unpublished = true;
        match parcel {
            Parcel::Client(taken) => {
                if let Err(error) = self.streams.put(taken, now.instant) {
                    debug!(%error, "a connection of another worker is lost");
                }
            }
            Parcel::Relay {
                from,
                to,
                stream,
                origin,
            } => {
                let succeeded = self.relay_arrived(now, from, to, stream);
                let peer = origin.peer;
                self.mail
                    .send(origin.worker, Parcel::Connected { peer, succeeded });
            }
            Parcel::Connected { peer, succeeded } => self.relay_connected(now, peer, succeeded),
            Parcel::Revoke { username, answer } => {
                // Whoever asked may have lost patience.
                let _ = answer.send(self.core.revoke(now, &username));
            }
            Parcel::Change { terms, answer } => {
                terms.apply(now, &mut self.core);
                // Likewise.
                let _ = answer.send(());
            }
        }
    }

    /// Connects a relay of this worker to another one of this server, within the process.
    pub(super) fn connect_relay(
        &mut self,
        now: Now,
        peer: PeerConnectionId,
        worker: u16,
        from: SocketAddr,
        to: SocketAddr,
    ) {
        let ends = pair().and_then(|(near, far)| {
            self.peers.adopt(name(peer), near)?;
            Ok(far)
        });
        let far = match ends {
            Ok(far) => far,
            Err(error) => {
                debug!(%error, "cannot connect two relays");
                return self.core.peer_connected(now, peer, false);
            }
        };
        if worker == self.index {
            let succeeded = self.relay_arrived(now, from, to, far);
            return self.relay_connected(now, peer, succeeded);
        }
        let origin = mail::Origin {
            worker: self.index,
            peer,
        };
        let parcel = Parcel::Relay {
            from,
            to,
            stream: far,
            origin,
        };
        self.mail.send(worker, parcel);
    }

    fn relay_arrived(&mut self, now: Now, from: SocketAddr, to: SocketAddr, stream: Stream) -> bool {
        let Ok(peer) = self.core.relay_arrived(now, from, to) else {
            return false;
        };
        self.adopt(now, peer, stream);
        true
    }

    fn relay_connected(&mut self, now: Now, peer: PeerConnectionId, succeeded: bool) {
        if !succeeded {
            self.peers.close(name(peer));
        }
        self.core.peer_connected(now, peer, succeeded);
    }

    fn adopt(&mut self, now: Now, peer: PeerConnectionId, stream: Stream) {
        if let Err(error) = self.peers.adopt(name(peer), stream) {
            debug!(%error, "the connection of a peer is lost");
            self.core.peer_closed(now, peer);
        }
    }

    /// Answers ConnectionBind with what is in the slot, then lets the client's connection carry the peer's bytes.
    pub(super) fn bind(
        &mut self,
        now: Now,
        client: FiveTuple,
        peer: PeerConnectionId,
        slot: usize,
        window: Range<usize>,
    ) {
        let id = match client.link {
            Link::Connection(id) => connection(self.index, id),
            Link::Listener(_) => None,
        };
        let taken = id.and_then(|id| {
            let answer = &self.batch.filled_mut()[slot].buffer_mut()[window];
            self.streams.send(id, answer);
            self.streams.take(id)
        });
        let Some(taken) = taken else {
            self.peers.close(name(peer));
            return self.core.peer_closed(now, peer);
        };
        let joined = self.peers.join(
            name(peer),
            Client {
                io: taken.stream.into(),
                tls: taken.tls,
                unread: taken.unread,
                unsent: taken.unsent.into(),
                seat: Box::new(taken.member),
            },
        );
        if let Err(error) = joined {
            debug!(client = %client.client, %error, "cannot join a client's connection with its peer's");
            self.peers.close(name(peer));
            self.core.peer_closed(now, peer);
        }
    }

    /// Hands a connection to the worker that knows the peer it asks for, the request with it.
    pub(super) fn hand_over(&mut self, worker: u16, slot: usize) {
        let slot = &self.batch.filled()[slot];
        let Origin::Connection(id) = slot.origin() else {
            return;
        };
        let Some(mut taken) = self.streams.take_for_another(id) else {
            return;
        };
        let behind = mem::take(&mut taken.unread);
        taken.unread = [slot.payload(), &behind].concat();
        self.mail.send(worker, Parcel::Client(taken));
    }
}

pub(super) fn name(peer: PeerConnectionId) -> SocketId {
    SocketId {
        index: peer.index,
        generation: peer.generation,
    }
}

fn named(peer: SocketId) -> PeerConnectionId {
    PeerConnectionId {
        index: peer.index,
        generation: peer.generation,
    }
}

/// A TCP relay by the name the core gave it.
pub(super) fn relay_name(relay: RelayId) -> SocketId {
    SocketId {
        index: relay.index,
        generation: relay.generation,
    }
}

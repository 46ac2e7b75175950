//! Peers that connect to a relayed transport address, and the ConnectionAttempt that tells of them
//! (RFC 6062 §5.3).

use std::net::SocketAddr;

use stun_wire::{AttributeType, Class, MessageWriter, Method, TransactionId, WriteError};

use super::{PeerConnection, PeerState};
use crate::{
    counters::PeerRefusal,
    output::Output,
    permission::Scope,
    server::Server,
    types::{ConnectionNumber, Now, PeerConnectionId, RelayId},
};

/// Header, XOR-PEER-ADDRESS of IPv6 and CONNECTION-ID.
const ATTEMPT_LEN: usize = 20 + 24 + 8;

impl Server {
    /// Takes a connection that a TCP relay socket accepted.
    ///
    /// # Errors
    ///
    /// The connection is to be closed at once, and the refusal is counted.
    pub fn peer_arrived(
        &mut self,
        now: Now,
        relay: RelayId,
        from: SocketAddr,
    ) -> Result<PeerConnectionId, PeerRefusal> {
        // Permissions name a relay of ours by the form its client was told.
        let from = self.addresses.external_form(from);
        let outcome = self.admit_arrival(now, relay, from, Scope::Anywhere);
        self.settle_arrival(outcome)
    }

    /// Takes a connection that came from the relay at `from` by [`Output::ConnectRelay`], from this worker or
    /// another one.
    ///
    /// # Errors
    ///
    /// As [`Server::peer_arrived`]; the other end has failed to connect.
    pub fn relay_arrived(
        &mut self,
        now: Now,
        from: SocketAddr,
        to: SocketAddr,
    ) -> Result<PeerConnectionId, PeerRefusal> {
        let relay = self.table.relay_at(to).ok_or(PeerRefusal::NoRelay);
        let outcome = relay.and_then(|relay| self.admit_arrival(now, relay, from, Scope::OwnRelays));
        self.settle_arrival(outcome)
    }

    /// Tells the client of a permitted peer. What comes through a socket needs a permission beyond our own relays.
    fn admit_arrival(
        &mut self,
        now: Now,
        relay: RelayId,
        from: SocketAddr,
        least: Scope,
    ) -> Result<PeerConnectionId, PeerRefusal> {
        let (live, allocation) = self.live_relay(now, relay).map_err(|_| PeerRefusal::NoRelay)?;
        if !allocation.is_tcp() || !allocation.is_ready() {
            return Err(PeerRefusal::NoRelay);
        }
        match (allocation.permissions.scope(now.instant, from.ip()), least) {
            (None, _) => return Err(PeerRefusal::NoPermission),
            (Some(Scope::OwnRelays), Scope::Anywhere) => return Err(PeerRefusal::PeerForbidden),
            (Some(_), _) => {}
        }
        let (client, key) = (allocation.five_tuple, live.allocation);
        let until = self.peer_deadline(now, true);
        let connection = PeerConnection {
            allocation: key,
            relay,
            peer: from,
            scope: least,
            state: PeerState::Unbound { until },
        };
        let id = self.add_peer(connection).map_err(|_| PeerRefusal::Limit)?;
        let transaction = self.indication_ids.next();
        if let Some(number) = self.peers.number(id)
            && let Ok(datagram) = write_attempt(transaction, from, number)
        {
            self.outputs
                .push_back(Output::SendToClient { to: client, datagram });
        }
        Ok(id)
    }

    fn settle_arrival(
        &mut self,
        outcome: Result<PeerConnectionId, PeerRefusal>,
    ) -> Result<PeerConnectionId, PeerRefusal> {
        match outcome {
            Ok(_) => self.after_change(),
            Err(refusal) => self.counters.count_refused_peer(refusal),
        }
        outcome
    }
}

fn write_attempt(
    id: TransactionId,
    peer: SocketAddr,
    ConnectionNumber(number): ConnectionNumber,
) -> Result<Vec<u8>, WriteError> {
    let mut out = vec![0; ATTEMPT_LEN];
    let mut writer = MessageWriter::new(&mut out, Class::Indication, Method::CONNECTION_ATTEMPT, id)?;
    writer.xor_address(AttributeType::XOR_PEER_ADDRESS, peer)?;
    writer.u32(AttributeType::CONNECTION_ID, number)?;
    let len = writer.finish();
    out.truncate(len);
    Ok(out)
}

//! Says from what was asked and answered which connections to peers there are.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use turn_core::{PeerConnectionId, PeerRefusal};

/// RFC 6062 §5.2 and §5.3: what a peer has for accepting, and a client for ConnectionBind.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const PERMISSION: Duration = Duration::from_secs(40);
pub(crate) const CONNECTIONS_PER_ALLOCATION: u16 = 4;

#[derive(Debug, Default)]
pub(crate) struct Oracle {
    /// By client.
    allocations: BTreeMap<usize, Allocation>,
    connections: BTreeMap<PeerConnectionId, Connection>,
}

#[derive(Debug)]
struct Allocation {
    expires_at: Instant,
    permissions: BTreeMap<IpAddr, Instant>,
}

#[derive(Debug)]
pub(crate) struct Connection {
    client: usize,
    peer: SocketAddr,
    stage: Stage,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    Making { until: Instant },
    Waiting { until: Instant, number: u32 },
    Bound { number: u32 },
}

impl Oracle {
    pub(crate) fn has_allocation(&self, client: usize) -> bool {
        self.allocations.contains_key(&client)
    }

    pub(crate) fn allocated(&mut self, client: usize, expires_at: Instant) {
        let allocation = Allocation {
            expires_at,
            permissions: BTreeMap::new(),
        };
        let before = self.allocations.insert(client, allocation);
        assert!(before.is_none(), "a second allocation on a five-tuple");
    }

    pub(crate) fn refreshed(&mut self, client: usize, expires_at: Instant) {
        self.allocations.get_mut(&client).unwrap().expires_at = expires_at;
    }

    /// RFC 6062 §5.5: no connection outlives its allocation.
    pub(crate) fn freed(&mut self, client: usize) {
        self.allocations.remove(&client);
        self.connections
            .retain(|_, connection| connection.client != client);
    }

    pub(crate) fn permitted(&mut self, now: Instant, client: usize, peer: IpAddr) {
        let allocation = self.allocations.get_mut(&client).unwrap();
        allocation.permissions.insert(peer, now + PERMISSION);
    }

    /// The code that Connect must be refused with, if any.
    pub(crate) fn refuses(&self, client: usize, peer: SocketAddr) -> Option<u16> {
        if !self.has_allocation(client) {
            return Some(437);
        }
        if is_forbidden(peer.ip()) {
            return Some(403);
        }
        let of_client = || self.connections.values().filter(|one| one.client == client);
        if of_client().any(|one| one.peer == peer) {
            return Some(446);
        }
        (of_client().count() >= CONNECTIONS_PER_ALLOCATION.into()).then_some(508)
    }

    /// What becomes of a peer that connects to a relay.
    pub(crate) fn admits(&self, now: Instant, client: usize, peer: SocketAddr) -> Result<(), PeerRefusal> {
        let allocation = self.allocations.get(&client).ok_or(PeerRefusal::NoRelay)?;
        let permission = allocation.permissions.get(&peer.ip());
        if permission.is_none_or(|until| *until <= now) {
            return Err(PeerRefusal::NoPermission);
        }
        let there = self.connections.values().filter(|one| one.client == client);
        if there.count() >= CONNECTIONS_PER_ALLOCATION.into() {
            return Err(PeerRefusal::Limit);
        }
        Ok(())
    }

    pub(crate) fn connects(&mut self, now: Instant, id: PeerConnectionId, client: usize, peer: SocketAddr) {
        let until = now + PATIENCE;
        self.add(id, client, peer, Stage::Making { until });
    }

    pub(crate) fn arrived(
        &mut self,
        now: Instant,
        id: PeerConnectionId,
        (client, peer): (usize, SocketAddr),
        number: u32,
    ) {
        let until = now + PATIENCE;
        self.add(id, client, peer, Stage::Waiting { until, number });
    }

    pub(crate) fn connected(&mut self, now: Instant, id: PeerConnectionId, number: u32) {
        self.assert_is_new(number);
        let until = now + PATIENCE;
        self.connections.get_mut(&id).unwrap().stage = Stage::Waiting { until, number };
    }

    /// Whether ConnectionBind with this number must succeed now, and for which connection.
    pub(crate) fn binds(&mut self, now: Instant, wanted: u32) -> Option<PeerConnectionId> {
        let waits = |connection: &Connection| matches!(connection.stage, Stage::Waiting { until, number } if number == wanted && now < until);
        let (id, connection) = self.connections.iter_mut().find(|(_, one)| waits(one))?;
        connection.stage = Stage::Bound { number: wanted };
        Some(*id)
    }

    pub(crate) fn closed(&mut self, id: PeerConnectionId) {
        self.connections.remove(&id).unwrap();
    }

    /// Takes that time has passed.
    pub(crate) fn expire(&mut self, now: Instant) {
        let over: Vec<_> = self
            .allocations
            .iter()
            .filter(|(_, allocation)| allocation.expires_at <= now)
            .map(|(client, _)| *client)
            .collect();
        over.into_iter().for_each(|client| self.freed(client));
        self.connections.retain(|_, connection| match connection.stage {
            Stage::Making { until } | Stage::Waiting { until, .. } => now < until,
            Stage::Bound { .. } => true,
        });
    }

    /// Every connection there is, in order.
    pub(crate) fn ids(&self) -> Vec<PeerConnectionId> {
        self.connections.keys().copied().collect()
    }

    /// Those that wait for their peer.
    pub(crate) fn making(&self) -> Vec<PeerConnectionId> {
        let making = |(_, one): &(_, &Connection)| matches!(one.stage, Stage::Making { .. });
        self.connections
            .iter()
            .filter(making)
            .map(|(id, _)| *id)
            .collect()
    }

    /// Each CONNECTION-ID that a client knows, with the client.
    pub(crate) fn numbers(&self) -> Vec<(usize, u32)> {
        let known = self.connections.values().filter_map(|one| match one.stage {
            Stage::Making { .. } => None,
            Stage::Waiting { number, .. } | Stage::Bound { number } => Some((one.client, number)),
        });
        known.collect()
    }

    fn add(&mut self, id: PeerConnectionId, client: usize, peer: SocketAddr, stage: Stage) {
        if let Stage::Waiting { number, .. } = stage {
            self.assert_is_new(number);
        }
        let connection = Connection { client, peer, stage };
        let before = self.connections.insert(id, connection);
        assert!(before.is_none(), "{id:?} names two connections");
    }

    fn assert_is_new(&self, number: u32) {
        let taken = self.numbers().iter().any(|(_, known)| *known == number);
        assert!(!taken, "CONNECTION-ID {number:#x} names two connections");
    }
}

pub(crate) fn is_forbidden(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V4(ip) if ip.is_private())
}

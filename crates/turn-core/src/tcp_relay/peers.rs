//! All connections to peers of a worker, and the ways to find them: by allocation and by CONNECTION-ID.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::Instant,
};

use rand::{RngExt as _, rngs::StdRng};

use crate::{
    answer::Asked,
    config::Share,
    integrity::MacKey,
    permission::Scope,
    slots::{Key, Slots},
    types::{ConnectionNumber, PeerConnectionId, RelayId},
};

pub(crate) struct Peers {
    share: Share,
    connections: Slots<Entry>,
    by_allocation: BTreeSet<(Key, PeerConnectionId)>,
    by_number: BTreeMap<ConnectionNumber, PeerConnectionId>,
}

struct Entry {
    number: ConnectionNumber,
    connection: PeerConnection,
}

#[derive(Debug)]
pub(crate) struct PeerConnection {
    pub(crate) allocation: Key,
    pub(crate) relay: RelayId,
    /// As the client knows it.
    pub(crate) peer: SocketAddr,
    /// Whether it is from relay to relay within this server, or by a socket, that leads anywhere.
    pub(crate) scope: Scope,
    pub(crate) state: PeerState,
}

#[derive(Debug)]
pub(crate) enum PeerState {
    /// Waits for `peer_connected`, and a client for the answer to its Connect.
    Connecting { connect: Box<Connect>, until: Instant },
    /// Waits for ConnectionBind.
    Unbound { until: Instant },
    /// A connection of the client carries its bytes.
    Bound,
}

/// Holds what is needed to answer Connect.
#[derive(Debug, Clone)]
pub(crate) struct Connect {
    pub(crate) asked: Asked,
    /// Signs the answer.
    pub(crate) key: MacKey,
}

impl PeerState {
    pub(crate) fn waits_until(&self) -> Option<Instant> {
        match self {
            Self::Connecting { until, .. } | Self::Unbound { until } => Some(*until),
            Self::Bound => None,
        }
    }
}

/// The lowest possible, so that ranges of the index by allocation start with it.
const FIRST: PeerConnectionId = PeerConnectionId {
    index: 0,
    generation: 0,
};

impl Peers {
    pub(crate) fn new(share: Share) -> Self {
        Self {
            share,
            connections: Slots::new(),
            by_allocation: BTreeSet::new(),
            by_number: BTreeMap::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.connections.len()
    }

    pub(crate) fn get(&self, id: PeerConnectionId) -> Option<&PeerConnection> {
        self.connections.get(id.into()).map(|entry| &entry.connection)
    }

    pub(crate) fn number(&self, id: PeerConnectionId) -> Option<ConnectionNumber> {
        self.connections.get(id.into()).map(|entry| entry.number)
    }

    pub(crate) fn by_number(&self, number: ConnectionNumber) -> Option<PeerConnectionId> {
        self.by_number.get(&number).copied()
    }

    /// Tells until when a connection waits, if it does.
    pub(crate) fn waits_until(&self, id: PeerConnectionId) -> Option<Instant> {
        self.get(id)?.state.waits_until()
    }

    /// Shows the connections of an allocation.
    pub(crate) fn of(&self, allocation: Key) -> impl Iterator<Item = (PeerConnectionId, &PeerConnection)> {
        self.by_allocation
            .range((allocation, FIRST)..)
            .take_while(move |(owner, _)| *owner == allocation)
            .filter_map(|&(_, id)| Some((id, self.get(id)?)))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (PeerConnectionId, &PeerConnection)> {
        self.connections
            .iter()
            .map(|(key, entry)| (key.into(), &entry.connection))
    }

    /// Adds a connection under a number that nobody can guess and no other worker gives out.
    pub(crate) fn insert(&mut self, connection: PeerConnection, rng: &mut StdRng) -> PeerConnectionId {
        let number = self.draw_number(rng);
        let allocation = connection.allocation;
        let id = self.connections.insert(Entry { number, connection }).into();
        self.by_allocation.insert((allocation, id));
        self.by_number.insert(number, id);
        id
    }

    pub(crate) fn set_state(&mut self, id: PeerConnectionId, state: PeerState) {
        if let Some(entry) = self.connections.get_mut(id.into()) {
            entry.connection.state = state;
        }
    }

    pub(crate) fn remove(&mut self, id: PeerConnectionId) -> Option<PeerConnection> {
        let Entry { number, connection } = self.connections.remove(id.into())?;
        self.by_allocation.remove(&(connection.allocation, id));
        self.by_number.remove(&number);
        Some(connection)
    }

    fn draw_number(&self, rng: &mut StdRng) -> ConnectionNumber {
        let (index, of) = (u32::from(self.share.index()), u32::from(self.share.of()));
        let rounds = u32::MAX / of;
        loop {
            let number = ConnectionNumber(rng.random_range(0..rounds) * of + index);
            if !self.by_number.contains_key(&number) {
                return number;
            }
        }
    }

    pub(crate) fn check_invariants(&self) {
        for (key, entry) in self.connections.iter() {
            let id = key.into();
            assert_eq!(
                self.by_number(entry.number),
                Some(id),
                "a connection is not found by its number"
            );
            assert_eq!(
                self.share.owner_of_connection(entry.number),
                self.share.index(),
                "a number names another worker"
            );
            assert!(
                self.by_allocation.contains(&(entry.connection.allocation, id)),
                "a connection is not found by its allocation"
            );
        }
        for index in [self.by_number.len(), self.by_allocation.len()] {
            assert_eq!(index, self.len(), "an index of connections is wrong");
        }
    }
}

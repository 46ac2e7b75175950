//! Which connection belongs to which id.

use std::{collections::HashMap, sync::Arc};

use prometheus::IntGauge;

use crate::{gate::Visit, names::MemberId, problem::Problem, rooms::Output};

/// The way to one client; it never waits, and sending **never calls the hub back**, whose lock is held then.
pub(crate) trait Outbox: Send + Sync {
    /// Takes a notice, or says that the receiver is too far behind.
    fn tell(&self, told: &Output) -> Result<(), Clogged>;

    /// Ends the connection and says why.
    fn close(&self, reason: Problem);
}

/// A bounded queue is full, or its connection gone.
#[derive(Debug)]
pub(crate) struct Clogged;

/// One connection under one id; an id may get another connection, and then this is nobody's any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) id: MemberId,
    connection: u64,
}

/// Stands for nobody: connections are numbered from 1.
const VACANT: u64 = 0;

impl Place {
    pub(super) fn new(id: MemberId, connection: u64) -> Self {
        Self { id, connection }
    }

    /// The place of the same connection under another id.
    pub(crate) fn of(self, id: MemberId) -> Self {
        Self { id, ..self }
    }

    pub(super) fn connection(self) -> u64 {
        self.connection
    }

    /// Tells whether the seat is kept for somebody who does not sit there.
    pub(super) fn is_vacant(self) -> bool {
        self.connection == VACANT
    }
}

/// What sits at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A connection.
    Connection,
    /// One of several memberships of a connection that is counted elsewhere.
    Membership,
}

/// A seat that somebody has, perhaps without sitting on it at the moment.
pub(super) struct Taken {
    kind: Kind,
    /// Counts for its address for as long as the seat is held.
    _visit: Arc<Visit>,
    outbox: Option<Arc<dyn Outbox>>,
}

impl Taken {
    pub(super) fn new(kind: Kind, visit: Arc<Visit>, outbox: Arc<dyn Outbox>) -> Self {
        Self {
            kind,
            _visit: visit,
            outbox: Some(outbox),
        }
    }
}

pub(super) struct Seats {
    // Keys are random numbers of our own, or hashes with a secret of our own.
    taken: HashMap<MemberId, (u64, Taken)>,
    last_connection: u64,
    /// Connections that have a seat.
    connections: IntGauge,
}

impl Seats {
    pub(super) fn new(connections: IntGauge) -> Self {
        Self {
            taken: HashMap::new(),
            last_connection: 0,
            connections,
        }
    }

    /// Makes up a place for another connection under `id`.
    pub(super) fn place(&mut self, id: MemberId) -> Place {
        self.last_connection += 1;
        Place {
            id,
            connection: self.last_connection,
        }
    }

    /// Gives a seat to a connection under an id that nobody has.
    pub(super) fn welcome(&mut self, id: MemberId, taken: Taken) -> Place {
        let place = self.place(id);
        self.sit(place, taken);
        place
    }

    /// Gives the id's seat to this connection and returns the way to the one before.
    pub(super) fn sit(&mut self, place: Place, taken: Taken) -> Option<Arc<dyn Outbox>> {
        let before = self.forget(place.id);
        self.count(&taken, 1);
        self.taken.insert(place.id, (place.connection, taken));
        before
    }

    /// Moves a connection to the seat of another id.
    pub(super) fn change(&mut self, place: Place, id: MemberId) -> (Place, Option<Arc<dyn Outbox>>) {
        let connection = place.connection;
        let place_there = Place { id, connection };
        let mut before = None;
        if let Some((_, taken)) = self.taken.remove(&place.id) {
            before = self.forget(id);
            self.taken.insert(id, (connection, taken));
        }
        (place_there, before)
    }

    /// Keeps the seat for somebody without a connection.
    pub(super) fn stand_up(&mut self, id: MemberId) -> Option<Arc<dyn Outbox>> {
        let (_, mut taken) = self.taken.remove(&id)?;
        self.count(&taken, -1);
        let outbox = taken.outbox.take();
        self.taken.insert(id, (VACANT, taken));
        outbox
    }

    pub(super) fn forget(&mut self, id: MemberId) -> Option<Arc<dyn Outbox>> {
        let (_, taken) = self.taken.remove(&id)?;
        self.count(&taken, -1);
        taken.outbox
    }

    /// Empties all seats.
    pub(super) fn clear(&mut self) -> (Vec<MemberId>, Vec<Arc<dyn Outbox>>) {
        let ids: Vec<_> = self.taken.keys().copied().collect();
        let outboxes = ids.iter().filter_map(|id| self.forget(*id)).collect();
        (ids, outboxes)
    }

    /// All places that somebody sits at.
    pub(super) fn places(&self) -> Vec<Place> {
        let sitting = self.taken.iter().filter(|(_, (_, taken))| taken.outbox.is_some());
        sitting
            .map(|(id, (connection, _))| Place::new(*id, *connection))
            .collect()
    }

    /// Says why a connection has its seat no more.
    pub(super) fn check(&self, place: Place) -> Result<(), Problem> {
        match self.taken.get(&place.id) {
            Some((connection, _)) if *connection == place.connection => Ok(()),
            Some((_, taken)) if taken.outbox.is_some() => Err(Problem::Replaced),
            Some(_) | None => Err(Problem::Closing),
        }
    }

    pub(super) fn has(&self, place: Place) -> bool {
        self.find(place.id) == Some(place)
    }

    pub(super) fn find(&self, id: MemberId) -> Option<Place> {
        let (connection, _) = self.taken.get(&id)?;
        let connection = *connection;
        Some(Place { id, connection })
    }

    pub(super) fn tell(&self, told: &Output) -> Result<(), Clogged> {
        let outbox = self
            .taken
            .get(&told.to)
            .and_then(|(_, taken)| taken.outbox.as_ref());
        outbox.map_or(Ok(()), |outbox| outbox.tell(told))
    }

    fn count(&self, taken: &Taken, change: i64) {
        if taken.kind == Kind::Connection && taken.outbox.is_some() {
            self.connections.add(change);
        }
    }
}

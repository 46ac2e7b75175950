//! Ports of ours that EVEN-PORT reserved for a second client (RFC 8656 §7.2), which another worker may serve.

use std::{
    collections::BTreeMap,
    hash::BuildHasher,
    net::SocketAddr,
    time::{Duration, Instant},
};

use ahash::RandomState;
use hashbrown::HashMap;
use rand::RngExt as _;

use arrayvec::ArrayVec;

use crate::{
    deadlines::Wake,
    ending::neighbour,
    quota::Parked,
    server::Server,
    slots::Key,
    types::{Now, RelayedAddress, ReservationToken},
};

/// RFC 8656 §7.2: a token is valid for at least 30 seconds.
const VALID: Duration = Duration::from_secs(30);

/// How often the ledger is asked who borrowed a port that datagrams come for.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Holds the ports of this worker's share that are parked in the ledger, whoever uses them now.
pub(crate) struct Reservations<S = RandomState> {
    by_token: BTreeMap<ReservationToken, SocketAddr>,
    by_address: HashMap<SocketAddr, Lent, S>,
}

struct Lent {
    token: ReservationToken,
    borrower: Option<u16>,
    asked_at: Instant,
}

impl<S: BuildHasher> Reservations<S> {
    pub(crate) fn new(hasher: S) -> Self {
        Self {
            by_token: BTreeMap::new(),
            by_address: HashMap::with_hasher(hasher),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_token.len()
    }

    pub(crate) fn contains(&self, token: ReservationToken) -> bool {
        self.by_token.contains_key(&token)
    }

    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.by_token.values().copied()
    }

    fn insert(&mut self, now: Instant, token: ReservationToken, local: SocketAddr) {
        self.by_token.insert(token, local);
        self.by_address.insert(
            local,
            Lent {
                token,
                borrower: None,
                asked_at: now,
            },
        );
    }

    fn remove(&mut self, token: ReservationToken) -> Option<SocketAddr> {
        let local = self.by_token.remove(&token)?;
        self.by_address.remove(&local);
        Some(local)
    }
}

impl Server {
    /// Parks the port next to the one just opened, and returns the token that claims it.
    pub(crate) fn reserve_neighbour(
        &mut self,
        now: Now,
        key: Key,
        relayed: &ArrayVec<RelayedAddress, 2>,
    ) -> Option<ReservationToken> {
        let first = relayed.first()?;
        let user = self.table.allocation(key)?.account().owner().into();
        let address = RelayedAddress {
            local: neighbour(first.local),
            external: neighbour(first.external),
        };
        let token = ReservationToken(self.rng.random());
        let expires_at = now.instant + VALID;
        self.ledger.park(
            token,
            Parked {
                home: self.config.share.index(),
                address,
                user,
                expires_at,
            },
        );
        self.reservations.insert(now.instant, token, address.local);
        self.deadlines.push(expires_at, Wake::Reservation(token));
        Some(token)
    }

    /// The one who reserved is gone: unless someone uses the port, it is free again. This bounds
    /// reservations by allocations, and so by the quota.
    pub(crate) fn end_reservation(&mut self, token: ReservationToken) {
        if self.reservations.contains(token) && self.ledger.unpark(token).is_none() {
            self.reclaim(token);
        }
    }

    /// The token's time is over: the port is free again, or used, and then looked after later.
    pub(crate) fn wake_reservation(&mut self, now: Now, token: ReservationToken) {
        if !self.reservations.contains(token) {
            return;
        }
        match self.ledger.unpark(token) {
            None => self.reclaim(token),
            Some(_) => self.deadlines.push(now.instant + VALID, Wake::Reservation(token)),
        }
    }

    /// A relay on a reserved port is closed: the port goes home, at once if home is here.
    pub(crate) fn give_back_claimed(&mut self, token: ReservationToken) {
        self.ledger.give_back(token);
        self.end_reservation(token);
    }

    /// Tells which other worker has a relay on a port of our share.
    pub(crate) fn borrower(&mut self, now: Now, local: SocketAddr) -> Option<u16> {
        let lent = self.reservations.by_address.get_mut(&local)?;
        if lent.borrower.is_none() && now.instant >= lent.asked_at + ASK_AGAIN {
            lent.asked_at = now.instant;
            lent.borrower = self.ledger.borrower(lent.token);
        }
        lent.borrower
            .filter(|&worker| worker != self.config.share.index())
    }

    fn reclaim(&mut self, token: ReservationToken) {
        if let Some(local) = self.reservations.remove(token) {
            self.addresses.put_back(local);
        }
    }
}

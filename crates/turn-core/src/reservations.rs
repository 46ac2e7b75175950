//! Ports of ours that EVEN-PORT reserved for a second client (RFC 8656 §7.2), which another worker may serve.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use arrayvec::ArrayVec;
use rand::RngExt as _;

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

/// Holds the ports of this worker's share that are parked in the ledger, whoever uses them now.
#[derive(Default)]
pub(crate) struct Reservations(BTreeMap<ReservationToken, SocketAddr>);

impl Reservations {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn contains(&self, token: ReservationToken) -> bool {
        self.0.contains_key(&token)
    }

    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.0.values().copied()
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
        self.reservations.0.insert(token, address.local);
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

    fn reclaim(&mut self, token: ReservationToken) {
        if let Some(local) = self.reservations.0.remove(&token) {
            self.addresses.put_back(local);
        }
    }
}

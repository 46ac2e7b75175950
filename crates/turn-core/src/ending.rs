//! How relays and allocations end, and what each gives back.

use std::{net::SocketAddr, time::Instant};

use crate::{
    allocation::RelayState,
    deadlines::{Deadlines, Wake},
    output::{EndReason, Output},
    ports::Want,
    server::Server,
    slots::Key,
    types::{Family, Now, RelayId},
};

/// How many deadlines one call handles, so that a mass expiry does not hold up the datagrams.
const MAX_WAKES: usize = 256;

impl Server {
    /// Ends what has expired: up to 256 relays a call. **Call it again while `poll_timeout` is not in the
    /// future.** Nothing that has expired is used in between.
    pub fn handle_timeout(&mut self, now: Now) {
        self.expire(now);
        self.after_change();
    }

    pub(crate) fn expire(&mut self, now: Now) {
        for _ in 0..MAX_WAKES {
            match self.deadlines.pop_due(now.instant) {
                Some((at, Wake::Relay(key))) => self.wake_relay(now, at, key.into()),
                Some((_, Wake::Reservation(token))) => self.wake_reservation(now, token),
                Some((_, Wake::Peer(key))) => self.wake_peer(now, key.into()),
                None => return,
            }
        }
    }

    fn wake_relay(&mut self, now: Now, at: Instant, id: RelayId) {
        let Some(relay) = self
            .table
            .relay_mut(id)
            .filter(|relay| relay.state == RelayState::Open)
        else {
            return;
        };
        if relay.expires_at > now.instant {
            // It was refreshed since. Only the entry it waits for is renewed; others are outlived.
            if relay.wakes_at == Some(at) {
                let expires_at = relay.expires_at;
                relay.wakes_at = Some(expires_at);
                self.deadlines.push(expires_at, Wake::Relay(id.into()));
            }
            return;
        }
        self.end_relay(now, id, EndReason::Expired);
    }

    /// Makes a relay live until `expires_at`. The heap gets a new entry only if the relay would oversleep.
    pub(crate) fn prolong(&mut self, id: RelayId, expires_at: Instant) {
        let Some(relay) = self.table.relay_mut(id) else {
            return;
        };
        relay.expires_at = expires_at;
        if relay.wakes_at.is_none_or(|wakes_at| expires_at < wakes_at) {
            relay.wakes_at = Some(expires_at);
            self.deadlines.push(expires_at, Wake::Relay(id.into()));
        }
    }

    /// Ends one relay with the permissions and channels of its family (RFC 8656 §8.1), and its allocation with it if it
    /// was the only one.
    pub(crate) fn end_relay(&mut self, now: Now, id: RelayId, reason: EndReason) {
        let Some(relay) = self.table.relay(id) else {
            return;
        };
        let (key, family) = (relay.allocation, Family::of(relay.address.local.ip()));
        match self.table.allocation_mut(key) {
            Some(allocation) if allocation.relay_ids().count() > 1 => {
                allocation.permissions.forget(family);
                allocation.channels.forget(family);
                self.close_relay(id);
            }
            Some(_) => self.end_allocation(now, key, reason),
            None => {}
        }
    }

    /// Ends an allocation with all it holds.
    pub(crate) fn end_allocation(&mut self, now: Now, key: Key, reason: EndReason) {
        let Some(allocation) = self.table.allocation(key) else {
            return;
        };
        allocation.relay_ids().for_each(|id| self.close_relay(id));
        let Some(allocation) = self.table.remove(key) else {
            return;
        };
        self.ledger.release(allocation.account());
        self.forget_ways(&allocation);
        if let Some(token) = allocation.token() {
            self.end_reservation(token);
        }
        if reason != EndReason::NotOpened {
            self.counters
                .durations
                .observe(now.instant.saturating_duration_since(allocation.created_at));
        }
        self.outputs.push_back(Output::AllocationEnded {
            five_tuple: allocation.five_tuple,
            username: allocation.username,
            reason,
            created_at: allocation.created_at,
        });
    }

    /// Closes a relay's socket, or sees to it that it is closed as soon as it is open.
    fn close_relay(&mut self, id: RelayId) {
        match self.table.relay(id).map(|relay| relay.state) {
            Some(RelayState::Open) => {
                self.close_peers_of(id);
                self.outputs.push_back(Output::CloseRelay { relay: id });
                self.forget_relay(id);
            }
            Some(RelayState::Opening { .. }) => {
                self.release_neighbour(id);
                self.table.abandon_relay(id);
            }
            Some(RelayState::Failed) => self.forget_relay(id),
            Some(RelayState::Abandoned) | None => {}
        }
    }

    /// Removes a relay that has no socket (any more) and gives its port back.
    pub(crate) fn forget_relay(&mut self, id: RelayId) {
        self.release_neighbour(id);
        let Some(relay) = self.table.remove_relay(id) else {
            return;
        };
        // An open relay ends before its allocation does.
        if relay.state == RelayState::Open
            && let Some(allocation) = self.table.allocation(relay.allocation)
        {
            let family = Family::of(relay.address.local.ip());
            self.counters
                .relay_closed(allocation.five_tuple.transport, family);
        }
        match relay.claimed {
            Some(token) => {
                self.addresses.give_back(relay.address.local.ip());
                self.give_back_claimed(token);
            }
            None => self.put_back(relay.address.local, Want::Any),
        }
    }

    /// A pair whose first port never opened gives up its second one too.
    fn release_neighbour(&mut self, id: RelayId) {
        let Some(relay) = self.table.relay(id) else { return };
        let opening = matches!(relay.state, RelayState::Opening { .. } | RelayState::Failed);
        let holder = self.table.allocation(relay.allocation);
        if opening && holder.is_some_and(|allocation| allocation.holds_neighbour()) {
            self.put_back(neighbour(relay.address.local), Want::Any);
        }
    }

    pub(crate) fn put_back(&mut self, local: SocketAddr, want: Want) {
        self.addresses.put_back(local);
        if want == Want::Pair {
            self.addresses.put_back(neighbour(local));
        }
    }

    /// Keeps the heap in proportion to what can be woken, and the gauge of ports true.
    pub(crate) fn after_change(&mut self) {
        self.counters.relay_ports_in_use = self.addresses.taken();
        self.counters.peer_connections = self.peers.len() as u64;
        let (table, reservations, peers) = (&self.table, &self.reservations, &self.peers);
        let live = table.relays() + reservations.len() + peers.len();
        self.deadlines.tidy(live, |at, wake| match wake {
            Wake::Relay(key) => table
                .relay(key.into())
                .is_some_and(|relay| relay.wakes_at == Some(at)),
            Wake::Reservation(token) => reservations.contains(token),
            Wake::Peer(key) => peers.waits_until(key.into()) == Some(at),
        });
        debug_assert!(self.deadlines.len() <= Deadlines::bound(live));
        #[cfg(debug_assertions)]
        if self.table.relays() <= SMALL {
            self.check_invariants();
        }
    }
}

/// Tables up to that size are checked after every change in debug builds.
#[cfg(debug_assertions)]
const SMALL: usize = 64;

/// The port after an even one.
pub(crate) fn neighbour(even: SocketAddr) -> SocketAddr {
    SocketAddr::new(even.ip(), even.port() | 1)
}

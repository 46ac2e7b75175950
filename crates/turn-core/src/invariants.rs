//! The books, checked: what one table says, the others confirm.

use std::{collections::BTreeSet, net::SocketAddr};

use crate::{
    allocation::RelayState,
    deadlines::Deadlines,
    ending::neighbour,
    server::Server,
    types::{Family, RelayId, Transport},
};

impl Server {
    /// Checks that all tables agree with each other. It takes time in proportion to the number of
    /// allocations.
    ///
    /// # Panics
    ///
    /// With the first broken invariant.
    pub fn check_invariants(&self) {
        self.table.check_invariants(self.most);
        self.routes
            .check_invariants(|client| self.table.client(client).is_some());
        self.check_ports();
        self.check_counters();
        self.check_deadlines();
        self.check_peers();
    }

    /// Every taken port has one reason to be taken, and every such reason a taken port.
    fn check_ports(&self) {
        let mut reasons: BTreeSet<SocketAddr> = BTreeSet::new();
        for (id, relay) in self
            .table
            .iter_relays()
            .filter(|(_, relay)| relay.claimed.is_none())
        {
            let local = relay.address.local;
            assert!(reasons.insert(local), "two relays on one port");
            if self.holds_neighbour(id) {
                assert!(
                    reasons.insert(neighbour(local)),
                    "a relay on the neighbour port of another"
                );
            }
        }
        for local in self.reservations.addresses() {
            assert!(reasons.insert(local), "a reserved port is in use");
        }
        for &local in &reasons {
            assert!(self.addresses.is_taken(local), "a port in use is free");
        }
        assert_eq!(
            self.addresses.taken(),
            reasons.len() as u64,
            "a port is taken for nothing"
        );
    }

    fn check_counters(&self) {
        let mut open = [[0; Family::ALL.len()]; Transport::ALL.len()];
        for (_, relay) in self
            .table
            .iter_relays()
            .filter(|(_, relay)| relay.state == RelayState::Open)
        {
            let holder = self.table.allocation(relay.allocation);
            let transport = holder
                .expect("an open relay has its allocation")
                .five_tuple
                .transport;
            open[transport as usize][Family::of(relay.address.local.ip()).index()] += 1;
        }
        for transport in Transport::ALL {
            for family in Family::ALL {
                assert_eq!(
                    self.counters.allocations(transport, family),
                    open[transport as usize][family.index()],
                    "the gauge of relays is wrong"
                );
            }
        }
        assert_eq!(
            self.counters.relay_ports_in_use,
            self.addresses.taken(),
            "the gauge of ports is wrong"
        );
    }

    /// Nothing oversleeps, and what is outlived is bounded.
    fn check_deadlines(&self) {
        for (id, relay) in self
            .table
            .iter_relays()
            .filter(|(_, relay)| relay.state == RelayState::Open)
        {
            let wakes_in_time = relay
                .wakes_at
                .is_some_and(|wakes_at| wakes_at <= relay.expires_at);
            assert!(wakes_in_time, "{id:?} would live on after its time");
        }
        let live = self.table.relays() + self.reservations.len() + self.peers.len();
        assert!(
            self.deadlines.len() <= Deadlines::bound(live),
            "the heap grows beyond its bound"
        );
        assert_eq!(
            self.deadlines.next().is_none(),
            self.deadlines.len() == 0,
            "a deadline is lost"
        );
    }

    fn holds_neighbour(&self, id: RelayId) -> bool {
        let Some(relay) = self.table.relay(id) else {
            return false;
        };
        let waits = matches!(relay.state, RelayState::Opening { .. } | RelayState::Failed);
        waits
            && self
                .table
                .allocation(relay.allocation)
                .is_some_and(|allocation| allocation.holds_neighbour())
    }
}

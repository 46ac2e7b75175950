//! The second phase of Allocate: a socket is open, or another port is tried, or the client is refused.

use std::time::Duration;

use arrayvec::ArrayVec;

use crate::{
    allocation::{Allocation, Phase, RelayState},
    answer::{Allocated, Refusal, Refused, Success},
    deadlines::Wake,
    output::{EndReason, OpenError, Output},
    ports::Want,
    server::Server,
    slots::Key,
    types::{Family, FiveTuple, Now, RelayId},
};

/// How many ports are tried before the client is refused: other programs may hold some of the range.
const MAX_TRIES: u8 = 8;

impl Server {
    /// Takes the answer to an [`Output::OpenRelay`]: exactly one for each.
    pub fn relay_opened(&mut self, now: Now, relay: RelayId, result: Result<(), OpenError>) {
        match self.table.relay(relay).map(|relay| relay.state) {
            Some(RelayState::Opening { tries }) => self.opening_answered(now, relay, tries, result),
            Some(RelayState::Abandoned) => {
                if result.is_ok() {
                    self.outputs.push_back(Output::CloseRelay { relay });
                }
                self.forget_relay(relay);
            }
            Some(RelayState::Open | RelayState::Failed) | None => {
                debug_assert!(false, "an answer without an OpenRelay")
            }
        }
        self.after_change();
    }

    fn opening_answered(&mut self, now: Now, id: RelayId, tries: u8, result: Result<(), OpenError>) {
        match result {
            Ok(()) => self.relay_is_open(id),
            Err(OpenError::AddressInUse) if tries < MAX_TRIES && self.try_another_port(id, tries) => return,
            Err(_) => self.relay_failed(id),
        }
        let Some(key) = self.table.relay(id).map(|relay| relay.allocation) else {
            return;
        };
        let Some(allocation) = self.table.allocation_mut(key) else {
            return;
        };
        let Phase::Opening(opening) = &mut allocation.phase else {
            return;
        };
        opening.outstanding -= 1;
        if opening.outstanding == 0 {
            self.finish_opening(now, key);
        }
    }

    fn relay_is_open(&mut self, id: RelayId) {
        self.table.open(id);
        let Some(relay) = self.table.relay_mut(id) else {
            return;
        };
        let expires_at = relay.expires_at;
        relay.wakes_at = Some(expires_at);
        let (key, family) = (relay.allocation, Family::of(relay.address.local.ip()));
        if let Some(allocation) = self.table.allocation(key) {
            self.counters
                .relay_opened(allocation.five_tuple.transport, family);
        }
        self.deadlines.push(expires_at, Wake::Relay(id.into()));
    }

    /// Swaps the port for another one; a reserved port cannot be swapped.
    fn try_another_port(&mut self, id: RelayId, tries: u8) -> bool {
        let Some(relay) = self.table.relay(id).filter(|relay| relay.claimed.is_none()) else {
            return false;
        };
        let (key, former) = (relay.allocation, relay.address);
        let Some(allocation) = self.table.allocation(key) else {
            return false;
        };
        let Phase::Opening(opening) = &allocation.phase else {
            return false;
        };
        let (family, want, transport) = (Family::of(former.local.ip()), opening.want, allocation.transport);
        let server = allocation.five_tuple.server.ip();
        let Ok(address) = self.addresses.take(family, server, want, &mut self.rng) else {
            return false;
        };
        // Only now, so that it could not be drawn again.
        self.put_back(former.local, want);
        if let Some(relay) = self.table.relay_mut(id) {
            relay.address = address;
            relay.state = RelayState::Opening { tries: tries + 1 };
        }
        self.ask_to_open(id, address, transport);
        true
    }

    /// Leaves the relay in the table, without a socket, until its allocation is finished.
    fn relay_failed(&mut self, id: RelayId) {
        let Some(relay) = self.table.relay_mut(id) else {
            return;
        };
        relay.state = RelayState::Failed;
        let (key, family) = (relay.allocation, Family::of(relay.address.local.ip()));
        if let Some(Phase::Opening(opening)) = self.table.allocation_mut(key).map(|one| &mut one.phase) {
            let code = Refusal::InsufficientCapacity.code().0;
            opening.failed = opening.failed.or(Some((family, code)));
        }
    }

    /// Tells the client what came of its Allocate.
    fn finish_opening(&mut self, now: Now, key: Key) {
        let Some(allocation) = self.table.allocation(key) else {
            return;
        };
        let Phase::Opening(opening) = &allocation.phase else {
            return;
        };
        let (asked, lifetime, failed, want) = (opening.asked, opening.lifetime, opening.failed, opening.want);
        let (from, signing_key) = (allocation.five_tuple, allocation.key.clone());
        let (open, unopened): (ArrayVec<_, 2>, ArrayVec<_, 2>) =
            allocation.relay_ids().partition(|&id| self.is_open(id));
        if open.is_empty() {
            let mut relays = allocation.relay_ids().filter_map(|id| self.table.relay(id));
            let refusal = if relays.any(|relay| relay.claimed.is_some()) {
                Refusal::InsufficientCapacity
            } else {
                self.full(from)
            };
            self.end_allocation(now, key, EndReason::NotOpened);
            let refused = Refused::signed(refusal, signing_key);
            self.send_refusal(now, from, asked, &refused);
            return;
        }
        unopened.into_iter().for_each(|id| self.forget_relay(id));
        let relayed = open
            .iter()
            .filter_map(|&id| self.table.relay(id).map(|relay| relay.address))
            .collect();
        let token = (want == Want::Pair)
            .then(|| self.reserve_neighbour(now, key, &relayed))
            .flatten();
        let relayed = relayed.iter().map(|address| address.external).collect();
        let allocated = Box::new(Allocated {
            relayed,
            mapped: from.client,
            lifetime,
            token,
            ticket: self.ticket(key),
            failed,
        });
        self.note_allocated(key, from, &allocated);
        self.send_success(from, asked, &signing_key, &Success::Allocated(allocated));
    }

    fn note_allocated(&mut self, key: Key, from: FiveTuple, allocated: &Allocated) {
        self.counters.allocations_created += 1;
        let Some(allocation) = self.table.allocation_mut(key) else {
            return;
        };
        self.outputs.push_back(Output::AllocationCreated {
            five_tuple: from,
            username: allocation.username.clone(),
            relayed: allocated.relayed.clone(),
            lifetime: Duration::from_secs(allocated.lifetime.into()),
        });
        allocation.phase = Phase::Ready(Box::new(allocated.clone()));
    }

    fn is_open(&self, id: RelayId) -> bool {
        self.table
            .relay(id)
            .is_some_and(|relay| relay.state == RelayState::Open)
    }
}

impl Allocation {
    /// Tells whether a port next to its relay's is held for it while the relay opens.
    pub(crate) fn holds_neighbour(&self) -> bool {
        matches!(&self.phase, Phase::Opening(opening) if opening.want == Want::Pair)
    }
}

//! All allocations and relays of a worker, and the two ways to find them: by five-tuple and by relay address.

use std::net::SocketAddr;

use ahash::RandomState;
use hashbrown::{HashMap, HashTable};

use crate::{
    allocation::{Allocation, Relay, RelayState},
    config::Limits,
    directory::{Alone, Directory},
    slots::{Key, Slots},
    types::{Family, FiveTuple, RelayId},
};

pub(crate) struct Table {
    allocations: Slots<Allocation>,
    relays: Slots<Relay>,
    /// Strangers choose these keys, hence ahash with a random seed: they cannot make them collide.
    by_client: HashTable<Entry>,
    hasher: RandomState,
    /// Open relays by their local address.
    by_relay: HashMap<SocketAddr, RelayId, RandomState>,
    /// What other workers have, and are told of this one.
    directory: Box<dyn Directory + Send>,
    worker: u16,
}

/// Leads from a five-tuple to an allocation, which has the five-tuple itself: a look-up that finds it needs that anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    hash: u64,
    key: Key,
}

impl Table {
    /// Starts empty, for this `worker`.
    pub(crate) fn new(hasher: &RandomState, worker: u16) -> Self {
        Self {
            allocations: Slots::new(),
            relays: Slots::new(),
            by_client: HashTable::new(),
            hasher: hasher.clone(),
            by_relay: HashMap::with_hasher(hasher.clone()),
            directory: Box::new(Alone),
            worker,
        }
    }

    pub(crate) fn set_directory(&mut self, directory: Box<dyn Directory + Send>) {
        self.directory = directory;
    }

    pub(crate) fn client(&self, five_tuple: FiveTuple) -> Option<Key> {
        let hash = self.hasher.hash_one(five_tuple);
        let is_his = |entry: &Entry| {
            let holder = || self.allocations.get(entry.key);
            entry.hash == hash && holder().is_some_and(|allocation| allocation.has_client_at(five_tuple))
        };
        self.by_client.find(hash, is_his).map(|entry| entry.key)
    }

    /// Finds the allocation in this place.
    pub(crate) fn key_at(&self, place: u32) -> Option<Key> {
        self.allocations.key_at(place)
    }

    pub(crate) fn relay_at(&self, local: SocketAddr) -> Option<RelayId> {
        self.by_relay.get(&local).copied()
    }

    /// Tells which other worker has a relay at a local address.
    pub(crate) fn relay_elsewhere(&self, local: SocketAddr) -> Option<u16> {
        self.directory
            .relay(local)
            .filter(|&worker| worker != self.worker)
    }

    /// Tells which other worker has the allocation of a client that has none here.
    pub(crate) fn client_elsewhere(&self, five_tuple: FiveTuple) -> Option<u16> {
        // A connection never leaves the worker that accepted it.
        if five_tuple.is_connected() || self.client(five_tuple).is_some() {
            return None;
        }
        let worker = self.directory.client(five_tuple);
        worker.filter(|&worker| worker != self.worker)
    }

    pub(crate) fn allocation(&self, key: Key) -> Option<&Allocation> {
        self.allocations.get(key)
    }

    pub(crate) fn allocation_mut(&mut self, key: Key) -> Option<&mut Allocation> {
        self.allocations.get_mut(key)
    }

    pub(crate) fn allocations_mut(&mut self) -> impl Iterator<Item = &mut Allocation> {
        self.allocations.iter_mut()
    }

    /// Finds the allocations that were made with a time-limited username.
    pub(crate) fn made_with(&self, username: &str) -> Vec<Key> {
        let allocations = self.allocations.iter();
        let theirs = allocations.filter(|(_, allocation)| {
            allocation.credential_expires.is_some() && *allocation.username == *username
        });
        theirs.map(|(key, _)| key).collect()
    }

    pub(crate) fn relay(&self, relay: RelayId) -> Option<&Relay> {
        self.relays.get(relay.into())
    }

    pub(crate) fn relay_mut(&mut self, relay: RelayId) -> Option<&mut Relay> {
        self.relays.get_mut(relay.into())
    }

    /// Counts allocations.
    pub(crate) fn len(&self) -> usize {
        self.allocations.len()
    }

    /// Counts relays, those included whose socket is still to open.
    pub(crate) fn relays(&self) -> usize {
        self.relays.len()
    }

    pub(crate) fn insert(&mut self, allocation: Allocation) -> Key {
        let five_tuple = allocation.five_tuple;
        let key = self.allocations.insert(allocation);
        self.link(five_tuple, key);
        key
    }

    /// Lets an allocation be found by one more five-tuple.
    pub(crate) fn link(&mut self, five_tuple: FiveTuple, key: Key) {
        debug_assert_eq!(
            self.client(five_tuple),
            None,
            "two allocations for one five-tuple"
        );
        let hash = self.hasher.hash_one(five_tuple);
        self.by_client
            .insert_unique(hash, Entry { hash, key }, |entry| entry.hash);
        if !five_tuple.is_connected() {
            self.directory.client_came(five_tuple, self.worker);
        }
    }

    /// Lets an allocation no longer be found by this five-tuple.
    pub(crate) fn unlink(&mut self, five_tuple: FiveTuple, key: Key) {
        let former = Entry {
            hash: self.hasher.hash_one(five_tuple),
            key,
        };
        let Ok(entry) = self.by_client.find_entry(former.hash, |entry| *entry == former) else {
            return;
        };
        entry.remove();
        if !five_tuple.is_connected() {
            self.directory.client_left(five_tuple, self.worker);
        }
    }

    /// Adds a relay whose socket is still to open.
    pub(crate) fn insert_relay(&mut self, relay: Relay) -> RelayId {
        let (allocation, family) = (relay.allocation, Family::of(relay.address.local.ip()));
        let id = self.relays.insert(relay).into();
        if let Some(allocation) = self.allocations.get_mut(allocation) {
            allocation.relays[family.index()] = Some(id);
        }
        id
    }

    /// Makes an opening relay one that datagrams reach.
    pub(crate) fn open(&mut self, id: RelayId) {
        if let Some(relay) = self.relays.get_mut(id.into()) {
            relay.state = RelayState::Open;
            let local = relay.address.local;
            self.by_relay.insert(local, id);
            self.directory.relay_opened(local, self.worker);
        }
    }

    /// Forgets an allocation; its relays are removed one by one before.
    pub(crate) fn remove(&mut self, key: Key) -> Option<Allocation> {
        let allocation = self.allocations.remove(key)?;
        allocation
            .five_tuples()
            .for_each(|five_tuple| self.unlink(five_tuple, key));
        Some(allocation)
    }

    pub(crate) fn remove_relay(&mut self, id: RelayId) -> Option<Relay> {
        let relay = self.relays.remove(id.into())?;
        if relay.state == RelayState::Open {
            self.by_relay.remove(&relay.address.local);
            self.directory.relay_closed(relay.address.local, self.worker);
        }
        self.detach(relay.allocation, id);
        Some(relay)
    }

    /// Leaves an opening relay to itself until its answer comes.
    pub(crate) fn abandon_relay(&mut self, id: RelayId) {
        let Some(relay) = self.relays.get_mut(id.into()) else {
            return;
        };
        relay.state = RelayState::Abandoned;
        let allocation = relay.allocation;
        self.detach(allocation, id);
    }

    fn detach(&mut self, allocation: Key, id: RelayId) {
        if let Some(allocation) = self.allocations.get_mut(allocation) {
            allocation
                .relays
                .iter_mut()
                .filter(|relay| **relay == Some(id))
                .for_each(|relay| *relay = None);
        }
    }

    pub(crate) fn iter_relays(&self) -> impl Iterator<Item = (RelayId, &Relay)> {
        self.relays.iter().map(|(key, relay)| (key.into(), relay))
    }

    pub(crate) fn check_invariants(&self, limits: Limits) {
        let five_tuples = self.allocations.iter().flat_map(|(_, one)| one.five_tuples());
        assert_eq!(
            self.by_client.len(),
            five_tuples.count(),
            "five-tuples and those of allocations differ in number"
        );
        for (key, allocation) in self.allocations.iter() {
            assert!(
                allocation
                    .five_tuples()
                    .all(|five_tuple| self.client(five_tuple) == Some(key)),
                "an allocation is not found by its five-tuple"
            );
            for id in allocation.relay_ids() {
                let relay = self.relay(id).map(|relay| relay.allocation);
                assert_eq!(relay, Some(key), "an allocation's relay is gone or another's");
            }
            assert!(
                allocation.relay_ids().next().is_some(),
                "an allocation has no relay"
            );
            allocation
                .permissions
                .check_invariants(limits.permissions_per_allocation);
            allocation
                .channels
                .check_invariants(limits.channels_per_allocation);
        }
        let mut open = 0;
        for (id, relay) in self.iter_relays() {
            let family = Family::of(relay.address.local.ip()).index();
            let owner = self
                .allocation(relay.allocation)
                .and_then(|allocation| allocation.relays[family]);
            assert_eq!(
                owner == Some(id),
                relay.state != RelayState::Abandoned,
                "a relay has no allocation"
            );
            let is_open = relay.state == RelayState::Open;
            open += usize::from(is_open);
            let found = self.relay_at(relay.address.local) == Some(id);
            assert_eq!(
                found, is_open,
                "a relay is not found by its address exactly while it is open"
            );
        }
        assert_eq!(
            self.by_relay.len(),
            open,
            "relay addresses and open relays differ in number"
        );
    }
}

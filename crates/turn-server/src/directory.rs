//! Where relays and clients' allocations are, for all workers, without a lock.

mod register;

use std::{hash::Hash, net::SocketAddr, sync::Arc};

use ahash::RandomState;
use turn_core::{Directory, FiveTuple};

use self::register::Register;

/// A handle on the directory that the workers share.
#[derive(Clone)]
pub(crate) struct SharedDirectory(Arc<Registers>);

struct Registers {
    /// Strangers choose the keys, hence ahash with random seeds: they cannot fill one place with them.
    hasher: RandomState,
    relays: Register,
    clients: Register,
}

impl SharedDirectory {
    /// Makes one for so many allocations in all; `seed` is a secret.
    pub(crate) fn new(allocations: u32, seed: [u8; 32]) -> Self {
        let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|byte| seed[8 * at + byte]));
        // Beyond, a server would need more ports than sixteen addresses have.
        let allocations = allocations.min(1 << 20) as usize;
        Self(Arc::new(Registers {
            hasher: RandomState::with_seeds(word(0), word(1), word(2), word(3)),
            // An allocation has a relay or two, and two clients where its client has moved.
            relays: Register::for_up_to(2 * allocations),
            clients: Register::for_up_to(2 * allocations),
        }))
    }

    fn hash(&self, key: impl Hash) -> u64 {
        self.0.hasher.hash_one(key)
    }
}

impl Directory for SharedDirectory {
    fn relay_opened(&mut self, local: SocketAddr, worker: u16) {
        self.0.relays.insert(self.hash(local), worker);
    }

    fn relay_closed(&mut self, local: SocketAddr, worker: u16) {
        self.0.relays.remove(self.hash(local), worker);
    }

    fn relay(&self, local: SocketAddr) -> Option<u16> {
        self.0.relays.find(self.hash(local))
    }

    fn client_came(&mut self, client: FiveTuple, worker: u16) {
        self.0.clients.insert(self.hash(client), worker);
    }

    fn client_left(&mut self, client: FiveTuple, worker: u16) {
        self.0.clients.remove(self.hash(client), worker);
    }

    fn client(&self, client: FiveTuple) -> Option<u16> {
        self.0.clients.find(self.hash(client))
    }
}

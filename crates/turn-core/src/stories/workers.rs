//! Two workers of one server, with what they share and the rings between them.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Instant};

use super::{Heard, World};
use crate::{
    Account, Config, Directory, FiveTuple, Ledger, LedgerFull, Parked, Quota, ReservationToken, Share,
};

/// Both workers, each a world with a share of the ports.
pub(super) fn two_workers(change: impl Fn(&mut Config)) -> [World; 2] {
    #[expect(clippy::disallowed_types, reason = "the test plays the shell, which may lock")]
    let quota = Shared(Arc::new(std::sync::Mutex::new(Quota::default())));
    let whereabouts = Whereabouts::default();
    [0, 1].map(|index| {
        let mut world = World::with_ledger(quota.clone(), |config| {
            config.share = Share::new(index, 2).unwrap();
            change(config);
        });
        world.server = world.server.with_directory(Box::new(whereabouts.clone()));
        world
    })
}

/// Two workers that hand over what is to be handed over.
pub(super) struct Workers {
    pub(super) worlds: [World; 2],
    /// Where the last datagram was answered or sent on.
    pub(super) last: usize,
}

impl Workers {
    pub(super) fn new(change: impl Fn(&mut Config)) -> Self {
        Self {
            worlds: two_workers(change),
            last: 0,
        }
    }

    /// Sends a datagram from a client, which the kernel brings to the worker `at`.
    pub(super) fn hear(&mut self, at: usize, from: FiveTuple, datagram: &[u8]) -> Heard {
        let heard = self.worlds[at].hear(from, datagram);
        self.follow(at, heard)
    }

    /// Sends a datagram from a peer to a relay of the worker `at`.
    pub(super) fn hear_peer(&mut self, at: usize, relayed: SocketAddr, from: SocketAddr) -> Heard {
        let heard = self.worlds[at].hear_peer(relayed, from, b"from afar");
        self.follow(at, heard)
    }

    /// Ends a client's connection to the worker `at`.
    pub(super) fn disconnect(&mut self, at: usize, client: FiveTuple) {
        self.worlds[at].disconnect(client);
        self.tell(at);
    }

    pub(super) fn pass(&mut self, seconds: u64) {
        for at in [0, 1] {
            self.worlds[at].pass(seconds);
            self.tell(at);
        }
    }

    fn follow(&mut self, at: usize, heard: Heard) -> Heard {
        self.tell(at);
        let Heard::Worker {
            worker,
            errand,
            payload,
        } = heard
        else {
            self.last = at;
            return heard;
        };
        let other = usize::from(worker);
        assert_ne!(other, at, "a worker handed something to itself");
        let heard = self.worlds[other].hear_errand(at as u16, errand, &payload);
        self.follow(other, heard)
    }

    fn tell(&mut self, at: usize) {
        for (worker, errand) in std::mem::take(&mut self.worlds[at].told) {
            let heard = self.worlds[usize::from(worker)].hear_errand(at as u16, errand, b"");
            assert_eq!(heard, Heard::Done);
            self.tell(usize::from(worker));
        }
    }
}

/// One quota for several workers, as a shell would share it.
#[derive(Clone)]
#[expect(clippy::disallowed_types, reason = "the test plays the shell, which may lock")]
struct Shared(Arc<std::sync::Mutex<Quota>>);

impl Ledger for Shared {
    fn reserve(&mut self, user: Account<'_>) -> Result<(), LedgerFull> {
        self.0.lock().unwrap().reserve(user)
    }
    fn release(&mut self, user: Account<'_>) {
        self.0.lock().unwrap().release(user);
    }
    fn reserve_connection(&mut self, user: Account<'_>) -> Result<(), LedgerFull> {
        self.0.lock().unwrap().reserve_connection(user)
    }
    fn release_connection(&mut self, user: Account<'_>) {
        self.0.lock().unwrap().release_connection(user);
    }
    fn park(&mut self, token: ReservationToken, parked: Parked) {
        self.0.lock().unwrap().park(token, parked);
    }
    fn claim(&mut self, now: Instant, token: ReservationToken, user: &str, worker: u16) -> Option<Parked> {
        self.0.lock().unwrap().claim(now, token, user, worker)
    }
    fn give_back(&mut self, token: ReservationToken) {
        self.0.lock().unwrap().give_back(token);
    }
    fn unpark(&mut self, token: ReservationToken) -> Option<u16> {
        self.0.lock().unwrap().unpark(token)
    }
}

/// A directory that never errs.
#[derive(Clone, Default)]
#[expect(clippy::disallowed_types, reason = "the test plays the shell, which may lock")]
struct Whereabouts(Arc<std::sync::Mutex<Known>>);

#[derive(Default)]
struct Known {
    relays: BTreeMap<SocketAddr, u16>,
    clients: Vec<(FiveTuple, u16)>,
}

impl Directory for Whereabouts {
    fn relay_opened(&mut self, local: SocketAddr, worker: u16) {
        let former = self.0.lock().unwrap().relays.insert(local, worker);
        assert_eq!(former, None, "{local} is open twice");
    }
    fn relay_closed(&mut self, local: SocketAddr, worker: u16) {
        assert_eq!(self.0.lock().unwrap().relays.remove(&local), Some(worker));
    }
    fn relay(&self, local: SocketAddr) -> Option<u16> {
        self.0.lock().unwrap().relays.get(&local).copied()
    }
    fn client_came(&mut self, client: FiveTuple, worker: u16) {
        self.0.lock().unwrap().clients.push((client, worker));
    }
    fn client_left(&mut self, client: FiveTuple, worker: u16) {
        let clients = &mut self.0.lock().unwrap().clients;
        let at = clients.iter().position(|entry| *entry == (client, worker));
        clients.swap_remove(at.expect("nobody leaves who never came"));
    }
    fn client(&self, client: FiveTuple) -> Option<u16> {
        let clients = &self.0.lock().unwrap().clients;
        clients
            .iter()
            .find(|entry| entry.0 == client)
            .map(|entry| entry.1)
    }
}

//! One seed's world: the network, everyone on it, and the course of events.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use net_sim::{Delivery, HostId, Internet, Link};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use turn_core::{Now, Quota, QuotaLimits};

use crate::build::{Shared, Whereabouts, add_client, add_peers, worker};
use crate::client::{Client, Surroundings};
use crate::finale;
use crate::hostile::Hostile;
use crate::machine::{Emission, Machine, Tally};
use crate::peer::Peers;
use crate::plan::{LISTEN_PORT, Plan, SERVER, choose, ip};

/// Whom clients also ask permission for; the server's own port 22 is granted where sockets may reach it.
const FORBIDDEN: [&str; 8] = [
    "10.0.0.5:80",
    "127.0.0.1:80",
    "0.0.0.0:80",
    "169.254.169.254:80",
    "[::1]:80",
    "[::ffff:127.0.0.1]:80",
    "91.0.0.1:3478",
    "91.0.0.1:22",
];

pub(crate) struct World {
    plan: Plan,
    net: Internet,
    rng: StdRng,
    server: HostId,
    machine: Machine,
    clients: Vec<Client>,
    peers: Peers,
    hostile: Hostile,
    jump_at: Instant,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed ^ 0x0157_2EED);
        let plan = Plan::new(&mut rng);
        let mut net = Internet::new(seed);
        let now = net.now();
        let server = net.add_host(&SERVER.map(ip), Link::perfect());
        let clients = (0..plan.clients)
            .map(|index| add_client(&mut net, &mut rng, &plan, index))
            .collect();
        let peers = Peers::new(add_peers(&mut net), now);
        let hostile = Hostile::new(plan.hostile_pause, now);
        let quota = Quota::new(QuotaLimits {
            per_user: NonZeroU32::new(plan.user_quota).unwrap(),
            ..QuotaLimits::default()
        });
        let shared = Shared {
            quota: Arc::new(Mutex::new(quota)),
            whereabouts: Whereabouts::default(),
        };
        let workers = (0..plan.workers)
            .map(|index| worker(&mut rng, &plan, index, &shared))
            .collect();
        let machine = Machine::new(&plan, workers, shared);
        Self {
            plan,
            net,
            rng,
            server,
            machine,
            clients,
            peers,
            hostile,
            jump_at: now,
        }
    }

    /// Lives through the active time, waits until everything expired, and checks that nothing is left.
    pub(crate) fn live_and_die(&mut self) {
        let end = self.net.now() + self.plan.active;
        while self.net.now() < end {
            let next = self.next_event().min(end);
            match self.net.advance(next) {
                Some(delivery) => self.deliver(&delivery),
                None => self.act(),
            }
        }
        self.expire();
        let now = self.now();
        finale::assert_everything_is_free(&self.machine);
        finale::take_every_port(&mut self.machine, &self.plan, now);
    }

    /// What two runs of one seed have in common.
    pub(crate) fn summary(&self) -> (Tally, u64, Vec<(u64, u64)>) {
        let clients = self
            .clients
            .iter()
            .map(|client| (client.succeeded, client.received))
            .collect();
        (self.machine.tally.clone(), self.peers.received, clients)
    }

    fn next_event(&self) -> Instant {
        let fixed = [self.peers.due(), self.hostile.due(), self.jump_at];
        let clients = self.clients.iter().map(Client::due);
        clients.chain(fixed).chain(self.machine.due()).min().unwrap()
    }

    fn act(&mut self) {
        let now = self.now();
        let emissions = self.machine.wake(now, &mut self.rng);
        self.emit(emissions);
        for index in 0..self.clients.len() {
            if self.clients[index].due() <= now.instant {
                self.with_client(index, |client, around| client.act(around));
            }
        }
        let relays = self.relays();
        if self.peers.due() <= now.instant {
            self.peers.write_unasked(&mut self.net, &mut self.rng, &relays);
        }
        if self.hostile.due() <= now.instant {
            self.hostile.act(&mut self.net, &mut self.rng, &relays);
        }
        if self.jump_at <= now.instant {
            self.jump_calendar();
            self.machine.steering = self.rng.random_range(0..2);
        }
    }

    fn deliver(&mut self, delivery: &Delivery) {
        let datagram = &delivery.datagram;
        if delivery.host == self.server {
            let (from, to, bytes) = (datagram.source, datagram.destination, &datagram.payload);
            if to.port() == LISTEN_PORT && !bytes.is_empty() {
                self.hostile.overhear(from, to, bytes);
            }
            let now = self.now();
            let emissions = self.machine.receive(now, &mut self.rng, from, to, bytes);
            self.emit(emissions);
        } else if self.peers.owns(delivery.host) {
            self.peers.receive(&mut self.net, delivery.host, datagram);
        } else if let Some(index) = self
            .clients
            .iter()
            .position(|client| client.host == delivery.host)
        {
            // A former port of a client that started anew hears nothing.
            if self.clients[index].address == datagram.destination {
                assert_eq!(
                    datagram.source, self.clients[index].server,
                    "only the server may speak to a client"
                );
                self.with_client(index, |client, around| client.receive(&datagram.payload, around));
            }
        }
    }

    fn with_client(
        &mut self,
        index: usize,
        act: impl FnOnce(&mut Client, &mut Surroundings<'_>) -> Vec<Vec<u8>>,
    ) {
        let forbidden = FORBIDDEN.map(|address| address.parse().unwrap());
        let targets: Vec<_> = self
            .peers
            .addresses()
            .chain(self.relays())
            .chain(forbidden)
            .collect();
        let Now { instant: now, unix } = self.now();
        let client = &mut self.clients[index];
        let mut around = Surroundings {
            now,
            unix,
            rng: &mut self.rng,
            targets: &targets,
        };
        for bytes in act(client, &mut around) {
            self.net.send(client.host, client.address, client.server, &bytes);
        }
    }

    fn emit(&mut self, emissions: Vec<Emission>) {
        for Emission { from, to, payload } in emissions {
            self.net.send(self.server, from, to, &payload);
        }
    }

    /// The relayed addresses that clients believe they have.
    fn relays(&self) -> Vec<SocketAddr> {
        self.clients
            .iter()
            .flat_map(|client| client.relayed.iter().copied())
            .collect()
    }

    fn jump_calendar(&mut self) {
        self.jump_at = self.net.now() + Duration::from_secs(self.rng.random_range(30..600));
        if self.plan.clock_jumps {
            let by = Duration::from_secs(*choose(&mut self.rng, &[5, 3600, 86_400]));
            let clock = self.net.clock_mut();
            if self.rng.random() {
                clock.jump_forward(by)
            } else {
                clock.jump_backward(by)
            }
        }
    }

    /// Lets the longest lifetime pass with nobody active; late datagrams still arrive.
    fn expire(&mut self) {
        let end = self.net.now() + Duration::from_secs(2 * 3600);
        while self.net.now() < end {
            let next = self.machine.due().map_or(end, |due| due.min(end));
            match self.net.advance(next) {
                Some(delivery) if delivery.host == self.server => self.deliver(&delivery),
                Some(_) => {}
                None => {
                    let now = self.now();
                    let emissions = self.machine.wake(now, &mut self.rng);
                    self.emit(emissions);
                }
            }
        }
    }

    fn now(&self) -> Now {
        Now {
            instant: self.net.now(),
            unix: self.net.unix(),
        }
    }
}

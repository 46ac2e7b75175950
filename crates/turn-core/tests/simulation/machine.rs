//! The server's machine: workers, relay sockets, and what is on its way between them.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use rand::RngExt;
use rand::rngs::StdRng;
use stun_wire::{Message, TransactionId};
use turn_core::{
    EndReason, Errand, FiveTuple, HEADROOM, ListenerId, Now, OpenError, Output, Packet, RelayId, Server,
    Verdict, Via,
};

use crate::build::Shared;
use crate::hostile::is_looping_source;
use crate::oracle::{Fate, Oracle, Path};
use crate::plan::{LISTEN_PORT, Plan, is_own};

/// A datagram the machine sends, with addresses as the internet sees them.
#[derive(Debug)]
pub(crate) struct Emission {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) payload: Vec<u8>,
}

/// What happened, for the final accounts and for comparing runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) dropped: u64,
    pub(crate) answered: u64,
    pub(crate) relayed: u64,
    pub(crate) hairpinned: u64,
    pub(crate) moved: u64,
    pub(crate) created: u64,
    pub(crate) ended: u64,
}

pub(crate) struct Machine {
    pub(crate) workers: Vec<Server>,
    /// What each worker wants done.
    outputs: Vec<VecDeque<Output>>,
    pub(crate) shared: Shared,
    pub(crate) oracle: Oracle,
    pub(crate) tally: Tally,
    pub(crate) plan: Plan,
    /// Open relay sockets by the address they are bound to.
    pub(crate) sockets: BTreeMap<SocketAddr, (usize, RelayId)>,
    /// Changes when the kernel brings clients to other workers than before.
    pub(crate) steering: usize,
    opening: Vec<Opening>,
    /// Requests whose answer is pending.
    pub(crate) unanswered: BTreeMap<(Path, [u8; 12]), Asked>,
    pub(crate) emissions: Vec<Emission>,
}

/// A request and when it came.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) at: Instant,
    pub(crate) bytes: Vec<u8>,
}

#[derive(Debug)]
struct Opening {
    worker: usize,
    relay: RelayId,
    address: SocketAddr,
    done_at: Instant,
}

impl Machine {
    pub(crate) fn new(plan: &Plan, workers: Vec<Server>, shared: Shared) -> Self {
        Self {
            outputs: workers.iter().map(|_| VecDeque::new()).collect(),
            workers,
            shared,
            oracle: Oracle::new(plan),
            tally: Tally::default(),
            plan: plan.clone(),
            sockets: BTreeMap::new(),
            steering: 0,
            opening: Vec::new(),
            unanswered: BTreeMap::new(),
            emissions: Vec::new(),
        }
    }

    /// Takes a datagram from the network and returns what is sent because of it.
    pub(crate) fn receive(
        &mut self,
        now: Now,
        rng: &mut StdRng,
        from: SocketAddr,
        to: SocketAddr,
        bytes: &[u8],
    ) -> Vec<Emission> {
        if to.port() == LISTEN_PORT {
            self.receive_from_client(now, (from, to), bytes);
        } else if let Some(&(worker, relay)) = self.sockets.get(&self.plan.inside(to)) {
            self.receive_from_peer(now, worker, relay, from, to, bytes);
        } else {
            return Vec::new();
        }
        self.settle(now, rng)
    }

    /// The next time at which [`Self::wake`] has something to do.
    pub(crate) fn due(&self) -> Option<Instant> {
        let timeouts = self.workers.iter().filter_map(Server::poll_timeout);
        timeouts
            .chain(self.opening.iter().map(|opening| opening.done_at))
            .min()
    }

    /// Runs timeouts and finishes the opening of sockets.
    pub(crate) fn wake(&mut self, now: Now, rng: &mut StdRng) -> Vec<Emission> {
        for worker in 0..self.workers.len() {
            if self.workers[worker]
                .poll_timeout()
                .is_some_and(|at| at <= now.instant)
            {
                self.workers[worker].handle_timeout(now);
                let next = self.workers[worker].poll_timeout();
                assert!(
                    next.is_none_or(|at| at > now.instant),
                    "a timeout that does not pass"
                );
                self.collect(worker, None);
            }
        }
        self.settle(now, rng)
    }

    /// Whether a socket is open, or a client still waits for one.
    pub(crate) fn is_busy(&self) -> bool {
        !self.sockets.is_empty() || !self.opening.is_empty() || !self.unanswered.is_empty()
    }

    /// Which worker the kernel picks: the same one for the same source, until the number of sockets changes.
    pub(crate) fn worker_for(&self, client: SocketAddr) -> usize {
        let host: u16 = match client.ip() {
            IpAddr::V4(ip) => ip.octets().map(u16::from).iter().sum(),
            IpAddr::V6(ip) => ip.segments()[7],
        };
        (usize::from(host.wrapping_add(client.port())) + self.steering) % self.workers.len()
    }

    fn receive_from_client(&mut self, now: Now, path: Path, bytes: &[u8]) {
        let fate = self.oracle.fate_from_client(now.instant, path, bytes);
        let worker = self.worker_for(path.0);
        let listener = ListenerId(u16::from(path.1.is_ipv6()));
        let five_tuple = FiveTuple::udp(listener, path.0, self.plan.inside(path.1));
        let mut buffer = buffer_with(bytes);
        let mut packet = Packet::new(&mut buffer, HEADROOM, bytes.len());
        let mut verdict = self.workers[worker].handle_client(now, five_tuple, &mut packet);
        self.collect(worker, Some(path));
        // The worker that has the datagram, and the one that decided where it goes.
        let (mut at, mut holder) = (worker, worker);
        let mut hops = 0;
        while let Verdict::Send {
            via: Via::Worker {
                worker: other,
                errand,
            },
            ..
        } = verdict
        {
            let other = usize::from(other);
            // Found by its way or in the directory, handed back, then to another relay's: no datagram goes round.
            hops += 1;
            assert!(hops <= 3 && other != at, "{path:?} goes round");
            verdict = self.workers[other].handle_errand(now, at as u16, errand, &mut packet);
            self.workers[other].check_invariants();
            self.collect(other, Some(path));
            at = other;
            if !matches!(errand, Errand::Hairpin { .. }) {
                holder = other;
            }
        }
        let out = packet.payload().to_vec();
        if is_looping_source(path.0) {
            assert!(
                matches!(verdict, Verdict::Drop(_)),
                "{path:?} may loop for ever, but: {verdict:?}"
            );
        }
        if matches!(fate, Fate::ToPeer { .. } | Fate::ToOwnRelay { .. }) {
            assert!(
                self.oracle.is_home(path),
                "{path:?} has sent data and is not where its client is"
            );
        }
        if fate == Fate::Request {
            self.judge_request(now, path, bytes, verdict, out);
        } else {
            self.judge(now, holder, &fate, verdict, out);
        }
    }

    fn receive_from_peer(
        &mut self,
        now: Now,
        worker: usize,
        relay: RelayId,
        from: SocketAddr,
        to: SocketAddr,
        bytes: &[u8],
    ) {
        // Our own address is the machine itself, or a forger.
        let closed = is_own(from.ip()) && !self.plan.own_open;
        let fate = if closed {
            Fate::Nowhere
        } else {
            self.oracle.fate_from_peer(now.instant, to, from, bytes)
        };
        let mut buffer = buffer_with(bytes);
        let mut packet = Packet::new(&mut buffer, HEADROOM, bytes.len());
        let verdict = self.workers[worker].handle_peer(now, relay, self.plan.inside(from), &mut packet);
        self.collect(worker, None);
        let out = packet.payload().to_vec();
        self.judge(now, worker, &fate, verdict, out);
    }

    /// Takes what a worker wants done after a call, with the path of the client whose datagram it was about. That a
    /// client has moved is noted before its datagram is judged.
    fn collect(&mut self, worker: usize, path: Option<Path>) {
        self.workers[worker].check_invariants();
        while let Some(output) = self.workers[worker].poll_output() {
            if let Output::ClientMoved { from, to, .. } = &output {
                let (from, to) = (self.path(*from), self.path(*to));
                assert_eq!(Some(to), path, "only its own datagram moves a client");
                self.oracle.moved(from, to);
                self.tally.moved += 1;
            }
            self.outputs[worker].push_back(output);
        }
    }

    /// Performs all outputs, and hands over what is to be sent.
    fn settle(&mut self, now: Now, rng: &mut StdRng) -> Vec<Emission> {
        loop {
            let waiting = self.outputs.iter().position(|outputs| !outputs.is_empty());
            if let Some(worker) = waiting {
                let output = self.outputs[worker].pop_front().unwrap();
                self.perform(now, rng, worker, output);
                continue;
            }
            let done = |opening: &Opening| opening.done_at <= now.instant;
            let Some(at) = self.opening.iter().position(done) else {
                break;
            };
            let Opening {
                worker,
                relay,
                address,
                ..
            } = self.opening.remove(at);
            let result = self.open(rng, worker, relay, address);
            self.workers[worker].relay_opened(now, relay, result);
            self.collect(worker, None);
        }
        std::mem::take(&mut self.emissions)
    }

    /// Brings another worker a word without a datagram.
    fn tell(&mut self, now: Now, sender: usize, worker: u16, errand: Errand) {
        let worker = usize::from(worker);
        let mut buffer = buffer_with(&[]);
        let mut packet = Packet::new(&mut buffer, HEADROOM, 0);
        let verdict = self.workers[worker].handle_errand(now, sender as u16, errand, &mut packet);
        assert!(matches!(verdict, Verdict::Done), "{errand:?} became {verdict:?}");
        self.collect(worker, None);
    }

    fn perform(&mut self, now: Now, rng: &mut StdRng, worker: usize, output: Output) {
        match output {
            Output::OpenRelay { relay, address, .. } => {
                let ours = is_own(address.ip()) && self.plan.inside(address) == address;
                assert!(
                    ours && self.plan.is_relay_port(address.port()),
                    "a relay at {address}"
                );
                let done_at = now.instant + self.plan.opening.mul_f64(rng.random::<f64>());
                self.opening.push(Opening {
                    worker,
                    relay,
                    address,
                    done_at,
                });
            }
            Output::CloseRelay { relay } => {
                let before = self.sockets.len();
                self.sockets.retain(|_, owner| *owner != (worker, relay));
                assert_eq!(
                    self.sockets.len() + 1,
                    before,
                    "{relay:?} was closed but not open"
                );
            }
            Output::SendToClient { to, datagram } => {
                let path = self.path(to);
                let TransactionId(id) = Message::parse(&datagram).unwrap().transaction_id();
                let asked = self
                    .unanswered
                    .remove(&(path, id))
                    .expect("an answer that nobody waits for");
                self.answer(now, path, &asked, datagram);
            }
            Output::ConnectPeer { .. } | Output::ConnectRelay { .. } | Output::ClosePeer { .. } => {
                panic!("TCP relays are off")
            }
            Output::Tell {
                worker: other,
                errand,
            } => self.tell(now, worker, other, errand),
            // It was noted when it came.
            Output::ClientMoved { .. } => {}
            Output::HoldConnection { .. } => panic!("nobody has a connection"),
            Output::GuessedWrong { .. } => panic!("it is not asked for"),
            Output::AllocationCreated { .. } => self.tally.created += 1,
            Output::AllocationEnded {
                reason: EndReason::NotOpened,
                ..
            } => {}
            Output::AllocationEnded {
                five_tuple, reason, ..
            } => {
                self.tally.ended += 1;
                if reason == EndReason::Freed {
                    self.oracle.freed(self.path(five_tuple));
                }
            }
        }
    }

    fn open(
        &mut self,
        rng: &mut StdRng,
        worker: usize,
        relay: RelayId,
        address: SocketAddr,
    ) -> Result<(), OpenError> {
        assert!(!self.sockets.contains_key(&address), "{address} is already open");
        if rng.random_bool(self.plan.opening_fails) {
            let rare = rng.random_bool(0.2);
            return Err(if rare {
                OpenError::TooManyDescriptors
            } else {
                OpenError::AddressInUse
            });
        }
        self.sockets.insert(address, (worker, relay));
        Ok(())
    }

    pub(crate) fn path(&self, five_tuple: FiveTuple) -> Path {
        (five_tuple.client, self.plan.outside(five_tuple.server))
    }
}

fn buffer_with(bytes: &[u8]) -> Vec<u8> {
    // Not zero, so that a byte the server forgets to write shows.
    let mut buffer = vec![0xA5; 2048.max(HEADROOM + bytes.len() + 8)];
    buffer[HEADROOM..HEADROOM + bytes.len()].copy_from_slice(bytes);
    buffer
}

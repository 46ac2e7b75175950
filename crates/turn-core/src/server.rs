//! The entry points, and nothing else.

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use ahash::RandomState;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use stun_wire::{Class, Kind, Message, Method, PasswordAlgorithm, TransactionId, classify};

use crate::{
    addresses::Addresses,
    allocation::Vouched,
    challenge_limit::ChallengeLimit,
    config::{Config, Limits},
    counters::{CountedMethod, Counters},
    credentials::User,
    deadlines::Deadlines,
    directory::Directory,
    freed::Freed,
    indication::read_send,
    nonce::Nonces,
    output::{DropReason, EndReason, Output, Verdict, Via},
    packet::Packet,
    quota::Ledger,
    redirect::Redirect,
    reservations::Reservations,
    revoked::Revoked,
    routes::Routes,
    table::Table,
    tcp_relay::Peers,
    tickets::Tickets,
    types::{FiveTuple, Now, RelayId},
};

/// Serves the clients of one worker.
pub struct Server {
    pub(crate) config: Config,
    /// The largest limits there have been: what was granted under them stays.
    pub(crate) most: Limits,
    /// The number of the credentials in `config`.
    pub(crate) vouched: Vouched,
    /// The password algorithms that went with those before them.
    pub(crate) offered_before: &'static [PasswordAlgorithm],
    pub(crate) binding: stun_core::Config,
    pub(crate) ledger: Box<dyn Ledger + Send>,
    pub(crate) addresses: Addresses,
    pub(crate) table: Table,
    pub(crate) peers: Peers,
    pub(crate) reservations: Reservations,
    pub(crate) routes: Routes,
    pub(crate) tickets: Tickets,
    pub(crate) redirect: Redirect,
    pub(crate) freed: Freed,
    pub(crate) deadlines: Deadlines,
    pub(crate) nonces: Nonces,
    pub(crate) challenge_limit: Option<ChallengeLimit>,
    pub(crate) revoked: Revoked,
    /// Stands in for users that do not exist.
    pub(crate) nobody: User,
    pub(crate) indication_ids: IndicationIds,
    pub(crate) rng: StdRng,
    pub(crate) outputs: VecDeque<Output>,
    pub(crate) counters: Counters,
}

impl Server {
    /// Starts without allocations, as the only worker. `seed` feeds ports, tokens and the hashing of tables: take it from the
    /// system's random source, another one for each worker.
    pub fn new(mut config: Config, ledger: Box<dyn Ledger + Send>, seed: [u8; 32]) -> Self {
        config
            .software
            .take_if(|software| software.len() > MAX_SOFTWARE_LEN);
        let mut rng = StdRng::from_seed(seed);
        let hasher = RandomState::with_seeds(rng.random(), rng.random(), rng.random(), rng.random());
        let challenge_limit = config
            .unauthorized_limit
            .map(|limit| ChallengeLimit::new(limit, hasher.clone()));
        Self {
            most: config.limits,
            vouched: Vouched::default(),
            offered_before: config.credentials.algorithms(),
            binding: stun_core::Config {
                software: config.software.clone(),
                classic: config.classic_stun,
                behaviours: Vec::new(),
                listeners: config.listeners.clone(),
            },
            ledger,
            addresses: Addresses::new(&config),
            table: Table::new(&hasher, config.share.index()),
            peers: Peers::new(config.share),
            revoked: Revoked::default(),
            routes: Routes::new(hasher, config.limits.allocations),
            tickets: Tickets::new(&config.nonce_key),
            redirect: Redirect::default(),
            reservations: Reservations::default(),
            freed: Freed::default(),
            deadlines: Deadlines::default(),
            nonces: Nonces::new(&config),
            challenge_limit,
            nobody: User::nobody(&mut rng),
            indication_ids: IndicationIds::new(&mut rng),
            rng,
            outputs: VecDeque::new(),
            counters: Counters::default(),
            config,
        }
    }

    /// Tells it of the other workers, before its first datagram.
    #[must_use]
    pub fn with_directory(mut self, directory: Box<dyn Directory + Send>) -> Self {
        self.table.set_directory(directory);
        self
    }

    /// Takes a datagram that a listener received.
    pub fn handle_client(&mut self, now: Now, from: FiveTuple, packet: &mut Packet<'_>) -> Verdict {
        let verdict = match self.routes.owner(now.instant, from) {
            Some(worker) => Ok(self.hand_over(from, worker)),
            None => match self.serve(now, from, packet, Arrival::Here) {
                // Only now, so that whoever is at the right worker pays nothing for it. The packet is as it came.
                Err(DropReason::NoAllocation) => self.seek(from, packet),
                served => served,
            },
        };
        self.settle(verdict)
    }

    /// Takes a datagram that a relay socket received.
    pub fn handle_peer(
        &mut self,
        now: Now,
        relay: RelayId,
        from: SocketAddr,
        packet: &mut Packet<'_>,
    ) -> Verdict {
        let verdict = self.relay_to_client(now, relay, from, packet);
        self.settle(verdict)
    }

    /// Takes that a client's connection is gone: its allocation ends, unless the client may come back with a ticket.
    pub fn client_disconnected(&mut self, now: Now, client: FiveTuple) {
        self.tell_gone(client);
        if let Some(key) = self.table.client(client)
            && !self.hold(key, client)
        {
            self.end_allocation(now, key, EndReason::Disconnected);
        }
        self.after_change();
    }

    /// Takes the addresses this machine has now, in place of all it had before.
    ///
    /// Permissions and channels towards one that the policy does not open reach only relays from here on. All
    /// allocations are visited for that: call it when something has changed.
    pub fn set_host_addresses(&mut self, addresses: Vec<IpAddr>) {
        let policy = &self.config.policy;
        let is_closed = |ip: IpAddr| addresses.contains(&ip) && !policy.opens(ip);
        for allocation in self.table.allocations_mut() {
            allocation.permissions.narrow(is_closed);
            allocation.channels.narrow(is_closed);
        }
        self.addresses.set_hosts(addresses);
    }

    /// Tells whether a shell may answer what came from there and is not for [`Server::handle_client`]; if not, that is
    /// counted as a datagram that died.
    pub fn may_answer(&mut self, from: FiveTuple) -> bool {
        let checked = self.check_source(from);
        checked.map_err(|reason| self.counters.count_drop(reason)).is_ok()
    }

    /// Gives the next effect. **Drain it to `None` after every call that takes `now`.**
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Tells when `handle_timeout` wants to be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// Shows what was counted since the start.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Serves a client whose allocation no other worker is known to hold.
    pub(crate) fn serve(
        &mut self,
        now: Now,
        from: FiveTuple,
        packet: &mut Packet<'_>,
        arrival: Arrival,
    ) -> Result<Verdict, DropReason> {
        match packet.payload().first().map(|&byte| classify(byte)) {
            Some(Kind::ChannelData) => self.relay_channel_data(now, from, packet),
            Some(Kind::Stun) => self.handle_message(now, from, packet, arrival),
            Some(Kind::Dtls | Kind::Other) => Err(DropReason::NotTurn),
            None => Err(DropReason::Empty),
        }
    }

    fn handle_message(
        &mut self,
        now: Now,
        from: FiveTuple,
        packet: &mut Packet<'_>,
        arrival: Arrival,
    ) -> Result<Verdict, DropReason> {
        let Ok(message) = Message::parse(packet.payload()) else {
            return self.handle_classic(from, packet);
        };
        if message.verify_fingerprint() == Some(false) {
            return Err(DropReason::BadFingerprint);
        }
        let (class, method) = (message.class(), message.method());
        if matches!(class, Class::Success | Class::Error) {
            return Err(DropReason::Response);
        }
        if let Some(worker) = self.redeeming_worker(&message)
            && worker != self.config.share.index()
            && self.table.client(from).is_none()
        {
            return Ok(self.hand_over(from, worker));
        }
        if arrival == Arrival::Here
            && class == Class::Request
            && method != Method::BINDING
            && let Some(worker) = self.table.client_elsewhere(from)
        {
            return Ok(self.hand_over(from, worker));
        }
        if (class, method) == (Class::Indication, Method::SEND) {
            let send = read_send(&message, self.config.can_set_df);
            let verdict = send.and_then(|send| self.relay_send(now, from, send, packet));
            // It may be another worker's to count: that is found out next.
            if verdict != Err(DropReason::NoAllocation) || arrival == Arrival::HandedOver {
                self.counters.count_request(CountedMethod::Send, from.transport);
            }
            return verdict;
        }
        self.counters
            .count_request(CountedMethod::of(method), from.transport);
        match (class, method) {
            (Class::Indication, Method::BINDING) => Err(DropReason::Keepalive),
            (Class::Request, Method::BINDING) => self.answer_binding(from, packet),
            (
                Class::Request,
                Method::ALLOCATE | Method::REFRESH | Method::CREATE_PERMISSION | Method::CHANNEL_BIND,
            ) => {
                self.check_source(from)?;
                self.handle_request(now, from, packet)
            }
            (Class::Request, Method::CONNECT | Method::CONNECTION_BIND)
                if self.config.tcp_relay.is_some() =>
            {
                self.check_source(from)?;
                match self.worker_to_bind(from, &message) {
                    Some(worker) => Ok(Verdict::HandOver { worker }),
                    None => self.handle_request(now, from, packet),
                }
            }
            (Class::Request | Class::Indication | Class::Success | Class::Error, _) => {
                Err(DropReason::UnknownMethod)
            }
        }
    }

    /// Looks for a client without an allocation here among those of other workers: the kernel chooses the worker by the
    /// number of sockets on a port, and that may change.
    fn seek(&mut self, from: FiveTuple, packet: &Packet<'_>) -> Result<Verdict, DropReason> {
        if let Some(worker) = self.table.client_elsewhere(from) {
            return Ok(self.hand_over(from, worker));
        }
        if packet.payload().starts_with(&SEND_INDICATION) {
            self.counters.count_request(CountedMethod::Send, from.transport);
        }
        Err(DropReason::NoAllocation)
    }

    /// What is no message with a magic cookie may still be a Binding request of RFC 3489.
    fn handle_classic(&mut self, from: FiveTuple, packet: &mut Packet<'_>) -> Result<Verdict, DropReason> {
        if !self.config.classic_stun || Message::parse_classic(packet.payload()).is_err() {
            return Err(DropReason::Malformed);
        }
        self.counters
            .count_request(CountedMethod::Binding, from.transport);
        self.answer_binding(from, packet)
    }

    fn answer_binding(&mut self, from: FiveTuple, packet: &mut Packet<'_>) -> Result<Verdict, DropReason> {
        self.check_source(from)?;
        self.check_health(packet.payload())?;
        let received = stun_core::Received {
            source: from.client,
            destination: from.server,
            connected: from.is_connected(),
        };
        packet
            .answer_in_place(|buffer, len| {
                stun_core::answer(&self.binding, received, buffer, len).map(|reply| reply.len)
            })
            .map_err(|_| DropReason::BindingRefused)?;
        Ok(Verdict::Send {
            via: Via::Client(from),
            to: from.client,
        })
    }

    /// Refuses to answer those who would answer our answer (CVE-2024-2169 and its kind).
    fn check_source(&self, from: FiveTuple) -> Result<(), DropReason> {
        /// Unspecified, quote of the day, character generator, time, DNS, NTP: services that answer
        /// anything.
        const REFLECTING: [u16; 5] = [0, 17, 19, 53, 123];
        // Who set up a connection is no reflector, whatever its port.
        if from.is_connected() {
            return Ok(());
        }
        if REFLECTING.contains(&from.client.port()) {
            return Err(DropReason::ReflectingPort);
        }
        if from.client == from.server || self.addresses.is_listener(from.client) {
            return Err(DropReason::OwnListener);
        }
        Ok(())
    }

    pub(crate) fn settle(&mut self, verdict: Result<Verdict, DropReason>) -> Verdict {
        verdict.unwrap_or_else(|reason| {
            self.counters.count_drop(reason);
            Verdict::Drop(reason)
        })
    }
}

/// Says how a client's datagram got to this worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// The kernel brought it.
    Here,
    /// Another worker handed it over, or handed it back: it is served here.
    HandedOver,
}

/// How a Send indication begins (RFC 8656 §11.1).
const SEND_INDICATION: [u8; 2] = [0x00, 0x16];

/// RFC 8489 §14.14 allows less than 128 characters; answers stay small if these are bytes.
const MAX_SOFTWARE_LEN: usize = 127;

/// Numbers Data indications. Nobody answers them, so they need not be unpredictable, only different.
pub(crate) struct IndicationIds {
    prefix: u32,
    count: u64,
}

impl IndicationIds {
    fn new(rng: &mut StdRng) -> Self {
        Self {
            prefix: rng.random(),
            count: rng.random(),
        }
    }

    pub(crate) fn next(&mut self) -> TransactionId {
        self.count = self.count.wrapping_add(1);
        let mut id = [0; 12];
        id[..4].copy_from_slice(&self.prefix.to_be_bytes());
        id[4..].copy_from_slice(&self.count.to_be_bytes());
        TransactionId(id)
    }
}

//! The loop of one worker: wait, receive, decide, send.

#[cfg_attr(not(feature = "dtls"), path = "worker/dtls_absent.rs")]
pub(crate) mod dtls;
mod effects;
pub(crate) mod mail;
mod names;
mod news;
mod tcp_relay;

use std::{
    collections::VecDeque,
    io, mem,
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use datagram_io::{Batch, Inbox, Origin, Outbox, ReadyList, Slot, Sockets, Stop};
use mio::{Events, Poll, Token};
use peer_io::Peers;
use stream_io::Streams;
use telemetry::BindingRequests;
use turn_core::{Errand, FiveTuple, Icmp, Link, ListenerId, Now, Packet, Server, Transport, Verdict, Via};

pub(crate) use news::News;

use self::{
    dtls::Dtls,
    mail::Mail,
    names::{arrived, connected, connection, leaving, listener, relay_id, relay_socket},
};
use crate::{
    clock::Clock,
    figures::{Published, Sources},
};

/// The token that ends a wait; sockets have theirs by index, what has to do with peers that connect from
/// [`peer_io::FIRST_TOKEN`] on, connections of clients from [`stream_io::FIRST_TOKEN`] on.
pub(crate) const WAKER: Token = Token(usize::MAX);

/// Datagrams decided about at a time. More make a batch outgrow the processor's caches.
const BATCH: usize = 64;
/// A listener carries many clients: take as many as there are.
const FROM_LISTENER: usize = 32;
/// A relay socket carries one client: most often there is one datagram, and one call tells that.
const FROM_RELAY: usize = 4;
/// ICMP errors about the datagrams of one relay that are passed on at a time.
const ICMP_AT_ONCE: usize = 4;
/// How a Binding request begins (RFC 8489 §5).
const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
/// How late the published figures may be. Publishing costs less than one datagram.
const PUBLISH_EVERY: Duration = Duration::from_millis(100);
/// How long another worker's full ring is left alone before it is asked again for room for a word.
const TELL_AGAIN_AFTER: Duration = Duration::from_millis(1);

/// Everything one worker owns. Other threads know only `stop`, `news`, `mail`, the rings, `published` and the directory.
pub(crate) struct Worker {
    poll: Poll,
    events: Events,
    sockets: Sockets,
    streams: Streams,
    dtls: Dtls,
    peers: Peers,
    listeners: u32,
    batch: Batch,
    /// One slot for answers that are not in the buffer of a request.
    deferred: Batch,
    core: Server,
    news: News,
    clock: Clock,
    /// Counted as in `turn_core::Share`.
    index: u16,
    inbox: Inbox<Note>,
    /// What the datagrams in the batch are that came from the inbox.
    notes: Vec<Note>,
    /// By worker; none for this one.
    outboxes: Vec<Option<Outbox<Note>>>,
    /// What another worker is to be told when its ring has room again.
    untold: VecDeque<(u16, Errand)>,
    mail: Mail,
    stop: Stop,
    /// Relay sockets that may hold datagrams: those `mio` named, and those that were not drained.
    ready: ReadyList,
    /// Listeners likewise.
    listening: ReadyList,
    /// Sockets that may hold ICMP errors.
    failing: ReadyList,
    published: Arc<Published>,
    binding_requests: ByTransport<BindingRequests>,
    /// Binding requests answered since they were last published, over IPv4 and IPv6.
    bindings: ByTransport<[u64; 2]>,
    published_at: Instant,
    unpublished: bool,
    /// The last reading of the clock; what has passed since is too little to shorten a wait by.
    woken_at: Instant,
    worker_busy: u64,
}

/// In the order of [`Transport::ALL`].
type ByTransport<T> = [T; Transport::ALL.len()];

/// What goes from worker to worker with a datagram, or alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Note {
    sender: u16,
    errand: Errand,
    /// The IP header that the datagram would have if it had gone through a socket.
    fields: turn_core::HeaderFields,
}

/// A verdict, and the window and the header fields of what it sends.
type Decided = (Verdict, Range<usize>, turn_core::HeaderFields);

/// What [`Worker::new`] puts together.
pub(crate) struct Parts {
    pub(crate) index: u16,
    pub(crate) poll: Poll,
    pub(crate) sockets: Sockets,
    pub(crate) streams: Streams,
    pub(crate) dtls: Dtls,
    pub(crate) peers: Peers,
    pub(crate) listeners: u32,
    pub(crate) core: Server,
    pub(crate) news: News,
    pub(crate) inbox: Inbox<Note>,
    pub(crate) outboxes: Vec<Option<Outbox<Note>>>,
    pub(crate) mail: Mail,
    pub(crate) stop: Stop,
    pub(crate) published: Arc<Published>,
    pub(crate) binding_requests: ByTransport<BindingRequests>,
}

impl Worker {
    pub(crate) fn new(parts: Parts) -> Self {
        let now = Instant::now();
        Self {
            poll: parts.poll,
            events: Events::with_capacity(512),
            sockets: parts.sockets,
            streams: parts.streams,
            dtls: parts.dtls,
            peers: parts.peers,
            listeners: parts.listeners,
            batch: Batch::new(BATCH),
            deferred: Batch::new(1),
            core: parts.core,
            news: parts.news,
            clock: Clock::new(),
            index: parts.index,
            inbox: parts.inbox,
            notes: Vec::with_capacity(BATCH),
            outboxes: parts.outboxes,
            untold: VecDeque::new(),
            mail: parts.mail,
            stop: parts.stop,
            ready: ReadyList::default(),
            listening: ReadyList::default(),
            failing: ReadyList::default(),
            published: parts.published,
            binding_requests: parts.binding_requests,
            bindings: Default::default(),
            published_at: now,
            unpublished: true,
            woken_at: now,
            worker_busy: 0,
        }
    }

    /// Serves until it is told to stop.
    pub(crate) fn run(mut self) -> io::Result<()> {
        while !self.stop.is_requested() {
            self.wait()?;
            let now = self.clock.read();
            self.woken_at = now.instant;
            self.news.tell(&mut self.core);
            self.tell_again();
            if self
                .core
                .poll_timeout()
                .is_some_and(|deadline| deadline <= now.instant)
            {
                self.core.handle_timeout(now);
                self.perform_outputs(now);
                self.unpublished = true;
            }
            self.streams.handle_timeout(now.instant);
            self.handle_dtls_timeout(now);
            self.dtls.begin_round();
            self.serve_peers(now);
            self.receive(now);
            if self.unpublished && now.instant >= self.published_at + PUBLISH_EVERY {
                self.publish(now.instant);
            }
        }
        self.close_dtls();
        self.publish(Instant::now());
        Ok(())
    }

    /// Waits for a datagram, the next deadline, or a word from another thread.
    fn wait(&mut self) -> io::Result<()> {
        let sockets = self.ready.is_empty() && self.listening.is_empty() && self.failing.is_empty();
        let idle = sockets && self.streams.is_idle() && self.peers.is_idle();
        let waiting = self.inbox.about_to_wait() && idle;
        let timeout = if waiting {
            self.time_left()
        } else {
            Some(Duration::ZERO)
        };
        if let Err(error) = self.poll.poll(&mut self.events, timeout)
            && error.kind() != io::ErrorKind::Interrupted
        {
            return Err(error);
        }
        self.inbox.awake();
        for event in &self.events {
            if event.token() == WAKER {
                continue;
            }
            if self.peers.note(event) || self.streams.note(event) {
                self.unpublished = true;
                continue;
            }
            let index = event.token().0 as u32;
            if index < self.listeners {
                self.listening.add(index);
            } else {
                self.ready.add(index);
            }
            if event.is_error() {
                self.failing.add(index);
            }
        }
        Ok(())
    }

    fn time_left(&self) -> Option<Duration> {
        let publish_at = self.unpublished.then(|| self.published_at + PUBLISH_EVERY);
        let tell_again_at = (!self.untold.is_empty()).then(|| self.woken_at + TELL_AGAIN_AFTER);
        let deadlines = [
            self.core.poll_timeout(),
            self.streams.poll_timeout(),
            self.dtls.poll_timeout(),
            self.peers.poll_timeout(),
            publish_at,
            tell_again_at,
        ];
        let deadline = deadlines.into_iter().flatten().min()?;
        Some(deadline.saturating_duration_since(self.woken_at))
    }

    /// Receives once from each ready socket and connection and from the other workers; what is not drained stays
    /// ready.
    fn receive(&mut self, now: Now) {
        let mut now = now;
        let mut failing = mem::take(&mut self.failing);
        failing.visit(|index| {
            let readiness = self.sockets.receive_icmp(index, &mut self.batch, ICMP_AT_ONCE);
            if self.batch.is_full() {
                self.decide(now);
            }
            readiness
        });
        self.failing = failing;
        let mut ready = mem::take(&mut self.ready);
        now = self.receive_from_listeners(now);
        let mut since = 0;
        ready.visit(|index| {
            if since >= FROM_LISTENER {
                since = 0;
                now = self.receive_from_listeners(now);
            }
            let before = self.batch.filled().len();
            let readiness = self.sockets.receive(index, &mut self.batch, FROM_RELAY);
            since += self.batch.filled().len() - before;
            if self.batch.is_full() {
                self.decide(now);
                now = self.clock.read();
            }
            readiness
        });
        self.ready = ready;
        self.streams.begin_round();
        while self.streams.receive(now.instant, &mut self.batch) {
            self.decide(now);
            now = self.clock.read();
        }
        self.inbox.receive(&mut self.batch, &mut self.notes);
        self.decide(now);
    }

    /// Receives once from each ready listener. Each carries many clients, who send as much as all their peers do: so it
    /// has a turn for as many datagrams of relays as it has in one itself, however many relays are ready.
    fn receive_from_listeners(&mut self, mut now: Now) -> Now {
        let mut listening = mem::take(&mut self.listening);
        listening.visit(|index| {
            let readiness = self.sockets.receive(index, &mut self.batch, FROM_LISTENER);
            if self.batch.is_full() {
                self.decide(now);
                now = self.clock.read();
            }
            readiness
        });
        self.listening = listening;
        now
    }

    /// Asks the core about each datagram of the batch, then sends what it marked; until there is none left of the runs
    /// in it.
    fn decide(&mut self, now: Now) {
        while !self.batch.is_empty() {
            for index in 0..self.batch.filled().len() {
                self.decide_one(now, index);
                self.perform_outputs(now);
            }
            self.sockets.send(&mut self.batch);
            self.notes.clear();
            self.batch.clear();
            self.unpublished = true;
        }
        self.finish_streams(now);
    }

    fn decide_one(&mut self, now: Now, index: usize) {
        if self.decide_dtls(now, index) {
            return;
        }
        let slot = &mut self.batch.filled_mut()[index];
        let binding = is_from_client(slot, self.listeners) && slot.payload().starts_with(&BINDING_REQUEST);
        let decided = ask(
            &mut self.core,
            &self.streams,
            (self.index, self.listeners),
            now,
            &self.notes,
            slot,
        );
        self.obey(now, index, decided, binding);
    }

    /// Marks a slot to be sent as the core has it; `binding` says whether it held a Binding request.
    fn obey(&mut self, now: Now, index: usize, (verdict, window, fields): Decided, binding: bool) {
        let (via, to) = match verdict {
            Verdict::Send { via, to } => (via, to),
            Verdict::Drop(_) | Verdict::Pending | Verdict::Done => return,
            Verdict::Bind { client, peer } => return self.bind(now, client, peer, index, window),
            Verdict::HandOver { worker } => return self.hand_over(worker, index),
        };
        let slot = &mut self.batch.filled_mut()[index];
        match via {
            Via::Client(five_tuple) => {
                let answered = &mut self.bindings[five_tuple.transport as usize];
                answered[usize::from(to.is_ipv6())] += u64::from(binding);
                match five_tuple.link {
                    Link::Listener(id) => {
                        let outgoing = slot.send(listener(id), window, five_tuple.server, to);
                        outgoing.fields = leaving(fields);
                    }
                    Link::Connection(id) if five_tuple.transport == Transport::Dtls => {
                        if let Some(outgoing) = self.dtls.send(slot, id, window) {
                            outgoing.fields = leaving(fields);
                        }
                    }
                    Link::Connection(id) => {
                        if let Some(id) = connection(self.index, id) {
                            self.streams.send(id, &slot.buffer_mut()[window]);
                        }
                    }
                }
            }
            Via::Relay(relay) => {
                // A relay socket is bound to one address, so the source needs no choosing.
                let from = slot.destination();
                let outgoing = slot.send(relay_socket(self.listeners, relay), window, from, to);
                outgoing.fields = leaving(fields);
            }
            Via::Worker { worker, errand } => {
                let outbox = self.outboxes.get(usize::from(worker)).and_then(Option::as_ref);
                let sender = self.index;
                let handed = outbox.is_some_and(|outbox| {
                    outbox
                        .hand_over(
                            slot,
                            window,
                            Note {
                                sender,
                                errand,
                                fields,
                            },
                        )
                        .is_ok()
                });
                self.worker_busy += u64::from(!handed);
            }
        }
    }

    fn publish(&mut self, at: Instant) {
        let sources = Sources {
            core: self.core.counters(),
            io: self.sockets.counters(),
            streams: self.streams.counters(),
            dtls: self.dtls.counters(),
            worker_busy: self.worker_busy,
        };
        self.published.publish(sources);
        let answered = mem::take(&mut self.bindings);
        for (requests, [v4, v6]) in self.binding_requests.iter().zip(answered) {
            requests.add(v4, v6);
        }
        self.published_at = at;
        self.unpublished = false;
    }
}

/// Hands the datagram in a slot to the core.
fn ask(
    core: &mut Server,
    streams: &Streams,
    (index, listeners): (u16, u32),
    now: Now,
    notes: &[Note],
    slot: &mut Slot,
) -> Decided {
    let (source, destination, window) = (slot.source(), slot.destination(), slot.window());
    let (origin, from_client) = (slot.origin(), is_from_client(slot, listeners));
    let fields = arrived(slot.fields());
    let mut packet = Packet::new(slot.buffer_mut(), window.start, window.len()).with_fields(fields);
    let verdict = match origin {
        Origin::Socket(id) if from_client => {
            let listener = ListenerId(id.index as u16);
            let from = FiveTuple::udp(listener, source, destination);
            core.handle_client(now, from, &mut packet)
        }
        Origin::Socket(id) => core.handle_peer(now, relay_id(listeners, id), source, &mut packet),
        Origin::Icmp(id, icmp) => {
            let icmp = Icmp {
                kind: icmp.kind,
                code: icmp.code.into(),
                data: icmp.data,
            };
            core.handle_icmp(now, relay_id(listeners, id), source, icmp, &mut packet)
        }
        Origin::Connection(id) => {
            // It is closed only after the batch it brought.
            let secure = streams.is_secure(id).unwrap_or_default();
            let from = connected(index, id, secure, source, destination);
            core.handle_client(now, from, &mut packet)
        }
        Origin::Worker { note } => {
            let Note {
                sender,
                errand,
                fields,
            } = notes[usize::from(note)];
            packet = packet.with_fields(fields);
            core.handle_errand(now, sender, errand, &mut packet)
        }
    };
    (verdict, packet.range(), packet.fields())
}

/// Sockets of listeners come first, those of relays after them.
fn is_from_client(slot: &Slot, listeners: u32) -> bool {
    match slot.origin() {
        Origin::Socket(id) => id.index < listeners,
        Origin::Connection(_) => true,
        Origin::Icmp(..) | Origin::Worker { .. } => false,
    }
}

//! The loop of one worker: wait, receive, decide, send.

mod coalescing;
mod deciding;
#[cfg_attr(not(feature = "dtls"), path = "worker/dtls_absent.rs")]
pub(crate) mod dtls;
mod effects;
pub(crate) mod mail;
mod names;
mod news;
mod receiving;
mod tcp_relay;
mod untold;

use std::{
    io, mem,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use datagram_io::{Batch, Inbox, Outbox, ReadyList, Sockets, Stop};
use mio::{Events, Poll, Token};
use peer_io::Peers;
use stream_io::Streams;
use telemetry::BindingRequests;
use turn_core::{Errand, Server, Transport};

pub(crate) use news::News;

use self::{coalescing::Coalescing, dtls::Dtls, mail::Mail, untold::Untold};
use crate::{
    clock::Clock,
    config::Coalesce,
    figures::{Published, Sources},
};

/// The token that ends a wait; sockets have theirs by index, what has to do with peers that connect from
/// [`peer_io::FIRST_TOKEN`] on, connections of clients from [`stream_io::FIRST_TOKEN`] on.
pub(crate) const WAKER: Token = Token(usize::MAX);

/// Datagrams decided about at a time. More make a batch outgrow the processor's caches.
const BATCH: usize = 64;
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
    coalescing: Coalescing,
    /// What another worker is to be told when its ring has room again.
    untold: Untold,
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
    pub(crate) coalesce: Coalesce,
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
            coalescing: Coalescing::new(parts.coalesce, now),
            untold: Untold::default(),
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
        self.announce();
        let sockets = self.ready.is_empty() && self.listening.is_empty() && self.failing.is_empty();
        let idle = sockets && self.streams.is_idle() && self.peers.is_idle();
        if idle
            && self.inbox.is_empty()
            && let Some(pause) = self.coalescing.pause(self.woken_at)
        {
            thread::sleep(pause);
        }
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

    /// Wakes the workers that something was handed to.
    fn announce(&self) {
        self.outboxes.iter().flatten().for_each(Outbox::announce);
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

//! The loop of one worker: wait, receive, answer, send.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use datagram_io::{Batch, IoCounters, Origin, ReadyList, Slot, SocketId, Sockets, Stop};
use mio::{Events, Poll, Token};
use stream_io::Streams;
use stun_core::{Config, Received, Refused, answer};

use crate::metrics::Metrics;

/// The token that ends a wait; sockets have theirs by index, connections from [`stream_io::FIRST_TOKEN`] on.
pub(crate) const WAKER: Token = Token(usize::MAX);

/// Datagrams answered at a time.
const BATCH: usize = 32;

/// Everything one worker owns.
pub(crate) struct Worker {
    pub(crate) poll: Poll,
    pub(crate) sockets: Sockets,
    pub(crate) streams: Streams,
    /// Where each socket listens, by index.
    pub(crate) listeners: Vec<SocketAddr>,
    pub(crate) config: Config,
    /// For those who come by TCP or TLS.
    pub(crate) stream_config: Config,
    pub(crate) stop: Stop,
    pub(crate) metrics: Metrics,
}

impl Worker {
    /// Serves until it is told to stop.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(64);
        let mut batch = Batch::new(BATCH);
        let mut ready = ReadyList::default();
        while !self.stop.is_requested() {
            self.wait(&mut events, &mut ready)?;
            ready.visit(|index| {
                let readiness = self.sockets.receive(index, &mut batch, BATCH);
                self.answer_all(&mut batch);
                readiness
            });
            self.serve_streams(&mut batch);
        }
        Ok(())
    }

    fn wait(&mut self, events: &mut Events, ready: &mut ReadyList) -> io::Result<()> {
        let timeout = if ready.is_empty() && self.streams.is_idle() {
            let deadline = self.streams.poll_timeout();
            deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
        } else {
            Some(Duration::ZERO)
        };
        if let Err(error) = self.poll.poll(events, timeout)
            && error.kind() != io::ErrorKind::Interrupted
        {
            return Err(error);
        }
        for event in &*events {
            if event.token() != WAKER && !self.streams.note(event) {
                ready.add(event.token().0 as u32);
            }
        }
        Ok(())
    }

    /// Gives each connection that waits its turn, and closes those whose time is over.
    fn serve_streams(&mut self, batch: &mut Batch) {
        let before = *self.streams.counters();
        let now = Instant::now();
        self.streams.handle_timeout(now);
        self.streams.begin_round();
        loop {
            let goes_on = self.streams.receive(now, batch);
            self.answer_all(batch);
            self.streams.finish();
            if !goes_on {
                break;
            }
        }
        // Nothing here is kept for a connection.
        while self.streams.next_ended().is_some() {}
        if before != *self.streams.counters() {
            self.metrics.streams(&before, self.streams.counters());
        }
    }

    fn answer_all(&mut self, batch: &mut Batch) {
        let before = *self.sockets.counters();
        let mut answered = [[0; 2]; 3];
        for slot in batch.filled_mut() {
            match self.answer_one(slot) {
                Ok(transport) => answered[transport][usize::from(slot.source().is_ipv6())] += 1,
                Err(refused) => self.metrics.refused(refused),
            }
        }
        self.sockets.send(batch);
        batch.clear();
        for (requests, [v4, v6]) in self.metrics.answered.iter().zip(answered) {
            requests.add(v4, v6);
        }
        self.count_losses(before);
    }

    /// Answers in the slot and says by which transport, in the order of [`Metrics::answered`].
    fn answer_one(&mut self, slot: &mut Slot) -> Result<usize, Refused> {
        let received = Received {
            source: slot.source(),
            destination: slot.destination(),
            connected: matches!(slot.origin(), Origin::Connection(_)),
        };
        let (origin, window) = (slot.origin(), slot.window());
        let bytes = &mut slot.buffer_mut()[window.start..];
        if let Origin::Connection(id) = origin {
            let reply = answer(&self.stream_config, received, bytes, window.len())?;
            self.streams.send(id, &bytes[..reply.len]);
            return Ok(if self.streams.is_secure(id) == Some(true) {
                2
            } else {
                1
            });
        }
        let reply = answer(&self.config, received, bytes, window.len())?;
        if let Some(socket) = self.leaves_by(origin, received, reply.from) {
            let window = window.start..window.start + reply.len;
            slot.send(socket, window, reply.from, reply.to);
        }
        Ok(0)
    }

    /// The socket a reply leaves by: the one that was asked, unless the client wished for another.
    fn leaves_by(&self, origin: Origin, received: Received, from: SocketAddr) -> Option<SocketId> {
        if let Origin::Socket(id) = origin
            && from == received.destination
        {
            return Some(id);
        }
        let index = self.listeners.iter().position(|listener| *listener == from)?;
        Some(SocketId {
            index: index as u32,
            generation: 0,
        })
    }

    fn count_losses(&self, before: IoCounters) {
        let now = self.sockets.counters();
        for (reason, lost) in [
            ("send_blocked", now.send_blocked - before.send_blocked),
            ("send_failed", now.send_failed - before.send_failed),
            ("send_too_long", now.send_too_long - before.send_too_long),
            ("receive_error", now.receive_errors - before.receive_errors),
        ] {
            if lost > 0 {
                self.metrics.lost(reason, lost);
            }
        }
    }
}

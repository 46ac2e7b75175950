//! The loop of one worker: wait, receive, answer, send.

use std::{io, net::SocketAddr};

use datagram_io::{Batch, IoCounters, Origin, ReadyList, SocketId, Sockets, Stop};
use mio::{Events, Poll, Token};
use stun_core::{Config, Received, answer};

use crate::metrics::Metrics;

/// The token that ends a wait; sockets have theirs by index.
pub(crate) const WAKER: Token = Token(usize::MAX);

/// Datagrams answered at a time.
const BATCH: usize = 32;

/// Everything one worker owns.
pub(crate) struct Worker {
    pub(crate) poll: Poll,
    pub(crate) sockets: Sockets,
    /// Where each socket listens, by index.
    pub(crate) listeners: Vec<SocketAddr>,
    pub(crate) config: Config,
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
            let timeout = if ready.is_empty() {
                None
            } else {
                Some(std::time::Duration::ZERO)
            };
            if let Err(error) = self.poll.poll(&mut events, timeout)
                && error.kind() != io::ErrorKind::Interrupted
            {
                return Err(error);
            }
            for event in &events {
                if event.token() != WAKER {
                    ready.add(event.token().0 as u32);
                }
            }
            ready.visit(|index| {
                let readiness = self.sockets.receive(index, &mut batch, BATCH);
                self.answer_all(&mut batch);
                readiness
            });
        }
        Ok(())
    }

    fn answer_all(&mut self, batch: &mut Batch) {
        let before = *self.sockets.counters();
        let mut answered = [0, 0];
        for slot in batch.filled_mut() {
            let (window, received) = (
                slot.window(),
                Received {
                    source: slot.source(),
                    destination: slot.destination(),
                },
            );
            let origin = slot.origin();
            let start = window.start;
            match answer(
                &self.config,
                received,
                &mut slot.buffer_mut()[start..],
                window.len(),
            ) {
                Ok(reply) => {
                    answered[usize::from(received.source.is_ipv6())] += 1;
                    if let Some(socket) = self.leaves_by(origin, received, reply.from) {
                        slot.send(socket, start..start + reply.len, reply.from, reply.to);
                    }
                }
                Err(refused) => self.metrics.refused(refused),
            }
        }
        self.sockets.send(batch);
        batch.clear();
        self.metrics.answered.add(answered[0], answered[1]);
        self.count_losses(before);
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

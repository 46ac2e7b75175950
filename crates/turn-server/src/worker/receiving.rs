//! A round of receiving: every ready socket, connection and ring has its turn.

use std::mem;

use turn_core::Now;

use super::Worker;

/// A listener carries many clients: take as many as there are.
const FROM_LISTENER: usize = 32;
/// A relay socket carries one client: most often there is one datagram, and one call tells that.
const FROM_RELAY: usize = 4;
/// ICMP errors about the datagrams of one relay that are passed on at a time.
const ICMP_AT_ONCE: usize = 4;

impl Worker {
    /// Receives once from each ready socket and connection and from the other workers; what is not drained stays
    /// ready.
    pub(super) fn receive(&mut self, now: Now) {
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
}

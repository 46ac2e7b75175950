//! What becomes of the datagrams of a batch: the core is asked about each, and the sockets are told.

use std::ops::Range;

use datagram_io::{Origin, Slot};
use stream_io::Streams;
use turn_core::{FiveTuple, Icmp, Link, ListenerId, Now, Packet, Server, Transport, Verdict, Via};

use super::{
    Note, Worker,
    names::{arrived, connected, connection, leaving, listener, relay_id, relay_socket},
};

/// How a Binding request begins (RFC 8489 §5).
pub(super) const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];

/// A verdict, and the window and the header fields of what it sends.
type Decided = (Verdict, Range<usize>, turn_core::HeaderFields);

impl Worker {
    /// Asks the core about each datagram of the batch, then sends what it marked; until there is none left of the runs
    /// in it.
    pub(super) fn decide(&mut self, now: Now) {
        while !self.batch.is_empty() {
            self.coalescing.note(self.batch.filled().len());
            for index in 0..self.batch.filled().len() {
                self.decide_one(now, index);
                self.perform_outputs(now);
            }
            self.announce();
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
    pub(super) fn obey(&mut self, now: Now, index: usize, (verdict, window, fields): Decided, binding: bool) {
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
